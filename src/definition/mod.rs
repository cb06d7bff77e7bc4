//! The typed intermediate form: what a checked file means, spans kept for blame.
//!
//! Lowering turns a [`syntax::tree`](crate::syntax::tree) into a [`Program`]; names are resolved, types are known,
//! times are numbers. `check` looks at it, `plan` compiles a [`Saga`] of it for the engine.

pub mod types;
pub mod value;
pub mod json;
pub mod expression;
pub mod evaluate;
pub mod limits;
mod contract;
mod trigger;
mod hash;
mod blocks;
mod inline;
pub mod personal;
pub mod lower;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use compact_str::CompactString;
use indexmap::IndexMap;

use self::expression::Typed;
use self::types::{Record, Type};
use crate::source::Span;

pub use self::blocks::{blocks, cannot_fail, has_pivot};
pub use self::contract::{Command, Limit, Participant, Per};
pub use self::hash::short_hash;
pub use self::trigger::{Aim, Trigger, Wanted};

/// Everything that the files of one check define.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Declared types.
    pub types: IndexMap<CompactString, Type>,
    /// Participants by name.
    pub participants: IndexMap<CompactString, Arc<Participant>>,
    /// Sagas by name, in the order of the text.
    pub sagas: IndexMap<CompactString, Arc<Saga>>,
    /// Scenarios in the order of the text.
    pub scenarios: Vec<Scenario>,
    /// Triggers in the order of the text.
    pub triggers: Vec<Arc<Trigger>>,
}

/// A saga's definition.
#[derive(Clone, Debug)]
pub struct Saga {
    /// Its name.
    pub name: CompactString,
    /// The number that people read.
    pub version: u64,
    /// What [`Saga::hash`] has computed.
    pub content: ContentHash,
    /// The input's shape.
    pub input: Arc<Record>,
    /// What it can be told while it runs.
    pub signals: IndexMap<CompactString, Arc<Signal>>,
    /// Where it says `coordination choreography`, if it does.
    pub choreography: Option<Span>,
    /// Counted from the start.
    pub deadline: Option<Duration>,
    /// The body.
    pub body: Vec<Statement>,
    /// The output, an object; without one it is `{}`.
    pub output: Option<Typed>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where its name is declared.
    pub span: Span,
}

impl Saga {
    /// The content hash of the saga with all that it refers to: 64 hexadecimal digits of SHA-256. Computed when it is
    /// first asked for: who only checks a file never asks.
    #[must_use]
    pub fn hash(&self) -> &Arc<str> {
        self.content.0.get_or_init(|| hash::hash(self))
    }
}

/// What a saga can be told while it runs.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its name.
    pub name: CompactString,
    /// Its shape; `{}` where nothing is said.
    pub shape: Arc<Record>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where its name is declared.
    pub span: Span,
}

/// A content hash, once somebody has asked for it.
#[derive(Clone, Debug, Default)]
pub struct ContentHash(OnceLock<Arc<str>>);

/// A statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Which.
    pub kind: StatementKind,
    /// The whole statement.
    pub span: Span,
}

/// The forms of a statement.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// A unit of work.
    Step(Arc<Step>),
    /// The point of no return, once reached.
    Pivot,
    /// All at once.
    Parallel(Vec<Statement>),
    /// One after the other.
    Sequence(Vec<Statement>),
    /// The first arm whose condition holds.
    When {
        /// Conditions with their blocks.
        arms: Vec<(Typed, Vec<Statement>)>,
        /// When none holds.
        otherwise: Vec<Statement>,
    },
    /// A durable timer.
    Sleep(Sleep),
    /// A wait for a signal.
    Await {
        /// For which.
        wait: Arc<Await>,
        /// When it did not come.
        otherwise: Vec<Statement>,
    },
    /// A scope of its own.
    Try(Box<Try>),
    /// A block for each element of a list.
    ForEach(Box<ForEach>),
    /// Rounds of a block.
    Repeat(Box<Repeat>),
    /// Another saga inside this one.
    Run(Box<Run>),
    /// A named value.
    Let {
        /// Its name.
        name: CompactString,
        /// What is computed, once.
        value: Typed,
    },
    /// Makes the scope fail.
    Fail {
        /// The code.
        code: CompactString,
        /// For people; a `string` or `string?`.
        message: Option<Typed>,
    },
}

