//! An answer on its way out: it is counted and logged when its last byte was handed over, or when
//! the client went away.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::{
    body::Body,
    context::RequestContext,
    metrics::{DoorName, Metrics},
    pulse::Active,
};

/// What the log says about a request; written when it is dropped.
pub(crate) struct Entry {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) context: RequestContext,
    pub(crate) door: DoorName,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) started: Instant,
    /// 0 while there is no answer.
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) whole: bool,
}

/// What watchers ask every few seconds: containers, proxies, `holdall doctor --healthy`.
const PROBES: [&str; 4] = ["/-/healthy", "/-/ready", "/-/metrics", "/api/v1/version"];

impl Entry {
    /// Whether nobody would look for this line: somebody watches, and all is well.
    fn is_probe(&self) -> bool {
        self.status == 200 && self.method == "GET" && PROBES.contains(&self.target.as_str())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.metrics.answered(self.door, self.status, self.bytes);
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // One macro, two levels: a level is fixed where the line is written.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "holdall::access",
                    id = %self.context.id,
                    peer = %self.context.peer,
                    caller = self.context.caller_label(),
                    door = self.door.as_str(),
                    method = self.method,
                    path = self.target,
                    status = self.status,
                    bytes = self.bytes,
                    duration_ms,
                    whole = self.whole,
                    "request"
                )
            };
        }
        if self.is_probe() { line!(debug) } else { line!(info) }
    }
}

/// The body of an answer.
pub(crate) struct Answer {
    inner: Body,
    /// What `Content-Length` says. Nobody asks for an end behind that many bytes.
    declared: Option<u64>,
    entry: Entry,
    active: Active,
}

impl Answer {
    /// Of an answer with this `Content-Length`.
    pub(crate) fn new(inner: Body, declared: Option<u64>, mut entry: Entry, mut active: Active) -> Self {
        entry.whole = inner.is_end_stream();
        // Until it is asked for its first bytes it waits for the client to have room for them.
        active.wait_for_client(true);
        Self { inner, declared, entry, active }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.active.wait_for_client(false);
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.entry.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.entry.whole = self.inner.is_end_stream() || self.declared == Some(self.entry.bytes);
                self.active.wait_for_client(true);
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(id = %self.entry.context.id, error = %error, "the answer broke off");
            }
            Poll::Ready(None) => self.entry.whole = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
