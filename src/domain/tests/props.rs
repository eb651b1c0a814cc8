//! Dead properties: set all or none, and where they go with their file or folder.

use super::*;
use crate::{
    domain::{
        error::What,
        nouns::{
            BucketChange, Change, Event, Item, ListKeys, Member, NewLock, Prop, PropChange, PropOptions,
            PropsSet, Versioning,
        },
    },
    model::limits,
};

fn prop(name: &str, value: &str) -> Prop {
    Prop { namespace: "urn:x".into(), name: name.into(), xml: format!("<{name}>{value}</{name}>") }
}

fn set(name: &str, value: &str) -> PropChange {
    PropChange::Set(prop(name, value))
}

fn unset(name: &str) -> PropChange {
    PropChange::Remove { namespace: "urn:x".into(), name: name.into() }
}

struct Props {
    trial: Trial,
    ada: Caller,
}

impl Props {
    async fn new(paths: &[&str]) -> Self {
        let (trial, ada) = Trial::with_files(paths).await;
        Self { trial, ada }
    }

    async fn change(&self, text: &str, changes: Vec<PropChange>) -> Result<PropsSet, Error> {
        let options = PropOptions::default();
        self.trial.holdall.set_props(&self.ada, &path("ada", text), changes, options).await
    }

    async fn shown(&self, at: &Address) -> String {
        let props = self.trial.holdall.props(&self.ada, at).await.unwrap();
        props.iter().map(|prop| prop.xml.as_str()).collect()
    }

    async fn of(&self, text: &str) -> String {
        self.shown(&path("ada", text)).await
    }

    async fn moved(&self, from: &str, to: &str) {
        self.go(Transfer::Move, from, to).await;
    }

    async fn go(&self, how: Transfer, from: &str, to: &str) {
        let (from, to) = (path("ada", from), path("ada", to));
        self.trial.transfer((&self.ada, how), &from, &to, &[]).await.unwrap();
    }

    async fn journal(&self) -> Vec<Change> {
        self.trial.holdall.changes(&self.ada, &bucket("ada"), None, 1000).await.unwrap().listed().unwrap()
    }

