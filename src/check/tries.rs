//! Handlers: each takes something that can come, and behind the point of no return nothing comes past them.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::outcomes::codes_of_try;
use crate::definition::Try;
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

pub(super) fn check(written: &Try, span: Span, passed: Option<Span>, problems: &mut Problems) {
    let possible = codes_of_try(written);
    if possible.is_empty() {
        problems.push(
            Diagnostic::error(codes::TRY_CANNOT_FAIL, span, "nothing in this `try` can fail")
                .why("Messages are always sent, and nothing else in it is refused or comes too late.")
                .hint("remove `try` and its handlers, and leave the statements"),
        );
        return;
    }
    let mut left: BTreeSet<CompactString> = possible.clone();
    let mut all: Option<Span> = None;
    for catch in &written.catches {
        for code in &catch.codes {
            if !possible.contains(code) || code == "undeclared" {
                never(code, catch.span, &possible, problems);
            } else if !left.remove(code) || all.is_some() {
                shadowed(&format!("\"{code}\" is caught above already"), catch.span, problems);
            }
        }
        if catch.codes.is_empty() {
            if let Some(first) = all {
                let finding =
                    Diagnostic::error(codes::CATCH_SHADOWED, catch.span, "everything is caught above already");
                problems.push(finding.also(first, "by this `catch`").hint("remove one of them"));
            } else if left.is_empty() {
                shadowed("every code is caught above already", catch.span, problems);
            }
            all = Some(catch.span);
            left.clear();
        }
    }
    if let Some(pivot) = passed.filter(|_| !left.is_empty()) {
        let codes_left = left.iter().map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
        problems.push(
            Diagnostic::error(
                codes::CODE_ESCAPES,
                span,
                format!("{codes_left} can come past the handlers of this `try`"),
            )
            .also(pivot, "the point of no return")
            .why("Behind it nothing is undone any more: what a `try` there fails with must be caught, whatever it is.")
            .hint("add a `catch` without codes: `catch { }`"),
        );
    }
}

fn never(code: &str, span: Span, possible: &BTreeSet<CompactString>, problems: &mut Problems) {
    let title = format!("nothing in the `try` fails with \"{code}\"");
    let finding = Diagnostic::error(codes::CATCH_NEVER, span, title);
    let listed = possible.iter().filter(|code| *code != "undeclared");
    let listed = listed.map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
    problems.push(match code {
        "cancelled" => finding.hint("a cancel takes the whole saga back; it is never caught"),
        "undeclared" => finding.hint("a code that no contract declares is caught by a `catch` without codes only"),
        "deadline" => {
            finding.hint("the saga's deadline is never caught; for a time of its own write `try within 1h { … }`")
        }
        _ if listed.is_empty() => finding.hint("write `catch { … }`, which takes everything"),
        _ => finding.hint(format!("it can fail with {listed}")),
    });
}

fn shadowed(title: &str, span: Span, problems: &mut Problems) {
    let finding = Diagnostic::error(codes::CATCH_SHADOWED, span, title);
    problems
        .push(finding.why("The first `catch` that takes a code runs, and no other.").hint("remove it here or there"));
}
