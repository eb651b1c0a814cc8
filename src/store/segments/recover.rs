//! At open: segments that were being written are cut behind their last whole record and sealed.
//!
//! Nothing that might be a record is removed. Bytes no row names are dead, and the collector
//! decides about them like about any others.

use std::{collections::BTreeMap, io};

use super::{
    SegmentState, Shared,
    flaw::FlawKind,
    footer::{self, SealError},
    header::{HEADER, SegmentHeader},
    lane::LaneKind,
    path,
    scan::{scan, walk},
};
use crate::{
    model::ids::SegmentId,
    store::{
        error::{StoreError, is_full},
        faults::Fault,
        io::{File, Mode, Site, is_refusal},
    },
};

/// What was done about one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It was open; now it is sealed.
    Sealed,
    /// It had no row; now it is sealed and dead.
    Adopted,
    /// It had no row, and the disk cannot read all of it. Now it is sealed and dead, and not written to.
    AdoptedInPart,
    /// Its file holds nothing that was written for it. It was left as it is, all of it dead.
    Unreadable,
    /// There is no room for its footer. It is not written to, and sealed at a later start.
    Unsealed,
    /// The disk cannot read all of it. It is left as it is, and looked at again at a later start.
    Unread,
    /// It has a row and no file.
    Missing,
}

/// A segment that was not as a closed store leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// Which.
    pub segment: SegmentId,
    /// What was done.
    pub finding: Finding,
    /// Whole records in it.
    pub records: u64,
    /// Bytes cut off behind the last of them, room that was taken ahead included.
    pub cut: u64,
    /// Bytes between them that are no whole record: damage, if they were ever synced.
    pub damaged: u64,
}

impl Recovered {
    /// A line in the log, unless it is what any crash leaves.
    pub(in crate::store) fn tell(&self) {
        let (segment, records, damaged) = (self.segment, self.records, self.damaged);
        match self.finding {
            Finding::Sealed | Finding::Adopted if damaged == 0 => {}
            Finding::Sealed | Finding::Adopted => {
                tracing::warn!(%segment, records, damaged, "bytes of a segment are no whole record");
            }
            Finding::AdoptedInPart => tracing::error!(
                %segment, records, damaged,
                "the disk cannot read all of a segment that no row knew; it is kept as it is"
            ),
            Finding::Unreadable => {
                tracing::warn!(%segment, damaged, "the file of a segment holds nothing that was written for it");
            }
            Finding::Unsealed => {
                tracing::warn!(%segment, "there is no room to end a segment; a later start does")
            }
            Finding::Unread => tracing::error!(
                %segment,
                "the disk cannot read all of a segment; it is left as it is until the next start"
            ),
            Finding::Missing => tracing::error!(%segment, "the file of a segment is missing"),
        }
    }
}

/// Brings every segment in order, and reports the rows to write.
pub(super) fn recover(
    shared: &Shared,
    known: Vec<(SegmentId, SegmentState)>,
) -> Result<Vec<Recovered>, StoreError> {
    let mut rows: BTreeMap<SegmentId, SegmentState> = known.into_iter().collect();
    let mut recovered = Vec::new();
    for hi in shared.io.list(path::ROOT)? {
        for name in shared.io.list(&format!("{}/{hi}", path::ROOT))? {
            let Some(id) = path::parse(&hi, &name) else { continue };
            match rows.remove(&id) {
                Some(row) if row.sealed => {}
                None if shared.faults.has(Fault::StraySegmentRemoved) => shared.io.remove(&path::file(id))?,
                row => {
                    recovered.push(one(shared, id, row).or_else(|error| unread(shared, (id, row), error))?)
                }
            }
        }
    }
    recovered.extend(rows.into_keys().map(|segment| Recovered {
        segment,
        finding: Finding::Missing,
        records: 0,
        cut: 0,
        damaged: 0,
    }));
    recovered.sort_unstable_by_key(|found| found.segment);
    Ok(recovered)
}

/// A bad sector in one segment is no reason to open nothing. What cannot be looked at whole is not
/// written to or cut. The rows of one that has some say of it what they said; one that has none is
/// adopted as it is.
fn unread(
    shared: &Shared,
    (segment, row): (SegmentId, Option<SegmentState>),
    error: StoreError,
) -> Result<Recovered, StoreError> {
    if !is_unreadable(&error) {
        return Err(error);
    }
    let left = Recovered { segment, finding: Finding::Unread, records: 0, cut: 0, damaged: 0 };
    if row.is_some() {
        return Ok(left);
    }
    match in_part(shared, segment) {
        Err(error) if is_unreadable(&error) => Ok(left),
        adopted => adopted,
    }
}

