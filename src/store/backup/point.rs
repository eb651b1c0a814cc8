//! What belongs to a point, as a text of lines:
//!
//! ```text
//! holdall backup point 1
//! uuid 6d0c…                                 the store
//! number 3
//! taken 1700000000000                        milliseconds
//! incarnation 1                              of the store when it was taken
//! file metadata 123456 <digest>              length and BLAKE3; format, keys and metadata
//! segment 0000001a 268435456 <digest> <seal>
//! lost 0000001a 4096                         bytes of it that the store itself could not read, or all
//! mac <64 digits>                            of all lines above, under a key of the store
//! blake3 <digest>                            of all lines above, the mac too
//! ```
//!
//! Whoever can write to the folder of backups can write a list with a digest that fits, of rows with
//! an admin of his own; the store that is restored would open with the true recovery key. So a list
//! has a mac: its keyed BLAKE3 under a key that is derived from the store's keys ([`PointKey`]). It
//! stands for everything that the point vouches for: rows, FORMAT and wrapped keys by length and
//! digest, each segment by length, digest and seal, whose store it is and which point. What is put back
//! only with a right mac is an older point of the same store, under its own number.
//!
//! The digest tells what a disk did from what somebody did, and needs no key.
//!
//! The seal is the BLAKE3 of a sealed segment's header and footer, or `-` where there was none, or
//! where the disk did not give all of it. A
//! sealed segment never changes, and its footer lists what is in it: a segment of the same id,
//! length and seal need not be read to know that its copy is there already.

use std::fmt;

use zeroize::Zeroizing;

use super::{damaged, folder::POINTS, names::DIGEST};
use crate::{
    model::{ids::SegmentId, limits::BACKUP_SEGMENTS, time::Timestamp},
    store::error::StoreError,
};

/// No file of a point is longer, by far: a tebibyte. As many as fit into a list add up to less than 64 bits.
const MAX_LENGTH: u64 = 1 << 40;
/// No segment has such a number: as many are never made.
const END_OF_IDS: u64 = 1 << 48;
const FIRST: &str = "holdall backup point 1";

/// What lists of points are authenticated with, derived from the keys of their store. Wiped when
/// dropped, never printed.
pub struct PointKey(Zeroizing<[u8; 32]>);

impl PointKey {
    /// The key of these bytes, which are used for nothing else.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for PointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointKey").finish_non_exhaustive()
    }
}

/// A file that each point has for itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// FORMAT of the data directory.
    Format,
    /// The keys, wrapped.
    Keys,
    /// All rows.
    Metadata,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Format, Self::Keys, Self::Metadata];

    fn word(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Keys => "keys",
            Self::Metadata => "metadata",
        }
    }

    pub(super) fn path(self, number: u64) -> String {
        let end = match self {
            Self::Format => "format",
            Self::Keys => "keys",
            Self::Metadata => "meta",
        };
        format!("{POINTS}/{number:08}.{end}")
    }
}

/// A file of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PointFile {
    /// Which.
    pub part: Part,
    /// Its length.
    pub length: u64,
    /// Its BLAKE3.
    pub digest: [u8; 32],
}

/// A copy of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentCopy {
    /// Which segment.
    pub segment: SegmentId,
    /// Bytes that were copied.
    pub length: u64,
    /// Their BLAKE3.
    pub digest: [u8; 32],
    /// What tells a sealed segment from every other.
    pub seal: Option<[u8; 32]>,
}

impl SegmentCopy {
    /// The name of its file.
    pub(super) fn name(&self) -> String {
        let digest = hex::encode(self.digest);
        format!("{:08x}-{}.seg", self.segment.0, digest.get(..DIGEST).unwrap_or_default())
    }
}

/// What the store itself had lost of a segment when the point was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Which segment.
    pub segment: SegmentId,
    /// Bytes of it that could not be read, zeros in the copy; none if the segment was missing.
    pub bytes: Option<u64>,
}

/// A point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    /// Points of a folder are numbered as they are made.
    pub number: u64,
    /// The store.
    pub uuid: [u8; 16],
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The store's incarnation then.
    pub incarnation: u32,
    /// The files it has for itself.
    pub files: Vec<PointFile>,
    /// The copies of segments it needs.
    pub segments: Vec<SegmentCopy>,
    /// What the store had lost already: damage, and none of the backup's.
    pub lost: Vec<Lost>,
    /// Who made it: the mac of all of the above.
    pub mac: [u8; 32],
}

/// A point that its own store made, as it is.
#[derive(Clone, Copy, Debug)]
pub struct Vouched<'a>(&'a Point);

impl Vouched<'_> {
    /// The point.
    #[must_use]
    pub fn point(&self) -> &Point {
        self.0
    }
}

impl Point {
    pub(super) fn path(number: u64) -> String {
        format!("{POINTS}/{number:08}.point")
    }

