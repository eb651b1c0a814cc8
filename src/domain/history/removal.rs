//! Removals in buckets that were ever versioned: a delete marker on top, or one version for good.

use super::{NewVersion, drop_row, people::release_older, retire, shown, version_row};
use crate::{
    domain::{
        Error,
        act::Act,
        nouns::Versioning,
        read::standing,
        tree::{self, Place},
    },
    model::ids::{HistoryId, NodeId, Seq},
    store::{
        meta::Kind as IdKind,
        rows::{
            props,
            tree::{self as names, FileRow, Side},
            version::{self, Class, Content, VersionRow},
        },
    },
};

/// Puts a delete marker on top of a key of a versioned bucket, whether anything is there or not.
/// The place's folders must be there on the dead side at least.
pub(crate) fn mark(act: &mut Act<'_, '_>, place: &Place) -> Result<VersionRow, Error> {
    let before = standing(act.tx, &act.bucket, place)?;
    let null = act.bucket.versioning == Versioning::Suspended;
    let kept = match before {
        Some((side, row)) => {
            retire(act, side, &row, false)?;
            tree::detach(act.tx, &act.bucket, place, side)?;
            act.usage.files = act.usage.files.saturating_sub(u64::from(side == Side::Live));
            row
        }
        None => FileRow {
            node: NodeId(act.tx.fresh(IdKind::Node)?),
            history: HistoryId(act.tx.fresh(IdKind::History)?),
            ..shown(&version_row(act, NewVersion::empty(), null))
        },
    };
    let marker = VersionRow { content: Content::Marker, ..version_row(act, NewVersion::empty(), null) };
    version::put_version(act.tx, (act.bucket.id, kept.history), Class::S3, &marker);
    let row = FileRow {
        node: kept.node,
        history: kept.history,
        created: kept.created,
        null: if null { Some(marker.id.seq) } else { kept.null },
        ..shown(&marker)
    };
    props::clear(act.tx, act.bucket.id, row.node)?;
    tree::attach(act.tx, &act.bucket, place, Side::Dead, row)?;
    Ok(marker)
}

/// Removes one version for good; the next one, if any, becomes the newest. Settling the folders
/// is the caller's.
pub(crate) fn drop_version(
    act: &mut Act<'_, '_>,
    place: &Place,
    (side, row): (Side, FileRow),
    seq: Seq,
) -> Result<VersionRow, Error> {
    let newest = seq == row.latest.seq;
    let old = drop_row(act, row.history, seq, newest && side == Side::Live)?;
    let mut row = FileRow { null: row.null.filter(|null| *null != seq), ..row };
    if !newest {
        names::put_file(act.tx, side, place.at(&act.bucket), &place.name, &row);
        return Ok(old);
    }
    tree::detach(act.tx, &act.bucket, place, side)?;
    act.usage.files = act.usage.files.saturating_sub(u64::from(side == Side::Live));
    let next = version::versions(act.tx, (act.bucket.id, row.history), Class::S3, None, 1)?;
    let Some(next) = next.into_iter().next() else {
        names::remove_node(act.tx, row.node);
        props::clear(act.tx, act.bucket.id, row.node)?;
        release_older(act, row.history)?;
        return Ok(old);
    };
    let side = match next.content {
        Content::File => {
            act.usage.versions = act.usage.versions.saturating_sub(next.size);
            act.usage.live += next.size;
            act.usage.files += 1;
            Side::Live
        }
        Content::Marker => {
            props::clear(act.tx, act.bucket.id, row.node)?;
            Side::Dead
        }
    };
    row = FileRow {
        node: row.node,
        history: row.history,
        null: row.null,
        created: row.created,
        props: side == Side::Live && row.props,
        locks: side == Side::Live && row.locks,
        ..shown(&next)
    };
    tree::attach(act.tx, &act.bucket, place, side, row)?;
    Ok(old)
}
