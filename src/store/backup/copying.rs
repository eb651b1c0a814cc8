//! Copies of files and their digests, and how far that is.

use std::ops::Range;

use super::{Progress, Watch};
use crate::store::{
    error::StoreError,
    io::{File, Site, walk, walk_past},
    segments::is_flaw,
};

/// Synced after so many bytes: a sync of somebody else on the same disk waits for no more.
const SYNC_EVERY: u64 = 16 << 20;

/// A file's length and digest.
type Content = (u64, [u8; 32]);

/// Copies so many bytes and syncs them, with zeros for what the disk refuses to read; their digest.
pub(super) fn copy_past(
    from: &dyn File,
    to: &dyn File,
    length: u64,
    refused: &mut dyn FnMut(Range<u64>),
    tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
) -> Result<[u8; 32], StoreError> {
    let mut writing = Writing::to(to);
    walk_past(from, length, refused, |bytes, at| writing.write(bytes, at, tell))?;
    writing.end()
}

/// A file that is written from its beginning on.
struct Writing<'a> {
    to: &'a dyn File,
    hasher: blake3::Hasher,
    unsynced: u64,
}

impl<'a> Writing<'a> {
    fn to(to: &'a dyn File) -> Self {
        Self { to, hasher: blake3::Hasher::new(), unsynced: 0 }
    }

    fn write(
        &mut self,
        bytes: &[u8],
        at: u64,
        tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.to.write_at(bytes, at)?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_EVERY {
            self.to.sync(Site::BackupData)?;
            self.unsynced = 0;
        }
        tell(bytes.len() as u64)
    }

    fn end(self) -> Result<[u8; 32], StoreError> {
        self.to.sync(Site::BackupData)?;
        Ok(*self.hasher.finalize().as_bytes())
    }
}

/// The digest of so many bytes.
pub(super) fn digest_of(
    file: &dyn File,
    length: u64,
    tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
) -> Result<[u8; 32], StoreError> {
    let mut hasher = blake3::Hasher::new();
    walk(file, length, |bytes, _| {
        hasher.update(bytes);
        tell(bytes.len() as u64)
    })?;
    Ok(*hasher.finalize().as_bytes())
}

/// Whether a file is as long as it should be and has the digest. One that the disk refuses to read has
/// not.
pub(super) fn is_content(
    file: &dyn File,
    (length, digest): Content,
    tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    if file.len()? != length {
        return Ok(false);
    }
    match digest_of(file, length, tell) {
        Ok(found) => Ok(blake3::Hash::from(found) == blake3::Hash::from(digest)),
        Err(error) if is_flaw(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells how far a phase is, as its bytes are done.
pub(super) fn telling<'a>(
    watch: Watch<'a>,
    phase: &'static str,
    total: u64,
) -> impl FnMut(u64) -> Result<(), StoreError> + 'a {
    let mut done = 0;
    move |bytes| {
        done += bytes;
        watch(Progress { phase, done, total })
    }
}
