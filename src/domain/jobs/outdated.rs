//! Versions that people keep end when their time is over, whether their file is written again or
//! not, and after the bucket's policy was turned off, too.

use super::release::{release_manifest, uncount};
use crate::{
    domain::{Error, Holdall, history::keeps_for},
    model::{ids::BucketId, time::Timestamp},
    store::{
        meta::{Tx, rows::Rows},
        rows::{
            bucket,
            version::{self, Class, Replaced},
            work::WorkRow,
        },
    },
};

/// Versions looked at in one read, the most that one transaction ends.
const STEP: usize = 50;

/// Room that ending one more version needs.
const VERSION_ROWS: usize = 16;

impl Holdall {
    /// Ends what is over in a bucket. Writes only if there is something.
    pub(super) async fn end_outdated(&self, bucket: BucketId) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            if self.read(move |rows| Ok(over(rows, bucket, now)?.1.is_empty())).await? {
                return Ok(());
            }
            self.give_back(move |tx| end(tx, bucket)).await?;
        }
    }
}

/// The versions that were replaced longest ago, as far as they are over, and how they are counted.
fn over(
    rows: &dyn Rows,
    bucket: BucketId,
    now: Timestamp,
) -> Result<(Option<WorkRow>, Vec<Replaced>), Error> {
    let Some(bucket) = bucket::by_id(rows, bucket)? else { return Ok((None, Vec::new())) };
    let since = now.0.saturating_sub(keeps_for(bucket.history));
    let mut over = version::replaced(rows, bucket.id, STEP)?;
    over.retain(|(at, ..)| at.0 < since);
    let work = WorkRow { bucket: bucket.id, owner: bucket.owner, id: 0, history: true };
    Ok((Some(work), over))
}

fn end(tx: &mut Tx<'_>, bucket: BucketId) -> Result<(), Error> {
    let (Some(work), over) = over(tx, bucket, tx.now())? else { return Ok(()) };
    let mut bytes = 0;
    for (at, history, seq) in over {
        if tx.room() < VERSION_ROWS {
            break;
        }
        version::remove_replaced(tx, bucket, (at, history, seq));
        let found = version::version(tx, (bucket, history), Class::People, seq)?;
        if let Some(row) = found {
            version::remove_version(tx, (bucket, history), Class::People, seq);
            release_manifest(tx, &row)?;
            bytes += row.size;
        }
    }
    uncount(tx, &work, |usage| usage.history = usage.history.saturating_sub(bytes))
}
