//! Collecting a store from outside; crashes are in `store::tests::crashes`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{compact::Copied, *};
use crate::{
    model::ids::SegmentId,
    store::{
        StoreOptions,
        blobs::{
            manifest,
            rows::{
                ChunkRow, ChunkState, Life, ManifestRow, NumberRow, Piece, Shape, add_chunk_refs, find,
                find_chunk, mem::Mem, number_key, queue_at,
            },
        },
        dir::RoomOptions,
        io::{Io as _, sim::SimDisk},
        meta::{
            codec::Row,
            rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
            table::Table,
        },
        segments::{Codec, Placed},
        tests::{account, get, noise, open, options, put, recount, release, seal, stage},
    },
};

const ALL: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };
const NO_MOVES: CollectOptions = CollectOptions { compact_from: None, end_from: 0, count_anyway: true };

fn collect(store: &Arc<Store>, how: CollectOptions) -> Report {
    Collector::begin(store, how).unwrap().run().unwrap()
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

/// A released leaf of these chunks, ten bytes each.
fn released(rows: &mut dyn RowsMut, id: u64, chunks: &[u64]) {
    let pieces: Vec<_> = chunks.iter().map(|&chunk| Piece { target: Some(chunk), len: 10 }).collect();
    let size = manifest::put_pages(rows, ManifestId(id), 0, &pieces);
    let row = ManifestRow {
        shape: Shape::Leaf,
        life: Life::Live,
        size,
        refs: 1,
        pieces: chunks.len() as u64,
        profile: 1,
    };
    manifest::put(rows, ManifestId(id), &row);
    manifest::release(rows, ManifestId(id)).unwrap();
}

fn claims() -> Arc<Claims> {
    Claims::new(&Arc::default())
}

fn walk(rows: &mut dyn RowsMut, id: u64, epoch: u64) -> Result<release::Walked, StoreError> {
    release::walk(rows, &[ManifestId(id)], epoch, &claims()).map(|walked| walked[0])
}

fn count(rows: &dyn Rows, chunk: u64) -> Option<u64> {
    find::<NumberRow>(rows, Table::ChunkRc, &number_key(chunk)).unwrap().map(|row| row.number)
}

fn state(rows: &dyn Rows, chunk: u64) -> ChunkState {
    find_chunk(rows, ChunkNo(chunk)).unwrap().unwrap().state
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
fn chunks_that_others_still_have_only_lose_a_reference() {
    let store = open(&SimDisk::new());
    let bytes = noise("shared", 3 << 20);
    let (one, two) = (put(&store, &bytes), put(&store, &bytes));
    let copy = put(&store, &bytes[..1 << 20].repeat(2));
    release(&store, one);
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
fn a_reader_keeps_its_body_until_it_ends() {
    let store = open(&SimDisk::new());
    let bytes = noise("read", 1 << 20);
    let id = put(&store, &bytes);
    let mut reader = store.reader(id).unwrap();
    release(&store, id);
    let report = collect(&store, ALL);
    assert_eq!((report.manifests, report.passed_over), (0, 1));
    assert!(reader.read(0, usize::MAX).unwrap()[..] == bytes[..reader.read(0, usize::MAX).unwrap().len()]);
    drop(reader);
    assert_eq!(collect(&store, ALL).manifests, 1);
    assert_eq!(recount(&store, &[]).chunks, 0);
}

#[test]
fn a_chunk_that_an_upload_has_found_is_passed_over_and_tried_again() {
    let store = open(&SimDisk::new());
    let bytes = noise("found", 50_000);
    let id = put(&store, &bytes);
    let late = stage(&store, &bytes, &account(1));
    release(&store, id);
    let report = collect(&store, ALL);
    assert_eq!((report.manifests, report.chunks_condemned), (1, 0));
    assert_eq!(recount(&store, &[]).findings, []);
    let second = seal(&store, late).unwrap();
    assert!(get(&store, second).unwrap() == bytes);
    assert_eq!(recount(&store, &[second]).findings, []);
    collect(&store, ALL);
    assert_eq!(queue(&store), 0);
    assert!(get(&store, second).unwrap() == bytes);
    // One that gives up after all leaves it to the next run.
    let late = stage(&store, &bytes, &account(1));
    release(&store, second);
    collect(&store, ALL);
    drop(late);
    assert_eq!(collect(&store, ALL).chunks_deleted, 1);
    assert_eq!(recount(&store, &[]).chunks, 0);
}

#[test]
fn a_chunk_that_was_idle_and_found_and_let_go_again_is_condemned_once() {
    let store = open(&SimDisk::new());
    let bytes = noise("idle", 50_000);
    let first = put(&store, &bytes);
    let late = stage(&store, &bytes, &account(1));
    release(&store, first);
    collect(&store, ALL);
    release(&store, seal(&store, late).unwrap());
    assert_eq!(collect(&store, ALL).chunks_deleted, 1);
    // Now within one run: nobody has looked at the idle chunk before it is let go.
    let first = put(&store, &bytes);
    let late = stage(&store, &bytes, &account(1));
    release(&store, first);
    let mut collector = Collector::begin(&store, ALL).unwrap();
    while collector.report().manifests == 0 {
        collector.step().unwrap();
    }
    release(&store, seal(&store, late).unwrap());
    while collector.step().unwrap() != Step::Done {}
    drop(collector);
    collect(&store, ALL);
    assert_eq!((recount(&store, &[]).chunks, queue(&store)), (0, 0));
}

#[test]
fn a_condemned_chunk_is_never_found_again() {
    let store = open(&SimDisk::new());
    let bytes = noise("condemned", 50_000);
    release(&store, put(&store, &bytes));
    let mut collector = Collector::begin(&store, ALL).unwrap();
    while collector.report().chunks_condemned == 0 {
        collector.step().unwrap();
    }
    let again = put(&store, &bytes);
    assert_eq!(recount(&store, &[again]).chunks, 2);
    while collector.step().unwrap() != Step::Done {}
    drop(collector);
    assert_eq!(recount(&store, &[again]).findings, []);
    assert!(get(&store, again).unwrap() == bytes);
    let third = put(&store, &bytes);
    assert_eq!(recount(&store, &[again, third]).chunks, 1);
}

#[test]
fn bytes_of_an_upload_under_way_are_not_swept() {
    let store = open(&SimDisk::new());
    let bytes = noise("slow", 500_000);
    let slow = stage(&store, &bytes, &account(1));
    for (lane, segment, _) in store.segments().open_segments() {
        store.segments().roll(lane, segment);
    }
    store.step_all();
    store.blobs().report_segments();
    store.step_all();
    let report = collect(&store, ALL);
    assert_eq!(report.segments_removed, 0);
    let id = seal(&store, slow).unwrap();
    assert!(get(&store, id).unwrap() == bytes);
}

#[test]
fn a_segment_stays_until_its_last_reader_has_ended() {
    let disk = SimDisk::new();
    let store = open(&disk);
    release(&store, put(&store, &noise("place", 100_000)));
    let reading = store.blobs().readings().begin();
    let mut collector = Collector::begin(&store, ALL).unwrap();
    while collector.step().unwrap() == Step::More {}
    assert!(disk_use(&disk) > 0);
    drop(reading);
    while collector.step().unwrap() != Step::Done {}
    assert_eq!(disk_use(&disk), 0);
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
fn sparse_segments_are_moved_together() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let bodies: Vec<_> = (0..120).map(|n| noise(&format!("body {n}"), 300_000)).collect();
    let ids: Vec<_> = bodies.iter().map(|body| put(&store, body)).collect();
    for (n, id) in ids.iter().enumerate() {
        if n % 4 != 0 {
            release(&store, *id);
        }
    }
    let before = disk_use(&disk);
    assert_eq!(collect(&store, NO_MOVES).segments_compacted, 0);
    let sparse = usage(&store).unwrap();
    assert!(sparse.dead_bytes > sparse.live_bytes, "{sparse:?}");
    let report = collect(&store, ALL);
    assert!(report.segments_compacted > 3 && report.chunks_moved >= 30, "{report:?}");
    let counted = store.collection().usage().unwrap();
    let usage = usage(&store).unwrap();
    assert_eq!(counted, usage, "what was swept is no longer counted");
    assert!(usage.dead_bytes * 10 <= usage.live_bytes, "{usage:?}");
    assert!(disk_use(&disk) < before / 2);
    let left: Vec<_> = ids.iter().copied().step_by(4).collect();
    assert_eq!(recount(&store, &left).findings, []);
    let store = open(&disk.crash(1));
    for (id, body) in left.iter().zip(bodies.iter().step_by(4)) {
        assert!(get(&store, *id).unwrap() == *body);
    }
}

#[test]
fn compaction_needs_room_for_a_segment_and_collecting_needs_none() {
    let disk = SimDisk::new();
    let room = RoomOptions { reserve_bytes: Some(32 << 20), full_below_bytes: Some(64 << 20) };
    let options = StoreOptions { room, segment_bytes: 64 << 20, ..options(disk.clone()) };
    let store = Store::open(options).unwrap();
    let ids: Vec<_> = (0..60).map(|n| put(&store, &noise(&format!("room {n}"), 300_000))).collect();
    ids.iter().skip(1).step_by(2).for_each(|id| release(&store, *id));
    disk.set_free(63 << 20);
    let report = collect(&store, ALL);
    assert!(report.no_room && report.segments_compacted == 0 && report.chunks_deleted > 0);
    disk.set_free(0);
    ids.iter().step_by(2).for_each(|id| release(&store, *id));
    let report = collect(&store, ALL);
    assert!(report.bytes_returned > 15 << 20, "{report:?}");
    assert_eq!(recount(&store, &[]).findings, []);
}

fn segment_paths(disk: &SimDisk) -> Vec<String> {
    let hi = disk.list("segments").unwrap().pop().unwrap();
    let mut names = disk.list(&format!("segments/{hi}")).unwrap();
    names.sort();
    names.into_iter().map(|name| format!("segments/{hi}/{name}")).collect()
}

#[test]
fn a_damaged_record_is_reported_and_stays_where_it_is() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..60).map(|n| put(&store, &noise(&format!("bad {n}"), 300_000))).collect();
    disk.damage(&segment_paths(&disk)[0], 100_000, 1).unwrap();
    let kept: Vec<_> = ids.iter().copied().step_by(3).collect();
    ids.iter().filter(|id| !kept.contains(id)).for_each(|id| release(&store, *id));
    let report = collect(&store, ALL);
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert!(report.segments_compacted > 0);
    store.step_all();
    let found = recount(&store, &kept).findings;
    assert!(matches!(found[..], [crate::store::blobs::verify::Finding::Bad(_)]), "{found:?}");
    assert!(matches!(get(&store, kept[0]), Err(StoreError::Damaged(_))));
    for (n, id) in kept.iter().enumerate().skip(1) {
        assert!(get(&store, *id).unwrap() == noise(&format!("bad {}", n * 3), 300_000));
    }
    // Sent again it heals, and the segment can go.
    let again = put(&store, &noise("bad 0", 300_000));
    let kept = [&kept[..], &[again]].concat();
    assert_eq!(recount(&store, &kept).findings, []);
    collect(&store, ALL);
    assert!(get(&store, kept[0]).unwrap() == noise("bad 0", 300_000));
}

#[test]
fn a_row_that_names_another_place_by_now_is_not_switched() {
    let mut rows = Mem::default();
    let to = Placed { segment: SegmentId(9), offset: 4096, stored_len: 1, codec: Codec::Raw };
    rows.put(Table::Chunk, number_key(1), chunk_row(1, 4096).encode());
    rows.put(Table::Chunk, number_key(2), chunk_row(1, 8192).encode());
    rows.put(Table::Chunk, number_key(3), chunk_row(2, 4096).encode());
    let copied: Vec<_> =
        (1..=4).map(|chunk| Copied { chunk: ChunkNo(chunk), from: (SegmentId(1), 4096), to }).collect();
    assert_eq!(compact::switch(&mut rows, &copied).unwrap(), 1);
    let place = |chunk| find_chunk(&rows, ChunkNo(chunk)).unwrap().map(|row| (row.segment.0, row.offset));
    assert_eq!([1, 2, 3, 4].map(place), [Some((9, 4096)), Some((1, 8192)), Some((2, 4096)), None]);
}

#[test]
fn counts_go_down_to_one_and_then_the_chunk_is_condemned() {
    let mut rows = Mem::default();
    rows.put(Table::Chunk, number_key(1), chunk_row(1, 0).encode());
    add_chunk_refs(&mut rows, ChunkNo(1), 2).unwrap();
    for (id, chunks) in [(1, &[1][..]), (2, &[1]), (3, &[1])] {
        released(&mut rows, id, chunks);
    }
    for (id, expected) in [(1, Some(2)), (2, None)] {
        assert!(walk(&mut rows, id, 5).unwrap().done);
        assert_eq!((count(&rows, 1), state(&rows, 1)), (expected, ChunkState::Live));
    }
    assert_eq!(walk(&mut rows, 3, 5).unwrap().condemned, 1);
    assert_eq!(state(&rows, 1), ChunkState::Condemned);
    let reap = |rows: &mut Mem, epoch| condemn::reap(rows, &[ChunkNo(1)], epoch, &claims()).unwrap().0.len();
    assert_eq!(reap(&mut rows, 5), 0, "not in its own epoch");
    assert_eq!(reap(&mut rows, 6), 1);
    rows.delete(Table::Config, b"collector-epoch".to_vec());
    assert_eq!(rows.0.len(), 0);
}

#[test]
fn whatever_does_not_add_up_ends_the_walk() {
    type Break = fn(&mut Mem);
    let cases: [(&str, Break); 7] = [
        ("has no row", |rows| rows.delete(Table::Chunk, number_key(1))),
        ("more references", |rows| {
            rows.put(Table::ChunkRc, number_key(1), NumberRow { number: 0 }.encode());
        }),
        ("condemned", |rows| {
            let row = ChunkRow { state: ChunkState::Condemned, ..chunk_row(1, 0) };
            rows.put(Table::Chunk, number_key(1), row.encode());
        }),
        ("not what its row says", |rows| {
            rows.delete(Table::Page, crate::store::blobs::rows::page_key(ManifestId(7), 0));
        }),
        ("not what its row says", |rows| {
            rows.delete(Table::Page, crate::store::blobs::rows::page_key(ManifestId(7), 800));
        }),
        ("not released", |rows| {
            let mut row = manifest::load(rows, ManifestId(7)).unwrap();
            row.life = Life::Live;
            manifest::put(rows, ManifestId(7), &row);
        }),
        ("has no row", |rows| rows.delete(Table::Manifest, number_key(7))),
    ];
    for (expected, damage) in cases {
        let mut rows = Mem::default();
        rows.put(Table::Chunk, number_key(1), chunk_row(1, 0).encode());
        add_chunk_refs(&mut rows, ChunkNo(1), 99).unwrap();
        released(&mut rows, 7, &[1; 100]);
        damage(&mut rows);
        let error = loop {
            match walk(&mut rows, 7, 1) {
                Ok(walked) => assert!(!walked.done, "{expected}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, StoreError::Damaged(why) if why.contains(expected)), "{error} {expected}");
    }
}

/// Rows of which one table cannot be read once it is told so.
struct Unreadable {
    rows: Mem,
    table: Table,
    now: AtomicBool,
}

impl Unreadable {
    fn check(&self, table: Table) -> Result<(), StoreError> {
        if table == self.table && self.now.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("unreadable").into());
        }
        Ok(())
    }
}

impl Rows for Unreadable {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check(table)?;
        self.rows.get(table, key)
    }

    fn scan(&self, t: Table, range: &KeyRange, o: Order, limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.check(t)?;
        self.rows.scan(t, range, o, limit)
    }
}

impl RowsMut for Unreadable {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.rows.put(table, key, value);
    }

    fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.rows.delete(table, key);
    }
}

