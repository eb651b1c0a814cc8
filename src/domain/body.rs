//! A body on its way into the store: gathered into blocks, hashed and chunked off the async
//! workers, never whole in memory.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::{
    Error,
    error::{Large, Sum},
    lanes::blocking,
    memory::{Memory, MemoryShare},
    nouns::Declared,
    quota::{Allowance, Claim},
};
use crate::{
    model::{digest::Digester, ids::AccountId, limits},
    store::{
        Store,
        blobs::{ChunkSink, Ingest, IngestOptions, Staged},
        error::StoreError,
        faults::{Fault, Faults},
    },
};

/// Bytes handed to the blocking threads at once. Two blocks of a body are in memory at most: one
/// being stored, one being gathered.
const BLOCK: usize = 1 << 20;
/// The same while memory is short.
const SMALL_BLOCK: usize = 64 << 10;
/// The longest chunk, which the chunker holds until it is cut.
const CHUNK: u64 = 1 << 20;

/// Pieces smaller than this are copied together: a client that sends byte by byte would otherwise
/// have many times of what it sent kept for it.
const SMALL: usize = 4 << 10;

type Half<T> = JoinHandle<Result<T, StoreError>>;

/// The two halves of an ingest, here or at work on a block.
enum State {
    Ready(Box<Ingest>),
    Busy(Half<ChunkSink>, Half<Digester>),
    Broken,
}

/// A body being taken in; dropping it aborts.
pub(crate) struct BodyIn {
    state: State,
    gathered: Vec<Bytes>,
    /// Small pieces behind the gathered ones, in one.
    small: BytesMut,
    gathered_bytes: usize,
    taken: u64,
    declared: Option<u64>,
    allowance: Option<Allowance>,
    block: usize,
    share: Option<MemoryShare>,
    faults: Faults,
}

impl BodyIn {
    /// Begins; blocking. `domain` is whose content may be deduplicated against, `allowance` what
    /// it may have of a quota.
    pub(crate) fn begin(
        store: &Store,
        domain: Option<AccountId>,
        expected: &super::nouns::Expected,
        allowance: Option<Allowance>,
    ) -> Result<Self, Error> {
        if expected.size.is_some_and(|size| size > limits::OBJECT_BYTES) {
            return Err(too_large());
        }
        let ingest = store.begin(&IngestOptions {
            domain,
            size: expected.size,
            checksums: expected.checksums.clone(),
            sha256: expected.sha256,
            extras: expected.extras.clone(),
        })?;
        Ok(Self {
            state: State::Ready(Box::new(ingest)),
            gathered: Vec::new(),
            small: BytesMut::new(),
            gathered_bytes: 0,
            taken: 0,
            declared: expected.size,
            allowance,
            block: BLOCK,
            share: None,
            faults: store.faults(),
        })
    }

    /// Takes the sender's share of the memory; before the first byte.
    pub(crate) async fn settle_in(
        mut self,
        memory: &Memory,
        sender: Option<AccountId>,
    ) -> Result<Self, Error> {
        let held = |block: usize| {
            let (block, size) = (block as u64, self.declared.unwrap_or(u64::MAX));
            2 * block.min(size) + CHUNK.min(size)
        };
        let share = memory.share(sender, held(SMALL_BLOCK), held(BLOCK)).await?;
        self.block = if share.bytes() < held(BLOCK) { SMALL_BLOCK } else { BLOCK };
        self.share = Some(share);
        Ok(self)
    }

