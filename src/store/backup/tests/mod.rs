//! Backups on simulated disks: what is in them, what a crash leaves, and what is said of damage.

mod cuts;
mod forged;
mod lost;

use std::collections::BTreeMap;

use super::*;
use crate::{
    model::ids::ManifestId,
    proof::Dice,
    store::{
        Store,
        collect::{CollectOptions, Collector},
        io::{Io, Mode, Site, sim::SimDisk},
        meta::Kind,
        sync::Arc,
        tests::{get, noise, open as open_store, put, release},
    },
};

const KEYS: [(&str, &[u8]); 1] = [("keys/some.key", b"key")];
const LEAP: u32 = 7;
const COLLECT: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };

/// The key of the store's points.
fn key() -> PointKey {
    PointKey::new([3; 32].into())
}

fn quietly(_: Progress) -> Result<(), StoreError> {
    Ok(())
}

fn back_up(store: &Arc<Store>, to: &SimDisk) -> Result<Done, StoreError> {
    create(store, Arc::new(to.clone()), (b"wrapped", &key()), None, &quietly)
}

fn folder(disk: &SimDisk) -> BackupFolder {
    BackupFolder::open(Arc::new(disk.clone())).unwrap()
}

fn restored(from: &SimDisk, number: Option<u64>) -> Result<SimDisk, StoreError> {
    let (folder, into) = (folder(from), SimDisk::new());
    let point = folder.point(number)?;
    restore(&folder, (point.vouched(&key())?, Rotten::Refused), &into, (&KEYS, LEAP), &quietly)?;
    Ok(into)
}

fn bodies(store: &Store, from: usize) -> BTreeMap<ManifestId, Vec<u8>> {
    let body = |n: usize| noise(&format!("{n}"), 1 + n * 40_000);
    (from..from + 12).map(|n| (put(store, &body(n)), body(n))).collect()
}

fn assert_has(store: &Store, bodies: &BTreeMap<ManifestId, Vec<u8>>) {
    for (id, body) in bodies {
        assert!(get(store, *id).unwrap() == *body, "manifest {id}");
    }
}

#[test]
fn a_restored_store_has_what_was_there_at_the_point_and_nothing_of_later() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    let first = bodies(&store, 0);
    let one = back_up(&store, &to).unwrap();
    let second = bodies(&store, 20);
    for id in first.keys() {
        release(&store, *id);
    }
    Collector::begin(&store, COLLECT).unwrap().run().unwrap();
    let two = back_up(&store, &to).unwrap();
    assert_eq!((one.number, two.number, folder(&to).numbers().unwrap()), (1, 2, vec![1, 2]));

    for (number, there, gone) in [(1, &first, &second), (2, &second, &first)] {
        let into = restored(&to, Some(number)).unwrap();
        let again = open_store(&into);
        assert_has(&again, there);
        assert!(gone.keys().all(|id| get(&again, *id).is_err()), "point {number}");
        assert_eq!(again.dir().uuid(), store.dir().uuid());
        assert_eq!(again.meta().incarnation(), store.meta().incarnation() + 1 + LEAP);
        assert!(again.fresh(Kind::Segment).unwrap() > store.fresh(Kind::Segment).unwrap());
        // It goes on as a store does: writes, collects, is backed up beside the other life.
        let more = bodies(&again, 40);
        Collector::begin(&again, COLLECT).unwrap().run().unwrap();
        assert_has(&again, &more);
        assert_has(&again, there);
        back_up(&again, &to).unwrap();
        assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
    }
    assert_eq!(verify(&folder(&to), Some(1), Some(&key()), &quietly).unwrap().problems, 0);
}

