//! Multipart uploads: they belong to a key's name, and Complete decides anew.

use std::collections::BTreeMap;

use super::{super::op::Listed, Answer, At, Body, Bucket, Content, Did, Model, Reasons, Why, own, refused};

/// Bytes of a part but the last, at least.
const PART: u32 = 5 << 20;
/// How long a completed upload answers again.
pub(crate) const REMEMBERED: i64 = 7 * super::DAY;

/// An upload, whatever became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Upload {
    pub(crate) at: At,
    /// Which bucket of that name it was begun in.
    pub(crate) born: u64,
    pub(crate) parts: BTreeMap<u32, Body>,
    pub(crate) ended: Ended,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    Open,
    Aborted,
    /// The version it made, and when.
    Completed {
        serial: u64,
        at: i64,
    },
}

/// The parts that Complete lists.
pub(crate) fn listed(upload: &Upload, how: Listed) -> Vec<(u32, Body)> {
    let all = upload.parts.iter().map(|(number, body)| (*number, *body));
    match how {
        Listed::All => all.collect(),
        Listed::Last => all.rev().take(1).collect(),
        Listed::Backwards => all.rev().collect(),
        Listed::Wrong => {
            all.take(1).map(|(number, body)| (number, Body { length: body.length + 1, ..body })).collect()
        }
    }
}

impl Model {
    /// The upload of a number, counted round and round; none if there is none.
    pub(crate) fn upload(&self, number: u8) -> Option<usize> {
        (!self.uploads.is_empty()).then(|| usize::from(number) % self.uploads.len())
    }

    /// The open uploads of a bucket and their numbers, in the order of listings.
    pub(crate) fn open_uploads(&self, bucket: &Bucket) -> Vec<(usize, &Upload)> {
        let mut open: Vec<_> = self.open_of(bucket.born).collect();
        open.sort_by_key(|(index, upload)| (upload.at.name.clone(), *index));
        open
    }

    fn open_of(&self, born: u64) -> impl Iterator<Item = (usize, &Upload)> {
        let all = self.uploads.iter().enumerate();
        all.filter(move |(_, upload)| upload.born == born && upload.ended == Ended::Open)
    }

    /// Bytes of parts that are stored in a bucket.
    pub(super) fn stored(&self, born: u64) -> u64 {
        self.open_of(born)
            .flat_map(|(_, upload)| upload.parts.values())
            .map(|body| u64::from(body.length))
            .sum()
    }

    /// The open upload of a number, while its bucket is there.
    fn open(&self, number: u8) -> Option<usize> {
        let index = self.upload(number)?;
        let upload = self.uploads.get(index)?;
        let here = self.buckets.get(&upload.at.bucket).is_some_and(|bucket| bucket.born == upload.born);
        (here && upload.ended == Ended::Open).then_some(index)
    }

    pub(super) fn begin(&mut self, at: &At) -> Result<Answer, Answer> {
        let born = self.bucket(&at.bucket)?.born;
        self.uploads.push(Upload { at: at.clone(), born, parts: BTreeMap::new(), ended: Ended::Open });
        Ok(Answer::Done(Did::default()))
    }

    pub(super) fn part(&mut self, upload: u8, number: u32, body: Body) -> Answer {
        let (full, found) = (self.full, self.open(upload));
        let Some(upload) = found.and_then(|index| self.uploads.get(index)).cloned() else {
            return refused(Why::Missing);
        };
        let before = self.charge(&upload.at.bucket);
        let quota = self.buckets.get(&upload.at.bucket).and_then(|bucket| bucket.quota);
        let old = upload.parts.get(&number).map_or(0, |body| u64::from(body.length));
        let after = before - old + u64::from(body.length);
        let mut reasons = Reasons::default();
        reasons.when(full, Why::Full);
        reasons.when(after > before && quota.is_some_and(|quota| after > quota), Why::Quota);
        reasons.or(|| {
            if let Some(upload) = found.and_then(|index| self.uploads.get_mut(index)) {
                upload.parts.insert(number, body);
            }
            Answer::Done(Did::default())
        })
    }

    pub(super) fn complete(&mut self, number: u8, how: Listed) -> Result<Answer, Answer> {
        let missing = || refused(Why::Missing);
        let index = self.upload(number).ok_or_else(missing)?;
        let upload = self.uploads.get(index).cloned().ok_or_else(missing)?;
        let at = upload.at.clone();
        let bucket = self.bucket(&at.bucket)?;
        if bucket.born != upload.born {
            return Ok(missing());
        }
        let file = bucket.file(&at.name).is_some();
        match upload.ended {
            Ended::Aborted => return Ok(missing()),
            Ended::Completed { serial, .. } => {
                let item = bucket.keys.get(&at.name);
                let there = item.is_some_and(|item| item.versions.iter().any(|v| v.serial == serial));
                return Ok(if there { Answer::Done(Did::default()) } else { missing() });
            }
            Ended::Open => {}
        }
        let above = bucket.holder(&at.name);
        let parts = listed(&upload, how);
        let mut reasons = Reasons::default();
        let small = parts.iter().rev().skip(1).any(|(_, body)| body.length < PART);
        let wrong = parts.len() > 1 && how == Listed::Backwards;
        reasons.when(parts.is_empty(), Why::Invalid);
        reasons.when(small || wrong || how == Listed::Wrong, Why::BadPart);
        reasons.when(self.locked((&at.bucket, own(&at.name)), &above, !file), Why::Locked);
        if !reasons.0.is_empty() {
            return Ok(Answer::Refused(reasons.0));
        }
        Ok(self.assemble(index, &parts, !file))
    }

    fn assemble(&mut self, index: usize, parts: &[(u32, Body)], created: bool) -> Answer {
        use md5::Digest as _;
        let Some(at) = self.uploads.get(index).map(|upload| upload.at.clone()) else {
            return refused(Why::Missing);
        };
        let before = self.charge(&at.bucket);
        let mut sum = md5::Md5::new();
        parts.iter().for_each(|(_, body)| sum.update(self.made(*body).1));
        let etag = format!("{}-{}", hex::encode(sum.finalize()), parts.len());
        let pieces = parts.iter().map(|(_, body)| *body).collect();
        self.add(&at.bucket, &at.name, Some(Content { pieces, etag, kind: None }), true);
        let (serial, now) = (self.serial, self.now);
        if let Some(upload) = self.uploads.get_mut(index) {
            upload.ended = Ended::Completed { serial, at: now };
        }
        self.tell(&at.bucket, ("put", &at.name, None));
        self.charged(&at.bucket, before, Did { created, ..Did::default() })
    }

    pub(super) fn abort(&mut self, number: u8) -> Answer {
        match self.open(number).and_then(|index| self.uploads.get_mut(index)) {
            Some(upload) => {
                upload.ended = Ended::Aborted;
                Answer::Done(Did::default())
            }
            None => refused(Why::Missing),
        }
    }

    /// Completed uploads are forgotten when nobody asks again any more.
    pub(super) fn forget(&mut self) {
        let now = self.now;
        for upload in &mut self.uploads {
            if matches!(upload.ended, Ended::Completed { at, .. } if at + REMEMBERED < now) {
                upload.ended = Ended::Aborted;
            }
        }
    }
}
