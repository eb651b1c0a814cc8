//! Files and folders: written, read and removed.

use super::super::{op::Which, state::Item};
use super::{
    Answer, At, Body, Bucket, Content, Did, KEPT, Model, Only, Reasons, Stands, State, Target, Version, Why,
    keeps, own, parent, refused, target,
};

impl Model {
    /// Makes content, or a marker, the newest version of a key. Without a `trace` people's history
    /// keeps nothing of what it replaces.
    pub(super) fn add(&mut self, bucket: &str, key: &str, content: Option<Content>, trace: bool) {
        let (serial, now) = (self.serial(), self.now);
        let Some(bucket) = self.buckets.get_mut(bucket) else { return };
        let (state, days) = (bucket.state, bucket.days);
        let item = bucket.keys.entry(key.to_owned()).or_default();
        match state {
            State::Never => {
                let old = item.versions.drain(..).next();
                if let (Some(old), Some(_)) = (old, days.filter(|_| trace)) {
                    item.past.insert(0, (now, old.size()));
                    item.past.retain(|(at, _)| *at >= now - keeps(days));
                    item.past.truncate(KEPT);
                }
            }
            State::Enabled => {}
            State::Suspended => item.versions.retain(|version| !version.null),
        }
        let gone = content.is_none();
        item.versions.insert(0, Version { serial, content, null: state != State::Enabled, time: now });
        if gone {
            bucket.leave(key);
        }
    }

    /// Takes a live key away as the state of its bucket has it.
    pub(super) fn take(&mut self, bucket: &str, key: &str, trace: bool) {
        let now = self.now;
        let Some(found) = self.buckets.get_mut(bucket) else { return };
        if found.state != State::Never {
            return self.add(bucket, key, None, true);
        }
        let item = found.keys.remove(key).unwrap_or_default();
        if trace && found.days.is_some() {
            let bytes = item.versions.first().map_or(0, Version::size);
            found.trash.push(((now, bytes), item.past));
        }
        found.leave(key);
    }

    /// A folder that a tree door takes the last name from stays, as an explicit one.
    pub(super) fn keep(&mut self, bucket: &str, folder: &str) -> bool {
        let lost = self.buckets.get(bucket).is_some_and(|bucket| !bucket.folder(folder));
        if lost {
            self.add(bucket, &format!("{folder}/"), Some(Content::nothing()), false);
        }
        lost
    }

    pub(super) fn put(&mut self, at: &At, body: Body, only: Only, tokens: bool) -> Result<Answer, Answer> {
        let (content, full, before) = (self.content(body), self.full, self.charge(&at.bucket));
        let bucket = self.bucket(&at.bucket)?;
        let Target { key, file, wrong } = target(bucket, at);
        let holder = bucket.holder(&key);
        let room = bucket.quota.is_some_and(|quota| before + content.size() > quota);
        let mut reasons = Reasons::default();
        reasons.0.extend(wrong);
        reasons.0.extend(Self::demand(only, file, at.path));
        reasons.when(!tokens && self.locked((&at.bucket, own(&key)), &holder, !file), Why::Locked);
        reasons.when(full, Why::Full);
        if !reasons.0.is_empty() {
            reasons.when(room, Why::Quota);
            return Ok(Answer::Refused(reasons.0));
        }
        self.add(&at.bucket, &key, Some(content), true);
        self.bucket(&at.bucket)?.tell("put", &key, None);
        Ok(self.charged(&at.bucket, before, Did { created: !file, ..Did::default() }))
    }

    pub(super) fn broken(&mut self, at: &At) -> Result<Answer, Answer> {
        let full = self.full;
        let bucket = self.bucket(&at.bucket)?;
        let mut reasons = Reasons(vec![Why::Broken]);
        reasons.when(full, Why::Full);
        reasons.when(bucket.quota.is_some(), Why::Quota);
        Ok(Answer::Refused(reasons.0))
    }

    pub(super) fn mkcol(&mut self, at: &At, tokens: bool) -> Result<Answer, Answer> {
        let bucket = self.bucket(&at.bucket)?;
        let Target { key, file, wrong } = target(bucket, at);
        let holder = bucket.holder(&key);
        let mut reasons = Reasons::default();
        reasons.0.extend(wrong);
        reasons.when(file, Why::Exists);
        reasons.when(!tokens && self.locked((&at.bucket, None), &holder, true), Why::Locked);
        Ok(reasons.or(|| {
            let marker = format!("{key}/");
            self.add(&at.bucket, &marker, Some(Content::nothing()), false);
            self.tell(&at.bucket, ("folder", &marker, None));
            Answer::Done(Did { created: true, ..Did::default() })
        }))
    }

