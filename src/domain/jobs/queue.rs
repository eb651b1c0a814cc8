//! The queue, worked off piece by piece. Work that cannot be done is set aside, so that it keeps
//! nobody else waiting; it is kept, told of, and tried again at the next start.

use tokio_util::sync::CancellationToken;

use super::release;
use crate::{
    domain::{Error, Holdall},
    store::{
        error::StoreError,
        meta::{
            Health, Meta, Tx,
            rows::{Order, Rows},
            table::Table,
        },
        rows::work::{self, Kind, WorkRow},
    },
};

/// Counts first, since a folder is released as what it is counted as. A bucket leaves work of the
/// other kinds. Properties are few, and somebody may wait for them to be gone.
const KINDS: [Kind; 7] =
    [Kind::Props, Kind::Trashed, Kind::Subtree, Kind::History, Kind::Upload, Kind::Completed, Kind::Bucket];

/// How often a piece of work is tried that fails for no reason one can see.
const TRIES: u32 = 3;

/// Pieces of work one transaction queues again.
const TAKEN_BACK: usize = 100;

/// Set-aside work is counted up to here.
const COUNTED: usize = 1000;

impl Holdall {
    /// Works the queue off; returns when it is empty.
    pub(crate) async fn work_off(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut dry = false;
        while !dry {
            dry = true;
            for kind in KINDS {
                while !stop.is_cancelled() {
                    let Some(place) = self.read(move |rows| Ok(work::next(rows, kind)?)).await? else {
                        break;
                    };
                    dry = false;
                    if let Err(error) = self.work_step(kind, place.clone()).await {
                        self.judge(place, error).await?;
                    }
                    self.jobs.step_done();
                }
            }
        }
        Ok(())
    }

    /// One step of a piece of work.
    async fn work_step(&self, kind: Kind, place: Vec<u8>) -> Result<(), Error> {
        match kind {
            Kind::Trashed => self.count_trashed(place).await,
            Kind::Subtree => self.release(place, release::subtree).await,
            Kind::History => self.release(place, release::history).await,
            Kind::Upload => self.release(place, release::upload).await,
            Kind::Completed => self.release(place, release::completed).await,
            Kind::Bucket => self.release(place, release::bucket).await,
            Kind::Staging => self.release(place, release::staging).await,
            Kind::Props => self.release(place, release::props_of_dead).await,
        }
    }

    async fn release(
        &self,
        place: Vec<u8>,
        step: fn(&mut Tx<'_>, &WorkRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.give_back(move |tx| match work::at(tx, &place)? {
            Some(work) => step(tx, &work),
            None => Ok(()),
        })
        .await
    }

    /// A store that fails or is full ends the round: no work is to blame for that. Damage sets the
    /// work aside at once; what fails for no reason one can see is tried a few times.
    async fn judge(&self, place: Vec<u8>, error: Error) -> Result<(), Error> {
        let healthy = self.store.meta().health() == Health::Open;
        if !healthy || matches!(error, Error::DiskFull | Error::Busy(_)) {
            return Err(error);
        }
        if !matches!(error, Error::Damaged { .. }) && self.jobs.tried(&place) < TRIES {
            return Err(error);
        }
        let queued = hex::encode(&place);
        tracing::error!(queued, %error, reason = error.reason(), "background work was set aside");
        self.give_back(move |tx| Ok(work::set_aside(tx, &place)?)).await?;
        self.count_aside().await
    }

    async fn count_aside(&self) -> Result<(), Error> {
        self.jobs.set_aside(self.read(|rows| count(rows)).await?);
        Ok(())
    }
}

fn count(rows: &dyn Rows) -> Result<u64, Error> {
    Ok(rows.scan(Table::Queue, &work::all_aside(), Order::Forward, COUNTED)?.len() as u64)
}

/// Takes up what the last run left, before anything else runs: what was set aside is tried again,
/// since what stood in its way may be gone, and staged copies become work. How much is still aside.
pub(crate) fn take_up(meta: &Meta) -> Result<u64, Error> {
    if count(&meta.snapshot()?)? > 0 {
        let taken = |tx: &mut Tx<'_>| {
            tx.give_back();
            Ok::<_, Error>(work::take_back(tx, TAKEN_BACK)?)
        };
        while meta.apply(taken)? == TAKEN_BACK {}
    }
    adopt_staging(meta)?;
    count(&meta.snapshot()?)
}

/// What a crash left of staged copies is released like any detached folder.
fn adopt_staging(meta: &Meta) -> Result<(), Error> {
    while let Some(place) = work::next(&meta.snapshot()?, Kind::Staging)? {
        let adopted = meta.apply({
            let place = place.clone();
            move |tx| match work::at(tx, &place)? {
                Some(work) => {
                    tx.give_back();
                    release::staging(tx, &work)
                }
                None => Ok(()),
            }
        });
        match adopted {
            Err(Error::Damaged { reason, .. }) if meta.health() == Health::Open => {
                tracing::error!(reason, queued = hex::encode(&place), "a staged copy was set aside");
                meta.apply::<(), StoreError>(move |tx| work::set_aside(tx, &place))?;
            }
            done => done?,
        }
    }
    Ok(())
}