    async fn keys(&self) -> String {
        let which = ListKeys { limit: 100, ..ListKeys::default() };
        let page = self.trial.holdall.list_keys(&self.ada, &bucket("ada"), which).await.unwrap();
        let keys: Vec<_> = page.entries.iter().map(|entry| format!("{entry:?}")).collect();
        keys.iter().map(|key| key.split('"').nth(1).unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    }

    async fn version(&self) {
        let change = BucketChange { versioning: Some(Versioning::Enabled), ..BucketChange::default() };
        self.trial.holdall.change_bucket(&self.ada, &bucket("ada"), change).await.unwrap();
    }

    /// Rows of properties in the whole store.
    async fn rows(&self) -> usize {
        self.trial.assert_sound().await;
        use crate::store::meta::{
            rows::{KeyRange, Order, Rows},
            table::Table,
        };
        let all = KeyRange::prefix(Vec::new());
        let count = move |rows: &crate::store::meta::Snapshot| {
            Ok(rows.scan(Table::Prop, &all, Order::Forward, 9999)?.len())
        };
        self.trial.holdall.read(count).await.unwrap()
    }
}

#[tokio::test]
async fn steps_count_in_their_order_and_all_or_none() {
    let it = Props::new(&["a"]).await;
    it.change("a", vec![set("x", "1"), unset("x"), set("y", "1"), unset("z"), set("y", "2")]).await.unwrap();
    assert_eq!(it.of("a").await, "<y>2</y>");
    let other = Prop { namespace: String::new(), ..prop("y", "none") };
    it.change("a", vec![PropChange::Set(other)]).await.unwrap();
    assert_eq!(it.of("a").await, "<y>none</y><y>2</y>", "namespaces tell names apart");
    let changes = it.journal().await;
    it.change("a", vec![set("y", "2"), unset("nothing")]).await.unwrap();
    assert_eq!(it.journal().await, changes, "nothing changed");
    assert_eq!(
        changes.last().map(|change| (&change.event, change.path.as_str())),
        Some((&Event::Props, "a"))
    );
    let huge = "x".repeat(limits::PROP_BYTES);
    let refused = it.change("a", vec![set("z", "1"), set("huge", &huge)]).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })));
    let many = (0..=limits::PROPS_PER_NODE).map(|n| set(&format!("p{n}"), "")).collect();
    assert!(matches!(it.change("a", many).await, Err(Error::TooMany { .. })));
    let large = "x".repeat(limits::PROP_BYTES - 100);
    let wide = (0..5).map(|n| set(&format!("p{n}"), &large)).collect();
    assert!(matches!(it.change("a", wide).await, Err(Error::TooMany { .. })));
    assert_eq!(it.of("a").await, "<y>none</y><y>2</y>");
    it.change("a", vec![set("large", &large)]).await.unwrap();
    it.trial.put(&it.ada, &key("ada", "a"), &[]).await.unwrap();
    assert!(it.of("a").await.len() > large.len(), "new content keeps them");
    assert!(matches!(it.change("b", vec![]).await, Err(Error::NotFound(What::Item, _))));
    let bob = it.trial.caller("bob").await;
    assert!(matches!(it.trial.holdall.props(&bob, &path("ada", "a")).await, Err(Error::Denied(_))));
    let refused = it.trial.holdall.set_props(&bob, &path("ada", "a"), vec![], PropOptions::default()).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_folder_nobody_made_becomes_explicit_with_its_first_property() {
    let it = Props::new(&["a/b/c"]).await;
    it.change("a/b", vec![unset("x")]).await.unwrap();
    assert_eq!(it.keys().await, "a/b/c");
    it.change("a/b", vec![set("x", "1")]).await.unwrap();
    assert_eq!(it.keys().await, "a/b/ a/b/c");
    it.change("", vec![set("root", "1")]).await.unwrap();
    assert_eq!(it.of("").await, "<root>1</root>");
    it.trial.remove(&it.ada, &key("ada", "a/b/c"), &[]).await.unwrap();
    assert_eq!(it.of("a/b").await, "<x>1</x>");
    let page = it.trial.holdall.list_folder(&it.ada, &path("ada", "a"), None, 10).await.unwrap();
    assert!(matches!(&page.members[..], [Member::Folder(folder)] if folder.has_props));
    it.change("a/b", vec![unset("x")]).await.unwrap();
    let page = it.trial.holdall.list_folder(&it.ada, &path("ada", "a"), None, 10).await.unwrap();
    assert!(matches!(&page.members[..], [Member::Folder(folder)] if !folder.has_props));
    let last = it.journal().await.pop().unwrap();
    assert_eq!((last.event, last.path.as_str()), (Event::Props, "a/b/"));
}

#[tokio::test]
async fn who_sets_a_property_is_told_whether_a_folder_has_it() {
    let it = Props::new(&["a", "d/e"]).await;
    for (text, folder) in [("a", false), ("d/e", false), ("d", true), ("", true)] {
        // The second time nothing changes.
        for _ in 0..2 {
            assert_eq!(it.change(text, vec![set("x", "1")]).await.unwrap().folder, folder, "{text}");
        }
    }
}