/// A scope of its own: what fails in it is taken back to its start, and the saga goes on in a handler.
#[derive(Clone, Debug)]
pub struct Try {
    /// How long it may take.
    pub within: Option<Typed>,
    /// What it does.
    pub body: Vec<Statement>,
    /// The handlers, of which the first that takes the code runs.
    pub catches: Vec<Catch>,
}

/// A handler of a [`Try`].
#[derive(Clone, Debug)]
pub struct Catch {
    /// The codes that it takes; none: all.
    pub codes: Vec<CompactString>,
    /// What it does.
    pub block: Vec<Statement>,
    /// The whole clause.
    pub span: Span,
}

/// A block that runs for each element of a list.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The element's name.
    pub element: CompactString,
    /// The list.
    pub list: Typed,
    /// How many elements it has, where the text says it.
    pub length: Option<Length>,
    /// Keeps only such: a `bool` about the element.
    pub filter: Option<Typed>,
    /// How many elements are under way at once; 1 is one after the other.
    pub window: u16,
    /// What is done for each.
    pub body: Vec<Statement>,
}

/// How many elements a list has, by what the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// At least.
    pub least: usize,
    /// At most.
    pub most: usize,
}

impl Length {
    /// Exactly so many.
    pub(crate) const fn of(count: usize) -> Self {
        Self { least: count, most: count }
    }

    /// As many as one of two lists has.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    /// Of those that are not left out.
    pub(crate) const fn of_some(self) -> Self {
        Self { least: 0, ..self }
    }
}

/// A block that runs until a condition holds, so many times at most.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// Rounds.
    pub times: u16,
    /// One round.
    pub body: Vec<Statement>,
    /// Ends it: a `bool` about the round that has just run.
    pub until: Typed,
    /// When it never held.
    pub otherwise: Vec<Statement>,
}

/// A step that runs another saga inside this one: that saga's statements, each name in them behind the step's (`pay.charge`).
#[derive(Clone, Debug)]
pub struct Run {
    /// The step, without an action: its name, and how what cannot be unwound is taken back.
    pub step: Arc<Step>,
    /// The saga that it runs.
    pub saga: CompactString,
    /// That saga's input, an object; it is read as [`Run::input_name`].
    pub input: Typed,
    /// Its statements.
    pub body: Vec<Statement>,
    /// Its output, which is the step's value.
    pub output: Typed,
    /// The clause `run …`.
    pub span: Span,
}

impl Run {
    /// The name under which the statements read their input: no name of the language, so nobody else has it.
    #[must_use]
    pub fn input_name(&self) -> CompactString {
        inline::under(&self.step.name, "input")
    }
}

/// A wait for a signal.
#[derive(Clone, Debug)]
pub struct Await {
    /// The name of its value: the signal's, or the one behind `as`.
    pub name: CompactString,
    /// The signal.
    pub signal: Arc<Signal>,
    /// Takes only such: a `bool` about the value.
    pub filter: Option<Typed>,
    /// How long it waits.
    pub within: Typed,
}

/// How long to sleep.
#[derive(Clone, Debug)]
pub enum Sleep {
    /// A duration from now.
    For(Typed),
    /// Until an instant.
    Until(Typed),
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, which is its reply.
    pub name: CompactString,
    /// Where the name stands.
    pub span: Span,
    /// `pivot step`
    pub pivot: bool,
    /// What it does forward; a step without does nothing forward.
    pub action: Option<Invocation>,
    /// What takes it back.
    pub compensation: Compensation,
}

/// What takes a step back.
#[derive(Clone, Debug)]
pub enum Compensation {
    /// The step says nothing: allowed behind the point of no return and for a pivot step only.
    Unsaid,
    /// `compensate nothing`
    Nothing,
    /// A command or a message.
    Call(Box<Invocation>),
    /// A saga that cannot fail. Its step is called as the one that it takes back, with `undo` behind it.
    Run(Box<Run>),
}