fn is_unreadable(error: &StoreError) -> bool {
    matches!(error, StoreError::Io(source) if FlawKind::of_read(source) == Some(FlawKind::Unreadable))
}

/// Adopts a segment that the disk cannot read whole. All of its length is its own: nobody knows what
/// lies where the disk says nothing.
fn in_part(shared: &Shared, id: SegmentId) -> Result<Recovered, StoreError> {
    let uuid = shared.options.uuid;
    let file = shared.io.open(&path::file(id), Mode::Read)?;
    let (length, mut records) = (file.len()?, 0);
    let (header, unread) = match segment_header(&*file, uuid, id) {
        Err(error) if is_refusal(&error) => (None, HEADER),
        header => (header?, 0),
    };
    let found = walk(&*file, uuid, id, &mut |_| records += 1)?;
    name(shared, id, None)?;
    let kind = header.map_or(LaneKind::Normal, |header| header.kind);
    shared.report(id, SegmentState { kind, sealed: true, length });
    let damaged = found.damaged + unread;
    Ok(Recovered { segment: id, finding: Finding::AdoptedInPart, records, cut: 0, damaged })
}

fn one(shared: &Shared, id: SegmentId, row: Option<SegmentState>) -> Result<Recovered, StoreError> {
    let uuid = shared.options.uuid;
    let file = shared.io.open(&path::file(id), Mode::ReadWrite)?;
    let before = file.len()?;
    let header = segment_header(&*file, uuid, id)?;
    let kind = header.map(|header| header.kind).or(row.map(|row| row.kind)).unwrap_or(LaneKind::Normal);
    let sealed = |length| SegmentState { kind, sealed: true, length };
    let mut trusted = row.map_or(0, |row| row.length);
    if shared.faults.has(Fault::KnownBytesCut) {
        trusted = 0;
    }
    let finding = if row.is_some() { Finding::Sealed } else { Finding::Adopted };
    let nothing = Recovered { segment: id, finding, records: 0, cut: 0, damaged: 0 };

    let footer = footer::read(&*file, uuid, id)?.filter(|(end, _)| *end >= trusted);
    if let Some((end, entries)) = footer {
        // It was sealed and its row not told. Whether the footer is durable is not known.
        file.sync(Site::SegmentSeal).map_err(|error| unsynced(&error))?;
        name(shared, id, row)?;
        shared.report(id, sealed(end));
        return Ok(Recovered { records: entries.len() as u64, ..nothing });
    }
    let mut found = scan(&*file, uuid, id, (trusted, u64::MAX))?;
    // Records prove as well as a header whose file it is.
    if header.is_none() && row.is_none() && found.entries.is_empty() {
        name(shared, id, row)?;
        shared.report(id, sealed(before));
        return Ok(Recovered { finding: Finding::Unreadable, damaged: before, ..nothing });
    }
    // What a row once knew is never cut, even if it can no longer be read.
    let end = found.end.max(trusted.min(before)).max(HEADER).next_multiple_of(8);
    let records = found.entries.len() as u64;
    let damaged = found.damaged + trusted.saturating_sub(found.end);
    let done = Recovered { records, cut: before.saturating_sub(end), damaged, ..nothing };
    match footer::seal(&*file, uuid, id, end, &mut found.entries) {
        Ok(()) => {
            name(shared, id, row)?;
            shared.report(id, sealed(end));
            Ok(done)
        }
        Err(SealError::Write(error)) if is_full(&error) => {
            Ok(Recovered { finding: Finding::Unsealed, cut: 0, ..done })
        }
        // Not the disk's error itself: that would be one of reading the segment, which is as it was.
        Err(SealError::Write(error)) => Err(unwritten(&error)),
        Err(SealError::Sync(error)) => Err(unsynced(&error)),
    }
}

/// The name of a file without a row may not be durable; a row may follow only when it is.
fn name(shared: &Shared, id: SegmentId, row: Option<SegmentState>) -> Result<(), StoreError> {
    if row.is_some() {
        return Ok(());
    }
    shared.names.sync(&*shared.io, id).map_err(|error| unsynced(&error))
}

fn unwritten(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the end of a recovered segment could not be written ({})", error.kind()))
}

fn unsynced(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("a sync of a recovered segment failed ({})", error.kind()))
}

fn segment_header(file: &dyn File, uuid: [u8; 16], id: SegmentId) -> io::Result<Option<SegmentHeader>> {
    let mut bytes = [0; HEADER as usize];
    match file.read_at(&mut bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    Ok(SegmentHeader::parse(uuid, &bytes).filter(|header| header.segment == id))
}