#[tokio::test]
async fn a_new_time_makes_no_new_version() {
    let it = Props::new(&["a", "d/e"]).await;
    it.version().await;
    it.trial.put(&it.ada, &key("ada", "a"), &[]).await.unwrap();
    let options = PropOptions { modified: Some(Timestamp(5_000)), ..PropOptions::default() };
    for text in ["a", "d"] {
        let done = it.trial.holdall.set_props(&it.ada, &path("ada", text), vec![], options.clone()).await;
        done.unwrap();
    }
    let Item::File(file) = it.trial.holdall.stat(&it.ada, &path("ada", "a"), None).await.unwrap() else {
        panic!("a folder")
    };
    assert_eq!(file.modified, Timestamp(5_000));
    assert_eq!(file.committed, Timestamp(1_000_000));
    let all = crate::domain::nouns::ListVersions { prefix: "a".into(), limit: 10, ..Default::default() };
    let versions = it.trial.holdall.list_versions(&it.ada, &bucket("ada"), all).await.unwrap();
    assert_eq!(versions.entries.len(), 2);
    let bucket = it.trial.holdall.set_props(&it.ada, &path("ada", ""), vec![], options).await;
    assert!(matches!(bucket, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_lock_guards_properties() {
    let it = Props::new(&["a/b"]).await;
    let deep = NewLock { deep: true, exclusive: true, ..NewLock::default() };
    let token = it.trial.holdall.lock(&it.ada, &path("ada", "a"), deep).await.unwrap().0.token.unwrap();
    for text in ["a", "a/b"] {
        assert!(matches!(it.change(text, vec![set("x", "1")]).await, Err(Error::Locked(_))));
        let options = PropOptions { tokens: vec![token.clone()], ..PropOptions::default() };
        let changes = vec![set("x", "1")];
        it.trial.holdall.set_props(&it.ada, &path("ada", text), changes, options).await.unwrap();
    }
}

#[tokio::test]
async fn they_move_and_are_copied_and_end_with_what_they_are_on() {
    let it = Props::new(&["f", "g", "a/b/c", "a/d"]).await;
    it.change("f", vec![set("f", "1")]).await.unwrap();
    it.change("g", vec![set("g", "1"), set("h", "1")]).await.unwrap();
    it.change("a", vec![set("a", "1")]).await.unwrap();
    it.change("a/b", vec![set("b", "1")]).await.unwrap();
    it.change("a/b/c", vec![set("c", "1")]).await.unwrap();
    it.go(Transfer::Copy, "f", "g").await;
    assert_eq!(it.of("g").await, "<f>1</f>");
    it.moved("f", "new").await;
    assert_eq!(it.of("new").await, "<f>1</f>");
    it.trial.put(&it.ada, &key("ada", "f"), &[]).await.unwrap();
    assert_eq!(it.of("f").await, "");
    it.moved("f", "g").await;
    assert_eq!(it.of("g").await, "", "what replaces a file brings its own");
    it.go(Transfer::Copy, "a", "copy").await;
    it.moved("a", "moved").await;
    for root in ["copy", "moved"] {
        assert_eq!(it.of(root).await, "<a>1</a>");
        assert_eq!(it.of(&format!("{root}/b")).await, "<b>1</b>");
        assert_eq!(it.of(&format!("{root}/b/c")).await, "<c>1</c>");
        assert_eq!(it.of(&format!("{root}/d")).await, "");
    }
    let shallow = TransferOptions { shallow: true, ..TransferOptions::default() };
    let (from, to) = (path("ada", "moved"), path("ada", "alone"));
    it.trial.holdall.transfer(&it.ada, Transfer::Copy, &from, &to, shallow).await.unwrap();
    assert_eq!(it.of("alone").await, "<a>1</a>");
    it.trial.assert_sound().await;
    it.trial.remove(&it.ada, &path("ada", "alone"), &[]).await.unwrap();
    it.trial.holdall.make_folder(&it.ada, &path("ada", "alone"), &WriteOptions::default()).await.unwrap();
    assert_eq!(it.of("alone").await, "");
}

#[tokio::test]
async fn they_cross_buckets_and_nothing_of_them_stays() {
    let it = Props::new(&[]).await;
    let holdall = &it.trial.holdall;
    holdall.create_bucket(&it.ada, &bucket("one"), Default::default()).await.unwrap();
    holdall.create_bucket(&it.ada, &bucket("two"), Default::default()).await.unwrap();
    for text in ["f", "a/b"] {
        it.trial.put(&it.ada, &key("one", text), &[]).await.unwrap();
    }
    for text in ["f", "a", "a/b"] {
        let (changes, options) = (vec![set("x", text)], PropOptions::default());
        holdall.set_props(&it.ada, &path("one", text), changes, options).await.unwrap();
    }
    for text in ["f", "a"] {
        let (from, to) = (path("one", text), path("two", text));
        it.trial.transfer((&it.ada, Transfer::Move), &from, &to, &[]).await.unwrap();
    }
    for text in ["f", "a", "a/b"] {
        assert_eq!(it.shown(&path("two", text)).await, format!("<x>{text}</x>"));
    }
    holdall.work_off(&Default::default()).await.unwrap();
    assert_eq!(it.rows().await, 3);
    for text in ["f", "a"] {
        it.trial.remove(&it.ada, &path("two", text), &[]).await.unwrap();
    }
    holdall.work_off(&Default::default()).await.unwrap();
    assert_eq!(it.rows().await, 0);
}

#[tokio::test]
async fn a_folder_of_a_versioned_bucket_takes_them_along_too() {
    let it = Props::new(&["a/b/c", "a/d"]).await;
    it.version().await;
    for text in ["a", "a/b", "a/b/c"] {
        it.change(text, vec![set("x", text)]).await.unwrap();
    }
    it.moved("a", "q").await;
    for text in ["", "/b", "/b/c"] {
        assert_eq!(it.of(&format!("q{text}")).await, format!("<x>a{text}</x>"));
    }
    assert_eq!(it.rows().await, 3);
    it.trial.remove(&it.ada, &path("ada", "q"), &[]).await.unwrap();
    assert_eq!(it.rows().await, 0);
}

#[tokio::test]
async fn many_large_ones_are_copied_in_more_than_one_step() {
    let names: Vec<String> = (0..12).map(|n| format!("a/{n:02}")).collect();
    let it = Props::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let large = "x".repeat(60_000);
    for name in &names {
        it.change(name, (0..4).map(|n| set(&format!("p{n}"), &large)).collect()).await.unwrap();
    }
    it.go(Transfer::Copy, "a", "b").await;
    for name in &names {
        assert_eq!(it.of(name).await, it.of(&name.replace('a', "b")).await);
    }
}

#[tokio::test]
async fn twins_are_listed_for_the_owner_and_the_operator() {
    let it = Props::new(&["a", "a/b", "c/d", "c/d/e", "c/d/e/f", "g"]).await;
    let twins = |who: &Caller, after: Option<&str>, limit| {
        let (holdall, who) = (it.trial.holdall.clone(), who.clone());
        let after = after.map(str::to_owned);
        async move { holdall.twins(&who, &bucket("ada"), after, limit).await }
    };
    assert_eq!(twins(&it.ada, None, 10).await.unwrap(), ["a", "c/d", "c/d/e"]);
    assert_eq!(twins(&Caller::Operator, None, 2).await.unwrap(), ["a", "c/d"]);
    assert_eq!(twins(&Caller::Operator, Some("c/d"), 2).await.unwrap(), ["c/d/e"]);
    let bob = it.trial.caller("bob").await;
    assert!(matches!(twins(&bob, None, 10).await, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_copy_on_a_folders_marker_brings_no_files_properties() {
    let props = Props::new(&["a", "f/x"]).await;
    props.change("a", vec![set("one", "1")]).await.unwrap();
    let before = props.rows().await;
    let marker = Address::key(bucket("ada"), ObjectKey::parse("f/").unwrap());
    let options = TransferOptions::default();
    let from = path("ada", "a");
    props.trial.holdall.transfer(&props.ada, Transfer::Copy, &from, &marker, options).await.unwrap();
    assert_eq!((props.rows().await, props.of("f").await.as_str()), (before, ""));
}
