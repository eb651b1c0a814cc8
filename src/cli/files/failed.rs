//! What is in the way of an export or import: of one file, or of all that is left to do.

use std::{io, path::Path};

use crate::cli::failure::Failure;

/// An end before the end, of which only the way on is to be said.
pub(in crate::cli) fn unfinished(failure: &Failure, verb: &str) -> Failure {
    let why = failure.message().unwrap_or("something is in the way");
    Failure::Usage(format!("not finished: {why}; the same {verb} again goes on where it was"))
}

/// Whether an error is of one file alone; others end everything.
pub(in crate::cli) fn is_of_one(failure: &Failure) -> bool {
    match failure {
        Failure::Problem(problem) => {
            !matches!(problem.code.as_str(), "busy" | "unavailable" | "disk_full" | "stopping")
        }
        Failure::Refused(_) => true,
        Failure::Usage(_) | Failure::Said(_) => false,
    }
}

/// The disk refuses something.
pub(in crate::cli) fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("{}: {error}", path.display()))
}
