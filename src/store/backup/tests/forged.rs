//! What somebody may do who can write to the folder of backups, before a backup or in the middle of one.

use super::*;
use crate::store::{io::held::HeldFolder, sync::Mutex};

/// A list of a point as whoever can write to the folder may write it: its digest fits.
fn put_list(folder: &BackupFolder, number: u64, text: &str) {
    folder.put_text(&Point::path(number), text).unwrap();
}

/// A forged list with a digest that fit was restored, with the true recovery key: rows with another
/// admin, segments with other bytes.
#[test]
fn a_list_that_its_store_did_not_make_is_worth_nothing() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    let whole = back_up(&store, &to).unwrap();
    let folder = folder(&to);
    let point = folder.point(None).unwrap();
    let text = point.text();
    let refused = || {
        let into = SimDisk::new();
        let point = folder.point(None)?;
        let done =
            restore(&folder, (point.vouched(&key())?, Rotten::Refused), &into, (&KEYS, LEAP), &quietly);
        done.map(|_| panic!("it is restored"))
    };
    // Every byte that stands for something, changed as it may be.
    let mut changed = 0;
    for (at, old) in text.bytes().enumerate() {
        for new in [b'0', b'1', b'7', b'a', b'-'].into_iter().filter(|new| *new != old) {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = new;
            put_list(&folder, 1, std::str::from_utf8(&bytes).unwrap());
            let error: StoreError = refused().unwrap_err();
            changed += u64::from(error.to_string().contains("is not as its store made it"));
        }
    }
    assert!(changed > 1000, "{changed}");
    // Rows that were changed, with their digest and their sums as they must be.
    let forged = b"rows with another admin";
    to.remove("points/00000001.meta").unwrap();
    to.open("points/00000001.meta", Mode::Create).unwrap().write_at(forged, 0).unwrap();
    let mut strange = point.clone();
    let rows = strange.files.iter_mut().find(|file| file.part == Part::Metadata).unwrap();
    (rows.length, rows.digest) = (forged.len() as u64, *blake3::hash(forged).as_bytes());
    for signed in [strange.clone(), strange.signed(&PointKey::new([4; 32].into()))] {
        put_list(&folder, 1, &signed.text());
        let error: StoreError = refused().unwrap_err();
        assert!(error.to_string().starts_with("point 1 is not as its store made it"), "{error}");
        let found = verify(&folder, None, Some(&key()), &quietly).unwrap();
        assert!(found.authentic == Some(false) && found.told[0].contains("point 1 is not"), "{found:?}");
        assert_eq!(verify(&folder, None, None, &quietly).unwrap().authentic, None);
    }
    // Copies that such a list calls damaged stay where they are: here they have its names.
    let mut strange = point.clone();
    strange.segments.iter_mut().for_each(|copy| copy.digest[31] ^= 1);
    put_list(&folder, 1, &strange.text());
    let found = verify(&folder, None, Some(&key()), &quietly).unwrap();
    assert!(found.problems > 0 && found.moved_aside.is_empty(), "{found:?}");
    // Without a mac, and with one of another point.
    let (lines, mac) = text.rsplit_once("mac ").unwrap();
    put_list(&folder, 1, lines);
    let error: StoreError = refused().unwrap_err();
    assert!(error.to_string().contains("has no mac"), "{error}");
    put_list(&folder, 2, &format!("{}mac {mac}", lines.replace("number 1", "number 2")));
    let error: StoreError = refused().unwrap_err();
    assert!(error.to_string().starts_with("point 2 is not"), "{error}");
    // What another key's points list stands for nothing, and they push none of ours out.
    put_list(&folder, 1, &point.clone().signed(&PointKey::new([4; 32].into())).text());
    to.remove(&Point::path(2)).unwrap();
    let done = create(&store, Arc::new(to.clone()), (b"wrapped", &key()), Some(2), &quietly).unwrap();
    assert_eq!((done.copied, done.removed), (whole.segments, 0));
    assert!(done.not_removed.unwrap().contains("point 1 is not as its store made it"));
    assert_eq!(verify(&folder, None, Some(&key()), &quietly).unwrap().authentic, Some(true));
}

#[test]
fn a_list_that_would_not_be_read_again_is_not_written() {
    let to = SimDisk::new();
    back_up(&open_store(&SimDisk::new()), &to).unwrap();
    let text = " ".repeat(usize::try_from(folder::MAX_TEXT).unwrap());
    let refused = folder(&to).put_text(&Point::path(2), &text);
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(folder(&to).numbers().unwrap(), [1]);
}