#[test]
fn a_second_backup_copies_only_what_is_new() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    // Opening it again seals what was written.
    bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    let first = back_up(&store, &to).unwrap();
    assert!(first.copied == first.segments && first.segments > 0, "{first:?}");
    let second = back_up(&store, &to).unwrap();
    assert_eq!((second.copied, second.segments), (0, first.segments));
    bodies(&store, 20);
    drop(store);
    let third = back_up(&open_store(&disk), &to).unwrap();
    assert_eq!(third.copied, third.segments - first.segments);
    // A copy that is gone, or short, is made again.
    let name = to.list("segments").unwrap().pop().unwrap();
    to.open(&format!("segments/{name}"), Mode::ReadWrite).unwrap().set_len(100).unwrap();
    assert_eq!(back_up(&open_store(&disk), &to).unwrap().copied, 1);
    assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
}

#[test]
fn older_points_and_what_only_they_need_are_removed_unless_a_list_cannot_be_read() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    for turn in 0..3 {
        for id in bodies(&store, turn * 20).into_keys() {
            back_up(&store, &to).unwrap();
            release(&store, id);
        }
    }
    let keep =
        |keep| create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(keep), &quietly).unwrap();
    let before = to.list("segments").unwrap().len();
    to.damage("points/00000036.point", 30, 1).unwrap();
    let done = keep(3);
    assert!(done.not_removed.is_some() && done.removed == 0);
    assert!(to.list("segments").unwrap().len() >= before);
    let done = keep(1);
    assert_eq!((done.removed, done.not_removed), (37, None));
    assert_eq!(folder(&to).numbers().unwrap(), [38]);
    assert_eq!(to.list("points").unwrap().len(), 4);
    assert!(to.list("segments").unwrap().len() as u64 == done.segments);
    assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_alone() {
    let store = open_store(&SimDisk::new());
    let full = SimDisk::new();
    full.create_dir("photos").unwrap();
    assert!(matches!(back_up(&store, &full), Err(StoreError::Refused(_))));
    assert_eq!(full.list("").unwrap(), ["photos"]);
    assert!(matches!(BackupFolder::open(Arc::new(full)), Err(StoreError::Refused(_))));

    let to = SimDisk::new();
    back_up(&store, &to).unwrap();
    let options =
        crate::store::StoreOptions { fresh_uuid: [8; 16], ..crate::store::tests::options(SimDisk::new()) };
    let other = Store::open(options).unwrap();
    assert!(matches!(back_up(&other, &to), Err(StoreError::Refused(_))));

    let point = folder(&to).point(None).unwrap();
    let used = SimDisk::new();
    used.create_dir("something").unwrap();
    assert!(matches!(
        restore(
            &folder(&to),
            (point.vouched(&key()).unwrap(), Rotten::Refused),
            &used,
            (&KEYS, LEAP),
            &quietly
        ),
        Err(StoreError::Refused(_))
    ));
    assert_eq!(used.list("").unwrap(), ["something"]);
}

#[test]
fn nothing_is_removed_while_a_backup_holds_it() {
    let disk = SimDisk::new();
    let store = open_store(&disk);
    let bodies = bodies(&store, 0);
    let segments = |disk: &SimDisk| disk.list("segments/000000").unwrap().len();
    let before = segments(&disk);
    let hold = crate::store::collect::Hold::take(&store);
    for id in bodies.keys() {
        release(&store, *id);
    }
    let report = Collector::begin(&store, COLLECT).unwrap().run().unwrap();
    assert!(report.chunks_deleted > 0 && report.segments_removed == 0, "{report:?}");
    assert_eq!((report.segments_compacted, segments(&disk)), (0, before));
    drop(hold);
    let report = Collector::begin(&store, COLLECT).unwrap().run().unwrap();
    assert!(report.segments_removed > 0 && segments(&disk) < before, "{report:?}");
}

