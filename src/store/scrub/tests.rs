//! What a scrub finds, keeps and forgets.

use super::*;
use crate::{
    model::ids::ManifestId,
    store::{
        blobs::{damage::known, rows::number_key, verify},
        collect::{CollectOptions, Collector},
        io::{
            Io as _,
            sim::{
                SimDisk,
                fault::{Failing, FaultyDisk, Plan},
            },
        },
        meta::{
            codec::Row as _,
            rows::{KeyRange, Order, Rows as _, RowsMut as _},
            with_sum,
        },
        segments::FlawKind,
        tests::{get, noise, open, options, put, recount, release},
    },
};

const ALL: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };

fn scrub(store: &Arc<Store>) -> Summary {
    Scrubber::begin(store, Portion::ALL).unwrap().run().unwrap()
}

fn past_metadata(scrubber: &mut Scrubber) {
    while !scrubber.metadata.place.done {
        scrubber.step().unwrap();
    }
}

/// Where the only chunk of a body lies, and its file.
fn place(store: &Store, id: ManifestId) -> (ChunkNo, ChunkRow, String) {
    let rows = store.snapshot().unwrap();
    let mut chunks = Vec::new();
    verify::chunks_of(&rows, id, &mut |(chunk, ..)| chunks.push(chunk)).unwrap();
    let row = crate::store::blobs::rows::load_chunk(&rows, chunks[0]).unwrap();
    let path = format!("segments/{:06x}/{:08x}.seg", row.segment.0 >> 8, row.segment.0);
    (chunks[0], row, path)
}

fn kinds(store: &Store) -> Vec<(Part, FlawKind)> {
    let known = known(&store.snapshot().unwrap(), None, 100).unwrap();
    known.into_iter().map(|damaged| (damaged.part, damaged.row.kind)).collect()
}

/// Ends the open segments, so that they have footers.
fn seal_all(store: &Store) {
    for (lane, segment, _) in store.segments().open_segments() {
        store.segments().roll(lane, segment);
    }
    store.step_all();
    store.blobs().report_segments();
    store.step_all();
}

#[test]
fn a_sound_store_is_read_whole_and_nothing_is_noted() {
    let disk = SimDisk::new();
    let store = open(&disk);
    for n in 0..30 {
        put(&store, &noise(&format!("sound {n}"), 100_000));
    }
    let before = disk.counts().bytes_read;
    let done = scrub(&store);
    assert_eq!((done.damaged, done.thousandths), (0, 1000));
    assert!(done.chunks >= 30 && done.bytes > 3_000_000, "{done:?}");
    assert!(disk.counts().bytes_read - before >= done.bytes, "no more is told than was read");
    assert_eq!(kinds(&store), []);
    let last = store.scrubbing().last().unwrap();
    assert_eq!((last.chunks, last.bytes, last.damaged), (done.chunks, done.bytes, 0));
    assert!(last.ended.is_some() && store.scrubbing().now().is_none() && !store.scrubbing().is_running());
}

/// What is done to the file of a record, and what is found then.
type Harm = (FlawKind, fn(&SimDisk, &str, u64));

