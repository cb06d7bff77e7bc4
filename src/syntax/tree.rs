//! The spanned tree: what the author wrote, names and types not looked at yet.
//!
//! The text form and (later) the YAML twin both become this tree, so everything below is written once. The tree
//! is wider than the language: where people foreseeably write something wrong, the grammar accepts it and the
//! lowering refuses it with a hint. Every node keeps the span that a message about it should underline.

use compact_str::CompactString;

use crate::source::Span;

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The word.
    pub text: CompactString,
    /// Where.
    pub span: Span,
}

/// A string literal, its escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The value.
    pub value: String,
    /// With the quotes.
    pub span: Span,
}

/// A literal kept as it was written (an integer, a duration): its value is taken when its type is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// As written, underscores included.
    pub text: CompactString,
    /// Where.
    pub span: Span,
}

/// `/// …` lines before an item, joined by newlines, without the slashes.
pub type Docs = Option<Text>;

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// In the order of the text.
    pub items: Vec<Item>,
    /// All `// …` comments that are not docs, in the order of the text, for the formatter.
    pub comments: Vec<Comment>,
    /// Statements, those inside others included.
    pub statements: usize,
    /// Something that the author wrote, or should have written, is not in the tree; it has been reported. What seems
    /// absent or misused may be a consequence, so later stages look no further.
    pub incomplete: bool,
}

/// A `// …` comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// With the slashes, without the line end.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// What stands at the top level.
#[derive(Clone, Debug)]
pub enum Item {
    /// `use "path"`
    Use(Use),
    /// `type Name …`
    Type(TypeItem),
    /// `participant name { … }`
    Participant(Participant),
    /// `saga name { … }`
    Saga(Saga),
    /// `trigger name { … }`
    Trigger(Trigger),
    /// `scenario "…" for name { … }`
    Scenario(Scenario),
}

/// `use "path"`
#[derive(Clone, Debug)]
pub struct Use {
    /// Relative to the using file.
    pub path: Text,
    /// The whole item.
    pub span: Span,
}

/// `type Name { … }` or `type Name = …`
#[derive(Clone, Debug)]
pub struct TypeItem {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// A record for the first form, anything for the second.
    pub body: TypeExpr,
    /// The whole item.
    pub span: Span,
}

/// A type as written.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// Which.
    pub kind: TypeExprKind,
    /// Where.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, Debug)]
pub enum TypeExprKind {
    /// A built-in or declared type, not resolved yet.
    Named(CompactString),
    /// `list<T>`
    List(Box<TypeExpr>),
    /// `map<T>`
    Map(Box<TypeExpr>),
    /// `"a" | "b"`
    Choice(Vec<Text>),
    /// `{ … }`
    Record(Record),
    /// `T?`
    Optional(Box<TypeExpr>),
}

/// `{ field, … }`
#[derive(Clone, Debug)]
pub struct Record {
    /// In the order of the text.
    pub fields: Vec<Field>,
    /// With the braces.
    pub span: Span,
}

/// `personal name: type`
#[derive(Clone, Debug)]
pub struct Field {
    /// Its documentation.
    pub docs: Docs,
    /// The word `personal`, where it stands.
    pub personal: Option<Span>,
    /// Its key.
    pub key: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// The whole field.
    pub span: Span,
}

/// `participant name { … }`
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// In the order of the text.
    pub items: Vec<ParticipantItem>,
    /// The whole item.
    pub span: Span,
}

/// What stands in a participant.
#[derive(Clone, Debug)]
pub enum ParticipantItem {
    /// `commands "topic"`
    Commands(Text, Span),
    /// `events "topic"`
    Events(Text, Span),
    /// `answers queries`
    AnswersQueries(Span),
    /// `at most 5 at once`, `at most 5 per second`
    AtMost(AtMost),
    /// `command Name …`
    Command(Command),
    /// `message Name …`
    Message(Message),
}

