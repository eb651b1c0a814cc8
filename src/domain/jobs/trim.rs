//! Journals end: a change goes when it is older than [`limits::JOURNAL_DAYS`] and as many as
//! [`limits::JOURNAL_ROWS`] came after it. The oldest change that is left tells which cursors
//! are expired.

use crate::{
    domain::{Error, Holdall},
    model::{
        ids::{BucketId, Seq},
        limits,
        time::Timestamp,
    },
    store::{
        meta::{Tx, rows::Rows},
        rows::journal,
    },
};

/// Changes looked at in one read, the most that one transaction removes.
const STEP: usize = 500;

const DAY: i64 = 24 * 3600 * 1000;

impl Holdall {
    /// Removes what is over at the old end of a bucket's journal. Writes only if there is something.
    pub(super) async fn trim_journal(&self, bucket: BucketId) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            if self.read(move |rows| Ok(over(rows, bucket, now)?.is_empty())).await? {
                return Ok(());
            }
            if self.give_back(move |tx| trim(tx, bucket)).await? < STEP {
                return Ok(());
            }
        }
    }
}

/// The oldest changes, as far as they are over; never the newest one.
fn over(rows: &dyn Rows, bucket: BucketId, now: Timestamp) -> Result<Vec<Seq>, Error> {
    let Some(newest) = journal::newest(rows, bucket)? else { return Ok(Vec::new()) };
    let since = now.0.saturating_sub(limits::JOURNAL_DAYS.saturating_mul(DAY));
    let oldest = journal::changes(rows, bucket, Seq(0), STEP)?;
    let over = oldest
        .iter()
        .take_while(|(seq, row)| newest.0.saturating_sub(seq.0) >= limits::JOURNAL_ROWS && row.at.0 < since);
    Ok(over.map(|(seq, _)| *seq).collect())
}

fn trim(tx: &mut Tx<'_>, bucket: BucketId) -> Result<usize, Error> {
    let over = over(tx, bucket, tx.now())?;
    over.iter().for_each(|seq| journal::remove(tx, bucket, *seq));
    Ok(over.len())
}
