//! MOVE, COPY and DELETE through WebDAV lose nothing: each is done wholly or not at all, whatever
//! stands at the destination, whoever holds a lock, and whether the client or the power goes in the
//! middle. Onto itself, into itself and to where nothing can be are in `badinput::places`.

use std::{collections::BTreeMap, time::Duration};

use holdall::{
    domain::{
        caller::Caller,
        nouns::{BucketChange, NewLock, Versioning},
    },
    model::address::{Address, ItemPath},
};
use tokio::time::{sleep, timeout};

use crate::{
    common::{
        ask::Ask,
        sim::SimServer,
        wire::{Raw, Reply},
        world::bucket,
    },
    proof::{self, Dice},
};

/// Every file and the tag of its content, which no other file has but its copies.
type Files = BTreeMap<String, String>;

async fn ask(server: &SimServer, ask: Ask) -> Option<Reply> {
    server.olga().dav(ask).send(server.address()).await
}

async fn put(server: &SimServer, key: &str, content: &str) {
    let put = server.olga().s3(Ask::new("PUT", &format!("/olga/{key}")).body(content));
    assert_eq!(put.send(server.address()).await.unwrap().status, 200, "{key}");
}

async fn files(server: &SimServer) -> Files {
    let reply = server.olga().s3(Ask::new("GET", "/olga?list-type=2")).send(server.address()).await.unwrap();
    assert!(reply.text().contains("<IsTruncated>false</IsTruncated>"), "more than a page");
    let of = |part: &str, name: &str| {
        part.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    let parts = reply.text().split("<Contents>").skip(1);
    parts.map(|part| (of(part, "Key"), of(part, "ETag"))).filter(|(key, _)| !key.ends_with('/')).collect()
}

async fn started(versioning: Versioning) -> SimServer {
    let server = SimServer::start().await;
    if versioning != Versioning::Never {
        let change = BucketChange { versioning: Some(versioning), ..BucketChange::default() };
        server.holdall.change_bucket(&server.caller().await, &bucket("olga"), change).await.unwrap();
    }
    server
}

/// Waits until no folder is under way file by file.
async fn settled(server: &SimServer) {
    let done = async {
        while server.holdall.check(&Caller::Operator).await.unwrap().counts.batches > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), done).await.expect("it comes to its end");
}

/// What a verb does to the tree.
#[derive(Clone, Debug)]
struct Change {
    method: &'static str,
    from: String,
    to: String,
    overwrite: bool,
}

