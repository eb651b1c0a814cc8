//! Reading records back, verified, through a bounded number of open files.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{
    Shared,
    codec::{Codec, decompress},
    path,
    record::{HEADER, MAX_BYTES, RecordHeader, record_bytes},
};
use crate::{
    model::ids::SegmentId,
    store::{
        error::StoreError,
        io::{File, Mode},
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

/// Open files, the least recently used one closed first.
#[derive(Default)]
pub(super) struct Files(Mutex<Open>);

#[derive(Default)]
struct Open {
    files: HashMap<SegmentId, (Arc<dyn File>, u64)>,
    uses: u64,
}

impl Files {
    fn get(&self, shared: &Shared, id: SegmentId) -> io::Result<Arc<dyn File>> {
        {
            let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            open.uses += 1;
            let uses = open.uses;
            if let Some((file, used)) = open.files.get_mut(&id) {
                *used = uses;
                return Ok(file.clone());
            }
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

    /// Reads one record; anything but exactly what was stored is damage.
    pub(super) fn read(
        &self,
        shared: &Shared,
        id: SegmentId,
        offset: u64,
        stored_len: u32,
    ) -> Result<RecordRead, StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("record in segment {id} at {offset}: {what}"));
        let wrong = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => damaged("the segment is missing"),
            io::ErrorKind::UnexpectedEof => damaged("the segment ends before it"),
            _ => error.into(),
        };
        // A length from a damaged row must not take memory.
        if stored_len as usize > MAX_BYTES {
            return Err(damaged("no record is that long"));
        }
        let file = self.get(shared, id).map_err(wrong)?;
        let mut bytes = vec![0; record_bytes(stored_len) as usize];
        file.read_at(&mut bytes, offset).map_err(wrong)?;
        let header = RecordHeader::parse(shared.options.uuid, &bytes)
            .ok_or_else(|| damaged("its header is not what was written"))?;
        if (header.segment, header.offset, header.stored_len) != (id, offset, stored_len) {
            return Err(damaged("it was written for another place"));
        }
        let (stored, padding) = bytes
            .get(HEADER..)
            .and_then(|rest| rest.split_at_checked(stored_len as usize))
            .unwrap_or_default();
        if !header.matches(stored, padding) {
            return Err(damaged("its bytes are not what was written"));
        }
        let plaintext = match header.codec {
            Codec::Raw => Bytes::from(bytes).slice(HEADER..HEADER + stored_len as usize),
            Codec::Zstd => decompress(stored, header.raw_len as usize)
                .ok_or_else(|| damaged("it cannot be decompressed"))?
                .into(),
        };
        if plaintext.len() != header.raw_len as usize || blake3::hash(&plaintext) != header.digest {
            return Err(damaged("its digest differs"));
        }
        Ok(RecordRead { header, plaintext })
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
