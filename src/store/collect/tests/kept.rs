//! What somebody still reads, has found or is about to commit stays.

use super::*;

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
    assert_eq!(forecast(&store).unwrap().chunks, 1, "if the upload gives up");
    let second = seal(&store, late).unwrap();
    assert!(get(&store, second).unwrap() == bytes);
    assert_eq!(recount(&store, &[second]).findings, []);
    assert_eq!(forecast(&store).unwrap().chunks, 0);
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
fn what_a_run_still_has_to_tell_keeps_nobody_from_the_data_directory() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let id = put(&store, &noise("gone", 100_000));
    release(&store, id);
    collect(&store, ALL);
    // Nobody drives what it queued at its end.
    drop(store);
    assert_eq!(recount(&open(&disk), &[]).findings, []);
}

#[test]
fn a_moved_segment_stays_until_whoever_read_its_old_places_has_ended() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let bytes = noise("stays", 300_000);
    let (kept, gone) = (put(&store, &bytes), put(&store, &noise("goes", 300_000)));
    release(&store, gone);
    let mut collector = Collector::begin(&store, ALL).unwrap();
    while collector.moving.is_none() {
        assert_eq!(collector.step().unwrap(), Step::More);
    }
    // Before the switch: it may have read where the chunk lies now.
    let reading = store.blobs().readings().begin();
    let stopped = loop {
        match collector.step().unwrap() {
            Step::More => {}
            other => break other,
        }
    };
    assert_eq!(stopped, Step::Waiting, "{:?}", collector.report());
    drop(reading);
    while collector.step().unwrap() != Step::Done {}
    assert_eq!((collector.report().chunks_moved > 0, collector.report().segments_removed), (true, 1));
    assert!(get(&store, kept).unwrap() == bytes);
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
