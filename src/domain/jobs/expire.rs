//! People's history ends: trash older than its bucket's policy is released, oldest first.
//!
//! The clock decides only when something people were promised for a time is given up, never
//! whether bytes are still needed; that is the counts' business.

use super::release::release_trash;
use crate::{
    domain::{Error, Holdall, history::keeps_for},
    model::ids::Seq,
    store::{
        meta::{
            Tx,
            codec::{Reader, Row},
            key::{Key, number},
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
        rows::{
            bucket::{self, BucketRow},
            work::{self, Kind, TrashRow, WorkRow},
        },
    },
};

/// Buckets looked at in one read, and items released in one transaction.
const STEP: usize = 100;

impl Holdall {
    /// Releases what is over in every bucket's trash.
    pub(super) async fn expire_trash(&self) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let buckets = self.read(move |rows| Ok(bucket::all(rows, ("", after.as_deref()), STEP)?)).await?;
            for bucket in &buckets {
                let bucket = bucket.clone();
                while {
                    let bucket = bucket.clone();
                    self.write(move |tx| expire(tx, &bucket)).await?
                } {}
            }
            match buckets.last() {
                Some(last) => after = Some(last.name.to_string()),
                None => return Ok(()),
            }
        }
    }
}

/// Releases the oldest items of a bucket's trash; true if there may be more.
fn expire(tx: &mut Tx<'_>, bucket: &BucketRow) -> Result<bool, Error> {
    let oldest = KeyRange::prefix(Key::new().number(bucket.id.0).done());
    let found = tx.scan(Table::Trash, &oldest, Order::Forward, STEP)?;
    let mut released = 0;
    for (key, value) in &found {
        let item = TrashRow::decode(value)?;
        let mut from = Reader::new(key);
        number(&mut from)?;
        let seq = Seq(number(&mut from)?);
        let kept = item.at.0.saturating_add(keeps_for(bucket.history)) > tx.now().0;
        let work = WorkRow { bucket: bucket.id, owner: bucket.owner, id: seq.0, history: true };
        if kept || work::queued(tx, Kind::Trashed, &work)? {
            break;
        }
        release_trash(tx, &work, key, value)?;
        tx.delete(Table::Trash, key.clone());
        released += 1;
    }
    Ok(released == STEP)
}
