//! Arguments that are often tried and do not exist: with what to write instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The commands whose output has a form for people alone, with the option for another.
fn instead(argument: &str, usage: &str) -> Option<String> {
    let command = usage.split_whitespace().skip_while(|word| *word != "saga").nth(1)?;
    let name = argument.split('=').next()?;
    Some(match (name, command) {
        ("--json", "run") => {
            "the outcome on standard output is JSON already; what happens meanwhile goes to standard error".to_owned()
        }
        ("--json", "graph") => {
            "a picture is text: `--format mermaid`, `dot` or `svg`; `saga check --json` says what is known of a saga"
                .to_owned()
        }
        ("--json", _) => {
            format!("`saga {command}` has one form; `check`, `test` and all that look after instances have `--json`")
        }
        ("--format", "run" | "fmt" | "explain" | "serve" | "completions") => return None,
        ("--format" | "--output" | "-o", _) => "`--json` prints JSON, for programs".to_owned(),
        _ => return None,
    })
}

/// The error with what is to be written instead, where that is known.
pub(super) fn with_tip(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        _ => String::new(),
    };
    // Two options that do not go together are both there.
    if error.kind() == ErrorKind::ArgumentConflict {
        return error;
    }
    let tip = instead(&text(ContextKind::InvalidArg), &text(ContextKind::Usage));
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}
