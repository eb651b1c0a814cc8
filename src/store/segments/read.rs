//! Reading records back, verified, through a bounded number of open files.

use std::{collections::HashMap, io};

use bytes::Bytes;

use super::{
    Shared,
    codec::{Codec, decompress},
    flaw::{FlawKind, cannot_open},
    path,
    record::{HEADER, MAX_BYTES, RecordHeader, record_bytes},
};
use crate::{
    model::ids::SegmentId,
    store::{
        error::StoreError,
        faults::{Fault, Faults},
        io::{File, Mode},
        sync::{Arc, Mutex, PoisonError},
    },
};

/// A record that was read and verified.
#[derive(Clone, Debug)]
pub struct RecordRead {
    /// What it says about itself.
    pub header: RecordHeader,
    /// The chunk.
    pub plaintext: Bytes,
}

/// A record that was verified, as it lies in its segment.
#[derive(Clone, Debug)]
pub struct Verbatim {
    /// What it says about itself.
    pub header: RecordHeader,
    pub(super) bytes: Vec<u8>,
}

impl Verbatim {
    fn stored(&self) -> &[u8] {
        self.bytes.get(HEADER..HEADER + self.header.stored_len as usize).unwrap_or_default()
    }
}

/// Open files, the least recently used one closed first.
#[derive(Default)]
pub(super) struct Files(Mutex<Open>);

#[derive(Default)]
struct Open {
    files: HashMap<SegmentId, (Arc<dyn File>, u64)>,
    uses: u64,
}

impl Files {
    pub(super) fn get(&self, shared: &Shared, id: SegmentId) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.opened(id) {
            return Ok(file);
        }
        // Outside the lock: a slow disk holds up nobody who reads other segments.
        let file = shared.io.open(&path::file(id), Mode::Read)?;
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while open.files.len() >= shared.options.open_files.max(1) {
            let oldest = open.files.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|id| open.files.remove(&id));
        }
        let uses = open.uses;
        open.files.insert(id, (file.clone(), uses));
        Ok(file)
    }

    /// The file, if it is open.
    fn opened(&self, id: SegmentId) -> Option<Arc<dyn File>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let uses = open.uses;
        let (file, used) = open.files.get_mut(&id)?;
        *used = uses;
        Some(file.clone())
    }

    /// Reads one record; anything but exactly what was stored is damage.
    pub(super) fn read(&self, shared: &Shared, place: Place) -> Result<RecordRead, StoreError> {
        let bytes = self.bytes(shared, place)?;
        place.verified(&Whose::of(shared), bytes).map_err(|kind| place.damaged(kind))
    }

    /// Reads and verifies one record and leaves it packed.
    pub(super) fn verbatim(&self, shared: &Shared, place: Place) -> Result<Verbatim, StoreError> {
        let bytes = self.bytes(shared, place)?;
        place.verbatim(&Whose::of(shared), bytes).map_err(|kind| place.damaged(kind))
    }

    fn bytes(&self, shared: &Shared, place: Place) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; place.room()?];
        let file = self.get(shared, place.segment).map_err(|error| match FlawKind::of_open(&error) {
            Some(kind) => place.damaged(kind),
            None => cannot_open(error),
        })?;
        file.read_at(&mut bytes, place.offset).map_err(|error| match FlawKind::of_read(&error) {
            Some(FlawKind::CutOff) => place.damaged(FlawKind::CutOff),
            _ => error.into(),
        })?;
        Ok(bytes)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().files.len()
    }

    /// Forgets a file, before its segment is removed.
    pub(super) fn forget(&self, id: SegmentId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).files.remove(&id);
    }
}

/// Whose records they are, and which rules are broken in reading them.
#[derive(Clone, Debug)]
pub(in crate::store) struct Whose {
    pub(in crate::store) uuid: [u8; 16],
    pub(in crate::store) faults: Faults,
}

impl Whose {
    pub(super) fn of(shared: &Shared) -> Self {
        Self { uuid: shared.options.uuid, faults: shared.faults }
    }
}

