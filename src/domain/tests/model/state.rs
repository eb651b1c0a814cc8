//! What a bucket holds, as people would tell it: keys and their versions, in order. There are no
//! rows for folders here; a folder is there while a live key is below it.

use std::collections::{BTreeMap, BTreeSet};

use super::op::Body;

/// Content of a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Content {
    pub(crate) pieces: Vec<Body>,
    pub(crate) etag: String,
    /// Of the content types that runs use.
    pub(crate) kind: Option<u8>,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.length)).sum()
    }

    pub(crate) fn nothing() -> Self {
        Self { pieces: Vec::new(), etag: "d41d8cd98f00b204e9800998ecf8427e".into(), kind: None }
    }
}

/// A version; a delete marker has no content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Version {
    /// Never given twice in one run.
    pub(crate) serial: u64,
    pub(crate) content: Option<Content>,
    pub(crate) null: bool,
    pub(crate) time: i64,
}

impl Version {
    pub(crate) fn size(&self) -> u64 {
        self.content.as_ref().map_or(0, Content::size)
    }
}

/// When something was given up that is kept for a time, and its bytes.
pub(crate) type Kept = (i64, u64);

/// A key: its versions, the newest first, and what people keep of it beside them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    pub(crate) versions: Vec<Version>,
    pub(crate) past: Vec<Kept>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum State {
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// A lock on a root: a key, a folder with its slash, or nothing for the bucket itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lock {
    pub(crate) serial: u64,
    pub(crate) root: String,
    pub(crate) exclusive: bool,
    pub(crate) deep: bool,
    pub(crate) until: i64,
}

/// A row of the journal: what happened, to which key, and where that came from.
pub(crate) type Told = (&'static str, String, Option<String>);

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Bucket {
    /// Tells it from another of the same name.
    pub(crate) born: u64,
    pub(crate) keys: BTreeMap<String, Item>,
    pub(crate) state: State,
    /// Days of people's history.
    pub(crate) days: Option<u32>,
    pub(crate) quota: Option<u64>,
    /// Removed items, each with what was kept of it before.
    pub(crate) trash: Vec<(Kept, Vec<Kept>)>,
    pub(crate) locks: Vec<Lock>,
    /// Properties by root.
    pub(crate) props: BTreeMap<String, BTreeMap<u8, u8>>,
    pub(crate) journal: Vec<Told>,
}

/// What stands at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stands {
    Root,
    Folder(String),
    File(String),
    /// Nothing: the key a new name gets, and whether the folder it would be in is there.
    Nothing(String, bool),
}

pub(crate) fn parent(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(above, _)| above)
}

