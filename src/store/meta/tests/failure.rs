//! Failing disks, newer files, closing: what is answered, and what works again afterwards.

use std::{sync::Arc, time::Duration};

use super::{Log, all, open, put, row, submit_put};
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        io::{Io, Mode, Site, sim::SimDisk},
        meta::{
            Health, Kind, Meta, MetaOptions,
            codec::Field,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

fn put_now(meta: &Meta, key: &'static str) -> Result<(), StoreError> {
    meta.apply(move |tx| put(tx, key, "1"))
}

#[test]
fn a_failed_sync_ends_acknowledgements_until_the_store_is_opened_again() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    put_now(&meta, "a").unwrap();
    disk.fail(Site::Meta);
    let log = Log::default();
    submit_put(&meta, &log, "b");
    let told = Arc::clone(&log);
    meta.submit(
        |_| Err::<(), _>(StoreError::Busy("a refusal of the same group".into())),
        move |result| told.lock().unwrap().push(result.unwrap_err().to_string()),
    );
    meta.step();
    assert_eq!(log.lock().unwrap().len(), 2);
    assert!(log.lock().unwrap().iter().all(|answer| answer.starts_with("not available")));
    assert!(matches!(meta.health(), Health::Failed(_)));

    let syncs = disk.counts().syncs.get(&Site::Meta).copied();
    assert!(matches!(put_now(&meta, "c"), Err(StoreError::Unavailable(_))));
    assert_eq!(disk.counts().syncs.get(&Site::Meta).copied(), syncs, "a failed sync is not tried again");
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "1")], "reads go on");
    assert!(meta.reopen().is_err(), "the disk still fails");
    assert!(matches!(meta.health(), Health::Failed(_)));
}

/// As systems do it: what a failed sync gave up is not written by the next, which answers well.
#[test]
fn a_failed_sync_is_not_made_good_by_another() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    disk.fail_once(Site::Meta);
    assert!(matches!(put_now(&meta, "a"), Err(StoreError::Unavailable(_))));
    assert!(matches!(meta.health(), Health::Failed(_)));
}

#[test]
fn a_store_whose_disk_works_again_is_opened_again_and_has_every_acknowledged_row() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    put_now(&meta, "a").unwrap();
    let id = meta.fresh(Kind::Node).unwrap();
    let old = meta.snapshot().unwrap();
    let calls = disk.counts().changes;
    put_now(&meta, "b").unwrap();
    let per_commit = disk.counts().changes - calls;
    for cut in 0..per_commit {
        disk.crash_after(cut);
        assert!(matches!(put_now(&meta, "c"), Err(StoreError::Unavailable(_))), "cut {cut}");
        disk.crash_after(u64::MAX / 2);
        meta.reopen().unwrap();
        assert_eq!(meta.health(), Health::Open);
        let rows = all(&meta.snapshot().unwrap(), Order::Forward);
        assert_eq!(rows[..2], [row("a", "1"), row("b", "1")]);
        put_now(&meta, "b").unwrap();
        assert_eq!(meta.fresh(Kind::Node).unwrap(), id + 1 + cut, "no id is lost or repeated");
    }
    // A snapshot from before may answer what it has in memory, or an error; never less.
    assert!(old.get(Table::Dent, b"a").is_err() || old.get(Table::Dent, b"a").unwrap().is_some());
}

/// A commit that failed may be there after all when the store is opened again.
#[test]
fn a_look_sees_the_database_that_was_opened_again() {
    let a = |rows: &dyn Rows| rows.get(Table::Dent, b"a").ok().flatten();
    let mut told_apart = 0;
    for cut in 0.. {
        let disk = SimDisk::new();
        let meta = open(disk.clone()).unwrap();
        put_now(&meta, "a").unwrap();
        assert_eq!(meta.look(a).unwrap(), Some(b"1".to_vec()));
        disk.crash_after(cut);
        let written = meta.apply(|tx| put(tx, "a", "2"));
        disk.crash_after(u64::MAX / 2);
        match written {
            Ok(()) => break,
            // Nothing was begun: closing puts right what is spoiled below.
            Err(StoreError::Unavailable(why)) if why.contains("taking room") => continue,
            Err(_) => {}
        }
        let before = meta.look(a).unwrap_or_default();
        let spoil = || disk.damage("meta/holdall.redb", 0, 1).unwrap();
        spoil();
        meta.reopen().unwrap_err();
        assert!(meta.look(a).is_err(), "a database that is closed answers nobody");
        spoil();
        meta.reopen().unwrap();
        let there = a(&meta.snapshot().unwrap());
        assert_eq!(meta.look(a).unwrap(), there, "cut {cut}");
        told_apart += usize::from(before.is_some() && before != there);
    }
    assert!(told_apart > 0, "no cut left the commit in doubt");
}

/// What the commit in doubt left counts, once, as what was acknowledged last: a disk that fails
/// again before or after that was settled takes nothing of it for lost.
#[test]
fn a_commit_in_doubt_is_settled_also_when_the_disk_fails_again() {
    let mut there = 0;
    for cut in 0.. {
        let disk = SimDisk::new();
        let meta = open(disk.clone()).unwrap();
        put_now(&meta, "a").unwrap();
        disk.crash_after(cut);
        let written = meta.apply(|tx| put(tx, "a", "2"));
        disk.crash_after(u64::MAX / 2);
        if written.is_ok() {
            break;
        }
        // The proof that the disk takes writes again fails, and then another commit does.
        disk.fail(Site::Meta);
        meta.reopen().unwrap_err();
        disk.heal(Site::Meta);
        meta.reopen().unwrap();
        let settled = all(&meta.snapshot().unwrap(), Order::Forward);
        there += usize::from(settled == [row("a", "2")]);
        disk.crash_after(0);
        assert!(matches!(meta.apply(|tx| put(tx, "b", "1")), Err(StoreError::Unavailable(_))));
        disk.crash_after(u64::MAX / 2);
        meta.reopen().unwrap();
        assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), settled, "cut {cut}");
    }
    assert!(there > 0, "no cut left the commit in doubt");
}

