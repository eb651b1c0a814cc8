//! Compaction: what lives in sparse segments is moved, or stays where it is.

use super::*;

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
fn compaction_needs_room_for_what_it_moves_and_collecting_needs_none() {
    let disk = SimDisk::new();
    let room = RoomOptions { reserve_bytes: Some(4 << 20), full_below_bytes: Some(64 << 20) };
    let options = StoreOptions { room, segment_bytes: 64 << 20, ..options(disk.clone()) };
    let store = Store::open(options).unwrap();
    let ids: Vec<_> = (0..60).map(|n| put(&store, &noise(&format!("room {n}"), 300_000))).collect();
    ids.iter().skip(1).step_by(2).for_each(|id| release(&store, *id));
    // Nine of them live: with the reserve there is room for seven.
    disk.set_free(3 << 20);
    let report = collect(&store, ALL);
    assert!(report.no_room && report.segments_compacted == 0 && report.chunks_deleted > 0);
    let reserve = || disk.open("reserve", crate::store::io::Mode::Read).map_or(0, |file| file.len().unwrap());
    assert_eq!(reserve(), 4 << 20, "it would not help, and stays");
    disk.set_free(7 << 20);
    let report = collect(&store, ALL);
    assert!(
        !report.no_room && report.segments_compacted == 1 && report.bytes_returned > 15 << 20,
        "{report:?}"
    );
    disk.set_free(0);
    ids.iter().step_by(2).for_each(|id| release(&store, *id));
    let report = collect(&store, ALL);
    assert!(report.bytes_returned > 8 << 20, "{report:?}");
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
    let first = segment_paths(&disk).remove(0);
    disk.damage(&first, 100_000, 1).unwrap();
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
    collect(&store, ALL);
    assert!(segment_paths(&disk).contains(&first), "it stays");
    // Sent again it heals, and the segment can go.
    let again = put(&store, &noise("bad 0", 300_000));
    let kept = [&kept[..], &[again]].concat();
    assert_eq!(recount(&store, &kept).findings, []);
    collect(&store, ALL);
    assert!(!segment_paths(&disk).contains(&first), "nothing holds it up any more");
    assert!(get(&store, kept[0]).unwrap() == noise("bad 0", 300_000));
}

#[test]
fn a_row_that_names_another_place_by_now_is_not_switched() {
    let mut rows = Memory::default();
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