#[test]
fn a_row_that_cannot_be_read_ends_the_walk_and_never_counts_as_none() {
    for table in [Table::Manifest, Table::Page, Table::Chunk, Table::ChunkRc] {
        let mut rows = Unreadable { rows: Mem::default(), table, now: AtomicBool::new(false) };
        rows.put(Table::Chunk, number_key(1), chunk_row(1, 0).encode());
        released(&mut rows, 1, &[1]);
        rows.now.store(true, Ordering::Relaxed);
        let walked = walk(&mut rows, 1, 1);
        assert!(matches!(walked, Err(StoreError::Io(_))), "{table:?}: {walked:?}");
    }
    for table in [Table::Chunk, Table::ChunkRc, Table::Queue] {
        let mut rows = Unreadable { rows: Mem::default(), table, now: AtomicBool::new(false) };
        rows.put(Table::Chunk, number_key(1), chunk_row(1, 0).encode());
        rows.put(Table::ChunkRc, number_key(1), NumberRow { number: 0 }.encode());
        rows.put(Table::Queue, queue_at(Queued::Idle, 1), Vec::new());
        rows.put(Table::Queue, queue_at(Queued::Condemned, 1), NumberRow { number: 1 }.encode());
        rows.now.store(true, Ordering::Relaxed);
        let settled = condemn::settle(&mut rows, &[ChunkNo(1)], 3, &claims());
        assert!(matches!(settled, Err(StoreError::Io(_))), "{table:?}: {settled:?}");
        let reaped = condemn::reap(&mut rows, &[ChunkNo(1)], 3, &claims());
        assert!(table == Table::ChunkRc || matches!(reaped, Err(StoreError::Io(_))), "{table:?}");
        assert!(reaped.is_err());
    }
}

