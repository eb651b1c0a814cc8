//! Lanes: who waits for a sync is answered, and streams and threads have lanes of their own.

use super::*;

#[test]
fn one_sync_answers_everybody_who_waited() {
    let (disk, segments) = on_sim();
    let answers = Arc::new(AtomicU64::new(0));
    for chunk in 0..10 {
        append(&segments, LaneId::Small, chunk, b"body").unwrap();
        let answers = answers.clone();
        let done =
            move |result: Result<(), _>| _ = answers.fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
        segments.wait_synced(LaneId::Small, Life::default(), Box::new(done));
    }
    assert!(segments.step(LaneId::Small));
    assert_eq!(answers.load(Ordering::Relaxed), 10);
    assert_eq!(disk.counts().syncs[&Site::SegmentData], 1);
    assert!(!segments.step(LaneId::Small));
}

#[test]
fn large_streams_have_lanes_for_themselves_until_they_are_dropped() {
    let (_disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let mut lent: Vec<ExclusiveLane> = (0..8).map(|_| segments.exclusive().unwrap()).collect();
    assert!(segments.exclusive().is_none());
    let places: std::collections::BTreeSet<SegmentId> =
        lent.iter().map(|lane| append(&segments, lane.id(), 1, &noise(1, 5000)).unwrap().segment).collect();
    assert_eq!(places.len(), 8);
    let last = lent.pop().unwrap().id();
    assert_eq!(segments.exclusive().unwrap().id(), last);
}

#[test]
fn a_lane_that_takes_nothing_more_is_not_lent_again_and_others_are() {
    let (disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let broken = segments.exclusive().unwrap();
    disk.fail(Site::SegmentData);
    while segments.failure().is_none() {
        append(&segments, broken.id(), 1, b"a").unwrap();
        synced(&segments, broken.id()).unwrap_err();
    }
    let id = broken.id();
    drop(broken);
    let lent: Vec<ExclusiveLane> = std::iter::from_fn(|| segments.exclusive()).collect();
    assert_eq!(lent.len(), 7);
    assert!(lent.iter().all(|lane| lane.id() != id));
}

#[test]
fn threads_drive_the_lanes_until_everything_queued_is_answered() {
    let (_disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let drivers = segments.drive().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (segments, tell) = (&segments, tell.clone());
            scope.spawn(move || {
                let lane = if thread % 2 == 0 { LaneId::Small } else { LaneId::Normal };
                for number in 0..50 {
                    let chunk = thread * 100 + number;
                    let placed = append(segments, lane, chunk, &noise(chunk, 700)).unwrap();
                    let tell = tell.clone();
                    segments.wait_synced(
                        lane,
                        Life::default(),
                        Box::new(move |result| tell.send((placed, result)).unwrap()),
                    );
                }
            });
        }
    });
    drop((drivers, tell));
    let answers: Vec<_> = told.into_iter().collect();
    assert_eq!(answers.len(), 200);
    for (placed, result) in answers {
        result.unwrap();
        read(&segments, placed).unwrap();
    }
    assert!(matches!(append(&segments, LaneId::Small, 1, b"a"), Err(StoreError::Unavailable(_))));
    assert!(matches!(synced(&segments, LaneId::Small), Err(StoreError::Unavailable(_))));
}

#[test]
fn a_lane_whose_thread_died_leaves_nobody_waiting() {
    let (_disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let _drivers = segments.drive().unwrap();
    segments.wait_synced(
        LaneId::Small,
        Life::default(),
        Box::new(|_| panic!("a waiter that panics, on purpose")),
    );
    let (tell, told) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let tell = tell.clone();
        segments.wait_synced(
            LaneId::Small,
            Life::default(),
            Box::new(move |result| tell.send(result).unwrap_or_default()),
        );
    }
    drop(tell);
    // Those that were in the same step as the panic are dropped, which is an answer as well.
    assert!(told.into_iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Unavailable(_)))));
}
