//! A check is clean after ordinary work, and finds whatever is broken.

use std::{cell::Cell, sync::Arc};

use super::{Trial, bucket, start};
use crate::{
    domain::{
        CheckReport, Error, FindingKind, Portion,
        batch::{self, NewBatch},
        caller::Caller,
        check::{self, Stale},
        nouns::{
            BucketChange, BucketOptions, Expected, HistoryPolicy, NewUpload, RemoveOptions, Transfer,
            Versioning, WriteOptions,
        },
    },
    model::{
        address::{Address, ItemPath, ObjectKey},
        ids::{AccountId, BucketId, NodeId},
        time::Timestamp,
    },
    store::{
        error::StoreError,
        io::{Io as _, Mode},
        meta::{
            Tx,
            rows::{KeyRange, Order, Rows as _, RowsMut as _},
            table::Table,
        },
        rows::{
            batch::{BatchId, BatchKind},
            bucket as buckets,
            lock::{self, LockRow},
            props::{self, PropRow},
            tree as names,
        },
    },
};

fn key(name: &str, key: &str) -> Address {
    Address::key(bucket(name), ObjectKey::parse(key).unwrap())
}

async fn write(trial: &Trial, ada: &Caller, at: &Address) {
    let mut put = trial.holdall.begin_put(ada, at, Expected::default()).await.unwrap();
    put.write(at.to_string().repeat(100).into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();
}

/// Something in every table.
async fn filled() -> Trial {
    let trial = Trial::new().await;
    let ada = &trial.caller("ada").await;
    let holdall = &trial.holdall;
    for at in ["a/b", "a/b", "a/b/c", "cafe\u{301}", "gone/x"] {
        write(&trial, ada, &key("ada", at)).await;
    }
    let gone = Address::path(bucket("ada"), ItemPath::parse("gone/x").unwrap());
    holdall.remove(ada, &gone, RemoveOptions::default()).await.unwrap();
    holdall.create_bucket(ada, &bucket("kept"), Default::default()).await.unwrap();
    let versioned = BucketChange { versioning: Some(Versioning::Enabled), ..BucketChange::default() };
    holdall.change_bucket(ada, &bucket("kept"), versioned).await.unwrap();
    write(&trial, ada, &key("kept", "k/x")).await;
    holdall.remove(ada, &key("kept", "k/x"), RemoveOptions::default()).await.unwrap();
    let at = key("ada", "big");
    let upload = holdall.begin_upload(ada, &at, NewUpload::default()).await.unwrap();
    let mut part = holdall.begin_part(ada, &at, &upload.id, 1, Expected::default()).await.unwrap();
    part.write(vec![1; 100].into()).await.unwrap();
    part.commit(Default::default()).await.unwrap();
    trial
}

async fn check(trial: &Trial) -> CheckReport {
    trial.holdall.check(&Caller::Operator).await.unwrap()
}

/// Takes a row out of a table; the first, or one further on.
async fn lose(trial: &Trial, table: Table, number: usize) {
    let lose = move |tx: &mut Tx<'_>| {
        let rows = tx.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, number + 1)?;
        let (key, _) = rows.into_iter().nth(number).unwrap();
        tx.delete(table, key);
        Ok(())
    };
    trial.holdall.write(lose).await.unwrap();
}

#[tokio::test]
async fn every_row_that_is_lost_is_found() {
    let clean = check(&filled().await).await;
    assert!(clean.is_clean(), "{clean:#?}");
    assert_eq!((clean.counts.buckets, clean.counts.files, clean.counts.parts), (4, 5, 1), "{clean:#?}");
    let cases = [
        (Table::BucketName, 0, FindingKind::Bucket),
        (Table::BucketOwner, 0, FindingKind::Bucket),
        (Table::Node, 4, FindingKind::Name),
        (Table::Dent, 0, FindingKind::Name),
        (Table::Dead, 0, FindingKind::Name),
        (Table::Alias, 0, FindingKind::Name),
        (Table::Versions, 0, FindingKind::Version),
        (Table::Replaced, 0, FindingKind::Version),
        (Table::Trash, 0, FindingKind::Version),
        (Table::Upload, 0, FindingKind::Upload),
        (Table::UploadId, 0, FindingKind::Upload),
        (Table::Part, 0, FindingKind::Usage),
        (Table::Usage, 0, FindingKind::Usage),
        (Table::Journal, 1, FindingKind::Journal),
        (Table::Manifest, 0, FindingKind::Body),
        (Table::Chunk, 0, FindingKind::Body),
        (Table::Segment, 0, FindingKind::Body),
    ];
    for (table, number, kind) in cases {
        let trial = filled().await;
        lose(&trial, table, number).await;
        let report = check(&trial).await;
        let found = report.findings.iter().any(|finding| finding.kind == kind);
        assert!(found && report.unfinished.is_none(), "{table:?}: {report:#?}");
    }
}

