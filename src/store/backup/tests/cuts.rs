//! What a power cut leaves of a backup, at any of its steps.

use super::*;

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
