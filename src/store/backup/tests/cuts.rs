//! What a power cut leaves of a backup and of a restore, at any of their steps.

use super::*;
use crate::store::io::sim::left_out::unmissed;

fn few(store: &Store, from: usize) -> BTreeMap<ManifestId, Vec<u8>> {
    let body = |n: usize| noise(&format!("few {n}"), 3000);
    (from..from + 3).map(|n| (put(store, &body(n)), body(n))).collect()
}

/// What a backup that was cut off left, if that is less than was promised.
fn lost(store: &Arc<Store>, after: &SimDisk, point: u64) -> Option<String> {
    let open = || BackupFolder::open(Arc::new(after.clone()));
    let whole = |number| {
        let found = verify(&open()?, Some(number), Some(&key()), &quietly)?;
        if found.problems == 0 { Ok(()) } else { Err(damaged(format!("point {number}: {:?}", found.told))) }
    };
    let look = || {
        let listed = open().and_then(|folder| folder.numbers()).unwrap_or_default();
        if point > 0 && !listed.contains(&point) {
            return Err(damaged(format!("point {point} is gone")));
        }
        listed.into_iter().try_for_each(whole)?;
        whole(back_up(store, after)?.number)
    };
    let looked: Result<(), StoreError> = look();
    looked.err().map(|error| error.to_string())
}

#[test]
fn in_every_image_of_a_backup_what_is_listed_is_whole() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    few(&store, 0);
    back_up(&store, &to).unwrap();
    few(&store, 20);
    let images = Arc::new(std::sync::Mutex::new(Vec::new()));
    let taken = Arc::clone(&images);
    to.watch(move |moment| {
        let each = (0..6).map(|seed| (moment.number(), moment.crash(moment.number() * 6 + seed)));
        taken.lock().unwrap().extend(each);
    });
    create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(1), &quietly).unwrap();
    to.unwatch();
    for (change, image) in images.lock().unwrap().drain(..) {
        let newest = folder(&image).numbers().unwrap().last().copied();
        let why = lost(&store, &image, newest.expect("a point"));
        assert_eq!(why, None, "cut off before change {change}");
    }
}

#[test]
fn each_single_sync_of_a_backup_is_missed() {
    let (disk, empty) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    few(&store, 0);
    let full = SimDisk::new();
    back_up(&store, &full).unwrap();
    few(&store, 20);
    for (base, number) in [(&empty, 1), (&full, 2)] {
        let back_up = |to: &SimDisk| {
            create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(1), &quietly).is_ok()
        };
        let whole = base.crash(0);
        assert!(back_up(&whole));
        for site in [Site::BackupData, Site::BackupDir] {
            // The last is for the lists that are removed, of which there are none; the names of the
            // folder are there since the first point.
            let exempt = [(1, Site::BackupDir, 6), (2, Site::BackupDir, 1)];
            let left = unmissed(site, whole.calls(site), |left_out, seed| {
                if exempt.contains(&(number, site, left_out.nth)) {
                    return true;
                }
                let to = base.crash(0);
                to.leave_out(left_out);
                let promised = if back_up(&to) { number } else { 0 };
                lost(&store, &to.crash(seed), promised).is_some()
            });
            assert_eq!(left, [0; 0], "{site:?} of point {number}, of {}", whole.calls(site));
        }
    }
}

#[test]
fn each_single_sync_of_a_restore_is_missed() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    let bodies = few(&store, 0);
    back_up(&store, &to).unwrap();
    let (folder, whole) = (folder(&to), SimDisk::new());
    let point = folder.point(None).unwrap();
    let vouched = (point.vouched(&key()).unwrap(), Rotten::Refused);
    let attempt = |into: &SimDisk| restore(&folder, vouched, into, (&KEYS, LEAP), &quietly).is_ok();
    assert!(attempt(&whole));
    for site in [Site::BackupData, Site::BackupDir] {
        // The name of the folder of segments is synced again with that of the metadata's, before
        // there are keys. By then the rows that the metadata is made from are gone.
        let exempt = [(Site::BackupDir, 1), (Site::BackupData, 2)];
        let left = unmissed(site, whole.calls(site), |left_out, seed| {
            if exempt.contains(&(site, left_out.nth)) {
                return true;
            }
            let into = SimDisk::new();
            into.leave_out(left_out);
            let done = attempt(&into);
            let after = into.crash(seed);
            let mut keys = [0; 3];
            let read = after.open(KEYS[0].0, Mode::Read).and_then(|file| file.read_at(&mut keys, 0));
            let keys = read.is_ok() && keys == *KEYS[0].1;
            let untouched = after.list("").unwrap().is_empty();
            match Store::open(crate::store::tests::options(after)) {
                Ok(_) if untouched => done,
                Ok(store) => {
                    !keys || bodies.iter().any(|(id, body)| get(&store, *id).ok().as_ref() != Some(body))
                }
                Err(_) => done,
            }
        });
        assert_eq!(left, [0; 0], "{site:?}, of {}", whole.calls(site));
    }
}
