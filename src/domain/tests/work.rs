//! Background work that cannot be done keeps nobody else waiting.

use super::{shelf::Shelf, *};
use crate::{
    domain::{FindingKind, nouns::*},
    model::{
        ids::{Cursor, Seq, UploadId},
        limits,
    },
    store::{
        blobs::manifest,
        meta::{
            Tx,
            rows::{KeyRange, Order, Rows as _, RowsMut as _},
            table::Table,
        },
        rows::{
            bucket,
            journal::{self, ChangeRow, EventKind},
            props,
            trash::{self, TrashKind, TrashRow},
            upload, usage,
            work::{self, Kind},
        },
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
    assert_eq!(
        shelf.holdall.work_set_aside(&Caller::Operator).unwrap(),
        5,
        "all but what is only looked at when starting"
    );
    let found = kinds_found(&shelf.holdall).await;
    assert!(found.len() >= 5 && found.iter().all(|kind| *kind == FindingKind::Work), "{found:?}");

    // It is kept, and a start is not kept from starting by it.
    drop(shelf.holdall);
    let again = by_hand(&disk);
    assert_eq!(
        again.work_set_aside(&Caller::Operator).unwrap(),
        1,
        "a staged copy is all that is taken up at once"
    );
    again.work_off(&Default::default()).await.unwrap();
    assert_eq!(again.work_set_aside(&Caller::Operator).unwrap(), 6);
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
    assert_eq!((shelf.usage().await.files, shelf.holdall.work_set_aside(&Caller::Operator).unwrap()), (1, 1));
    let mend = |tx: &mut Tx<'_>| {
        let rows = tx.scan(Table::Dent, &KeyRange::prefix(Vec::new()), Order::Forward, 100)?;
        rows.into_iter().filter(|(_, row)| row == &[0xff]).for_each(|(key, _)| tx.delete(Table::Dent, key));
        Ok(())
    };
    shelf.holdall.write(mend).await.unwrap();
    drop(shelf.holdall);
    let again = by_hand(&disk);
    again.work_off(&Default::default()).await.unwrap();
    assert_eq!(again.work_set_aside(&Caller::Operator).unwrap(), 0, "what was in its way is gone");
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
    assert!(waits && shelf.holdall.work_set_aside(&Caller::Operator).unwrap() == 0);
    shelf.work_off().await;
    assert_eq!(shelf.usage().await.files, 0);
}

const PARTS: u32 = 1500;
const UNLISTED: u32 = PARTS + 1;

/// An upload with one part more than are claimed, far more than a transaction has rows. The parts
/// share their bytes, which only costs less.
async fn begun(shelf: &Shelf) -> (Upload, CompleteOptions) {
    let at = shelf.key("big");
    let upload = shelf.holdall.begin_upload(&shelf.who, &at, NewUpload::default()).await.unwrap();
    let begun = shelf.holdall.begin_part(&shelf.who, &at, &upload.id, 1, Expected::default()).await;
    let mut put = begun.unwrap();
    put.write(vec![b'p'; usize::try_from(limits::PART_MIN_BYTES).unwrap()].into()).await.unwrap();
    let part = put.commit(Declared::default()).await.unwrap();
    let id = UploadId(u64::from_str_radix(&upload.id, 16).unwrap());
    for first in (2..=UNLISTED).step_by(500) {
        let name = shelf.bucket.clone();
        let add = move |tx: &mut Tx<'_>| {
            let bucket = bucket::by_name(tx, &name)?.unwrap();
            let row = upload::part(tx, id, 1)?.unwrap();
            let mut used = usage::of_bucket(tx, bucket.owner, bucket.id)?;
            for number in first..(first + 500).min(UNLISTED + 1) {
                manifest::retain(tx, row.manifest)?;
                upload::put_part(tx, id, number, &row);
                used.parts += row.size;
            }
            usage::set(tx, bucket.owner, bucket.id, &used);
            Ok(())
        };
        shelf.holdall.write(add).await.unwrap();
    }
    let claim = |number| ClaimedPart { number, etag: part.etag.clone(), checksums: Vec::new() };
    let how = CompleteOptions { parts: (1..=PARTS).map(claim).collect(), ..Default::default() };
    (upload, how)
}

async fn rows_of(shelf: &Shelf, table: Table) -> usize {
    let all = KeyRange::prefix(Vec::new());
    let count = shelf.holdall.read(move |rows| Ok(rows.scan(table, &all, Order::Forward, 99_999)?.len()));
    count.await.unwrap()
}