#[test]
fn every_kind_of_damage_is_found_noted_once_and_healed() {
    let kinds_of_harm: [Harm; 6] = [
        (FlawKind::Header, |disk, path, at| disk.damage(path, at + 70, 1).unwrap()),
        (FlawKind::Bytes, |disk, path, at| disk.damage(path, at + 1000, 1).unwrap()),
        (FlawKind::Header, |disk, path, at| disk.overwrite(path, at, &[0; 512]).unwrap()),
        (FlawKind::CutOff, |disk, path, at| disk.cut_off(path, at + 1000).unwrap()),
        (FlawKind::Unreadable, |disk, path, at| disk.unreadable(path, at + 512..at + 1024).unwrap()),
        (FlawKind::Misplaced, |disk, path, at| {
            // The record before it, once more: the disk wrote it to the wrong place.
            let mut other = vec![0; 50_000];
            let file = disk.open(path, crate::store::io::Mode::Read).unwrap();
            file.read_at(&mut other, 4096).unwrap();
            disk.overwrite(path, at, &other).unwrap();
        }),
    ];
    for (kind, harm) in kinds_of_harm {
        let disk = SimDisk::new();
        let store = open(&disk);
        let other = put(&store, &noise("other", 50_000));
        let body = noise("harmed", 50_000);
        let id = put(&store, &body);
        let (chunk, row, path) = place(&store, id);
        harm(&disk, &path, row.offset);
        assert_eq!(scrub(&store).damaged, 1, "{kind:?}");
        assert_eq!(kinds(&store), [(Part::Chunk(chunk), kind)]);
        let first = known(&store.snapshot().unwrap(), None, 1).unwrap().remove(0).row;
        assert_eq!((first.expected, store.blobs().damaged()), (*blake3::hash(&body).as_bytes(), 1));
        // Under a damaged header the content may be whole, and that is told.
        assert!(kind == FlawKind::Header || first.found != Some(first.expected));
        assert_eq!(scrub(&store).damaged, 1, "known, and still damaged");
        let again = known(&store.snapshot().unwrap(), None, 1).unwrap().remove(0).row;
        assert_eq!(again.seen, first.seen, "first seen stays");
        assert!(get(&store, id).is_err() && get(&store, other).is_ok(), "{kind:?}");
        let healed = put(&store, &body);
        assert!(get(&store, healed).unwrap() == body && get(&store, id).unwrap() == body);
        assert_eq!((kinds(&store), store.blobs().damaged()), (vec![], 0));
        assert_eq!((scrub(&store).damaged, recount(&store, &[other, id, healed]).found), (0, 0));
    }
}

#[test]
fn what_is_there_is_told_beside_what_should_be() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let mut body = noise("found", 50_000);
    let id = put(&store, &body);
    let (_, row, path) = place(&store, id);
    disk.damage(&path, row.offset + 136 + 7, 4).unwrap();
    scrub(&store);
    body[7] ^= 4;
    let known = known(&store.snapshot().unwrap(), None, 1).unwrap().remove(0).row;
    assert_eq!(known.found, Some(*blake3::hash(&body).as_bytes()));
}

/// A cable, a controller or a file put back: what is whole again may be shared again.
#[test]
fn a_chunk_that_is_whole_again_is_no_damage_any_more() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let body = noise("back", 50_000);
    let id = put(&store, &body);
    let (.., path) = place(&store, id);
    disk.unreadable(&path, 4096..9000).unwrap();
    assert!(get(&store, id).is_err());
    store.step_all();
    assert_eq!(kinds(&store).len(), 1, "the reader noted it");
    disk.unreadable(&path, 0..0).unwrap();
    assert_eq!(scrub(&store).damaged, 0);
    assert_eq!((kinds(&store), store.blobs().damaged()), (vec![], 0));
    let chunks = recount(&store, &[id]).chunks;
    let again = put(&store, &body);
    assert_eq!(recount(&store, &[id, again]).chunks, chunks, "it is shared");
}

#[test]
fn reading_a_damaged_chunk_that_came_back_is_enough() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let body = noise("read", 50_000);
    let id = put(&store, &body);
    let (chunk, _, path) = place(&store, id);
    disk.damage(&path, 5000, 1).unwrap();
    assert!(get(&store, id).is_err());
    store.step_all();
    assert_eq!(kinds(&store), [(Part::Chunk(chunk), FlawKind::Bytes)]);
    assert!(get(&store, id).is_err(), "and once more, known as it is");
    store.step_all();
    assert_eq!(store.blobs().damaged(), 1);
    disk.damage(&path, 5000, 1).unwrap();
    assert!(get(&store, id).unwrap() == body);
    store.step_all();
    assert_eq!((kinds(&store), store.blobs().damaged()), (vec![], 0));
    let chunks = recount(&store, &[id]).chunks;
    let again = put(&store, &body);
    assert_eq!(recount(&store, &[id, again]).chunks, chunks, "it is shared");
}

