//! What a saga wants to be given, in words: the same for `saga run`, `saga start` and the API.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::definition::Saga;
use crate::definition::json::{check_json, least};
use crate::definition::types::Type;
use crate::json::Json;

/// Why an input cannot be taken, with every misfit; with the fields that are wanted where nothing is given.
#[must_use]
pub fn misfit(saga: &Saga, input: &Json) -> Option<String> {
    let misfits = check_json(&Type::Record(saga.input.clone()), input.get()).err()?;
    if input == &Json::empty_object() {
        return Some(fields(saga));
    }
    let mut text = format!("the input does not fit saga `{}`", saga.name);
    for misfit in &misfits {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {misfit}");
    }
    Some(text)
}

/// The fields that a saga wants, with their types and what is said of them.
#[must_use]
pub fn fields(saga: &Saga) -> String {
    let rows: Vec<(&str, String, &str)> = saga
        .input
        .fields
        .iter()
        .map(|field| {
            let docs = field.docs.as_deref().and_then(|docs| docs.lines().next()).unwrap_or_default();
            (field.key.as_str(), field.ty.to_string(), docs)
        })
        .collect();
    let name_width = rows.iter().map(|(name, ..)| name.width()).max().unwrap_or_default();
    let type_width = rows.iter().map(|(_, ty, _)| ty.width()).max().unwrap_or_default();
    let mut text = format!("saga `{}` wants an input", saga.name);
    for (name, ty, docs) in &rows {
        let line = format!("\n  {name:name_width$}  {ty:type_width$}  {docs}");
        text.push_str(line.trim_end_matches(' '));
    }
    text
}

/// The least input that fits, to be filled in.
#[must_use]
pub fn skeleton(saga: &Saga) -> String {
    least(&Type::Record(saga.input.clone()), "…")
}
