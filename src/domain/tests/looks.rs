//! Short reads: answered on the thread that asks, and a change counts from its answer on.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

use super::{shelf::Shelf, *};
use crate::{
    domain::{Waits, error::Unrecognised},
    store::io::disk::Wait as _,
};

/// Runs `act` on a runtime with one worker.
fn on_one_worker(blocking: usize, act: impl Future<Output = ()> + Send + 'static) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).max_blocking_threads(blocking).enable_all().build().unwrap();
    runtime.block_on(async { tokio::spawn(act).await.unwrap() });
}

#[test]
fn a_short_read_needs_no_other_thread() {
    on_one_worker(2, async {
        let trial = Trial::new().await;
        let (key, secret) = trial.holdall.add_key(&Caller::Operator, &account("ada"), None).await.unwrap();
        let (_, token) = trial.app_password("ada", Scope::default()).await;
        let shelf = Shelf::new().await;
        let at = shelf.path("folder/file");
        shelf.mkcol("folder").await.unwrap();
        shelf.put(&at, "content").await.unwrap();
        // The only thread for blocking work is taken; the runtime has the other for its worker.
        let (free, taken) = mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || taken.recv());
        trial.by_key(&key.id, &secret).await.unwrap();
        trial.login("ada", token.reveal()).await.unwrap();
        trial.by_token(&token).await.unwrap();
        assert_eq!(shelf.read(&at, None).await.unwrap(), "content");
        shelf.stat(&at).await.unwrap();
        drop(free);
        busy.await.unwrap().unwrap_err();
    });
}

#[test]
fn who_waits_for_the_disk_lets_the_other_tasks_go_on() {
    on_one_worker(2, async {
        let (come, disk) = mpsc::channel();
        let other = tokio::spawn(async move { come.send(()).unwrap() });
        let mut came = Err(mpsc::RecvError);
        Waits::default().wait(&mut || came = disk.recv());
        came.unwrap();
        other.await.unwrap();
    });
}

#[tokio::test]
async fn a_credential_that_was_just_used_counts_no_longer_once_it_was_removed() {
    let trial = Trial::new().await;
    let (holdall, ada) = (&trial.holdall, account("ada"));
    let refused = |answer: Result<Caller, Error>, why| match answer {
        Err(Error::Unauthenticated(found)) => assert_eq!(found, why),
        other => panic!("{other:?}"),
    };
    for _ in 0..3 {
        // The same id each time, with another secret: a key that is made again is not the old one.
        let secret = tokens_secret(&trial);
        let preset = Some(("SAMEKEYSAMEKEYSAMEKEY".to_owned(), secret.clone()));
        let (key, _) = holdall.add_key(&Caller::Operator, &ada, preset).await.unwrap();
        for _ in 0..2 {
            trial.by_key(&key.id, &secret).await.unwrap();
        }
        holdall.set_disabled(&Caller::Operator, &ada, true).await.unwrap();
        refused(trial.by_key(&key.id, &secret).await, Unrecognised::Disabled);
        holdall.set_disabled(&Caller::Operator, &ada, false).await.unwrap();
        trial.by_key(&key.id, &secret).await.unwrap();
        holdall.remove_key(&Caller::Operator, &key.id).await.unwrap();
        refused(trial.by_key(&key.id, &secret).await, Unrecognised::UnknownKey);

        let (made, token) = trial.app_password("ada", Scope::default()).await;
        for _ in 0..2 {
            trial.by_token(&token).await.unwrap();
            trial.login("ada", token.reveal()).await.unwrap();
        }
        holdall.remove_app_password(&Caller::Operator, &ada, &made.id).await.unwrap();
        refused(trial.by_token(&token).await, Unrecognised::Wrong);
        refused(trial.login("ada", token.reveal()).await, Unrecognised::Wrong);
    }
}

fn tokens_secret(trial: &Trial) -> Secret {
    crate::domain::tokens::access_key(&*trial.holdall.random).1
}

