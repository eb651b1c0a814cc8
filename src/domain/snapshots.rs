//! Snapshots of the metadata, taken by itself from time to time: what is left to start from when
//! the metadata file is lost. The clock only paces; a wrong one takes a snapshot too many or too
//! late.

use std::{sync::Arc, time::Duration};

use super::{Error, Holdall, access::is_manager, caller::Caller, lanes::unless_closing, pace::Look};
use crate::{
    model::time::Timestamp,
    store::{Store, error::StoreError, snapshots},
};

pub use crate::store::snapshots::Kept as KeptSnapshot;

/// How often it is looked whether one is due. Also the time after a start before the first:
/// commands that open the data for a moment take none.
const LOOK: Duration = Duration::from_secs(60);

/// Takes them until the system closes.
pub(crate) async fn run(look: Look, every: Duration) {
    if every.is_zero() {
        return;
    }
    while let Some(system) = look.after(LOOK).await {
        match system.snapshot_if_due(every).await {
            Ok(None) => {}
            Ok(Some(kept)) => {
                tracing::info!(number = kept.number, bytes = kept.bytes, "took a snapshot of the metadata");
            }
            Err(error) => {
                tracing::warn!(%error, reason = error.reason(), "no snapshot of the metadata was taken");
            }
        }
    }
}

impl Holdall {
    /// Takes a snapshot if the newest is so old. None on a disk that is short of room.
    pub(super) async fn snapshot_if_due(&self, every: Duration) -> Result<Option<KeptSnapshot>, Error> {
        let (store, stop, now) = (Arc::clone(&self.store), self.stop.clone(), self.clock.now());
        let known = Arc::clone(&self.backing_up);
        self.blocking(move || {
            let newest = snapshots::list(&**store.io())?.last().map(|kept| kept.taken_at);
            known.snapshot_is(newest);
            if !is_due(newest, now, every) || !has_room(&store)? {
                return Ok(None);
            }
            let origin = (store.dir().uuid(), now);
            let taken =
                snapshots::take(&**store.io(), &store.snapshot()?, origin, snapshots::KEPT, &mut |_| {
                    unless_closing(&stop)
                });
            let taken = taken?;
            known.snapshot_is(Some(taken.taken_at));
            Ok(Some(taken))
        })
        .await
    }

    /// The snapshots of the metadata that are kept, the newest last.
    ///
    /// # Errors
    /// Denied unless an admin or the operator asks.
    pub async fn snapshots(&self, caller: &Caller) -> Result<Vec<KeptSnapshot>, Error> {
        if !is_manager(caller) {
            return Err(Error::Denied("only admins see snapshots of the metadata".into()));
        }
        let store = Arc::clone(&self.store);
        self.blocking(move || Ok(snapshots::list(&**store.io())?)).await
    }
}

fn is_due(newest: Option<Timestamp>, now: Timestamp, every: Duration) -> bool {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    // One of the future says that a clock was wrong, then or now.
    newest.is_none_or(|newest| now < newest || now.0.saturating_sub(newest.0) >= every)
}

/// Whether there is room for a snapshot and for everything else that needs it first.
fn has_room(store: &Store) -> Result<bool, StoreError> {
    match store.dir().admits_bodies() {
        Err(StoreError::Full) => Ok(false),
        admitted => {
            admitted?;
            Ok(store.space()?.free / 2 > store.meta().counters().file_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outside::clock::SetClock, store::io::sim::SimDisk};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn one_is_due_when_there_is_none_or_the_newest_is_old_or_of_the_future() {
        assert!(is_due(None, Timestamp(0), HOUR));
        let now = 3_600_000;
        for (newest, due) in [(0, true), (1, false), (3_000_000, false), (now, false), (now + 1, true)] {
            assert_eq!(is_due(Some(Timestamp(newest)), Timestamp(now), HOUR), due, "{newest}");
        }
    }

    #[tokio::test]
    async fn the_newest_are_kept_and_none_is_taken_without_room() {
        let (disk, clock) = (SimDisk::new(), Arc::new(SetClock::at(Timestamp(5))));
        let random = Arc::new(crate::outside::random::SeededRandom::new(1));
        let options = super::super::StartOptions::new(Arc::new(disk.clone()));
        let world = super::super::World { clock: clock.clone(), random };
        let holdall = Holdall::start(options, world).unwrap();
        for turn in 1..=6 {
            assert_eq!(holdall.snapshot_if_due(HOUR).await.unwrap().map(|kept| kept.number), Some(turn));
            assert_eq!(holdall.snapshot_if_due(HOUR).await.unwrap(), None);
            clock.advance(3_600_000);
        }
        let kept = holdall.snapshots(&Caller::Operator).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.number).collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert!(matches!(holdall.snapshots(&Caller::Anonymous).await, Err(Error::Denied(_))));
        disk.set_free(1 << 20);
        clock.advance(3_600_000);
        assert_eq!(holdall.snapshot_if_due(HOUR).await.unwrap(), None);
    }
}
