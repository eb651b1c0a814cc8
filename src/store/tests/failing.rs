//! Syncs that fail: who was promised nothing gets nothing, and the store goes on.

use super::*;
use crate::store::{
    collect::{CollectOptions, Collector},
    io::Site,
};

fn small(bytes: usize) -> IngestOptions {
    IngestOptions { size: Some(bytes as u64), ..account(1) }
}

/// What a crash right now leaves, in many ways it may go.
fn after_crashes(disk: &SimDisk, what: impl Fn(&Arc<Store>)) {
    for seed in 0..10 {
        what(&open(&disk.crash(seed)));
    }
}

/// An upload that was written before the sync failed, for somebody else, and ends after the next
/// one went well must not be taken for durable.
#[test]
fn an_upload_from_before_a_failed_sync_is_refused_and_those_after_it_are_kept() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let bodies = ["waits", "late", "next"].map(|seed| noise(seed, 20_000));
    let [waits, late, next] = &bodies;
    let waiting = stage(&store, waits, &small(20_000));
    let staged_late = stage(&store, late, &small(20_000));
    disk.fail_once(Site::SegmentData);
    assert!(matches!(seal(&store, waiting), Err(StoreError::Unavailable(_))));
    let kept = seal(&store, stage(&store, next, &small(20_000))).unwrap();
    assert!(matches!(seal(&store, staged_late), Err(StoreError::Unavailable(_))));
    let again = seal(&store, stage(&store, late, &small(20_000))).unwrap();
    assert!(get(&store, kept).unwrap() == *next && get(&store, again).unwrap() == *late);
    assert_eq!(recount(&store, &[kept, again]).findings, []);
    after_crashes(&disk, |store| {
        assert!(get(store, kept).unwrap() == *next && get(store, again).unwrap() == *late);
        assert_eq!(recount(store, &[kept, again]).findings, []);
    });
}

/// A long upload commits piece by piece; one piece that is lost is all of it.
#[test]
fn a_long_upload_that_met_a_failed_sync_never_ends_well() {
    for before in [1 << 20, 3 << 20] {
        let disk = SimDisk::new();
        let store = open(&disk);
        let bytes = noise("long", 6 << 20);
        let (first, rest) = bytes.split_at(before);
        let mut ingest = store.begin(&account(1)).unwrap();
        ingest.write(first).unwrap();
        // Somebody else meets it.
        disk.fail_once(Site::SegmentData);
        let other = seal(&store, stage(&store, &noise("other", 100_000), &account(2)));
        assert!(matches!(other, Err(StoreError::Unavailable(_))));
        let ended = ingest.write(rest).and_then(|()| ingest.finish());
        let sealed = ended.and_then(|staged| seal(&store, Arc::new(staged)));
        assert!(matches!(sealed, Err(StoreError::Unavailable(_))), "{before}");
        let kept = put(&store, &bytes);
        after_crashes(&disk, |store| assert!(get(store, kept).unwrap() == bytes));
    }
}

#[test]
fn what_was_being_moved_when_a_sync_failed_stays_where_it_is() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let (gone, kept) = (noise("gone", 2 << 20), noise("kept", 1 << 20));
    let (first, second) = (put(&store, &gone), put(&store, &kept));
    release(&store, first);
    let how = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };
    disk.fail_once(Site::RelocationData);
    assert!(Collector::begin(&store, how).unwrap().run().is_err());
    assert!(get(&store, second).unwrap() == kept);
    assert_eq!(recount(&store, &[second]).findings, []);
    assert!(Collector::begin(&store, how).unwrap().run().unwrap().chunks_moved > 0);
    after_crashes(&disk, |store| {
        assert!(get(store, second).unwrap() == kept);
        assert_eq!(recount(store, &[second]).findings, []);
    });
}
