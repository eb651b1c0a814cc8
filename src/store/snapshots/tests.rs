use super::*;
use crate::{
    proof::Dice,
    store::{
        Store,
        io::sim::{
            SimDisk,
            left_out::{LeftOut, unmissed},
        },
        meta::{
            Kind,
            rows::{KeyRange, Order, RowsMut},
        },
        rows::memory::Memory,
        tests::{get, open as open_store, options, put},
    },
};

const TABLES: [Table; 3] = [Table::Dent, Table::Chunk, Table::Journal];

fn origin(number: u64) -> Origin {
    Origin { uuid: [5; 16], taken_at: Timestamp(1_700_000_000_000), number }
}

fn no_pulse(_: u64) -> Result<(), StoreError> {
    Ok(())
}

/// Rows in several tables, some long, more than a block of them.
fn some_rows(count: u64) -> Memory {
    let (mut rows, mut dice) = (Memory::default(), Dice(count));
    rows.put(Table::Config, b"version".to_vec(), vec![1]);
    rows.put(Table::Config, b"incarnation".to_vec(), vec![3]);
    for number in 0..count {
        let table = TABLES[dice.roll(3) as usize];
        let key = [&number.to_be_bytes()[..], &vec![7; dice.roll(40) as usize]].concat();
        rows.put(table, key, (0..dice.roll(900)).map(|_| dice.next() as u8).collect());
    }
    rows.put(Table::Prop, b"long".to_vec(), vec![9; 3 << 20]);
    rows
}

fn written(rows: &Memory) -> (SimDisk, SnapshotFile) {
    let disk = SimDisk::new();
    let file = disk.open("a", Mode::Create).unwrap();
    let mut heard = 0;
    let written = write(rows, origin(4), &*file, &mut |bytes| {
        heard = bytes;
        Ok(())
    });
    assert_eq!(written.unwrap().0, file.len().unwrap());
    assert!(heard > 0);
    (disk, SnapshotFile::open(file).unwrap())
}

fn all(rows: &dyn Rows) -> Vec<SnapshotRow> {
    let of = |table: Table| {
        let found = rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX).unwrap();
        found.into_iter().map(move |(key, value)| SnapshotRow { table, key, value })
    };
    Table::ALL.iter().flat_map(|table| of(*table)).collect()
}

#[test]
fn the_rows_of_a_snapshot_are_those_that_were_written() {
    let rows = some_rows(5000);
    let (_, snapshot) = written(&rows);
    assert_eq!(snapshot.header().incarnation, 3);
    assert_eq!(snapshot.header().number, 4);
    let read: Vec<SnapshotRow> = snapshot.rows().collect::<Result<_, _>>().unwrap();
    assert!(read == all(&rows));
    assert_eq!(snapshot.verify().unwrap(), rows.0.len() as u64);
}