/// `at most N …`
#[derive(Clone, Debug)]
pub struct AtMost {
    /// N.
    pub count: Literal,
    /// Of what.
    pub rate: Rate,
    /// The whole clause.
    pub span: Span,
}

/// What `at most` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// `at once`
    AtOnce,
    /// `per second`
    PerSecond,
    /// `per minute`
    PerMinute,
    /// `per hour`
    PerHour,
}

/// `command Name as "x" { … } returns { … } fails "a", "b"`
#[derive(Clone, Debug)]
pub struct Command {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// Its name on the wire.
    pub wire: Option<Text>,
    /// The request's shape: a record or the name of one.
    pub request: Option<TypeExpr>,
    /// The reply's shape.
    pub returns: Option<TypeExpr>,
    /// The codes with which it may refuse.
    pub fails: Vec<Text>,
    /// The whole command.
    pub span: Span,
}

/// `message Name as "x" { … }`
#[derive(Clone, Debug)]
pub struct Message {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// Its name on the wire.
    pub wire: Option<Text>,
    /// Its shape.
    pub shape: Option<TypeExpr>,
    /// The whole message.
    pub span: Span,
}

/// `saga name { … }`
#[derive(Clone, Debug)]
pub struct Saga {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// In the order of the text.
    pub heads: Vec<Head>,
    /// The body.
    pub body: Block,
    /// `output { … }`
    pub output: Option<Expr>,
    /// The whole item.
    pub span: Span,
}

/// What stands at the head of a saga.
#[derive(Clone, Debug)]
pub enum Head {
    /// `version 1`
    Version(Literal, Span),
    /// `coordination choreography`: the word, not looked at yet
    Coordination(Name, Span),
    /// `input { … }`
    Input(TypeExpr, Span),
    /// `signal name { … }`
    Signal(Signal),
    /// `deadline 15m`
    Deadline(Literal, Span),
    /// `defaults { … }`
    Defaults(Defaults),
}

/// `signal name { … }`
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// Its shape.
    pub shape: Option<TypeExpr>,
    /// The whole clause.
    pub span: Span,
}

/// `defaults { … }`
#[derive(Clone, Debug)]
pub struct Defaults {
    /// For steps.
    pub timing: Vec<Timing>,
    /// Behind `compensate`: for compensations.
    pub compensate: Vec<Timing>,
    /// The whole clause.
    pub span: Span,
}

/// One clause of timing.
#[derive(Clone, Debug)]
pub enum Timing {
    /// `timeout 10s`
    Timeout(Literal, Span),
    /// `within 30s`
    Within(Expr, Span),
    /// `retry 3 times every 1s..5s`
    Retry(Retry),
}

/// `retry 3 times every 1s..5s`
#[derive(Clone, Debug)]
pub struct Retry {
    /// How often, behind the first attempt.
    pub times: Literal,
    /// The first pause.
    pub from: Option<Literal>,
    /// The longest pause.
    pub to: Option<Literal>,
    /// The whole clause.
    pub span: Span,
}

/// Statements in braces.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// With the braces (for a saga's body: from the first to the last statement).
    pub span: Span,
}

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
    /// `step name { … }`, `pivot step name { … }`
    Step(Box<Step>),
    /// `pivot` on its own
    Pivot,
    /// `parallel { … }`
    Parallel(Block),
    /// `sequence { … }`
    Sequence(Block),
    /// `when c { … } otherwise when d { … } otherwise { … }`
    When(Box<When>),
    /// `for each x in xs { … }`
    ForEach(Box<ForEach>),
    /// `repeat at most 3 times { … } until c otherwise { … }`
    Repeat(Box<Repeat>),
    /// `try { … } catch { … }`
    Try(Box<Try>),
    /// `await s within 1h otherwise { … }`
    Await(Box<Await>),
    /// `sleep 1h`, `sleep until t`
    Sleep(Sleep),
    /// `let x = …`
    Let(Let),
    /// `fail "code", message`
    Fail(Fail),
}

