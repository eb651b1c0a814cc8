//! The folder of a store's backups: what lies where in it, and the few ways files get there.

use std::{collections::BTreeSet, io::ErrorKind, ops::Range};

use super::{
    copying::copy_past,
    damaged, names,
    point::{Part, Point, PointKey, SegmentCopy},
};
use crate::store::{
    error::StoreError,
    io::{ASIDE, File, Io, Mode, Site, is_refusal, put_whole},
    segments::is_flaw,
    sync::Arc,
};

pub(super) const MARKER: &str = "HOLDALL-BACKUP";
pub(super) const LOCK: &str = "LOCK";
pub(super) const SEGMENTS: &str = "segments";
pub(super) const POINTS: &str = "points";
/// What the name of a copy ends in that is not what was written.
pub(super) const BAD: &str = ".bad";
/// No marker and no list of a point is longer: a tebibyte of segments takes about a megabyte, and as
/// many as a backup takes ([`BACKUP_SEGMENTS`](crate::model::limits::BACKUP_SEGMENTS)) fit.
pub(super) const MAX_TEXT: u64 = 256 << 20;
/// Bytes of the line behind a text that has its digest.
pub(super) const SUM: u64 = 7 + 64 + 1;
/// No FORMAT and no wrapped keys are longer.
const MAX_SMALL: u64 = 64 << 10;

/// A folder with backups of one store.
#[derive(Clone, Debug)]
pub struct BackupFolder {
    io: Arc<dyn Io>,
    uuid: [u8; 16],
}

impl BackupFolder {
    /// Opens a folder that has backups.
    ///
    /// # Errors
    /// Refused if it has none, or something else in the place of its own files; damaged if it does
    /// not say whose.
    pub fn open(io: Arc<dyn Io>) -> Result<Self, StoreError> {
        names::plain(&*io)?;
        let found = whose(&*io)?;
        let uuid = found.ok_or_else(|| StoreError::Refused("there is no backup in that folder".into()))?;
        Ok(Self { io, uuid })
    }

