//! Bodies in and out: what is stored once, shared, refused and found again.

use super::{super::blobs::rows, *};
use crate::{model::ids::ChunkNo, store::segments::LaneKind};

/// Text that compresses, and that the chunker cuts.
fn text(length: usize) -> Vec<u8> {
    let words = noise("words", length / 8 + 8);
    words.iter().flat_map(|byte| format!("word {byte:03}").into_bytes()).take(length).collect()
}

#[test]
fn bytes_out_are_bytes_in_whatever_their_size_and_kind() {
    let store = open(&SimDisk::new());
    for size in [0, 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 5 << 20] {
        for bytes in [noise("body", size), vec![0; size], text(size)] {
            let mut options = account(1);
            options.size = Some(size as u64);
            let staged = stage(&store, &bytes, &options);
            assert_eq!(staged.size, size as u64);
            let id = seal(&store, staged).unwrap();
            assert_eq!(manifest::size(&store.snapshot().unwrap(), id).unwrap(), size as u64);
            assert!(get(&store, id).unwrap() == bytes, "{size}");
        }
    }
}

#[test]
fn the_split_of_a_body_does_not_matter_and_neither_do_two_threads() {
    let store = open(&SimDisk::new());
    let bytes = noise("split", 3 << 20);
    let whole = put(&store, &bytes);
    let mut ingest = store.begin(&account(1)).unwrap();
    for piece in bytes.chunks(700_001) {
        let super::super::blobs::Ingest { mut chunks, mut digests } = ingest;
        ingest = std::thread::scope(|scope| {
            let chunks = scope.spawn(move || chunks.write(piece).map(|()| chunks));
            digests.update(piece);
            super::super::blobs::Ingest { chunks: chunks.join().unwrap().unwrap(), digests }
        });
    }
    let id = seal(&store, Arc::new(ingest.finish().unwrap())).unwrap();
    assert!(get(&store, id).unwrap() == bytes);
    let recount = recount(&store, &[whole, id]);
    assert_eq!((recount.findings.len(), recount.manifests), (0, 2));
    assert_eq!(recount.chunks, recount.referenced);
}

#[test]
fn any_range_is_read() {
    let store = open(&SimDisk::new());
    let mut bytes = noise("range", 3 << 20);
    bytes[1 << 20..5 << 19].fill(0);
    let id = put(&store, &bytes);
    let mut reader = store.reader(id).unwrap();
    for (offset, max) in
        [(0, 1), (1, 100), (1_200_000, 70_000), (3 << 20, 1), (2_000_000, 1 << 20), (9 << 20, 9)]
    {
        let read = reader.read(offset as u64, max).unwrap();
        assert!(read.len() <= max);
        assert_eq!(read.is_empty(), offset >= bytes.len());
        assert!(read[..] == *bytes.get(offset..offset + read.len()).unwrap_or_default(), "{offset}");
    }
    assert!(reader.read(0, 0).unwrap().is_empty());
}

#[test]
fn digests_come_with_the_body() {
    let store = open(&SimDisk::new());
    let options = IngestOptions {
        checksums: vec![crate::model::checksum::ChecksumKind::Crc32],
        sha256: true,
        ..account(1)
    };
    let staged = stage(&store, b"123456789", &options);
    assert_eq!(hex::encode(staged.digests.md5), "25f9e794323b453885f5181f1b624d0b");
    assert_eq!(hex::encode(&staged.digests.checksums[0].value), "cbf43926");
    assert!(staged.digests.sha256.is_some());
}

#[test]
fn the_same_content_is_stored_once_in_a_domain() {
    let store = open(&SimDisk::new());
    let bytes = noise("same", 2 << 20);
    let first = put(&store, &bytes);
    let chunks = recount(&store, &[first]).chunks;
    let again = put(&store, &bytes);
    assert_eq!(recount(&store, &[first, again]).chunks, chunks);
    let foreign = seal(&store, stage(&store, &bytes, &account(2))).unwrap();
    assert_eq!(recount(&store, &[first, again, foreign]).chunks, chunks * 2);
    let unknown = seal(&store, stage(&store, &bytes, &IngestOptions::default())).unwrap();
    let once_more = seal(&store, stage(&store, &bytes, &IngestOptions::default())).unwrap();
    let all = recount(&store, &[first, again, foreign, unknown, once_more]);
    assert_eq!((all.findings.len(), all.chunks), (0, chunks * 4));
}