#[tokio::test]
async fn properties_and_locks_nobody_knows_of_are_found() {
    let trial = filled().await;
    let ada = trial.holdall.read(|rows| {
        let name = crate::model::name::BucketName::parse("ada").unwrap();
        Ok(crate::store::rows::bucket::by_name(rows, &name)?.unwrap())
    });
    let ada = ada.await.unwrap();
    let add = move |tx: &mut Tx<'_>| {
        let prop = PropRow { namespace: String::new(), name: "p".into(), xml: "<p/>".into() };
        props::put_prop(tx, ada.id, NodeId(999), &prop);
        let lock = LockRow {
            token: "urn:x".into(),
            node: NodeId(999),
            exclusive: true,
            deep: false,
            holder: AccountId(1),
            owner: String::new(),
            seconds: 60,
            expires: Timestamp(0),
        };
        lock::put_lock(tx, ada.id, [ada.root], &lock);
        Ok(())
    };
    trial.holdall.write(add).await.unwrap();
    let report = check(&trial).await;
    for kind in [FindingKind::Property, FindingKind::Lock] {
        assert!(report.findings.iter().any(|finding| finding.kind == kind), "{report:#?}");
    }
}

/// The story: what a check found told admins names of others' files, and tokens that open their locks.
#[tokio::test]
async fn names_of_files_and_tokens_of_locks_are_told_to_the_operator_alone() {
    let trial = filled().await;
    let root = trial.caller("root").await;
    let locked = trial.holdall.read(|rows| Ok(buckets::by_name(rows, &bucket("ada"))?.unwrap()));
    let ada = locked.await.unwrap();
    let lock = move |tx: &mut Tx<'_>| {
        let lock = LockRow {
            token: "urn:secret".into(),
            node: NodeId(999),
            exclusive: true,
            deep: true,
            holder: AccountId(1),
            owner: String::new(),
            seconds: 60,
            expires: Timestamp(0),
        };
        lock::put_lock(tx, ada.id, [ada.root], &lock);
        for (table, key) in [(Table::LockBelow, ada.id.0), (Table::LockOwner, 1)] {
            let stray = tx.scan(table, &KeyRange::prefix(key.to_be_bytes().into()), Order::Forward, 1)?;
            for (key, value) in stray {
                tx.put(table, [key, b"-stray".to_vec()].concat(), value);
            }
        }
        Ok(())
    };
    trial.holdall.write(lock).await.unwrap();
    for (table, number) in [(Table::Node, 4), (Table::UploadId, 0)] {
        lose(&trial, table, number).await;
    }
    let (whole, report) = (check(&trial).await, trial.holdall.check(&root).await.unwrap());
    let told = |report: &CheckReport| report.findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    for name in ["big", "urn:secret ", "urn:secret-stray", "ada/"] {
        assert!(told(&whole).iter().any(|text| text.contains(name)), "{name}: {:#?}", told(&whole));
        assert!(!told(&report).iter().any(|text| text.contains(name)), "{name}: {:#?}", told(&report));
    }
    let kinds = |report: &CheckReport| report.findings.iter().map(|found| found.kind).collect::<Vec<_>>();
    assert_eq!((report.found, report.counts, kinds(&report)), (whole.found, whole.counts, kinds(&whole)));
}

/// The same of the row of an upload, whose key is in another table.
#[tokio::test]
async fn the_key_of_an_upload_that_is_gone_is_told_to_the_operator_alone() {
    let trial = filled().await;
    lose(&trial, Table::Upload, 0).await;
    let root = trial.caller("root").await;
    let (whole, report) = (check(&trial).await, trial.holdall.check(&root).await.unwrap());
    let told = |report: &CheckReport| report.findings.iter().any(|found| found.text.contains("big"));
    assert!(told(&whole) && !told(&report), "{whole:#?} {report:#?}");
    assert_eq!(report.found, whole.found);
}

