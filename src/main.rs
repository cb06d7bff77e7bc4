//! The binary: arguments in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    saga::cli::main(std::env::args_os())
}
