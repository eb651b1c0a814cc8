//! Random verbs, held against a model that knows nothing of folders: keys and their versions.

use std::collections::BTreeMap;

use super::{shelf::Shelf, *};
use crate::{
    domain::nouns::{HistoryPolicy, VersionRef, Versioning},
    outside::random::Random,
};

/// A version: whether it is the null one, and its content; none for a marker.
type Version = (bool, Option<String>);

#[derive(Default)]
struct Model {
    keys: BTreeMap<String, Vec<Version>>,
    state: Option<Versioning>,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

impl Model {
    fn state(&self) -> Versioning {
        self.state.unwrap_or(Versioning::Never)
    }

    fn never(&self) -> bool {
        self.state() == Versioning::Never
    }

    fn live(&self) -> impl Iterator<Item = (&String, &String)> {
        self.keys.iter().filter_map(|(key, versions)| Some((key, versions.first()?.1.as_ref()?)))
    }

    fn file(&self, key: &str) -> Option<String> {
        self.keys.get(key)?.first()?.1.clone()
    }

    fn below(&self, path: &str) -> Vec<String> {
        let prefix = format!("{path}/");
        self.live().map(|(key, _)| key.clone()).filter(|key| key.starts_with(&prefix)).collect()
    }

    fn folder(&self, path: &str) -> bool {
        path.is_empty() || !self.below(path).is_empty()
    }

    fn add(&mut self, key: &str, content: Option<String>) {
        let state = self.state();
        let versions = self.keys.entry(key.to_owned()).or_default();
        match state {
            Versioning::Never => versions.clear(),
            Versioning::Enabled => {}
            Versioning::Suspended => versions.retain(|(null, _)| !null),
        }
        versions.insert(0, (state != Versioning::Enabled, content));
    }

    fn take(&mut self, key: &str) {
        if self.never() {
            self.keys.remove(key);
        } else {
            self.add(key, None);
        }
    }

    fn keep(&mut self, path: &str) {
        if !self.folder(path) {
            self.add(&format!("{path}/"), Some(String::new()));
        }
    }

    fn mkcol(&mut self, path: &str) -> bool {
        let free = !self.folder(path) && self.file(path).is_none() && self.folder(parent(path));
        if free {
            self.add(&format!("{path}/"), Some(String::new()));
        }
        free
    }

    fn path_put(&mut self, path: &str, content: &str) -> bool {
        let fits = !self.folder(path) && self.folder(parent(path));
        if fits {
            self.add(path, Some(content.to_owned()));
        }
        fits
    }

    fn path_remove(&mut self, path: &str) -> bool {
        let files = if self.folder(path) {
            self.below(path)
        } else {
            self.file(path).map(|_| path.to_owned()).into_iter().collect()
        };
        files.iter().for_each(|key| self.take(key));
        if !files.is_empty() {
            self.keep(parent(path));
        }
        !files.is_empty()
    }

    fn key_transfer(&mut self, from: &str, to: &str, moved: bool) -> bool {
        let Some(content) = self.file(from).filter(|_| from != to) else { return false };
        self.add(to, Some(content));
        if moved {
            self.take(from);
        }
        true
    }

    fn path_transfer(&mut self, from: &str, to: &str, moved: bool) -> bool {
        let within = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
        if from == to || within(from, to) || !self.folder(parent(to)) {
            return false;
        }
        let folder = self.folder(from);
        if (folder && within(to, from)) || (!folder && self.file(from).is_none()) {
            return false;
        }
        let beside = self.folder(to);
        let (marker, sources) = (format!("{to}/"), self.below(from));
        for key in self.below(to) {
            // File by file, what is to be replaced gets its new version on top.
            let source = format!("{from}{}", &key[to.len()..]);
            if self.never() || !folder || (key != marker && !sources.contains(&source)) {
                self.take(&key);
            }
        }
        if folder {
            if !beside && self.file(to).is_some() {
                self.take(to);
            }
            if !self.never() && self.file(&marker).is_none() {
                self.add(&marker, Some(String::new()));
            }
            for key in self.below(from) {
                self.key_transfer(&key.clone(), &format!("{to}{}", &key[from.len()..]), moved);
            }
        } else {
            self.key_transfer(from, to, moved);
        }
        if moved {
            self.keep(parent(from));
        }
        true
    }

    fn remove_version(&mut self, key: &str, index: Option<usize>) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let index = index.or_else(|| versions.iter().position(|(null, _)| *null));
        if let Some(index) = index {
            versions.remove(index);
        }
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }
}

struct Dice(SeededRandom);

impl Dice {
    fn roll(&self, sides: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes) as usize % sides
    }

    fn path(&self) -> String {
        let depth = 1 + self.roll(3);
        let names: Vec<_> = (0..depth).map(|_| ["a", "b", "cc"][self.roll(3)]).collect();
        names.join("/")
    }

    fn key(&self) -> String {
        let path = self.path();
        if self.roll(8) == 0 { path + "/" } else { path }
    }
}

