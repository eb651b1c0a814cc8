//! Reading: what stands at a place, and its bytes, each verified before it is given out.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::task::JoinHandle;

use super::{
    Error, Holdall,
    access::Verb,
    buckets::allowed_at,
    caller::Caller,
    error::{BadPart, What},
    lanes,
    memory::{MemoryShare, SmallFile},
    nouns::{FileVersion, Item, VersionRef},
    tree::{self, Hit, Place},
    uploads::check_number,
    view,
};
use crate::{
    model::{
        address::{Address, Spot},
        condition::{Conditions, Found, Verdict},
    },
    store::{
        Store,
        blobs::{BlobReader, manifest},
        error::StoreError,
        meta::rows::Rows,
        rows::{
            bucket::BucketRow,
            tree::{self as names, FileRow, Side},
            version::{self, Class, Content, VersionRow},
        },
    },
};

/// Content up to this size is read, and verified, as it is opened: a trip to another thread costs
/// more than the reading.
const READ_AT_ONCE: u64 = 64 << 10;
/// What a download holds of a larger file: the piece on its way and the one ahead, as long as
/// chunks mostly are.
const READ_AHEAD: u64 = 512 << 10;
/// How often a version is looked up again when its bytes were released between the look and the
/// opening.
const REOPENS: usize = 3;

/// A file at a place, deleted ones too, with the side its name is on.
pub(crate) fn standing(
    rows: &dyn Rows,
    bucket: &BucketRow,
    place: &Place,
) -> Result<Option<(Side, FileRow)>, Error> {
    if !place.missing.is_empty() {
        return Ok(None);
    }
    for side in [Side::Live, Side::Dead] {
        if let Some(row) = names::file(rows, side, place.at(bucket), &place.name)? {
            return Ok(Some((side, row)));
        }
    }
    Ok(None)
}

/// The place of a file any of whose versions may be asked for: deleted folders count too.
pub(crate) fn place_of_versions(rows: &dyn Rows, bucket: &BucketRow, at: &Address) -> Result<Place, Error> {
    let mut place =
        tree::place(rows, bucket, &at.spot)?.ok_or_else(|| Error::NotFound(What::File, at.to_string()))?;
    tree::descend_dead(rows, bucket, &mut place)?;
    Ok(place)
}

/// One version of a file: the current one, or the one named.
pub(crate) fn version_at(
    rows: &dyn Rows,
    bucket: &BucketRow,
    at: &Address,
    which: Option<VersionRef>,
) -> Result<(Place, FileRow, VersionRow), Error> {
    let mut place = place_of_versions(rows, bucket, at)?;
    if place.tree {
        // Settles the stored form of the name.
        tree::find(rows, bucket, &mut place)?;
    }
    let missing = || Error::NotFound(What::File, at.to_string());
    let (_, file) = standing(rows, bucket, &place)?.ok_or_else(missing)?;
    let seq = match which {
        None => Some(file.latest.seq),
        Some(VersionRef::Id(id)) => Some(id.seq),
        Some(VersionRef::Null) => file.null,
    };
    let row = match seq {
        Some(seq) => version::version(rows, (bucket.id, file.history), Class::S3, seq)?,
        None => None,
    };
    let row = row.filter(|row| !matches!(which, Some(VersionRef::Id(id)) if id != row.id));
    let row = row.ok_or_else(|| Error::NotFound(What::Version, at.to_string()))?;
    if row.content == Content::Marker {
        return Err(Error::DeleteMarker {
            name: at.to_string(),
            version: if row.null { "null".into() } else { row.id.to_string() },
            at: row.committed,
            current: which.is_none(),
        });
    }
    Ok((place, file, row))
}

/// What stands at an address: a version of a file, or for tree doors a folder.
pub(crate) fn look(
    rows: &dyn Rows,
    caller: &Caller,
    at: &Address,
    which: Option<VersionRef>,
) -> Result<(Item, Option<VersionRow>), Error> {
    let bucket = allowed_at(rows, caller, at, Verb::Read)?;
    if let Some(folder) = folder_at(rows, &bucket, at)? {
        return Ok((Item::Folder(folder), None));
    }
    let (place, file, row) = version_at(rows, &bucket, at, which)?;
    Ok((Item::File(view::version(&bucket, place.key(), &file, &row)), Some(row)))
}

