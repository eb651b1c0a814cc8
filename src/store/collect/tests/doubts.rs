//! What does not add up, or cannot be read, ends a walk or a run.

use super::*;
use crate::store::faults::Faults;

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
fn counts_go_down_to_one_and_then_the_chunk_is_condemned() {
    let mut rows = Memory::default();
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
    let reap =
        |rows: &mut Memory, epoch| condemn::reap(rows, &[ChunkNo(1)], epoch, &claims()).unwrap().gone.len();
    assert_eq!(reap(&mut rows, 5), 0, "not in its own epoch");
    assert_eq!(reap(&mut rows, 6), 1);
    rows.delete(Table::Config, b"collector-epoch".to_vec());
    assert_eq!(rows.0.len(), 0);
}

#[test]
fn whatever_does_not_add_up_ends_the_walk() {
    type Break = fn(&mut Memory);
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
        let mut rows = Memory::default();
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
    rows: Memory,
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
    fn faults(&self) -> Faults {
        self.rows.faults()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check(table)?;
        self.rows.get(table, key)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        self.check(table)?;
        self.rows.scan(table, range, order, limit)
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
        let mut rows = Unreadable { rows: Memory::default(), table, now: AtomicBool::new(false) };
        rows.put(Table::Chunk, number_key(1), chunk_row(1, 0).encode());
        released(&mut rows, 1, &[1]);
        rows.now.store(true, Ordering::Relaxed);
        let walked = walk(&mut rows, 1, 1);
        assert!(matches!(walked, Err(StoreError::Io(_))), "{table:?}: {walked:?}");
    }
    for table in [Table::Chunk, Table::ChunkRc, Table::Queue] {
        let mut rows = Unreadable { rows: Memory::default(), table, now: AtomicBool::new(false) };
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
fn a_segment_with_fewer_records_than_chunks_is_not_moved() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let (kept, gone) = (put(&store, &noise("kept", 100_000)), put(&store, &noise("gone", 100_000)));
    let row = find_chunk(&store.snapshot().unwrap(), ChunkNo(1)).unwrap().unwrap();
    release(&store, gone);
    let (segment, stray) = (row.segment, ChunkRow { offset: row.offset + 8, stored_len: 16, ..row });
    store
        .apply::<_, StoreError>(None, move |tx| {
            tx.put(Table::Chunk, number_key(4000), stray.encode());
            Ok(())
        })
        .unwrap();
    let (lane, ..) = store.segments().open_segments()[0];
    store.segments().roll(lane, segment);
    store.step_all();
    store.blobs().report_segments();
    store.step_all();
    // Once it may be a chunk that was healed elsewhere meanwhile.
    let runs =
        [0; 3].map(|_| Collector::begin(&store, ALL).unwrap().run().map_err(|error| error.to_string()));
    let doubted = |run: &Result<Report, String>| {
        run.as_ref().is_err_and(|why| why.contains("records that chunks name"))
    };
    assert!(runs.iter().any(doubted), "{runs:#?}");
    assert!(get(&store, kept).is_ok());
}
