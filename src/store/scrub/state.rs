//! What is known of scrubbing between runs and while one is under way. Knows nothing of how.

use super::rows::{self, Portion, ScrubRow, ScrubbedRow};
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        meta::rows::Rows,
        sync::{
            Mutex, MutexGuard, PoisonError,
            atomic::{AtomicBool, AtomicU64, Ordering},
        },
    },
};

/// What a run did so far, or did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// When it was begun.
    pub begun: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// Of what.
    pub portion: Portion,
    /// How much of it is done, in thousandths.
    pub thousandths: u64,
    /// Chunks read.
    pub chunks: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Chunks, segments, rows and kept snapshots that were damaged, known before or not.
    pub damaged: u64,
}

impl Summary {
    pub(super) fn of(row: &ScrubRow) -> Self {
        let done = row.after.min(row.until).saturating_mul(1000).checked_div(row.until).unwrap_or(1000);
        Self {
            begun: row.begun,
            ended: None,
            portion: row.portion,
            thousandths: if row.chunks_done { 1000 } else { done },
            chunks: row.chunks,
            bytes: row.bytes,
            damaged: row.damaged,
        }
    }
}

impl From<&ScrubbedRow> for Summary {
    fn from(row: &ScrubbedRow) -> Self {
        Self {
            begun: row.begun,
            ended: Some(row.ended),
            portion: Portion::ALL,
            thousandths: 1000,
            chunks: row.chunks,
            bytes: row.bytes,
            damaged: row.damaged,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    now: Option<Summary>,
    last: Option<Summary>,
    /// Rows and kept snapshots that are damaged.
    metadata: u64,
}

/// What is known of scrubbing; all of it is in rows, or ends with the process.
#[derive(Debug, Default)]
pub struct Scrubbing {
    running: AtomicBool,
    bytes: AtomicU64,
    state: Mutex<State>,
}

impl Scrubbing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the rows say.
    pub(crate) fn refresh(&self, rows: &dyn Rows) -> Result<(), StoreError> {
        let now = rows::under_way(rows)?.map(|row| Summary::of(&row));
        let last = rows::last(rows)?.map(|row| Summary::from(&row));
        let metadata = rows::damaged_metadata(rows)?;
        *self.state() = State { now, last, metadata };
        Ok(())
    }

    pub(super) fn enter(&self) -> Result<(), StoreError> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(StoreError::Busy("a scrub is running already".into()));
        }
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.running.store(false, Ordering::Release);
    }

    pub(super) fn tell(&self, row: &ScrubRow) {
        self.state().now = Some(Summary::of(row));
    }

    /// A run found so much of the metadata to be damaged. That less is, is known at its end.
    pub(super) fn tell_metadata(&self, damaged: u64) {
        let mut state = self.state();
        state.metadata = state.metadata.max(damaged);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether a run is under way.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// The run that is under way, or was begun and goes on later.
    #[must_use]
    pub fn now(&self) -> Option<Summary> {
        self.state().now
    }

    /// The last run over everything that ended.
    #[must_use]
    pub fn last(&self) -> Option<Summary> {
        self.state().last
    }

    /// Rows of the metadata and kept snapshots of it that are known to be damaged.
    #[must_use]
    pub fn damaged_metadata(&self) -> u64 {
        self.state().metadata
    }

    /// Bytes of segments read since the store was opened.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