/// The index is advisory: an entry that leads to other content, or to somebody else's, costs a look.
#[test]
fn an_entry_of_the_index_that_is_wrong_shares_nothing() {
    let store = open(&SimDisk::new());
    let (one, two) = (noise("one", 50_000), noise("two", 50_000));
    let first = put(&store, &one);
    for (domain, bytes) in [(1, &two), (2, &one)] {
        let key = rows::HashKey::new(domain, blake3::hash(bytes).as_bytes()).unwrap();
        store.blobs().index().offer([(key, ChunkNo(1))]);
    }
    let second = put(&store, &two);
    let third = seal(&store, stage(&store, &one, &account(2))).unwrap();
    assert!(get(&store, second).unwrap() == two && get(&store, third).unwrap() == one);
    let found = recount(&store, &[first, second, third]);
    assert_eq!((found.findings.len(), found.chunks), (0, 3));
}

#[test]
fn a_chunk_of_zeros_is_not_stored() {
    let store = open(&SimDisk::new());
    let id = put(&store, &vec![0; 3 << 20]);
    assert_eq!(recount(&store, &[id]).chunks, 0);
    assert!(get(&store, id).unwrap() == vec![0; 3 << 20]);
}

#[test]
fn a_record_and_its_row_have_every_sum_of_the_plaintext() {
    let store = open(&SimDisk::new());
    put(&store, b"123456789");
    let row = rows::find_chunk(&store.snapshot().unwrap(), ChunkNo(1)).unwrap().unwrap();
    assert_eq!((row.crc32, row.crc32c, row.crc64), (0xcbf4_3926, 0xe306_9283, 0xae8b_1486_0a79_9888));
    assert_eq!(row.digest, *blake3::hash(b"123456789").as_bytes());
    let record = store.segments().read(row.segment, row.offset, row.stored_len).unwrap().header;
    let crcs = record.crcs;
    assert_eq!((crcs.crc32, crcs.crc32c, crcs.crc64), (row.crc32, row.crc32c, row.crc64));
    assert_eq!((record.digest, record.domain, record.chunk), (row.digest, AccountId(1), ChunkNo(1)));
}

#[test]
fn a_body_goes_to_the_lane_of_its_size() {
    for (size, kind) in [
        (64 << 10, LaneKind::Small),
        ((64 << 10) + 1, LaneKind::Normal),
        (64 << 20, LaneKind::Normal),
        ((64 << 20) + 1, LaneKind::Exclusive),
    ] {
        let store = open(&SimDisk::new());
        // The size is a hint: the lane is chosen before the bytes come.
        let options = IngestOptions { size: Some(size), ..account(1) };
        seal(&store, stage(&store, &noise("lane", 1000), &options)).unwrap();
        let rows = store.snapshot().unwrap();
        let segment = rows::find_chunk(&rows, ChunkNo(1)).unwrap().unwrap().segment;
        let known = super::super::blobs::known_segments(&rows).unwrap();
        let found = known.iter().find(|(id, _)| *id == segment).unwrap();
        assert_eq!(found.1.kind, kind, "{size}");
    }
}

#[test]
fn content_that_repeats_within_one_body_is_stored_once() {
    let store = open(&SimDisk::new());
    // Chunks of a repetition are cut alike once the cuts have fallen into step.
    let bytes = noise("repeat", 2 << 20).repeat(4);
    let id = put(&store, &bytes);
    let recount = recount(&store, &[id]);
    assert_eq!(recount.findings, []);
    assert!(recount.chunks <= 16, "{}", recount.chunks);
    assert!(get(&store, id).unwrap() == bytes);
}

#[test]
fn a_store_for_people_who_trust_each_other_shares_between_accounts() {
    let store = Store::open(StoreOptions { shared_dedup: true, ..options(SimDisk::new()) }).unwrap();
    let bytes = noise("shared", 100_000);
    let first = put(&store, &bytes);
    let second = seal(&store, stage(&store, &bytes, &account(2))).unwrap();
    assert_eq!(recount(&store, &[first, second]).chunks, 1);
}

#[test]
fn content_is_found_again_after_the_store_was_opened_anew() {
    let disk = SimDisk::new();
    let bytes = noise("anew", 1 << 20);
    let first = put(&open(&disk), &bytes);
    let store = open(&disk);
    let chunks = recount(&store, &[first]).chunks;
    let second = put(&store, &bytes);
    assert_eq!(recount(&store, &[first, second]).chunks, chunks);
    // Closing merges; then the table has it.
    store.drive().unwrap().close().unwrap();
    drop(store);
    let store = open(&disk);
    let third = put(&store, &bytes);
    let recount = recount(&store, &[first, second, third]);
    assert_eq!((recount.findings.len(), recount.chunks), (0, chunks));
}

