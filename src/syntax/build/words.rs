//! Words: those of the language, those of other systems, and how names and numbers are written.

use super::NumberKind;
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::tree::Name;

/// For going on after a failure.
pub(super) const TRY: &str =
    "what may fail stands in `try { … } catch { … }`: it is taken back, and the saga goes on in the handler";

/// For waiting.
pub(super) const AWAIT: &str = "write `await approval within 8h otherwise { … }` for a signal, `sleep 30m` for a time";

/// Never a name: they begin a statement or a clause, end an expression, or are roots.
pub(in crate::syntax) const RESERVED: &[&str] = &[
    "input",
    "saga",
    "failure",
    "previous",
    "round",
    "event",
    "step",
    "pivot",
    "call",
    "send",
    "run",
    "compensate",
    "nothing",
    "timeout",
    "within",
    "retry",
    "parallel",
    "sequence",
    "when",
    "otherwise",
    "for",
    "where",
    "repeat",
    "until",
    "try",
    "catch",
    "await",
    "sleep",
    "let",
    "fail",
    "output",
    "undo",
    "signal",
    "if",
    "then",
    "else",
    "true",
    "false",
    "null",
];

/// How a name is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::syntax) enum Style {
    /// `reserve_room`
    Snake,
    /// `ReserveRoom`
    Type,
}

/// What is wrong with a name where it is given.
pub(in crate::syntax) fn misnamed(name: &Name, style: Style) -> Option<Diagnostic> {
    let text = name.text.as_str();
    let finding = |code, title| Diagnostic::error(code, name.span, title);
    match style {
        Style::Snake if RESERVED.contains(&text) => Some(
            finding(codes::RESERVED_NAME, format!("`{text}` is a word of the language"))
                .here("cannot be a name")
                .hint(format!("choose another name, such as `{text}_it` or `the_{text}`")),
        ),
        Style::Snake if !is_snake(text) => Some(
            finding(codes::NAME_STYLE, format!("`{text}` is not written in small letters"))
                .here("only types, commands and messages have capitals")
                .hint(format!("write `{}`", snake_case(text))),
        ),
        Style::Type if !is_type(text) => Some(
            finding(codes::NAME_STYLE, format!("`{text}` is not written as a type is"))
                .here("types, commands and messages begin with a capital and have no `_`")
                .hint(format!("write `{}`", type_case(text))),
        ),
        Style::Snake | Style::Type => None,
    }
}

fn is_snake(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn is_type(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the top of a file.
    Top,
    /// In a saga, before and among its statements.
    Saga,
    /// In a block of statements.
    Block,
    /// In a step.
    Step,
    /// Among defaults.
    Timing,
    /// In a participant.
    Participant,
    /// In a trigger.
    Trigger,
    /// In a scenario.
    Scenario,
}

impl Place {
    /// What may begin there.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Top => &["use", "type", "participant", "saga", "trigger", "scenario"],
            Self::Saga => &[
                "version",
                "coordination",
                "input",
                "signal",
                "deadline",
                "defaults",
                "step",
                "pivot",
                "parallel",
                "sequence",
                "when",
                "for",
                "repeat",
                "try",
                "await",
                "sleep",
                "let",
                "fail",
                "output",
            ],
            Self::Block => &[
                "step", "pivot", "parallel", "sequence", "when", "for", "repeat", "try", "await", "sleep", "let",
                "fail",
            ],
            Self::Step => &["call", "send", "run", "timeout", "within", "retry", "compensate"],
            Self::Timing => &["timeout", "within", "retry", "compensate"],
            Self::Participant => &["commands", "events", "answers", "at", "command", "message"],
            Self::Trigger => &["on", "event", "where", "start", "signal"],
            Self::Scenario => &["given", "when", "expect"],
        }
    }

    /// The place in words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Top => "at the top of a file",
            Self::Saga => "in a saga",
            Self::Block => "in a block",
            Self::Step => "in a step",
            Self::Timing => "among defaults",
            Self::Participant => "in a participant",
            Self::Trigger => "in a trigger",
            Self::Scenario => "in a scenario",
        }
    }
}

