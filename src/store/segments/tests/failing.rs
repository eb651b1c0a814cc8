//! Writes and syncs that fail: what was promised stays, and what cannot be is not.

use super::*;

#[test]
fn an_append_that_was_cut_short_ends_its_segment_and_the_next_goes_on_elsewhere() {
    let (disk, segments) = on_sim();
    let first = append(&segments, LaneId::Normal, 1, &noise(1, 500)).unwrap();
    disk.cut_write_after(0);
    append(&segments, LaneId::Normal, 2, &noise(2, 500)).unwrap_err();
    let third = append(&segments, LaneId::Normal, 3, &noise(3, 500)).unwrap();
    assert_ne!(first.segment, third.segment);
    synced(&segments, LaneId::Normal).unwrap();
    let footer = segments.footer(first.segment).unwrap();
    assert_eq!(footer.iter().map(|entry| entry.chunk.0).collect::<Vec<_>>(), [1]);
    read(&segments, first).unwrap();
    read(&segments, third).unwrap();
}

#[test]
fn after_a_failed_sync_a_lane_goes_on_elsewhere_and_vouches_for_nothing_of_before() {
    let (disk, segments) = on_sim();
    let first = segments.lane(LaneId::Normal).life();
    let lost = append(&segments, LaneId::Normal, 1, b"a").unwrap();
    disk.fail_once(Site::SegmentData);
    assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Unavailable(_))));
    let syncs = disk.counts().syncs;
    assert!(matches!(vouched(&segments, LaneId::Normal, first), Err(StoreError::Unavailable(_))));
    assert!(!segments.step(LaneId::Normal), "nothing is left to do");
    assert_eq!(disk.counts().syncs, syncs, "a failed sync is never tried again");
    assert!(segments.take_states().is_empty() && segments.failure().is_none());

    let kept = append(&segments, LaneId::Normal, 2, b"b").unwrap();
    assert_ne!(lost.segment, kept.segment);
    // Who wrote before and waits only now, while there is something new to sync.
    assert!(matches!(vouched(&segments, LaneId::Normal, first), Err(StoreError::Unavailable(_))));
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    assert!(states.iter().all(|(id, _)| *id == kept.segment), "{states:?}");
    read(&segments, lost).unwrap();
    drop(segments);

    let was_lost = |seed| {
        let io: Arc<dyn Io> = Arc::new(disk.crash(seed));
        let ids = Ids::new(AtomicU64::new(9));
        let segments = Segments::open(io, options(&ids), states.clone()).unwrap().0;
        read(&segments, kept).unwrap();
        read(&segments, lost).is_err()
    };
    assert!((0..20).filter(|seed| was_lost(*seed)).count() > 0, "it may have reached the disk by chance");
}

#[test]
fn after_a_failed_sync_of_a_folder_no_lane_begins_a_segment_and_those_with_names_go_on() {
    for failing in 1..=3 {
        let (disk, segments) = on_sim();
        let before = append(&segments, LaneId::Small, 1, b"a").unwrap();
        synced(&segments, LaneId::Small).unwrap();
        let other = append(&segments, LaneId::Normal, 2, b"b").unwrap();
        let long = append(&segments, LaneId::Exclusive(0), 3, b"c").unwrap();
        disk.fail_nth(Site::SegmentDir, failing);
        assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Unavailable(_))));
        // The name of this one was lost with it, though nobody asked for it yet.
        assert!(matches!(synced(&segments, LaneId::Exclusive(0)), Err(StoreError::Unavailable(_))));
        for lane in [LaneId::Normal, LaneId::Relocation, LaneId::Exclusive(0)] {
            assert!(matches!(append(&segments, lane, 4, b"d"), Err(StoreError::Unavailable(_))), "{lane:?}");
        }
        assert!(segments.failure().unwrap().contains("folder"));
        let after = append(&segments, LaneId::Small, 5, b"e").unwrap();
        synced(&segments, LaneId::Small).unwrap();
        let states = segments.take_states();
        assert!(states.iter().all(|(id, _)| ![other.segment, long.segment].contains(id)), "{states:?}");
        drop(segments);
        for seed in 0..5 {
            let io: Arc<dyn Io> = Arc::new(disk.crash(seed));
            let segments =
                Segments::open(io, options(&Ids::new(AtomicU64::new(9))), states.clone()).unwrap().0;
            read(&segments, before).unwrap();
            read(&segments, after).unwrap();
        }
    }
}

