//! Giving back the room of what was deleted: by itself in the background (see [`job`]), and when
//! it is asked for. The store decides what may go; here it is decided who may ask, and when.

pub(super) mod job;

use std::sync::{Mutex, PoisonError};

use super::{
    Error, Holdall, access,
    asked::{Asked, Next, to_its_end},
    caller::Caller,
    lanes::unless_closing,
};
use crate::{
    model::time::Timestamp,
    store::{
        collect::{self, CollectOptions, Collector, Step},
        error::StoreError,
        rows::usage,
    },
};

pub use crate::store::collect::{Forecast, Report as CollectReport, Usage as SegmentUsage};

/// Percent of a segment that must be dead for it to be moved when compaction is asked for, or
/// nothing else is to be done.
const IDLE_PERCENT: u64 = 10;
/// The same while others work.
const BUSY_PERCENT: u64 = 40;

/// What is known beside the store's own knowledge.
#[derive(Debug, Default)]
pub(crate) struct Collecting {
    /// Runs that were asked for. The background gives way to them.
    asked: Asked,
    space: Mutex<Option<Space>>,
}

/// What the store holds and what that takes, as counted last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Bytes of all versions, parts and history, as quotas count them.
    pub logical_bytes: u64,
    /// What the segments hold.
    pub segments: SegmentUsage,
    /// When it was counted. What was written since is not in it.
    pub counted_at: Timestamp,
}

impl Space {
    /// Bytes that need not be stored because they are there already: the logical bytes, less
    /// those of the chunks they are made of, each counted once and before compression. So it
    /// counts content that was sent twice, copies, and zeros; what was deleted and is not
    /// collected yet still counts as stored.
    #[must_use]
    pub fn saved_bytes(&self) -> u64 {
        self.logical_bytes.saturating_sub(self.segments.plain_bytes)
    }
}

/// How collecting stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CollectionState {
    /// Whether a run is under way.
    pub running: bool,
    /// What it does, or did last.
    pub phase: &'static str,
    /// What it has done so far, or did.
    pub report: CollectReport,
    /// Why the last run was ended before it was done. Nothing is freed until a run that is asked
    /// for ends well.
    pub aborted: Option<String>,
    /// Bytes of files removed since the start.
    pub returned_bytes: u64,
    /// What was counted last.
    pub space: Option<Space>,
}

/// How a run that was asked for ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collected {
    /// What it did.
    pub report: CollectReport,
    /// Why it ended before it was done.
    pub aborted: Option<String>,
}

impl Holdall {
    /// Collects what was deleted, and with `compact` moves sparse segments together; only for who
    /// manages the system. At full speed; a run in the background gives way.
    ///
    /// # Errors
    /// Denied, disk full, unavailable. That something does not add up is no error: it is told.
    pub async fn collect(&self, caller: &Caller, compact: bool) -> Result<Collected, Error> {
        may_collect(caller)?;
        let _waits = self.collecting.asked.one();
        // Deleted folders and buckets are taken apart first, so that their bodies are released.
        self.work_off(&self.stop).await?;
        let options =
            CollectOptions { compact_from: compact.then_some(IDLE_PERCENT), end_from: 0, count_anyway: true };
        let mut run = self.begin_asked(&self.stop, move |store| Collector::begin(store, options)).await?;
        let stop = self.stop.clone();
        let run = self.blocking(move || {
            let ended = to_its_end(&stop, || {
                Ok(match run.step()? {
                    Step::More => Next::Step,
                    Step::Waiting => Next::Later,
                    Step::Done => Next::End,
                })
            });
            Ok((run.report().clone(), ended))
        });
        let (report, ended) = run.await?;
        let aborted = match ended.err() {
            None => None,
            // The store itself says so where it is asked, and nothing is in doubt.
            Some(error @ (StoreError::Full | StoreError::Unavailable(_) | StoreError::Busy(_))) => {
                return Err(error.into());
            }
            Some(error) => Some(self.store.collection().aborted().unwrap_or_else(|| error.to_string())),
        };
        self.count_space().await?;
        Ok(Collected { report, aborted })
    }

    /// What [`Holdall::collect`] would do.
    ///
    /// # Errors
    /// Denied; damaged if something does not add up.
    pub async fn forecast_collection(&self, caller: &Caller) -> Result<Forecast, Error> {
        may_collect(caller)?;
        let (store, stop) = (std::sync::Arc::clone(&self.store), self.stop.clone());
        self.blocking(move || Ok(collect::forecast(&store, &|| unless_closing(&stop))?)).await
    }

    /// How collecting stands.
    ///
    /// # Errors
    /// Denied.
    pub fn collection(&self, caller: &Caller) -> Result<CollectionState, Error> {
        may_collect(caller)?;
        Ok(self.collection_state())
    }

    /// What the store holds, as counted last; counted now if it was not since the start.
    ///
    /// # Errors
    /// Denied, unavailable.
    pub async fn space(&self, caller: &Caller) -> Result<Space, Error> {
        may_collect(caller)?;
        match self.collecting.space() {
            Some(space) => Ok(space),
            None => {
                let (store, stop) = (std::sync::Arc::clone(&self.store), self.stop.clone());
                let count = move || Ok(collect::usage(&store, &|| unless_closing(&stop))?);
                let segments = self.blocking(count).await?;
                self.note_space(segments).await
            }
        }
    }

    /// How collecting stands, for the counts of the server. Does not wait for the disk.
    pub(crate) fn collection_state(&self) -> CollectionState {
        let known = self.store.collection();
        let (phase, report) = known.progress();
        CollectionState {
            running: known.is_running(),
            phase: phase.name(),
            report,
            aborted: known.aborted(),
            returned_bytes: known.returned(),
            space: self.collecting.space(),
        }
    }

    /// Notes what the store counted last, if it did.
    async fn count_space(&self) -> Result<(), Error> {
        match self.store.collection().usage() {
            Some(segments) => self.note_space(segments).await.map(drop),
            None => Ok(()),
        }
    }

    /// Notes what was counted just now, with the logical bytes.
    async fn note_space(&self, segments: SegmentUsage) -> Result<Space, Error> {
        let logical = self.read(|rows| Ok(usage::of_all(rows)?)).await?;
        let logical_bytes = logical.charged().saturating_add(logical.history);
        let space = Space { logical_bytes, segments, counted_at: self.clock.now() };
        *self.collecting.space.lock().unwrap_or_else(PoisonError::into_inner) = Some(space);
        Ok(space)
    }
}

impl Collecting {
    fn space(&self) -> Option<Space> {
        *self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_asked(&self) -> bool {
        self.asked.any()
    }
}

fn may_collect(caller: &Caller) -> Result<(), Error> {
    if access::is_manager(caller) { Ok(()) } else { Err(Error::Denied("only admins collect".into())) }
}
