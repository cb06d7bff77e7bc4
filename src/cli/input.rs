//! What arguments hold: a saga's input, from the argument itself, a file, standard input, or a scenario of the file, and what
//! is wanted where there is none; and durations.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use serde::de::IgnoredAny;

use super::error::{in_words, near_miss};
use super::{CliError, Out};
use crate::definition::Saga;
use crate::definition::json::duration_literal;
use crate::http::wanted;
use crate::json::{Json, PAYLOAD_MAX};

/// Where JSON is expected on a command line.
pub(super) struct Expected<'a> {
    /// What it is, in the words of errors.
    pub(super) what: &'a str,
    /// What stands before it, up to where it begins.
    pub(super) before: &'a str,
}

/// The JSON of an option's argument: itself, `@FILE`, or `-` for standard input.
pub(super) fn json(option: &str, argument: &str) -> Result<Json, CliError> {
    json_of(&Expected { what: option, before: &format!("{option} ") }, argument)
}

/// The same where it is not all of an option's argument, or of no option.
pub(super) fn json_of(Expected { what, before }: &Expected<'_>, argument: &str) -> Result<Json, CliError> {
    let limit = u64::try_from(PAYLOAD_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = match argument.strip_prefix('@') {
        Some(path) => {
            let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
            read.map(|_| path.to_owned())
                .map_err(|error| CliError::usage(format!("failed to read {path} for {what}: {}", in_words(&error))))
        }
        None if argument == "-" => {
            let read = io::stdin().lock().take(limit).read_to_end(&mut bytes);
            read.map(|_| "standard input".to_owned()).map_err(|error| {
                CliError::usage(format!("failed to read standard input for {what}: {}", in_words(&error)))
            })
        }
        None => {
            bytes.extend_from_slice(argument.as_bytes());
            Ok((*what).to_owned())
        }
    }?;
    if bytes.len() > PAYLOAD_MAX {
        let error = CliError::usage(format!("failed to use {read}: it has more than {PAYLOAD_MAX} bytes"));
        return Err(error.hint("keep what is large in a store of your own, and give its name"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        CliError::usage(format!("{read} is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
    })?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text);
    let is_argument = read == *what;
    let given = Json::parse(text).map_err(|error| {
        let shown = CliError::usage(format!("failed to use {read}: failed to {error}"));
        match is_argument {
            true if looks_like_path(argument) => shown.hint(format!("for the content of a file: {before}@{argument}")),
            true => shown.hint(format!("JSON in single quotes for the shell: {before}'{{\"name\": \"ana\"}}'")),
            false => shown.hint("one JSON object, such as {\"name\": \"ana\"}"),
        }
    })?;
    wanted::filled_in([&given]).map_err(|why| CliError::usage(format!("failed to use {read}: {why}")))?;
    Ok(given)
}

fn looks_like_path(argument: &str) -> bool {
    Path::new(argument).extension().is_some_and(|extension| extension == "json")
}

/// Refuses an input that does not fit the saga's, with every misfit; says which fields the saga does not know.
pub(super) fn fits(saga: &Saga, input: &Json, out: &mut Out) -> Result<(), CliError> {
    for field in surplus(saga, input) {
        let known = saga.input.fields.iter().map(|field| field.key.as_str());
        let hint = near_miss("it knows", &field, known).unwrap_or_default();
        out.remark(format_args!("note: saga `{}` does not know the input's field `{field}`; {hint}", saga.name));
    }
    match wanted::misfit(saga, input) {
        Some(text) => Err(CliError::usage(text).hint(example(&wanted::skeleton(saga)))),
        None => Ok(()),
    }
}

/// Fields of the input that the saga does not know: passed over, and often a slip of the keyboard.
fn surplus(saga: &Saga, input: &Json) -> Vec<String> {
    let fields: IndexMap<String, IgnoredAny> = serde_json::from_str(input.get()).unwrap_or_default();
    fields.into_keys().filter(|key| saga.input.field(key).is_none()).collect()
}

/// What a saga wants where no input is given: its fields with their types, and a skeleton to paste.
pub(super) fn none(saga: &Saga) -> CliError {
    CliError::usage(wanted::fields(saga)).hint(example(&wanted::skeleton(saga)))
}

/// An input, to be pasted and filled in.
pub(super) fn example(input: &str) -> String {
    format!("--input {}", shell_words::quote(input))
}

/// A duration as in the language, such as 200ms or 20s; not below zero.
pub(super) fn duration(text: &str) -> Option<Duration> {
    u64::try_from(duration_literal(text.trim())?).ok().map(Duration::from_millis)
}