/// One step on both; the last word tells it apart when they disagree.
async fn step(shelf: &Shelf, model: &mut Model, dice: &Dice, number: usize) -> String {
    let (from, to) = (dice.key(), dice.key());
    let (path, into) = (dice.path(), dice.path());
    let content = format!("content {number}");
    let (word, real, expected) = match dice.roll(12) {
        0..=2 => {
            model.add(&from, Some(content.clone()));
            (format!("put {from}"), shelf.put(&shelf.key(&from), &content).await.map(drop), true)
        }
        3 => {
            let fits = model.path_put(&path, &content);
            (format!("put path {path}"), shelf.put(&shelf.path(&path), &content).await.map(drop), fits)
        }
        4 => {
            model.take(&from);
            (format!("remove {from}"), shelf.remove(&shelf.key(&from)).await.map(drop), true)
        }
        5 => {
            let there = model.path_remove(&path);
            (format!("remove path {path}"), shelf.remove(&shelf.path(&path)).await.map(drop), there)
        }
        6 => {
            let free = model.mkcol(&path);
            (format!("mkcol {path}"), shelf.mkcol(&path).await.map(drop), free)
        }
        7 => {
            let moved = dice.roll(2) == 0;
            let fits = model.key_transfer(&from, &to, moved);
            let (a, b) = (shelf.key(&from), shelf.key(&to));
            let real = if moved { shelf.mv(&a, &b).await } else { shelf.copy(&a, &b).await };
            (format!("transfer {from} {to} {moved}"), real.map(drop), fits)
        }
        8 | 9 => {
            let moved = dice.roll(2) == 0;
            let fits = model.path_transfer(&path, &into, moved);
            let (a, b) = (shelf.path(&path), shelf.path(&into));
            let real = if moved { shelf.mv(&a, &b).await } else { shelf.copy(&a, &b).await };
            (format!("transfer path {path} {into} {moved}"), real.map(drop), fits)
        }
        _ if model.never() => return String::new(),
        _ => {
            let versions = ids(shelf, &from).await;
            let index = (!versions.is_empty() && dice.roll(4) > 0).then(|| dice.roll(versions.len()));
            model.remove_version(&from, index);
            let which = index.map_or(VersionRef::Null, |index| versions[index]);
            let real = shelf.remove_version(&from, which).await;
            (format!("remove version {from} {which:?}"), real.map(drop), true)
        }
    };
    assert_eq!(real.is_ok(), expected, "{word}: {real:?}");
    word
}

async fn ids(shelf: &Shelf, key: &str) -> Vec<VersionRef> {
    use crate::domain::nouns::{ListVersions, VersionEntry};
    let which = ListVersions { prefix: key.to_owned(), limit: 1000, ..ListVersions::default() };
    let page = shelf.holdall.list_versions(&shelf.who, &shelf.bucket, which).await.unwrap();
    let of_key = page.entries.into_iter().filter_map(|entry| match entry {
        VersionEntry::Version(version) => (version.key == key).then_some(VersionRef::Id(version.id)),
        VersionEntry::Marker { key: found, id, .. } => (found == key).then_some(VersionRef::Id(id)),
        VersionEntry::Prefix(_) => None,
    });
    of_key.collect()
}

async fn compare(shelf: &Shelf, model: &Model, said: &[String]) {
    let keys: Vec<String> = model.live().map(|(key, _)| key.clone()).collect();
    assert_eq!(shelf.keys().await, keys, "{said:#?}");
    let versions = model.keys.iter().flat_map(|(key, versions)| {
        versions.iter().enumerate().map(|(index, (null, content))| {
            let kind = match (null, content) {
                (true, Some(_)) => "null",
                (false, Some(_)) => "file",
                (true, None) => "null marker",
                (false, None) => "marker",
            };
            (key.clone(), kind, index == 0)
        })
    });
    assert_eq!(shelf.versions().await, versions.collect::<Vec<_>>(), "{said:#?}");
    for path in ["", "a", "b", "cc", "a/b", "b/b"] {
        let members = shelf.members(path).await.ok();
        assert_eq!(members, expected_members(model, path), "{path}: {said:#?}");
    }
    for (key, content) in model.live() {
        let read = shelf.read(&shelf.key(key), None).await.unwrap();
        assert_eq!(&read, content, "{key}: {said:#?}");
    }
    let strays = shelf.strays().await;
    assert!(strays.is_empty(), "{strays:#?} {said:#?}");
}

fn expected_members(model: &Model, path: &str) -> Option<Vec<String>> {
    if !model.folder(path) {
        return None;
    }
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut members = std::collections::BTreeSet::new();
    for (key, _) in model.live() {
        let Some(tail) = key.strip_prefix(&prefix).filter(|tail| !tail.is_empty()) else { continue };
        members.insert(match tail.split_once('/') {
            Some((folder, _)) => format!("{prefix}{folder}/"),
            None => key.clone(),
        });
    }
    let twins: Vec<String> = members.iter().filter(|m| members.contains(&format!("{m}/"))).cloned().collect();
    members.retain(|member| !twins.contains(member));
    Some(members.into_iter().collect())
}

async fn run(seed: u64, history: HistoryPolicy, steps: usize) {
    let shelf = Shelf::with(history).await;
    let (mut model, dice) = (Model::default(), Dice(SeededRandom::new(seed)));
    let mut said = vec![format!("seed {seed}")];
    for number in 0..steps {
        let turn = dice.roll(20);
        if number > steps / 3 && turn < 2 {
            let state = if turn == 0 { Versioning::Enabled } else { Versioning::Suspended };
            shelf.versioning(state).await;
            model.state = Some(state);
            said.push(format!("{state:?}"));
        }
        said.push(step(&shelf, &mut model, &dice, number).await);
        if number % 4 == 0 || number + 1 == steps {
            compare(&shelf, &model, &said).await;
        }
    }
}

#[tokio::test]
async fn random_verbs_leave_what_a_flat_model_says() {
    for seed in 0..12 {
        run(seed, HistoryPolicy::Off, 60).await;
    }
}

#[tokio::test]
async fn random_verbs_with_history_for_people_leave_what_a_flat_model_says() {
    for seed in 100..106 {
        run(seed, HistoryPolicy::Days(30), 60).await;
    }
}
