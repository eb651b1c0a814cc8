//! A backup while everybody works: what was acknowledged before it began is in it, nothing that
//! was begun after it ended, and all of it is one state. Restored, the system works on as another
//! life of the same store.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{shelf::Shelf, *};
use crate::{
    domain::{
        BackupDone, FirstAdmin, Rotten, backup_points,
        nouns::{Changes, Event, StartOver},
        restore_backup, verify_backup,
    },
    outside::random::{Random, SystemRandom},
    proof,
    store::{backup::Progress, error::StoreError, io::Mode},
};

const WRITERS: usize = 4;

fn quietly(_: Progress) -> Result<(), StoreError> {
    Ok(())
}

/// A system that was started as `holdall serve` does, its recovery key, and its admin's access key.
struct Started {
    shelf: Shelf,
    recovery_key: Secret,
    access_key: (String, Secret),
}

async fn started() -> Started {
    let trial = start(Arc::new(SimDisk::new()), 3).unwrap();
    let shown = trial.holdall.bootstrap(FirstAdmin::default()).await.unwrap().unwrap();
    let who = trial.by_key(&shown.access_key, shown.secret_key.as_ref().unwrap()).await.unwrap();
    let shelf = Shelf { holdall: trial.holdall, who, bucket: bucket("admin") };
    let access_key = (shown.access_key, shown.secret_key.unwrap());
    Started { shelf, recovery_key: shown.recovery_key, access_key }
}

impl Started {
    async fn back_up(&self, to: &SimDisk) -> Result<BackupDone, Error> {
        let io: Arc<dyn Io> = Arc::new(to.clone());
        let keys = self.shelf.holdall.wrapped_keys().await?;
        self.shelf.holdall.back_up_to(move || Ok(io), keys, Some(3)).await
    }

    /// The newest point, restored and started.
    async fn restored(&self, from: &SimDisk) -> Shelf {
        let into = Arc::new(SimDisk::new());
        let made: Arc<dyn Io> = into.clone();
        restore_backup(
            Arc::new(from.clone()),
            (None, Rotten::Refused),
            (&self.recovery_key, &SystemRandom),
            || Ok(made),
            &quietly,
        )
        .unwrap();
        let trial = start(into, 9).unwrap();
        // Secrets were sealed under the keys, which were wrapped under the recovery key.
        let who = trial.by_key(&self.access_key.0, &self.access_key.1).await.unwrap();
        assert!(trial.holdall.bootstrap(FirstAdmin::default()).await.unwrap().is_none());
        Shelf { holdall: trial.holdall, who, bucket: bucket("admin") }
    }
}

/// Long enough for several chunks, and another one each turn.
fn body(writer: usize, turn: u64) -> String {
    format!("{writer} {turn} ").repeat(5000 + 997 * (turn as usize % 7))
}

