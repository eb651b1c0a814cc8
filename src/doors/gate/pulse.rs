//! What one connection is doing, and whether that is still fast enough. A small state machine
//! fed by the stream, the bodies and a tick; it holds no timer and does no I/O.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::limits::{IDLE_WHEN_FULL, Limits};

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It goes on.
    Keep,
    /// Nothing runs on it and nothing has for long: it is told to finish.
    Finish,
    /// The client is too slow; the text says at what.
    Cut(&'static str),
}

#[derive(Debug)]
struct State {
    /// Requests that have a head and whose answer has not been handed over whole.
    active: usize,
    /// When the last of them ended, or the connection began.
    quiet_since: Instant,
    /// When the first byte of a head arrived while nothing was active. HTTP/1.1 only: over
    /// HTTP/2 bytes also arrive that belong to no request.
    head_since: Option<Instant>,
    /// Whether the socket took no more bytes when last offered some.
    blocked: bool,
    /// Answers the client must take bytes of before they can go on.
    waiting: usize,
    written: u64,
    window_since: Instant,
    window_written: u64,
    /// Whether a body was left unread or a request could not be understood, so that closing at
    /// once might reset the connection before the client has read the answer.
    unread: bool,
    ended: bool,
}

/// The state of a connection, shared by its stream and its bodies.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    state: Arc<Mutex<State>>,
    limits: Limits,
    h2: bool,
}

impl Pulse {
    pub(crate) fn new(limits: Limits, h2: bool, now: Instant) -> Self {
        let state = State {
            active: 0,
            quiet_since: now,
            head_since: None,
            blocked: false,
            waiting: 0,
            written: 0,
            window_since: now,
            window_written: 0,
            unread: false,
            ended: false,
        };
        Self { state: Arc::new(Mutex::new(state)), limits, h2 }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn is_h2(&self) -> bool {
        self.h2
    }

    /// Bytes came in; none means that the client will send no more.
    pub(crate) fn read(&self, bytes: usize) {
        let h2 = self.h2;
        self.with(|state| {
            if bytes == 0 {
                state.ended = true;
            } else if !h2 && state.active == 0 && state.head_since.is_none() {
                state.head_since = Some(Instant::now());
            }
        });
    }

    /// The socket was offered bytes: it took so many, or none for now.
    pub(crate) fn wrote(&self, bytes: Option<usize>) {
        self.with(|state| {
            state.blocked = bytes.is_none();
            state.written += bytes.unwrap_or(0) as u64;
        });
    }

    /// A request has its head; it runs until the guard is dropped.
    pub(crate) fn begin(&self) -> Active {
        self.with(|state| {
            state.active += 1;
            state.head_since = None;
        });
        Active { pulse: self.clone(), waiting: false }
    }

    /// A body was dropped before its end.
    pub(crate) fn left_unread(&self) {
        self.with(|state| state.unread = true);
    }

    /// Whether the client may still be sending what nobody reads.
    pub(crate) fn has_unread(&self) -> bool {
        self.with(|state| state.unread && !state.ended)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.with(|state| state.active == 0 && !state.blocked)
    }

    /// Called at each tick. `full` says that all connections allowed are open.
    pub(crate) fn verdict(&self, now: Instant, full: bool) -> Verdict {
        let limits = self.limits;
        self.with(|state| {
            if !state.blocked && state.waiting == 0 {
                state.window_since = now;
                state.window_written = state.written;
            } else if now.duration_since(state.window_since) >= limits.rate_window {
                if state.written - state.window_written < limits.bytes_per_window() {
                    return Verdict::Cut("the client reads too slowly");
                }
                state.window_since = now;
                state.window_written = state.written;
            }
            if state.active > 0 || state.blocked {
                return Verdict::Keep;
            }
            if state.head_since.is_some_and(|since| now.duration_since(since) >= limits.head) {
                return Verdict::Cut("the head of the request comes too slowly");
            }
            let idle = if full { limits.idle.min(IDLE_WHEN_FULL) } else { limits.idle };
            let quiet = now.duration_since(state.quiet_since) >= idle;
            if quiet { Verdict::Finish } else { Verdict::Keep }
        })
    }
}

/// A request that runs; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Active {
    pulse: Pulse,
    waiting: bool,
}

impl Active {
    /// Whether the answer now waits for the client to take bytes, and not for its handler.
    pub(crate) fn wait_for_client(&mut self, waiting: bool) {
        if self.waiting != waiting {
            self.waiting = waiting;
            self.pulse.with(|state| {
                state.waiting = if waiting { state.waiting + 1 } else { state.waiting.saturating_sub(1) };
            });
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.wait_for_client(false);
        self.pulse.with(|state| {
            state.active = state.active.saturating_sub(1);
            if state.active == 0 {
                state.quiet_since = Instant::now();
                state.head_since = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pulse() -> (Pulse, Instant) {
        let now = Instant::now();
        (Pulse::new(Limits::default(), false, now), now)
    }

    fn after(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    #[test]
    fn an_idle_connection_finishes_sooner_when_there_are_too_many() {
        let (pulse, now) = pulse();
        assert_eq!(pulse.verdict(after(now, 6), false), Verdict::Keep);
        assert_eq!(pulse.verdict(after(now, 6), true), Verdict::Finish);
        assert_eq!(pulse.verdict(after(now, 61), false), Verdict::Finish);
    }

    #[test]
    fn a_head_that_does_not_end_is_cut_and_one_that_did_is_not() {
        let (pulse, now) = pulse();
        pulse.read(1);
        assert!(matches!(pulse.verdict(after(now, 11), false), Verdict::Cut(_)));
        let request = pulse.begin();
        assert_eq!(pulse.verdict(after(now, 1000), false), Verdict::Keep);
        drop(request);
        assert_eq!(pulse.verdict(after(now, 11), false), Verdict::Keep);
    }

    #[test]
    fn a_client_that_takes_nothing_is_cut_and_a_slow_handler_is_not() {
        let (pulse, now) = pulse();
        let mut request = pulse.begin();
        assert_eq!(pulse.verdict(after(now, 100), false), Verdict::Keep);
        request.wait_for_client(true);
        pulse.wrote(Some(40_000));
        assert_eq!(pulse.verdict(after(now, 131), false), Verdict::Keep);
        pulse.wrote(Some(10_000));
        assert!(matches!(pulse.verdict(after(now, 162), false), Verdict::Cut(_)));
    }

    #[test]
    fn a_small_answer_nobody_takes_is_cut_too() {
        let (pulse, now) = pulse();
        drop(pulse.begin());
        assert_eq!(pulse.verdict(now, false), Verdict::Keep);
        pulse.wrote(None);
        assert_eq!(pulse.verdict(after(now, 29), false), Verdict::Keep);
        assert!(matches!(pulse.verdict(after(now, 31), false), Verdict::Cut(_)));
    }
}
