//! What people keep of files in buckets that were never versioned: replaced versions, thinned as
//! they come and gone when they are over, and removed files in the trash. S3 never sees either.

use super::{drop_row, release};
use crate::{
    domain::{
        Error,
        act::Act,
        nouns::HistoryPolicy,
        tree::{self, Place},
    },
    model::{ids::HistoryId, limits},
    store::rows::{
        props,
        trash::{self, TrashKind, TrashRow},
        tree::{self as names, FileRow, Side},
        version::{self, Class, VersionRow},
        work::{self, WorkRow},
    },
};

/// Versions beyond the number kept that one write releases at most.
const THINNED: usize = 8;

/// Keeps a replaced version.
pub(super) fn keep(act: &mut Act<'_, '_>, history: HistoryId, old: &VersionRow) -> Result<(), Error> {
    version::put_version(act.tx, (act.bucket.id, history), Class::People, old);
    let replaced = (act.tx.now(), history, old.id.seq);
    version::put_replaced(act.tx, act.bucket.id, replaced);
    act.usage.history += old.size;
    thin(act, history)
}

/// Ends people's versions of one file that are over, or more than are kept, oldest first. Looks
/// at one file only, when it is written, so no write pays for another file's history; what is not
/// written again, a job ends.
fn thin(act: &mut Act<'_, '_>, history: HistoryId) -> Result<(), Error> {
    let at = (act.bucket.id, history);
    let kept = version::versions(act.tx, at, Class::People, None, limits::PEOPLE_VERSIONS + THINNED)?;
    let over = act.tx.now().0.saturating_sub(keeps_for(act.bucket.history));
    let mut replaced = act.tx.now();
    for (index, old) in kept.iter().enumerate() {
        if index >= limits::PEOPLE_VERSIONS || replaced.0 < over {
            version::remove_version(act.tx, at, Class::People, old.id.seq);
            version::remove_replaced(act.tx, at.0, (replaced, history, old.id.seq));
            act.usage.history = act.usage.history.saturating_sub(old.size);
            release(act, old)?;
        }
        replaced = old.committed;
    }
    Ok(())
}

/// How long a policy keeps what was replaced or removed, in milliseconds. What was kept before a
/// policy was turned off stays as long as it was promised by default.
pub(crate) fn keeps_for(policy: HistoryPolicy) -> i64 {
    let days = match policy {
        HistoryPolicy::Off => limits::HISTORY_DAYS,
        HistoryPolicy::Days(days) => days,
    };
    i64::from(days) * 24 * 3600 * 1000
}

/// Takes a live file out of a never-versioned bucket: into the trash where people's history is
/// kept, else for good. Its name is detached; settling the folders is the caller's.
pub(crate) fn take_away(act: &mut Act<'_, '_>, place: &Place, row: &FileRow) -> Result<(), Error> {
    if act.bucket.history == HistoryPolicy::Off {
        return discard(act, place, row);
    }
    tree::detach(act.tx, &act.bucket, place, Side::Live)?;
    names::remove_node(act.tx, row.node);
    act.usage.files = act.usage.files.saturating_sub(1);
    act.usage.live = act.usage.live.saturating_sub(row.size);
    act.usage.history += row.size;
    let item = TrashRow {
        kind: TrashKind::File,
        node: row.node,
        history: Some(row.history),
        path: place.key(),
        at: act.tx.now(),
        by: act.caller.account(),
        size: row.size,
    };
    trash::put_item(act.tx, act.bucket.id, act.seq, &item);
    Ok(())
}

/// Takes a live file out of a never-versioned bucket for good: its version at once, what people's
/// history holds of it by a job.
pub(crate) fn discard(act: &mut Act<'_, '_>, place: &Place, row: &FileRow) -> Result<(), Error> {
    tree::detach(act.tx, &act.bucket, place, Side::Live)?;
    names::remove_node(act.tx, row.node);
    act.usage.files = act.usage.files.saturating_sub(1);
    props::clear(act.tx, act.bucket.id, row.node)?;
    drop_row(act, row.history, row.latest.seq, true)?;
    release_older(act, row.history)
}

/// Leaves what people's history holds of a file that is gone for good to a job.
pub(super) fn release_older(act: &mut Act<'_, '_>, history: HistoryId) -> Result<(), Error> {
    let older = version::versions(act.tx, (act.bucket.id, history), Class::People, None, 1)?;
    if !older.is_empty() {
        let (bucket, owner) = (act.bucket.id, act.bucket.owner);
        let work = WorkRow { bucket, owner, id: history.0, history: true };
        work::queue(act.tx, work::Kind::History, &work);
    }
    Ok(())
}
