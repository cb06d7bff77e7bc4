//! What works today in place of words that are not built yet: whoever is led to one of them is told so at once.

/// What to write instead of a word that is not built yet.
#[must_use]
pub fn instead_of(word: &str) -> &'static str {
    match word {
        "for each" => FOR_EACH,
        "repeat" => REPEAT,
        "compensate run" => "take it back by a command, or by several steps that only undo: `step a { compensate … }`",
        _ => "leave it out",
    }
}

/// For lists.
pub(super) const FOR_EACH: &str = "there are no loops yet (`for each` is not built): write a step for each element, or give a participant the whole list in one command";
/// For rounds.
pub(super) const REPEAT: &str = "there are no loops yet (`repeat` is not built): what fails for the moment is repeated by the step itself, `retry 3 times every 200ms..5s`";