/// The story: each finding had all others counted, on the committer's thread. A dying disk held up
/// every write.
#[test]
fn one_finding_more_or_less_has_nobody_read_all_others() {
    const MANY: u64 = 300;
    let disk = SimDisk::new();
    let store = open(&disk);
    let body = noise("one more", 50_000);
    let id = put(&store, &body);
    let (.., path) = place(&store, id);
    store
        .apply(None, |tx| {
            let (flaw, now) = (Flaw::from(FlawKind::Header), tx.now());
            (1..=MANY).try_for_each(|n| damage::note_segment(tx, SegmentId(1000 + n), flaw, now).map(drop))
        })
        .unwrap();
    drop(store);
    let store = open(&disk);
    assert_eq!(store.blobs().damaged(), MANY, "counted at the start");
    let before = store.meta().counters().rows_read;
    disk.damage(&path, 5000, 1).unwrap();
    for known in [MANY + 1, MANY, MANY + 1] {
        let read = get(&store, id);
        assert_eq!(read.is_err(), known > MANY);
        store.step_all();
        assert_eq!(store.blobs().damaged(), known);
        disk.damage(&path, 5000, 1).unwrap();
    }
    disk.damage(&path, 5000, 1).unwrap();
    let healed = put(&store, &body);
    assert!(get(&store, id).is_ok() && get(&store, healed).is_ok());
    assert_eq!(store.blobs().damaged(), MANY);
    let read = store.meta().counters().rows_read - before;
    assert!(read < MANY, "{read} rows were read");
    // A run counts what there is.
    scrub(&store);
    assert_eq!(store.blobs().damaged(), MANY);
}

/// The story: the second look let go of as many bytes as are stored, not of the header before them.
#[test]
fn a_fault_of_memory_alone_is_no_damage_wherever_in_the_record_it_is() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let id = put(&store, &noise("memory", 50_000));
    let (_, row, path) = place(&store, id);
    assert_eq!(row.stored_len, 50_000);
    for at in [70, 1000, record_bytes(row.stored_len) - 10] {
        disk.mishold(&path, row.offset + at).unwrap();
        assert!(get(&store, id).is_err(), "{at}");
        store.step_all();
        assert_eq!(kinds(&store), [], "{at}");
        assert!(get(&store, id).is_ok(), "{at}");
    }
}

/// Neither of them drops what is needed, whatever the disk says of it.
#[test]
fn what_cannot_be_read_is_never_removed_and_holds_up_nothing_else() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..60).map(|n| put(&store, &noise(&format!("eio {n}"), 300_000))).collect();
    let (chunk, row, path) = place(&store, ids[0]);
    let kept: Vec<_> = ids.iter().copied().step_by(3).collect();
    ids.iter().filter(|id| !kept.contains(id)).for_each(|id| release(&store, *id));
    disk.unreadable(&path, row.offset..row.offset + 4096).unwrap();
    let report = Collector::begin(&store, ALL).unwrap().run().unwrap();
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert!(report.segments_removed > 0, "the others are moved and removed");
    store.step_all();
    assert_eq!(kinds(&store), [(Part::Chunk(chunk), FlawKind::Unreadable)]);
    disk.unreadable(&path, 0..0).unwrap();
    for (n, id) in kept.iter().enumerate() {
        assert!(get(&store, *id).unwrap() == noise(&format!("eio {}", n * 3), 300_000), "{n}");
    }
}

#[test]
fn a_damaged_chunk_that_is_deleted_takes_its_row_along() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let (id, kept) = (put(&store, &noise("gone", 50_000)), put(&store, &noise("kept", 50_000)));
    let (_, row, path) = place(&store, id);
    disk.damage(&path, row.offset + 500, 1).unwrap();
    scrub(&store);
    assert_eq!(store.blobs().damaged(), 1);
    release(&store, id);
    Collector::begin(&store, ALL).unwrap().run().unwrap();
    assert_eq!((kinds(&store), store.blobs().damaged()), (vec![], 0));
    assert!(get(&store, kept).is_ok());
}

