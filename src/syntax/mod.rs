//! From text to a spanned tree and back.

pub mod tree;
