//! How far something is, for people at a terminal: one line that is written over, and is gone at
//! the end. Nothing of it goes into a pipe.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_secs(1);
/// After so long the first is told.
const FIRST: Duration = Duration::from_millis(200);

/// Does some work and says about every second how far it is, if that can be told.
pub(super) async fn while_telling<T>(
    work: impl Future<Output = T>,
    so_far: impl AsyncFn() -> Option<String>,
) -> T {
    let line = Line::new();
    if !line.shown {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    let mut wait = FIRST;
    loop {
        if let Ok(done) = tokio::time::timeout(wait, &mut work).await {
            return done;
        }
        wait = EVERY;
        if let Some(text) = so_far().await {
            line.write(&text);
        }
    }
}

/// The line, for as long as it lives.
pub(super) struct Line {
    /// Somebody sees it.
    shown: bool,
    /// When it was written last.
    written: Mutex<Option<Instant>>,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), written: Mutex::default() }
    }

    /// For work that says very often how far it is: writes it about every second.
    pub(super) fn tell(&self, text: impl FnOnce() -> String) {
        let soon = self.written().is_some_and(|written| written.elapsed() < EVERY);
        if self.shown && !soon {
            self.write(&text());
        }
    }

    fn written(&self) -> MutexGuard<'_, Option<Instant>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, text: &str) {
        say(&format!("{CLEAR}{text}"));
        *self.written() = Some(Instant::now());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.written().is_some() {
            say(CLEAR);
        }
    }
}

/// To the beginning of the line, and what stands there goes.
const CLEAR: &str = "\r\x1b[K";

/// Writes something that stays, in the place of a line that may be there.
pub(super) fn note(text: &str) {
    let clear = if std::io::stderr().is_terminal() { CLEAR } else { "" };
    say(&format!("{clear}{text}\n"));
}

fn say(text: &str) {
    let mut out = std::io::stderr().lock();
    // A terminal that has gone is no fault of the command.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
