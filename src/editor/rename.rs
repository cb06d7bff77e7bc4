//! Another name for something: everywhere where it is named, or nowhere.

use std::sync::Arc;

use super::index::{Index, Symbol};
use crate::source::{Sources, Span};
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

/// Something that can have another name, in whichever document it is met.
#[derive(Clone, Debug)]
pub struct Named {
    pub(super) symbol: Symbol,
    /// The name of the file that defines it.
    file: Arc<str>,
}

impl Named {
    /// The name of the file that defines it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// What can have another name.
pub(super) fn named(index: &Index, sources: &Sources, symbol: &Symbol) -> Result<Named, Refused> {
    if let Some(why) = fixed(symbol) {
        return Err(Refused::Fixed(why));
    }
    let file = index.definition(symbol).and_then(|defined| sources.get(defined.span.file));
    let file = file.ok_or(Refused::Fixed("what it names is not defined in this file"))?;
    Ok(Named { symbol: symbol.clone(), file: Arc::from(&*file.name) })
}

/// Whether a document knows it: it defines it, or uses the file that does.
pub(super) fn is_known(index: &Index, sources: &Sources, named: &Named) -> bool {
    let defined = index.definition(&named.symbol).and_then(|defined| sources.get(defined.span.file));
    defined.is_some_and(|file| *file.name == *named.file)
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

/// The places of a document, and of the files that it uses, that get the new name.
pub(super) fn rename(index: &Index, Named { symbol, .. }: &Named, to: &str) -> Result<Vec<Span>, Refused> {
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
