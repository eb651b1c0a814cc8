//! The one body type that goes in and out of every door. Bytes stream through it; nothing here
//! gathers them.

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::time::{Instant, timeout_at};

/// A request's or an answer's body.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

fn never(impossible: Infallible) -> io::Error {
    match impossible {}
}

/// No bytes.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

/// Bytes that are there already; its length is known.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

/// Bytes as they come. The length is what the answer's `Content-Length` says, else the body goes
/// out in chunks; an error, or fewer bytes than announced, breaks the connection so that the
/// client does not take the part for the whole.
#[must_use]
pub fn from_stream(stream: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static) -> Body {
    StreamBody::new(stream.map_ok(Frame::data)).boxed_unsync()
}

/// The same body, as an error from the moment its time is up: who holds memory for it waits no
/// longer, however steadily the bytes drip in.
#[must_use]
pub fn within(body: Body, patience: Duration) -> Body {
    let end = Instant::now() + patience;
    let frames = futures::stream::unfold(body, move |mut body| async move {
        let late = |_| Some(Err(io::Error::from(io::ErrorKind::TimedOut)));
        let frame = timeout_at(end, body.frame()).await.unwrap_or_else(late)?;
        Some((frame, body))
    });
    // It may be asked again after its end, as other bodies may.
    StreamBody::new(frames.fuse()).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    #[tokio::test]
    async fn a_stream_comes_out_as_it_went_in() {
        let pieces = ["one ", "two"].map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let body = from_stream(futures::stream::iter(pieces));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "one two");
    }

    #[tokio::test]
    async fn a_body_with_little_time_may_be_asked_again_after_its_end() {
        let mut body = within(full("one"), Duration::from_secs(60));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        assert!(body.frame().await.is_none());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn an_error_in_the_stream_is_an_error_of_the_body() {
        let body = from_stream(futures::stream::iter([Err(io::Error::other("gone"))]));
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn a_body_that_drips_ends_in_an_error_when_its_time_is_up() {
        let drip = |n| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok(Bytes::from_static(b"x")), n))
        };
        let mut body = within(from_stream(futures::stream::unfold(0, drip)), Duration::from_millis(50));
        let late = loop {
            if let Err(error) = body.frame().await.unwrap() {
                break error;
            }
        };
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let whole = within(full("abc"), Duration::from_secs(60));
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "abc");
    }

    #[test]
    fn lengths_that_are_known_are_told() {
        assert_eq!(full("abc").size_hint().exact(), Some(3));
        assert!(empty().is_end_stream());
    }
}
