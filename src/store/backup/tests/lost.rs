//! Damage of the store, and of a backup: what is told of it, and what there is all the same.

use super::*;
use crate::store::io::sim::fault::{Failing, FaultyDisk, Plan};

/// One bad copy ended it, with the name of that one; all else was as good as gone.
#[test]
fn what_is_damaged_is_named_and_all_else_restored_if_that_is_wanted() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let mut all = BTreeMap::new();
    for turn in 0..4 {
        // Opening it again seals what was written.
        let store = open_store(&disk);
        let body = |n: usize| noise(&format!("{turn} {n}"), 40_000 + n * 20_000);
        all.extend((0..12).map(|n| (put(&store, &body(n)), body(n))));
    }
    let store = open_store(&disk);
    back_up(&store, &to).unwrap();
    let folder = folder(&to);
    let point = folder.point(None).unwrap();
    let restored = |rotten| {
        let into = SimDisk::new();
        let vouched = point.vouched(&key()).unwrap();
        restore(&folder, (vouched, rotten), &into, (&KEYS, LEAP), &quietly).map(|done| (done, into))
    };
    let mut names = to.list("segments").unwrap();
    names.retain(|name| to.open(&format!("segments/{name}"), Mode::Read).unwrap().len().unwrap() > 600_000);
    assert!(names.len() > 3, "{names:?}");
    let path = |at: usize| format!("segments/{}", names[at]);
    to.damage(&path(0), 300_000, 1).unwrap();
    to.unreadable(&path(1), 300_000..300_001).unwrap();
    to.cut_off(&path(2), 300_000).unwrap();
    let told = restored(Rotten::Refused).err().unwrap().to_string();
    assert!((0..3).all(|at| told.contains(&path(at))) && !told.contains(&path(3)), "{told}");
    assert!(told.contains("--damaged"), "{told}");

    let mut lost = Vec::new();
    for gone in [false, true] {
        if gone {
            to.remove(&path(0)).unwrap();
        } else {
            // What verifying moved aside is as good as it was in its place.
            verify(&folder, None, Some(&key()), &quietly).unwrap();
            assert!(to.list("segments").unwrap().contains(&format!("{}.bad", names[0])));
        }
        let (done, into) = restored(Rotten::Kept).unwrap();
        assert_eq!(done.damaged.len(), 3, "{:?}", done.damaged);
        let again = open_store(&into);
        let whole = |(id, body): &(&ManifestId, &Vec<u8>)| get(&again, **id).ok().as_ref() == Some(*body);
        // Each is what was written, or an error.
        lost.push(
            all.iter()
                .filter(|one| !whole(one))
                .inspect(|(id, _)| assert!(get(&again, **id).is_err()))
                .count(),
        );
        let name = format!("{}.bad", path(0));
        if !gone {
            to.rename(&name, &path(0)).unwrap();
        }
    }
    assert!(lost[0] >= 3 && lost[0] < lost[1] && lost[1] < all.len(), "{lost:?} of {}", all.len());
    // There is no store without its rows.
    to.damage("points/00000001.meta", 100, 1).unwrap();
    for rotten in [Rotten::Refused, Rotten::Kept] {
        let told = restored(rotten).err().unwrap().to_string();
        assert!(told.contains("points/00000001.meta"), "{told}");
    }
}

/// A list on a bad sector was an error of the whole disk; as the one that was kept it failed a backup that
/// was made.
#[test]
fn a_list_the_disk_cannot_read_is_told_by_name_and_ends_no_backup() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    back_up(&store, &to).unwrap();
    to.unreadable("points/00000001.point", 0..1).unwrap();
    let told = folder(&to).point(None).unwrap_err().to_string();
    assert!(told.contains("the disk cannot read points/00000001.point"), "{told}");
    let done = create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(2), &quietly).unwrap();
    assert!(done.not_removed.unwrap().contains("points/00000001.point"));
    assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
}

