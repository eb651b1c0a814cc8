//! Walking a segment from record to record, for one that has no footer.
//!
//! A header that passes its checksum is trusted for its length. Where none does, the walk goes on
//! at the next magic, so that damage hides nothing behind it. Nor need a bad sector: whoever only
//! looks has the walk go on behind it.

use std::io;

use super::{
    footer::FooterEntry,
    header,
    record::{HEADER, MAGIC, RecordHeader, record_bytes},
};
use crate::{
    model::ids::SegmentId,
    store::io::{File, is_refusal, read_past},
};

const WINDOW: u64 = 64 << 10;

/// What a walk found.
#[derive(Debug)]
pub(super) struct Scan {
    /// Whole records in the order they lie in.
    pub(super) entries: Vec<FooterEntry>,
    /// Behind the last whole record.
    pub(super) end: u64,
    /// Bytes before that which belong to no whole record, and behind it up to the last that the disk
    /// refuses.
    pub(super) damaged: u64,
}

/// Walks a file up to `until`, or its end. Records that begin before `trusted` were synced once:
/// their bytes are not looked at, only their headers.
pub(super) fn scan(
    file: &dyn File,
    uuid: [u8; 16],
    id: SegmentId,
    (trusted, until): (u64, u64),
) -> io::Result<Scan> {
    let (mut window, mut entries) = (Window::new(file, until, false)?, Vec::new());
    let walked =
        steps(&mut window, uuid, (id, trusted), &mut |header| entries.push(FooterEntry::from(header)))?;
    Ok(Scan { entries, ..walked })
}

/// The same, for whoever wants to see whole headers, and all there are: what the disk refuses to
/// read is passed over. The list stays empty.
pub(super) fn walk(
    file: &dyn File,
    uuid: [u8; 16],
    id: SegmentId,
    meet: &mut dyn FnMut(&RecordHeader),
) -> io::Result<Scan> {
    let mut window = Window::new(file, u64::MAX, true)?;
    let mut found = steps(&mut window, uuid, (id, 0), meet)?;
    found.damaged += window.refused_until.saturating_sub(found.end);
    Ok(found)
}

fn steps(
    window: &mut Window<'_>,
    uuid: [u8; 16],
    (id, trusted): (SegmentId, u64),
    meet: &mut dyn FnMut(&RecordHeader),
) -> io::Result<Scan> {
    let mut found = Scan { entries: Vec::new(), end: header::HEADER.min(window.len), damaged: 0 };
    let mut at = header::HEADER;
    while let Some(bytes) = window.get(at, HEADER as u64)? {
        let header = RecordHeader::parse(uuid, bytes)
            .filter(|header| header.segment == id && header.offset == at && header.end() <= window.len);
        at = match header {
            None => window.next_magic(at + 8)?,
            Some(header) => {
                if at < trusted || window.is_whole(&header)? {
                    found.damaged += at - found.end;
                    found.end = header.end();
                    meet(&header);
                }
                header.end()
            }
        };
    }
    Ok(found)
}

/// A piece of the file in memory, so that small records cost no read each.
struct Window<'a> {
    file: &'a dyn File,
    len: u64,
    from: u64,
    bytes: Vec<u8>,
    /// Goes on behind what the disk refuses to read.
    past: bool,
    /// Where the last of that ends.
    refused_until: u64,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn File, until: u64, past: bool) -> io::Result<Self> {
        Ok(Self { file, len: file.len()?.min(until), from: 0, bytes: Vec::new(), past, refused_until: 0 })
    }

    fn is_whole(&mut self, header: &RecordHeader) -> io::Result<bool> {
        let len = record_bytes(header.stored_len) - HEADER as u64;
        let mut bytes = vec![0; len as usize];
        match self.file.read_at(&mut bytes, header.offset + HEADER as u64) {
            Err(error) if self.past && is_refusal(&error) => {
                self.refused_until = self.refused_until.max(header.end());
                return Ok(false);
            }
            done => done?,
        }
        let (stored, padding) = bytes.split_at(header.stored_len as usize);
        Ok(header.matches(stored, padding))
    }

    /// Bytes at a place; `None` if the file ends before they do.
    fn get(&mut self, at: u64, count: u64) -> io::Result<Option<&[u8]>> {
        if at.checked_add(count).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        if at < self.from || at + count > self.from + self.bytes.len() as u64 {
            let size = WINDOW.max(count).min(self.len - at);
            self.bytes.resize(size as usize, 0);
            self.from = at;
            if self.past {
                // No record begins in zeros.
                let until = &mut self.refused_until;
                read_past(self.file, &mut self.bytes, at, &mut |bad| *until = bad.end.max(*until))?;
            } else {
                self.file.read_at(&mut self.bytes, at)?;
            }
        }
        let within = (at - self.from) as usize;
        Ok(self.bytes.get(within..within + count as usize))
    }

    /// The next place where a record could begin, or the end.
    fn next_magic(&mut self, from: u64) -> io::Result<u64> {
        let mut at = from;
        while at < self.len {
            let count = WINDOW.min(self.len - at);
            let bytes = self.get(at, count)?.unwrap_or_default();
            if let Some(place) = bytes.chunks(8).position(|word| word.starts_with(&MAGIC)) {
                return Ok(at + place as u64 * 8);
            }
            at += WINDOW;
        }
        Ok(self.len)
    }
}
