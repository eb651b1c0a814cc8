//! The process or the power ends in the middle, or the disk is full.

use super::*;

/// Names whose commit was answered, and what they hold. A name that somebody is about to change
/// is not in it.
type Sure = Arc<std::sync::Mutex<std::collections::BTreeMap<u8, u8>>>;

fn acknowledged(store: &Store, sure: &Sure, at: u8, content: Option<u8>) {
    sure.lock().unwrap().remove(&at);
    match content {
        Some(content) => {
            upload(store, at, content);
            sure.lock().unwrap().insert(at, content);
        }
        None => remove(store, at),
    }
}

/// Wherever the power goes, what was acknowledged is whole; what a run of the collector left
/// half-done the next one ends.
#[test]
fn the_power_goes_at_any_step_of_a_collection() {
    explore("the_power_goes_at_any_step_of_a_collection", 10_000, 1_000_000, || {
        let world = World::new();
        let store = world.open();
        let sure = Sure::default();
        for (at, content) in [(1, 0), (2, 1), (3, 4)] {
            acknowledged(&store, &sure, at, Some(content));
        }
        remove(&store, 3);
        sure.lock().unwrap().remove(&3);
        let (mine, theirs) = (Arc::clone(&sure), Arc::clone(&sure));
        let others = [
            beside(&store, |store| drop(collect(&store))),
            beside(&store, move |store| acknowledged(&store, &mine, 1, None)),
            beside(&store, move |store| acknowledged(&store, &theirs, 4, Some(2))),
        ];
        for _ in 0..roll(60) {
            shuttle::thread::yield_now();
        }
        let before = sure.lock().unwrap().clone();
        let (rows, disk) = world.rows.crash(&world.disk, roll(1 << 32));
        let after = sure.lock().unwrap().clone();
        let left = World { rows, disk, clock: Arc::default() }.open();
        let found: std::collections::BTreeMap<_, _> =
            named(&left).into_iter().map(|(name, _, content)| (name, content)).collect();
        for (at, content) in before.iter().filter(|(at, content)| after.get(at) == Some(content)) {
            assert_eq!(found.get(at), Some(content), "name {at} is gone");
        }
        check(&left);
        end(&store, others);
    });
}

/// A run that is given up at any step is ended by the next one.
#[test]
fn a_collection_is_given_up_at_any_step() {
    explore("a_collection_is_given_up_at_any_step", 10_000, 1_000_000, || {
        let store = World::new().open();
        for (at, content) in [(1, 0), (2, 1), (3, 3)] {
            upload(&store, at, content);
        }
        remove(&store, 1);
        let others = [
            beside(&store, |store| {
                let mut collector = Collector::begin(&store, COLLECT).unwrap();
                for _ in 0..roll(20) {
                    collector.step().unwrap();
                }
                drop(collector);
                collect(&store);
            }),
            beside(&store, |store| _ = upload(&store, 4, 2)),
            beside(&store, |store| remove(&store, 3)),
        ];
        end(&store, others);
    });
}

/// The disk is full for a while, at any step: what cannot be moved stays, and nothing is lost.
#[test]
fn the_disk_is_full_while_segments_are_moved() {
    explore("the_disk_is_full_while_segments_are_moved", 10_000, 1_000_000, || {
        let world = World::new();
        let store = world.open();
        for (at, content) in [(1, 0), (2, 1), (3, 4)] {
            upload(&store, at, content);
        }
        remove(&store, 1);
        let disk = world.disk.clone();
        let others = [
            beside(&store, |store| drop(collect(&store))),
            beside(&store, move |_| {
                // Not enough to begin a segment, or to grow it.
                disk.set_free([0, 3_000, SEGMENT, SEGMENT + 1_000][roll(4) as usize]);
                for _ in 0..roll(40) {
                    shuttle::thread::yield_now();
                }
                disk.set_free(1 << 40);
            }),
            beside(&store, |store| remove(&store, 3)),
        ];
        end(&store, others);
    });
}
