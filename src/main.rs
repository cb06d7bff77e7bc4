//! The binary: arguments in, an exit code out.

use std::process::ExitCode;

#[cfg(not(mutants))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(mutants))]
fn main() -> ExitCode {
    saga::cli::main(std::env::args_os())
}

#[cfg(mutants)]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
