//! What one connection may take. Each limit is there so that a slow, dead or hostile client holds
//! nothing others need; tests make them short.

use std::time::Duration;

/// Header fields of one request over HTTP/1.1.
pub(crate) const HEADER_FIELDS: usize = 100;
/// Bytes of a request's head over HTTP/1.1.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// What is read or written at once over HTTP/1.1.
pub(crate) const BUFFER_BYTES: usize = 128 * 1024;
/// Bytes of a request's decoded header list over HTTP/2.
pub(crate) const H2_HEADER_LIST_BYTES: u32 = 16 * 1024;
/// Requests at once on one HTTP/2 connection.
pub(crate) const H2_STREAMS: u32 = 128;
/// Streams the client may open and reset before any was answered (rapid reset).
pub(crate) const H2_PENDING_RESETS: usize = 20;
/// Streams the server had to reset for the client's mistakes before it gives the client up.
pub(crate) const H2_ERROR_RESETS: usize = 256;
/// Bytes an HTTP/2 client may send ahead, per stream and per connection.
pub(crate) const H2_WINDOW_BYTES: u32 = 1024 * 1024;
/// How often a quiet HTTP/2 client is asked whether it is there, and how long it may think.
pub(crate) const H2_PING: Duration = Duration::from_secs(20);
/// What is read of a body its handler did not want, so that the connection can go on.
pub(crate) const DISCARD_BYTES: u64 = 256 * 1024;
/// How long that may take, and how long a closing connection listens so that the client sees the
/// answer and not a reset.
pub(crate) const DISCARD_TIME: Duration = Duration::from_secs(2);
/// How long a connection told to finish may take before it is cut, where nothing runs on it.
pub(crate) const FINISH_TIME: Duration = Duration::from_secs(5);
/// How long an idle connection stays open while all connections allowed are taken.
pub(crate) const IDLE_WHEN_FULL: Duration = Duration::from_secs(5);
/// How long accepting rests when the process has no descriptor or memory left.
pub(crate) const ACCEPT_REST: Duration = Duration::from_millis(200);

/// The limits that are configured, or shortened by tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections open at once, over all listeners; beyond, accepting pauses.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From there to the first byte of the first request.
    pub first_byte: Duration,
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// How long a connection may stay open with nothing on it.
    pub idle: Duration,
    /// Bytes per second a body must move, in either direction, while the client is waited for.
    pub least_rate: u64,
    /// Over how long that rate is averaged.
    pub rate_window: Duration,
    /// How long running requests may take to end when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            least_rate: 1024,
            rate_window: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The bytes that must move in one window.
    pub(crate) fn bytes_per_window(&self) -> u64 {
        let milliseconds = u64::try_from(self.rate_window.as_millis()).unwrap_or(u64::MAX);
        self.least_rate.saturating_mul(milliseconds) / 1000
    }

    /// How often a connection is looked at: finely enough for the shortest limit.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = self.head.min(self.idle).min(self.rate_window);
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}
