//! What works today in place of words that are not built yet: whoever is led to one of them is told so at once.

/// What to write instead of a word that is not built yet.
#[must_use]
pub fn instead_of(word: &str) -> &'static str {
    match word {
        "compensate run" => "take it back by a command, or by several steps that only undo: `step a { compensate … }`",
        _ => "leave it out",
    }
}