#[test]
fn a_copy_keeps_what_its_source_let_go() {
    let store = open(&SimDisk::new());
    let bytes = noise("copy", 200_000);
    let id = put(&store, &bytes);
    store.apply(None, move |tx| manifest::retain(tx, id)).unwrap();
    release(&store, id);
    assert!(get(&store, id).unwrap() == bytes);
    assert_eq!(recount(&store, &[id]).findings, []);
    release(&store, id);
    assert!(matches!(store.reader(id), Err(StoreError::Busy(_))));
}

#[test]
fn a_reader_keeps_its_body() {
    let store = open(&SimDisk::new());
    let id = put(&store, &noise("kept", 100_000));
    let reader = store.reader(id).unwrap();
    let copy = reader.clone();
    drop(reader);
    let pins = store.blobs().pins();
    assert!(!pins.claim(super::super::blobs::pins::Thing::Manifest(id)));
    drop(copy);
    assert!(pins.claim(super::super::blobs::pins::Thing::Manifest(id)));
    assert!(matches!(store.reader(id), Err(StoreError::Busy(_))));
}

#[test]
fn a_chunk_that_is_being_condemned_is_stored_anew() {
    let store = open(&SimDisk::new());
    let bytes = noise("condemned", 50_000);
    let first = put(&store, &bytes);
    let pins = store.blobs().pins();
    let chunk = super::super::blobs::pins::Thing::Chunk(crate::model::ids::ChunkNo(1));
    let late = stage(&store, &bytes, &account(1));
    assert!(!pins.claim(chunk), "an upload has found it");
    drop(late);
    assert!(pins.claim(chunk));
    let second = put(&store, &bytes);
    assert_eq!(recount(&store, &[first, second]).chunks, 2);
}

#[test]
fn parts_become_one_body_and_a_slice_of_it_shares_its_chunks() {
    let store = open(&SimDisk::new());
    let bytes = noise("parts", 9 << 20);
    let cut = (5 << 20) + 17;
    let parts = [put(&store, &bytes[..cut]), put(&store, &bytes[cut..])];
    let lens = [cut as u64, (bytes.len() - cut) as u64];
    let list: Vec<_> = parts.into_iter().zip(lens).collect();
    let whole = store.apply(None, move |tx| manifest::compose(tx, &list)).unwrap();
    assert!(get(&store, whole).unwrap() == bytes);
    assert_eq!(manifest::part(&store.snapshot().unwrap(), whole, 2).unwrap(), Some(lens[0]..9 << 20));
    let before = recount(&store, &[whole]);
    assert_eq!(before.findings, []);

    let range = 1_000_003..8_000_001;
    let slice = store.slice(store.reader(whole).unwrap(), range.clone(), &account(1)).unwrap();
    let range = range.start as usize..range.end as usize;
    let mut digester = crate::model::digest::Digester::new(false, &[]);
    digester.update(&bytes[range.clone()]);
    assert_eq!(slice.digests, digester.finish());
    let slice = seal(&store, Arc::new(slice)).unwrap();
    assert!(get(&store, slice).unwrap() == bytes[range]);
    let after = recount(&store, &[whole, slice]);
    assert_eq!(after.findings, []);
    // Only what the range cuts is new.
    assert!(after.chunks <= before.chunks + 2, "{} {}", after.chunks, before.chunks);
    assert!(!manifest::is_composite(&store.snapshot().unwrap(), slice).unwrap());

    release(&store, whole);
    let left = recount(&store, &[slice]);
    assert_eq!(left.findings, []);
    assert!(left.queued > 0 && left.unreferenced == 0);
}

