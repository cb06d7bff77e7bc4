//! The one test binary.

mod definition;
