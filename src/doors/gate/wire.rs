//! The stream under HTTP: tells the connection's pulse what moves, and finds out whether the
//! client speaks HTTP/1.1 or 2 before anything of it is consumed.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::pulse::Pulse;

/// What an HTTP/2 client that has not negotiated sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until it is clear whether the client speaks HTTP/2. The bytes read are returned: they
/// belong to the first request. `None` if the client closed without a word.
pub(crate) async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Bytes, bool)>> {
    let mut seen = BytesMut::with_capacity(PREFACE.len());
    loop {
        // No more than the preface, so that nothing is taken from a stream that goes elsewhere.
        let left = PREFACE.len() - seen.len();
        if stream.take(left as u64).read_buf(&mut seen).await? == 0 {
            return Ok(None);
        }
        if seen.len() == PREFACE.len() && seen == PREFACE {
            return Ok(Some((seen.freeze(), true)));
        }
        if !PREFACE.starts_with(&seen) {
            return Ok(Some((seen.freeze(), false)));
        }
    }
}

/// A stream that reports to a pulse, with bytes read ahead in front.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    ahead: Bytes,
    pulse: Pulse,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, ahead: Bytes, pulse: Pulse) -> Self {
        if !ahead.is_empty() {
            pulse.read(ahead.len());
        }
        Self { stream, ahead, pulse }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if room > 0 && matches!(polled, Poll::Ready(Ok(()))) {
            self.pulse.read(buffer.filled().len() - before);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn report(&self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(Ok(bytes)) => self.pulse.wrote(Some(*bytes)),
            Poll::Ready(Err(_)) => self.pulse.wrote(Some(0)),
            Poll::Pending => self.pulse.wrote(None),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.report(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.report(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes bytes without sending them; they leave, or do not, in a flush.
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if polled.is_pending() {
            self.pulse.wrote(None);
        } else {
            self.pulse.wrote(Some(0));
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spoken(bytes: &[u8]) -> Option<(Bytes, bool)> {
        first_bytes(&mut &*bytes).await.unwrap()
    }

    #[tokio::test]
    async fn a_put_is_told_from_the_preface_of_http_2_by_its_second_byte() {
        assert_eq!(spoken(b"PUT").await, Some((Bytes::from_static(b"PUT"), false)));
        assert_eq!(spoken(PREFACE).await, Some((Bytes::from_static(PREFACE), true)));
        assert_eq!(spoken(b"PRI").await, None);
        assert_eq!(spoken(b"").await, None);
        let long = [PREFACE, b"more"].concat();
        assert_eq!(spoken(&long).await, Some((Bytes::from_static(PREFACE), true)));
    }
}
