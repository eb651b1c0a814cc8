//! The steps of [`super`]'s work, each one bounded transaction.

use crate::{
    domain::{Error, Holdall, uploads},
    model::{
        ids::{BucketId, HistoryId, NodeId, Seq, UploadId},
        limits,
    },
    store::{
        blobs::manifest,
        meta::{
            Tx,
            codec::Row,
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
        rows::{
            lock, props,
            taken::{self, TakenRow},
            trash::{self, TrashRow},
            tree::{self as names, Dent, FileRow, FolderRow, Side},
            usage::{self, UsageRow},
            version::{self, Class, VersionRow},
            work::{self, Kind, WorkRow},
        },
    },
};

/// Names, versions or rows one step releases.
const STEP: usize = 100;

/// Rows that releasing one name or item of the trash changes at most, its properties included.
pub(super) const ITEM_ROWS: usize = limits::PROPS_PER_NODE + 16;

pub(super) fn uncount(
    tx: &mut Tx<'_>,
    work: &WorkRow,
    change: impl FnOnce(&mut UsageRow),
) -> Result<(), Error> {
    let mut usage = usage::of_bucket(tx, work.owner, work.bucket)?;
    change(&mut usage);
    usage::set(tx, work.owner, work.bucket, &usage);
    Ok(())
}

/// Releases the next names of a detached folder; folders in it become work of their own.
pub(super) fn subtree(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    let folder = NodeId(work.id);
    let found = tx.scan(Side::Live.table(), &names::members(work.bucket, folder), Order::Forward, STEP)?;
    let (mut bytes, mut files) = (0, 0);
    let mut ended = found.len() < STEP;
    for row in &found {
        if tx.room() < 2 * ITEM_ROWS {
            ended = false;
            break;
        }
        let (sortname, dent) = names::read_dent(row)?;
        let name = sortname.strip_suffix('/').unwrap_or(&sortname);
        names::remove_alias(tx, (work.bucket, folder), name, &sortname);
        names::remove_name(tx, Side::Live, (work.bucket, folder), &sortname);
        match dent {
            Dent::File(file) => {
                bytes += release_file(tx, work, &file)?;
                files += 1;
            }
            Dent::Folder(row) => work::queue(tx, Kind::Subtree, &WorkRow { id: row.node.0, ..work.clone() }),
        }
    }
    uncount(tx, work, |usage| {
        let counted = if work.history { &mut usage.history } else { &mut usage.live };
        *counted = counted.saturating_sub(bytes);
        if !work.history {
            usage.files = usage.files.saturating_sub(files);
        }
    })?;
    if ended {
        names::remove_node(tx, folder);
        props::clear(tx, work.bucket, folder)?;
        tx.delete(Table::Ctag, Key::new().number(work.bucket.0).number(folder.0).done());
        work::finish(tx, Kind::Subtree, work);
    }
    Ok(())
}

/// Releases a file below a detached folder; returns its bytes.
fn release_file(tx: &mut Tx<'_>, work: &WorkRow, file: &FileRow) -> Result<u64, Error> {
    names::remove_node(tx, file.node);
    props::clear(tx, work.bucket, file.node)?;
    let at = (work.bucket, file.history);
    let mut bytes = 0;
    if let Some(row) = version::version(tx, at, Class::S3, file.latest.seq)? {
        version::remove_version(tx, at, Class::S3, row.id.seq);
        release_manifest(tx, &row)?;
        bytes = row.size;
    }
    if !version::versions(tx, at, Class::People, None, 1)?.is_empty() {
        work::queue(tx, Kind::History, &WorkRow { id: file.history.0, history: true, ..work.clone() });
    }
    Ok(bytes)
}

pub(super) fn release_manifest(tx: &mut Tx<'_>, row: &VersionRow) -> Result<(), Error> {
    match row.manifest {
        Some(manifest) => Ok(manifest::release(tx, manifest)?),
        None => Ok(()),
    }
}

/// Releases the next versions of a history that no name leads to.
pub(super) fn history(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    let at = (work.bucket, HistoryId(work.id));
    let mut left = STEP;
    for class in [Class::S3, Class::People] {
        let rows = version::versions(tx, at, class, None, left)?;
        left -= rows.len();
        let bytes: u64 = rows.iter().map(|row| row.size).sum();
        for row in &rows {
            version::remove_version(tx, at, class, row.id.seq);
            release_manifest(tx, row)?;
        }
        uncount(tx, work, |usage| usage.history = usage.history.saturating_sub(bytes))?;
    }
    if left > 0 {
        work::finish(tx, Kind::History, work);
    }
    Ok(())
}

/// Releases the next parts of an upload that was aborted or whose bucket went.
pub(super) fn upload(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    if !uploads::release_parts(tx, work, &TakenRow::of([]), STEP)? {
        work::finish(tx, Kind::Upload, work);
    }
    Ok(())
}

/// Removes the rows of the next parts of a completed upload; what was not listed is released.
pub(super) fn completed(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    let id = UploadId(work.id);
    let taken = taken::taken(tx, work.bucket, id)?;
    if !uploads::release_parts(tx, work, &taken, STEP)? {
        taken::remove_taken(tx, work.bucket, id);
        work::finish(tx, Kind::Completed, work);
    }
    Ok(())
}

/// Releases what a removed bucket left: its trash, journal and the rest.
pub(super) fn bucket(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    let all = KeyRange::prefix(Key::new().number(work.bucket.0).done());
    if let Some((key, value)) = tx.scan(Table::Trash, &all, Order::Forward, 1)?.pop() {
        release_trash(tx, work, &key, &value)?;
        tx.delete(Table::Trash, key);
        return Ok(());
    }
    if uploads::queue_all(tx, work, STEP)? {
        return Ok(());
    }
    // Only the bucket's own folder can have been locked still.
    for lock in lock::locks_in(tx, work.bucket, STEP)? {
        lock::remove_lock(tx, work.bucket, [], &lock);
    }
    for table in [Table::Prop, Table::Journal, Table::Ctag, Table::Replaced, Table::Vacated, Table::Alias] {
        let rows = tx.scan(table, &all, Order::Forward, STEP)?;
        if !rows.is_empty() {
            rows.into_iter().for_each(|(key, _)| tx.delete(table, key));
            return Ok(());
        }
    }
    work::finish(tx, Kind::Bucket, work);
    Ok(())
}

/// Queues what an item of the trash holds. A folder that was not counted as history yet is still
/// charged as live.
pub(super) fn release_trash(tx: &mut Tx<'_>, work: &WorkRow, key: &[u8], value: &[u8]) -> Result<(), Error> {
    let item = TrashRow::decode(value)?;
    props::clear(tx, work.bucket, item.node)?;
    if let Some(history) = item.history {
        work::queue(tx, Kind::History, &WorkRow { id: history.0, history: true, ..work.clone() });
        return Ok(());
    }
    let seq = key.get(8..).and_then(|seq| seq.try_into().ok()).map_or(0, u64::from_be_bytes);
    let count = WorkRow { id: seq, ..work.clone() };
    let counted = !work::undone(tx, Kind::Trashed, &count)?;
    work::drop_work(tx, Kind::Trashed, &count);
    work::queue(tx, Kind::Subtree, &WorkRow { id: item.node.0, history: counted, ..work.clone() });
    Ok(())
}

/// Releases the properties of a folder that is dead.
pub(super) fn props_of_dead(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    let node = NodeId(work.id);
    if let Some(row) = names::node(tx, node)?
        && let Some(parent) = row.parent
        && let at = (work.bucket, parent)
        && let Some(folder) = names::folder(tx, Side::Dead, at, &row.name)?.filter(|dead| dead.node == node)
    {
        props::clear(tx, work.bucket, node)?;
        names::put_folder(tx, Side::Dead, at, &row.name, &FolderRow { props: false, ..folder });
    }
    work::finish(tx, Kind::Props, work);
    Ok(())
}

/// Hands a staged copy that a crash left over to [`subtree`].
pub(super) fn staging(tx: &mut Tx<'_>, work: &WorkRow) -> Result<(), Error> {
    work::finish(tx, Kind::Staging, work);
    work::queue(tx, Kind::Subtree, work);
    Ok(())
}

/// A detached folder is sealed off from every verb, so it can be counted in small reads.
struct Count {
    stack: Vec<(NodeId, Option<String>)>,
    bytes: u64,
    files: u64,
}

impl Holdall {
    /// Counts a folder in the trash as history instead of as live.
    pub(super) async fn count_trashed(&self, place: Vec<u8>) -> Result<(), Error> {
        let queued = place.clone();
        let next = self
            .read(move |rows| {
                let Some(work) = work::at(rows, &queued)? else { return Ok(None) };
                let item = trash::item(rows, work.bucket, Seq(work.id))?;
                Ok(Some((work, item)))
            })
            .await?;
        let Some((work, item)) = next else { return Ok(()) };
        let mut count = Count { stack: Vec::new(), bytes: 0, files: 0 };
        count.stack.extend(item.as_ref().map(|item| (item.node, None)));
        while !count.stack.is_empty() {
            let (bucket, taken) = (work.bucket, count);
            count = self.read(move |rows| count_step(rows, bucket, taken)).await?;
        }
        self.give_back(move |tx| {
            if work::at(tx, &place)?.is_none() {
                return Ok(());
            }
            let (bytes, files) = (count.bytes, count.files);
            uncount(tx, &work, |usage| {
                usage.live = usage.live.saturating_sub(bytes);
                usage.files = usage.files.saturating_sub(files);
                usage.history += bytes;
            })?;
            if let Some(item) = &item {
                trash::put_item(tx, work.bucket, Seq(work.id), &TrashRow { size: bytes, ..item.clone() });
            }
            work::finish(tx, Kind::Trashed, &work);
            Ok(())
        })
        .await
    }
}

fn count_step(rows: &dyn Rows, bucket: BucketId, mut count: Count) -> Result<Count, Error> {
    let Some((folder, after)) = count.stack.pop() else { return Ok(count) };
    let all = names::members(bucket, folder);
    let range = match &after {
        Some(after) => all.after(names::dent_key(bucket, folder, after)),
        None => all,
    };
    let found = rows.scan(Side::Live.table(), &range, Order::Forward, STEP)?;
    let mut last = None;
    let mut below = None;
    for row in &found {
        let (sortname, dent) = names::read_dent(row)?;
        last = Some(sortname);
        match dent {
            Dent::File(file) => {
                count.bytes += file.size;
                count.files += 1;
            }
            Dent::Folder(row) => {
                below = Some(row.node);
                break;
            }
        }
    }
    if below.is_some() || found.len() == STEP {
        count.stack.push((folder, last));
    }
    count.stack.extend(below.map(|node| (node, None)));
    Ok(count)
}
