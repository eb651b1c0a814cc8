//! The metadata, read again: every row against its sum, and the snapshots of it that are kept, a few
//! megabytes at a time.
//!
//! Rows that redb holds in memory are not read from the disk for that. What is damaged in a page,
//! so that it cannot be read at all, ends the run and is told by the store itself.

use super::rows::PlaceRow;
use crate::store::{
    Store,
    error::StoreError,
    meta::{codec::Bytes, table::Table},
    segments::is_flaw,
    snapshots::{self, SnapshotFile, SnapshotRows},
};

/// Bytes after which a step ends.
const ENOUGH: u64 = 4 << 20;

/// What a step came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    pub(super) bytes: u64,
    pub(super) damaged: u64,
}

/// A snapshot that is being read.
#[derive(Debug)]
struct Reading {
    number: u64,
    file: SnapshotFile,
    rows: SnapshotRows,
}

/// How far a run came in the metadata.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) place: PlaceRow,
    reading: Option<Reading>,
}

impl Metadata {
    pub(super) fn at(place: PlaceRow) -> Self {
        Self { place, reading: None }
    }

    pub(super) fn step(&mut self, store: &Store) -> Result<Looked, StoreError> {
        if self.place.rows_done { self.snapshots(store) } else { self.rows(store) }
    }

    fn rows(&mut self, store: &Store) -> Result<Looked, StoreError> {
        let (rows, mut looked) = (store.snapshot()?, Looked::default());
        while looked.bytes < ENOUGH {
            // A table that another build had, and this one has not: all are read again.
            let named = Table::ALL.iter().position(|table| table.name() == self.place.table);
            let number = named.unwrap_or(0);
            let Some(&table) = Table::ALL.get(number) else { break };
            let after = Some(&*self.place.after.0).filter(|key| !key.is_empty() && named.is_some());
            let summed = rows.held_against_sums(table, after, ENOUGH - looked.bytes)?;
            looked.bytes += summed.bytes;
            looked.damaged += summed.damaged;
            if summed.damaged > 0 {
                tracing::error!(
                    table = table.name(),
                    rows = summed.damaged,
                    "rows of the metadata are not what was written: `holdall check` counts them, \
                     `holdall rebuild` makes the metadata anew"
                );
            }
            if let Some(key) = summed.last {
                (self.place.table, self.place.after) = (table.name().to_owned(), Bytes(key));
                continue;
            }
            let Some(next) = Table::ALL.get(number + 1) else {
                self.place.rows_done = true;
                break;
            };
            (self.place.table, self.place.after) = (next.name().to_owned(), Bytes::default());
        }
        self.place.rows += looked.damaged;
        Ok(looked)
    }