#[test]
fn what_the_store_had_lost_is_in_the_point_and_told_by_whoever_reads_it() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    let mut names = disk.list("segments/000000").unwrap();
    names.sort();
    let id =
        |name: &str| crate::model::ids::SegmentId(u64::from_str_radix(&name[..name.len() - 4], 16).unwrap());
    disk.unreadable(&format!("segments/000000/{}", names[0]), 300_000..300_001).unwrap();
    let done = back_up(&store, &to).unwrap();
    let lost = [Lost { segment: id(&names[0]), bytes: Some(done.unread[0].bytes) }];
    assert_eq!(folder(&to).point(None).unwrap().lost, lost);
    assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().lost, lost);
    disk.remove(&format!("segments/000000/{}", names[0])).unwrap();
    let done = back_up(&store, &to).unwrap();
    assert_eq!(done.missing, [id(&names[0])]);
    assert_eq!(folder(&to).point(None).unwrap().lost, [Lost { segment: id(&names[0]), bytes: None }]);
}

/// The point without it pushed the last good copy out, and all files were lost for good.
#[test]
fn the_last_copy_of_what_the_store_lost_stays_and_stands_for_it() {
    for lost in ["all", "the end", "a cut"] {
        let (disk, to) = (SimDisk::new(), SimDisk::new());
        let bodies = bodies(&open_store(&disk), 0);
        let store = open_store(&disk);
        let whole = back_up(&store, &to).unwrap();
        let name = disk.list("segments/000000").unwrap().into_iter().min().unwrap();
        let path = format!("segments/000000/{name}");
        let length = disk.open(&path, Mode::Read).unwrap().len().unwrap();
        match lost {
            "all" => disk.remove(&path).unwrap(),
            "the end" => disk.unreadable(&path, 300_000..length).unwrap(),
            _ => disk.cut_off(&path, 300_000).unwrap(),
        }
        for number in 2..4 {
            let done = create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(1), &quietly).unwrap();
            assert_eq!(done.missing.len() + done.unread.len(), 1, "{lost}: {done:?}");
            assert_eq!((done.segments, done.removed), (whole.segments, 0), "{lost}");
            assert!(done.not_removed.unwrap().contains("has lost something"), "{lost}");
            let numbers: Vec<u64> = (1..=number).collect();
            assert_eq!(folder(&to).numbers().unwrap(), numbers, "{lost}");
            let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
            assert_eq!((found.problems, found.lost.len()), (0, 1), "{lost}: {found:?}");
            assert_has(&open_store(&restored(&to, None).unwrap()), &bodies);
        }
    }
}

/// A store that was set back writes other segments under numbers that earlier points have.
#[test]
fn a_copy_of_something_else_does_not_stand_for_what_can_be_read() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    back_up(&store, &to).unwrap();
    let name = disk.list("segments/000000").unwrap().into_iter().min().unwrap();
    let path = format!("segments/000000/{name}");
    let length = disk.open(&path, Mode::Read).unwrap().len().unwrap();
    let id = &name[..name.len() - 4];
    let copy = to.list("segments").unwrap().into_iter().find(|copy| copy.starts_with(id)).unwrap();
    to.damage(&format!("segments/{copy}"), 100_000, 1).unwrap();
    disk.unreadable(&path, length - 1..length).unwrap();
    back_up(&store, &to).unwrap();
    let point = folder(&to).point(None).unwrap();
    let listed = point.segments.iter().find(|copy| copy.name().starts_with(id)).unwrap();
    assert!(listed.name() != copy && listed.seal.is_none(), "{listed:?}");
}

