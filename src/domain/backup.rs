//! Backups: who may make one, and where to; and what is done with one where no system runs. How a
//! backup lies on its disk is the store's.
//!
//! A backup names a folder of the server's own disk, so only who commands that machine may ask for
//! one: the operator. An admin manages accounts, and may be anywhere in the world.
//!
//! [`backup_points`], [`verify_backup`] and [`restore_backup`] have no caller, because there is no
//! system whose accounts could be asked: what they need is the folder, which is the operating
//! system's to give, and the recovery key. They are here, and not in the command line, for what a
//! restore knows of the keys.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Error, Holdall,
    caller::Caller,
    lanes::unless_closing,
    seal::{self, Keys},
    wrapping::{self, Shut},
};
use crate::{
    model::{secret::Secret, time::Timestamp},
    outside::random::Random,
    store::{
        backup::{self, BackupFolder, Part, PointKey, Progress, Watch},
        dir::format_uuid,
        error::StoreError,
        io::{Io, held::HeldFolder},
        rows::credential::{self, Vouched},
    },
};

pub use crate::store::backup::{
    Done as BackupDone, Lost as BackupLost, Point as BackupPoint, Progress as BackupProgress, Restored,
    Rotten, Unread as BackupUnread, Verified,
};

/// How backups of this system stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BackupState {
    /// How far the one that is being made is.
    pub running: Option<Progress>,
    /// When the last one came to its end, since the start.
    pub last: Option<Timestamp>,
    /// When the newest snapshot of the metadata was taken, if that was looked at.
    pub snapshot: Option<Timestamp>,
}

/// What is known of backups between requests.
#[derive(Debug, Default)]
pub(crate) struct BackingUp(Mutex<BackupState>);

impl BackingUp {
    fn state(&self) -> MutexGuard<'_, BackupState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest snapshot of the metadata is of then.
    pub(super) fn snapshot_is(&self, taken_at: Option<Timestamp>) {
        self.state().snapshot = taken_at;
    }

    /// A backup runs for as long as the value lives, however it ends.
    fn begin(self: &Arc<Self>) -> Result<Running, Error> {
        let mut state = self.state();
        if state.running.is_some() {
            return Err(Error::Busy("a backup is being made already".into()));
        }
        state.running = Some(Progress::default());
        Ok(Running(Arc::clone(self)))
    }
}

/// A backup that is being made.
#[derive(Debug)]
struct Running(Arc<BackingUp>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.state().running = None;
    }
}

impl Holdall {
    /// Makes a backup into a folder of the server's disk and leaves the `keep` newest there. The
    /// system works on meanwhile.
    ///
    /// # Errors
    /// Denied unless the operator asks; Invalid for a folder that will not do or that cannot be
    /// written, and while nobody has shown the recovery key since there are backups; busy while
    /// another is made; full, unavailable, damaged.
    pub async fn back_up(
        &self,
        caller: &Caller,
        folder: &Path,
        keep: Option<usize>,
    ) -> Result<BackupDone, Error> {
        may(caller)?;
        let keys = self.wrapped_keys().await?;
        let folder = outside(self.data.as_deref(), folder)?;
        let made = move || {
            Ok(Arc::new(HeldFolder::open(&folder).map_err(|error| told(error.into()))?) as Arc<dyn Io>)
        };
        self.back_up_to(made, keys, keep).await
    }

    /// The same, once it is decided.
    pub(super) async fn back_up_to(
        &self,
        folder: impl FnOnce() -> Result<Arc<dyn Io>, Error> + Send + 'static,
        keys: Vec<u8>,
        keep: Option<usize>,
    ) -> Result<BackupDone, Error> {
        let running = self.backing_up.begin()?;
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        let key = self.credentials.keys.point_key();
        self.blocking(move || {
            let watch = |progress: Progress| {
                running.0.state().running = Some(progress);
                unless_closing(&stop)
            };
            let create = |io| backup::create(&store, io, (&keys, &key), keep, &watch).map_err(told);
            let done = folder().and_then(create);
            if done.is_ok() {
                running.0.state().last = Some(store.meta().now());
            }
            done
        })
        .await
    }

    /// How backups stand.
    ///
    /// # Errors
    /// Denied unless the operator asks.
    pub fn backup_state(&self, caller: &Caller) -> Result<BackupState, Error> {
        may(caller)?;
        Ok(self.backing_up())
    }

    /// The same, for the counts of the server.
    pub(crate) fn backing_up(&self) -> BackupState {
        self.backing_up.state().clone()
    }

    /// The keys as backups hold them.
    pub(super) async fn wrapped_keys(&self) -> Result<Vec<u8>, Error> {
        let store = Arc::clone(&self.store);
        let kept = self.read(move |rows| {
            let voucher = credential::voucher(rows, Vouched::RecoveryKey)?;
            Ok(voucher.map(|voucher| wrapping::kept(&**store.io(), voucher)).transpose()?.flatten())
        });
        kept.await?.ok_or_else(|| {
            Error::Invalid(
                "backups hold the keys wrapped under the recovery key, which was not shown yet: run \
                 `holdall recovery-key confirm` once"
                    .into(),
            )
        })
    }
}