fn folder_at(
    rows: &dyn Rows,
    bucket: &BucketRow,
    at: &Address,
) -> Result<Option<super::nouns::Folder>, Error> {
    if matches!(at.spot, Spot::Key(_)) {
        return Ok(None);
    }
    let Some(mut place) = tree::place(rows, bucket, &at.spot)? else {
        return Ok(Some(view::root(bucket)));
    };
    match tree::find(rows, bucket, &mut place)? {
        Hit::Folder(row) => Ok(Some(view::folder(place.key(), &row))),
        Hit::File(_) | Hit::Nothing => Ok(None),
    }
}

impl Holdall {
    /// What stands at an address.
    ///
    /// # Errors
    /// Not found, a delete marker, or the caller may not know.
    pub async fn stat(
        &self,
        caller: &Caller,
        at: &Address,
        version: Option<VersionRef>,
    ) -> Result<Item, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.look(move |rows| Ok(look(rows, &caller, &at, version)?.0)).await
    }

    /// Opens a version of a file: from here on its bytes stay readable whatever happens to its
    /// name.
    ///
    /// # Errors
    /// Not found, a delete marker, conditions that do not hold, or a folder (a conflict).
    pub async fn open(
        &self,
        caller: &Caller,
        at: &Address,
        version: Option<VersionRef>,
        conditions: &Conditions,
    ) -> Result<Opened, Error> {
        let asked = (caller.clone(), at.clone(), conditions.clone());
        let store = Arc::clone(&self.store);
        let mut opened = self.shortly(move || open(store, &asked.0, &asked.1, version, &asked.2)).await?;
        if let Some(whole) = &opened.whole {
            opened.small = self.memory.small_file(whole.len() as u64);
        }
        if opened.version.size > 0 && opened.small.is_none() {
            // Who waits for a share holds nothing meanwhile.
            opened.forget();
            let ahead = READ_AHEAD.min(opened.version.size);
            opened.share = Some(self.memory.share(caller.account(), ahead, ahead).await?);
        }
        Ok(opened)
    }
}

