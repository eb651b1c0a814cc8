//! The body while it is read.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::stream::try_unfold;
use http_body_util::BodyExt;

use super::{Plan, checksums};
use crate::{
    domain::nouns::Declared,
    doors::{
        gate::{Body, body},
        s3::{chunked::Decoder, code::Code, error::Refusal},
    },
    model::checksum::ChecksumKind,
};

/// What the client declared of its body, complete once the body was read to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredSlot(Arc<Mutex<Option<Declared>>>);

impl DeclaredSlot {
    /// Takes it.
    ///
    /// # Errors
    /// If the body was not read to its end: nothing may be committed then.
    pub(crate) fn take(&self) -> Result<Declared, Refusal> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| Refusal::internal("a body was committed before it was read to its end"))
    }

    fn fill(&self, declared: Declared) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(declared);
    }
}

struct Reading {
    body: Body,
    pending: Bytes,
    decoder: Option<Decoder>,
    declared: Declared,
    got: u64,
    slot: DeclaredSlot,
}

/// The body decoded and counted. Fails with an [`io::Error`] that holds a [`Refusal`] when it is
/// not what was declared.
pub(crate) fn open(plan: Plan, body: Body) -> (Body, DeclaredSlot) {
    let slot = DeclaredSlot::default();
    let decoder = plan.coding.map(Decoder::new);
    let (declared, pending) = (plan.declared, Bytes::new());
    let reading = Reading { body, pending, decoder, declared, got: 0, slot: slot.clone() };
    (body::from_stream(try_unfold(Some(reading), next)), slot)
}

async fn next(reading: Option<Reading>) -> io::Result<Option<(Bytes, Option<Reading>)>> {
    let Some(mut reading) = reading else { return Ok(None) };
    loop {
        if let Some(piece) = reading.piece()? {
            return Ok(Some((piece, Some(reading))));
        }
        match reading.body.frame().await {
            Some(frame) => reading.pending = frame?.into_data().unwrap_or_default(),
            None => {
                reading.end()?;
                return Ok(None);
            }
        }
    }
}

impl Reading {
    fn piece(&mut self) -> Result<Option<Bytes>, Refusal> {
        let piece = match &mut self.decoder {
            Some(decoder) => decoder.next(&mut self.pending)?,
            None if self.pending.is_empty() => None,
            None => Some(std::mem::take(&mut self.pending)),
        };
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.got = self.got.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if self.declared.size.is_some_and(|size| self.got > size) {
            return Err(Refusal::new(Code::IncompleteBody));
        }
        Ok(piece)
    }

    fn end(mut self) -> Result<(), Refusal> {
        if self.declared.size.is_some_and(|size| self.got != size) {
            return Err(Refusal::new(Code::IncompleteBody));
        }
        let trailers = self.decoder.map(Decoder::finish).transpose()?.unwrap_or_default();
        for (name, value) in trailers {
            let kind = ChecksumKind::ALL.into_iter().find(|kind| checksums::header_name(*kind) == name);
            let kind = kind.ok_or_else(|| Refusal::new(Code::MalformedTrailerError))?;
            self.declared.checksums.push(checksums::parse(kind, &value)?);
        }
        self.declared.size = Some(self.got);
        self.slot.fill(self.declared);
        Ok(())
    }
}