fn is_at(key: &str, path: &str) -> bool {
    key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Change {
    fn ask(&self) -> Ask {
        let ask = Ask::new(self.method, &format!("/dav/olga/{}", self.from));
        match self.method {
            "DELETE" => ask,
            _ => ask
                .with("destination", &format!("/dav/olga/{}", self.to))
                .with("overwrite", if self.overwrite { "T" } else { "F" }),
        }
    }

    /// The answer and the files afterwards.
    fn done(&self, before: &Files) -> (u16, Files) {
        let at = |path: &str| before.keys().any(|key| is_at(key, path));
        let (there, taken) = (at(&self.from), self.method != "DELETE" && at(&self.to));
        if !there || (taken && !self.overwrite) {
            return (if there { 412 } else { 404 }, before.clone());
        }
        let (mut after, moved) = (before.clone(), before.iter().filter(|(key, _)| is_at(key, &self.from)));
        if self.method != "COPY" {
            after.retain(|key, _| !is_at(key, &self.from));
        }
        if self.method != "DELETE" {
            after.retain(|key, _| !is_at(key, &self.to));
            after.extend(
                moved.map(|(key, tag)| (format!("{}{}", self.to, &key[self.from.len()..]), tag.clone())),
            );
        }
        (if taken || self.method == "DELETE" { 204 } else { 201 }, after)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_at_the_destination_is_replaced_as_a_whole_or_kept() {
    for versioning in [Versioning::Never, Versioning::Enabled] {
        let server = started(versioning).await;
        for method in ["COPY", "MOVE"] {
            for (from, to) in ["file", "folder", "nothing"].into_iter().flat_map(|from| {
                ["other", "filled", "free", "filled/deep", "filled/free"].map(|to| (from, to))
            }) {
                for overwrite in [false, true] {
                    for key in ["file", "folder/a", "folder/sub/b", "other", "filled/a", "filled/deep/c"] {
                        put(&server, key, key).await;
                    }
                    let before = files(&server).await;
                    let change = Change { method, from: from.into(), to: to.into(), overwrite };
                    let (status, after) = change.done(&before);
                    let reply = ask(&server, change.ask()).await.unwrap();
                    assert_eq!(reply.status, status, "{change:?} {versioning:?}: {}", reply.text());
                    assert_eq!(files(&server).await, after, "{change:?} {versioning:?}");
                    for gone in ["file", "folder", "other", "filled", "free"] {
                        ask(&server, Ask::new("DELETE", &format!("/dav/olga/{gone}"))).await.unwrap();
                    }
                    assert_eq!(files(&server).await, Files::new());
                }
            }
        }
        server.assert_clean(&format!("{versioning:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_locked_stays_where_it_is() {
    let server = started(Versioning::Never).await;
    for key in ["file", "folder/a", "folder/sub/b", "other", "filled/a"] {
        put(&server, key, key).await;
    }
    let (before, olga) = (files(&server).await, server.caller().await);
    let change =
        |method, from: &str, to: &str| Change { method, from: from.into(), to: to.into(), overwrite: true };
    for (locked, deep, changes) in [
        ("other", false, vec![change("MOVE", "file", "other"), change("COPY", "folder", "other")]),
        ("filled/a", false, vec![change("MOVE", "folder", "filled"), change("COPY", "file", "filled")]),
        ("filled", true, vec![change("MOVE", "file", "filled/new"), change("COPY", "file", "filled/a")]),
        ("file", false, vec![change("MOVE", "file", "new"), change("DELETE", "file", "")]),
        ("folder/sub/b", false, vec![change("MOVE", "folder", "new"), change("DELETE", "folder", "")]),
        ("folder/sub", true, vec![change("MOVE", "folder/sub/b", "new"), change("DELETE", "folder/sub", "")]),
    ] {
        let at = Address::path(bucket("olga"), ItemPath::parse(locked).unwrap());
        let new = NewLock { exclusive: true, deep, owner: "me".into(), ..NewLock::default() };
        let (lock, _) = server.holdall.lock(&olga, &at, new).await.unwrap();
        for change in changes {
            let reply = ask(&server, change.ask()).await.unwrap();
            assert_eq!(reply.status, 423, "{change:?}, {locked} is locked: {}", reply.text());
            assert_eq!(files(&server).await, before, "{change:?}");
            assert_eq!(server.holdall.locks(&olga, &at).await.unwrap().len(), 1, "{change:?}");
        }
        server.holdall.unlock(&olga, &at, &lock.token.unwrap()).await.unwrap();
    }
}

/// Names that are a file, a folder or nothing.
const NAMES: u64 = 5;

fn any_change(dice: &mut Dice) -> Change {
    let from = dice.roll(NAMES);
    let to = (from + 1 + dice.roll(NAMES - 1)) % NAMES;
    let method = ["COPY", "MOVE", "MOVE", "DELETE"][usize::try_from(dice.roll(4)).unwrap()];
    Change { method, from: format!("n{from}"), to: format!("n{to}"), overwrite: dice.roll(4) > 0 }
}

/// Fills a name that has nothing, with a file or a folder.
async fn fill(server: &SimServer, dice: &mut Dice) {
    let there = files(server).await;
    for name in (0..NAMES - 1).map(|n| format!("n{n}")) {
        if there.keys().any(|key| is_at(key, &name)) {
            continue;
        }
        let content = format!("{name} {}", dice.next());
        if dice.roll(4) == 0 {
            put(server, &name, &content).await;
            continue;
        }
        for n in 0..8 {
            let folder = if n > 5 { "sub/" } else { "" };
            put(server, &format!("{name}/{folder}{n}"), &format!("{content} {n}")).await;
        }
    }
}

/// One change while the client or the power goes; the server afterwards, and whether it was done.
async fn disturbed(server: SimServer, dice: &mut Dice, case: &str) -> (SimServer, bool) {
    let (change, before) = (any_change(dice), files(&server).await);
    let (_, after) = change.done(&before);
    let cut = dice.roll(2) == 0;
    let server = if cut {
        server.disk.crash_after(dice.roll(120));
        let answer = ask(&server, change.ask()).await;
        let acknowledged = answer.is_some_and(|reply| reply.status / 100 == 2);
        let server = server.after_cut(dice.next()).await;
        settled(&server).await;
        assert!(!acknowledged || files(&server).await == after, "{case}: {change:?} was acknowledged");
        server
    } else {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(server.olga().dav(change.ask()).head()).await;
        sleep(Duration::from_micros(dice.roll(4000))).await;
        drop(raw);
        // It may not even have been read yet, and ends while the next server is started.
        let server = server.restart().await;
        settled(&server).await;
        server
    };
    let found = files(&server).await;
    assert!(found == before || found == after, "{case}: {change:?} made {found:#?} of {before:#?}");
    server.assert_clean(case).await;
    (server, found == after && before != after)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_disturbed_in_the_middle_is_done_wholly_or_not_at_all() {
    let one = std::env::var("HOLDALL_MOVES").ok().map(|seed| seed.parse().unwrap());
    let (mut dice, mut done, mut all) = (Dice(proof::seed("moving")), 0, 0);
    for _ in 0..one.map_or(proof::size(4, 60), |_| 1) {
        let seed = one.unwrap_or_else(|| dice.next());
        let mut own = Dice(seed);
        let versioning = if own.roll(2) == 0 { Versioning::Never } else { Versioning::Enabled };
        let mut server = started(versioning).await;
        for round in 0..20 {
            fill(&server, &mut own).await;
            let case = format!("round {round}; again: HOLDALL_MOVES={seed} cargo test --test it -- moving::");
            let was;
            (server, was) = disturbed(server, &mut own, &case).await;
            done += u64::from(was);
            all += 1;
        }
    }
    println!("{done} of {all} were done");
    assert!(one.is_some() || (done > 0 && done < all), "{done} of {all}");
}
