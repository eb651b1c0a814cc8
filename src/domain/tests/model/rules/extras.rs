//! Properties, locks, settings, buckets, and what ends by its time.

use super::{
    super::{
        op::{Op, Versions},
        state::Lock,
    },
    Answer, At, Bucket, Content, Did, Model, Reasons, Stands, State, Why, keeps, parent, refused, within,
};

impl Model {
    /// Sets or removes a property. A folder that gets one becomes an explicit one.
    pub(super) fn prop(
        &mut self,
        at: &At,
        (name, value): (u8, Option<u8>),
        tokens: bool,
    ) -> Result<Answer, Answer> {
        let bucket = self.bucket(&at.bucket)?;
        let (root, above) = match bucket.find(&at.name) {
            Stands::Root => (String::new(), String::new()),
            Stands::Folder(key) => (format!("{key}/"), parent(&key).to_owned()),
            Stands::File(key) => (key.clone(), bucket.holder(&key)),
            Stands::Nothing(..) => return Ok(refused(Why::Missing)),
        };
        if !tokens && self.locked((&at.bucket, Some(&root)), &above, false) {
            return Ok(refused(Why::Locked));
        }
        let bucket = self.bucket(&at.bucket)?;
        let of = bucket.props.entry(root.clone()).or_default();
        let before = match value {
            Some(value) => of.insert(name, value),
            None => of.remove(&name),
        };
        if before != value {
            let marker = root.ends_with('/') && bucket.file(&root).is_none();
            bucket.tell("props", &root, None);
            if marker {
                self.add(&at.bucket, &root, Some(Content::nothing()), false);
            }
        }
        self.settle();
        Ok(Answer::Done(Did::default()))
    }

    /// Locks what stands at a path; where nothing does, an empty file is made.
    pub(super) fn lock(
        &mut self,
        at: &At,
        (exclusive, deep): (bool, bool),
        seconds: u32,
    ) -> Result<Answer, Answer> {
        let now = self.now;
        let bucket = self.bucket(&at.bucket)?;
        let mut reasons = Reasons::default();
        let (root, folder, made) = match bucket.find(&at.name) {
            Stands::Root => (String::new(), true, false),
            Stands::Folder(key) => (format!("{key}/"), true, false),
            Stands::File(key) => (key, false, false),
            Stands::Nothing(key, fits) => {
                reasons.when(!fits, Why::Conflict);
                (key, false, true)
            }
        };
        let above = if root.is_empty() { String::new() } else { bucket.holder(root.trim_end_matches('/')) };
        let covers = |lock: &&Lock| {
            let of = lock.root.trim_end_matches('/');
            let above =
                (lock.root.is_empty() || lock.root.ends_with('/')) && within(&above, of) | (above == of);
            let below = folder && deep && (root.is_empty() || lock.root.starts_with(&root));
            lock.until > now && (lock.root == root || (lock.deep && above && !root.is_empty()) || below)
        };
        let clash = bucket.locks.iter().filter(covers).any(|lock| lock.exclusive || exclusive);
        reasons.when(clash, Why::Locked);
        reasons.when(made && self.locked((&at.bucket, None), &above, true), Why::Locked);
        Ok(reasons.or(|| {
            if made {
                self.add(&at.bucket, &root, Some(Content::nothing()), true);
                self.tell(&at.bucket, ("put", &root, None));
            }
            let (serial, until) = (self.serial(), now + i64::from(seconds) * 1000);
            if let Some(bucket) = self.buckets.get_mut(&at.bucket) {
                bucket.locks.retain(|lock| lock.root != root || lock.until > now);
                bucket.locks.push(Lock { serial, root, exclusive, deep, until });
            }
            Answer::Done(Did { created: made, ..Did::default() })
        }))
    }

    /// The lock of a number among those in force, counted round and round.
    pub(crate) fn lock_of(&self, number: u8) -> Option<(&String, &Lock)> {
        let locks =
            || self.buckets.iter().flat_map(|(name, of)| of.locks.iter().map(move |lock| (name, lock)));
        let in_force = || locks().filter(|(_, lock)| lock.until > self.now);
        in_force().nth(usize::from(number) % in_force().count().max(1))
    }

    pub(super) fn unlock(&mut self, number: u8) -> Answer {
        let Some((name, serial)) = self.lock_of(number).map(|(name, lock)| (name.clone(), lock.serial))
        else {
            return refused(Why::Missing);
        };
        if let Some(bucket) = self.buckets.get_mut(&name) {
            bucket.locks.retain(|lock| lock.serial != serial);
        }
        Answer::Done(Did::default())
    }

    pub(super) fn settings(&mut self, op: &Op) -> Result<Answer, Answer> {
        match op {
            Op::Version { bucket, to } => {
                self.bucket(bucket)?.state = match to {
                    Versions::Enabled => State::Enabled,
                    Versions::Suspended => State::Suspended,
                };
            }
            Op::Quota { bucket, bytes } => self.bucket(bucket)?.quota = *bytes,
            Op::History { bucket, days } => self.bucket(bucket)?.days = *days,
            Op::MakeBucket { bucket, days } => {
                if self.buckets.contains_key(bucket) {
                    return Ok(refused(Why::Exists));
                }
                let made = Bucket { born: self.serial(), days: *days, ..Bucket::default() };
                self.buckets.insert(bucket.clone(), made);
                return Ok(Answer::Done(Did { created: true, ..Did::default() }));
            }
            Op::DropBucket { bucket } => {
                if !self.bucket(bucket)?.keys.is_empty() {
                    return Ok(refused(Why::NotEmpty));
                }
                self.buckets.remove(bucket);
            }
            _ => {}
        }
        Ok(Answer::Done(Did::default()))
    }

    /// What is over goes: the oldest of the trash first, and versions that people kept.
    pub(super) fn expire(&mut self) -> Answer {
        let now = self.now;
        for bucket in self.buckets.values_mut() {
            let kept = keeps(bucket.days);
            let first = bucket.trash.iter().position(|((at, _), _)| at + kept > now);
            bucket.trash.drain(..first.unwrap_or(bucket.trash.len()));
            let trashed = bucket.trash.iter_mut().map(|(_, past)| past);
            for past in bucket.keys.values_mut().map(|item| &mut item.past).chain(trashed) {
                past.retain(|(at, _)| *at >= now - kept);
            }
        }
        self.forget();
        Answer::Done(Did::default())
    }
}
