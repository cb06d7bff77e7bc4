//! Another name for something: everywhere where it is named, or nowhere.

use super::FILE;
use super::index::{Index, Symbol};
use crate::source::Span;
use crate::syntax;

/// Why something does not get another name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is nothing that has a name.
    #[error("rename: there is no name here")]
    NoName,
    /// It is not the author's to name, or other programs know it by this name.
    #[error("rename: {0}")]
    Fixed(&'static str),
    /// The new name has the wrong form.
    #[error("rename to `{0}`: {1}")]
    Form(String, &'static str),
    /// Something else has it.
    #[error("rename to `{0}`: the name is taken")]
    Taken(String),
}

/// Whether it can have another name at all.
pub(super) fn is_possible(index: &Index, symbol: &Symbol) -> bool {
    fixed(symbol).is_none() && index.definition(symbol).is_some() && elsewhere(index, symbol).is_none()
}

/// What others use has its name in files that nobody may have open.
fn elsewhere(index: &Index, symbol: &Symbol) -> Option<&'static str> {
    let is_ours = |span: Span| span.file == FILE;
    match index.definition(symbol) {
        Some(defined) if !is_ours(defined.span) => Some("it is defined in another file; rename it there"),
        _ if !index.of(symbol).all(|occurrence| is_ours(occurrence.span)) => {
            Some("a file that this one uses names it, too")
        }
        _ => None,
    }
}

fn fixed(symbol: &Symbol) -> Option<&'static str> {
    match symbol {
        Symbol::Field(_) => Some("a field's name stands in every payload; change it where it is declared"),
        Symbol::Code(_) => Some("participants answer with the code as it is"),
        Symbol::File(_) => Some("a file is renamed where files are"),
        Symbol::Input(_) => Some("`input` is a word of the language"),
        Symbol::Type(_) | Symbol::Participant(_) | Symbol::Command(..) => None,
        Symbol::Saga(_) | Symbol::Trigger(_) | Symbol::Value(..) => None,
    }
}

pub(super) fn rename(index: &Index, symbol: &Symbol, to: &str) -> Result<Vec<Span>, Refused> {
    if let Some(why) = fixed(symbol) {
        return Err(Refused::Fixed(why));
    }
    if index.definition(symbol).is_none() {
        return Err(Refused::Fixed("what it names is not defined in this file"));
    }
    if let Some(why) = elsewhere(index, symbol) {
        return Err(Refused::Fixed(why));
    }
    let small = |first: char| first.is_ascii_lowercase();
    let big = |first: char| first.is_ascii_uppercase();
    let rest = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let to_symbol = match symbol {
        Symbol::Type(_) => Symbol::Type(to.into()),
        Symbol::Command(participant, _) => Symbol::Command(participant.clone(), to.into()),
        Symbol::Participant(_) => Symbol::Participant(to.into()),
        Symbol::Saga(_) => Symbol::Saga(to.into()),
        Symbol::Trigger(_) => Symbol::Trigger(to.into()),
        Symbol::Value(saga, _) => Symbol::Value(saga.clone(), to.into()),
        other => other.clone(),
    };
    let is_contract = matches!(symbol, Symbol::Type(_) | Symbol::Command(..));
    let (begins, form): (fn(char) -> bool, _) = if is_contract {
        (big, "types and commands are written `LikeThis`")
    } else {
        (small, "names of values are written `like_this`")
    };
    let is_formed = to.starts_with(begins)
        && to.chars().all(|letter| {
            if is_contract { letter.is_ascii_alphanumeric() } else { rest(letter) && !letter.is_ascii_uppercase() }
        });
    if !is_formed {
        return Err(Refused::Form(to.to_owned(), form));
    }
    if syntax::is_reserved(to) {
        return Err(Refused::Form(to.to_owned(), "it is a word of the language"));
    }
    if to_symbol != *symbol && index.symbols().any(|known| *known == to_symbol) {
        return Err(Refused::Taken(to.to_owned()));
    }
    Ok(index.of(symbol).map(|occurrence| occurrence.span).collect())
}
