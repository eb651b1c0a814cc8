//! Scenes in which everything goes well, as far as anybody is told.

use super::*;
use crate::store::tests::bodies;

/// Within the bytes of the first record of a segment.
const FIRST_BYTES: u64 = 4096 + 300;
const SCHEDULES: (u64, u64) = (10_000, 1_000_000);

fn scene(test: &str, scene: fn()) {
    explore(test, SCHEDULES.0, SCHEDULES.1, scene);
}

#[test]
fn content_is_sent_again_while_it_is_condemned() {
    scene("content_is_sent_again_while_it_is_condemned", || {
        let store = World::new().open();
        upload(&store, 1, 0);
        remove(&store, 1);
        let all = [
            beside(&store, |store| drop(collect(&store))),
            beside(&store, |store| _ = upload(&store, 2, 0)),
            beside(&store, |store| {
                upload(&store, 3, 2);
                remove(&store, 3);
            }),
        ];
        end(&store, all);
    });
}

#[test]
fn content_is_sent_again_between_condemning_and_deleting() {
    scene("content_is_sent_again_between_condemning_and_deleting", || {
        let store = World::new().open();
        upload(&store, 1, 2);
        remove(&store, 1);
        let mut collector = Collector::begin(&store, COLLECT).unwrap();
        while collector.report().chunks_condemned == 0 {
            collector.step().unwrap();
        }
        let all = [
            beside(&store, |_| drop(collector.run().unwrap())),
            beside(&store, |store| _ = upload(&store, 2, 0)),
            beside(&store, |store| _ = upload(&store, 3, 2)),
        ];
        end(&store, all);
    });
}

/// Hours pass, forwards and backwards, and whole runs of the collector, between what an upload
/// found and its commit. It is committed all the same: nothing is safe for a time only.
#[test]
fn an_upload_pauses_while_the_clock_jumps() {
    scene("an_upload_pauses_while_the_clock_jumps", || {
        let world = World::new();
        let store = world.open();
        upload(&store, 1, 0);
        // One piece was found, the other is its own.
        let late = send(&store, 2).unwrap();
        let clock = Arc::clone(&world.clock);
        let all = [
            beside(&store, |store| remove(&store, 1)),
            beside(&store, move |store| {
                collect(&store);
                clock.fetch_add(5 * HOUR_MS, Ordering::Relaxed);
                collect(&store);
                clock.fetch_add(-90 * HOUR_MS, Ordering::Relaxed);
            }),
            beside(&store, move |store| _ = commit(&store, 2, late, 2).unwrap()),
        ];
        end(&store, all);
    });
}

/// Whoever reads sees each place for as long as it may look there, though the chunk moves twice.
#[test]
fn a_body_is_read_while_it_is_moved_and_its_old_places_go() {
    scene("a_body_is_read_while_it_is_moved_and_its_old_places_go", || {
        let store = World::new().open();
        for (at, content) in [(1, 0), (2, 1), (3, 4)] {
            upload(&store, at, content);
        }
        remove(&store, 1);
        let kept = named(&store)[0].1;
        let all = [
            beside(&store, |store| {
                collect(&store);
                remove(&store, 3);
                collect(&store);
            }),
            beside(&store, move |store| {
                for _ in 0..2 {
                    assert!(get(&store, kept).unwrap() == bytes_of(1));
                }
            }),
        ];
        end(&store, all);
    });
}

#[test]
fn a_body_that_is_being_read_is_deleted() {
    scene("a_body_that_is_being_read_is_deleted", || {
        let store = World::new().open();
        upload(&store, 1, 0);
        let mut reader = store.reader(upload(&store, 2, 3)).unwrap();
        let all = [
            beside(&store, |store| drop(collect(&store))),
            beside(&store, |store| remove(&store, 1)),
            beside(&store, move |store| {
                remove(&store, 2);
                let first = reader.read(0, usize::MAX).unwrap();
                let second = reader.read(first.len() as u64, usize::MAX).unwrap();
                assert!([&first[..], &second[..]].concat() == bytes_of(3));
            }),
        ];
        end(&store, all);
    });
}