/// Whether an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `call`: a command, done when its participant says so.
    Call,
    /// `send`: a message, done when the log has acknowledged it.
    Send,
}

/// A command or message with its payload and times.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Whether it is answered.
    pub verb: Verb,
    /// Whose.
    pub participant: Arc<Participant>,
    /// Which.
    pub command: Arc<Command>,
    /// The request: an object that is complete for `command.request`.
    pub payload: Typed,
    /// Its times, defaults filled in; of a message they mean nothing.
    pub timing: Timing,
    /// The whole clause.
    pub span: Span,
}

/// Times of an invocation, defaults filled in.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Of one attempt, until its first answer.
    pub timeout: Duration,
    /// Of all attempts together: a `duration`.
    pub within: Option<Typed>,
    /// Repetitions.
    pub retry: Retry,
}

/// `retry times every from..to`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Behind the first attempt.
    pub times: u32,
    /// The first pause.
    pub from: Duration,
    /// The longest pause.
    pub to: Duration,
}

impl Retry {
    /// The sum of the pauses: from the first, doubling up to the longest.
    #[must_use]
    pub fn pauses(&self) -> Duration {
        let mut pause = self.from;
        let mut sum = Duration::ZERO;
        for _ in 0..self.times {
            sum = sum.saturating_add(pause.min(self.to));
            pause = pause.saturating_mul(2).min(self.to);
        }
        sum
    }
}

/// A test as data.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its title.
    pub title: String,
    /// Of which saga.
    pub saga: CompactString,
    /// The input as JSON; absent where the input has no required field and nothing is said.
    pub given: Option<Box<str>>,
    /// What departs from the good path.
    pub happenings: Vec<Happening>,
    /// What must come of it.
    pub expects: Vec<Expect>,
    /// Where its title stands.
    pub span: Span,
}

/// What departs from the good path.
#[derive(Clone, Debug)]
pub struct Happening {
    /// Which.
    pub kind: HappeningKind,
    /// The whole clause.
    pub span: Span,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum HappeningKind {
    /// An operator cancels, so long after the start.
    Cancelled(Duration),
    /// A signal arrives.
    Arrives {
        /// Which.
        signal: CompactString,
        /// What it carries, as JSON that fits.
        with: Box<str>,
        /// So long after the start.
        after: Duration,
    },
    /// A participant answers so.
    Answer {
        /// Whom it is asked for.
        called: Called,
        /// What becomes of it.
        answer: Answer,
        /// How often: attempts for [`Answer::TimesOut`] and [`Answer::StaysPending`], executions else; absent: always.
        times: Option<u32>,
    },
}

/// A step, or its compensation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// The compensation is meant.
    pub undo: bool,
    /// The step's place, as in commands; without an index it stands for any element.
    pub step: CompactString,
}

/// How a participant answers in a scenario.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Refuses with the code (a compensation may refuse without one).
    Fails(Option<CompactString>),
    /// No answer to the attempt, nor to a query about it.
    TimesOut,
    /// Says that it works on it, and never more.
    StaysPending,
    /// Succeeds with this reply, as JSON that fits.
    Replies(Box<str>),
}

/// What must come of a scenario.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Which.
    pub kind: ExpectKind,
    /// The whole clause.
    pub span: Span,
}

/// What can be expected.
#[derive(Clone, Debug)]
pub enum ExpectKind {
    /// Completed; of the output, only the fields that are given are compared. JSON.
    Completed(Option<Box<str>>),
    /// Compensated, with this code if one is given.
    Compensated(Option<CompactString>),
    /// Stuck there.
    Stuck(Called),
    /// The whole list of steps called and undone.
    Calls(Vec<Called>),
}

/// Codes that are the engine's own: not for `fail` and `fails`.
pub const ENGINE_CODES: [&str; 5] = ["timeout", "deadline", "cancelled", "invalid", "undeclared"];