/// Whoever changes a line here changes what lies on people's disks.
#[test]
fn a_snapshot_has_the_form_it_is_released_with() {
    let disk = SimDisk::new();
    let file = disk.open("a", Mode::Create).unwrap();
    let mut rows = Memory::default();
    rows.put(Table::Dent, b"key".to_vec(), b"value".to_vec());
    let header = SnapshotHeader {
        uuid: [1; 16],
        incarnation: 2,
        version: 1,
        taken_at: Timestamp(5),
        number: 6,
        tables: vec![Table::Config, Table::Dent],
    };
    let (end, _) = write::write(&rows, &header, &*file, &mut no_pulse).unwrap();
    let mut bytes = vec![0; end as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let form = [
        "484f4c44534e4150010000004c000000",
        "01010101010101010101010101010101",
        "02000000010000000500000000000000",
        "060000000000000002000000",
        "06636f6e6669670464656e74",
        "91cdbf89",
        "01000000010000000a0000000a000000b398c9a4",
        "036b65790576616c7565",
        "ffff0000000000001800000018000000ed2f77e5",
        "0000000000000000",
        "0100000000000000",
        "0100000000000000",
        "d8b534c150bf2000becaf57b9518115775053db0fdacb3a0b32297fdf7ea22b8",
    ]
    .concat();
    assert_eq!(hex::encode(&bytes), form);
}

#[test]
fn nothing_of_a_cut_or_changed_snapshot_passes_for_the_whole() {
    let mut rows = some_rows(10);
    rows.delete(Table::Prop, b"long".to_vec());
    let (disk, snapshot) = written(&rows);
    let file = disk.open("a", Mode::ReadWrite).unwrap();
    let length = file.len().unwrap();
    let found = || SnapshotFile::open(disk.open("a", Mode::Read).unwrap()).and_then(|found| found.verify());
    assert_eq!(found().unwrap(), snapshot.verify().unwrap());
    for at in 0..length {
        disk.damage("a", at, 0x10).unwrap();
        assert!(matches!(found(), Err(StoreError::Damaged(_) | StoreError::Refused(_))), "byte {at}");
        disk.damage("a", at, 0x10).unwrap();
    }
    let mut whole = vec![0; length as usize];
    file.read_at(&mut whole, 0).unwrap();
    file.set_len(length + 1).unwrap();
    assert!(found().is_err(), "a byte more");
    for cut in (0..length).rev() {
        file.set_len(cut).unwrap();
        assert!(found().is_err(), "cut at {cut}");
    }
}

#[test]
fn a_store_that_is_loaded_from_a_snapshot_has_the_same_rows_and_reads_the_same_bodies() {
    let disk = SimDisk::new();
    let store = open_store(&disk);
    let bodies: Vec<_> = (0..30_usize).map(|n| put(&store, &vec![n as u8; n * 9000])).collect();
    let before = all(&store.snapshot().unwrap());
    take(&disk, &store.snapshot().unwrap(), (store.dir().uuid(), Timestamp(1)), 4, &mut no_pulse).unwrap();
    let snapshot = open(&disk, 1).unwrap();
    assert!(matches!(load(&disk, &snapshot, None), Err(StoreError::Refused(_))), "there is metadata already");
    drop(store);

    disk.remove("meta/holdall.redb").unwrap();
    assert_eq!(load(&disk, &snapshot, None).unwrap(), before.len() as u64);
    let store = open_store(&disk);
    let state = |row: &SnapshotRow| !matches!(row.table, Table::Blocks | Table::Segment);
    let (mut after, mut before) = (all(&store.snapshot().unwrap()), before);
    after.retain(state);
    before.retain(state);
    assert!(after == before);
    for (n, body) in bodies.iter().enumerate() {
        assert!(get(&store, *body).unwrap() == vec![n as u8; n * 9000], "{n}");
    }
}

#[test]
fn a_new_life_has_another_incarnation_and_ids_above_all_that_were_seen() {
    let disk = SimDisk::new();
    let store = open_store(&disk);
    let (given, incarnation) = (store.fresh(Kind::Node).unwrap(), store.meta().incarnation());
    take(&disk, &store.snapshot().unwrap(), ([5; 16], Timestamp(1)), 4, &mut no_pulse).unwrap();
    // Given out after the snapshot: somebody may remember these.
    let later = (0..200_000).map(|_| store.fresh(Kind::Node).unwrap()).max().unwrap();
    drop(store);
    disk.remove("meta/holdall.redb").unwrap();
    let life = NewLife { seen: vec![(Kind::Chunk, 7_000_000)], leap: 7 };
    load(&disk, &open(&disk, 1).unwrap(), Some(&life)).unwrap();
    let store: Arc<Store> = open_store(&disk);
    assert_eq!(store.meta().incarnation(), incarnation + 8);
    let next = store.fresh(Kind::Node).unwrap();
    assert!(next > later && later > given, "{next} {later}");
    assert!(store.fresh(Kind::Chunk).unwrap() > 7_000_000);
}

#[test]
fn rows_of_a_newer_version_or_of_none_are_not_loaded() {
    for (version, refused) in [(Some(vec![99]), true), (None, false)] {
        let mut rows = some_rows(3);
        let (disk, _) = written(&rows);
        rows.delete(Table::Config, b"version".to_vec());
        version.into_iter().for_each(|version| rows.put(Table::Config, b"version".to_vec(), version));
        let mut all = all(&rows).into_iter().map(|row| Ok((row.table, row.key, row.value)));
        let loaded = meta::load(&disk, &mut all, None);
        let as_it_should = if refused {
            matches!(loaded, Err(StoreError::Refused(_)))
        } else {
            matches!(loaded, Err(StoreError::Damaged(_)))
        };
        assert!(as_it_should, "{loaded:?}");
        assert!(!disk.list("meta").unwrap().iter().any(|name| name == "holdall.redb"));
    }
}

#[test]
fn a_damaged_snapshot_is_not_loaded() {
    let disk = SimDisk::new();
    let store = open_store(&disk);
    put(&store, &[1; 100_000]);
    let kept = take(&disk, &store.snapshot().unwrap(), ([5; 16], Timestamp(1)), 4, &mut no_pulse).unwrap();
    drop(store);
    disk.remove("meta/holdall.redb").unwrap();
    // The digest at the end: everything before was already read.
    disk.damage("meta/snapshots/00000001.snap", kept.bytes - 1, 1).unwrap();
    assert!(matches!(load(&disk, &open(&disk, 1).unwrap(), None), Err(StoreError::Damaged(_))));
    assert!(Store::open(options(disk)).is_err());
}

#[test]
fn the_newest_are_kept_and_one_that_is_given_up_leaves_nothing() {
    let (disk, rows) = (SimDisk::new(), some_rows(2000));
    let numbers = || list(&disk).unwrap().iter().map(|kept| kept.number).collect::<Vec<_>>();
    for number in 1..=6 {
        let kept = take(&disk, &rows, ([5; 16], Timestamp(number)), 4, &mut no_pulse).unwrap();
        assert_eq!((kept.number, kept.taken_at), (number as u64, Timestamp(number)));
    }
    assert_eq!(numbers(), [3, 4, 5, 6]);
    let given_up =
        take(&disk, &rows, ([5; 16], Timestamp(7)), 4, &mut |_| Err(StoreError::Busy("no".into())));
    assert!(matches!(given_up, Err(StoreError::Busy(_))));
    assert_eq!(disk.list(FOLDER).unwrap().len(), 4);
    // A damaged one is not listed, and not in the way.
    disk.damage("meta/snapshots/00000006.snap", 20, 1).unwrap();
    assert_eq!(numbers(), [3, 4, 5]);
    assert_eq!(take(&disk, &rows, ([5; 16], Timestamp(8)), 2, &mut no_pulse).unwrap().number, 7);
    assert_eq!(numbers(), [7]);
}

/// A bad sector in one of four kept every rebuild from the other three, and new ones from being taken.
#[test]
fn one_that_the_disk_cannot_read_is_not_listed_and_not_in_the_way() {
    let (disk, rows) = (SimDisk::new(), some_rows(300));
    for number in 1..=3 {
        take(&disk, &rows, ([5; 16], Timestamp(number)), 4, &mut no_pulse).unwrap();
    }
    disk.unreadable("meta/snapshots/00000003.snap", 0..4096).unwrap();
    let numbers = || list(&disk).unwrap().iter().map(|kept| kept.number).collect::<Vec<_>>();
    assert_eq!(numbers(), [1, 2]);
    assert_eq!(take(&disk, &rows, ([5; 16], Timestamp(4)), 4, &mut no_pulse).unwrap().number, 4);
    assert_eq!(numbers(), [1, 2, 4]);
}

/// Every snapshot in an image is whole, and the one that was promised is there, or a newer one.
fn kept(after: &SimDisk, promised: u64) -> Result<(), String> {
    let found = list(after).map_err(|error| error.to_string())?;
    for number in numbers(after, WHOLE).unwrap() {
        open(after, number)
            .and_then(|snapshot| snapshot.verify())
            .map_err(|error| format!("{number}: {error}"))?;
    }
    if found.last().map_or(0, |kept| kept.number) < promised {
        return Err(format!("snapshot {promised} is gone"));
    }
    Ok(())
}

/// Takes two snapshots and cuts the power at some point; whether what was promised is kept.
fn survives(seed: u64, site: Option<Site>) -> Result<(), String> {
    let (disk, rows) = (SimDisk::new(), some_rows(300));
    disk.create_dir("meta").unwrap();
    disk.sync_dir("", Site::MetaDir).unwrap();
    site.into_iter().for_each(|site| disk.skip(site));
    disk.crash_after(Dice(seed).roll(40));
    let mut promised = 0;
    for turn in 1..=2 {
        if let Ok(kept) = take(&disk, &rows, ([5; 16], Timestamp(turn)), 1, &mut no_pulse) {
            promised = kept.number;
        }
    }
    (1..8).try_for_each(|more| kept(&disk.crash(seed + more * 1000), promised))?;
    let after = disk.crash(seed);
    kept(&after, promised)?;
    take(&after, &rows, ([5; 16], Timestamp(9)), 1, &mut no_pulse).map_err(|error| error.to_string())?;
    Ok(())
}

/// As [`survives`], with one sync left out; every one but that of `meta` for the second snapshot,
/// whose folder has its name since the first.
#[test]
fn each_single_sync_of_a_snapshot_is_missed() {
    let missed = |left_out: LeftOut, seed| {
        let (disk, rows, mut missed) = (SimDisk::new(), some_rows(300), false);
        disk.create_dir("meta").unwrap();
        disk.sync_dir("", Site::MetaDir).unwrap();
        disk.leave_out(left_out);
        (1..=2).fold(0, |promised, turn| {
            let taken = take(&disk, &rows, ([5; 16], Timestamp(turn)), 1, &mut no_pulse);
            let promised = taken.map_or(promised, |kept| kept.number);
            missed |= kept(&disk.crash(seed), promised).is_err();
            promised
        });
        missed
    };
    for (site, calls) in [(Site::SnapshotData, 2), (Site::SnapshotDir, 4)] {
        let nobody_can = |one: LeftOut| (site, one.nth) == (Site::SnapshotDir, 3);
        let left = unmissed(site, calls, |one, seed| nobody_can(one) || missed(one, seed));
        assert_eq!(left, [0; 0], "{site:?}");
    }
}

#[test]
fn a_snapshot_is_whole_under_its_name_in_every_crash_image_unless_a_sync_is_left_out() {
    for seed in 0..100 {
        survives(seed, None).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    for site in [Site::SnapshotData, Site::SnapshotDir] {
        assert!((0..200).any(|seed| survives(seed, Some(site)).is_err()), "{site:?}");
    }
}