#[test]
fn a_part_is_let_go_of_while_it_is_composed() {
    scene("a_part_is_let_go_of_while_it_is_composed", || {
        let store = World::new().open();
        let (one, two) = (upload(&store, 1, 0), upload(&store, 2, 1));
        let all = [
            // The parts are other names' as well.
            beside(&store, move |store| {
                let composed = store.apply(None, move |tx| {
                    if tx.get(Table::Config, &name(1))?.is_none() {
                        return Ok(());
                    }
                    for part in [one, two] {
                        manifest::retain(tx, part)?;
                    }
                    let whole = manifest::compose(tx, &[(one, 500), (two, 500)])?;
                    tx.put(Table::Config, name(3), value(whole, 2));
                    Ok::<_, StoreError>(())
                });
                composed.unwrap();
            }),
            beside(&store, |store| remove(&store, 1)),
            beside(&store, |store| drop(collect(&store))),
        ];
        end(&store, all);
        remove(&store, 3);
        check(&store);
    });
}

#[test]
fn a_range_is_copied_while_its_body_is_deleted() {
    scene("a_range_is_copied_while_its_body_is_deleted", || {
        let store = World::new().open();
        let id = upload(&store, 1, 2);
        let all = [
            beside(&store, move |store| {
                let Ok(reader) = store.reader(id) else { return };
                match store.slice(reader, 500..1000, &account(1)) {
                    Ok(staged) => drop(commit(&store, 2, Arc::new(staged), 1).unwrap()),
                    Err(StoreError::Busy(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }),
            beside(&store, |store| remove(&store, 1)),
            beside(&store, |store| drop(collect(&store))),
        ];
        end(&store, all);
    });
}

#[test]
fn two_collections_begin_at_once() {
    scene("two_collections_begin_at_once", || {
        let store = World::new().open();
        upload(&store, 1, 2);
        upload(&store, 2, 3);
        remove(&store, 1);
        let run = |store: Arc<Store>| match Collector::begin(&store, COLLECT) {
            Ok(collector) => collector.run().map(|report| report.chunks_deleted).unwrap(),
            Err(StoreError::Busy(_)) => 0,
            Err(error) => panic!("{error}"),
        };
        let others = [
            beside(&store, move |store| run(Arc::clone(&store)) + run(store)),
            beside(&store, move |store| run(Arc::clone(&store)) + run(store)),
            beside(&store, |store| {
                remove(&store, 2);
                upload(&store, 3, 0);
                0
            }),
        ];
        let deleted: u64 = others.into_iter().map(|thread| thread.join().unwrap()).sum();
        // Three pieces have nobody, and none goes twice.
        assert!(deleted <= 3, "{deleted}");
        check(&store);
    });
}

/// The second kind of hit: what was noted bad is stored again in its place, while its last name
/// goes and the collector runs.
#[test]
fn damaged_content_is_sent_again_while_it_is_let_go_of() {
    scene("damaged_content_is_sent_again_while_it_is_let_go_of", || {
        let world = World::new();
        let store = world.open();
        let bad = upload(&store, 1, 0);
        upload(&store, 2, 1);
        world.disk.damage(&bodies::segment_path(&world.disk), FIRST_BYTES, 1).unwrap();
        assert!(get(&store, bad).is_err());
        store.step_all();
        assert_eq!(store.blobs().damaged(), 1);
        let all = [
            beside(&store, |store| drop(collect(&store))),
            beside(&store, |store| _ = upload(&store, 3, 2)),
            beside(&store, |store| remove(&store, 1)),
        ];
        end(&store, all);
        assert_eq!(store.blobs().damaged(), 0);
    });
}

/// As in a running server: lanes and committer have threads of their own.
#[test]
fn threads_of_their_own_drive_lanes_and_committer() {
    explore("threads_of_their_own_drive_lanes_and_committer", 1_000, 100_000, || {
        let store = World::new().open();
        upload(&store, 1, 0);
        let driver = store.drive().unwrap();
        let all = [
            beside(&store, |store| drop(collect(&store))),
            beside(&store, |store| _ = upload(&store, 2, 2)),
            beside(&store, |store| remove(&store, 1)),
        ];
        join(all);
        driver.close().unwrap();
    });
}
