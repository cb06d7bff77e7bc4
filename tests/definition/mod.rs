//! The typed definition: JSON against types, expressions and their values.

mod evaluate;
mod json;
mod personal;