#[test]
fn a_run_goes_on_where_it_was_and_one_of_a_portion_leaves_it_alone() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..400).map(|n| put(&store, &noise(&format!("resume {n}"), 20_000))).collect();
    let mut first = Scrubber::resume(&store).unwrap();
    assert!(matches!(Scrubber::resume(&store), Err(StoreError::Busy(_))));
    past_metadata(&mut first);
    first.step().unwrap();
    first.save().unwrap();
    let so_far = first.summary();
    assert!(so_far.chunks > 0 && so_far.chunks < 400, "{so_far:?}");
    drop(first);
    let third = Portion::new(1, 3).unwrap();
    let part = Scrubber::begin(&store, third).unwrap().run().unwrap();
    assert!(part.chunks < 250 && store.scrubbing().last().is_none());
    drop(store);
    let store = open(&disk);
    assert_eq!(store.scrubbing().now(), Some(so_far));
    let rest = Scrubber::resume(&store).unwrap();
    assert_eq!(rest.summary(), so_far);
    // What it has done is not done again; what is left is.
    let (_, early, path) = place(&store, ids[0]);
    disk.damage(&path, early.offset + 500, 1).unwrap();
    let (chunk, late, path) = place(&store, ids[399]);
    disk.damage(&path, late.offset + 500, 1).unwrap();
    let done = rest.run().unwrap();
    assert_eq!((done.chunks, done.damaged), (400, 1));
    assert_eq!(kinds(&store), [(Part::Chunk(chunk), FlawKind::Bytes)]);
    assert!(store.scrubbing().now().is_none());
    assert_eq!(scrub(&store).damaged, 2);
}

/// Whoever paces a run makes way for others, and not for the run itself.
#[test]
fn a_run_tells_the_work_of_others_from_its_own() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..300).map(|n| put(&store, &noise(&format!("pace {n}"), 5_000))).collect();
    let mut scrubber = Scrubber::begin(&store, Portion::ALL).unwrap();
    let alone = scrubber.others();
    past_metadata(&mut scrubber);
    assert!(matches!(scrubber.step(), Ok(Step::More(1..))) && scrubber.others() == alone);
    get(&store, ids[0]).unwrap();
    let read = scrubber.others();
    assert!(read > alone);
    assert!(matches!(scrubber.step(), Ok(Step::More(1..))) && scrubber.others() == read);
    put(&store, b"new");
    assert!(scrubber.others() > read);
}

#[test]
fn portions_find_together_what_there_is() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..300).map(|n| put(&store, &noise(&format!("part {n}"), 5_000))).collect();
    for id in ids.iter().step_by(50) {
        let (_, row, path) = place(&store, *id);
        disk.damage(&path, row.offset + 500, 1).unwrap();
    }
    let portions = (1..=4).map(|number| Portion::new(number, 4).unwrap());
    let found: Vec<_> =
        portions.map(|portion| Scrubber::begin(&store, portion).unwrap().run().unwrap()).collect();
    assert_eq!(found.iter().map(|done| done.chunks).sum::<u64>(), 300);
    assert_eq!(found.iter().map(|done| done.damaged).sum::<u64>(), 6);
    assert_eq!(kinds(&store).len(), 6);
}

/// Flips a bit of a row wherever the file of the metadata has it.
fn decay(disk: &SimDisk, table: Table, (key, value): &(Vec<u8>, Vec<u8>)) {
    let row = with_sum(table, key, value);
    let path = "meta/holdall.redb";
    let file = disk.open(path, crate::store::io::Mode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&row)).collect();
    assert!(!places.is_empty(), "the row is nowhere");
    places.into_iter().for_each(|at| disk.damage(path, at as u64, 4).unwrap());
}

