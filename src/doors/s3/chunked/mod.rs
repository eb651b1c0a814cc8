//! The streaming body encoding `aws-chunked`, in its three forms.
//!
//! ```text
//! 2000;chunk-signature=<64 hex>\r\n <8192 bytes> \r\n      the signature in the signed forms only
//! 0;chunk-signature=<64 hex>\r\n
//! x-amz-checksum-crc32:<base64>\r\n                         in the forms with a trailer only
//! x-amz-trailer-signature:<64 hex>\r\n                      in the signed form with a trailer only
//! \r\n
//! ```
//!
//! Bytes pass through as they come; a chunk is never gathered. A wrong signature is known at the
//! end of its chunk and then fails the whole body, so whoever stores the bytes must not show them
//! before [`Decoder::finish`] was good. Knows nothing of HTTP.

mod chain;
#[cfg(test)]
mod tests;
mod trailer;

use bytes::{Buf, Bytes};

use self::{chain::Chain, trailer::Trailer};
use super::{code::Code, error::Refusal, sigv4::Seed};
use crate::model::limits::{S3_CHUNK_LINE_BYTES, S3_CHUNK_MIN_BYTES};

/// What a streamed body is declared to be.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where chunk signatures start from; `None` where chunks are not signed.
    pub(crate) seed: Option<Seed>,
    /// Names of the trailers announced, lower case; `None` in the form without trailer.
    pub(crate) trailers: Option<Vec<String>>,
    /// `x-amz-decoded-content-length`.
    pub(crate) length: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// The next line is the head of a chunk.
    Head,
    /// This many bytes of the chunk are to come.
    Data(u64),
    /// The line end behind a chunk's bytes.
    Tail,
    /// Behind the last chunk.
    Trailer,
    /// All is said.
    Done,
}

/// Takes the encoding off a body, piece by piece.
#[derive(Debug)]
pub(crate) struct Decoder {
    chain: Option<Chain>,
    trailer: Trailer,
    state: State,
    line: Vec<u8>,
    length: u64,
    /// Bytes of all chunks begun.
    promised: u64,
    /// A signed chunk below the least size came: it must be the last.
    small: bool,
}

fn incomplete() -> Refusal {
    Refusal::new(Code::IncompleteBody)
}

fn malformed(what: &'static str) -> Refusal {
    Refusal::say(Code::InvalidRequest, what)
}

impl Decoder {
    /// A decoder for a body that is yet to come.
    pub(crate) fn new(plan: Plan) -> Self {
        let chain = plan.seed.map(Chain::new);
        let trailer = Trailer::new(plan.trailers, chain.is_some());
        let (state, line) = (State::Head, Vec::new());
        Self { chain, trailer, state, line, length: plan.length, promised: 0, small: false }
    }

    /// The next piece of content in `input`, taken off its front; `None` when `input` is used up.
    ///
    /// # Errors
    /// When the encoding, a signature or the length is wrong. The decoder is of no use then.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Refusal> {
        while !input.is_empty() {
            match self.state {
                State::Data(left) => return self.data(left, input).map(Some),
                State::Done => {
                    // Some clients end the trailer with one line end too many.
                    if input.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
                        return Err(malformed("There are bytes behind the last chunk."));
                    }
                    input.clear();
                }
                State::Head | State::Tail | State::Trailer => {
                    if let Some(line) = self.line(input)? {
                        self.state = self.on_line(&line)?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// The trailers, once the body has ended.
    ///
    /// # Errors
    /// When it ended early, or a trailer announced did not come.
    pub(crate) fn finish(mut self) -> Result<Vec<(String, String)>, Refusal> {
        let at_end = matches!(self.state, State::Trailer | State::Done) && self.line.is_empty();
        if !at_end || self.promised != self.length {
            return Err(incomplete());
        }
        self.trailer.finish(self.chain.as_mut())
    }

    fn data(&mut self, left: u64, input: &mut Bytes) -> Result<Bytes, Refusal> {
        let here = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let piece = input.split_to(here);
        let left = left.saturating_sub(u64::try_from(here).unwrap_or(left));
        if let Some(chain) = &mut self.chain {
            chain.update(&piece);
            if left == 0 {
                chain.end_chunk()?;
            }
        }
        self.state = if left == 0 { State::Tail } else { State::Data(left) };
        Ok(piece)
    }

    fn on_line(&mut self, line: &[u8]) -> Result<State, Refusal> {
        match self.state {
            State::Head => self.head(line),
            State::Tail if line.is_empty() => Ok(State::Head),
            State::Tail => Err(malformed("A chunk is longer than its head says.")),
            State::Trailer if line.is_empty() && self.trailer.may_end() => Ok(State::Done),
            State::Trailer => self.trailer.line(line, self.chain.as_mut()).map(|()| State::Trailer),
            State::Data(_) | State::Done => Ok(self.state),
        }
    }

    fn head(&mut self, line: &[u8]) -> Result<State, Refusal> {
        let bad = || malformed("The head of a chunk is malformed.");
        let text = std::str::from_utf8(line).map_err(|_| bad())?;
        let (size, extension) = match text.split_once(';') {
            Some((size, extension)) => (size, Some(extension)),
            None => (text, None),
        };
        if !(1..=16).contains(&size.len()) || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| bad())?;
        self.promised = self.promised.checked_add(size).ok_or_else(incomplete)?;
        if self.promised > self.length {
            return Err(incomplete());
        }
        if let Some(chain) = &mut self.chain {
            let signature =
                extension.and_then(|text| text.strip_prefix("chunk-signature=")).ok_or_else(bad)?;
            if self.small && size > 0 {
                return Err(Refusal::new(Code::InvalidChunkSizeError));
            }
            self.small = size < S3_CHUNK_MIN_BYTES;
            chain.expect(signature);
            if size == 0 {
                chain.end_chunk()?;
            }
        } else if extension.is_some() {
            return Err(bad());
        }
        Ok(if size == 0 { State::Trailer } else { State::Data(size) })
    }

    /// The next whole line without its end, however many pieces it came in.
    fn line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, Refusal> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let part = input.split_to(end.unwrap_or(input.len()));
        if self.line.len() + part.len() > S3_CHUNK_LINE_BYTES {
            return Err(malformed("A line of the body's encoding is too long."));
        }
        self.line.extend_from_slice(&part);
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }
}
