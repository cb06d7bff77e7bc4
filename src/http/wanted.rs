//! What a saga wants to be given, in words: the same for `saga run`, `saga start` and the API.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::definition::Saga;
use crate::definition::json::{OPEN, check_json, to_fill_in};
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

/// An input to be filled in.
#[must_use]
pub fn skeleton(saga: &Saga) -> String {
    to_fill_in(&Type::Record(saga.input.clone()))
}

/// Refuses what was copied from where it was to be filled in: as it is, it means nothing.
///
/// # Errors
/// Something in it stands for a value; for people.
pub fn filled_in<'j>(given: impl IntoIterator<Item = &'j Json>) -> Result<(), String> {
    // Every start comes by here: hardly one has a text that begins like that.
    let mut suspect = given.into_iter().map(Json::get).filter(|text| text.contains("\"<"));
    let open_in = |text: &str| OPEN.into_iter().find(|open| text.contains(&format!("\"{open}\"")));
    match suspect.find_map(open_in) {
        Some(open) => {
            Err(format!("an example stands there that is not filled in: put the real value in place of \"{open}\""))
        }
        None => Ok(()),
    }
}
