//! Request bodies as handlers see them: a body that comes too slowly fails, one that is left
//! unread is read on for a moment so that the connection can serve the next request.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    limits::{DISCARD_BYTES, DISCARD_TIME},
    pulse::Pulse,
};

/// A request's body with the least rate kept. Only the time is counted in which the handler
/// waits for bytes: a handler that does not read slows no client down to a fault.
pub(crate) struct Paced {
    inner: Option<Incoming>,
    pulse: Pulse,
    timer: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    waited: Duration,
    window_bytes: u64,
    /// Whether the client waits to be asked for the body; it is asked at the first read.
    expects_go_ahead: bool,
}

impl Paced {
    pub(crate) fn new(inner: Incoming, pulse: Pulse, expects_go_ahead: bool) -> Self {
        let timer = Box::pin(sleep(pulse.limits().rate_window));
        Self {
            inner: Some(inner),
            pulse,
            timer,
            waiting_since: None,
            waited: Duration::ZERO,
            window_bytes: 0,
            expects_go_ahead,
        }
    }

    /// Whether the window is full and too little came in it. A full window starts over.
    fn too_slow(&mut self) -> bool {
        if self.waited < self.pulse.limits().rate_window {
            return false;
        }
        let slow = self.window_bytes < self.pulse.limits().bytes_per_window();
        self.waited = Duration::ZERO;
        self.window_bytes = 0;
        slow
    }

    fn stop_waiting(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
    }

    /// The client is waited for: `Ready` when it has been too slow.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting_since.is_none() {
                let now = Instant::now();
                let left = self.pulse.limits().rate_window.saturating_sub(self.waited);
                self.waiting_since = Some(now);
                self.timer.as_mut().reset(now + left);
            }
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.stop_waiting();
            if self.too_slow() {
                return Poll::Ready(());
            }
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.expects_go_ahead = false;
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        match Pin::new(inner).poll_frame(context) {
            Poll::Pending => match self.poll_patience(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    self.inner = None;
                    self.pulse.left_unread();
                    let error = io::Error::new(io::ErrorKind::TimedOut, "the body comes too slowly");
                    Poll::Ready(Some(Err(error)))
                }
            },
            Poll::Ready(Some(Ok(frame))) => {
                self.stop_waiting();
                self.window_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.inner = None;
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))))
            }
            Poll::Ready(None) => {
                self.inner = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        if inner.is_end_stream() || self.pulse.is_h2() {
            return;
        }
        self.pulse.left_unread();
        // Reading on would ask a client that waits for the go-ahead to send it all.
        let small = inner.size_hint().lower() <= DISCARD_BYTES;
        let runtime = tokio::runtime::Handle::try_current();
        if let (false, true, Ok(runtime)) = (self.expects_go_ahead, small, runtime) {
            runtime.spawn(tokio::time::timeout(DISCARD_TIME, discard(inner)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = DISCARD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        if left == 0 {
            return;
        }
    }
}
