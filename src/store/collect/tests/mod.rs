//! Collecting a store from outside; crashes are in `store::tests::crashes`.

mod doubts;
mod flaws;
mod kept;
mod moves;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{compact::Copied, *};
use crate::{
    model::ids::{ChunkNo, ManifestId, SegmentId},
    store::{
        StoreOptions,
        blobs::{
            manifest,
            pins::Claims,
            rows::{
                ChunkRow, ChunkState, Life, ManifestRow, NumberRow, Piece, Shape, add_chunk_refs, find,
                find_chunk, number_key, queue_at,
            },
        },
        dir::RoomOptions,
        io::{Io as _, sim::SimDisk},
        meta::{
            codec::Row,
            rows::{KeyRange, Order, Rows, RowsMut, Scanned},
            table::Table,
        },
        rows::memory::Memory,
        segments::{Codec, Placed},
        tests::{account, get, noise, open, options, put, recount, release, seal, stage},
    },
};

const ALL: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };

const NO_MOVES: CollectOptions = CollectOptions { compact_from: None, end_from: 0, count_anyway: true };

fn collect(store: &Arc<Store>, how: CollectOptions) -> Report {
    Collector::begin(store, how).unwrap().run().unwrap()
}

fn forecast(store: &Store) -> Result<Forecast, StoreError> {
    super::forecast(store, &|| Ok(()))
}

fn usage(store: &Store) -> Result<Usage, StoreError> {
    super::usage(store, &|| Ok(()))
}

/// Bytes of all segment files.
fn disk_use(disk: &SimDisk) -> u64 {
    let names = disk.list("segments").unwrap().into_iter().flat_map(|hi| {
        let names = disk.list(&format!("segments/{hi}")).unwrap();
        names.into_iter().map(move |name| format!("segments/{hi}/{name}")).collect::<Vec<_>>()
    });
    names.map(|path| disk.open(&path, crate::store::io::Mode::Read).unwrap().len().unwrap()).sum()
}

fn queue(store: &Store) -> usize {
    let rows = store.snapshot().unwrap();
    rows.scan(Table::Queue, &KeyRange::prefix(Vec::new()), Order::Forward, 1000).unwrap().len()
}

fn all_rows(store: &Store, table: Table) -> usize {
    let rows = store.snapshot().unwrap();
    rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, 100_000).unwrap().len()
}

fn chunk_row(segment: u64, offset: u64) -> ChunkRow {
    ChunkRow {
        segment: SegmentId(segment),
        offset,
        stored_len: 1,
        raw_len: 10,
        codec: 0,
        domain: 1,
        state: ChunkState::Live,
        digest: [7; 32],
        crc32: 0,
        crc32c: 0,
        crc64: 0,
    }
}

#[test]
fn everything_that_was_deleted_is_given_back() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let empty = disk_use(&disk);
    let bytes = noise("all", 12 << 20);
    let ids: Vec<_> = (1..=12).map(|n| put(&store, &bytes[..n << 20])).collect();
    let kept = put(&store, &noise("kept", 1 << 20));
    let full = disk_use(&disk);
    ids.into_iter().for_each(|id| release(&store, id));
    let seen = forecast(&store).unwrap();
    let report = collect(&store, ALL);
    assert_eq!((report.manifests, report.chunks_deleted), (12, seen.chunks));
    assert_eq!((seen.manifests, seen.bytes_deleted), (12, report.bytes_deleted));
    assert!(report.segments_removed >= seen.segments && report.bytes_returned >= seen.bytes_returned);
    assert!(disk_use(&disk) < empty + (4 << 20) && full > 12 << 20, "{} {full}", disk_use(&disk));
    let usage = usage(&store).unwrap();
    assert!(usage.dead_bytes * 10 <= usage.live_bytes + usage.dead_bytes, "{usage:?}");
    assert!(get(&store, kept).unwrap() == noise("kept", 1 << 20));
    assert_eq!(recount(&store, &[kept]).findings, []);
    assert_eq!(queue(&store), 0);
    release(&store, kept);
    collect(&store, ALL);
    assert_eq!(collect(&store, ALL).manifests, 0);
    store.step_all();
    for table in
        [Table::Chunk, Table::ChunkRc, Table::ChunkHash, Table::Page, Table::Manifest, Table::Segment]
    {
        assert_eq!(all_rows(&store, table), 0, "{table:?}");
    }
    assert_eq!(disk_use(&disk), 0);
}