/// A word of habit or of another system: what this language does instead.
pub(super) fn foreign(place: Place, word: &str, next: &str) -> Option<&'static str> {
    let lower = word.to_ascii_lowercase();
    let instead = match (place, lower.as_str()) {
        (
            Place::Step,
            "after" | "depends" | "depends_on" | "dependson" | "needs" | "requires" | "before" | "next" | "then",
        ) => "order is the order of the text: write steps one below the other, or put them into `parallel { … }`",
        (Place::Step | Place::Block | Place::Saga, "fallback" | "or_else" | "orelse") => TRY,
        (Place::Step | Place::Block | Place::Saga, "on")
            if next.eq_ignore_ascii_case("compensate") || next.eq_ignore_ascii_case("cancel") =>
        {
            "say in each step how it is taken back: `compensate service.Command { … }`"
        }
        (
            Place::Step | Place::Block | Place::Saga,
            "on" | "on_error" | "onerror" | "on_failure" | "onfailure" | "on_fail" | "error" | "except" | "rescue"
            | "catch" | "failure",
        ) => TRY,
        (
            Place::Step,
            "invoke" | "execute" | "exec" | "do" | "action" | "command" | "request" | "task" | "activity",
        ) => "a step calls a command of a participant: `call service.Command { … }`",
        (Place::Step, "publish" | "emit" | "notify") => {
            "a step tells a participant something by a message: `send service.Message { … }`"
        }
        (
            Place::Step | Place::Timing,
            "retries" | "max_attempts" | "maxattempts" | "attempts" | "backoff" | "delay" | "max_retries",
        ) => "write `retry 3 times every 200ms..5s`: 3 repetitions, pauses that double from 200 ms up to 5 s",
        (Place::Step, "with" | "input" | "args" | "arguments" | "params" | "payload") => {
            "what a command is given stands in braces right behind it: `call service.Command { key: value }`"
        }
        (Place::Step, "output" | "result" | "returns" | "as") => "a step's name is its reply: `reserve_room.hold`",
        (Place::Step, "when" | "if" | "unless") => "put the step into `when condition { … }`",
        (Place::Step, "step" | "parallel" | "sequence") => {
            "steps do not nest; put them into `parallel { … }` or `sequence { … }`"
        }
        (Place::Step, "type" | "kind" | "retriable" | "retryable" | "compensatable" | "compensable") => {
            "nothing to say: a step with `compensate` can be taken back, one behind the pivot is repeated until it succeeds"
        }
        (Place::Saga | Place::Block, "while" | "loop" | "do" | "goto" | "jump" | "next") => {
            "a loop has a bound here: `repeat at most 3 times { … } until condition otherwise { … }`, or `for each x in list { … }`"
        }
        (Place::Saga | Place::Block, "foreach") => "write `for each item in list { … }`",
        (Place::Saga | Place::Block, "return") => {
            "what a saga gives back is its last line, `output { … }`; to leave early, put what follows into `when … { … }`"
        }
        (Place::Saga | Place::Block, "exit" | "stop" | "end" | "break" | "continue") => {
            "there is one way out: put what follows into `when … { … }`; `fail \"code\"` ends the saga without success"
        }
        (Place::Saga | Place::Block, "var" | "const" | "set" | "val" | "def") => {
            "name a value with `let name = …`; it does not change afterwards"
        }
        (Place::Saga | Place::Block, "switch" | "match" | "case" | "choose" | "choice") => {
            "write `when a == \"x\" { … } otherwise when a == \"y\" { … } otherwise { … }`"
        }
        (Place::Saga | Place::Block, "throw" | "raise" | "abort" | "cancel" | "rollback") => {
            "write `fail \"code\"`: it unwinds what was done"
        }
        (Place::Saga | Place::Block, "wait" | "delay" | "pause" | "timer") => AWAIT,
        (Place::Saga | Place::Block, "transaction" | "scope" | "group" | "block" | "begin") => {
            "group statements with `sequence { … }`; a failure unwinds the saga as a whole"
        }
        (Place::Saga | Place::Block, "fork" | "join" | "concurrent" | "async" | "all") => {
            "write `parallel { … }`: it ends when all have ended"
        }
        (Place::Saga | Place::Block, "task" | "activity" | "action" | "state" | "call" | "send" | "run" | "invoke") => {
            "what is done stands in a step: `step name { call service.Command { … } }`"
        }
        (Place::Saga | Place::Block, "compensate" | "retry" | "timeout" | "within") => {
            "this belongs into a step: `step name { call … compensate … }`"
        }
        (Place::Saga | Place::Block, "otherwise" | "else" | "elif") => "it stands right behind the block of its `when`",
        (Place::Saga, "name" | "id" | "description" | "desc") => {
            "the name stands behind `saga`, a description above it as `/// …`"
        }
        (Place::Saga, "participants" | "services" | "participant") => {
            "participants are declared beside the saga, not in it"
        }
        (Place::Saga, "steps" | "start" | "body" | "workflow" | "flow") => {
            "statements stand directly in the saga's braces"
        }
        (Place::Saga, "returns" | "result") => "what a saga gives back is `output { … }`, as its last line",
        (Place::Top, "import" | "include" | "require" | "from") => "write `use \"file.saga\"`",
        (Place::Top, "service" | "actor" | "microservice" | "system") => "write `participant name { … }`",
        (Place::Top, "workflow" | "process" | "flow" | "orchestration" | "transaction" | "statemachine") => {
            "write `saga name { … }`"
        }
        (Place::Top, "struct" | "record" | "interface" | "enum" | "message" | "class") => {
            "write `type Name { … }`, or `type Name = \"a\" | \"b\"`"
        }
        (Place::Top, "test" | "spec" | "example") => "write `scenario \"what happens\" for saga_name { … }`",
        (
            Place::Top,
            "step" | "pivot" | "parallel" | "when" | "output" | "input" | "version" | "compensate" | "call",
        ) => "this belongs into the braces of a saga; is one closed too early above?",
        (Place::Participant, "topic" | "queue" | "channel" | "commandtopic" | "address" | "url" | "endpoint") => {
            "the topic it reads is said by `commands \"topic\"`; addresses are given when the saga is run"
        }
        (Place::Participant, "event" | "notification") => "what is sent without an answer is a `message Name { … }`",
        (Place::Participant, "request" | "operation" | "method" | "rpc" | "action" | "fn" | "function") => {
            "write `command Name { … } returns { … } fails \"code\"`"
        }
        (Place::Participant, "returns" | "fails" | "as") => "this stands behind the command it belongs to",
        (Place::Participant, "limit" | "max" | "concurrency" | "rate") => {
            "write `at most 100 at once`, or `at most 50 per second`"
        }
        (Place::Scenario, "then" | "assert" | "and" | "should") => {
            "write `expect completed`, `expect compensated \"code\"` or `expect calls …`"
        }
        (Place::Scenario, "input" | "with") => "the saga's input is `given { … }`",
        _ => return None,
    };
    Some(instead)
}

