//! Background work that cannot be done keeps nobody else waiting.

use super::{shelf::Shelf, *};
use crate::{
    domain::FindingKind,
    store::{
        meta::{
            Tx,
            rows::{KeyRange, Order, Rows as _, RowsMut as _},
            table::Table,
        },
        rows::work::{self, Kind},
    },
};

/// Every kind of work, and the byte its keys begin with.
const KINDS: std::ops::RangeInclusive<u8> = 16..=21;

/// Puts a row that nobody can read before all other work of each kind.
async fn garble(holdall: &Holdall) {
    let garble = |tx: &mut Tx<'_>| {
        KINDS.for_each(|kind| tx.put(Table::Queue, [&[kind][..], &[0; 16]].concat(), vec![0xff]));
        Ok(())
    };
    holdall.write(garble).await.unwrap();
}

async fn kinds_found(holdall: &Holdall) -> Vec<FindingKind> {
    let report = holdall.check(&Caller::Operator).await.unwrap();
    assert_eq!(report.unfinished, None);
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[tokio::test]
async fn work_that_cannot_be_read_is_set_aside_and_the_rest_is_done() {
    let disk = SimDisk::new();
    let shelf = Shelf::by_hand(&disk).await;
    shelf.keys_put(&["d/a", "d/e/f"]).await;
    shelf.remove(&shelf.path("d")).await.unwrap();
    garble(&shelf.holdall).await;
    shelf.work_off().await;
    assert_eq!(shelf.usage().await, Default::default(), "the folder behind the damaged row was released");
    assert_eq!(shelf.holdall.work_set_aside(), 5, "all but what is only looked at when starting");
    let found = kinds_found(&shelf.holdall).await;
    assert!(found.len() >= 5 && found.iter().all(|kind| *kind == FindingKind::Work), "{found:?}");

    // It is kept, and a start is not kept from starting by it.
    drop(shelf.holdall);
    let again = by_hand(&disk);
    assert_eq!(again.work_set_aside(), 1, "a staged copy is all that is taken up at once");
    again.work_off(&Default::default()).await.unwrap();
    assert_eq!(again.work_set_aside(), 6);
}

#[tokio::test]
async fn a_folder_with_a_damaged_name_is_set_aside_and_the_others_are_released() {
    let disk = SimDisk::new();
    let shelf = Shelf::by_hand(&disk).await;
    shelf.keys_put(&["bad/x", "good/y"]).await;
    let garble = |tx: &mut Tx<'_>| {
        let rows = tx.scan(Table::Dent, &KeyRange::prefix(Vec::new()), Order::Forward, 100)?;
        let (key, _) = rows.into_iter().find(|(key, _)| key.ends_with(b"x")).unwrap();
        tx.put(Table::Dent, key, vec![0xff]);
        Ok(())
    };
    for folder in ["bad", "good"] {
        shelf.remove(&shelf.path(folder)).await.unwrap();
    }
    shelf.holdall.write(garble).await.unwrap();
    shelf.work_off().await;
    assert_eq!((shelf.usage().await.files, shelf.holdall.work_set_aside()), (1, 1));
    let mend = |tx: &mut Tx<'_>| {
        let rows = tx.scan(Table::Dent, &KeyRange::prefix(Vec::new()), Order::Forward, 100)?;
        rows.into_iter().filter(|(_, row)| row == &[0xff]).for_each(|(key, _)| tx.delete(Table::Dent, key));
        Ok(())
    };
    shelf.holdall.write(mend).await.unwrap();
    drop(shelf.holdall);
    let again = by_hand(&disk);
    again.work_off(&Default::default()).await.unwrap();
    assert_eq!(again.work_set_aside(), 0, "what was in its way is gone");
    assert!(again.read(|rows| Ok(work::next(rows, Kind::Subtree)?.is_none())).await.unwrap());
}

#[tokio::test]
async fn a_store_that_fails_ends_the_round_and_sets_nothing_aside() {
    let disk = SimDisk::new();
    let shelf = Shelf::by_hand(&disk).await;
    shelf.keys_put(&["d/a"]).await;
    shelf.remove(&shelf.path("d")).await.unwrap();
    disk.crash_after(0);
    for _ in 0..5 {
        assert!(shelf.holdall.work_off(&Default::default()).await.is_err());
    }
    disk.crash_after(u64::MAX / 2);
    shelf.holdall.store.meta().reopen().unwrap();
    let waits = shelf.holdall.read(|rows| Ok(work::next(rows, Kind::Subtree)?.is_some())).await.unwrap();
    assert!(waits && shelf.holdall.work_set_aside() == 0);
    shelf.work_off().await;
    assert_eq!(shelf.usage().await.files, 0);
}

#[tokio::test]
async fn nothing_is_written_while_nothing_is_over() {
    let shelf = Shelf::by_hand(&SimDisk::new()).await;
    shelf.keys_put(&["a"]).await;
    shelf.work_off().await;
    let verbs = shelf.holdall.store.meta().counters().verbs;
    shelf.holdall.clear_trash().await.unwrap();
    shelf.holdall.forget_uploads().await.unwrap();
    assert_eq!(shelf.holdall.store.meta().counters().verbs, verbs);
}
