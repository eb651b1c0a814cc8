//! Rows that are not what was written, while redb believes every page.

use super::{all, open, put, row};
use crate::store::{
    error::StoreError,
    io::{Io, Mode, sim::SimDisk},
    meta::{
        Health, Kind, Meta,
        rows::{KeyRange, Order, Rows, RowsMut},
        sums::with_sum,
        table::Table,
    },
};

const FILE: &str = "meta/holdall.redb";

/// Flips a bit of a row wherever the file has it, in pages that are not used any more, too.
fn flip(disk: &SimDisk, table: Table, key: &[u8], value: &[u8]) {
    let file = disk.open(FILE, Mode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    let stored = with_sum(table, key, value);
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&stored)).collect();
    assert!(!places.is_empty(), "the row is nowhere");
    for at in places {
        disk.damage(FILE, at as u64, 4).unwrap();
    }
}

fn filled() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    for (key, value) in [("a", "first value"), ("b", "second value"), ("c", "third value")] {
        meta.apply(move |tx| put(tx, key, value)).unwrap();
    }
    let nodes = meta.snapshot().unwrap().get(Table::Blocks, &Kind::Node.key()).unwrap().unwrap();
    (disk, nodes)
}

fn assert_names_only(error: &StoreError, table: &str) {
    let StoreError::Damaged(why) = error else { panic!("{error}") };
    assert!(why.contains(&format!("a row of {table} is not")) && !why.contains("value"), "{why}");
}

fn scanned(meta: &Meta, order: Order) -> Result<usize, StoreError> {
    let range = KeyRange::prefix(Vec::new());
    meta.snapshot()?.scan(Table::Dent, &range, order, usize::MAX).map(|rows| rows.len())
}

#[test]
fn a_damaged_row_is_refused_by_name_and_every_other_goes_on() {
    let (disk, _) = filled();
    flip(&disk, Table::Dent, b"b", b"second value");
    let meta = open(disk.clone()).unwrap();
    let snapshot = meta.snapshot().unwrap();
    assert_names_only(&snapshot.get(Table::Dent, b"b").unwrap_err(), "dent");
    assert_eq!(snapshot.get(Table::Dent, b"a").unwrap(), Some(b"first value".to_vec()));
    for order in [Order::Forward, Order::Reverse] {
        assert_names_only(&scanned(&meta, order).unwrap_err(), "dent");
    }
    let refused = meta.apply(|tx| tx.get(Table::Dent, b"b").map(drop));
    assert_names_only(&refused.unwrap_err(), "dent");
    meta.apply(|tx| put(tx, "d", "another")).unwrap();
    assert_eq!(meta.health(), Health::Open);
    // Whoever writes it anew, or removes it, heals it.
    meta.apply(|tx| put(tx, "b", "new")).unwrap();
    let found = all(&meta.snapshot().unwrap(), Order::Forward);
    assert_eq!(
        found,
        [row("a", "first value"), row("b", "new"), row("c", "third value"), row("d", "another")]
    );
}

#[test]
fn of_a_damaged_block_no_id_is_given_and_the_store_goes_on() {
    let (disk, nodes) = filled();
    flip(&disk, Table::Blocks, &Kind::Node.key(), &nodes);
    let meta = open(disk.clone()).unwrap();
    assert!(matches!(meta.fresh(Kind::Node), Err(StoreError::Damaged(_))));
    meta.fresh(Kind::Chunk).unwrap();
    meta.apply(|tx| put(tx, "d", "another")).unwrap();
    assert_eq!((meta.health(), scanned(&meta, Order::Forward).unwrap()), (Health::Open, 4));
}

/// Otherwise they began at 1 again, and new rows took the place of others.
#[test]
fn ids_whose_block_is_gone_do_not_begin_anew() {
    let (disk, _) = filled();
    let meta = open(disk.clone()).unwrap();
    let last = meta.fresh(Kind::Node).unwrap();
    meta.apply(|tx| {
        tx.delete(Table::Blocks, Kind::Node.key().to_vec());
        Ok::<_, StoreError>(())
    })
    .unwrap();
    drop(meta);
    let meta = open(disk).unwrap();
    let fresh = meta.fresh(Kind::Node);
    assert!(matches!(fresh, Err(StoreError::Damaged(_))), "after {last} came {fresh:?}");
    meta.fresh(Kind::Chunk).unwrap();
}
