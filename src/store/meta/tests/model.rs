//! Whatever verbs do, they see and leave what a plain sorted map would.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use proptest::{collection::vec, prelude::*};

use super::{open, open_in_memory};
use crate::store::{
    error::StoreError,
    io::sim::SimDisk,
    meta::{
        InMemory, Meta,
        rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
        table::Table,
    },
};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Act {
    Put(Vec<u8>, u8),
    Delete(Vec<u8>),
    Scan(KeyRange, bool, usize),
    Get(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Verb {
    acts: Vec<Act>,
    succeeds: bool,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few keys, of several lengths, so that layers meet.
    vec(prop_oneof![Just(0_u8), Just(1), Just(0xff)], 0..3)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded),]
}

fn act() -> impl Strategy<Value = Act> {
    let range = (bound(), bound()).prop_map(|(start, end)| KeyRange { start, end });
    prop_oneof![
        (key(), any::<u8>()).prop_map(|(key, value)| Act::Put(key, value)),
        key().prop_map(Act::Delete),
        (range, any::<bool>(), prop_oneof![0_usize..4, Just(usize::MAX)])
            .prop_map(|(range, reverse, limit)| Act::Scan(range, reverse, limit)),
        key().prop_map(Act::Get),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    (vec(act(), 0..12), prop::bool::weighted(0.75)).prop_map(|(acts, succeeds)| Verb { acts, succeeds })
}

/// What the scan must answer, found the slow way.
fn expected(model: &Model, range: &KeyRange, reverse: bool, limit: usize) -> Vec<KeyValue> {
    let inside = |key: &[u8]| {
        let above = match &range.start {
            Bound::Unbounded => true,
            Bound::Included(start) => key >= start.as_slice(),
            Bound::Excluded(start) => key > start.as_slice(),
        };
        above
            && match &range.end {
                Bound::Unbounded => true,
                Bound::Included(end) => key <= end.as_slice(),
                Bound::Excluded(end) => key < end.as_slice(),
            }
    };
    let mut rows: Vec<KeyValue> =
        model.iter().filter(|(key, _)| inside(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if reverse {
        rows.reverse();
    }
    rows.truncate(limit);
    rows
}

fn check(rows: &dyn Rows, model: &Model, range: &KeyRange, reverse: bool, limit: usize) {
    let order = if reverse { Order::Reverse } else { Order::Forward };
    let found = rows.scan(Table::Dent, range, order, limit).unwrap();
    assert_eq!(found, expected(model, range, reverse, limit), "{range:?} {order:?} {limit}");
}

fn run(rows: &mut impl RowsMut, model: &mut Model, acts: &[Act]) {
    for act in acts {
        match act.clone() {
            Act::Put(key, value) => {
                rows.put(Table::Dent, key.clone(), vec![value]);
                model.insert(key, vec![value]);
            }
            Act::Delete(key) => {
                rows.delete(Table::Dent, key.clone());
                model.remove(&key);
            }
            Act::Scan(range, reverse, limit) => check(rows, model, &range, reverse, limit),
            Act::Get(key) => assert_eq!(rows.get(Table::Dent, &key).unwrap().as_ref(), model.get(&key)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn verbs_see_and_leave_what_a_sorted_map_would(groups in vec(vec(verb(), 1..5), 1..6)) {
        for meta in [open(SimDisk::new()).unwrap(), open_in_memory(&InMemory::default())] {
            see_and_leave(&meta, &groups)?;
        }
    }
}

fn see_and_leave(meta: &Meta, groups: &[Vec<Verb>]) -> Result<(), TestCaseError> {
    let shared = Arc::new(std::sync::Mutex::new(Model::new()));
    for group in groups {
        for verb in group.clone() {
            let model = Arc::clone(&shared);
            meta.submit(
                move |tx| {
                    let mut model = model.lock().unwrap();
                    let mut mine = model.clone();
                    run(tx, &mut mine, &verb.acts);
                    if !verb.succeeds {
                        return Err(StoreError::Busy("refused".into()));
                    }
                    *model = mine;
                    Ok(())
                },
                |result| assert!(matches!(result, Ok(()) | Err(StoreError::Busy(_))), "{result:?}"),
            );
        }
        meta.step();
        prop_assert!(!shared.is_poisoned(), "a verb saw something else than the model");
        let (snapshot, model) = (meta.snapshot().unwrap(), shared.lock().unwrap());
        for reverse in [false, true] {
            check(&snapshot, &model, &KeyRange::prefix(Vec::new()), reverse, usize::MAX);
            check(&snapshot, &model, &KeyRange::prefix(vec![1]), reverse, 3);
        }
    }
    Ok(())
}

#[test]
fn a_page_reads_as_many_rows_as_it_shows() {
    let meta = open(SimDisk::new()).unwrap();
    meta.apply(|tx| {
        (0..500_u16).for_each(|n| tx.put(Table::Dent, n.to_be_bytes().to_vec(), Vec::new()));
        Ok::<_, StoreError>(())
    })
    .unwrap();
    let range = KeyRange::prefix(Vec::new()).after(100_u16.to_be_bytes().to_vec());
    let snapshot = meta.snapshot().unwrap();
    for order in [Order::Forward, Order::Reverse] {
        let before = snapshot.rows_read();
        assert_eq!(snapshot.scan(Table::Dent, &range, order, 20).unwrap().len(), 20);
        assert_eq!(snapshot.rows_read() - before, 20);
    }
    meta.apply(move |tx| {
        tx.put(Table::Dent, vec![0, 105, 1], Vec::new());
        tx.delete(Table::Dent, vec![0, 106]);
        assert_eq!(tx.scan(Table::Dent, &range, Order::Forward, 20)?.len(), 20);
        assert!(tx.rows_read() <= 21, "{}", tx.rows_read());
        Ok::<_, StoreError>(())
    })
    .unwrap();
}
