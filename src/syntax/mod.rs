//! From text to a spanned tree and back.
//!
//! [`decode`] takes bytes, [`parse()`] gives the tree and every finding of the text at once, [`format()`] writes a text in
//! its one layout. The grammar is `grammar/saga.pest`. What a name means is not known here.

mod brackets;
mod build;
mod format;
pub mod limits;
mod mended;
pub mod parse;
mod row;
mod scan;
pub mod today;
pub mod tree;

pub use format::format;
pub use parse::{decode, parse};