    fn snapshots(&mut self, store: &Store) -> Result<Looked, StoreError> {
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let io = &**store.io();
                let next =
                    snapshots::kept_numbers(io)?.into_iter().find(|number| *number > self.place.snapshot);
                let Some(number) = next else {
                    self.place.done = true;
                    return Ok(Looked::default());
                };
                match snapshots::open(io, number) {
                    Ok(file) => {
                        file.uncache();
                        Reading { number, rows: file.rows(), file }
                    }
                    Err(error) => return self.doubt(store, number, error),
                }
            }
        };
        let from = reading.rows.reached();
        loop {
            let bytes = reading.rows.reached() - from;
            match reading.rows.next() {
                Some(Ok(_)) if bytes < ENOUGH => {}
                Some(Ok(_)) => {
                    self.reading = Some(reading);
                    return Ok(Looked { bytes, damaged: 0 });
                }
                Some(Err(error)) => return self.doubt(store, reading.number, error),
                None => {
                    reading.file.uncache();
                    self.place.snapshot = reading.number;
                    return Ok(Looked { bytes, damaged: 0 });
                }
            }
        }
    }

    /// What an error of reading a snapshot says about it. As with chunks, nothing is believed at the
    /// first look.
    fn doubt(&mut self, store: &Store, number: u64, error: StoreError) -> Result<Looked, StoreError> {
        let again = || {
            let file = snapshots::open(&**store.io(), number)?;
            file.uncache();
            file.verify().map(drop)
        };
        let damaged = match if is_flaw(&error) { again() } else { Err(error) } {
            Ok(()) => 0,
            Err(error) if is_flaw(&error) => {
                let why = error.to_string();
                tracing::error!(
                    number,
                    why,
                    "a kept snapshot of the metadata is damaged; newer ones take its place"
                );
                1
            }
            // A newer build wrote it.
            Err(StoreError::Refused(_)) => 0,
            // Newer ones took its place already.
            Err(StoreError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        self.place.snapshot = number;
        self.place.snapshots += damaged;
        Ok(Looked { bytes: 0, damaged })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Portion, Scrubber, Step, Summary};
    use crate::{
        model::time::Timestamp,
        store::{
            Store,
            error::StoreError,
            io::{Io as _, Mode, sim::SimDisk},
            meta::{Tx, rows::RowsMut as _, table::Table},
            snapshots,
            sync::Arc,
            tests::{noise, open, put},
        },
    };

    const SNAPSHOT: &str = "meta/snapshots/00000001.snap";

    fn write_row(store: &Store, key: &str, value: &str) {
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        store
            .apply(None, move |tx| {
                tx.put(Table::Dent, key.clone(), value.clone());
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    /// Flips a bit wherever the file of the metadata has these bytes.
    fn flip(disk: &SimDisk, wanted: &str) {
        let path = "meta/holdall.redb";
        let file = disk.open(path, Mode::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        let places: Vec<_> = memchr_all(&bytes, wanted.as_bytes());
        assert!(!places.is_empty(), "{wanted} is nowhere");
        places.into_iter().for_each(|at| disk.damage(path, at as u64, 4).unwrap());
    }

    fn memchr_all(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(wanted)).collect()
    }

    fn scrub(store: &Arc<Store>, portion: Portion) -> Summary {
        Scrubber::begin(store, portion).unwrap().run().unwrap()
    }

    fn told(store: &Store) -> u64 {
        store.scrubbing().damaged_metadata()
    }

    /// The story: a row or a snapshot that decayed was met when somebody needed it, or by a check.
    #[test]
    fn damage_of_rows_and_of_kept_snapshots_is_found_told_and_ends() {
        let disk = SimDisk::new();
        let store = open(&disk);
        put(&store, &noise("metadata", 50_000));
        write_row(&store, "a key", "a value of its own");
        for _ in 0..2 {
            let of = ([5; 16], Timestamp(1));
            snapshots::take(&disk, &store.snapshot().unwrap(), of, 4, &mut |_| Ok(())).unwrap();
        }
        assert_eq!((scrub(&store, Portion::ALL).damaged, told(&store)), (0, 0));
        drop(store);
        flip(&disk, "a value of its own");
        for at in [20, disk.open(SNAPSHOT, Mode::Read).unwrap().len().unwrap() - 1] {
            let store = open(&disk);
            disk.damage(SNAPSHOT, at, 1).unwrap();
            assert_eq!((scrub(&store, Portion::ALL).damaged, told(&store)), (2, 2), "{at}");
            drop(store);
            let store = open(&disk);
            assert_eq!(told(&store), 2, "a restart forgets nothing");
            disk.damage(SNAPSHOT, at, 1).unwrap();
        }
        let store = open(&disk);
        write_row(&store, "a key", "another");
        assert_eq!(scrub(&store, Portion::new(2, 2).unwrap()).damaged, 0);
        assert_eq!(told(&store), 2, "that is in the first portion");
        assert_eq!(scrub(&store, Portion::new(1, 2).unwrap()).damaged, 0);
        assert_eq!(told(&store), 0);
    }

    #[test]
    fn rows_are_read_in_bounded_steps_that_go_on_after_a_restart() {
        let disk = SimDisk::new();
        let store = open(&disk);
        for block in 0..16 {
            let rows = move |tx: &mut Tx<'_>| {
                (block * 400..block * 400 + 400).for_each(|n| {
                    tx.put(
                        Table::Dent,
                        format!("{n:05}").into(),
                        format!("the value {n:05} {}", "x".repeat(900)).into(),
                    );
                });
                Ok::<_, StoreError>(())
            };
            store.apply(None, rows).unwrap();
        }
        let mut first = Scrubber::resume(&store).unwrap();
        let Step::More(bytes) = first.step().unwrap() else { panic!("it is done") };
        assert!((4 << 20..5 << 20).contains(&bytes), "{bytes}");
        first.save().unwrap();
        drop(first);
        drop(store);
        flip(&disk, "the value 00007");
        flip(&disk, "the value 06300");
        let store = open(&disk);
        let rest = Scrubber::resume(&store).unwrap().run().unwrap();
        assert_eq!((rest.damaged, told(&store)), (1, 1), "what it has read is not read again");
        assert_eq!((scrub(&store, Portion::ALL).damaged, told(&store)), (2, 2));
    }
}
