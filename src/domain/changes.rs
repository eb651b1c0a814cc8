//! The journal, as sync clients and other consumers read it.

use super::{
    Error, Holdall,
    access::Verb,
    buckets::allowed,
    caller::Caller,
    nouns::{Change, Changes, Event},
};
use crate::{
    model::{ids::Seq, limits, name::BucketName},
    store::rows::journal::{self, ChangeRow, EventKind},
};

impl Holdall {
    /// Changes of a bucket behind a place, oldest first, without gaps; or that the journal does not
    /// reach back to that place any more.
    ///
    /// # Errors
    /// If there is no such bucket, or the caller may not read it.
    pub async fn changes(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        after: Seq,
        limit: usize,
    ) -> Result<Changes, Error> {
        let (caller, name) = (caller.clone(), bucket.clone());
        self.read(move |rows| {
            let bucket = allowed(rows, &caller, &name, Verb::Read)?;
            let oldest = journal::oldest(rows, bucket.id)?;
            if oldest.is_some_and(|oldest| after.next() < oldest) {
                return Ok(Changes::Expired);
            }
            let found = journal::changes(rows, bucket.id, after, limit.min(limits::LIST_PAGE))?;
            Ok(Changes::Listed(found.into_iter().map(change).collect()))
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