#[test]
fn every_kind_of_damage_is_found_and_never_restored_as_if_it_were_whole() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    back_up(&store, &to).unwrap();
    let mut dice = Dice(7);
    let mut files: Vec<String> =
        to.list("points").unwrap().iter().map(|name| format!("points/{name}")).collect();
    files.extend(to.list("segments").unwrap().iter().map(|name| format!("segments/{name}")));
    let sound =
        |number| verify(&folder(&to), number, Some(&key()), &quietly).is_ok_and(|found| found.problems == 0);
    assert!(sound(Some(1)));
    for path in &files {
        let length = to.open(path, Mode::Read).unwrap().len().unwrap();
        for _ in 0..4 {
            let at = dice.roll(length);
            to.damage(path, at, 4).unwrap();
            assert!(!sound(Some(1)), "{path}, byte {at}");
            if path.ends_with(".seg") {
                to.rename(&format!("{path}.bad"), path).unwrap();
            }
            // The wrapped keys are the caller's.
            if !path.ends_with(".keys") {
                let into = SimDisk::new();
                let again = folder(&to).point(None).and_then(|point| {
                    restore(
                        &folder(&to),
                        (point.vouched(&key())?, Rotten::Refused),
                        &into,
                        (&KEYS, LEAP),
                        &quietly,
                    )
                });
                assert!(matches!(again, Err(StoreError::Damaged(_))), "{path}, byte {at}: {again:?}");
                assert!(into.list("keys").unwrap().is_empty(), "{path}: the keys lie open there");
                assert!(
                    into.list("").unwrap().is_empty()
                        || Store::open(crate::store::tests::options(into)).is_err()
                );
            }
            to.damage(path, at, 4).unwrap();
        }
        to.rename(path, "aside").unwrap();
        assert!(!sound(Some(1)), "{path} is gone");
        to.rename("aside", path).unwrap();
    }
    assert!(sound(None));
}

/// Lengths near the end of 64 bits ended the process that added them up.
#[test]
fn a_list_with_numbers_no_point_has_is_damaged_and_ends_nothing() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    back_up(&store, &to).unwrap();
    let folder = folder(&to);
    let point = folder.point(None).unwrap();
    for (length, segment, good) in [
        (1 << 40, 1, true),
        ((1 << 40) + 1, 1, false),
        (u64::MAX, 1, false),
        (5, (1 << 48) - 1, true),
        (5, 1 << 48, false),
        (5, u64::MAX, false),
    ] {
        let mut strange = point.clone();
        for copy in &mut strange.segments {
            (copy.length, copy.segment) = (length, crate::model::ids::SegmentId(segment));
        }
        folder.put_text(&Point::path(1), &strange.signed(&key()).text()).unwrap();
        assert_eq!(folder.point(None).is_ok(), good, "{length}, {segment}");
        let found = verify(&folder, None, Some(&key()), &quietly);
        assert_eq!(found.is_ok_and(|found| found.problems > 0), good, "{length}, {segment}");
        let mut strange = point.clone();
        strange.files.iter_mut().for_each(|file| file.length = length);
        folder.put_text(&Point::path(1), &strange.signed(&key()).text()).unwrap();
        assert_eq!(folder.point(None).is_ok(), length <= 1 << 40, "{length}");
    }
}

#[test]
fn the_last_number_is_nobodys_to_overwrite() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    back_up(&store, &to).unwrap();
    folder(&to).put_text(&Point::path(u64::MAX), "").unwrap();
    let refused = back_up(&store, &to);
    let named = "points/18446744073709551615.point has the last number";
    assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains(named)), "{refused:?}");
    to.remove(&Point::path(u64::MAX)).unwrap();
    assert_eq!(back_up(&store, &to).unwrap().number, 2);
}

#[test]
fn a_copy_of_what_was_damaged_already_is_told() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    let name = disk.list("segments/000000").unwrap().into_iter().min().unwrap();
    disk.damage(&format!("segments/000000/{name}"), 300_000, 1).unwrap();
    back_up(&store, &to).unwrap();
    let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
    assert_eq!(found.problems, 1, "{:?}", found.told);
    assert!(found.told[0].starts_with("chunk "), "{:?}", found.told);
}