#[tokio::test]
async fn a_segment_whose_file_is_gone_is_found() {
    let trial = filled().await;
    let segment = crate::model::ids::SegmentId(1);
    assert!(trial.holdall.store.segments().length(segment).unwrap().is_some());
    trial.holdall.store.segments().remove(segment).unwrap();
    let report = check(&trial).await;
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::Segment), "{report:#?}");
}

#[tokio::test]
async fn only_managers_check_and_a_read_error_is_never_clean() {
    let trial = filled().await;
    let ada = trial.caller("ada").await;
    assert!(matches!(trial.holdall.check(&ada).await, Err(Error::Denied(_))));
    let garble = |tx: &mut Tx<'_>| {
        let rows = tx.scan(Table::Dent, &KeyRange::prefix(Vec::new()), Order::Forward, 1)?;
        rows.into_iter().for_each(|(key, _)| tx.put(Table::Dent, key, vec![0xff]));
        Ok(())
    };
    trial.holdall.write(garble).await.unwrap();
    let report = check(&trial).await;
    assert!(report.unfinished.is_some() && !report.is_clean(), "{report:#?}");
    assert_eq!((report.found, report.findings[0].kind), (1, FindingKind::Row), "it is damage, too");
}

/// The story: a damaged row ended the check before it had looked at one file.
#[tokio::test]
async fn beside_damaged_rows_segments_and_known_damage_are_told_too() {
    let trial = filled().await;
    write(&trial, &trial.caller("ada").await, &key("ada", "damaged")).await;
    let (path, length) = super::decay::segments(&trial.disk).remove(0);
    for at in (4096..length).step_by(512) {
        trial.disk.damage(&path, at, 1).unwrap();
    }
    trial.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
    let whole = check(&trial).await;
    assert!(whole.counts.damaged > 0 && whole.counts.hits > 0 && whole.unfinished.is_none());
    trial.holdall.close().unwrap();
    let disk = Arc::new(trial.disk.crash(0));
    let damaged = start(Arc::clone(&disk), 1).unwrap();
    decay(&damaged, Table::Account).await;
    damaged.holdall.close().unwrap();
    disk.remove(&path).unwrap();
    let report = check(&start(Arc::new(disk.crash(0)), 1).unwrap()).await;
    assert_eq!((report.counts.damaged, report.damage), (whole.counts.damaged, whole.damage));
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Row, FindingKind::Segment], "{:#?}", report.findings);
    assert!(report.unfinished.is_some());
}

/// The story: `holdall compact` was advised, and moved nothing as long as a chunk there was damaged.
#[tokio::test]
async fn what_helps_a_damaged_segment_is_told_as_it_is() {
    let trial = Trial::new().await;
    let ada = &trial.caller("ada").await;
    for at in ["first", "second", "third"] {
        write(&trial, ada, &key("ada", at)).await;
    }
    let (path, _) = super::decay::segments(&trial.disk).remove(0);
    // The header of the segment, and its first record.
    trial.disk.unreadable(&path, 0..4200).unwrap();
    let advice = async || {
        trial.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
        let found = check(&trial).await.findings.into_iter();
        found
            .filter(|finding| finding.kind == FindingKind::Segment)
            .map(|finding| finding.text)
            .collect::<Vec<_>>()
    };
    let told = advice().await;
    assert!(
        told.len() == 1 && told[0].contains("once its content was stored again, `holdall compact`"),
        "{told:?}"
    );
    trial.holdall.collect(&Caller::Operator, true).await.unwrap();
    assert_eq!(advice().await, told, "nothing else helps");
    write(&trial, ada, &key("ada", "first")).await;
    let told = advice().await;
    assert!(told.len() == 1 && told[0].ends_with("; `holdall compact` moves its chunks"), "{told:?}");
    trial.holdall.collect(&Caller::Operator, true).await.unwrap();
    assert_eq!(advice().await, [""; 0]);
    assert!(check(&trial).await.is_clean());
}

