//! The form of every table's keys and values, byte by byte, as a fixed workload leaves them. Whoever
//! changes one changes what is on people's disks: it needs a new version and a migration, and a
//! new line in `golden.txt`.

use std::fmt::Write as _;

use super::*;
use crate::{
    domain::nouns::*,
    model::{
        ids::{BucketId, ChunkNo, NodeId, SegmentId},
        role::Role,
    },
    store::{
        blobs::damage::{DamageRow, Part},
        meta::{
            codec::Row as _,
            rows::{KeyRange, Order, Rows, RowsMut as _},
            table::Table,
        },
        rows::{
            batch::{self, BatchId, BatchKind, BatchRow},
            grant::{self, GrantRow},
            later,
        },
        segments::FlawKind,
    },
};

/// Everything a verb can write, the same every time.
async fn worked() -> Arc<Holdall> {
    let clock = Arc::new(SetClock::at(Timestamp(1_000_000)));
    let world = World { clock, random: Arc::new(SeededRandom::new(1)) };
    let holdall = Holdall::start_by_hand(StartOptions::new(Arc::new(SimDisk::new())), world).unwrap();
    let disk = Arc::new(SimDisk::new());
    let trial = Trial { disk, clock: Arc::new(SetClock::at(Timestamp(0))), holdall };
    trial.add("ada", Some(PASSWORD)).await.unwrap();
    let ada = trial.caller("ada").await;
    trial.app_password("ada", Scope { buckets: vec![bucket("ada")], read_only: true }).await;
    trial.holdall.add_key(&Caller::Operator, &account("ada"), None).await.unwrap();
    for file in ["d/cafe\u{301}", "d/a", "d/a", "d/gone"] {
        trial.put(&ada, &key("ada", file), &[]).await.unwrap();
    }
    trial.remove(&ada, &key("ada", "d/gone"), &[]).await.unwrap();
    let upload = trial.holdall.begin_upload(&ada, &key("ada", "u"), NewUpload::default()).await.unwrap();
    let at = key("ada", "u");
    let mut part = trial.holdall.begin_part(&ada, &at, &upload.id, 1, Expected::default()).await.unwrap();
    part.write("part".into()).await.unwrap();
    part.commit(Declared::default()).await.unwrap();
    let lock = NewLock { exclusive: true, owner: "me".into(), ..NewLock::default() };
    trial.holdall.lock(&ada, &path("ada", "d/a"), lock).await.unwrap();
    let prop = Prop { namespace: "n".into(), name: "p".into(), xml: "<p/>".into() };
    let changes = vec![PropChange::Set(prop)];
    trial
        .holdall
        .set_props(&ada, &path("ada", "d/caf\u{e9}"), changes, PropOptions::default())
        .await
        .unwrap();
    trial.holdall.create_bucket(&ada, &bucket("kept"), Default::default()).await.unwrap();
    let change = BucketChange { versioning: Some(Versioning::Enabled), ..BucketChange::default() };
    trial.holdall.change_bucket(&ada, &bucket("kept"), change).await.unwrap();
    trial.put(&ada, &key("kept", "x"), &[]).await.unwrap();
    trial
        .holdall
        .transfer(&ada, Transfer::Copy, &key("kept", "x"), &key("kept", "y"), Default::default())
        .await
        .unwrap();
    trial.remove(&ada, &key("kept", "x"), &[]).await.unwrap();
    trial.holdall.create_bucket(&ada, &bucket("gone"), Default::default()).await.unwrap();
    trial.holdall.remove_bucket(&ada, &bucket("gone"), Default::default()).await.unwrap();
    later_rows(&trial).await;
    trial.holdall
}

/// Rows that only larger or later verbs write.
async fn later_rows(trial: &Trial) {
    let done = trial.holdall.write(|tx| {
        let (at, token) = ((BucketId(1), NodeId(2)), [7; 32]);
        tx.put(Table::Litter, later::litter_key(at.0, at.1, "._a"), Vec::new());
        tx.put(Table::Vacated, later::vacated_key(at.0, at.1, "a/"), Vec::new());
        tx.put(Table::Share, later::share_key(&token), Vec::new());
        tx.put(Table::ShareNode, later::share_node_key(at.0, at.1, &token), Vec::new());
        let role = Role::Editor;
        grant::put_grant(tx, at, crate::model::ids::AccountId(3), &GrantRow { role });
        let row = BatchRow {
            kind: BatchKind::Move,
            account: crate::model::ids::AccountId(1),
            only: vec![bucket("ada")],
            tokens: vec!["urn:t".into()],
            began: Timestamp(5),
            from: (BucketId(1), "d".into()),
            to: Some((BucketId(2), "e".into())),
            file: false,
            modified: Some(Timestamp(6)),
            clearing: true,
            after: Some("e/a".into()),
            refused: 3,
        };
        let damage = DamageRow {
            segment: SegmentId(1),
            offset: 4096,
            kind: FlawKind::Bytes,
            expected: [7; 32],
            found: Some([8; 32]),
            seen: Timestamp(5),
        };
        tx.put(Table::Damage, Part::Chunk(ChunkNo(3)).key(), damage.encode());
        tx.put(
            Table::Damage,
            Part::Segment(SegmentId(1)).key(),
            DamageRow { found: None, ..damage }.encode(),
        );
        batch::set(tx, BatchId { bucket: BucketId(2), number: 9 }, &row);
        Ok(())
    });
    done.await.unwrap();
}

/// The first rows of a table.
fn lines(rows: &dyn Rows, table: Table, out: &mut String) {
    for (key, value) in rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, 2).unwrap() {
        writeln!(out, "{} {} = {}", table.name(), hex::encode(key), hex::encode(value)).unwrap();
    }
}

#[tokio::test]
async fn every_table_has_the_form_it_is_released_with() {
    let holdall = worked().await;
    let found = holdall.read(|rows| {
        let mut found = String::new();
        Table::ALL.iter().for_each(|table| lines(rows, *table, &mut found));
        Ok(found)
    });
    let (found, committed) = (found.await.unwrap(), include_str!("golden.txt"));
    if found != committed {
        println!("{found}");
    }
    for table in Table::ALL {
        let of = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.split(' ').next() == Some(table.name()));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(of(&found), of(committed), "{}", table.name());
        // Merged in slices that only a large store fills.
        assert!(*table == Table::ChunkHash || !of(&found).is_empty(), "{} has no row", table.name());
    }
}