    pub(super) fn tell(&mut self, bucket: &str, (what, key, from): (&'static str, &str, Option<&str>)) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.tell(what, key, from);
        }
    }

    /// The place of a version among those of its key; a number that is gone is none.
    pub(crate) fn place(&self, at: &At, which: Which) -> Option<usize> {
        let versions = &self.buckets.get(&at.bucket)?.keys.get(&at.name)?.versions;
        match which {
            Which::Latest => (!versions.is_empty()).then_some(0),
            Which::Null => versions.iter().position(|version| version.null),
            // Every fourth names one that is not there.
            Which::Nth(number) if number % 4 == 3 || versions.is_empty() => None,
            Which::Nth(number) => Some(usize::from(number) % versions.len()),
        }
    }

    /// The tag of what stands at a place, if it is a file.
    pub(crate) fn tag(&self, at: &At) -> Option<String> {
        let bucket = self.buckets.get(&at.bucket)?;
        let key = match at.path.then(|| bucket.find(&at.name)) {
            Some(Stands::File(key)) => key,
            Some(_) => return None,
            None => at.name.clone(),
        };
        bucket.file(&key).map(|content| content.etag.clone())
    }

    pub(crate) fn serial_at(&self, at: &At, place: usize) -> Option<u64> {
        Some(self.buckets.get(&at.bucket)?.keys.get(&at.name)?.versions.get(place)?.serial)
    }

    pub(super) fn read(&mut self, at: &At, which: Which) -> Result<Answer, Answer> {
        let bucket = self.bucket(&at.bucket)?;
        if at.path {
            return Ok(match bucket.find(&at.name) {
                Stands::Root | Stands::Folder(_) => Answer::Done(Did::default()),
                Stands::File(key) => {
                    Answer::Done(Did { content: bucket.file(&key).cloned(), ..Did::default() })
                }
                Stands::Nothing(..) => Answer::Refused(vec![Why::Missing, Why::Marker]),
            });
        }
        let place = self.place(at, which);
        let item = self.bucket(&at.bucket)?.keys.get(&at.name);
        let version = place.and_then(|place| item?.versions.get(place));
        Ok(match version.map(|version| &version.content) {
            Some(Some(content)) => Answer::Done(Did { content: Some(content.clone()), ..Did::default() }),
            Some(None) => refused(Why::Marker),
            None => refused(Why::Missing),
        })
    }

    pub(super) fn remove(&mut self, at: &At, only: Only, tokens: bool) -> Result<Answer, Answer> {
        let bucket = self.bucket(&at.bucket)?;
        if !at.path {
            return self.remove_key(at, only, tokens);
        }
        let (key, folder) = match bucket.find(&at.name) {
            Stands::Root => return Ok(refused(Why::Denied)),
            Stands::Nothing(..) => return Ok(refused(Why::Missing)),
            Stands::Folder(key) => (key, true),
            Stands::File(key) => (key, false),
        };
        let (holder, hidden) = (bucket.holder(&key), folder && bucket.only_hidden(&key));
        let root = if folder { format!("{key}/") } else { key.clone() };
        let mut reasons = Reasons::default();
        let demanded = match only {
            Only::Same | Only::Any if folder => None,
            Only::Absent | Only::Other if folder => Some(Why::Failed),
            _ => Self::demand(only, true, true),
        };
        reasons.0.extend(demanded);
        reasons.when(hidden, Why::Conflict);
        let locked = self.locked((&at.bucket, Some(&root)), &holder, true)
            || (folder && self.locked_below(&at.bucket, &key));
        reasons.when(!tokens && locked, Why::Locked);
        Ok(reasons.or(|| {
            if folder {
                self.drop_folder(&at.bucket, &key, true)
            } else {
                self.drop_file(&at.bucket, &key)
            }
            Answer::Done(Did { existed: true, ..Did::default() })
        }))
    }

    /// A tree door removes a file.
    fn drop_file(&mut self, bucket: &str, key: &str) {
        self.take(bucket, key, true);
        self.keep(bucket, parent(key));
        self.tell(bucket, ("removed", key, None));
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        self.buckets.values_mut().for_each(Bucket::settle);
    }