#[tokio::test]
async fn a_batch_that_cannot_go_on_is_found_and_one_that_can_is_counted() {
    let trial = filled().await;
    let ada = trial.caller("ada").await;
    let begin = move |tx: &mut Tx<'_>| {
        let id = buckets::by_name(tx, &bucket("kept"))?.unwrap().id;
        let new = NewBatch {
            kind: BatchKind::Remove,
            from: (id, "k".into()),
            to: None,
            file: false,
            clearing: false,
            modified: None,
            tokens: &[],
        };
        batch::begin(tx, &ada, new)
    };
    // Nobody wakes the runner, which would finish it.
    let begun = trial.holdall.write(begin).await.unwrap();
    let report = check(&trial).await;
    assert!(report.is_clean() && report.counts.batches == 1, "{report:#?}");
    let spoil = move |tx: &mut Tx<'_>| {
        let value = tx.get(Table::Batch, &begun.key())?.unwrap();
        let elsewhere = BatchId { bucket: BucketId(begun.bucket.0 + 1), ..begun };
        tx.put(Table::Batch, elsewhere.key(), value);
        tx.put(Table::Batch, begun.key(), vec![0xff]);
        Ok(())
    };
    trial.holdall.write(spoil).await.unwrap();
    let report = check(&trial).await;
    let found = report.findings.iter().filter(|finding| finding.kind == FindingKind::Work);
    assert_eq!((found.count(), report.unfinished.is_some()), (2, false), "{report:#?}");
}

/// The folders from the top of a bucket down to one, outermost first.
async fn folders(trial: &Trial, path: &'static [&'static str]) -> Vec<NodeId> {
    let found = trial.holdall.read(move |rows| {
        let bucket = buckets::by_name(rows, &bucket("ada"))?.unwrap();
        let mut at = bucket.root;
        let mut nodes = Vec::new();
        for name in path {
            at = names::folder(rows, names::Side::Live, (bucket.id, at), name)?.unwrap().node;
            nodes.push(at);
        }
        Ok(nodes)
    });
    found.await.unwrap()
}

#[tokio::test]
async fn bounds_of_what_is_gone_are_lowered_and_the_move_they_refused_fits() {
    let trial = Trial::new().await;
    let ada = &trial.caller("ada").await;
    let long = format!("d/e/f/{}", "n".repeat(900));
    write(&trial, ada, &key("ada", &long)).await;
    write(&trial, ada, &key("ada", "d/e/f/short")).await;
    trial.holdall.remove(ada, &key("ada", &long), RemoveOptions::default()).await.unwrap();
    let folder = |path: &str| Address::path(bucket("ada"), ItemPath::parse(path).unwrap());
    let further = format!("{}/d", "m".repeat(200));
    write(&trial, ada, &key("ada", &format!("{}/x", "m".repeat(200)))).await;
    let mv = async || {
        let (from, to) = (folder("d"), folder(&further));
        trial.holdall.transfer(ada, Transfer::Move, &from, &to, Default::default()).await
    };
    assert!(matches!(mv().await, Err(Error::Denied(_))));
    let counts = async || {
        let report = trial.holdall.check(&Caller::Operator).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        (report.counts.stale_bounds, report.counts.lowered_bounds)
    };
    assert_eq!(counts().await, (1, 3), "the folders above follow the one that held it");
    assert_eq!(counts().await, (0, 0));
    mv().await.unwrap();
    assert_eq!(counts().await, (0, 0));
}

#[tokio::test]
async fn bounds_are_not_lowered_below_what_came_after_they_were_counted() {
    let trial = Trial::new().await;
    let ada = &trial.caller("ada").await;
    for name in ["d/e/a-long-name", "d/e/b"] {
        write(&trial, ada, &key("ada", name)).await;
    }
    trial.holdall.remove(ada, &key("ada", "d/e/a-long-name"), RemoveOptions::default()).await.unwrap();
    let folder = folders(&trial, &["d", "e"]).await[1];
    let count =
        async || trial.holdall.read(move |rows| Ok(Stale::count(rows, folder)?)).await.unwrap().unwrap();
    let lower = async |stale: Stale| trial.holdall.write(move |tx| Ok(stale.lower(tx)?)).await.unwrap();
    let stale = count().await;
    // Its bounds are high enough, so the row of the folder stays as it is.
    write(&trial, ada, &key("ada", "d/e/longer")).await;
    assert!(!lower(stale).await);
    assert!(lower(count().await).await);
    assert!(trial.holdall.check(&Caller::Operator).await.unwrap().is_clean());
}

/// Flips a bit of a table's first row that has a long value, wherever the file has it.
async fn decay(trial: &Trial, table: Table) {
    let all = KeyRange::prefix(Vec::new());
    let rows = trial.holdall.read(move |rows| Ok(rows.scan(table, &all, Order::Forward, 100)?));
    let (_, value) = rows.await.unwrap().into_iter().find(|(_, value)| value.len() > 16).unwrap();
    let file = trial.disk.open("meta/holdall.redb", Mode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&value)) {
        trial.disk.damage("meta/holdall.redb", at as u64, 1).unwrap();
    }
}