fn may(caller: &Caller) -> Result<(), Error> {
    match caller {
        Caller::Operator => Ok(()),
        Caller::Anonymous | Caller::Person(_) => {
            Err(Error::Denied("backups are made on the server itself, with `holdall backup`".into()))
        }
    }
}

/// The operator commands the machine: it is told what its disk says, and what in which folder is damaged.
fn told(error: StoreError) -> Error {
    match error {
        StoreError::Refused(why) | StoreError::Damaged(why) => Error::Invalid(why),
        StoreError::Io(source) => Error::Invalid(format!("the backup stopped: {source}")),
        other => other.into(),
    }
}

/// The folder, unless it is in the data directory: a backup beside the data goes with it.
fn outside(data: Option<&Path>, folder: &Path) -> Result<PathBuf, Error> {
    if !folder.is_absolute() {
        return Err(Error::Invalid("the backup's folder must be named from the root on".into()));
    }
    let parts = folder.components().any(|part| matches!(part, std::path::Component::ParentDir));
    // Of a path that is not there yet, what is there of it.
    let there = folder.ancestors().find_map(|part| part.canonicalize().ok());
    let inside = data.and_then(|data| data.canonicalize().ok()).zip(there);
    if parts || inside.is_some_and(|(data, there)| there.starts_with(data)) {
        return Err(Error::Invalid(
            "a backup in the data directory is lost with it; name another folder".into(),
        ));
    }
    Ok(folder.to_owned())
}

/// The points of a folder, the oldest first. One whose list cannot be read is an error of its own.
///
/// # Errors
/// If there are no backups, or the disk fails.
#[expect(clippy::type_complexity, reason = "a list with what is wrong with each")]
pub fn backup_points(folder: Arc<dyn Io>) -> Result<Vec<(u64, Result<BackupPoint, StoreError>)>, StoreError> {
    let folder = BackupFolder::open(folder)?;
    let numbers = folder.numbers()?;
    Ok(numbers.into_iter().map(|number| (number, folder.point(Some(number)))).collect())
}

/// Reads everything of a point, or of the newest, and says what is wrong. Whether its store made it is
/// known only with the keys of that store: `data` is its data directory, if that is at hand.
///
/// # Errors
/// If there is none, or the disk fails.
pub fn verify_backup(
    folder: Arc<dyn Io>,
    number: Option<u64>,
    data: Option<&dyn Io>,
    watch: Watch<'_>,
) -> Result<Verified, StoreError> {
    let folder = BackupFolder::open(folder)?;
    let key = data.and_then(|data| point_key(data, folder.uuid()));
    backup::verify(&folder, number, key.as_ref(), watch)
}

/// The key that this store's points have their macs from, if the directory is its own and its keys
/// can be read.
fn point_key(data: &dyn Io, uuid: [u8; 16]) -> Option<PointKey> {
    let own = format_uuid(data).is_ok_and(|found| found == uuid);
    own.then(|| Keys::at_hand(data).ok()).flatten().map(|keys| keys.point_key())
}

/// Restores a point, or the newest, into an empty folder, which is asked for once the recovery key
/// has opened the keys.
///
/// # Errors
/// Refused for another recovery key, for no such point, for one that its store did not make as it is, and
/// for a folder that is not empty; damaged
/// if anything is not what was written: what was made then cannot be opened.
pub fn restore_backup(
    folder: Arc<dyn Io>,
    (number, rotten): (Option<u64>, Rotten),
    (recovery_key, random): (&Secret, &dyn Random),
    into: impl FnOnce() -> Result<Arc<dyn Io>, StoreError>,
    watch: Watch<'_>,
) -> Result<Restored, StoreError> {
    let folder = BackupFolder::open(folder)?;
    let point = folder.point(number)?;
    let wrapped = folder.read(&point, Part::Keys)?;
    let keys = wrapping::unwrapped(&wrapped, recovery_key).map_err(|shut| match shut {
        Shut::WrongKey => StoreError::Refused("that is not the recovery key of this backup".into()),
        Shut::Damaged => StoreError::Damaged("the keys in the backup".into()),
    })?;
    let vouched = Keys::parse(&keys).and_then(|keys| point.vouched(&keys.point_key()))?;
    let files: [(&str, &[u8]); 2] = [(seal::NAME, &keys), (wrapping::NAME, &wrapped)];
    backup::restore(&folder, (vouched, rotten), &*into()?, (&files, random.number()), watch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_the_data_directory_is_refused_however_it_is_named() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        std::fs::create_dir_all(data.join("segments")).unwrap();
        std::os::unix::fs::symlink(&data, root.path().join("link")).unwrap();
        for inside in
            ["data", "data/b", "data/segments/x/y", "link", "link/b", "other/../data/b", "x/../data"]
        {
            assert!(outside(Some(&data), &root.path().join(inside)).is_err(), "{inside}");
        }
        for outside_of in ["data2", "b/c", "datab"] {
            outside(Some(&data), &root.path().join(outside_of)).unwrap();
        }
        assert!(outside(Some(&data), Path::new("somewhere")).is_err());
    }
}