    /// The number of the point whose list this is.
    pub(super) fn number_of(name: &str) -> Option<u64> {
        let number = name.strip_suffix(".point")?.parse().ok()?;
        // Only as we write it: one point, one name.
        (Self::path(number) == format!("{POINTS}/{name}")).then_some(number)
    }

    /// Bytes of everything that belongs to it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let files = self.files.iter().map(|file| file.length);
        files.chain(self.segments.iter().map(|copy| copy.length)).sum()
    }

    pub(super) fn file(&self, part: Part) -> Result<PointFile, StoreError> {
        let found = self.files.iter().find(|file| file.part == part);
        found.copied().ok_or_else(|| damaged(format!("point {} has no {}", self.number, part.word())))
    }

    /// The same, with the mac of its store.
    pub(super) fn signed(mut self, key: &PointKey) -> Self {
        self.mac = self.mac_under(key).into();
        self
    }

    fn mac_under(&self, key: &PointKey) -> blake3::Hash {
        blake3::keyed_hash(&key.0, self.lines().as_bytes())
    }

    /// Makes sure that the store with this key made it, as it is.
    ///
    /// # Errors
    /// Refused if it did not.
    pub fn vouched(&self, key: &PointKey) -> Result<Vouched<'_>, StoreError> {
        // Such hashes are compared in the same time wherever they differ.
        let same = self.mac_under(key) == blake3::Hash::from(self.mac);
        if same { Ok(Vouched(self)) } else { Err(strange(self.number)) }
    }

    /// A point from its list, if the store with this key made it: nothing of another's list is taken apart.
    pub(super) fn parse_vouched(text: &str, number: u64, key: &PointKey) -> Result<Self, StoreError> {
        if let Some((listed, mac)) = parted(text) {
            let mac = mac.and_then(bytes).ok_or_else(|| strange(number))?;
            if blake3::keyed_hash(&key.0, listed.as_bytes()) != blake3::Hash::from_bytes(mac) {
                return Err(strange(number));
            }
        }
        // Without a mac it is said so there.
        Self::parse(text)
    }

    pub(super) fn text(&self) -> String {
        format!("{}mac {}\n", self.lines(), hex::encode(self.mac))
    }

    /// All that the mac is of.
    fn lines(&self) -> String {
        let mut text = format!(
            "{FIRST}\nuuid {}\nnumber {}\ntaken {}\nincarnation {}\n",
            hex::encode(self.uuid),
            self.number,
            self.taken_at.0,
            self.incarnation
        );
        for file in &self.files {
            let (word, digest) = (file.part.word(), hex::encode(file.digest));
            text.push_str(&format!("file {word} {} {digest}\n", file.length));
        }
        for copy in &self.segments {
            let (digest, seal) =
                (hex::encode(copy.digest), copy.seal.map_or_else(|| "-".into(), hex::encode));
            text.push_str(&format!("segment {:08x} {} {digest} {seal}\n", copy.segment.0, copy.length));
        }
        for lost in &self.lost {
            let bytes = lost.bytes.map_or_else(|| "all".into(), |bytes| bytes.to_string());
            text.push_str(&format!("lost {:08x} {bytes}\n", lost.segment.0));
        }
        text
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let bad = || damaged("the list of a point");
        let first = text.lines().next().and_then(|line| line.strip_prefix("holdall backup point "));
        let first = first.ok_or_else(bad)?;
        if FIRST.strip_suffix(first).is_none() {
            return Err(StoreError::Refused(format!(
                "the point has format {first}, and this holdall knows format 1: use a newer one"
            )));
        }
        let (listed, mac) = parted(text).ok_or_else(|| {
            let why = "the list of the point has no mac, so nobody knows who made it; make a new backup";
            StoreError::Refused(why.into())
        })?;
        let mac = mac.and_then(bytes).ok_or_else(bad)?;
        let mut lines = listed.lines().skip(1);
        let mut value = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned);
        let uuid = value("uuid").and_then(|word| bytes(&word)).ok_or_else(bad)?;
        let number = value("number").and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        let taken_at = Timestamp(value("taken").and_then(|word| word.parse().ok()).ok_or_else(bad)?);
        let incarnation = value("incarnation").and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        let (files, segments, lost) = (Vec::new(), Vec::new(), Vec::new());
        let mut point = Self { number, uuid, taken_at, incarnation, files, segments, lost, mac };
        for line in lines {
            let mut words = line.split(' ');
            match words.next() {
                Some("file") => point.files.push(file(&mut words).ok_or_else(bad)?),
                Some("segment") => point.segments.push(copy(&mut words).ok_or_else(bad)?),
                Some("lost") => point.lost.push(lost_of(&mut words).ok_or_else(bad)?),
                _ => return Err(bad()),
            }
            // No more than a backup makes: each takes more memory than its line.
            if point.files.len() > Part::ALL.len()
                || point.segments.len().max(point.lost.len()) > BACKUP_SEGMENTS
            {
                return Err(bad());
            }
        }
        Ok(point)
    }
}

