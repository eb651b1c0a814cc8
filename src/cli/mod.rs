//! The command line: reads what is asked for, has it done, prints the answer. Knows no rule about
//! accounts or files; those are verbs of the domain, asked for over the socket or directly.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One store, every door: your files once, over WebDAV and S3.
#[derive(Parser, Debug)]
#[command(name = "holdall", version, disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Tells the version.
    Version,
}

/// Runs the command line of this process: 0 is done, 1 refused or damaged, 2 usage.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match arguments.command {
        Command::Version => println!("holdall {}", env!("CARGO_PKG_VERSION")),
    }
    ExitCode::SUCCESS
}