/// In tables that nothing is followed through, too.
#[tokio::test]
async fn a_row_that_is_not_what_was_written_is_told_by_its_table() {
    let trial = filled().await;
    trial.holdall.close().unwrap();
    for table in [Table::Account, Table::Dent, Table::Versions, Table::Chunk] {
        let disk = Arc::new(trial.disk.crash(0));
        let damaged = start(Arc::clone(&disk), 1).unwrap();
        decay(&damaged, table).await;
        damaged.holdall.close().unwrap();
        let report = check(&start(Arc::new(disk.crash(0)), 1).unwrap()).await;
        let told = format!("rows of {} that are not what was written: ", table.name());
        let found = report.findings.iter().filter(|finding| finding.kind == FindingKind::Row);
        assert!(found.clone().all(|finding| finding.text.contains(&told)), "{report:#?}");
        assert!(report.found > 0 && found.count() == 1 && report.unfinished.is_some(), "{report:#?}");
    }
}

/// A table of millions of rows was read to its end before the check looked whether the system closes.
#[tokio::test]
async fn sums_are_looked_at_in_portions_that_leave_no_row_out_and_count_none_twice() {
    let trial = filled().await;
    trial.holdall.close().unwrap();
    let disk = Arc::new(trial.disk.crash(0));
    let before = start(Arc::clone(&disk), 1).unwrap();
    decay(&before, Table::Dent).await;
    before.holdall.close().unwrap();
    let decayed = start(Arc::new(disk.crash(0)), 1).unwrap();
    let rows = decayed.holdall.store.snapshot().unwrap();
    let looks = Cell::new(0);
    let damaged = |portion: u64, most: usize| {
        looks.set(0);
        check::damaged(&rows, Table::Dent, portion, &|| {
            looks.set(looks.get() + 1);
            if looks.get() > most { Err(StoreError::Unavailable("enough".into())) } else { Ok(()) }
        })
    };
    let whole = damaged(u64::MAX, 1).unwrap();
    assert!(whole > 0);
    assert_eq!((damaged(1, usize::MAX).unwrap(), looks.get() > 3), (whole, true));
    assert!(matches!(damaged(1, 2), Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_check_ends_when_the_system_closes_and_calls_nothing_clean() {
    let trial = Trial::new().await;
    trial.holdall.stop.cancel();
    let report = check(&trial).await;
    assert!(!report.is_clean() && report.found == 0, "{report:?}");
    assert!(report.unfinished.is_some_and(|why| why.contains("closing")));
}

/// Whatever else goes through all rows of a store ends there too.
#[tokio::test]
async fn long_looks_end_when_the_system_closes() {
    let trial = filled().await;
    let (holdall, caller) = (&trial.holdall, &Caller::Operator);
    holdall.stop.cancel();
    for (what, ended) in [
        ("forecast", holdall.forecast_collection(caller).await.map(drop)),
        ("space", holdall.space(caller).await.map(drop)),
        ("files", holdall.damaged_files(caller, None).await.map(drop)),
    ] {
        let closing = matches!(&ended, Err(Error::Unavailable { reason }) if reason.contains("closing"));
        assert!(closing, "{what}: {ended:?}");
    }
}

/// What the rows of a check name and nothing needs any more is not called missing when it goes.
#[tokio::test]
async fn a_collection_meanwhile_is_no_damage() {
    let trial = Trial::new().await;
    let (ada, holdall) = (&trial.caller("ada").await, &trial.holdall);
    let plain = BucketOptions { history: HistoryPolicy::Off, ..BucketOptions::default() };
    holdall.create_bucket(ada, &bucket("plain"), plain).await.unwrap();
    write(&trial, ada, &key("plain", "gone")).await;
    let state = check::State::take(&holdall.store);
    holdall.remove(ada, &key("plain", "gone"), RemoveOptions::default()).await.unwrap();
    let report = holdall.collect(&Caller::Operator, true).await.unwrap().report;
    assert!(report.chunks_deleted > 0, "{report:?}");
    assert!(report.held && report.segments_removed == 0, "{report:?}");
    let (checked, _) = check::run(&holdall.store, state, &holdall.stop);
    assert!(checked.is_clean() && checked.counts.segments > 0, "{checked:#?}");
    let report = holdall.collect(&Caller::Operator, true).await.unwrap().report;
    assert!(!report.held && report.segments_removed > 0, "{report:?}");
}
