use super::*;
use crate::{
    model::{
        ids::{ChunkNo, ManifestId},
        time::Timestamp,
    },
    store::{
        Store,
        blobs::{
            damage,
            rows::{ChunkRow, ChunkState, find_chunk},
            verify::Finding,
        },
        collect::{CollectOptions, Collector},
        io::{
            Mode, Site,
            sim::{
                SimDisk,
                left_out::{LeftOut, unmissed},
            },
        },
        meta::{
            rows::{KeyRange, Order, Rows as _},
            table::Table,
        },
        segments,
        tests::{account, get, noise, open, put, recount, release, seal, stage},
    },
};

const META: &str = "meta/holdall.redb";
const COLLECT: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };

fn options(disk: &SimDisk, force: bool) -> RebuildOptions {
    RebuildOptions {
        io: Arc::new(disk.clone()),
        now: Arc::new(|| Timestamp(0)),
        room: RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) },
        force,
        from_snapshot: true,
        leap: 7,
        repair: Arc::new(|_| {}),
        progress: Arc::new(|_, _| {}),
    }
}

/// Bodies of all sizes, some of them twice and one given up.
fn bodies() -> Vec<Vec<u8>> {
    let sizes = [10, 5000, 70_000, 1 << 20, 3 << 20];
    let mut all: Vec<Vec<u8>> = sizes.iter().map(|&size| noise(&size.to_string(), size)).collect();
    all.push(all[4].clone());
    all.push([all[3].clone(), noise("more", 100_000)].concat());
    all
}

fn fill(store: &Store) -> Vec<ManifestId> {
    let ids = bodies().iter().map(|bytes| put(store, bytes)).collect();
    release(store, put(store, &noise("gone", 300_000)));
    store.step_all();
    ids
}

fn assert_whole(store: &Store, ids: &[ManifestId]) {
    for (id, bytes) in ids.iter().zip(bodies()) {
        assert!(get(store, *id).unwrap() == bytes, "{id:?}");
    }
    let found = recount(store, ids);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

/// Removes rows, as if they could not be read any more.
fn wipe(store: &Store, tables: &'static [Table]) {
    for &table in tables {
        let rows = store.snapshot().unwrap();
        let rows = rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX).unwrap();
        let keys: Vec<Vec<u8>> = rows.into_iter().map(|row| row.0).collect();
        let wiped = store.apply::<(), StoreError>(None, move |tx| {
            use crate::store::meta::rows::RowsMut as _;
            keys.iter().for_each(|key| tx.delete(table, key.clone()));
            Ok(())
        });
        wiped.unwrap();
    }
}

