//! Power cuts: whatever was acknowledged is there afterwards, and groups are whole or absent.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use super::{all, open, put};
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        io::{Site, sim::SimDisk},
        meta::{
            Kind, Meta, MetaOptions,
            rows::{Order, RowsMut},
            table::Table,
        },
    },
};

type State = BTreeSet<String>;

/// What the outside knows when the power fails.
#[derive(Default)]
struct Told {
    acknowledged: State,
    /// What is there as well if the group under way became durable.
    under_way: State,
    ids: BTreeSet<u64>,
}

/// Groups of verbs that add and remove rows and take ids, until the power fails.
fn work(disk: &SimDisk) -> Told {
    let mut told = Told::default();
    let Ok(meta) = open(disk.clone()) else { return told };
    for group in 0..25_u32 {
        let mut next = told.acknowledged.clone();
        let answers = Arc::new(Mutex::new(Vec::new()));
        for verb in 0..1 + group % 4 {
            let added = format!("{group:03}/{verb}");
            let removed = (group % 3 == 0).then(|| next.pop_first()).flatten();
            next.insert(added.clone());
            let answers = Arc::clone(&answers);
            meta.submit(
                move |tx| {
                    put(tx, &added, &"x".repeat(300))?;
                    if let Some(removed) = &removed {
                        tx.delete(Table::Dent, removed.clone().into_bytes());
                    }
                    tx.fresh(Kind::Node)
                },
                move |result| answers.lock().unwrap().push(result),
            );
        }
        told.under_way = next;
        meta.step();
        for answer in answers.lock().unwrap().drain(..) {
            match answer {
                Ok(id) => assert!(told.ids.insert(id), "{id} was given out before"),
                Err(StoreError::Unavailable(_)) => return told,
                Err(other) => panic!("{other}"),
            }
        }
        told.acknowledged.clone_from(&told.under_way);
        match meta.fresh(Kind::Chunk) {
            Ok(_) => {}
            Err(_) => return told,
        }
    }
    told
}

fn rows(meta: &Meta) -> State {
    all(&meta.snapshot().unwrap(), Order::Forward).into_iter().map(|(key, _)| key).collect()
}

/// Why the image does not keep what was told, if it does not.
fn broken(image: &SimDisk, told: &Told) -> Option<String> {
    let meta = match open(image.clone()) {
        Ok(meta) => meta,
        Err(error) => return Some(format!("it does not open: {error}")),
    };
    let found = rows(&meta);
    if found != told.acknowledged && found != told.under_way {
        return Some(format!("{found:?} is neither {:?} nor {:?}", told.acknowledged, told.under_way));
    }
    let id = meta.fresh(Kind::Node).unwrap();
    if told.ids.range(id..).next().is_some() {
        return Some(format!("id {id} was given out before"));
    }
    meta.apply(|tx| put(tx, "after", "")).err().map(|error| error.to_string())
}

/// Changing calls of the whole workload.
fn length() -> u64 {
    let disk = SimDisk::new();
    let told = work(&disk);
    assert!(!told.acknowledged.is_empty());
    disk.counts().changes
}

#[test]
fn every_acknowledged_row_survives_200_power_cuts_and_no_id_comes_twice() {
    let length = length();
    for cut in 0..50 {
        let disk = SimDisk::new();
        disk.crash_after(length * cut / 50);
        let told = work(&disk);
        for seed in 0..4 {
            let seed = cut * 4 + seed;
            assert_eq!(broken(&disk.crash(seed), &told), None, "cut {cut}, seed {seed}");
        }
    }
}

#[test]
fn making_the_store_can_be_cut_off_anywhere() {
    let disk = SimDisk::new();
    drop(open(disk.clone()).unwrap());
    for cut in 0..=disk.counts().changes {
        let disk = SimDisk::new();
        disk.crash_after(cut);
        drop(open(disk.clone()));
        for seed in 0..4 {
            assert_eq!(broken(&disk.crash(seed), &Told::default()), None, "cut {cut}, seed {seed}");
        }
    }
}

#[test]
fn without_one_of_its_syncs_a_promise_breaks() {
    for site in [Site::Meta, Site::MetaDir] {
        let length = length();
        let breaks = (1..=40).any(|cut| {
            let disk = SimDisk::new();
            disk.skip(site);
            disk.crash_after(length * cut / 40);
            let told = work(&disk);
            (0..8).any(|seed| broken(&disk.crash(seed), &told).is_some())
        });
        assert!(breaks, "nobody missed {site:?}");
    }
}

#[test]
fn a_crash_after_a_crash_loses_nothing() {
    let length = length();
    for cut in 1..20 {
        let disk = SimDisk::new();
        disk.crash_after(length * cut / 20);
        let told = work(&disk);
        let second = disk.crash(cut);
        for again in 0..12 {
            let image = second.crash(0);
            image.crash_after(again);
            drop(open(image.clone()));
            assert_eq!(broken(&image.crash(again), &told), None, "cut {cut}, again {again}");
        }
    }
}

/// A commit leaves what makes opening after a crash quick; nothing has to be walked.
#[test]
fn opening_a_small_store_after_a_crash_repairs_nothing() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    for n in 0..300 {
        meta.apply(move |tx| put(tx, &format!("{n}"), &"x".repeat(5000))).unwrap();
    }
    let repaired = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&repaired);
    let progress = Arc::new(move |part| heard.lock().unwrap().push(part));
    let options = MetaOptions { progress, ..MetaOptions::new(Arc::new(|| Timestamp(0))) };
    let image = Meta::open(Arc::new(disk.crash(1)), options).unwrap();
    assert_eq!(rows(&image).len(), 300);
    assert_eq!(*repaired.lock().unwrap(), [0.0; 0]);
}

#[test]
fn a_block_used_up_inside_one_verb_is_lengthened_before_its_next_id() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    let last = meta
        .apply(|tx| {
            (0..100_000).try_fold(0, |last, _| {
                let id = tx.fresh(Kind::Chunk)?;
                assert_eq!(id, last + 1);
                Ok::<_, StoreError>(id)
            })
        })
        .unwrap();
    let reopened = open(disk.crash(0)).unwrap();
    assert!(reopened.fresh(Kind::Chunk).unwrap() > last);
    assert_eq!(reopened.fresh(Kind::Upload).unwrap(), (1 << 16) + 1, "one block per opening");
}

#[test]
fn ids_from_many_threads_never_repeat() {
    let meta = Arc::new(open(SimDisk::new()).unwrap());
    let taken: Vec<u64> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| (0..40_000).map(|_| meta.fresh(Kind::Chunk).unwrap()).collect::<Vec<_>>())
            })
            .collect();
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), taken.len());
}