/// A bad sector anywhere ended every backup, when one was needed most.
#[test]
fn what_the_disk_cannot_read_is_zeros_and_told_and_the_rest_is_a_good_point() {
    let disk = SimDisk::new();
    let bodies = bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    let name = disk.list("segments/000000").unwrap().into_iter().min().unwrap();
    let path = format!("segments/000000/{name}");
    let length = disk.open(&path, Mode::Read).unwrap().len().unwrap();
    // The last record ends in the block of the footer.
    for (bad, lost) in [(0..1, 0), (length - 1..length, 1), (300_000..300_001, 1)] {
        let to = SimDisk::new();
        disk.unreadable(&path, bad.clone()).unwrap();
        let done = back_up(&store, &to).unwrap();
        assert!(done.unread.len() == 1 && done.unread[0].bytes <= 4096, "{bad:?}: {done:?}");
        let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
        assert_eq!(found.problems, lost, "{:?}", found.told);
        let again = open_store(&restored(&to, None).unwrap());
        let bad = bodies.iter().filter(|(id, body)| get(&again, **id).ok().as_ref() != Some(*body));
        assert_eq!(bad.count() as u64, lost);
        // It is told as long as it is so, and copied whole once it can be read.
        assert_eq!(back_up(&store, &to).unwrap().unread, done.unread);
        disk.unreadable(&path, 0..0).unwrap();
        assert!(back_up(&store, &to).unwrap().unread.is_empty());
        assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
    }
}

/// Its length was all that was looked at: a rotten copy stood for its segment in every later backup.
#[test]
fn a_copy_that_verifying_finds_damaged_is_moved_aside_and_made_again() {
    for unreadable in [false, true] {
        let (disk, to) = (SimDisk::new(), SimDisk::new());
        let bodies = bodies(&open_store(&disk), 0);
        let store = open_store(&disk);
        let segments = back_up(&store, &to).unwrap().segments;
        let name = to.list("segments").unwrap().pop().unwrap();
        let path = format!("segments/{name}");
        match unreadable {
            true => to.unreadable(&path, 5000..5001).unwrap(),
            false => to.damage(&path, 5000, 1).unwrap(),
        }
        let lock = to.lock("LOCK").unwrap();
        assert!(
            verify(&folder(&to), None, Some(&key()), &quietly).unwrap().moved_aside.is_empty(),
            "a backup is made"
        );
        drop(lock);
        let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
        assert!(found.problems > 0 && found.moved_aside.len() == 1, "{found:?}");
        assert!(to.list("segments").unwrap().contains(&format!("{name}.bad")));
        let done = back_up(&store, &to).unwrap();
        assert_eq!((done.copied, done.segments), (1, segments));
        // The point of before is whole again, too.
        for point in [1, 2] {
            assert_eq!(verify(&folder(&to), Some(point), Some(&key()), &quietly).unwrap().problems, 0);
        }
        assert_has(&open_store(&restored(&to, None).unwrap()), &bodies);
        assert_eq!(to.list("segments").unwrap().len() as u64, segments);
    }
}

/// Verifying ended at the first bad sector of the backup's own disk, and told nothing of the rest.
#[test]
fn verifying_goes_on_behind_what_the_disk_of_the_backup_cannot_read() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    back_up(&store, &to).unwrap();
    let names = to.list("segments").unwrap();
    to.unreadable(&format!("segments/{}", names[0]), 300_000..300_001).unwrap();
    to.unreadable("points/00000001.format", 0..1).unwrap();
    let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
    assert!(found.problems >= 2 && found.chunks > 0, "{found:?}");
    to.unreadable("points/00000001.meta", 100..u64::MAX).unwrap();
    let more = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
    assert!(more.told.iter().any(|told| told.contains("rows")), "{:?}", more.told);
}

