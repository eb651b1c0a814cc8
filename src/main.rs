//! The `holdall` command: the exit code, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdall::cli::main()
}
