//! What keeps a store healthy, cut off: a chunk that decays is found and stored again, snapshots of
//! the metadata take the place of older ones, backups are made.
//!
//! What decays is a file of hal's, of whom [`super::seen`] says nothing: an image shows it whole or
//! damaged, whatever the moment, and must let it be healed.

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt as _;

use super::{
    SimDisk,
    workload::{noise, person},
};
use crate::{
    domain::{
        Error, Holdall, Portion,
        caller::Caller,
        nouns::{Expected, WriteOptions},
        tests::{bucket, newcomer},
        verify_backup,
    },
    model::{
        address::{Address, ObjectKey},
        condition::Conditions,
    },
    store::io::{Io, Mode},
};

/// Whose file decays.
pub(super) const HAL: &str = "hal";

/// The disk of a workload, and where its backups go.
pub(super) struct Care {
    disk: SimDisk,
    backups: SimDisk,
    /// Contents that hal has sent.
    sent: u64,
}

fn content(number: u64) -> Vec<u8> {
    noise(1_000_000 + number, 3000)
}

fn at() -> Result<Address, Error> {
    Ok(Address::key(bucket(HAL), ObjectKey::parse("file")?))
}

async fn put(holdall: &Arc<Holdall>, hal: &Caller, bytes: &[u8]) -> Result<(), Error> {
    let mut put = holdall.begin_put(hal, &at()?, Expected::default()).await?;
    put.write(bytes.to_vec().into()).await?;
    put.commit(WriteOptions::default()).await.map(drop)
}

async fn read(holdall: &Holdall, hal: &Caller) -> Result<Vec<u8>, Error> {
    let opened = holdall.open(hal, &at()?, None, &Conditions::default()).await?;
    let size = opened.version.size;
    let bytes: Vec<_> = opened.read(0..size).try_collect().await?;
    Ok(bytes.concat())
}

/// Flips a bit of these bytes wherever they lie.
fn decay(disk: &SimDisk, bytes: &[u8]) {
    let mut found = 0;
    for folder in disk.list("segments").unwrap() {
        for name in disk.list(&format!("segments/{folder}")).unwrap() {
            let path = format!("segments/{folder}/{name}");
            let file = disk.open(&path, Mode::Read).unwrap();
            let mut all = vec![0; file.len().unwrap() as usize];
            file.read_at(&mut all, 0).unwrap();
            for place in all.windows(64).enumerate().filter(|(_, window)| *window == &bytes[..64]) {
                disk.damage(&path, place.0 as u64 + 1000, 4).unwrap();
                found += 1;
            }
        }
    }
    assert_eq!(found, 1, "places of what was just written");
}

impl Care {
    pub(super) async fn new(holdall: &Holdall, disk: &SimDisk) -> Self {
        holdall.add_account(&Caller::Operator, newcomer(HAL)).await.unwrap();
        Self { disk: disk.clone(), backups: SimDisk::new(), sent: 0 }
    }

    /// A new file decays; a scrub finds it, and the same content, sent again, heals it.
    pub(super) async fn heal(&mut self, holdall: &Arc<Holdall>) -> Result<String, Error> {
        let hal = person(holdall, HAL).await.unwrap();
        self.sent += 1;
        let bytes = content(self.sent);
        put(holdall, &hal, &bytes).await?;
        decay(&self.disk, &bytes);
        assert_eq!(holdall.scrub(&Caller::Operator, Portion::ALL).await?.damaged, 1);
        put(holdall, &hal, &bytes).await?;
        assert_eq!(holdall.scrub(&Caller::Operator, Portion::ALL).await?.damaged, 0);
        Ok(format!("heal {}", self.sent))
    }

    pub(super) async fn snapshot(&self, holdall: &Holdall) -> Result<String, Error> {
        let before = holdall.snapshots(&Caller::Operator).await?.len();
        let taken = holdall.snapshot_if_due(Duration::ZERO).await?.expect("one is always due");
        Ok(format!("snapshot {} beside {before}", taken.number))
    }

    pub(super) async fn back_up(&self, holdall: &Holdall) -> Result<String, Error> {
        let to: Arc<dyn Io> = Arc::new(self.backups.clone());
        let kept = Arc::clone(&to);
        let done = holdall.back_up_to(move || Ok(to), vec![7; 32], Some(2)).await?;
        let found = verify_backup(kept, None, None, &|_| Ok(())).unwrap();
        assert_eq!((done.missing.len(), found.problems), (0, 0), "{:?}", found.told);
        Ok(format!("backup {}", done.number))
    }
}

/// What an image of such a moment must let be done: hal's file is one that was sent or an error,
/// is healed when it is sent again, and of snapshots no fewer are there, each whole.
pub(super) async fn stands(holdall: &Arc<Holdall>, answer: &str) -> Result<(), String> {
    let words: Vec<&str> = answer.split(' ').collect();
    let told = |error: Error| format!("{answer}: {error:?}");
    match words[..] {
        ["heal", number] => {
            let number = number.parse().unwrap();
            let hal = person(holdall, HAL).await.ok_or("hal is gone")?;
            let (old, new) = (content(number - 1), content(number));
            if let Ok(bytes) = read(holdall, &hal).await
                && bytes != old
                && bytes != new
            {
                return Err(format!("{answer}: {} bytes that nobody sent", bytes.len()));
            }
            let sent = match put(holdall, &hal, &new).await {
                // It shared what the read above had not yet told of: whoever tries again heals it.
                Err(Error::Busy(_)) => put(holdall, &hal, &new).await,
                sent => sent,
            };
            sent.map_err(told)?;
            if read(holdall, &hal).await.map_err(told)? != new {
                return Err(format!("{answer}: other bytes were stored"));
            }
        }
        ["snapshot", _, "beside", before] => {
            let kept = holdall.snapshots(&Caller::Operator).await.map_err(told)?;
            if kept.len() < before.parse().unwrap() {
                return Err(format!("{answer}: {kept:?} are left"));
            }
        }
        _ => return Ok(()),
    }
    let scrubbed = holdall.scrub(&Caller::Operator, Portion::ALL).await.map_err(told)?;
    if scrubbed.damaged == 0 { Ok(()) } else { Err(format!("{answer}: still damaged: {scrubbed:?}")) }
}