/// Makes a second backup and cuts the power of its disk; what is wrong afterwards.
fn cut_off(seed: u64, calls: u64, site: Option<Site>) -> Result<(), String> {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    let first = bodies(&store, 0);
    back_up(&store, &to).unwrap();
    let second = bodies(&store, 20);
    site.into_iter().for_each(|site| to.skip(site));
    to.crash_after(calls);
    let done = create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(2), &quietly);
    let after = to.crash(seed);
    let told = |error: StoreError| error.to_string();
    let numbers = folder(&after).numbers().map_err(told)?;
    if !numbers.contains(&1) || (done.is_ok() && !numbers.contains(&2)) {
        return Err(format!("of {done:?} there are {numbers:?}"));
    }
    for number in numbers {
        let found = verify(&folder(&after), Some(number), Some(&key()), &quietly).map_err(told)?;
        if found.problems > 0 {
            return Err(format!("point {number}: {:?}", found.told));
        }
        let again = open_store(&restored(&after, Some(number)).map_err(told)?);
        assert_has(&again, if number == 1 { &first } else { &second });
    }
    // It can be made again.
    let again = back_up(&store, &after).map_err(told)?;
    let found = verify(&folder(&after), Some(again.number), Some(&key()), &quietly).map_err(told)?;
    if found.problems == 0 { Ok(()) } else { Err(format!("again: {:?}", found.told)) }
}

#[test]
fn a_backup_that_is_cut_off_leaves_the_points_before_it_and_can_be_made_again() {
    let calls = {
        let (disk, to) = (SimDisk::new(), SimDisk::new());
        let store = open_store(&disk);
        bodies(&store, 0);
        back_up(&store, &to).unwrap();
        bodies(&store, 20);
        let before = to.counts().changes;
        back_up(&store, &to).unwrap();
        to.counts().changes - before
    };
    let mut dice = Dice(crate::proof::seed("backup-cut"));
    for seed in 0..crate::proof::size(12, 300) {
        let at = dice.roll(calls + 2);
        cut_off(seed, at, None).unwrap_or_else(|why| panic!("seed {seed}, {at} of {calls} calls: {why}"));
    }
    for site in [Site::BackupData, Site::BackupDir] {
        assert!((0..20).any(|seed| cut_off(seed, calls + 9, Some(site)).is_err()), "{site:?}");
    }
}

#[test]
fn a_restore_that_is_cut_off_leaves_nothing_that_opens() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    let bodies = bodies(&store, 0);
    back_up(&store, &to).unwrap();
    let (folder, mut dice) = (folder(&to), Dice(5));
    let point = folder.point(None).unwrap();
    let vouched = (point.vouched(&key()).unwrap(), Rotten::Refused);
    let attempt = |into: &SimDisk| restore(&folder, vouched, into, (&KEYS, LEAP), &quietly);
    let whole = SimDisk::new();
    attempt(&whole).unwrap();
    let calls = whole.counts().changes;
    let opens = |disk: SimDisk| Store::open(crate::store::tests::options(disk));
    for seed in 0..crate::proof::size(40, 1000) {
        let (into, at) = (SimDisk::new(), dice.roll(calls + 2));
        into.crash_after(at);
        let done = attempt(&into).is_ok();
        let after = into.crash(seed);
        // A folder in which nothing is may become a new store: nothing of a backup is in it.
        let untouched = after.list("").unwrap().is_empty();
        match opens(after) {
            Ok(store) if !untouched => assert_has(&store, &bodies),
            _ => assert!(!done, "seed {seed}, {at} of {calls} calls"),
        }
    }
    for site in [Site::BackupData, Site::BackupDir] {
        let lost = (0..40).any(|seed| {
            let into = SimDisk::new();
            into.skip(site);
            attempt(&into).unwrap();
            let store = opens(into.crash(seed));
            store.is_ok_and(|store| {
                bodies.iter().any(|(id, body)| get(&store, *id).ok().as_ref() != Some(body))
            })
        });
        assert!(lost, "{site:?}");
    }
}
