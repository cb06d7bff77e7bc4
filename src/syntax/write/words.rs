//! Clauses that both forms write in the same words; in YAML codes stand without quotes where they can.

use std::fmt::Write as _;

use super::quoted;
use crate::syntax::build::words::{RESERVED, Style, misnamed};
use crate::syntax::tree::{Called, Literal, Name, Rate, Reference};

/// `5 at once`, `5 per second`
pub(in crate::syntax) fn limit(count: &Literal, rate: Rate) -> String {
    let rate = match rate {
        Rate::AtOnce => "at once",
        Rate::PerSecond => "per second",
        Rate::PerMinute => "per minute",
        Rate::PerHour => "per hour",
    };
    format!("{} {rate}", count.text)
}

/// `1s`, `1s..5s`
pub(in crate::syntax) fn range(from: &Literal, to: Option<&Literal>) -> String {
    match to {
        Some(to) => format!("{}..{}", from.text, to.text),
        None => from.text.to_string(),
    }
}

/// `name[1].name`
pub(in crate::syntax) fn reference(reference: &Reference) -> String {
    let mut out = String::new();
    for (index, (name, indices)) in reference.parts.iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        out.push_str(&name.text);
        for index in indices {
            let _ = write!(out, "[{}]", index.text);
        }
    }
    out
}

/// `undo name`
pub(in crate::syntax) fn called(called: &Called) -> String {
    format!("{}{}", if called.undo { "undo " } else { "" }, reference(&called.step))
}

/// A code in a clause of YAML: in quotes only where the clause could not be read otherwise.
pub(in crate::syntax) fn code(text: &str) -> String {
    const OF_CLAUSES: [&str; 14] = [
        "with", "version", "commands", "events", "answers", "at", "command", "message", "given", "expect", "on",
        "start", "times", "defaults",
    ];
    let name = Name { text: text.into(), span: crate::source::Span::default() };
    let is_word = misnamed(&name, Style::Snake).is_none() || text == "timeout";
    if is_word && !OF_CLAUSES.contains(&text) && (!RESERVED.contains(&text) || text == "timeout") {
        text.to_owned()
    } else {
        quoted(text)
    }
}