#[tokio::test]
async fn the_parts_of_a_completed_upload_go_in_small_steps_that_nobody_sees() {
    let disk = SimDisk::new();
    let mut shelf = Shelf::by_hand(&disk).await;
    let (upload, how) = begun(&shelf).await;
    let complete = |shelf: &Shelf| {
        let (holdall, who, at) = (shelf.holdall.clone(), shelf.who.clone(), shelf.key("big"));
        let (id, how) = (upload.id.clone(), how.clone());
        async move { holdall.complete_upload(&who, &at, &id, how).await.unwrap().version }
    };
    let done = complete(&shelf).await;
    let file = u64::from(PARTS) * limits::PART_MIN_BYTES;
    let before = shelf.usage().await;
    assert_eq!((before.live, before.versions), (file, limits::PART_MIN_BYTES), "the unlisted part is left");

    // A crash between the commit and the clean-up leaves each part counted once.
    drop(std::mem::replace(&mut shelf.holdall, in_memory(Timestamp(0))));
    shelf.holdall = by_hand(&disk);
    assert_eq!(rows_of(&shelf, Table::Part).await, UNLISTED as usize);
    assert_eq!(kinds_found(&shelf.holdall).await, []);
    assert_eq!(shelf.usage().await, before);
    assert_eq!(complete(&shelf).await, done);
    shelf.work_off().await;
    assert_eq!(rows_of(&shelf, Table::Part).await, 0);
    assert_eq!(kinds_found(&shelf.holdall).await, []);
    assert_eq!((shelf.usage().await.live, shelf.usage().await.versions), (file, 0));
    assert_eq!(complete(&shelf).await, done, "still the same");
    shelf.remove(&shelf.key("big")).await.unwrap();
    shelf.assert_sound().await;
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

#[tokio::test]
async fn trash_full_of_properties_goes_in_transactions_that_are_small_enough() {
    let shelf = Shelf::by_hand(&SimDisk::new()).await;
    let bucket = shelf.bucket.clone();
    for item in 0..12_u64 {
        let name = bucket.clone();
        let fill = move |tx: &mut Tx<'_>| {
            let bucket = bucket::by_name(tx, &name)?.unwrap();
            let node = crate::model::ids::NodeId(9_000 + item);
            for number in 0..limits::PROPS_PER_NODE {
                let name = number.to_string();
                let row = props::PropRow { namespace: String::new(), name, xml: "<p/>".into() };
                props::put_prop(tx, bucket.id, node, &row);
            }
            let history = Some(crate::model::ids::HistoryId(9_000 + item));
            let (kind, at) = (TrashKind::File, Timestamp(i64::MIN / 2));
            let row = TrashRow { kind, node, history, path: "f".into(), at, by: None, size: 0 };
            trash::put_item(tx, bucket.id, Seq(item), &row);
            Ok(())
        };
        shelf.holdall.write(fill).await.unwrap();
    }
    shelf.holdall.clear_trash().await.unwrap();
    assert_eq!((rows_of(&shelf, Table::Trash).await, rows_of(&shelf, Table::Prop).await), (0, 0));
}

#[tokio::test]
async fn a_journal_loses_what_is_old_and_far_behind_and_says_who_is_too_late() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let fill = |tx: &mut Tx<'_>| {
        let bucket = bucket::by_name(tx, &super::bucket("ada"))?.unwrap();
        for seq in (1..=700).chain([limits::JOURNAL_ROWS + 600]) {
            let row = ChangeRow {
                at: tx.now(),
                by: None,
                kind: EventKind::Put,
                node: bucket.root,
                path: "f".into(),
                from: None,
            };
            journal::append(tx, bucket.id, Seq(seq), &row);
        }
        Ok(())
    };
    trial.holdall.write(fill).await.unwrap();
    let changes = async |after| trial.holdall.changes(&ada, &super::bucket("ada"), after, 1).await.unwrap();
    let Changes::Listed { next: begin, .. } = changes(None).await else { panic!("nothing is old") };
    let first = async |after: u64| {
        let after = Cursor { seq: Seq(after), ..begin };
        match changes(Some(after)).await {
            Changes::Listed { changes, next } => {
                assert_eq!(next, Cursor { seq: changes[0].seq, ..after });
                Ok(changes[0].seq.0)
            }
            Changes::StartOver { why, next } => Err((why, next.seq.0)),
        }
    };
    trial.holdall.clear_trash().await.unwrap();
    assert_eq!(first(0).await, Ok(1), "it is young enough");
    trial.clock.advance((limits::JOURNAL_DAYS + 1) * 24 * 3600 * 1000);
    trial.holdall.clear_trash().await.unwrap();
    let late = Err((StartOver::Forgotten, limits::JOURNAL_ROWS + 600));
    assert_eq!([first(0).await, first(599).await], [late, late], "600 and more are gone");
    assert_eq!([first(600).await, first(650).await], [Ok(601), Ok(651)]);
    let next = trial.put(&ada, &key("ada", "g"), &[]).await.unwrap().version.id.seq;
    assert_eq!(next.0, limits::JOURNAL_ROWS + 601);
}