/// Every segment was open until the last was copied: a store of more than files may be open had no backup.
#[test]
fn segments_are_open_one_after_the_other() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    for turn in 0..8 {
        put(&open_store(&disk), &noise(&format!("{turn}"), 50_000));
    }
    let store = open_store(&disk);
    for copied in [true, false] {
        let (before, most) = (disk.handles(), std::sync::atomic::AtomicUsize::new(0));
        let watch = |_| {
            most.fetch_max(disk.handles() - before, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        };
        let done = create(&store, Arc::new(to.clone()), (b"wrapped", &key()), None, &watch).unwrap();
        assert_eq!(done.copied >= 8, copied, "{done:?}");
        assert!(most.into_inner() <= 3);
    }
}

/// Whichever it is, all else is in the backup.
#[test]
fn a_segment_that_cannot_be_opened_ends_no_backup() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    bodies(&open_store(&disk), 0);
    let faulty = FaultyDisk::new(disk);
    let store = Store::open(crate::store::tests::options(faulty.clone())).unwrap();
    let plan = |call| faulty.plan(Plan { fault: Failing::Open, call, forever: false });
    plan(u64::MAX);
    let segments = back_up(&store, &to).unwrap().segments;
    let (mut ended, mut told) = (0, 0);
    for call in 0..faulty.calls(Failing::Open) {
        plan(call);
        match back_up(&store, &to) {
            // FORMAT.
            Err(error) => ended += u64::from(matches!(error, StoreError::Io(_))),
            Ok(done) => {
                told += done.unread.len() as u64;
                // The copy of the first point stands for it.
                assert_eq!(done.segments, segments, "{done:?}");
                let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
                assert_eq!(found.lost.len(), 1, "{found:?}");
            }
        }
    }
    assert_eq!((ended, told), (1, segments));
}

/// It was told as damage of whatever it was, and not what that means for the backup.
#[test]
fn a_row_that_cannot_be_read_ends_a_backup_with_a_word_about_it() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    back_up(&store, &to).unwrap();
    drop(store);
    let file = disk.open("meta/holdall.redb", Mode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    // A row as a snapshot has it; opening does not read it.
    let rows =
        crate::store::snapshots::SnapshotFile::open(to.open("points/00000001.meta", Mode::Read).unwrap());
    let row = rows
        .unwrap()
        .rows()
        .map(Result::unwrap)
        .find(|row| row.table == crate::store::meta::table::Table::Page);
    let value = row.unwrap().value;
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&value)).collect();
    places.iter().for_each(|at| disk.damage("meta/holdall.redb", *at as u64, 4).unwrap());
    assert!(!places.is_empty());
    let store = open_store(&disk);
    let told = back_up(&store, &to).unwrap_err().to_string();
    assert!(told.contains("a row of page is not") && told.contains("none was made"), "{told}");
    assert_eq!(folder(&to).numbers().unwrap(), [1]);
    assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
}

/// What was read wrongly once stayed in every later point: seal and length said that it was there.
#[test]
fn what_was_read_wrongly_while_it_was_copied_is_copied_again() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let bodies = bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    let name = disk.list("segments/000000").unwrap().into_iter().min().unwrap();
    let path = format!("segments/000000/{name}");
    disk.damage(&path, 300_000, 1).unwrap();
    back_up(&store, &to).unwrap();
    // Only as long as it was copied.
    disk.damage(&path, 300_000, 1).unwrap();
    assert_eq!(back_up(&store, &to).unwrap().copied, 0);
    let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
    assert_eq!((found.problems, found.moved_aside.len()), (1, 1), "{found:?}");
    assert_eq!(back_up(&store, &to).unwrap().copied, 1);
    let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
    assert_eq!((found.problems, found.moved_aside.len()), (0, 0), "{found:?}");
    assert_has(&open_store(&restored(&to, None).unwrap()), &bodies);
    // Of what the store had lost there is no better one.
    disk.unreadable(&path, 300_000..300_001).unwrap();
    let to = SimDisk::new();
    back_up(&store, &to).unwrap();
    let found = verify(&folder(&to), None, Some(&key()), &quietly).unwrap();
    assert_eq!((found.problems, found.moved_aside.len()), (1, 0), "{found:?}");
}