/// What the mac of a list is of, and the mac's digits if the line is one.
fn parted(text: &str) -> Option<(&str, Option<&str>)> {
    let (listed, mac) = text.split_at_checked(text.rfind("\nmac ")? + 1)?;
    Some((listed, mac.strip_prefix("mac ").and_then(|mac| mac.strip_suffix('\n'))))
}

fn strange(number: u64) -> StoreError {
    StoreError::Refused(format!(
        "point {number} is not as its store made it: its mac is wrong, so somebody changed it who can write to \
         the backup's folder; take another point, and look who can write there"
    ))
}

fn bytes<const N: usize>(word: &str) -> Option<[u8; N]> {
    hex::decode(word).ok()?.try_into().ok()
}

fn length(word: &str) -> Option<u64> {
    word.parse().ok().filter(|length| *length <= MAX_LENGTH)
}

fn file<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<PointFile> {
    let word = words.next()?;
    let part = Part::ALL.into_iter().find(|part| part.word() == word)?;
    let (length, digest) = (length(words.next()?)?, bytes(words.next()?)?);
    words.next().is_none().then_some(PointFile { part, length, digest })
}

fn segment(word: &str) -> Option<SegmentId> {
    u64::from_str_radix(word, 16).ok().filter(|id| *id < END_OF_IDS).map(SegmentId)
}

fn lost_of<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Lost> {
    let segment = segment(words.next()?)?;
    let bytes = match words.next()? {
        "all" => None,
        word => Some(length(word)?),
    };
    words.next().is_none().then_some(Lost { segment, bytes })
}

fn copy<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<SegmentCopy> {
    let segment = segment(words.next()?)?;
    let (length, digest) = (length(words.next()?)?, bytes(words.next()?)?);
    let seal = match words.next()? {
        "-" => None,
        word => Some(bytes(word)?),
    };
    words.next().is_none().then_some(SegmentCopy { segment, length, digest, seal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backup::folder::{MAX_TEXT, SUM};

    #[test]
    fn the_longest_list_there_is_can_be_read_again() {
        let segment = SegmentId(END_OF_IDS - 1);
        let copy = SegmentCopy { segment, length: MAX_LENGTH, digest: [255; 32], seal: Some([255; 32]) };
        let part = |part| PointFile { part, length: MAX_LENGTH, digest: [255; 32] };
        let mut point = Point {
            number: u64::MAX,
            uuid: [255; 16],
            taken_at: Timestamp(i64::MIN),
            incarnation: u32::MAX,
            files: Part::ALL.map(part).to_vec(),
            segments: Vec::new(),
            lost: Vec::new(),
            mac: [255; 32],
        };
        let head = point.text().len();
        point.segments.push(copy);
        point.lost.push(Lost { segment, bytes: Some(MAX_LENGTH) });
        let each = point.text().len() - head;
        assert!((head + BACKUP_SEGMENTS * each) as u64 + SUM <= MAX_TEXT, "{each} bytes a segment");
        assert_eq!(Point::parse(&point.text()).unwrap(), point);
        // Whoever adds the lengths up cannot go wrong: no line with one is shorter than its digest.
        (MAX_TEXT / 64).checked_mul(MAX_LENGTH).unwrap();
    }

    fn empty() -> Point {
        let (files, segments, lost) = (Vec::new(), Vec::new(), Vec::new());
        let (taken_at, mac) = (Timestamp(0), [0; 32]);
        Point { number: 1, uuid: [0; 16], taken_at, incarnation: 1, files, segments, lost, mac }
    }

    /// It was taken apart and put together again before anybody asked who made it.
    #[test]
    fn nothing_of_a_list_with_another_mac_is_looked_at() {
        let key = PointKey::new([3; 32].into());
        let text = empty().signed(&key).text();
        assert!(Point::parse_vouched(&text, 1, &key).is_ok());
        for (old, new) in
            [("incarnation 1", "whatever"), ("\nmac ", "\nwhatever\nmac "), ("\nmac ", "\nmac x")]
        {
            let told = Point::parse_vouched(&text.replace(old, new), 1, &key).unwrap_err().to_string();
            assert!(told.contains("point 1 is not as its store made it"), "{told}");
        }
        assert!(Point::parse_vouched(&text, 1, &PointKey::new([4; 32].into())).is_err());
    }

    #[test]
    fn a_list_of_more_than_a_backup_takes_is_damaged() {
        for (line, most) in [
            ("lost 00000001 all\n".to_owned(), BACKUP_SEGMENTS),
            (format!("file keys 1 {}\n", "0".repeat(64)), Part::ALL.len()),
        ] {
            let text = |many: usize| {
                let listed = [empty().lines(), line.repeat(many)].concat();
                format!("{listed}mac {}\n", "0".repeat(64))
            };
            assert!(Point::parse(&text(most)).is_ok(), "{line}");
            assert!(matches!(Point::parse(&text(most + 1)), Err(StoreError::Damaged(_))), "{line}");
        }
    }
}
