//! Why a command did not do what it was asked to, and the exit code that says so.

/// A failed command.
#[derive(Debug)]
pub(super) enum Failure {
    /// Refused, or something is damaged: exit code 1.
    Refused(String),
    /// The command line or the configuration is wrong: exit code 2.
    Usage(String),
    /// Everything was said already; only the code is left.
    Said(u8),
}

impl Failure {
    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Refused(message) | Self::Usage(message) => Some(message),
            Self::Said(_) => None,
        }
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Said(code) => *code,
        }
    }
}