#[test]
fn a_full_disk_refuses_a_group_and_nothing_else() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    put_now(&meta, "a").unwrap();
    let large = |number: u32| {
        meta.apply(move |tx| {
            (0..20)
                .for_each(|n| tx.put(Table::Dead, [number, n].map(u32::to_be_bytes).concat(), vec![7; 900]));
            Ok::<_, StoreError>(())
        })
    };
    (0..10).for_each(|number| large(number).unwrap());
    disk.set_free(0);
    let fitted = (10..).find(|&number| large(number).is_err()).unwrap();
    assert!(!meta.has_room());
    assert!(matches!(put_now(&meta, "b"), Err(StoreError::Full)));
    assert_eq!(meta.health(), Health::Open);
    for number in 0..fitted {
        let gone = meta.apply(move |tx| {
            tx.give_back();
            (0..20_u32).for_each(|n| tx.delete(Table::Dead, [number, n].map(u32::to_be_bytes).concat()));
            Ok::<_, StoreError>(())
        });
        gone.unwrap();
    }
    assert!(matches!(put_now(&meta, "b"), Err(StoreError::Full)), "what is left is for giving back");
    disk.set_free(1 << 30);
    assert!(meta.has_room());
    put_now(&meta, "c").unwrap();
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "1"), row("c", "1")]);
}

#[test]
fn a_damaged_page_is_never_a_panic() {
    let disk = SimDisk::new();
    let every = KeyRange::prefix(Vec::new());
    {
        let meta = open(disk.clone()).unwrap();
        for first in [0, 1000_u32] {
            meta.apply(move |tx| {
                for n in first..first + 1000 {
                    tx.put(Table::Dent, n.to_be_bytes().to_vec(), vec![7; 200]);
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        }
    }
    let file = disk.open("meta/holdall.redb", Mode::Read).unwrap();
    let mut refused = 0;
    for page in 0..file.len().unwrap() / 4096 {
        let image = disk.crash(0);
        for at in 0..8 {
            image.damage("meta/holdall.redb", page * 4096 + at * 5, 0x55).unwrap();
        }
        let Ok(meta) = open(image) else {
            refused += 1;
            continue;
        };
        let snapshot = meta.snapshot().unwrap();
        for order in [Order::Forward, Order::Reverse] {
            if snapshot.scan(Table::Dent, &every, order, usize::MAX).is_err() {
                refused += 1;
                assert!(matches!(meta.health(), Health::Failed(_)));
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_newer_version_is_refused_in_clear_words_and_left_alone() {
    let disk = SimDisk::new();
    {
        let meta = open(disk.clone()).unwrap();
        meta.apply(|tx| {
            let mut row = Vec::new();
            99_u32.write(&mut row);
            tx.put(Table::Config, b"version".to_vec(), row);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    }
    for _ in 0..2 {
        match open(disk.clone()) {
            Err(StoreError::Refused(text)) => {
                assert!(text.contains("version 99") && text.contains("up to 1"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_missing_file_is_made_only_where_that_is_allowed() {
    let mut options = MetaOptions::new(Arc::new(|| Timestamp(0)));
    options.create = false;
    let opened = Meta::open(Arc::new(SimDisk::new()), options);
    assert!(matches!(opened, Err(StoreError::Refused(_))), "{opened:?}");
}

#[test]
fn a_closed_store_finishes_what_it_took_and_takes_no_more() {
    let meta = Arc::new(open(SimDisk::new()).unwrap());
    let log = Log::default();
    submit_put(&meta, &log, "a");
    meta.close();
    assert_eq!(meta.health(), Health::Closing);
    submit_put(&meta, &log, "b");
    assert_eq!(*log.lock().unwrap(), ["not available: the store is closing"]);
    let driven = Arc::clone(&meta);
    std::thread::spawn(move || driven.drive()).join().unwrap();
    assert_eq!(log.lock().unwrap().last().unwrap(), "a");
    assert!(!meta.wait(Duration::ZERO));
}

#[test]
fn a_verb_nobody_ran_is_answered_all_the_same() {
    let meta = open(SimDisk::new()).unwrap();
    let log = Log::default();
    submit_put(&meta, &log, "a");
    drop(meta);
    assert_eq!(log.lock().unwrap().len(), 1);
    assert!(log.lock().unwrap()[0].starts_with("not available"));
}

#[test]
fn a_thread_drives_what_others_submit() {
    let meta = Arc::new(open(SimDisk::new()).unwrap());
    let driven = Arc::clone(&meta);
    let driver = std::thread::spawn(move || driven.drive());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let meta = &meta;
            scope.spawn(move || {
                for n in 0..50 {
                    meta.apply(move |tx| put(tx, &format!("{thread}/{n}"), "")).unwrap();
                }
            });
        }
    });
    meta.close();
    driver.join().unwrap();
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward).len(), 200);
    assert_eq!(meta.counters().verbs, 200);
}