#[tokio::test]
async fn a_bucket_just_seen_is_not_there_once_it_was_removed_nor_its_new_owner_the_old_one() {
    let shelf = Shelf::new().await;
    let file = shelf.key("file");
    shelf.put(&file, "mine").await.unwrap();
    assert_eq!(shelf.read(&file, None).await.unwrap(), "mine");
    shelf.remove(&file).await.unwrap();
    assert!(matches!(shelf.read(&file, None).await, Err(Error::NotFound(..))));
    shelf.work_off().await;
    shelf.holdall.remove_bucket(&shelf.who, &shelf.bucket, Default::default()).await.unwrap();
    assert!(matches!(shelf.stat(&file).await, Err(Error::NotFound(..))));
    let new = NewAccount { password: Some(Secret::new(PASSWORD)), ..newcomer("bob") };
    shelf.holdall.add_account(&Caller::Operator, new).await.unwrap();
    let presented = Presented::Password { user: "bob", password: &Secret::new(PASSWORD), from: None };
    let bob = shelf.holdall.authenticate(presented).await.unwrap();
    shelf.holdall.create_bucket(&bob, &shelf.bucket, Default::default()).await.unwrap();
    assert!(matches!(shelf.stat(&file).await, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_file_just_read_is_replaced_moved_and_gone_with_the_answer() {
    let shelf = Shelf::new().await;
    let (here, there) = (shelf.path("a/file"), shelf.path("b/file"));
    for folder in ["a", "b"] {
        shelf.mkcol(folder).await.unwrap();
    }
    for round in 0..3 {
        for again in 0..2 {
            let text = format!("{round} {again}");
            shelf.put(&here, &text).await.unwrap();
            assert_eq!(shelf.read(&here, None).await.unwrap(), text);
            assert_eq!(shelf.read(&here, None).await.unwrap(), text);
        }
        assert!(matches!(shelf.read(&there, None).await, Err(Error::NotFound(..))));
        shelf.mv(&here, &there).await.unwrap();
        assert!(matches!(shelf.read(&here, None).await, Err(Error::NotFound(..))));
        assert_eq!(shelf.read(&there, None).await.unwrap(), format!("{round} 1"));
        shelf.mv(&shelf.path("b"), &shelf.path("c")).await.unwrap();
        assert!(matches!(shelf.read(&there, None).await, Err(Error::NotFound(..))));
        let moved = shelf.path("c/file");
        assert_eq!(shelf.read(&moved, None).await.unwrap(), format!("{round} 1"));
        shelf.remove(&shelf.path("c")).await.unwrap();
        assert!(matches!(shelf.read(&moved, None).await, Err(Error::NotFound(..))));
        shelf.mkcol("b").await.unwrap();
    }
}

/// Readers that open the state while it changes must not put back what was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_begun_after_an_answer_finds_what_was_answered() {
    const ROUNDS: u64 = 300;
    let shelf = Arc::new(Shelf::new().await);
    let answered = Arc::new(AtomicU64::new(0));
    shelf.put(&shelf.key("folder/file"), "0").await.unwrap();
    let readers = (0..3).map(|_| {
        let (shelf, answered) = (Arc::clone(&shelf), Arc::clone(&answered));
        tokio::spawn(async move {
            let at = shelf.key("folder/file");
            loop {
                let least = answered.load(Ordering::SeqCst);
                let text = shelf.read(&at, None).await.unwrap();
                assert!(text.parse::<u64>().unwrap() >= least, "{text} after {least} was answered");
                if least == ROUNDS {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for round in 1..=ROUNDS {
        shelf.put(&shelf.key("folder/file"), &round.to_string()).await.unwrap();
        answered.store(round, Ordering::SeqCst);
        assert_eq!(shelf.read(&shelf.key("folder/file"), None).await.unwrap(), round.to_string());
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Bytes that changed on the disk are found out on every read.
#[tokio::test]
async fn a_chunk_that_decayed_after_it_was_read_is_not_given_out() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let at = key("ada", "file");
    let mut put = trial.holdall.begin_put(&ada, &at, Expected::default()).await.unwrap();
    put.write(vec![7; 4096].into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();
    let read = || async {
        use futures::TryStreamExt;
        let opened = trial.holdall.open(&ada, &at, None, &Default::default()).await?;
        opened.read(0..4096).try_collect::<Vec<_>>().await
    };
    for _ in 0..2 {
        assert_eq!(read().await.unwrap().concat(), [7; 4096]);
    }
    let folders = trial.disk.list("segments").unwrap();
    let folder = format!("segments/{}", folders[0]);
    let segment = format!("{folder}/{}", trial.disk.list(&folder).unwrap()[0]);
    trial.disk.damage(&segment, 4096 + 140, 1).unwrap();
    assert!(matches!(read().await, Err(Error::Damaged { .. })));
}

/// Clients that ask for very many small files and take none of them fill no memory that is not
/// counted.
#[tokio::test]
async fn small_files_that_nobody_takes_are_counted_once_they_are_many() {
    use futures::StreamExt;
    let shelf = Shelf::new().await;
    let at = shelf.key("file");
    shelf.put(&at, &"x".repeat(64 << 10)).await.unwrap();
    let taken = || shelf.holdall.memory_use(&Caller::Operator).unwrap().taken_bytes;
    let open = || async {
        let opened = shelf.holdall.open(&shelf.who, &at, None, &Default::default()).await.unwrap();
        opened.read(0..64 << 10)
    };
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(open().await);
    }
    assert_eq!(taken(), 0);
    streams.push(open().await);
    streams.push(open().await);
    assert_eq!(taken(), 128 << 10, "the fifth and sixth take shares");
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap().unwrap().len(), 64 << 10);
        assert!(stream.next().await.is_none());
    }
    assert_eq!(taken(), 128 << 10, "until they are dropped");
    drop(streams);
    let streams = [open().await, open().await, open().await, open().await];
    assert_eq!(taken(), 0);
    drop(streams);
    let empty = shelf.key("empty");
    shelf.put(&empty, "").await.unwrap();
    assert_eq!(shelf.read(&empty, None).await.unwrap(), "");
}