fn bytes_of(disk: &SimDisk, path: &str) -> Vec<u8> {
    let file = disk.open(path, Mode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn ruin(disk: &SimDisk, path: &str) {
    let length = bytes_of(disk, path).len();
    disk.open(path, Mode::ReadWrite).unwrap().write_at(&noise("ruin", length), 0).unwrap();
}

fn snapshot(store: &Store, disk: &SimDisk) {
    let rows = store.snapshot().unwrap();
    snapshots::take(disk, &rows, (store.dir().uuid(), Timestamp(77)), 4, &mut |_| Ok(())).unwrap();
}

#[test]
fn the_places_of_chunks_come_back_from_the_segments_alone() {
    let all: &[&'static [Table]] = &[
        &[Table::Chunk, Table::ChunkRc, Table::ChunkHash, Table::Segment],
        &[Table::Chunk],
        &[Table::ChunkRc],
        &[Table::Segment],
    ];
    for tables in all {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids = fill(&store);
        let life = store.meta().incarnation();
        wipe(&store, tables);
        drop(store);
        let done = rebuild(&options(&disk, false)).unwrap();
        assert_eq!((done.names, done.lost), (Names::Current, 0), "{tables:?}");
        assert!(done.reason.is_some() && done.chunks > 0 && done.records >= done.chunks, "{done:?}");
        assert!(disk.list("meta").unwrap().contains(&"holdall.redb.kept-1".to_owned()));
        let store = open(&disk);
        assert_whole(&store, &ids);
        assert_eq!(store.meta().incarnation(), life + 8);
        // Content that is there is found, and new chunks have new numbers.
        let before = rows_of(&store);
        let again = put(&store, &bodies()[4]);
        assert_eq!(rows_of(&store).len(), before.len());
        let new = put(&store, &noise("new", 5000));
        assert!(rows_of(&store).last().unwrap().0 > before.last().unwrap().0);
        let found = recount(&store, &[&ids[..], &[again, new]].concat());
        assert!(found.findings.is_empty(), "{:?}", found.findings);
    }
}

fn rows_of(store: &Store) -> Vec<(u64, ChunkRow)> {
    use crate::store::{blobs::rows::number_behind, meta::codec::Row as _};
    let rows = store.snapshot().unwrap();
    let rows = rows.scan(Table::Chunk, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX).unwrap();
    rows.iter()
        .map(|(key, value)| (number_behind(key, 0).unwrap(), ChunkRow::decode(value).unwrap()))
        .collect()
}

#[test]
fn where_nothing_is_wrong_nothing_is_done_unless_it_is_asked_for() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids = fill(&store);
    let busy = rebuild(&options(&disk, true));
    assert!(matches!(busy, Err(StoreError::Refused(_))), "{busy:?}");
    drop(store);
    let before = bytes_of(&disk, META);
    let Err(StoreError::Refused(why)) = rebuild(&options(&disk, false)) else { panic!() };
    assert!(why.contains("--force"), "{why}");
    assert!(bytes_of(&disk, META) == before);
    assert_eq!(disk.list("meta").unwrap(), ["holdall.redb"]);
    let done = rebuild(&options(&disk, true)).unwrap();
    assert_eq!((done.names, done.reason, done.lost), (Names::Current, None, 0));
    assert!(bytes_of(&disk, "meta/holdall.redb.kept-1") == before);
    assert_whole(&open(&disk), &ids);
}

#[test]
fn everything_comes_back_from_a_snapshot_and_the_segments() {
    for lost in ["missing", "damaged", "empty"] {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids = fill(&store);
        snapshot(&store, &disk);
        let later = put(&store, &noise("later", 200_000));
        let highest = rows_of(&store).last().unwrap().0;
        let segment = rows_of(&store).iter().map(|(_, row)| row.segment.0).max().unwrap();
        drop(store);
        match lost {
            "missing" => disk.remove(META).unwrap(),
            "damaged" => ruin(&disk, META),
            _ => disk.open(META, Mode::ReadWrite).unwrap().set_len(0).unwrap(),
        }
        let told = Store::open(crate::store::tests::options(disk.clone())).unwrap_err().to_string();
        assert!(told.contains("`holdall rebuild`"), "{told}");
        // What was written since the snapshot is not given up unasked.
        let unasked = RebuildOptions { from_snapshot: false, ..options(&disk, false) };
        let refused = rebuild(&unasked).unwrap_err().to_string();
        assert!(refused.contains("1970-01-01T00:00:00Z") && refused.contains("--from-snapshot"), "{refused}");
        let done = rebuild(&options(&disk, false)).unwrap();
        let reason = done.reason.clone().unwrap();
        assert!(reason.starts_with(META) && !reason.contains("holdall rebuild"), "{reason}");
        assert!(matches!(done.names, Names::Snapshot(kept) if kept.taken_at == Timestamp(77)), "{done:?}");
        assert_eq!((done.lost, done.kept.is_some()), (0, lost != "missing"));
        let store = open(&disk);
        assert_whole(&store, &ids);
        // What was stored later has no name; its numbers are never given out again.
        assert!(get(&store, later).is_err());
        let new = put(&store, &noise("new", 5000));
        assert!(new > later, "{new:?} {later:?}");
        let (chunk, row) = rows_of(&store).pop().unwrap();
        assert!(chunk > highest && row.segment.0 > segment, "{chunk} {row:?}");
    }
}

#[test]
fn a_snapshot_that_the_disk_cannot_read_is_passed_over() {
    for bad in [0..512, 100..u64::MAX] {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids = fill(&store);
        snapshot(&store, &disk);
        snapshot(&store, &disk);
        drop(store);
        disk.remove(META).unwrap();
        disk.unreadable("meta/snapshots/00000002.snap", bad).unwrap();
        let done = rebuild(&options(&disk, false)).unwrap();
        assert!(matches!(done.names, Names::Snapshot(kept) if kept.number == 1), "{done:?}");
        assert_whole(&open(&disk), &ids);
    }
}

/// The copy that is put by could not be made, so a bad sector in the metadata ended what it asks for.
#[test]
fn metadata_that_the_disk_cannot_read_is_made_anew() {
    for snapshots in [1, 0] {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids = fill(&store);
        (0..snapshots).for_each(|_| snapshot(&store, &disk));
        drop(store);
        let before = bytes_of(&disk, META);
        disk.unreadable(META, 0..before.len() as u64 / 2).unwrap();
        let done = rebuild(&options(&disk, false));
        if snapshots > 0 {
            let kept = done.unwrap().kept.unwrap();
            assert!(bytes_of(&disk, &kept)[before.len() / 2..] == before[before.len() / 2..]);
            assert_whole(&open(&disk), &ids);
        } else {
            assert!(matches!(done, Err(StoreError::Refused(_))), "{done:?}");
            disk.unreadable(META, 0..0).unwrap();
            assert!(bytes_of(&disk, META) == before);
            assert_whole(&open(&disk), &ids);
        }
    }
}

#[test]
fn without_a_whole_snapshot_names_are_not_made_up() {
    let disk = SimDisk::new();
    let store = open(&disk);
    fill(&store);
    drop(store);
    ruin(&disk, META);
    let damaged = bytes_of(&disk, META);
    let Err(StoreError::Refused(why)) = rebuild(&options(&disk, true)) else { panic!() };
    assert!(why.contains("no whole snapshot"), "{why}");
    assert!(bytes_of(&disk, META) == damaged);
    assert_eq!(disk.list("meta").unwrap(), ["holdall.redb"]);
}

#[test]
fn a_chunk_that_no_segment_has_is_told_and_healed_by_the_same_content() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids = fill(&store);
    snapshot(&store, &disk);
    let victim = rows_of(&store).into_iter().find(|(_, row)| row.raw_len == 5000).unwrap();
    drop(store);
    let path = segments::path_of(victim.1.segment);
    disk.damage(&path, victim.1.offset + 200, 8).unwrap();
    disk.remove(META).unwrap();
    let done = rebuild(&options(&disk, false)).unwrap();
    assert_eq!(done.lost, 1, "{done:?}");
    let store = open(&disk);
    assert!(matches!(get(&store, ids[1]), Err(StoreError::Damaged(_))));
    // Without a scrub: it was never told which files need it.
    let damaged = damage::known(&store.snapshot().unwrap(), None, 9).unwrap();
    assert_eq!((damaged.len(), damaged[0].row.expected), (1, victim.1.digest), "{damaged:?}");
    let row = find_chunk(&store.snapshot().unwrap(), ChunkNo(victim.0)).unwrap().unwrap();
    assert_eq!((row.state, row.digest), (ChunkState::Bad, victim.1.digest));
    assert!(!recount(&store, &ids).findings.is_empty());
    for (at, bytes) in bodies().iter().enumerate().filter(|(at, _)| *at != 1) {
        assert!(get(&store, ids[at]).unwrap() == *bytes);
    }
    let again = seal(&store, stage(&store, &bodies()[1], &account(1))).unwrap();
    assert!(get(&store, ids[1]).unwrap() == bodies()[1]);
    let found = recount(&store, &[&ids[..], &[again]].concat());
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

/// There was no row at all then: the file could not be deleted, for the collector ended at it.
#[test]
fn a_chunk_of_which_nothing_is_left_is_told_and_goes_with_its_file() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids = fill(&store);
    let (number, victim) = rows_of(&store).into_iter().find(|(_, row)| row.raw_len == 5000).unwrap();
    wipe(&store, &[Table::Chunk]);
    drop(store);
    let path = segments::path_of(victim.segment);
    disk.damage(&path, victim.offset + 200, 8).unwrap();
    assert_eq!(rebuild(&options(&disk, false)).unwrap().lost, 1);
    let store = open(&disk);
    assert!(matches!(get(&store, ids[1]), Err(StoreError::Damaged(_))));
    let damaged = damage::known(&store.snapshot().unwrap(), None, 9).unwrap();
    assert_eq!((damaged.len(), damaged[0].part), (1, damage::Part::Chunk(ChunkNo(number))));
    assert!(recount(&store, &ids).findings.contains(&Finding::Bad(ChunkNo(number))));
    drop(store);
    // If the segment comes back, so does the chunk.
    let back = disk.crash(0);
    back.damage(&path, victim.offset + 200, 8).unwrap();
    assert_eq!(rebuild(&options(&back, true)).unwrap().lost, 0);
    assert_whole(&open(&back), &ids);

    let store = open(&disk);
    release(&store, ids[1]);
    for _ in 0..3 {
        Collector::begin(&store, COLLECT).unwrap().run().unwrap();
    }
    assert!(find_chunk(&store.snapshot().unwrap(), ChunkNo(number)).unwrap().is_none());
    let left: Vec<ManifestId> = ids.iter().copied().filter(|id| *id != ids[1]).collect();
    let found = recount(&store, &left);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

/// One bad sector in a segment ended every rebuild: nothing at all came back.
#[test]
fn a_sector_that_the_disk_cannot_read_loses_the_chunk_in_it_and_no_other() {
    for in_header in [true, false] {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids = fill(&store);
        let (_, victim) = rows_of(&store).into_iter().find(|(_, row)| row.raw_len == 70_000).unwrap();
        wipe(&store, &[Table::ChunkRc]);
        drop(store);
        let at = victim.offset + if in_header { 0 } else { 40_000 };
        disk.unreadable(&segments::path_of(victim.segment), at..at + 100).unwrap();
        let done = rebuild(&options(&disk, false)).unwrap();
        assert_eq!(done.lost, 1, "{done:?}");
        assert!(done.damaged_bytes >= 70_000 && done.damaged_bytes < 80_000, "{done:?}");
        let store = open(&disk);
        assert!(get(&store, ids[2]).is_err());
        for (id, bytes) in ids.iter().zip(bodies()).filter(|(_, bytes)| bytes.len() != 70_000) {
            assert!(get(&store, *id).unwrap() == bytes);
        }
        let again = put(&store, &bodies()[2]);
        assert!(get(&store, ids[2]).unwrap() == bodies()[2]);
        let found = recount(&store, &[&ids[..], &[again]].concat());
        assert!(found.findings.is_empty(), "{:?}", found.findings);
    }
}

/// Whether the old metadata is there, under its name or as the copy.
fn is_kept(after: &SimDisk, old: &[u8]) -> bool {
    let names = after.list("meta").unwrap();
    let all = ["holdall.redb", "holdall.redb.kept-1"].into_iter();
    all.filter(|name| names.iter().any(|there| there == name))
        .any(|name| bytes_of(after, &format!("meta/{name}")) == old)
}

/// Whether all is there after a crash at some call; false once there was no crash.
fn crashes_at(base: &SimDisk, calls: u64, seed: u64, opens: bool, ids: &[ManifestId]) -> bool {
    let disk = base.crash(0);
    let old = opens.then(|| bytes_of(&disk, META));
    disk.crash_after(calls);
    let done = rebuild(&options(&disk, false)).is_ok();
    if let Some(old) = old {
        let lost = (0..8).find(|more| !is_kept(&disk.crash(seed * 8 + more), &old));
        assert_eq!(lost, None, "after {calls} calls the old metadata is gone");
    }
    let after = disk.crash(seed);
    if opens {
        // Old or new, it opens.
        drop(open(&after.crash(0)));
    }
    let again = rebuild(&options(&after, true));
    assert!(again.is_ok(), "after {calls} calls: {again:?}");
    assert_whole(&open(&after), ids);
    !done
}

#[test]
fn a_crash_at_any_step_leaves_the_old_state_or_the_new_one() {
    for missing in [false, true] {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids = fill(&store);
        snapshot(&store, &disk);
        wipe(&store, &[Table::Chunk]);
        drop(store);
        if missing {
            disk.remove(META).unwrap();
            disk.sync_dir("meta", Site::MetaDir).unwrap();
        }
        let mut calls = 0;
        while crashes_at(&disk, calls, calls * 7 + 1, !missing, &ids) {
            calls += 1;
        }
        assert!(calls > 10, "{calls}");
    }
}

#[test]
fn without_either_sync_of_the_copy_the_old_metadata_may_be_lost() {
    let base = SimDisk::new();
    let store = open(&base);
    fill(&store);
    wipe(&store, &[Table::Chunk]);
    drop(store);
    for site in [Site::KeptData, Site::KeptDir] {
        let missed = |left_out: LeftOut, seed| {
            let disk = base.crash(0);
            let old = bytes_of(&disk, META);
            disk.leave_out(left_out);
            drop(rebuild(&options(&disk, false)));
            !is_kept(&disk.crash(seed), &old)
        };
        assert_eq!(unmissed(site, 1, missed), [0; 0], "{site:?}");
    }
}

#[test]
fn records_are_found_whether_a_segment_has_its_footer_or_not() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let ids = fill(&store);
    let open_now = store.segments().open_segments().len();
    assert!(open_now > 0);
    snapshot(&store, &disk);
    // As after a cut: nothing was closed.
    std::mem::forget(store);
    let after = disk.crash(3);
    after.remove(META).unwrap();
    let done = rebuild(&options(&after, false)).unwrap();
    assert_eq!(done.lost, 0, "{done:?}");
    assert_whole(&open(&after), &ids);
}
