//! COPY and MOVE: of a literal key to another, or of what a path leads to.

use super::{
    super::op::{How, Which},
    Answer, At, Content, Did, Model, Reasons, Stands, State, Version, Why, own, parent, within,
};

/// Something is missing; that a place lies within the other can be told before anybody looks.
const NOWHERE: [Why; 4] = [Why::Missing, Why::Marker, Why::Denied, Why::Conflict];

/// A transfer whose ends are known.
pub(super) struct Ends<'a> {
    pub(super) from: (&'a str, String),
    pub(super) to: (&'a str, String),
    pub(super) folder: bool,
    /// What is at the destination: a folder, a file, or nothing.
    pub(super) folder_there: bool,
    pub(super) file_there: bool,
    pub(super) how: How,
    /// The source's place in the history of its key.
    pub(super) version: usize,
}

impl Model {
    pub(super) fn transfer(&mut self, from: &At, to: &At, how: How, tokens: bool) -> Result<Answer, Answer> {
        let (before, mut reasons) = (self.charge(&to.bucket), Reasons::default());
        let ends = match self.ends(from, to, how, &mut reasons) {
            Ok(ends) => ends,
            Err(more) => {
                reasons.0.extend(more);
                // That a copy onto itself changes nothing can be told without looking.
                reasons.when(!from.path && from == to, Why::Invalid);
                // A source that may not go can be told before anybody looks where to.
                let source = self.source(from, how).ok().filter(|_| how.moved && !tokens);
                let held =
                    source.is_some_and(|(key, folder, _)| self.source_held((&from.bucket, &key), folder));
                reasons.when(held, Why::Locked);
                return Ok(Answer::Refused(reasons.0));
            }
        };
        self.overlap(&ends, (from, to), &mut reasons);
        reasons.when(!how.overwrite && (ends.folder_there || ends.file_there), Why::Failed);
        let shallow = ends.folder && how.shallow && !how.moved;
        let versioned = self.state(ends.to.0) != State::Never;
        reasons.when(shallow && versioned && (ends.folder_there || ends.file_there), Why::Conflict);
        reasons.when(!tokens && self.held_back(&ends), Why::Locked);
        // A copy is charged for while what it replaces is still there.
        let relinked = how.moved && ends.from.0 == ends.to.0;
        let staged = ends.folder && !shallow && !versioned && !relinked;
        let beside = staged || (!ends.folder && ends.folder_there && !versioned && !how.moved);
        let (copied, limit) =
            (self.bytes_copied(&ends), self.buckets.get(ends.to.0).and_then(|bucket| bucket.quota));
        let over = copied > 0 && limit.is_some_and(|limit| before + copied > limit);
        reasons.when(beside && over, Why::Quota);
        if !reasons.0.is_empty() {
            return Ok(Answer::Refused(reasons.0));
        }
        let created = !ends.folder_there && !ends.file_there;
        let done = Did { created, ..Did::default() };
        let each = versioned || (how.moved && self.state(ends.from.0) != State::Never);
        Ok(match ends.folder {
            false if versioned && ends.folder_there => self.file_over_each(&ends),
            false => {
                self.file(&ends);
                self.charged(ends.to.0, before, done)
            }
            true if shallow => {
                self.folder_alone(&ends);
                self.charged(ends.to.0, before, done)
            }
            true if each => self.each(&ends, done),
            true => {
                self.whole(&ends);
                self.charged(ends.to.0, before, done)
            }
        })
    }

    fn bytes_copied(&self, ends: &Ends<'_>) -> u64 {
        let Some(bucket) = self.buckets.get(ends.from.0) else { return 0 };
        if !ends.folder {
            let versions = bucket.keys.get(&ends.from.1).map(|item| &item.versions);
            let version = versions.and_then(|versions| versions.get(ends.version));
            return version.and_then(|version| version.content.as_ref()).map_or(0, Content::size);
        }
        let below = bucket.below(&ends.from.1);
        let first = |key: &String| bucket.keys.get(key).and_then(|item| item.versions.first());
        below.iter().filter_map(|key| first(key)?.content.as_ref()).map(Content::size).sum()
    }

    fn state(&self, bucket: &str) -> State {
        self.buckets.get(bucket).map(|bucket| bucket.state).unwrap_or_default()
    }

    /// Finds both ends; what is wrong with the destination is gathered.
    fn ends<'a>(
        &mut self,
        from: &'a At,
        to: &'a At,
        how: How,
        reasons: &mut Reasons,
    ) -> Result<Ends<'a>, Vec<Why>> {
        let (source, folder, version) = self.source(from, how)?;
        let there = self.buckets.get(&to.bucket).ok_or_else(|| NOWHERE.to_vec())?;
        let (name, folder_there, file_there) = if to.path {
            match there.find(&to.name) {
                Stands::Root => return Err(vec![Why::Denied, Why::Conflict]),
                Stands::Folder(key) => (key, true, false),
                Stands::File(key) => (key, false, true),
                Stands::Nothing(key, fits) => {
                    reasons.when(!fits, Why::Conflict);
                    (key, false, false)
                }
            }
        } else {
            (to.name.clone(), false, there.file(&to.name).is_some())
        };
        let (from, to) = ((from.bucket.as_str(), source), (to.bucket.as_str(), name));
        Ok(Ends { from, to, folder, folder_there, file_there, how, version })
    }

    /// The source's name, whether it is a folder, and the version.
    fn source(&self, from: &At, how: How) -> Result<(String, bool, usize), Vec<Why>> {
        let bucket = self.buckets.get(&from.bucket).ok_or_else(|| NOWHERE.to_vec())?;
        if from.path {
            return match bucket.find(&from.name) {
                Stands::Root => Err(vec![Why::Denied]),
                Stands::Folder(key) => Ok((key, true, 0)),
                Stands::File(key) => Ok((key, false, 0)),
                Stands::Nothing(..) => Err(NOWHERE.to_vec()),
            };
        }
        let place = self.place(from, how.which).ok_or_else(|| vec![Why::Missing])?;
        let version = bucket.keys.get(&from.name).and_then(|item| item.versions.get(place));
        let marker = version.is_none_or(|version| version.content.is_none());
        if marker { Err(vec![Why::Marker]) } else { Ok((from.name.clone(), false, place)) }
    }

    fn overlap(&self, ends: &Ends<'_>, (from, to): (&At, &At), reasons: &mut Reasons) {
        if ends.from.0 != ends.to.0 {
            return;
        }
        let (a, b) = (ends.from.1.as_str(), ends.to.1.as_str());
        if !from.path {
            let changes = ends.how.retype.is_some() || ends.how.which != Which::Latest;
            reasons.when(a == b && !changes, Why::Invalid);
            return;
        }
        let nested = |inner: &str, outer: &str| inner != outer && within(inner, outer);
        reasons.when(from.name == to.name, Why::Denied);
        reasons.when(a == b && (ends.folder == ends.folder_there), Why::Denied);
        reasons.when(nested(&from.name, &to.name) || (ends.folder_there && nested(a, b)), Why::Conflict);
        reasons.when(ends.folder && nested(b, a), Why::Conflict);
    }

    /// Whether a lock forbids it.
    fn held_back(&self, ends: &Ends<'_>) -> bool {
        let (from, to) = (ends.from.0, ends.to.0);
        let same = from == to && ends.from.1 == ends.to.1;
        let mut held = false;
        if let Some(bucket) = self.buckets.get(to) {
            let (folder, above) = (format!("{}/", ends.to.1), bucket.holder(&ends.to.1));
            let root = match (ends.folder_there, ends.file_there) {
                (true, _) => Some(folder.as_str()),
                (_, true) => own(&ends.to.1),
                _ => None,
            };
            held |= self.locked((to, root), &above, !same);
            held |= ends.folder_there && self.locked_below(to, &ends.to.1);
            // A file hidden by that folder is what is written to.
            let hidden = ends.folder_there && !ends.folder && bucket.file(&ends.to.1).is_some();
            held |= hidden && self.locked((to, own(&ends.to.1)), &above, false);
        }
        held || (ends.how.moved && self.source_held((from, &ends.from.1), ends.folder))
    }

    /// Whether a lock forbids to take a file or folder away.
    fn source_held(&self, (bucket, key): (&str, &str), folder: bool) -> bool {
        let marker = format!("{key}/");
        let root = if folder { Some(marker.as_str()) } else { own(key) };
        self.locked((bucket, root), parent(key), true) || (folder && self.locked_below(bucket, key))
    }

    /// A new version at the destination with the content of the source, and its properties.
    pub(super) fn copy(&mut self, from: (&str, &str, usize), to: (&str, &str), how: How) {
        let item = self.buckets.get(from.0).and_then(|bucket| bucket.keys.get(from.1));
        let content = item.and_then(|item| item.versions.get(from.2)).and_then(|v| v.content.clone());
        let Some(content) = content else { return };
        let kind = how.retype.or(content.kind);
        let same = (from.0, from.1) == to;
        self.add(to.0, to.1, Some(Content { kind, ..content }), !same);
        // The marker of a folder stands for the folder.
        let (marker, made) = (from.1.ends_with('/'), to.1.ends_with('/'));
        let of_source = self.buckets.get(from.0).and_then(|bucket| bucket.props.get(from.1)).cloned();
        if let (Some(bucket), false) = (self.buckets.get_mut(to.0), same) {
            match (marker, made) {
                (true, true) | (false, false) => {
                    bucket.props.insert(to.1.to_owned(), of_source.unwrap_or_default());
                }
                (true, false) => drop(bucket.props.remove(to.1)),
                (false, true) => {}
            }
        }
    }

    /// One file, in one commit.
    fn file(&mut self, ends: &Ends<'_>) {
        let ((from, source), (to, name)) = (&ends.from, &ends.to);
        if ends.folder_there {
            self.drop_folder(to, name, false);
        }
        let moved = ends.how.moved;
        let beside = self.buckets.get(*to).is_some_and(|bucket| bucket.file(name).is_some());
        if moved && from == to && self.state(to) == State::Never && !beside {
            self.rename(from, source, name);
        } else {
            self.copy((from, source, ends.version), (to, name), ends.how);
            if moved {
                self.take(from, source, false);
            }
        }
        if moved {
            self.keep(from, parent(source));
        }
        self.tell_transfer(ends, "");
        self.settle();
    }

    /// In the bucket of the destination it is a move only if the source was there too.
    pub(super) fn tell_transfer(&mut self, ends: &Ends<'_>, slash: &str) {
        let ((from, source), (to, name)) = (&ends.from, &ends.to);
        let (source, name) = (format!("{source}{slash}"), format!("{name}{slash}"));
        let moved = ends.how.moved && from == to;
        self.tell(to, (if moved { "moved" } else { "copied" }, &name, Some(&source)));
        if ends.how.moved && from != to {
            self.tell(from, ("removed", &source, None));
        }
    }

    /// A key goes to another name with all that is on it, but its locks.
    fn rename(&mut self, bucket: &str, from: &str, to: &str) {
        let Some(bucket) = self.buckets.get_mut(bucket) else { return };
        if let Some(item) = bucket.keys.remove(from) {
            bucket.keys.insert(to.to_owned(), item);
        }
        bucket.locks.retain(|lock| lock.root != from);
        if let Some(props) = bucket.props.remove(from) {
            bucket.props.insert(to.to_owned(), props);
        }
    }

    /// Makes the destination of a folder free, in one commit.
    fn clear(&mut self, ends: &Ends<'_>) {
        let (to, name) = (ends.to.0, &ends.to.1);
        if ends.folder_there {
            self.drop_folder(to, name, false);
        } else if ends.file_there {
            self.take(to, name, true);
        }
    }

    fn folder_alone(&mut self, ends: &Ends<'_>) {
        self.clear(ends);
        let (from, to) = (format!("{}/", ends.from.1), format!("{}/", ends.to.1));
        self.add(ends.to.0, &to, Some(Content::nothing()), false);
        let props = self.buckets.get(ends.from.0).and_then(|bucket| bucket.props.get(&from)).cloned();
        if let (Some(bucket), Some(props)) = (self.buckets.get_mut(ends.to.0), props) {
            bucket.props.insert(to, props);
        }
        self.tell_transfer(ends, "/");
    }

    /// A folder in one commit: moved by its name, or a copy that appears as a whole.
    fn whole(&mut self, ends: &Ends<'_>) {
        let ((from, source), (to, name)) = (&ends.from, &ends.to);
        let (old, new) = (format!("{source}/"), format!("{name}/"));
        let Some(bucket) = self.buckets.get_mut(*from) else { return };
        let keys = bucket.below(source);
        let mut on = bucket.props.clone();
        on.retain(|root, _| root.starts_with(&old));
        let relinked = ends.how.moved && from == to;
        let items: Vec<_> =
            keys.iter().filter_map(|key| Some((key, bucket.keys.get(key)?.clone()))).collect();
        if ends.how.moved {
            bucket.keys.retain(|key, _| !keys.contains(key));
            bucket.locks.retain(|lock| !lock.root.starts_with(&old));
            bucket.props.retain(|root, _| !root.starts_with(&old));
        }
        self.clear(ends);
        for (key, mut item) in items {
            if !relinked {
                item.versions.truncate(1);
                item.past.clear();
                let (serial, now) = (self.serial(), self.now);
                item.versions.iter_mut().for_each(|version| {
                    *version = Version { serial, null: true, time: now, ..version.clone() };
                });
            }
            if let Some(bucket) = self.buckets.get_mut(*to) {
                bucket.keys.insert(key.replacen(&old, &new, 1), item);
            }
        }
        if let Some(bucket) = self.buckets.get_mut(*to) {
            bucket.props.extend(on.into_iter().map(|(root, of)| (root.replacen(&old, &new, 1), of)));
        }
        if ends.how.moved {
            self.keep(from, parent(source));
        }
        self.tell_transfer(ends, "/");
    }
}