/// Reads one record from a copy of its segment's file; anything but exactly what was stored is
/// damage.
pub(in crate::store) fn read_copy(
    file: &dyn File,
    whose: &Whose,
    (segment, offset, stored_len): (SegmentId, u64, u32),
) -> Result<RecordRead, StoreError> {
    let place = Place { segment, offset, stored_len };
    let mut bytes = vec![0; place.room()?];
    file.read_at(&mut bytes, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => place.broken("the copy ends before it"),
        _ => error.into(),
    })?;
    place.verified(whose, bytes).map_err(|kind| place.damaged(kind))
}

/// Where a record lies, as its row says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) segment: SegmentId,
    pub(super) offset: u64,
    pub(super) stored_len: u32,
}

impl Place {
    fn damaged(&self, kind: FlawKind) -> StoreError {
        self.broken(kind.text())
    }

    fn broken(&self, what: &str) -> StoreError {
        StoreError::Damaged(format!("record in segment {} at {}: {what}", self.segment, self.offset))
    }

    /// Room for the record. A length from a damaged row must not take memory.
    pub(super) fn room(&self) -> Result<usize, StoreError> {
        if self.stored_len as usize > MAX_BYTES {
            return Err(self.broken("no record is that long"));
        }
        Ok(record_bytes(self.stored_len) as usize)
    }

    /// The record in these bytes, if it is the one that was stored here.
    pub(super) fn verified(&self, store: &Whose, bytes: Vec<u8>) -> Result<RecordRead, FlawKind> {
        let whole = self.whole(store, bytes)?;
        let header = whole.header;
        let plaintext = match unpacked(&whole)? {
            Some(plaintext) => plaintext.into(),
            None => Bytes::from(whole.bytes).slice(HEADER..HEADER + self.stored_len as usize),
        };
        is_plaintext(store, &header, &plaintext)?;
        Ok(RecordRead { header, plaintext })
    }

    /// The same, left packed.
    fn verbatim(&self, store: &Whose, bytes: Vec<u8>) -> Result<Verbatim, FlawKind> {
        let whole = self.whole(store, bytes)?;
        let unpacked = unpacked(&whole)?;
        is_plaintext(store, &whole.header, unpacked.as_deref().unwrap_or_else(|| whole.stored()))?;
        Ok(whole)
    }

    /// A record whose stored bytes are as sound as their sums.
    fn whole(&self, store: &Whose, bytes: Vec<u8>) -> Result<Verbatim, FlawKind> {
        let header = RecordHeader::parse(store.uuid, &bytes).ok_or(FlawKind::Header)?;
        let place = (header.segment, header.offset, header.stored_len);
        if place != (self.segment, self.offset, self.stored_len) && !store.faults.has(Fault::PlaceUnchecked) {
            return Err(FlawKind::Misplaced);
        }
        let stored_len = self.stored_len as usize;
        let (stored, padding) =
            bytes.get(HEADER..).and_then(|rest| rest.split_at_checked(stored_len)).unwrap_or_default();
        if !header.matches(stored, padding) && !store.faults.has(Fault::SumsUnchecked) {
            return Err(FlawKind::Bytes);
        }
        Ok(Verbatim { header, bytes })
    }
}

/// The plaintext, if that is not what is stored.
fn unpacked(whole: &Verbatim) -> Result<Option<Vec<u8>>, FlawKind> {
    match whole.header.codec {
        Codec::Raw => Ok(None),
        Codec::Zstd => {
            decompress(whole.stored(), whole.header.raw_len as usize).map(Some).ok_or(FlawKind::Digest)
        }
    }
}

fn is_plaintext(store: &Whose, header: &RecordHeader, bytes: &[u8]) -> Result<(), FlawKind> {
    let same = bytes.len() == header.raw_len as usize && blake3::hash(bytes) == header.digest;
    if same || store.faults.has(Fault::DigestUnchecked) { Ok(()) } else { Err(FlawKind::Digest) }
}