/// The story: one damaged row of a chunk ended every scrub where it was. What lies behind it was
/// never looked at again.
#[test]
fn a_run_goes_on_past_damaged_rows_of_chunks_and_segments_and_ends_as_damage() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..100).map(|n| put(&store, &noise(&format!("past {n}"), 6_000))).collect();
    seal_all(&store);
    let other = put(&store, &noise("in another segment", 50_000));
    seal_all(&store);
    let (.., first) = place(&store, ids[0]);
    let (behind, late, path) = place(&store, other);
    assert_ne!(first, path);
    // In the middle, beside each other, and the last of all.
    let lost = [ids[3], ids[4], ids[80], put(&store, &noise("the last", 6_000))];
    let rows = lost.iter().map(|id| place(&store, *id)).map(|(no, row, _)| (number_key(no.0), row.encode()));
    let rows: Vec<_> = rows.collect();
    disk.damage(&path, late.offset + 1000, 1).unwrap();
    let end = disk.open(&path, crate::store::io::Mode::Read).unwrap().len().unwrap();
    disk.damage(&path, end - 10, 1).unwrap();
    drop(store);
    rows.iter().for_each(|row| decay(&disk, Table::Chunk, row));
    let store = open(&disk);
    let found = [(Part::Chunk(behind), FlawKind::Bytes), (Part::Segment(late.segment), FlawKind::Footer)];
    for run in 0..2 {
        let done = scrub(&store);
        assert_eq!((done.damaged, done.thousandths), (6, 1000), "{run}");
        assert_eq!((done.chunks, kinds(&store)), (98, found.to_vec()));
        assert_eq!(
            store.scrubbing().last().map(|last| (last.damaged, last.ended.is_some())),
            Some((6, true))
        );
    }
    // Whoever reads no row of the metadata counts those that he goes past.
    let portions = (1..=3).map(|number| Portion::new(number, 3).unwrap());
    let each: Vec<_> =
        portions.map(|portion| Scrubber::begin(&store, portion).unwrap().run().unwrap()).collect();
    assert!(
        each[1..].iter().any(|done| done.damaged > 0)
            && each.iter().map(|done| done.damaged).sum::<u64>() >= 6
    );
}

#[test]
fn a_row_of_a_segment_that_says_nothing_hides_no_other_segment() {
    let disk = SimDisk::new();
    let store = open(&disk);
    put(&store, &noise("first segment", 50_000));
    seal_all(&store);
    let id = put(&store, &noise("second segment", 50_000));
    seal_all(&store);
    let (_, row, path) = place(&store, id);
    disk.damage(&path, 100, 1).unwrap();
    store
        .apply(None, |tx| {
            tx.put(Table::Segment, number_key(1), b"nothing".to_vec());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let mut scrubber = Scrubber::begin(&store, Portion::ALL).unwrap();
    while scrubber.step().unwrap() != Step::Done {}
    assert_eq!(scrubber.step().unwrap(), Step::Done);
    assert_eq!(scrubber.summary().damaged, 2, "the row, and the header of the other");
    assert_eq!(kinds(&store), [(Part::Segment(row.segment), FlawKind::Header)]);
}

/// Notes of scrubbing that are damaged themselves end nothing either.
#[test]
fn a_run_ends_whatever_became_of_its_own_rows() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let id = put(&store, &noise("own rows", 50_000));
    let (_, row, path) = place(&store, id);
    disk.damage(&path, row.offset + 1000, 1).unwrap();
    scrub(&store);
    Scrubber::resume(&store).unwrap().run().unwrap();
    let mut cut_off = Scrubber::resume(&store).unwrap();
    past_metadata(&mut cut_off);
    cut_off.save().unwrap();
    drop(cut_off);
    let rows = store.snapshot().unwrap();
    let scan = |table| rows.scan(table, &KeyRange::prefix(vec![]), Order::Forward, 99).unwrap();
    let of_scrub: Vec<_> =
        scan(Table::Config).into_iter().filter(|(key, _)| key.starts_with(b"scrub-")).collect();
    let notes = scan(Table::Damage);
    assert_eq!((of_scrub.len(), notes.len()), (4, 1));
    drop(rows);
    drop(store);
    of_scrub.iter().for_each(|row| decay(&disk, Table::Config, row));
    notes.iter().for_each(|row| decay(&disk, Table::Damage, row));
    let store = open(&disk);
    assert_eq!((store.scrubbing().now(), store.scrubbing().last(), store.blobs().damaged()), (None, None, 1));
    let done = Scrubber::resume(&store).unwrap().run().unwrap();
    assert_eq!(done.damaged, 6, "five rows, and the chunk");
    assert_eq!(kinds(&store).len(), 1, "its note is written anew");
    assert_eq!((scrub(&store).damaged, store.blobs().damaged()), (1, 1));
}

#[test]
fn the_frame_of_a_segment_is_looked_at_and_its_damage_ends_with_it() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids: Vec<_> = (0..4).map(|n| put(&store, &noise(&format!("frame {n}"), 60_000))).collect();
    seal_all(&store);
    let (_, row, path) = place(&store, ids[0]);
    let end = disk.open(&path, crate::store::io::Mode::Read).unwrap().len().unwrap();
    for (at, kind) in [(100, FlawKind::Header), (end - 10, FlawKind::Footer)] {
        disk.damage(&path, at, 1).unwrap();
        assert_eq!(scrub(&store).damaged, 1);
        assert_eq!(kinds(&store), [(Part::Segment(row.segment), kind)]);
        disk.damage(&path, at, 1).unwrap();
        assert_eq!(scrub(&store).damaged, 0);
        assert_eq!(kinds(&store), []);
    }
    disk.damage(&path, end - 10, 1).unwrap();
    scrub(&store);
    ids[..3].iter().for_each(|id| release(&store, *id));
    Collector::begin(&store, ALL).unwrap().run().unwrap();
    assert_eq!((kinds(&store), store.blobs().damaged()), (vec![], 0), "its chunks lie elsewhere");
    assert!(get(&store, ids[3]).is_ok());
}