#[test]
fn a_sync_that_lacks_a_descriptor_is_in_no_doubt_and_goes_well_later() {
    let sim = SimDisk::new();
    let disk = FaultyDisk::new(sim.clone());
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let segments = open(&io);
    let placed = append(&segments, LaneId::Normal, 1, b"a").unwrap();
    disk.plan(Plan { fault: Failing::Descriptors, call: 0, forever: true });
    for _ in 0..5 {
        assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Busy(_))));
        assert!(!segments.step(LaneId::Normal), "nobody waits, and trying again at once helps nobody");
        assert!(segments.failure().is_none());
    }
    disk.heal();
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    drop(segments);
    let io: Arc<dyn Io> = Arc::new(sim.crash(1));
    let segments = Segments::open(io, options(&Ids::new(AtomicU64::new(9))), states).unwrap().0;
    read(&segments, placed).unwrap();
}

#[test]
fn a_lane_whose_syncs_go_on_failing_takes_nothing_more_and_others_do() {
    let (disk, segments) = on_sim();
    disk.fail(Site::SegmentData);
    for chunk in 0..3 {
        assert!(segments.failure().is_none());
        append(&segments, LaneId::Normal, chunk, b"a").unwrap();
        assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Unavailable(_))));
    }
    assert!(segments.failure().is_some());
    let syncs = disk.counts().syncs;
    for _ in 0..2 {
        let life = segments.lane(LaneId::Normal).life();
        assert!(matches!(vouched(&segments, LaneId::Normal, life), Err(StoreError::Unavailable(_))));
        let refused = append(&segments, LaneId::Normal, 9, b"b");
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    }
    assert_eq!(disk.counts().syncs, syncs);
    append(&segments, LaneId::Small, 10, b"c").unwrap();
}

#[test]
fn a_failed_sync_of_a_footer_leaves_its_segment_open_and_its_records_promised() {
    let (disk, segments) = on_sim();
    disk.fail_once(Site::SegmentSeal);
    let first = segments.lane(LaneId::Normal).life();
    let placed: Vec<_> =
        (0..6).map(|chunk| append(&segments, LaneId::Normal, chunk, &noise(chunk, 3000)).unwrap()).collect();
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    assert!(states.iter().all(|(_, state)| !state.sealed), "{states:?}");
    assert!(matches!(vouched(&segments, LaneId::Normal, first), Err(StoreError::Unavailable(_))));
    let later = append(&segments, LaneId::Normal, 7, b"later").unwrap();
    synced(&segments, LaneId::Normal).unwrap();
    let known = [states, segments.take_states()].concat();
    drop(segments);
    let io: Arc<dyn Io> = Arc::new(disk.crash(1));
    let segments = Segments::open(io, options(&Ids::new(AtomicU64::new(99))), known).unwrap().0;
    for placed in placed.into_iter().chain([later]) {
        read(&segments, placed).unwrap();
    }
}

#[test]
fn a_full_disk_refuses_chunks_and_takes_them_again_when_there_is_room() {
    let (disk, segments) = on_sim();
    let first = append(&segments, LaneId::Normal, 1, &noise(1, 1500)).unwrap();
    disk.set_free(100);
    for _ in 0..3 {
        let refused = append(&segments, LaneId::Normal, 2, &noise(2, 5000));
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        assert!(matches!(append(&segments, LaneId::Small, 3, b"a"), Err(StoreError::Full)));
    }
    synced(&segments, LaneId::Normal).unwrap();
    disk.set_free(1 << 30);
    let second = append(&segments, LaneId::Normal, 4, &noise(4, 5000)).unwrap();
    assert_eq!(first.segment, second.segment, "no room is no harm to a segment");
    read(&segments, first).unwrap();
    read(&segments, second).unwrap();
}

#[test]
fn a_segment_that_cannot_be_sealed_waits_for_other_work_and_is_sealed_with_it() {
    let disk = FaultyDisk::new(SimDisk::new());
    let segments = open(&(Arc::new(disk.clone()) as Arc<dyn Io>));
    let first = append(&segments, LaneId::Normal, 0, &noise(0, 3000)).unwrap().segment;
    for chunk in 1..8 {
        append(&segments, LaneId::Normal, chunk, &noise(chunk, 3000)).unwrap();
    }
    disk.plan(Plan { fault: Failing::Write, call: 0, forever: true });
    synced(&segments, LaneId::Normal).unwrap();
    assert!(segments.footer(first).is_err());
    assert!(!segments.step(LaneId::Normal), "there is no end to its steps");
    disk.heal();
    append(&segments, LaneId::Normal, 8, &noise(8, 3000)).unwrap();
    synced(&segments, LaneId::Normal).unwrap();
    assert_eq!(segments.footer(first).unwrap(), segments.walk(first, u64::MAX).unwrap());
}