#[test]
fn what_is_put_by_for_a_segment_is_not_foretold_as_given_back() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let id = put(&store, &noise("small", 50_000));
    release(&store, id);
    assert!(disk_use(&disk) >= 1 << 20, "room was put by");
    let seen = forecast(&store).unwrap();
    let report = collect(&store, ALL);
    assert_eq!((seen.segments, report.segments_removed), (1, 1));
    // Its footer comes on top.
    assert!(report.bytes_returned.abs_diff(seen.bytes_returned) < 4096, "{seen:?} {report:?}");
}

#[test]
fn chunks_that_others_still_have_only_lose_a_reference() {
    let store = open(&SimDisk::new());
    let bytes = noise("shared", 3 << 20);
    let (one, two) = (put(&store, &bytes), put(&store, &bytes));
    let copy = put(&store, &bytes[..1 << 20].repeat(2));
    release(&store, one);
    assert_eq!(forecast(&store).unwrap().chunks, 0);
    let report = collect(&store, ALL);
    assert_eq!((report.manifests, report.chunks_condemned), (1, 0));
    assert!(report.references > 0);
    assert!(get(&store, two).unwrap() == bytes);
    release(&store, two);
    collect(&store, ALL);
    assert!(get(&store, copy).unwrap() == bytes[..1 << 20].repeat(2));
    assert_eq!(recount(&store, &[copy]).findings, []);
}

#[test]
fn parts_go_with_what_is_made_of_them() {
    let store = open(&SimDisk::new());
    let bytes = noise("parts", 6 << 20);
    let list: Vec<_> = bytes.chunks(2 << 20).map(|part| (put(&store, part), part.len() as u64)).collect();
    let whole = store.apply(None, move |tx| manifest::compose(tx, &list)).unwrap();
    let slice = store.slice(store.reader(whole).unwrap(), 0..3 << 20, &account(1)).unwrap();
    let slice = seal(&store, Arc::new(slice)).unwrap();
    release(&store, whole);
    assert_eq!(forecast(&store).unwrap().manifests, 4);
    assert_eq!(collect(&store, ALL).manifests, 4);
    assert!(get(&store, slice).unwrap() == bytes[..3 << 20]);
    assert_eq!(recount(&store, &[slice]).findings, []);
}

#[test]
fn a_long_manifest_goes_in_many_transactions_and_adds_up_between_them() {
    let store = open(&SimDisk::new());
    let bytes = noise("rows", 1 << 20);
    let first = put(&store, &bytes);
    // Many pages: the same chunks over and over.
    let id = put(&store, &bytes.repeat(250));
    release(&store, id);
    let mut collector = Collector::begin(&store, NO_MOVES).unwrap();
    let mut steps = 0;
    while collector.step().unwrap() != Step::Done {
        steps += 1;
        assert_eq!(recount(&store, &[first]).findings, [], "after step {steps}");
    }
    assert!(steps > 7, "{steps}");
    assert_eq!(recount(&store, &[first]).manifests, 1);
    assert!(get(&store, first).unwrap() == bytes);
}

#[test]
fn what_uploads_gave_up_is_collected_too() {
    let store = open(&SimDisk::new());
    let mut ingest = store.begin(&account(1)).unwrap();
    ingest.write(&noise("given up", 7 << 20)).unwrap();
    drop(ingest);
    store.step_all();
    assert!(recount(&store, &[]).queued > 0);
    assert_eq!(collect(&store, ALL).manifests, 1);
    assert_eq!((recount(&store, &[]).chunks, queue(&store)), (0, 0));
}

#[test]
fn there_is_one_run_at_a_time() {
    let store = open(&SimDisk::new());
    let first = Collector::begin(&store, ALL).unwrap();
    assert!(matches!(Collector::begin(&store, ALL), Err(StoreError::Busy(_))));
    drop(first);
    Collector::begin(&store, ALL).unwrap();
}

#[test]
fn small_segments_of_many_crashes_are_collected_after_the_next_opening() {
    let mut disk = SimDisk::new();
    for n in 0..3 {
        let store = Store::open(options(disk.clone())).unwrap();
        release(&store, put(&store, &noise(&format!("crash {n}"), 100_000)));
        drop(store);
        disk = disk.crash(n);
    }
    let store = open(&disk);
    let report = collect(&store, ALL);
    assert!(report.segments_removed >= 3, "{report:?}");
    assert_eq!(disk_use(&disk), 0);
}
