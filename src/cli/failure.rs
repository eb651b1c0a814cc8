//! Why a command did not do what it was asked to, and the exit code that says so.

use crate::doors::api::types::Problem;

/// A failed command.
#[derive(Debug)]
pub(super) enum Failure {
    /// Refused, or something is damaged: exit code 1.
    Refused(String),
    /// The same, as the system said it.
    Problem(Box<Problem>),
    /// The command line or the configuration is wrong: exit code 2.
    Usage(String),
    /// Everything was said already; only the code is left.
    Said(u8),
}

impl Failure {
    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Refused(message) | Self::Usage(message) => Some(message),
            Self::Problem(problem) => Some(&problem.detail),
            Self::Said(_) => None,
        }
    }

    /// What was to be removed holds something: says what to do about it.
    pub(super) fn unless_empty(self) -> Self {
        match self {
            Self::Problem(mut problem) if problem.code == "not_empty" => {
                problem.detail.push_str("; delete its files first, through WebDAV or S3");
                Self::Problem(problem)
            }
            other => other,
        }
    }

    /// The same for programs: a problem document, as the API has it.
    pub(super) fn problem(&self) -> Option<Problem> {
        let own = |title: &str, code: &str, detail: &str| Problem {
            kind: "about:blank".into(),
            title: title.into(),
            status: None,
            code: code.into(),
            detail: detail.into(),
        };
        match self {
            Self::Refused(message) => Some(own("Refused", "refused", message)),
            Self::Problem(problem) => Some(Problem::clone(problem)),
            Self::Usage(message) => Some(own("Wrong Usage", "usage", message)),
            Self::Said(_) => None,
        }
    }

    /// Tells it on standard error: one line for people, or one JSON object.
    pub(super) fn tell(&self, json: bool) {
        let text = match (json, self.message()) {
            (_, None) => return,
            (false, Some(message)) => format!("holdall: {message}"),
            (true, Some(message)) => match self.problem().map(|problem| serde_json::to_string(&problem)) {
                Some(Ok(text)) => text,
                Some(Err(_)) | None => format!("holdall: {message}"),
            },
        };
        eprintln!("{text}");
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Problem(_) => 1,
            Self::Usage(_) => 2,
            Self::Said(code) => *code,
        }
    }
}