    /// A folder goes with everything below it: as one item, or file by file. `told` says whether
    /// that is an operation of its own; if not, what takes its place holds the folders above.
    pub(super) fn drop_folder(&mut self, name: &str, folder: &str, told: bool) {
        let now = self.now;
        let Some(bucket) = self.buckets.get_mut(name) else { return };
        let keys = bucket.below(folder);
        if bucket.state == State::Never {
            let items: Vec<Item> = keys.iter().filter_map(|key| bucket.keys.remove(key)).collect();
            if bucket.days.is_some() {
                let bytes = items.iter().flat_map(|item| item.versions.first()).map(Version::size).sum();
                let past = items.into_iter().flat_map(|item| item.past).collect();
                bucket.trash.push(((now, bytes), past));
            }
            let own = format!("{folder}/");
            bucket.locks.retain(|lock| !lock.root.starts_with(&own));
            bucket.props.retain(|root, _| !root.starts_with(&own));
            if told {
                self.keep(name, parent(folder));
                self.tell(name, ("removed", &format!("{folder}/"), None));
            }
        } else {
            for key in keys {
                self.take(name, &key, true);
                self.tell(name, ("removed", &key, None));
                self.settle();
            }
            self.keep_each(name, parent(folder));
        }
        if told {
            self.settle();
        }
    }

    /// As [`Model::keep`], at the end of a verb that goes file by file.
    pub(super) fn keep_each(&mut self, bucket: &str, folder: &str) {
        if self.keep(bucket, folder) {
            self.tell(bucket, ("folder", &format!("{folder}/"), None));
        }
    }

    fn remove_key(&mut self, at: &At, only: Only, tokens: bool) -> Result<Answer, Answer> {
        let bucket = self.bucket(&at.bucket)?;
        let (file, never) = (bucket.file(&at.name).is_some(), bucket.state == State::Never);
        let mut reasons = Reasons::default();
        reasons.0.extend(Self::demand(only, file, false));
        if !file && never {
            return Ok(reasons.or(|| Answer::Done(Did::default())));
        }
        let holder = bucket.holder(&at.name);
        let locked = self.locked((&at.bucket, own(&at.name)), &holder, true)
            || (file && self.locked_way(&at.bucket, &at.name));
        reasons.when(!tokens && locked, Why::Locked);
        Ok(reasons.or(|| {
            self.take(&at.bucket, &at.name, true);
            self.tell(&at.bucket, ("removed", &at.name, None));
            self.settle();
            Answer::Done(Did { existed: file, marker: !never, ..Did::default() })
        }))
    }

    /// Whether a folder that goes with its last key is locked, or a member of a locked one.
    fn locked_way(&self, name: &str, key: &str) -> bool {
        let Some(bucket) = self.buckets.get(name) else { return false };
        let mut folder = parent(key);
        while !folder.is_empty() && bucket.below(folder).iter().all(|other| other == key) {
            if self.locked((name, Some(&format!("{folder}/"))), parent(folder), true) {
                return true;
            }
            folder = parent(folder);
        }
        false
    }

    pub(super) fn remove_version(&mut self, at: &At, which: Which, tokens: bool) -> Result<Answer, Answer> {
        let place = self.place(at, which);
        let bucket = self.bucket(&at.bucket)?;
        if bucket.state == State::Never {
            return match which {
                Which::Null => self.remove_key(at, Only::Any, tokens),
                Which::Latest | Which::Nth(_) => Ok(refused(Why::Missing)),
            };
        }
        let Some(place) = place else { return Ok(Answer::Done(Did::default())) };
        let holder = bucket.holder(&at.name);
        let live = bucket.file(&at.name).is_some();
        let last = |item: &Item| {
            item.versions.len() == 1 || item.versions.get(1).is_some_and(|v| v.content.is_none())
        };
        let goes = live && place == 0 && bucket.keys.get(&at.name).is_some_and(last);
        let locked = self.locked((&at.bucket, own(&at.name)), &holder, true)
            || (goes && self.locked_way(&at.bucket, &at.name));
        if !tokens && locked {
            return Ok(refused(Why::Locked));
        }
        let bucket = self.bucket(&at.bucket)?;
        let Some(item) = bucket.keys.get_mut(&at.name) else { return Ok(refused(Why::Missing)) };
        let marker = item.versions.remove(place).content.is_none();
        if item.versions.is_empty() {
            bucket.keys.remove(&at.name);
        }
        if bucket.file(&at.name).is_none() {
            bucket.leave(&at.name);
        }
        bucket.tell("version removed", &at.name, None);
        self.settle();
        Ok(Answer::Done(Did { existed: true, marker, ..Did::default() }))
    }
}

impl Bucket {
    /// Nothing is left on a file that has no live name any more.
    fn leave(&mut self, key: &str) {
        self.locks.retain(|lock| lock.root != key || key.ends_with('/'));
        if !key.ends_with('/') {
            self.props.remove(key);
        }
    }
}