#[test]
fn a_run_that_met_a_doubt_deletes_nothing_more_and_says_so() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let (good, bad) = (put(&store, &noise("good", 100_000)), put(&store, &noise("doubt", 100_000)));
    release(&store, bad);
    release(&store, good);
    // The first chunk loses its row: its manifest cannot be taken apart any more.
    store
        .apply::<_, StoreError>(None, |tx| {
            tx.delete(Table::Chunk, number_key(1));
            Ok(())
        })
        .unwrap();
    let before = (disk_use(&disk), all_rows(&store, Table::Chunk), queue(&store));
    let mut collector = Collector::begin(&store, ALL).unwrap();
    let error = loop {
        match collector.step() {
            Ok(step) => assert_ne!(step, Step::Done),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("chunk 1 has no row"), "{error}");
    assert_eq!(collector.step().unwrap(), Step::Done);
    drop(collector);
    assert_eq!((disk_use(&disk), all_rows(&store, Table::Chunk), queue(&store)), before);
    assert!(store.collection().aborted().unwrap().contains("chunk 1"));
}

#[test]
fn a_segment_whose_records_say_otherwise_is_not_removed() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let id = put(&store, &noise("otherwise", 100_000));
    let segment = find_chunk(&store.snapshot().unwrap(), ChunkNo(1)).unwrap().unwrap().segment;
    let (lane, ..) = store.segments().open_segments()[0];
    store.segments().roll(lane, segment);
    store.step_all();
    store.blobs().report_segments();
    store.step_all();
    let mut collector = Collector::begin(&store, ALL).unwrap();
    collector.mark(&[segment]).unwrap();
    let error = collector.sweep().unwrap_err();
    assert!(matches!(&error, StoreError::Damaged(why) if why.contains("counts as empty")), "{error}");
    assert!(get(&store, id).is_ok());
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
