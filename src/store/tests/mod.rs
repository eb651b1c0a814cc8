//! The store from outside: bodies in, bodies out, through crashes and damage.

mod bodies;
mod caught;
mod crashes;
mod failing;
mod long;
mod schedules;
mod threads;

use std::sync::Arc;

use super::{
    Store, StoreOptions,
    blobs::{IngestOptions, Staged, manifest, verify},
    dir::RoomOptions,
    error::StoreError,
    io::{Io, sim::SimDisk},
};
use crate::model::{
    ids::{AccountId, ManifestId},
    time::Timestamp,
};

/// Small segments and batches, so that tests meet many; a clock that goes on.
pub(crate) fn options(io: impl Io + 'static) -> StoreOptions {
    let clock = std::sync::atomic::AtomicI64::new(0);
    let now = move || Timestamp(clock.fetch_add(1000, std::sync::atomic::Ordering::Relaxed));
    StoreOptions {
        room: RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) },
        segment_bytes: 8 << 20,
        growth_bytes: 1 << 20,
        cache_bytes: 4 << 20,
        batch_bytes: 1 << 20,
        ..StoreOptions::new(Arc::new(io), Arc::new(now), [5; 16])
    }
}

pub(crate) fn open(disk: &SimDisk) -> Arc<Store> {
    Store::open(options(disk.clone())).unwrap()
}

pub(crate) fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) fn account(id: u64) -> IngestOptions {
    IngestOptions { domain: Some(AccountId(id)), ..IngestOptions::default() }
}

pub(crate) fn stage(store: &Store, bytes: &[u8], options: &IngestOptions) -> Arc<Staged> {
    let mut ingest = store.begin(options).unwrap();
    ingest.write(bytes).unwrap();
    Arc::new(ingest.finish().unwrap())
}

pub(crate) fn seal(store: &Store, staged: Arc<Staged>) -> Result<ManifestId, StoreError> {
    let sealed = Arc::clone(&staged);
    store.apply(Some(staged), move |tx| sealed.seal(tx))
}

pub(crate) fn put(store: &Store, bytes: &[u8]) -> ManifestId {
    seal(store, stage(store, bytes, &account(1))).unwrap()
}

pub(crate) fn get(store: &Store, id: ManifestId) -> Result<Vec<u8>, StoreError> {
    let mut reader = store.reader(id)?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < reader.size() {
        let piece = reader.read(bytes.len() as u64, usize::MAX)?;
        assert!(!piece.is_empty());
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

pub(crate) fn release(store: &Store, id: ManifestId) {
    store.apply(None, move |tx| manifest::release(tx, id)).unwrap();
}

pub(crate) fn recount(store: &Store, references: &[ManifestId]) -> verify::Recount {
    verify::recount(&store.snapshot().unwrap(), &mut references.iter().map(|id| Ok(*id))).unwrap()
}
