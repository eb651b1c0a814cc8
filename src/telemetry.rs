//! What the process says about itself: lines for people on a terminal, JSON otherwise, to
//! standard error. Logs what it is given; what must not be logged is kept out where it is known.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::filter_fn, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people if standard error is a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("the log level {level:?} is not understood: {why}")]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// It was set up before.
    #[error("logging is set up already")]
    Twice,
}

/// Starts logging. `level` is a level (`info`) or a list of them by target
/// (`info,holdall::access=off`).
///
/// # Errors
/// If the level is not understood, or logging was started before.
pub fn start(level: &str, format: LogFormat) -> Result<(), LogError> {
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).with_target(true).boxed()
    } else {
        lines.with_ansi(terminal).with_target(false).boxed()
    };
    // s3s logs requests with their signatures: whatever the level, it stays silent.
    let lines = lines.with_filter(filter(level)?).with_filter(filter_fn(|line| !is_s3s(line.target())));
    Registry::default().with(lines).try_init().map_err(|_| LogError::Twice)
}

fn is_s3s(target: &str) -> bool {
    target == "s3s" || target.starts_with("s3s::")
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(level)
        .map_err(|error| LogError::Level { level: level.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_means_nothing_is_refused() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,holdall::access=off").is_ok());
        assert!(filter("holdall=loud").is_err());
    }

    #[test]
    fn the_s3_library_is_silent_and_its_neighbours_are_not() {
        assert!(is_s3s("s3s") && is_s3s("s3s::ops"));
        assert!(!is_s3s("s3sx") && !is_s3s("holdall::doors::s3"));
    }
}