/// As many parts as an upload may have, in the rows of one transaction; and never a third level.
#[test]
fn ten_thousand_parts_are_one_body_of_two_levels() {
    let store = open(&SimDisk::new());
    let part = put(&store, b"0123456789");
    store.apply(None, move |tx| (1..10_000).try_for_each(|_| manifest::retain(tx, part))).unwrap();
    let list = vec![(part, 10); 10_000];
    let whole = store.apply(None, move |tx| manifest::compose(tx, &list)).unwrap();
    let rows = store.snapshot().unwrap();
    assert_eq!(manifest::parts(&rows, whole).unwrap(), 10_000);
    assert_eq!(manifest::part(&rows, whole, 10_000).unwrap(), Some(99_990..100_000));
    assert_eq!(manifest::part(&rows, whole, 10_001).unwrap(), None);
    assert!(get(&store, whole).unwrap() == b"0123456789".repeat(10_000));
    for list in [vec![(part, 10); 10_001], vec![(whole, 100_000)], vec![(part, 9)], Vec::new()] {
        let refused = store.apply(None, move |tx| manifest::compose(tx, &list));
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    assert_eq!(recount(&store, &[whole]).findings, []);
    release(&store, whole);
    let left = recount(&store, &[]);
    assert_eq!((left.findings.len(), left.referenced), (0, 0));
    assert_eq!(left.queued + left.unreferenced, left.chunks);
}

#[test]
fn after_everything_is_deleted_every_chunk_is_queued() {
    let store = open(&SimDisk::new());
    let bytes = noise("all", 3 << 20);
    let bodies: Vec<_> = (1..=6).map(|n| put(&store, &bytes[..n << 19])).collect();
    assert_eq!(recount(&store, &bodies).findings, []);
    bodies.iter().for_each(|&id| release(&store, id));
    let left = recount(&store, &[]);
    assert_eq!(left.findings, []);
    assert_eq!((left.referenced, left.queued + left.unreferenced), (0, left.chunks));
}

#[test]
fn a_flipped_byte_is_an_error_and_the_same_content_heals_it() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let bytes = noise("flip", 100_000);
    let id = put(&store, &bytes);
    disk.damage(&segment_path(&disk), 50_000, 1).unwrap();
    assert!(matches!(get(&store, id), Err(StoreError::Damaged(_))));
    store.step_all();
    assert!(matches!(recount(&store, &[id]).findings[..], [verify::Finding::Bad(_)]));
    let again = put(&store, &bytes);
    assert!(get(&store, again).unwrap() == bytes);
    assert!(get(&store, id).unwrap() == bytes, "healed");
    let recount = recount(&store, &[id, again]);
    assert_eq!((recount.findings.len(), recount.chunks), (0, 1));
}

/// The story: after a restart a damaged chunk was not found by its digest, so the same content was
/// stored beside it and healed nothing.
#[test]
fn the_same_content_heals_after_a_restart_too() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let bytes = noise("restart", 100_000);
    let id = put(&store, &bytes);
    disk.damage(&segment_path(&disk), 50_000, 1).unwrap();
    assert!(get(&store, id).is_err());
    store.step_all();
    drop(store);
    let store = open(&disk);
    assert_eq!(store.blobs().damaged(), 1, "it is still known");
    put(&store, &bytes);
    assert!(get(&store, id).unwrap() == bytes);
    assert_eq!(store.blobs().damaged(), 0);
}

#[test]
fn a_hit_that_goes_bad_before_the_commit_fails_it() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let bytes = noise("late", 100_000);
    let id = put(&store, &bytes);
    let late = stage(&store, &bytes, &account(1));
    disk.damage(&segment_path(&disk), 50_000, 1).unwrap();
    assert!(get(&store, id).is_err());
    assert!(matches!(seal(&store, late), Err(StoreError::Busy(_))));
    assert_eq!(recount(&store, &[id]).found, 1, "only the damage itself");
}

pub(super) fn segment_path(disk: &SimDisk) -> String {
    let hi = disk.list("segments").unwrap().pop().unwrap();
    let mut names = disk.list(&format!("segments/{hi}")).unwrap();
    names.sort();
    format!("segments/{hi}/{}", names[0])
}

#[test]
fn a_full_disk_refuses_bodies_and_its_reserve_lets_releases_go_on() {
    let disk = SimDisk::new();
    let room = RoomOptions { reserve_bytes: Some(32 << 20), full_below_bytes: Some(64 << 20) };
    let store = Store::open(StoreOptions { room, ..options(disk.clone()) }).unwrap();
    let (one, two) = (put(&store, &noise("one", 1000)), put(&store, &noise("two", 1000)));
    disk.set_free(32 << 20);
    assert!(matches!(store.begin(&account(1)), Err(StoreError::Full)));
    release(&store, one);
    disk.set_free(0);
    release(&store, two);
    assert_eq!(recount(&store, &[]).findings, []);
    drop(store);
    disk.set_free(1 << 30);
    let store = Store::open(StoreOptions { room, ..options(disk) }).unwrap();
    store.begin(&account(1)).unwrap();
}

#[test]
fn threads_carry_many_bodies_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let disk = super::super::io::disk::Disk::open(folder.path()).unwrap();
    let store = Store::open(options(disk)).unwrap();
    let driver = store.drive().unwrap();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let store = &store;
                scope.spawn(move || {
                    (0..5)
                        .map(|n| {
                            let bytes = noise(&format!("{}", (worker * n) % 7), 300_000);
                            let id = put(store, &bytes);
                            assert!(get(store, id).unwrap() == bytes);
                            id
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    driver.close().unwrap();
    assert_eq!(recount(&store, &ids).findings, []);
}