fn open(
    store: Arc<Store>,
    caller: &Caller,
    at: &Address,
    version: Option<VersionRef>,
    conditions: &Conditions,
) -> Result<Opened, Error> {
    let mut tries = 0;
    loop {
        let found = store.meta().look(|rows| look(rows, caller, at, version))?;
        let (version, row) = file(found?, conditions, at)?;
        let opened = row.manifest.map(|manifest| store.reader(manifest)).transpose();
        match opened {
            Ok(reader) => return Ok(Opened::new(version, reader, store)),
            // Replaced and released since the look: the next look sees its successor.
            Err(StoreError::Busy(_)) if tries < REOPENS => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// What was found, if it is a file whose conditions hold.
fn file(
    found: (Item, Option<VersionRow>),
    conditions: &Conditions,
    at: &Address,
) -> Result<(FileVersion, VersionRow), Error> {
    let (Item::File(version), Some(row)) = found else {
        return Err(Error::Conflict(format!("{at} is a folder")));
    };
    conditional(conditions, &version, at)?;
    Ok((version, row))
}

fn conditional(conditions: &Conditions, version: &FileVersion, at: &Address) -> Result<(), Error> {
    let modified = version.committed.max(version.modified);
    match conditions.for_read(Found { etag: &version.etag, modified }) {
        Verdict::Proceed => Ok(()),
        Verdict::NotModified => Err(Error::NotModified { etag: version.etag.clone(), modified }),
        Verdict::Failed | Verdict::Missing => Err(Error::PreconditionFailed(at.to_string())),
    }
}

/// A version opened for reading.
#[derive(Debug)]
pub struct Opened {
    /// The version.
    pub version: FileVersion,
    reader: Option<BlobReader>,
    /// All of a small file, and its place in memory.
    whole: Option<Bytes>,
    small: Option<SmallFile>,
    share: Option<MemoryShare>,
    store: Arc<Store>,
}

impl Opened {
    /// What cannot be read now is tried again, and fails, when it is asked for.
    fn new(version: FileVersion, mut reader: Option<BlobReader>, store: Arc<Store>) -> Self {
        let small = version.size <= READ_AT_ONCE;
        let wanted = usize::try_from(version.size).unwrap_or(usize::MAX);
        let read = reader.as_mut().filter(|_| small).and_then(|reader| reader.read(0, wanted).ok());
        let whole = read.filter(|bytes| bytes.len() == wanted);
        Self { version, reader, whole, small: None, share: None, store }
    }

    /// Lets go of what was read; it is read again when it is asked for.
    fn forget(&mut self) {
        self.whole = None;
        if let Some(reader) = &mut self.reader {
            reader.forget();
        }
    }

    /// The bytes of one part; part 1 of a file sent in one piece is the whole.
    ///
    /// # Errors
    /// If there is no such part, or can be none.
    pub async fn part(&self, number: u32) -> Result<Range<u64>, Error> {
        check_number(number)?;
        let missing = Error::BadPart(BadPart::Unknown, number);
        let Some(id) = self.reader.as_ref().map(BlobReader::id) else {
            return if number == 1 { Ok(0..0) } else { Err(missing) };
        };
        let store = Arc::clone(&self.store);
        let range = lanes::blocking(move || Ok(manifest::part(&store.snapshot()?, id, number)?)).await?;
        range.ok_or(missing)
    }

    /// The sizes of the parts it was sent in, in order: its tag is made of theirs.
    ///
    /// # Errors
    /// If the rows cannot be read.
    pub async fn part_sizes(&self) -> Result<Vec<u64>, Error> {
        let Some(id) = self.reader.as_ref().map(BlobReader::id) else { return Ok(Vec::new()) };
        let store = Arc::clone(&self.store);
        lanes::blocking(move || Ok(manifest::part_sizes(&store.snapshot()?, id)?)).await
    }

    /// As [`Opened::read`], once the first bytes are there and verified: what cannot be read at all
    /// is refused before anything is promised.
    ///
    /// # Errors
    /// If the first bytes cannot be read.
    pub async fn begin(self, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let mut rest = self.read(range);
        let Some(first) = rest.next().await.transpose()? else { return Ok(stream::empty().boxed()) };
        Ok(stream::iter([Ok(first)]).chain(rest).boxed())
    }

    /// The bytes of a range within the size, each chunk verified before it is given out. Ends
    /// with an error, never early, if they cannot be read. One chunk is read ahead.
    #[must_use]
    pub fn read(self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
        if let Some(bytes) = self.whole.as_ref().and_then(|whole| part_of(whole, &range)) {
            let small = self.small;
            let bytes = (!bytes.is_empty()).then_some(bytes);
            return stream::iter(bytes)
                .map(move |bytes| {
                    // Held until the stream is dropped.
                    let _small = &small;
                    Ok(bytes)
                })
                .boxed();
        }
        let Some(reader) = self.reader else { return stream::empty().boxed() };
        let name = self.version.key;
        let first = Reading { reader, at: range.start, end: range.end };
        let (ahead, share) = (first.next(), self.share);
        stream::unfold(ahead, move |ahead| {
            // Held until the stream is dropped.
            let _share = &share;
            let name = name.clone();
            async move {
                let (bytes, rest) = match ahead?.await {
                    Ok(Ok(step)) => step,
                    Ok(Err(error)) => return Some((Err(unreadable(error, &name)), None)),
                    Err(fault) => {
                        return Some((
                            Err(Error::Internal { reason: format!("a read failed: {fault}") }),
                            None,
                        ));
                    }
                };
                Some((Ok(bytes), rest.next()))
            }
        })
        .boxed()
    }
}

fn part_of(whole: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
    (start <= end && end <= whole.len()).then(|| whole.slice(start..end))
}

fn unreadable(error: StoreError, name: &str) -> Error {
    match Error::from(error) {
        Error::Damaged { reason, .. } => Error::Damaged { name: name.to_owned(), reason },
        other => other,
    }
}

struct Reading {
    reader: BlobReader,
    at: u64,
    end: u64,
}

type Ahead = JoinHandle<Result<(Bytes, Reading), StoreError>>;

impl Reading {
    /// Starts reading the next piece; `None` at the end.
    fn next(mut self) -> Option<Ahead> {
        if self.at >= self.end {
            return None;
        }
        Some(tokio::task::spawn_blocking(move || {
            let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let bytes = self.reader.read(self.at, wanted)?;
            if bytes.is_empty() {
                return Err(StoreError::Damaged("content ends before its size".into()));
            }
            self.at += bytes.len() as u64;
            Ok((bytes, self))
        }))
    }
}
