//! The integration tests, one binary: a `mod` for each area. `tidy` refuses a file that nobody includes.

mod definition;
mod tidy;
