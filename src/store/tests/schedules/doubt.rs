//! Rows that cannot be read, or are missing, while the collector goes through them.

use super::*;
use crate::store::blobs::rows::{number_key, page_key};

/// What the collector may delete from.
const GOES: [Table; 5] = [Table::Chunk, Table::Manifest, Table::Page, Table::Segment, Table::Queue];

/// The collector alone deletes these rows, so there are never fewer than when it met the doubt.
fn rows_of(store: &Store) -> Vec<usize> {
    let rows = store.snapshot().unwrap();
    let count = |table| rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, 1000).unwrap().len();
    GOES.into_iter().map(count).collect()
}

/// Runs until the end or an error; after that not a row goes.
fn collect_in_doubt(store: &Arc<Store>) -> Option<StoreError> {
    let mut collector = Collector::begin(store, COLLECT).unwrap();
    loop {
        match collector.step() {
            Ok(Step::Done) => return None,
            Ok(Step::More) => {}
            Ok(Step::Waiting) => shuttle::thread::yield_now(),
            Err(error) => {
                assert_eq!(collector.step().unwrap(), Step::Done, "it goes on after {error}");
                return Some(error);
            }
        }
    }
}

/// A table cannot be read for a while, from any step on.
#[test]
fn rows_cannot_be_read_for_a_while() {
    explore("rows_cannot_be_read_for_a_while", 10_000, 1_000_000, || {
        let world = World::new();
        let store = world.open();
        for (at, content) in [(1, 0), (2, 2), (3, 4)] {
            upload(&store, at, content);
        }
        remove(&store, 1);
        remove(&store, 3);
        let rows = world.rows.clone();
        let others = [
            beside(&store, |store| {
                let met = collect_in_doubt(&store);
                assert!(matches!(met, None | Some(StoreError::Io(_))), "{met:?}");
                assert_eq!(store.collection().aborted().is_some(), met.is_some());
            }),
            beside(&store, move |_| {
                let table = [Table::Chunk, Table::ChunkRc, Table::Manifest, Table::Page][roll(4) as usize];
                rows.unreadable(Some(table));
                for _ in 0..roll(30) {
                    shuttle::thread::yield_now();
                }
                rows.unreadable(None);
            }),
        ];
        end(&store, others);
        assert_eq!(store.collection().aborted(), None);
    });
}

/// A row is missing before a run begins: it ends there, whatever uploads do meanwhile, and what
/// lives is whole.
#[test]
fn a_row_is_missing() {
    explore("a_row_is_missing", 10_000, 1_000_000, || {
        let store = World::new().open();
        let gone = upload(&store, 1, 0);
        upload(&store, 2, 1);
        remove(&store, 1);
        let missing = roll(3);
        store
            .apply::<_, StoreError>(None, move |tx| {
                match missing {
                    0 => tx.delete(Table::Chunk, number_key(1)),
                    1 => tx.delete(Table::Manifest, number_key(gone.0)),
                    _ => tx.delete(Table::Page, page_key(gone, 0)),
                }
                Ok(())
            })
            .unwrap();
        let before = rows_of(&store);
        let others = [
            beside(&store, move |store| {
                let met = collect_in_doubt(&store);
                assert!(matches!(met, Some(StoreError::Damaged(_))), "{missing}: {met:?}");
                let after = rows_of(&store);
                assert!(
                    before.iter().zip(&after).all(|(before, after)| after >= before),
                    "{before:?} {after:?}"
                );
                assert!(store.collection().aborted().is_some());
            }),
            beside(&store, |store| _ = upload(&store, 3, 2)),
        ];
        join(others);
        for (_, id, content) in named(&store) {
            assert!(get(&store, id).unwrap() == bytes_of(content));
        }
    });
}
