//! The journal, as sync clients and other consumers read it.

use super::{
    Error, Holdall,
    access::Verb,
    buckets::allowed,
    caller::Caller,
    nouns::{Change, Changes, Event, StartOver},
};
use crate::{
    model::{
        ids::{Cursor, Seq},
        limits,
        name::BucketName,
    },
    store::rows::journal::{self, ChangeRow, EventKind},
};

impl Holdall {
    /// Changes of a bucket behind a cursor, or all that are kept, oldest first and without gaps; or
    /// that they cannot be told from there.
    ///
    /// # Errors
    /// If there is no such bucket, or the caller may not read it.
    pub async fn changes(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Changes, Error> {
        let (caller, name) = (caller.clone(), bucket.clone());
        let incarnation = self.store.meta().incarnation();
        self.read(move |rows| {
            let bucket = allowed(rows, &caller, &name, Verb::Read)?.id;
            let cursor = |seq| Cursor { incarnation, bucket, seq };
            let seq = after.map_or(Seq(0), |after| after.seq);
            let newest = journal::newest(rows, bucket)?.unwrap_or_default();
            let leads_nowhere = match after {
                Some(after) if after.incarnation != incarnation => Some(StartOver::Restored),
                Some(after) if after.bucket != bucket => Some(StartOver::OtherBucket),
                // Nobody was told of a change that is not there, unless the data was put back by hand.
                Some(after) if after.seq > newest => Some(StartOver::Restored),
                _ => {
                    let oldest = journal::oldest(rows, bucket)?;
                    oldest.filter(|oldest| seq.next() < *oldest).map(|_| StartOver::Forgotten)
                }
            };
            if let Some(why) = leads_nowhere {
                return Ok(Changes::StartOver { why, next: cursor(newest) });
            }
            let found = journal::changes(rows, bucket, seq, limit.min(limits::LIST_PAGE))?;
            let next = cursor(found.last().map_or(seq, |(last, _)| *last));
            Ok(Changes::Listed { changes: found.into_iter().map(change).collect(), next })
        })
        .await
    }
}

fn change((seq, row): (Seq, ChangeRow)) -> Change {
    let from = row.from.unwrap_or_default();
    let event = match row.kind {
        EventKind::Put => Event::Put,
        EventKind::Removed => Event::Removed,
        EventKind::Folder => Event::Folder,
        EventKind::Moved => Event::Moved(from),
        EventKind::Copied => Event::Copied(from),
        EventKind::VersionRemoved => Event::VersionRemoved,
        EventKind::Props => Event::Props,
    };
    Change { seq, at: row.at, by: row.by, event, node: row.node, path: row.path }
}