/// The story: a bad sector in a segment that was being written kept the whole store from opening.
#[test]
fn a_bad_sector_keeps_nobody_from_opening_the_store() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let (bad, good) = (put(&store, &noise("bad", 50_000)), put(&store, &noise("good", 200_000)));
    let (chunk, row, path) = place(&store, bad);
    drop(store);
    disk.unreadable(&path, row.offset..row.offset + 512).unwrap();
    let store = open(&disk);
    assert!(get(&store, good).unwrap() == noise("good", 200_000) && get(&store, bad).is_err());
    put(&store, &noise("more", 50_000));
    scrub(&store);
    assert_eq!(kinds(&store), [(Part::Chunk(chunk), FlawKind::Unreadable)]);
    let _ = Collector::begin(&store, ALL).unwrap().run();
    drop(store);
    disk.unreadable(&path, 0..0).unwrap();
    let store = open(&disk);
    assert!(get(&store, bad).unwrap() == noise("bad", 50_000));
}

/// An error that says nothing about the bytes is none of them: nothing is called damaged.
#[test]
fn a_disk_that_cannot_open_files_just_now_damages_nothing() {
    for (fault, wanted) in [(Failing::Descriptors, "try again"), (Failing::Open, "not available: a segment")]
    {
        let disk = SimDisk::new();
        let ids: Vec<_> = {
            let store = open(&disk);
            let ids = (0..3).map(|n| put(&store, &noise(&format!("busy {n}"), 50_000))).collect();
            seal_all(&store);
            ids
        };
        let faulty = FaultyDisk::new(disk.clone());
        let store = Store::open(options(faulty.clone())).unwrap();
        release(&store, ids[0]);
        faulty.plan(Plan { fault, call: 0, forever: true });
        let mut scrubber = Scrubber::begin(&store, Portion::ALL).unwrap();
        past_metadata(&mut scrubber);
        let refused = |error: StoreError| assert!(error.to_string().starts_with(wanted), "{error:?}");
        refused(scrubber.step().unwrap_err());
        refused(get(&store, ids[1]).unwrap_err());
        assert!(Collector::begin(&store, ALL).unwrap().run().is_err(), "nothing is moved or removed");
        store.step_all();
        assert_eq!((kinds(&store), store.blobs().damaged()), (vec![], 0));
        faulty.heal();
        while scrubber.step().unwrap() != Step::Done {}
        assert_eq!(scrubber.summary().damaged, 0);
        drop(scrubber);
        Collector::begin(&store, ALL).unwrap().run().unwrap();
        assert_eq!((kinds(&store), recount(&store, &ids[1..]).found), (vec![], 0));
    }
}
