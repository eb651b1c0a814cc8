//! What can be wrong with stored bytes, in words that stay the same, and a second look at a
//! record that tells it.

use std::{io, ops::Range};

use super::{
    SegmentState, Segments,
    codec::{Codec, decompress},
    footer,
    header::{HEADER as SEGMENT_HEADER, SegmentHeader},
    path,
    read::{Place, Whose},
    record::{HEADER, RecordHeader},
};
use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::{
        error::StoreError,
        io::{Mode, is_refusal},
    },
};

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlawKind {
    /// The disk refuses to read it.
    Unreadable,
    /// The file is not there.
    Missing,
    /// The file ends before it.
    CutOff,
    /// Its header is not what was written.
    Header,
    /// It is whole, and was written for another place or another chunk.
    Misplaced,
    /// Its stored bytes are not those its header was written for.
    Bytes,
    /// Its header and sums agree, and its content is not that of the digest.
    Digest,
    /// The list at the end of a segment is not what was written.
    Footer,
}

impl FlawKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Unreadable,
        Self::Missing,
        Self::CutOff,
        Self::Header,
        Self::Misplaced,
        Self::Bytes,
        Self::Digest,
        Self::Footer,
    ];

    /// For programs; never changes its meaning.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::CutOff => "cut_off",
            Self::Header => "header",
            Self::Misplaced => "misplaced",
            Self::Bytes => "bytes",
            Self::Digest => "digest",
            Self::Footer => "footer",
        }
    }

    /// For people, behind the name of the thing.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "the disk cannot read it",
            Self::Missing => "the segment is missing",
            Self::CutOff => "the segment ends before it",
            Self::Header => "its header is not what was written",
            Self::Misplaced => "it was written for another place",
            Self::Bytes => "its bytes are not what was written",
            Self::Digest => "its digest differs",
            Self::Footer => "its list of records is not what was written",
        }
    }

    /// What an error of reading a place says about that place; `None` if it says nothing.
    #[must_use]
    pub fn of_read(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Some(Self::CutOff),
            _ => is_refusal(error).then_some(Self::Unreadable),
        }
    }

    /// What an error of opening a file says about what is in it: nothing, unless it is not there. A
    /// disk that was pulled out, or too many open files, damage no chunk.
    pub(super) fn of_open(error: &io::Error) -> Option<Self> {
        (error.kind() == io::ErrorKind::NotFound).then_some(Self::Missing)
    }
}

/// Whether an error says that what was to be read is damaged, rather than that it cannot be told.
#[must_use]
pub fn is_flaw(error: &StoreError) -> bool {
    match error {
        StoreError::Damaged(_) => true,
        StoreError::Io(error) => FlawKind::of_read(error).is_some(),
        _ => false,
    }
}

/// What is wrong with a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// What.
    pub kind: FlawKind,
    /// BLAKE3 of the content found there, if there is any.
    pub found: Option<[u8; 32]>,
}

impl From<FlawKind> for Flaw {
    fn from(kind: FlawKind) -> Self {
        Self { kind, found: None }
    }
}

/// A record as the rows know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The segment.
    pub segment: SegmentId,
    /// Where in it.
    pub offset: u64,
    /// Length of the stored bytes.
    pub stored_len: u32,
    /// Length of the plaintext.
    pub raw_len: u32,
    /// How it is stored.
    pub codec: u8,
    /// The chunk.
    pub chunk: ChunkNo,
    /// BLAKE3 of the plaintext.
    pub digest: [u8; 32],
}

impl Wanted {
    fn place(&self) -> Place {
        Place { segment: self.segment, offset: self.offset, stored_len: self.stored_len }
    }

    /// The digest of whatever content lies where the record should.
    fn content(&self, bytes: &[u8]) -> Option<[u8; 32]> {
        let stored = bytes.get(HEADER..)?.get(..self.stored_len as usize)?;
        match Codec::from_code(self.codec)? {
            Codec::Raw => Some(*blake3::hash(stored).as_bytes()),
            Codec::Zstd => {
                decompress(stored, self.raw_len as usize).map(|plain| *blake3::hash(&plain).as_bytes())
            }
        }
    }
}

impl Segments {
    /// Reads a record and says what is wrong with it; `None` if nothing is.
    ///
    /// # Errors
    /// When it could not be read for a reason that says nothing about it.
    pub fn examine(&self, wanted: &Wanted) -> Result<Option<Flaw>, StoreError> {
        let (place, uuid) = (wanted.place(), self.shared.options.uuid);
        // What the rows say cannot be: no record is that long.
        let Ok(room) = place.room() else { return Ok(Some(FlawKind::Misplaced.into())) };
        let file = match self.files.get(&self.shared, wanted.segment) {
            Ok(file) => file,
            Err(error) => return unopened(error),
        };
        let mut bytes = vec![0; room];
        if let Err(error) = file.read_at(&mut bytes, wanted.offset) {
            return unread(error);
        }
        let found = |kind| Ok(Some(Flaw { kind, found: wanted.content(&bytes) }));
        if let Some(header) = RecordHeader::parse(uuid, &bytes)
            && (header.chunk, header.digest) != (wanted.chunk, wanted.digest)
        {
            return found(FlawKind::Misplaced);
        }
        match place.verified(&Whose::of(&self.shared), bytes.clone()) {
            Ok(_) => Ok(None),
            Err(kind) => found(kind),
        }
    }

    /// Has the next reads of a stretch of a segment come from the disk, where the system can be
    /// told so. Also lets go of memory that reading it took: what is read once in a month need not
    /// push out what is read every minute.
    pub fn uncache(&self, segment: SegmentId, stretch: Range<u64>) {
        if let Ok(file) = self.files.get(&self.shared, segment) {
            file.uncache(stretch.start, stretch.end.saturating_sub(stretch.start));
        }
    }

    /// Reads the header of a segment and, if it is sealed, its footer, and says what is wrong
    /// with them.
    ///
    /// # Errors
    /// As [`Segments::examine`].
    pub fn examine_frame(&self, id: SegmentId, state: &SegmentState) -> Result<Option<Flaw>, StoreError> {
        let file = match self.shared.io.open(&path::file(id), Mode::Read) {
            Ok(file) => file,
            Err(error) => return unopened(error),
        };
        let frame = || -> io::Result<Option<FlawKind>> {
            let uuid = self.shared.options.uuid;
            file.uncache(0, file.len()?);
            let mut bytes = [0; SEGMENT_HEADER as usize];
            file.read_at(&mut bytes, 0)?;
            if SegmentHeader::parse(uuid, &bytes).is_none_or(|header| header.segment != id) {
                return Ok(Some(FlawKind::Header));
            }
            let whole = !state.sealed || footer::read(&*file, uuid, id)?.is_some();
            Ok(if whole { None } else { Some(FlawKind::Footer) })
        };
        match frame() {
            Ok(kind) => Ok(kind.map(Flaw::from)),
            Err(error) => unread(error),
        }
    }
}

fn unopened(error: io::Error) -> Result<Option<Flaw>, StoreError> {
    let kind = FlawKind::of_open(&error).ok_or_else(|| cannot_open(error))?;
    Ok(Some(kind.into()))
}

fn unread(error: io::Error) -> Result<Option<Flaw>, StoreError> {
    let kind = FlawKind::of_read(&error).ok_or(error)?;
    Ok(Some(kind.into()))
}

/// A segment that cannot be opened at the moment.
pub(super) fn cannot_open(error: io::Error) -> StoreError {
    match error.into() {
        StoreError::Io(error) => StoreError::Unavailable(format!("a segment cannot be opened: {error}")),
        other => other,
    }
}