/// `step name { … }`
#[derive(Clone, Debug)]
pub struct Step {
    /// The word `pivot`.
    pub pivot: Option<Span>,
    /// Its name.
    pub name: Name,
    /// What it does, if it does something forward.
    pub action: Option<Action>,
    /// In the order of the text.
    pub timing: Vec<Timing>,
    /// How it is taken back.
    pub compensate: Option<Compensate>,
}

/// `call p.C { … }`, `send p.M { … }`, `run s { … }`
#[derive(Clone, Debug)]
pub struct Action {
    /// Which, and its target.
    pub kind: ActionKind,
    /// An [`ExprKind::Object`].
    pub payload: Option<Expr>,
    /// The whole clause.
    pub span: Span,
}

/// The forms of an action.
#[derive(Clone, Debug)]
pub enum ActionKind {
    /// A command that is answered.
    Call(Target),
    /// A message that is not.
    Send(Target),
    /// Another saga, inlined.
    Run(Name),
}

/// `participant.Command`
#[derive(Clone, Debug)]
pub struct Target {
    /// The participant.
    pub participant: Name,
    /// The command or message.
    pub command: Name,
}

/// `compensate …`
#[derive(Clone, Debug)]
pub struct Compensate {
    /// `None` is `compensate nothing`; a bare target is a [`ActionKind::Call`].
    pub action: Option<Action>,
    /// Timing of the compensation.
    pub timing: Vec<Timing>,
    /// The whole clause.
    pub span: Span,
}

/// `when c { … } otherwise …`
#[derive(Clone, Debug)]
pub struct When {
    /// The conditions in their order; at least one.
    pub arms: Vec<Arm>,
    /// The last `otherwise` without a condition.
    pub otherwise: Option<Block>,
}

/// One condition and its block.
#[derive(Clone, Debug)]
pub struct Arm {
    /// The condition.
    pub condition: Expr,
    /// What follows from it.
    pub block: Block,
}

/// `for each x in xs where c, at most 5 at once { … }`
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The element's name.
    pub element: Name,
    /// The list.
    pub list: Expr,
    /// Keeps some.
    pub filter: Option<Expr>,
    /// At most so many at once.
    pub window: Option<Literal>,
    /// What is done for each.
    pub block: Block,
}

/// `repeat at most N times { … } until c otherwise { … }`
#[derive(Clone, Debug)]
pub struct Repeat {
    /// N.
    pub times: Literal,
    /// One round.
    pub block: Block,
    /// Ends it.
    pub until: Option<Expr>,
    /// When N rounds were not enough; absent is a finding.
    pub otherwise: Option<Block>,
}

/// `try within d { … } catch "a" { … }`
#[derive(Clone, Debug)]
pub struct Try {
    /// Its time.
    pub within: Option<Expr>,
    /// The scope.
    pub block: Block,
    /// The handlers; none is a finding.
    pub catches: Vec<Catch>,
}

/// `catch "a", "b" { … }`
#[derive(Clone, Debug)]
pub struct Catch {
    /// Empty: any code.
    pub codes: Vec<Text>,
    /// The handler.
    pub block: Block,
    /// The whole clause.
    pub span: Span,
}

/// `await s as x where c within d otherwise { … }`
#[derive(Clone, Debug)]
pub struct Await {
    /// The signal.
    pub signal: Name,
    /// The value's name, if another.
    pub alias: Option<Name>,
    /// Takes only such.
    pub filter: Option<Expr>,
    /// How long; absent is a finding.
    pub within: Option<Expr>,
    /// When nothing came; absent is a finding.
    pub otherwise: Option<Block>,
}

/// `sleep d`, `sleep until t`
#[derive(Clone, Debug)]
pub struct Sleep {
    /// With the word `until`: an instant, else a duration.
    pub until: bool,
    /// Which.
    pub expr: Expr,
}

/// `let x = …`
#[derive(Clone, Debug)]
pub struct Let {
    /// The name.
    pub name: Name,
    /// The value.
    pub value: Expr,
}