/// The folders were looked at when a backup began; a link that took the place of one afterwards led it to
/// write, and to remove, wherever that somebody wanted.
#[test]
fn a_folder_that_becomes_a_link_while_a_backup_is_made_leads_nowhere() {
    let disk = SimDisk::new();
    bodies(&open_store(&disk), 0);
    let store = open_store(&disk);
    for (name, phase) in
        [("points", "rows"), ("points", "segments"), ("segments", "rows"), ("segments", "segments")]
    {
        let place = tempfile::tempdir().unwrap();
        let (root, live, aside) =
            (place.path().join("root"), place.path().join("live"), place.path().join("aside"));
        std::fs::create_dir(&live).unwrap();
        std::fs::write(live.join("00000001.new"), "live").unwrap();
        let held = || Arc::new(HeldFolder::open(&root).unwrap());
        create(&store, held(), (b"wrapped", &key()), None, &quietly).unwrap();
        // Everything is copied again, whatever it is called.
        for entry in std::fs::read_dir(root.join("segments")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let swapped = Mutex::new(false);
        let swap = |progress: Progress| {
            let mut swapped = swapped.lock().unwrap();
            if progress.phase == phase && !*swapped {
                std::fs::rename(root.join(name), &aside).unwrap();
                std::os::unix::fs::symlink(&live, root.join(name)).unwrap();
                *swapped = true;
            }
            Ok(())
        };
        let failed = create(&store, held(), (b"wrapped", &key()), Some(1), &swap);
        assert!(failed.is_err() && *swapped.lock().unwrap(), "{name}, {phase}: {failed:?}");
        let names: Vec<_> =
            std::fs::read_dir(&live).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["00000001.new"], "{name}, {phase}");
        // The point of before is as it was, and so is the next.
        std::fs::remove_file(root.join(name)).unwrap();
        std::fs::rename(&aside, root.join(name)).unwrap();
        create(&store, held(), (b"wrapped", &key()), None, &quietly).unwrap();
        let folder = BackupFolder::open(held()).unwrap();
        for point in folder.numbers().unwrap() {
            assert_eq!(
                verify(&folder, Some(point), Some(&key()), &quietly).unwrap().problems,
                0,
                "{name}, {phase}"
            );
        }
    }
}

/// Rows were held against their digest, and read once more to restore them.
#[test]
fn what_is_restored_is_what_was_looked_at_whoever_writes_there_meanwhile() {
    let (disk, to, other) = (SimDisk::new(), SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    let mine = bodies(&store, 0);
    back_up(&store, &to).unwrap();
    // Rows that are whole in themselves, of the same store in another state.
    bodies(&store, 20);
    for id in mine.keys() {
        release(&store, *id);
    }
    back_up(&store, &other).unwrap();
    let path = "points/00000001.meta";
    let content = |disk: &SimDisk| {
        let file = disk.open(path, Mode::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    };
    let (right, forged) = (content(&to), content(&other));
    let put = move |to: &SimDisk, bytes: &[u8]| {
        let file = to.open(path, Mode::ReadWrite).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        file.write_at(bytes, 0).unwrap();
    };
    let folder = folder(&to);
    let point = folder.point(None).unwrap();
    let attempt = |into: &SimDisk| {
        let vouched = (point.vouched(&key()).unwrap(), Rotten::Refused);
        restore(&folder, vouched, into, (&KEYS, LEAP), &quietly)
    };
    let whole = SimDisk::new();
    attempt(&whole).unwrap();
    let (calls, mut restored) = (whole.counts().changes, 0);
    for at in 0..calls {
        put(&to, &right);
        let (into, from, forged) = (SimDisk::new(), to.clone(), forged.clone());
        into.watch(move |moment| {
            if moment.number() == at {
                put(&from, &forged);
            }
        });
        let done = attempt(&into);
        into.unwatch();
        match done {
            Ok(_) => {
                restored += 1;
                assert_has(&open_store(&into), &mine);
            }
            Err(error) => assert!(matches!(error, StoreError::Damaged(_)), "{at}: {error}"),
        }
    }
    assert!(restored > 0 && restored < calls, "{restored} of {calls}");
}

#[test]
fn what_is_no_file_is_told_by_name() {
    let to = SimDisk::new();
    back_up(&open_store(&SimDisk::new()), &to).unwrap();
    let point = folder(&to).point(None).unwrap();
    for path in ["points/00000001.format", "points/00000001.point"] {
        to.remove(path).unwrap();
        to.create_dir(path).unwrap();
        let into = SimDisk::new();
        let vouched = (point.vouched(&key()).unwrap(), Rotten::Refused);
        let told = restore(&folder(&to), vouched, &into, (&KEYS, LEAP), &quietly).unwrap_err().to_string();
        assert!(told.contains("points/00000001.format") && into.list("keys").unwrap().is_empty(), "{told}");
    }
    let told = folder(&to).point(None).unwrap_err().to_string();
    assert!(told.contains("points/00000001.point is no regular file"), "{told}");
}

/// The digest was that of what was read again: whoever wrote there in between had it vouched for.
#[test]
fn rows_that_become_others_while_they_are_written_make_no_point() {
    let (disk, to) = (SimDisk::new(), SimDisk::new());
    let store = open_store(&disk);
    bodies(&store, 0);
    back_up(&store, &to).unwrap();
    let changed = Mutex::new(false);
    let change = |progress: Progress| {
        let mut changed = changed.lock().unwrap();
        if progress.phase == "rows" && !*changed {
            to.damage("points/00000002.meta", 20, 1).unwrap();
            *changed = true;
        }
        Ok(())
    };
    let told =
        create(&store, Arc::new(to.clone()), (b"wrapped", &key()), None, &change).unwrap_err().to_string();
    assert!(told.contains("points/00000002.meta is not what was written"), "{told}");
    assert_eq!(folder(&to).numbers().unwrap(), [1]);
    assert_eq!(back_up(&store, &to).unwrap().number, 2);
    assert_eq!(verify(&folder(&to), None, Some(&key()), &quietly).unwrap().problems, 0);
}
