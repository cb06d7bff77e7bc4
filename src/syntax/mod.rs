//! From text to a spanned tree and back.
//!
//! [`decode`] takes bytes, [`parse()`] gives the tree and every finding of the text at once, [`format()`] writes a text in
//! its one layout. There are two forms, the text form, whose grammar is `grammar/saga.pest`, and its YAML twin; both
//! become the same tree, and [`convert()`] writes it in either. What a name means is not known here.

mod brackets;
mod build;
mod documentation;
pub mod form;
mod format;
pub mod limits;
mod mended;
pub mod parse;
mod row;
mod scan;
pub mod tree;
mod write;
mod yaml;

pub use build::Place;
pub use form::{Form, appended, convert, lost_by_layout};
pub use format::format;
pub use parse::{decode, parse};
pub use write::{key, quoted};

/// Whether a word of the language stands in the way of a name.
#[must_use]
pub fn is_reserved(word: &str) -> bool {
    build::RESERVED.contains(&word)
}