/// `fail "code", message`
#[derive(Clone, Debug)]
pub struct Fail {
    /// The code.
    pub code: Text,
    /// For people.
    pub message: Option<Expr>,
}

/// `trigger name { … }`
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its documentation.
    pub docs: Docs,
    /// Its name.
    pub name: Name,
    /// The user's topic.
    pub topic: Text,
    /// The events' shape.
    pub event: TypeExpr,
    /// Takes only such.
    pub filter: Option<Expr>,
    /// `start saga { … }`
    pub start: Option<(Name, Option<Expr>)>,
    /// `signal saga.path.name { … }`
    pub signal: Option<(Reference, Option<Expr>)>,
    /// The whole item.
    pub span: Span,
}

/// `name[1].name[2]`: a step, from inside a saga.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The names with their indices (from 1), outermost first; a name stands in as many loops as it has indices.
    pub parts: Vec<(Name, Vec<Literal>)>,
    /// The whole reference.
    pub span: Span,
}

/// `scenario "…" for name { … }`
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its title.
    pub title: Text,
    /// The saga.
    pub saga: Name,
    /// The input, an object.
    pub given: Option<Expr>,
    /// What departs from the good path.
    pub happenings: Vec<Happening>,
    /// What must come of it.
    pub expects: Vec<Expect>,
    /// The whole item.
    pub span: Span,
}

/// `when …` in a scenario.
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
    /// `signal s arrives { … } after d`
    Signal {
        /// The signal.
        signal: Reference,
        /// What it carries.
        payload: Option<Expr>,
        /// From the instance's start.
        after: Option<Literal>,
    },
    /// `cancelled after d`
    Cancelled {
        /// From the instance's start.
        after: Option<Literal>,
    },
    /// `undo x fails "code" 2 times`
    Answer {
        /// The step, or its compensation.
        called: Called,
        /// What becomes of it.
        what: Answer,
        /// How often; absent: always.
        times: Option<Literal>,
    },
}

/// A step, or with `undo` its compensation.
#[derive(Clone, Debug)]
pub struct Called {
    /// The word `undo` stands before it.
    pub undo: bool,
    /// Which step.
    pub step: Reference,
}

/// How a participant answers in a scenario.
#[derive(Clone, Debug)]
pub enum Answer {
    /// `fails "code"`; without a code: a compensation that fails.
    Fails(Option<Text>),
    /// `times out`
    TimesOut,
    /// `stays pending`
    StaysPending,
    /// `replies { … }`
    Replies(Expr),
}

/// `expect …`
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
    /// `completed { … }`
    Completed(Option<Expr>),
    /// `compensated "code"`
    Compensated(Option<Text>),
    /// `stuck undo x`
    Stuck(Called),
    /// `calls nothing` (empty) or `calls a, b, undo a`
    Calls(Vec<Called>),
}

/// An expression as written.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Which.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `"…"`
    Text(String),
    /// `42`
    Int(CompactString),
    /// `4.20`
    Decimal(CompactString),
    /// `15m`
    Duration(CompactString),
    /// `true`, `false`
    Bool(bool),
    /// `null`
    Null,
    /// A step, let, loop variable or signal, or one of the roots (`input`, `saga`, `failure`, …).
    Name(CompactString),
    /// `x.key`
    Field(Box<Expr>, Name),
    /// `xs[*]`
    Every(Box<Expr>),
    /// `xs[0]`, `m["k"]`
    Index(Box<Expr>, Box<Expr>),
    /// `count(xs)`
    Call(Name, Vec<Expr>),
    /// `{ key: … }`
    Object(Vec<(Name, Expr)>),
    /// `[ … ]`
    List(Vec<Expr>),
    /// `!x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `a + b`; the span is that of the operator
    Binary(BinaryOp, Span, Box<(Expr, Expr)>),
    /// `if a then b else c`
    If(Box<(Expr, Expr, Expr)>),
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `??`
    Coalesce,
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<=`
    LessEqual,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Coalesce => "??",
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::LessEqual => "<=",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}