/// The word of `words` that was probably meant.
pub(in crate::syntax) fn near<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let lower = word.to_ascii_lowercase();
    let most = if lower.len() <= 4 { 1 } else { 2 };
    words
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lower, known), *known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// What a number is, if it is written as the language has it.
pub(super) fn number_kind(text: &str) -> Option<NumberKind> {
    let digits = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    if digits(text) {
        return Some(NumberKind::Int);
    }
    if let Some((whole, fraction)) = text.split_once('.') {
        let fraction_known = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        return (digits(whole) && fraction_known).then_some(NumberKind::Decimal);
    }
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(number.len()..).unwrap_or_default();
    (digits(number) && matches!(unit, "ms" | "s" | "m" | "h" | "d")).then_some(NumberKind::Duration)
}

/// The duration that `10sec` or `1.5h` means.
pub(super) fn duration_meant(text: &str) -> Option<String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(number.len()..)?.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    };
    let number = number.trim_end_matches('_');
    match number_kind(number)? {
        NumberKind::Int => Some(format!("{number}{unit}")),
        NumberKind::Decimal => {
            // `1.5h` is `90m`: tenths and quarters come out even in the next smaller unit.
            let (smaller, factor) = match unit {
                "s" => ("ms", 1_000),
                "m" => ("s", 60),
                "h" => ("m", 60),
                "d" => ("h", 24),
                _ => return None,
            };
            let (whole, fraction) = number.split_once('.')?;
            let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            let digits: u64 = format!("{}{fraction}", whole.replace('_', "")).parse().ok()?;
            let scaled = digits.checked_mul(factor)?;
            (scaled % scale == 0).then(|| format!("{}{smaller}", scaled / scale))
        }
        NumberKind::Duration => None,
    }
}

/// `reserveRoom`, `RESERVE-Room` as `reserve_room`.
pub(super) fn snake_case(text: &str) -> String {
    let mut snake = String::with_capacity(text.len() + 4);
    let mut small_before = false;
    for character in text.chars() {
        if character.is_ascii_uppercase() && small_before && !snake.ends_with('_') {
            snake.push('_');
        }
        small_before = character.is_ascii_lowercase() || character.is_ascii_digit();
        snake.push(character.to_ascii_lowercase());
    }
    let snake = snake.trim_matches('_');
    if snake.starts_with(|c: char| c.is_ascii_lowercase()) { snake.to_owned() } else { format!("x{snake}") }
}

/// `reserve_room` as `ReserveRoom`.
pub(super) fn type_case(text: &str) -> String {
    text.split('_')
        .map(|word| {
            let mut characters = word.chars();
            let rest = |word: &str| {
                if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    word.to_ascii_lowercase()
                } else {
                    word.to_owned()
                }
            };
            characters.next().map_or_else(String::new, |first| {
                format!("{}{}", first.to_ascii_uppercase(), rest(characters.as_str()))
            })
        })
        .collect()
}
