//! What both disks must do alike, and what only the simulated one can show.

use std::io::ErrorKind;

use crate::store::sync::Arc;

use super::{File, Found, Io, Mode, Site, disk::Disk, held::HeldFolder, sim::SimDisk};

fn on_both(test: impl Fn(&dyn Io)) {
    let folder = tempfile::tempdir().unwrap();
    test(&Disk::open(folder.path().join("data")).unwrap());
    test(&HeldFolder::open(&folder.path().join("held")).unwrap());
    test(&SimDisk::new());
}

fn create(io: &dyn Io, path: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = io.open(path, Mode::Create).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

fn content(io: &dyn Io, path: &str) -> Vec<u8> {
    let file = io.open(path, Mode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn a_file_reads_back_what_was_written_anywhere_in_it() {
    on_both(|io| {
        let file = create(io, "a", b"hello");
        file.write_at(b"there", 9000).unwrap();
        file.write_at(b"J", 0).unwrap();
        let mut bytes = [1; 5];
        file.read_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"Jello");
        file.read_at(&mut bytes, 8998).unwrap();
        assert_eq!(&bytes, b"\0\0the");
        assert_eq!(kind(file.read_at(&mut bytes, 9001)), Some(ErrorKind::UnexpectedEof));
        assert_eq!(file.len().unwrap(), 9005);
        assert!(!file.is_empty().unwrap());
        file.start_writeback(0, 9005);
        file.sync(Site::Meta).unwrap();
    });
}

#[test]
fn files_are_cut_lengthened_and_allocated() {
    on_both(|io| {
        let file = create(io, "a", b"hello");
        file.set_len(2).unwrap();
        file.set_len(4).unwrap();
        assert_eq!(content(io, "a"), b"he\0\0");
        file.allocate(3).unwrap();
        assert_eq!(file.len().unwrap(), 4);
        file.allocate(10_000).unwrap();
        assert_eq!(content(io, "a").len(), 10_000);
        assert!(content(io, "a")[2..].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn modes_say_whether_a_file_must_be_there_and_may_change() {
    on_both(|io| {
        assert_eq!(kind(io.open("a", Mode::Read)), Some(ErrorKind::NotFound));
        assert_eq!(kind(io.open("a", Mode::ReadWrite)), Some(ErrorKind::NotFound));
        assert_eq!(kind(io.open("no/a", Mode::Create)), Some(ErrorKind::NotFound));
        create(io, "a", b"x");
        assert_eq!(kind(io.open("a", Mode::Create)), Some(ErrorKind::AlreadyExists));
        assert!(io.open("a", Mode::Read).unwrap().write_at(b"y", 0).is_err());
        io.open("a", Mode::ReadWrite).unwrap().write_at(b"y", 0).unwrap();
        assert_eq!(content(io, "a"), b"y");
    });
}

#[test]
fn what_has_a_name_is_a_file_or_a_folder() {
    on_both(|io| {
        io.create_dir("a/b").unwrap();
        create(io, "a/one", b"1");
        let found = ["", "a", "a/b", "a/one", "a/two", "c/d"].map(|path| io.found(path).unwrap());
        let (file, folder) = (Some(Found::File), Some(Found::Folder));
        assert_eq!(found, [folder, folder, folder, file, None, None]);
    });
}

/// A link in the place of a file led into another folder, and a pipe was waited for, for ever.
#[test]
fn a_link_or_a_pipe_in_the_place_of_a_file_is_not_opened() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let linked = folder.path().join("linked");
    std::os::unix::fs::symlink(&real, &linked).unwrap();
    let (disk, held) = (Disk::open(&linked).unwrap(), HeldFolder::open(&linked).unwrap());
    create(&disk, "a", b"x");
    let target = other.path().join("b");
    std::fs::write(&target, b"y").unwrap();
    std::os::unix::fs::symlink(&target, real.join("b")).unwrap();
    std::os::unix::fs::symlink(other.path().join("none"), real.join("none")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(real.join("pipe")).status().unwrap();
    assert!(made.success());
    for name in ["b", "none", "pipe"] {
        for io in [&disk as &dyn Io, &held] {
            assert_eq!(io.found(name).unwrap(), Some(Found::Other), "{name}");
            for mode in [Mode::Read, Mode::ReadWrite, Mode::Create] {
                assert!(io.open(name, mode).is_err(), "{name}, {mode:?}");
            }
            assert!(io.lock(name).is_err(), "{name}");
        }
    }
    assert!(!other.path().join("none").exists());
    assert_eq!(content(&disk, "a"), b"x", "the folder itself may be a link");
    assert_eq!(content(&held, "a"), b"x", "the folder itself may be a link");
}

/// A folder was looked at once, and whoever put a link in its place afterwards chose what was written over
/// and what was removed.
#[test]
fn a_folder_that_is_held_leads_nowhere_else_whatever_takes_its_place() {
    let place = tempfile::tempdir().unwrap();
    let (root, other) = (place.path().join("root"), place.path().join("other"));
    let held = HeldFolder::open(&root).unwrap();
    held.create_dir("d").unwrap();
    create(&held, "d/a", b"ours");
    create(&held, "b", b"ours");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("a"), b"theirs").unwrap();
    std::fs::rename(root.join("d"), root.join("aside")).unwrap();
    std::os::unix::fs::symlink(&other, root.join("d")).unwrap();
    assert!(held.open("d/a", Mode::Read).is_err() && held.open("d/new", Mode::Create).is_err());
    assert!(held.list("d").is_err() && held.found("d/a").is_err() && held.lock("d/LOCK").is_err());
    assert!(held.create_dir("d").is_err() && held.create_dir("d/e").is_err());
    assert!(held.rename("b", "d/a").is_err() && held.rename("d/a", "c").is_err());
    assert!(held.remove("d/a").is_err() && held.sync_dir("d", Site::BackupDir).is_err());
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
    assert_eq!(std::fs::read(other.join("a")).unwrap(), b"theirs");
    // Nor does it become another folder itself.
    std::fs::rename(&root, place.path().join("opened")).unwrap();
    std::os::unix::fs::symlink(&other, &root).unwrap();
    assert_eq!(content(&held, "aside/a"), b"ours");
    held.remove("b").unwrap();
    create(&held, "c", b"ours");
    assert!(place.path().join("opened/c").exists() && !other.join("c").exists());
}

#[test]
fn folders_list_the_names_that_are_in_them() {
    on_both(|io| {
        assert!(io.list("a/b").unwrap().is_empty());
        io.create_dir("a/b").unwrap();
        io.create_dir("a/b").unwrap();
        create(io, "a/b/one", b"1");
        create(io, "a/two", b"2");
        let mut names = io.list("a").unwrap();
        names.sort();
        assert_eq!(names, ["b", "two"]);
        assert_eq!(io.list("").unwrap(), ["a"]);
        for dir in ["", "a", "a/b"] {
            io.sync_dir(dir, Site::SegmentDir).unwrap();
        }
        assert_eq!(kind(io.sync_dir("c", Site::SegmentDir)), Some(ErrorKind::NotFound));
    });
}

#[test]
fn a_rename_replaces_and_a_remove_is_no_error_twice() {
    on_both(|io| {
        create(io, "a", b"new");
        let old = create(io, "b", b"old");
        io.rename("a", "b").unwrap();
        assert_eq!(content(io, "b"), b"new");
        assert_eq!(old.len().unwrap(), 3, "an open file outlives its name");
        assert_eq!(kind(io.rename("a", "b")), Some(ErrorKind::NotFound));
        io.remove("b").unwrap();
        io.remove("b").unwrap();
        assert!(io.list("").unwrap().is_empty());
    });
}

#[test]
fn a_locked_file_is_taken_once_until_it_is_dropped() {
    on_both(|io| {
        let held = io.lock("LOCK").unwrap();
        assert_eq!(kind(io.lock("LOCK")), Some(ErrorKind::WouldBlock));
        drop(held);
        io.lock("LOCK").unwrap();
    });
}

#[test]
fn the_room_on_the_disk_is_known() {
    on_both(|io| {
        let space = io.space().unwrap();
        assert!(space.total > 0 && space.free <= space.total);
    });
}

#[test]
fn a_full_disk_says_so_and_keeps_what_was_there() {
    let disk = SimDisk::new();
    let file = create(&disk, "a", b"hello");
    disk.set_free(100);
    assert_eq!(kind(file.allocate(1000)), Some(ErrorKind::StorageFull));
    disk.set_free(100);
    let file = create(&disk, "b", b"");
    assert_eq!(kind(file.write_at(&[7; 200], 0)), Some(ErrorKind::StorageFull));
    assert_eq!(content(&disk, "b"), vec![7; 100]);
    disk.remove("b").unwrap();
    assert_eq!(disk.space().unwrap().free, 100);
    assert_eq!(content(&disk, "a"), b"hello");
}

#[test]
fn allocating_takes_room_for_holes_too() {
    let disk = SimDisk::new();
    let file = create(&disk, "a", b"hello");
    file.set_len(1000).unwrap();
    disk.set_free(100);
    assert_eq!(kind(file.allocate(1000)), Some(ErrorKind::StorageFull));
    disk.set_free(1000);
    file.allocate(1000).unwrap();
    disk.set_free(0);
    file.write_at(&[7; 1000], 0).unwrap();
}

#[test]
fn a_crash_keeps_what_was_synced_whatever_the_seed() {
    let disk = SimDisk::new();
    disk.create_dir("d").unwrap();
    let file = create(&disk, "d/a", &[1; 3000]);
    file.sync(Site::Meta).unwrap();
    disk.sync_dir("", Site::RootDir).unwrap();
    disk.sync_dir("d", Site::RootDir).unwrap();
    file.write_at(&[2; 3000], 3000).unwrap();
    let lengths: std::collections::BTreeSet<usize> = (0..200)
        .map(|seed| {
            let found = content(&disk.crash(seed), "d/a");
            assert_eq!(found[..3000], [1; 3000]);
            found.len()
        })
        .collect();
    assert!(lengths.contains(&3000) && lengths.contains(&6000) && lengths.len() > 3, "{lengths:?}");
}

#[test]
fn unsynced_bytes_are_lost_kept_torn_at_sectors_or_leave_only_their_length() {
    let disk = SimDisk::new();
    let file = create(&disk, "a", b"");
    disk.sync_dir("", Site::RootDir).unwrap();
    file.sync(Site::Meta).unwrap();
    file.write_at(&[7; 2048], 0).unwrap();
    let (mut lost, mut kept, mut torn, mut hollow) = (0, 0, 0, 0);
    for seed in 0..400 {
        let found = content(&disk.crash(seed), "a");
        match found.len() {
            0 => lost += 1,
            2048 if found == [7; 2048] => kept += 1,
            2048 if found == [0; 2048] => hollow += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 20 && kept > 20 && torn > 20 && hollow > 5, "{lost} {kept} {torn} {hollow}");
}

#[test]
fn a_name_is_durable_only_when_its_folders_are_synced() {
    let disk = SimDisk::new();
    disk.create_dir("d/e").unwrap();
    let file = create(&disk, "d/e/a", b"x");
    file.sync(Site::Meta).unwrap();
    disk.sync_dir("d/e", Site::SegmentDir).unwrap();
    disk.sync_dir("d", Site::SegmentDir).unwrap();
    assert!(
        (0..100).any(|seed| disk.crash(seed).open("d/e/a", Mode::Read).is_err()),
        "d itself is not synced"
    );
    disk.sync_dir("", Site::RootDir).unwrap();
    assert!((0..100).all(|seed| content(&disk.crash(seed), "d/e/a") == b"x"));
}

#[test]
fn an_unsynced_rename_leaves_the_old_file_or_the_new_one() {
    let disk = SimDisk::new();
    create(&disk, "a", b"old").sync(Site::Format).unwrap();
    disk.sync_dir("", Site::RootDir).unwrap();
    create(&disk, "a.new", b"new").sync(Site::Format).unwrap();
    disk.rename("a.new", "a").unwrap();
    let found: std::collections::BTreeSet<Vec<u8>> =
        (0..100).map(|seed| content(&disk.crash(seed), "a")).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [b"new".to_vec(), b"old".to_vec()]);
}

#[test]
fn a_left_out_sync_shows_after_a_crash() {
    let disk = SimDisk::new();
    disk.skip(Site::SegmentData);
    let file = create(&disk, "a", b"x");
    disk.sync_dir("", Site::RootDir).unwrap();
    file.sync(Site::SegmentData).unwrap();
    assert!((0..50).any(|seed| content(&disk.crash(seed), "a") != b"x"));
    file.sync(Site::Meta).unwrap();
    assert!((0..50).all(|seed| content(&disk.crash(seed), "a") == b"x"));
    assert_eq!(disk.counts().syncs[&Site::SegmentData], 1);
}

#[test]
fn a_failing_sync_fails_and_makes_nothing_durable() {
    let disk = SimDisk::new();
    disk.fail(Site::Meta);
    let file = create(&disk, "a", b"x");
    disk.sync_dir("", Site::RootDir).unwrap();
    assert!(file.sync(Site::Meta).is_err());
    assert!((0..50).any(|seed| content(&disk.crash(seed), "a") != b"x"));
}

#[test]
fn a_write_can_be_cut_short_once() {
    let disk = SimDisk::new();
    let file = create(&disk, "a", b"");
    disk.cut_write_after(1);
    file.write_at(b"whole", 0).unwrap();
    assert!(file.write_at(b"half", 5).is_err());
    assert_eq!(content(&disk, "a"), b"wholeha");
    file.write_at(b"half", 5).unwrap();
}

#[test]
fn the_power_can_be_cut_at_every_change() {
    let work = |disk: &SimDisk| -> std::io::Result<()> {
        let file = disk.open("a", Mode::Create)?;
        file.write_at(b"hello", 0)?;
        file.sync(Site::Meta)?;
        disk.sync_dir("", Site::RootDir)?;
        disk.rename("a", "b")?;
        disk.sync_dir("", Site::RootDir)
    };
    let whole = SimDisk::new();
    work(&whole).unwrap();
    let changes = whole.counts().changes;
    assert_eq!(changes, 6);
    for calls in 0..changes {
        let disk = SimDisk::new();
        disk.crash_after(calls);
        work(&disk).unwrap_err();
        for seed in 0..20 {
            let mut names = disk.crash(seed).list("").unwrap();
            match calls {
                0..=3 => assert!(names.is_empty() || names == ["a"]),
                _ => assert_eq!(content(&disk.crash(seed), &names.remove(0)), b"hello"),
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_image() {
    let disk = SimDisk::new();
    create(&disk, "a", &[3; 10_000]);
    create(&disk, "b", &[4; 10_000]);
    for seed in 0..20 {
        let (one, two) = (disk.crash(seed), disk.crash(seed));
        assert_eq!(one.list("").unwrap(), two.list("").unwrap());
        for name in one.list("").unwrap() {
            assert_eq!(content(&one, &name), content(&two, &name));
        }
    }
}