pub(crate) fn within(inner: &str, outer: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// The composed form of the one letter that runs use decomposed.
pub(crate) fn composed(name: &str) -> String {
    name.replace("e\u{301}", "\u{e9}")
}

/// Names that no path can carry.
fn hidden(name: &str) -> bool {
    matches!(name, "" | "." | "..")
}

/// One version as listings show it: key, size, tag, null, newest, when; a marker has no tag.
pub(crate) type Line = (String, u64, String, bool, bool, i64);

impl Bucket {
    /// Every version in the order of listings, and its serial.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (Line, u64)> {
        self.keys.iter().flat_map(|(key, item)| {
            item.versions.iter().enumerate().map(move |(place, version)| {
                let tag = version.content.as_ref().map(|content| content.etag.clone()).unwrap_or_default();
                let line = (key.clone(), version.size(), tag, version.null, place == 0, version.time);
                (line, version.serial)
            })
        })
    }

    pub(crate) fn file(&self, key: &str) -> Option<&Content> {
        self.keys.get(key)?.versions.first()?.content.as_ref()
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &String> {
        self.keys.keys().filter(|key| self.file(key).is_some())
    }

    /// Live keys below a folder, its marker first.
    pub(crate) fn below(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        self.live().filter(|key| key.starts_with(&prefix)).cloned().collect()
    }

    pub(crate) fn folder(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        path.is_empty() || self.live().any(|key| key.starts_with(&prefix))
    }

    /// The innermost folder above a key that is there.
    pub(crate) fn holder(&self, key: &str) -> String {
        let mut above = parent(key);
        while !self.folder(above) {
            above = parent(above);
        }
        above.to_owned()
    }

    /// Whether what a lock or a property hangs on is there.
    fn rooted(&self, root: &str) -> bool {
        match root.strip_suffix('/') {
            Some(folder) => self.folder(folder),
            None => root.is_empty() || self.file(root).is_some(),
        }
    }

    /// What was on names that are gone is gone with them.
    pub(crate) fn settle(&mut self) {
        let (mut locks, mut props) = (std::mem::take(&mut self.locks), std::mem::take(&mut self.props));
        locks.retain(|lock| self.rooted(&lock.root));
        props.retain(|root, of| !of.is_empty() && self.rooted(root));
        (self.locks, self.props) = (locks, props);
    }

    /// Direct members of a folder, folders with their slash, in the order of listings.
    pub(crate) fn members(&self, folder: &str) -> BTreeSet<String> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let tails = self.live().filter_map(|key| key.strip_prefix(&prefix));
        let name = |tail: &str| tail.split_inclusive('/').next().map(str::to_owned);
        tails.filter_map(name).collect()
    }

    /// Those of them that a tree door shows: of a file and a folder of one name the folder.
    pub(crate) fn shown(&self, folder: &str) -> Vec<String> {
        let all = self.members(folder);
        let twin = |name: &String| all.contains(&format!("{name}/"));
        let visible = |name: &&String| !hidden(name.trim_end_matches('/')) && !twin(name);
        all.iter().filter(visible).cloned().collect()
    }

    /// Whether a folder holds keys without a path, and nothing else but its marker.
    pub(crate) fn only_hidden(&self, folder: &str) -> bool {
        let any = self.members(folder).iter().any(|name| !name.is_empty());
        any && self.shown(folder).is_empty()
    }

    /// Finds a path: exact, composed, or stored decomposed; folders before files.
    pub(crate) fn find(&self, path: &str) -> Stands {
        let mut at = String::new();
        let mut rest = path.split('/').filter(|name| !name.is_empty()).peekable();
        if rest.peek().is_none() {
            return Stands::Root;
        }
        while let Some(name) = rest.next() {
            let last = rest.peek().is_none();
            let found = self.named(&at, name, last);
            match found {
                Some((name, true)) if last => return Stands::Folder(at + &name),
                Some((name, false)) => return Stands::File(at + &name),
                Some((name, true)) => at = format!("{at}{name}/"),
                None => {
                    let missing: Vec<String> = std::iter::once(name).chain(rest).map(composed).collect();
                    return Stands::Nothing(at + &missing.join("/"), last);
                }
            }
        }
        Stands::Root
    }

    /// The stored form of a name in a folder, and whether it is a folder.
    fn named(&self, at: &str, name: &str, files: bool) -> Option<(String, bool)> {
        let exact = [name.to_owned(), composed(name)];
        let stored = [composed(name).replace('\u{e9}', "e\u{301}")];
        let folder = |name: &String| self.folder(&format!("{at}{name}")).then(|| (name.clone(), true));
        let file = |name: &String| {
            (files && self.file(&format!("{at}{name}")).is_some()).then(|| (name.clone(), false))
        };
        let found = exact.iter().find_map(|name| folder(name).or_else(|| file(name)));
        found.or_else(|| stored.iter().find_map(folder)).or_else(|| stored.iter().find_map(file))
    }

    /// Keys under a prefix in order; with a delimiter those that agree up to it as one.
    pub(crate) fn grouped(&self, prefix: &str, grouped: bool) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for key in self.live() {
            let Some(tail) = key.strip_prefix(prefix) else { continue };
            let entry = match tail.find('/').filter(|_| grouped) {
                Some(at) => format!("{prefix}{}", tail.get(..=at).unwrap_or_default()),
                None => key.clone(),
            };
            if all.last() != Some(&entry) {
                all.push(entry);
            }
        }
        all
    }

    pub(crate) fn tell(&mut self, what: &'static str, key: &str, from: Option<&str>) {
        self.journal.push((what, key.to_owned(), from.map(str::to_owned)));
    }

    /// Bytes of current versions, of other versions, of history and trash; and files.
    pub(crate) fn usage(&self) -> (u64, u64, u64, u64) {
        let (mut live, mut older, mut files) = (0, 0, 0);
        for item in self.keys.values() {
            let newest = item.versions.first().map_or(0, Version::size);
            live += newest;
            older += item.versions.iter().map(Version::size).sum::<u64>() - newest;
            files += u64::from(item.versions.first().is_some_and(|newest| newest.content.is_some()));
        }
        let bytes = |kept: &[Kept]| kept.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let past: u64 = self.keys.values().map(|item| bytes(&item.past)).sum();
        let trash: u64 = self.trash.iter().map(|(item, past)| item.1 + bytes(past)).sum();
        (live, older, past + trash, files)
    }
}