fn turn_of(body: &str) -> u64 {
    body.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Turn after turn: `n` first, `m` second, and a token that is moved to and fro.
async fn work(shelf: &Shelf, writer: usize, stop: &AtomicBool) -> u64 {
    let at = |name: &str| shelf.key(&format!("{writer}/{name}"));
    let places = [at("here/token"), at("there/token")];
    shelf.put(&places[0], "token").await.unwrap();
    let mut turn = 0;
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        for name in ["n", "m"] {
            shelf.put(&at(name), &body(writer, turn)).await.unwrap();
        }
        let (from, to) = (turn as usize % 2, (turn as usize + 1) % 2);
        shelf.mv(&places[1 - from], &places[1 - to]).await.unwrap();
        shelf.copy(&at("m"), &at(&format!("copy{}", turn % 3))).await.unwrap();
        if turn % 4 == 0 {
            shelf.remove(&at(&format!("copy{}", turn % 3))).await.unwrap();
            shelf.holdall.collect(&Caller::Operator, true).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
    turn
}

/// The turn a state shows; panics unless it is one state.
async fn one_state(shelf: &Shelf, writer: usize) -> u64 {
    let at = |name: &str| shelf.key(&format!("{writer}/{name}"));
    let (n, m) = (shelf.read(&at("n"), None).await.unwrap(), shelf.read(&at("m"), None).await.unwrap());
    let (n_turn, m_turn) = (turn_of(&n), turn_of(&m));
    assert!(n == body(writer, n_turn) && m == body(writer, m_turn));
    assert!(n_turn == m_turn || n_turn == m_turn + 1, "writer {writer}: n {n_turn}, m {m_turn}");
    let mut tokens = 0;
    for name in ["here/token", "there/token"] {
        tokens += usize::from(shelf.stat(&at(name)).await.is_ok());
    }
    assert_eq!(tokens, 1, "writer {writer}");
    n_turn
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_one_state_of_before_its_end_and_no_older_than_its_begin() {
    let (started, to, stop) = (started().await, SimDisk::new(), AtomicBool::new(false));
    let shelf = &started.shelf;
    let writers = futures::future::join_all((0..WRITERS).map(|writer| work(shelf, writer, &stop)));
    let rounds = async {
        for round in 0..proof::size(4, 100) {
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
            let marker = shelf.key("marker");
            shelf.put(&marker, &format!("{round}")).await.unwrap();
            let done = started.back_up(&to).await.unwrap();
            assert!(done.missing.is_empty(), "{done:?}");
            shelf.put(&marker, "later").await.unwrap();
            let found = verify_backup(Arc::new(to.clone()), None, None, &quietly).unwrap();
            assert_eq!(found.problems, 0, "{:?}", found.told);

            let again = started.restored(&to).await;
            assert_eq!(again.read(&marker, None).await.unwrap(), format!("{round}"));
            again.assert_sound().await;
            let mut before = Vec::new();
            for writer in 0..WRITERS {
                before.push(one_state(&again, writer).await);
            }
            // It works on: writes, collects, and is sound.
            let again_work = AtomicBool::new(false);
            let more = async {
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                again_work.store(true, Ordering::SeqCst);
            };
            tokio::join!(work(&again, WRITERS, &again_work), more);
            again.holdall.collect(&Caller::Operator, true).await.unwrap();
            for (writer, turn) in before.into_iter().enumerate() {
                assert_eq!(one_state(&again, writer).await, turn);
            }
            again.assert_sound().await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (turns, ()) = tokio::join!(writers, rounds);
    assert!(turns.iter().all(|turns| *turns > 3), "{turns:?}");
    shelf.assert_sound().await;
    assert!(backup_points(Arc::new(to.clone())).unwrap().len() <= 3);
}

/// nextcloud/desktop#171: a server that was set back, and clients that took it for the old one.
#[tokio::test]
async fn a_restored_system_gives_out_no_version_that_was_given_out_before() {
    let (started, to) = (started().await, SimDisk::new());
    let shelf = &started.shelf;
    started.back_up(&to).await.unwrap();
    let lost = shelf.put(&shelf.key("a"), "lost").await.unwrap().version;
    let again = started.restored(&to).await;
    let new = again.put(&again.key("a"), "new").await.unwrap().version;
    assert_eq!(new.id.seq, lost.id.seq, "the same place in the journal, and yet");
    assert_ne!(new.id, lost.id);
    assert!(new.id.incarnation > lost.id.incarnation);
    // Of one point two lives may be made, and neither takes what the other wrote for its own.
    let twin = started.restored(&to).await;
    let other = twin.put(&twin.key("a"), "other").await.unwrap().version;
    assert_eq!(other.id.seq, new.id.seq);
    assert_ne!(other.id.incarnation, new.id.incarnation);
    assert!(new.node > lost.node);
    // And a life after that.
    let keys = again.holdall.wrapped_keys().await.unwrap();
    let io: Arc<dyn Io> = Arc::new(to.clone());
    again.holdall.back_up_to(move || Ok(io), keys, None).await.unwrap();
    let third = started.restored(&to).await;
    assert_eq!(third.read(&third.key("a"), None).await.unwrap(), "new");
    let newer = third.put(&third.key("a"), "newer").await.unwrap().version;
    assert!(newer.id.incarnation > new.id.incarnation);
}

/// The same, for whoever follows the changes: a file that was written behind the backup is not
/// there, and nobody is told that it was removed.
#[tokio::test]
async fn whoever_followed_a_system_before_it_was_restored_starts_over() {
    let (started, to) = (started().await, SimDisk::new());
    let shelf = &started.shelf;
    let changes = async |shelf: &Shelf, after| {
        shelf.holdall.changes(&shelf.who, &shelf.bucket, after, 1000).await.unwrap()
    };
    shelf.put(&shelf.key("kept"), "kept").await.unwrap();
    let Changes::Listed { next: earlier, .. } = changes(shelf, None).await else { panic!() };
    started.back_up(&to).await.unwrap();
    shelf.put(&shelf.key("lost"), "lost").await.unwrap();
    let Changes::Listed { next: followed, changes: seen } = changes(shelf, Some(earlier)).await else {
        panic!("it is the same life")
    };
    assert_eq!(seen.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["lost"]);

    let again = started.restored(&to).await;
    again.put(&again.key("other"), "at the place of the lost one").await.unwrap();
    let mut from = None;
    for before in [earlier, followed] {
        let Changes::StartOver { why, next } = changes(&again, Some(before)).await else {
            panic!("{before:?} is of another life")
        };
        assert_eq!(why, StartOver::Restored);
        assert!(why.to_string().contains("delete nothing"), "{why}");
        from = Some(next);
    }
    again.put(&again.key("new"), "new").await.unwrap();
    let after = changes(&again, from).await.listed().unwrap();
    assert_eq!(
        after.iter().map(|change| (&change.event, change.path.as_str())).collect::<Vec<_>>(),
        [(&Event::Put, "new")]
    );
    let all = changes(&again, None).await.listed().unwrap();
    assert!(all.iter().all(|change| change.event != Event::Removed), "{all:?}");
}

#[tokio::test]
async fn another_recovery_key_opens_nothing_and_touches_nothing() {
    let (started, to) = (started().await, SimDisk::new());
    started.back_up(&to).await.unwrap();
    for wrong in ["", "abcd-efgh", &started.recovery_key.reveal()[1..]] {
        let into = || -> Result<Arc<dyn Io>, StoreError> { panic!("the folder was asked for") };
        let refused = restore_backup(
            Arc::new(to.clone()),
            (None, Rotten::Refused),
            (&Secret::new(wrong), &SystemRandom),
            into,
            &quietly,
        );
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
}

/// Whoever could write to the folder could write a point that the true recovery key restored.
#[tokio::test]
async fn a_point_that_somebody_else_made_is_not_restored_with_the_true_recovery_key() {
    let (started, to) = (started().await, SimDisk::new());
    started.back_up(&to).await.unwrap();
    let restore = |to: &SimDisk| {
        let into = || -> Result<Arc<dyn Io>, StoreError> { panic!("the folder was asked for") };
        let key = (&started.recovery_key, &SystemRandom as &dyn Random);
        restore_backup(Arc::new(to.clone()), (None, Rotten::Refused), key, into, &quietly)
            .unwrap_err()
            .to_string()
    };
    let data: &dyn Io = &**started.shelf.holdall.store.io();
    let verify = |data| verify_backup(Arc::new(to.clone()), None, data, &quietly).unwrap();
    let found = verify(Some(data));
    assert_eq!((found.authentic, found.problems), (Some(true), 0));
    let other = start(Arc::new(SimDisk::new()), 5).unwrap();
    assert_eq!(verify(Some(&**other.holdall.store.io())).authentic, None, "the keys of another store");
    assert_eq!(verify(None).authentic, None);
    // The list of the point, in another minute.
    let path = "points/00000001.point";
    let file = to.open(path, Mode::Read).unwrap();
    let mut text = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut text, 0).unwrap();
    let text = String::from_utf8(text).unwrap();
    let body = text.rsplit_once("blake3 ").unwrap().0.replace("\ntaken 1", "\ntaken 2");
    let forged = format!("{body}blake3 {}\n", blake3::hash(body.as_bytes()).to_hex());
    assert!(forged.len() == text.len() && forged != text);
    to.overwrite(path, 0, forged.as_bytes()).unwrap();
    let told = restore(&to);
    assert!(told.starts_with("point 1 is not as its store made it"), "{told}");
    let found = verify(Some(data));
    assert_eq!((found.authentic, found.problems), (Some(false), 1));
}

#[tokio::test]
async fn only_the_operator_makes_backups_and_only_with_a_recovery_key() {
    let trial = Trial::new().await;
    let folder = tempfile::tempdir().unwrap();
    for caller in [trial.caller("root").await, trial.caller("ada").await, Caller::Anonymous] {
        let refused = trial.holdall.back_up(&caller, folder.path(), None).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        assert!(trial.holdall.backup_state(&caller).is_err());
    }
    // No first start showed one here.
    let refused = trial.holdall.back_up(&Caller::Operator, folder.path(), None).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let started = started().await;
    let holdall = &started.shelf.holdall;
    let refused = holdall.back_up(&Caller::Operator, std::path::Path::new("here"), None).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(holdall.back_up(&Caller::Operator, folder.path(), None).await.unwrap().number, 1);
    let state = holdall.backup_state(&Caller::Operator).unwrap();
    assert!(state.running.is_none() && state.last.is_some());
}

/// The story: damage in a backup was told as damage of the store, without a word about where.
#[tokio::test]
async fn a_folder_of_a_newer_format_or_a_damaged_one_is_refused_by_name_and_left_as_it_is() {
    let (started, folder) = (started().await, tempfile::tempdir().unwrap());
    let back_up = || started.shelf.holdall.back_up(&Caller::Operator, folder.path(), None);
    back_up().await.unwrap();
    let marker = folder.path().join("HOLDALL-BACKUP");
    let kept = std::fs::read_to_string(&marker).unwrap();
    let newer = kept.replace("holdall backup 1", "holdall backup 2");
    let signed = newer.split("blake3 ").next().unwrap();
    let signed = format!("{signed}blake3 {}\n", blake3::hash(signed.as_bytes()).to_hex());
    for (text, why) in [(signed, "use a newer one"), (newer, "HOLDALL-BACKUP is not what was written")] {
        std::fs::write(&marker, &text).unwrap();
        let refused = back_up().await;
        assert!(matches!(&refused, Err(Error::Invalid(told)) if told.contains(why)), "{refused:?}");
        let disk: Arc<dyn Io> = Arc::new(crate::store::io::disk::Disk::open(folder.path()).unwrap());
        let into = || -> Result<Arc<dyn Io>, StoreError> { panic!("the folder was asked for") };
        let told = [
            verify_backup(Arc::clone(&disk), None, None, &quietly).unwrap_err(),
            backup_points(Arc::clone(&disk)).unwrap_err(),
            restore_backup(
                disk,
                (None, Rotten::Refused),
                (&started.recovery_key, &SystemRandom),
                into,
                &quietly,
            )
            .unwrap_err(),
        ];
        assert!(told.iter().all(|error| error.to_string().contains(why)), "{told:?}");
        assert_eq!(std::fs::read_to_string(&marker).unwrap(), text);
    }
    std::fs::write(&marker, kept).unwrap();
    back_up().await.unwrap();
}

/// The story: a link in the folder of backups led into the data directory, whose segments were
/// taken for what an earlier backup had left, and removed.
#[tokio::test]
async fn a_link_in_the_folder_of_backups_is_refused_by_name_and_nothing_is_removed_through_it() {
    let (started, folder, data) =
        (started().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let back_up = || started.shelf.holdall.back_up(&Caller::Operator, folder.path(), Some(1));
    let live = ["00000001.seg", "00000002.new", "00000003.meta"].map(|name| data.path().join(name));
    live.iter().for_each(|file| std::fs::write(file, b"live").unwrap());
    let all_there = || live.iter().all(|file| std::fs::read(file).unwrap() == b"live");
    for round in 0..2 {
        for name in ["points", "segments", "LOCK", "HOLDALL-BACKUP"] {
            let (place, aside) = (folder.path().join(name), folder.path().with_extension("aside"));
            let kept = std::fs::rename(&place, &aside).is_ok();
            let target = if name.starts_with(char::is_uppercase) { &live[0] } else { data.path() };
            std::os::unix::fs::symlink(target, &place).unwrap();
            let refused = back_up().await;
            let named = format!("{name} in the backup's folder is no ");
            assert!(matches!(&refused, Err(Error::Invalid(told)) if told.contains(&named)), "{refused:?}");
            let disk: Arc<dyn Io> = Arc::new(crate::store::io::disk::Disk::open(folder.path()).unwrap());
            let told = verify_backup(disk, None, None, &quietly).unwrap_err();
            assert!(told.to_string().contains(&named), "{told:?}");
            assert!(all_there(), "{name}");
            std::fs::remove_file(&place).unwrap();
            if kept {
                std::fs::rename(&aside, &place).unwrap();
            }
        }
        assert_eq!(back_up().await.unwrap().number, round + 1);
    }
    // What no backup would have made stays where it is, however it came there.
    let (point, copy) =
        (folder.path().join("points/00000007.seg"), folder.path().join("segments/00000001.seg"));
    std::fs::write(&point, b"live").unwrap();
    std::fs::write(&copy, b"live").unwrap();
    back_up().await.unwrap();
    assert!(point.exists() && copy.exists());
}

/// The story: a backup that ended in a panic was under way for ever, and no other could begin.
#[tokio::test]
async fn a_backup_that_ends_in_a_panic_is_not_under_way_for_ever() {
    let (started, folder) = (started().await, tempfile::tempdir().unwrap());
    let holdall = &started.shelf.holdall;
    let panics = || -> Result<Arc<dyn Io>, Error> { panic!("on purpose") };
    let failed = holdall.back_up_to(panics, Vec::new(), None).await;
    assert!(matches!(failed, Err(Error::Internal { .. })), "{failed:?}");
    assert!(holdall.backup_state(&Caller::Operator).unwrap().running.is_none());
    holdall.back_up(&Caller::Operator, folder.path(), None).await.unwrap();
}
