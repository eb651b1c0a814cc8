//! People's history ends: trash older than its bucket's policy is released, oldest first.
//!
//! The clock decides only when something people were promised for a time is given up, never
//! whether bytes are still needed; that is the counts' business.

use super::release::{ITEM_ROWS, release_trash};
use crate::{
    domain::{Error, Holdall, history::keeps_for},
    model::{
        ids::{BucketId, Seq},
        time::Timestamp,
    },
    store::{
        meta::{
            Tx,
            codec::{Reader, Row},
            key::{Key, number},
            rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
            table::Table,
        },
        rows::{
            bucket,
            trash::TrashRow,
            work::{self, Kind, WorkRow},
        },
    },
};

/// Items of a bucket's trash looked at in one read, the most that one transaction releases.
const STEP: usize = 100;

impl Holdall {
    /// Releases what is over in a bucket's trash. Writes only if there is something.
    pub(super) async fn expire_trash(&self, bucket: BucketId) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            if self.read(move |rows| Ok(over(rows, bucket, now)?.is_empty())).await? {
                return Ok(());
            }
            if !self.give_back(move |tx| expire(tx, bucket)).await? {
                return Ok(());
            }
        }
    }
}

/// The oldest items of a bucket's trash that are over; none if the bucket is gone.
fn over(rows: &dyn Rows, bucket: BucketId, now: Timestamp) -> Result<Vec<(WorkRow, KeyValue)>, Error> {
    let Some(bucket) = bucket::by_id(rows, bucket)? else { return Ok(Vec::new()) };
    let oldest = KeyRange::prefix(Key::new().number(bucket.id.0).done());
    let mut over = Vec::new();
    for (key, value) in rows.scan(Table::Trash, &oldest, Order::Forward, STEP)? {
        let item = TrashRow::decode(&value)?;
        let mut from = Reader::new(&key);
        number(&mut from)?;
        let seq = Seq(number(&mut from)?);
        let kept = item.at.0.saturating_add(keeps_for(bucket.history)) > now.0;
        let work = WorkRow { bucket: bucket.id, owner: bucket.owner, id: seq.0, history: true };
        if kept || work::queued(rows, Kind::Trashed, &work)? {
            break;
        }
        over.push((work, (key, value)));
    }
    Ok(over)
}

/// Releases the oldest items of a bucket's trash, judged by the bucket as it is now; true if there
/// may be more.
fn expire(tx: &mut Tx<'_>, bucket: BucketId) -> Result<bool, Error> {
    let over = over(tx, bucket, tx.now())?;
    for (work, (key, value)) in &over {
        if tx.room() < ITEM_ROWS {
            return Ok(true);
        }
        release_trash(tx, work, key, value)?;
        tx.delete(Table::Trash, key.clone());
    }
    Ok(over.len() == STEP)
}