    /// Takes a folder for backups of a store, for as long as the second value lives. An empty one
    /// becomes such a folder.
    pub(super) fn take(io: Arc<dyn Io>, uuid: [u8; 16]) -> Result<(Self, Arc<dyn File>), StoreError> {
        names::plain(&*io)?;
        let found = whose(&*io)?;
        if found.is_some_and(|found| found != uuid) {
            return Err(StoreError::Refused("that folder has backups of another store; name another".into()));
        }
        // What is in a folder of ours before it says so, if making it was cut off.
        let ours =
            |name: &str| name == LOCK || name == "lost+found" || name.strip_suffix(ASIDE) == Some(MARKER);
        if found.is_none() && io.list("")?.iter().any(|name| !ours(name)) {
            return Err(StoreError::Refused(
                "that folder is not empty and has no backup; name another".into(),
            ));
        }
        let lock = io.lock(LOCK).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => StoreError::Busy("another backup into that folder is under way".into()),
            _ => error.into(),
        })?;
        let folder = Self { io, uuid };
        if found.is_none() {
            let text = format!("holdall backup 1\nuuid {}\n", hex::encode(uuid));
            folder.put_text(MARKER, &text)?;
        }
        for name in [SEGMENTS, POINTS] {
            folder.io.create_dir(name)?;
        }
        folder.io.sync_dir("", Site::BackupDir)?;
        Ok((folder, lock))
    }

    /// Whose backups these are.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    pub(super) fn io(&self) -> &dyn Io {
        &*self.io
    }

    /// The numbers of the points, the newest last.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let names = self.io.list(POINTS)?;
        let mut found: Vec<u64> = names.iter().filter_map(|name| Point::number_of(name)).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// A point, or the newest.
    ///
    /// # Errors
    /// Refused if there is none; damaged if it is not what was written.
    pub fn point(&self, number: Option<u64>) -> Result<Point, StoreError> {
        let newest = || {
            let newest = self.numbers()?.last().copied();
            newest.ok_or_else(|| StoreError::Refused("no backup in that folder came to its end".into()))
        };
        let number = number.map_or_else(newest, Ok)?;
        self.ours(number, Point::parse(&self.list(number)?)?)
    }

    fn list(&self, number: u64) -> Result<String, StoreError> {
        let text = read_text(&*self.io, &Point::path(number))?;
        text.ok_or_else(|| StoreError::Refused(format!("there is no point {number}")))
    }

    fn ours(&self, number: u64, point: Point) -> Result<Point, StoreError> {
        if (point.number, point.uuid) != (number, self.uuid) {
            return Err(damaged(format!("the list of point {number} is another's")));
        }
        Ok(point)
    }

    /// The same, if the store with this key made it.
    pub(super) fn vouched(&self, number: u64, key: &PointKey) -> Result<Point, StoreError> {
        self.ours(number, Point::parse_vouched(&self.list(number)?, number, key)?)
    }

    /// Opens a copy of a segment.
    pub(super) fn segment(&self, copy: &SegmentCopy) -> Result<Option<Arc<dyn File>>, StoreError> {
        self.file(&format!("{SEGMENTS}/{}", copy.name()))
    }

    /// Whether there is a copy, as long as it should be. What the disk does not open is none.
    pub(super) fn holds(&self, copy: &SegmentCopy) -> Result<bool, StoreError> {
        match self.segment(copy) {
            Ok(Some(file)) => Ok(file.len()? == copy.length),
            Ok(None) => Ok(false),
            Err(error) if is_flaw(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens one that verifying moved aside: most of it may be good.
    pub(super) fn moved_aside(&self, copy: &SegmentCopy) -> Result<Option<Arc<dyn File>>, StoreError> {
        self.file(&format!("{SEGMENTS}/{}{BAD}", copy.name()))
    }

    /// Moves a copy aside, so that the next backup copies the segment again. Nothing is lost: a point
    /// that needs it is not restored from what is not what was written. Only while no backup is made.
    pub(super) fn move_aside(&self, copy: &SegmentCopy) -> Result<(), StoreError> {
        let _lock = self.io.lock(LOCK)?;
        let path = format!("{SEGMENTS}/{}", copy.name());
        self.io.rename(&path, &format!("{path}{BAD}"))?;
        Ok(self.io.sync_dir(SEGMENTS, Site::BackupDir)?)
    }

    /// Opens a file of a point.
    pub(super) fn part(&self, number: u64, part: Part) -> Result<Option<Arc<dyn File>>, StoreError> {
        self.file(&part.path(number))
    }

    /// Reads a small file of a point.
    ///
    /// # Errors
    /// Damaged if it is not what was written.
    pub fn read(&self, point: &Point, part: Part) -> Result<Vec<u8>, StoreError> {
        let (listed, bad) =
            (point.file(part)?, || damaged(format!("{} is missing or damaged", part.path(point.number))));
        let file = self.part(point.number, part)?.ok_or_else(bad)?;
        if listed.length > MAX_SMALL || file.len()? != listed.length {
            return Err(bad());
        }
        // Read once: what is looked at is what is used, whoever writes there meanwhile.
        let mut bytes = vec![0; usize::try_from(listed.length).map_err(|_| bad())?];
        match file.read_at(&mut bytes, 0) {
            Err(error) if is_refusal(&error) => return Err(bad()),
            read => read?,
        }
        let same = blake3::hash(&bytes) == blake3::Hash::from(listed.digest);
        if same { Ok(bytes) } else { Err(bad()) }
    }

    fn file(&self, path: &str) -> Result<Option<Arc<dyn File>>, StoreError> {
        names::open(&*self.io, path)
    }

    /// Opens a file that has not been there.
    pub(super) fn create(&self, path: &str) -> Result<Arc<dyn File>, StoreError> {
        Ok(self.io.open(path, Mode::Create)?)
    }

    /// Has a whole text appear, durably. One that would not be read again is refused.
    pub(super) fn put_text(&self, path: &str, text: &str) -> Result<(), StoreError> {
        let sites = (Site::BackupData, Site::BackupDir);
        if text.len() as u64 + SUM > MAX_TEXT {
            return Err(StoreError::Refused(format!("{path} would be longer than any that is read again")));
        }
        Ok(put_whole(&*self.io, path, with_sum(text).as_bytes(), sites)?)
    }

    /// Removes what belongs to no point and is in nobody's way but its own: what a backup that was
    /// cut off left. Copies of segments stay, the next point may use them.
    pub(super) fn tidy(&self, numbers: &BTreeSet<u64>) -> Result<(), StoreError> {
        for name in self.io.list(POINTS)? {
            let number = names::point_of(&name);
            if number.is_some_and(|number| name.ends_with(ASIDE) || !numbers.contains(&number)) {
                self.io.remove(&format!("{POINTS}/{name}"))?;
            }
        }
        for name in self.io.list(SEGMENTS)?.iter().filter(|name| names::is_half_copy(name)) {
            self.io.remove(&format!("{SEGMENTS}/{name}"))?;
        }
        Ok(())
    }

    /// Copies the start of a segment's file to a name that says what it is; its digest, and where it
    /// has zeros because the disk refuses to read. Such a copy has no seal: the next backup tries again.
    pub(super) fn copy_segment(
        &self,
        from: &dyn File,
        mut copy: SegmentCopy,
        tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
    ) -> Result<(SegmentCopy, Vec<Range<u64>>), StoreError> {
        let aside = format!("{SEGMENTS}/{:08x}{ASIDE}", copy.segment.0);
        self.io.remove(&aside)?;
        let to = self.create(&aside)?;
        let mut refused = Vec::new();
        copy.digest = copy_past(from, &*to, copy.length, &mut |bad| refused.push(bad), tell)?;
        copy.seal = copy.seal.filter(|_| refused.is_empty());
        let whole = format!("{SEGMENTS}/{}", copy.name());
        self.io.rename(&aside, &whole)?;
        // The one it stands for again is of no use to anybody.
        self.io.remove(&format!("{whole}{BAD}"))?;
        Ok((copy, refused))
    }
}

fn whose(io: &dyn Io) -> Result<Option<[u8; 16]>, StoreError> {
    let Some(text) = read_text(io, MARKER)? else { return Ok(None) };
    let bad = || damaged("it does not say whose it is");
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("holdall backup ")).ok_or_else(bad)?;
    if version != "1" {
        return Err(StoreError::Refused(format!(
            "the backup has format {version}, and this holdall knows format 1: use a newer one"
        )));
    }
    let uuid = lines.next().and_then(|line| line.strip_prefix("uuid ")).ok_or_else(bad)?;
    let uuid = hex::decode(uuid).ok().and_then(|uuid| uuid.try_into().ok());
    uuid.map(Some).ok_or_else(bad)
}

fn with_sum(text: &str) -> String {
    format!("{text}{}", sum_of(text))
}

fn sum_of(text: &str) -> String {
    format!("blake3 {}\n", blake3::hash(text.as_bytes()).to_hex())
}

/// A text that was put whole; `None` if there is none.
fn read_text(io: &dyn Io, path: &str) -> Result<Option<String>, StoreError> {
    let Some(file) = names::open(io, path)? else { return Ok(None) };
    let bad = || damaged(format!("{path} is not what was written"));
    let length = Some(file.len()?).filter(|length| *length <= MAX_TEXT).ok_or_else(bad)?;
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| bad())?];
    match file.read_at(&mut bytes, 0) {
        Err(error) if is_refusal(&error) => return Err(damaged(format!("the disk cannot read {path}"))),
        read => read?,
    }
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let (body, sum) = text.rfind("blake3 ").and_then(|at| text.split_at_checked(at)).ok_or_else(bad)?;
    if sum_of(body) == sum { Ok(Some(body.to_owned())) } else { Err(bad()) }
}