    /// Takes the next bytes. More than declared are refused at once.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.taken += bytes.len() as u64;
        if let Some(declared) = self.declared
            && self.taken > declared
        {
            return Err(Error::Incomplete { declared, got: self.taken });
        }
        if self.taken > limits::OBJECT_BYTES {
            return Err(too_large());
        }
        if let Some(allowance) = &mut self.allowance {
            allowance.admit(self.taken).await?;
        }
        self.gathered_bytes += bytes.len();
        self.gather(bytes);
        if self.gathered_bytes >= self.block {
            self.hand_over().await?;
        }
        Ok(())
    }

    /// What the commit settles, where a quota limits the body.
    pub(crate) fn claim(&self) -> Option<Arc<Claim>> {
        self.allowance.as_ref().map(Allowance::claim)
    }

    fn gather(&mut self, bytes: Bytes) {
        let small = bytes.len() < SMALL;
        if small {
            self.small.extend_from_slice(&bytes);
        }
        if !self.small.is_empty() && (!small || self.small.len() >= SMALL) {
            self.gathered.push(self.small.split().freeze());
        }
        if !small {
            self.gathered.push(bytes);
        }
    }

    /// What was gathered, in order; nothing is afterwards.
    fn take_gathered(&mut self) -> Vec<Bytes> {
        self.gathered_bytes = 0;
        let mut block = std::mem::take(&mut self.gathered);
        if !self.small.is_empty() {
            block.push(self.small.split().freeze());
        }
        block
    }

    /// Gives the gathered block to both halves, which work on it side by side.
    async fn hand_over(&mut self) -> Result<(), Error> {
        let Ingest { mut chunks, mut digests } = self.rejoin().await?;
        let block = self.take_gathered();
        let copy = block.clone();
        let chunks = tokio::task::spawn_blocking(move || {
            block.iter().try_for_each(|bytes| chunks.write(bytes))?;
            Ok(chunks)
        });
        let digests = tokio::task::spawn_blocking(move || {
            copy.iter().for_each(|bytes| digests.update(bytes));
            Ok(digests)
        });
        self.state = State::Busy(chunks, digests);
        Ok(())
    }

    async fn rejoin(&mut self) -> Result<Ingest, Error> {
        let fault = |_| Error::Internal { reason: "a body's worker failed".into() };
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Ready(ingest) => Ok(*ingest),
            State::Busy(chunks, digests) => {
                let chunks = chunks.await.map_err(fault)??;
                let digests = digests.await.map_err(fault)??;
                Ok(Ingest { chunks, digests })
            }
            State::Broken => Err(Error::Internal { reason: "a body went on after an error".into() }),
        }
    }

    /// Ends the body and holds it against what was declared.
    pub(crate) async fn finish(mut self, declared: &Declared) -> Result<Staged, Error> {
        let mut ingest = self.rejoin().await?;
        let rest = self.take_gathered();
        let wanted = declared.size.or(self.declared);
        if let Some(declared) = wanted
            && self.taken != declared
            && !self.faults.has(Fault::LengthUnchecked)
        {
            return Err(Error::Incomplete { declared, got: self.taken });
        }
        let staged = blocking(move || {
            rest.iter().try_for_each(|bytes| ingest.write(bytes))?;
            Ok(ingest.finish()?)
        })
        .await?;
        verify(&staged, declared)?;
        Ok(staged)
    }
}

fn too_large() -> Error {
    Error::TooLarge { what: Large::File, limit: limits::OBJECT_BYTES }
}

/// Every digest the client declared must be the body's.
fn verify(staged: &Staged, declared: &Declared) -> Result<(), Error> {
    if declared.md5.is_some_and(|md5| md5 != staged.digests.md5) {
        return Err(Error::ChecksumDiffers(Sum::Md5));
    }
    if declared.sha256.is_some_and(|sha256| Some(sha256) != staged.digests.sha256) {
        return Err(Error::ChecksumDiffers(Sum::Payload));
    }
    for sum in &declared.checksums {
        let computed = staged.digests.checksum(sum.kind);
        if computed.is_none_or(|computed| computed.value != sum.value) {
            return Err(Error::ChecksumDiffers(Sum::Checksum(sum.kind)));
        }
    }
    for extra in &declared.extras {
        if !staged.digests.extras.contains(extra) {
            return Err(Error::ChecksumDiffers(Sum::Extra(extra.0)));
        }
    }
    Ok(())
}

impl std::fmt::Debug for BodyIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyIn").field("taken", &self.taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_single_bytes_is_gathered_in_few_pieces() {
        let mut body = BodyIn {
            state: State::Broken,
            gathered: Vec::new(),
            small: BytesMut::new(),
            gathered_bytes: 0,
            taken: 0,
            declared: None,
            allowance: None,
            block: BLOCK,
            share: None,
            faults: Faults::default(),
        };
        let sent: Vec<u8> = (0..3 * SMALL).map(|n| n as u8).collect();
        let (first, large) = sent.split_at(SMALL + 1);
        let (large, last) = large.split_at(SMALL);
        for byte in first {
            body.write(Bytes::copy_from_slice(&[*byte])).await.unwrap();
            body.write(Bytes::new()).await.unwrap();
        }
        body.write(Bytes::copy_from_slice(large)).await.unwrap();
        for byte in last {
            body.write(Bytes::copy_from_slice(&[*byte])).await.unwrap();
        }
        assert_eq!(body.gathered_bytes, sent.len());
        let block = body.take_gathered();
        assert_eq!(block.len(), 4);
        assert_eq!(block.concat(), sent);
        assert!(body.take_gathered().is_empty());
    }
}
