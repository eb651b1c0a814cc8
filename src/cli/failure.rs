//! Why a command did not do what it was asked to, and the exit code that says so.

use super::print::plain;
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
        if let Some(text) = self.text(json) {
            eprintln!("{text}");
        }
    }

    fn text(&self, json: bool) -> Option<String> {
        let for_people = plain(&format!("holdall: {}", self.message()?));
        let problem = self.problem().filter(|_| json);
        Some(problem.and_then(|problem| serde_json::to_string(&problem).ok()).unwrap_or(for_people))
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Problem(_) => 1,
            Self::Usage(_) => 2,
            Self::Said(code) => *code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The marker of a backup, which may come from anywhere, is quoted in what is told.
    #[test]
    fn what_is_told_does_nothing_to_a_terminal() {
        let failure = Failure::Refused("the backup has format \u{1b}]0;x\u{7}, use a newer one".into());
        let text = failure.text(false).unwrap();
        assert_eq!(text, "holdall: the backup has format \\u{1b}]0;x\\u{7}, use a newer one");
        let read: Problem = serde_json::from_str(&failure.text(true).unwrap()).unwrap();
        assert_eq!(read.detail, failure.message().unwrap());
        assert_eq!(Failure::Said(1).text(false), None);
    }
}
