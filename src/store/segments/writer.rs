//! One segment that is being written: its file, where it ends, what is in it.

use std::io;

use super::{
    Shared,
    footer::{self, FooterEntry, SealError},
    header::{self, SegmentHeader},
    lane::LaneKind,
    path,
    record::{Prepared, RecordHeader},
};
use crate::{
    model::ids::SegmentId,
    store::{
        error::StoreError,
        io::{File, Mode},
        sync::Arc,
    },
};

pub(super) struct Writer {
    pub(super) id: SegmentId,
    pub(super) file: Arc<dyn File>,
    /// Behind the last whole record.
    pub(super) end: u64,
    /// Up to here a sync has covered it.
    pub(super) synced: u64,
    /// The end that was last reported for its row.
    pub(super) reported: u64,
    /// Its name is durable.
    pub(super) named: bool,
    /// Up to here writing back has been started.
    written_back: u64,
    allocated: u64,
    entries: Vec<FooterEntry>,
}

/// A part of a file whose writing back should start.
pub(super) struct Writeback {
    file: Arc<dyn File>,
    from: u64,
    len: u64,
}

impl Writeback {
    pub(super) fn start(&self) {
        self.file.start_writeback(self.from, self.len);
    }
}

impl Writer {
    /// Makes the file of a new segment. Its name is not durable yet.
    pub(super) fn create(shared: &Shared, kind: LaneKind) -> Result<Self, StoreError> {
        shared.names.certain()?;
        let (id, file) = loop {
            let id = (shared.options.fresh)()?;
            shared.io.create_dir(&path::folder(id))?;
            match shared.io.open(&path::file(id), Mode::Create) {
                // Rows that were restored from a backup may not know of this file: leave it be.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => break (id, opened?),
            }
        };
        let mut writer = Self {
            id,
            file,
            end: header::HEADER,
            synced: 0,
            reported: 0,
            named: false,
            written_back: 0,
            allocated: 0,
            entries: Vec::new(),
        };
        let header = SegmentHeader { kind, segment: id, created: (shared.options.now)() };
        let written = writer
            .make_room(shared, header::HEADER)
            .and_then(|()| Ok(writer.file.write_at(&header.write(shared.options.uuid), 0)?));
        if let Err(error) = written {
            // Nothing was ever in it, and nothing knows it.
            let _ = shared.io.remove(&path::file(id));
            return Err(error);
        }
        Ok(writer)
    }

    /// Whether a record belongs in the next segment. The first one always fits.
    pub(super) fn is_full_for(&self, shared: &Shared, bytes: u64) -> bool {
        self.end > header::HEADER && self.end + bytes > shared.options.segment_bytes
    }

    /// Whether so many bytes more need room that was not taken yet.
    pub(super) fn grows(&self, bytes: u64) -> bool {
        self.end + bytes > self.allocated
    }

    /// Takes room on the disk up to `end`, in steps as long as there is room for steps.
    pub(super) fn make_room(&mut self, shared: &Shared, end: u64) -> Result<(), StoreError> {
        if end <= self.allocated {
            return Ok(());
        }
        let step = end.next_multiple_of(shared.options.growth_bytes.max(8));
        let to = step.min(shared.options.segment_bytes).max(end);
        self.allocated = match self.file.allocate(to) {
            Ok(()) => to,
            // The last bytes of a disk are worth having, too.
            Err(_) => self.file.allocate(end).map(|()| end)?,
        };
        Ok(())
    }

    /// Writes a record behind the last one. After a failure the segment must be sealed: what is
    /// behind its end is not known.
    pub(super) fn append(&mut self, shared: &Shared, mut record: Prepared) -> io::Result<RecordHeader> {
        let (header, bytes) = record.place(shared.options.uuid, self.id, self.end);
        self.file.write_at(bytes, self.end)?;
        self.end = header.end();
        self.entries.push(FooterEntry::from(&header));
        Ok(header)
    }

    /// What should be written back early by now.
    pub(super) fn writeback(&mut self, shared: &Shared) -> Option<Writeback> {
        let (from, len) = (self.written_back, self.end - self.written_back);
        if len < shared.options.writeback_bytes {
            return None;
        }
        self.written_back = self.end;
        Some(Writeback { file: self.file.clone(), from, len })
    }

    pub(super) fn seal(&mut self, shared: &Shared) -> Result<(), SealError> {
        footer::seal(&*self.file, shared.options.uuid, self.id, self.end, &mut self.entries)
    }
}
