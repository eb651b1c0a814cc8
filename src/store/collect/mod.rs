//! The collector: gives back the room of what nothing refers to any more. The only code that
//! frees bytes.
//!
//! ```text
//! release   a manifest's last reference went: page by page its chunks lose theirs
//! condemn   a chunk's last reference went and no upload has found it: nobody finds it any more
//! reap      in a later epoch its row is deleted, its bytes are dead
//! survey    what lives in each segment is counted; the rest is dead
//! compact   what lives in a sparse or damaged segment is copied elsewhere and switched over
//! sweep     a segment in which nothing lives is marked, and removed after its last reader
//! ```
//!
//! Every step is one bounded transaction, and rows alone tell the next one where to go on: a
//! crash only delays. No clock decides anything. Whatever was not expected (a row that cannot be
//! read or is missing, a count below zero, two counts that differ) ends the run before anything
//! more is deleted, and [`Collection::aborted`] says so until a run ends well.
//!
//! A [`Collector`] is a state machine: [`Collector::step`] does the next step, on whatever thread
//! it is called. Knows rows and segments; who runs it, when and how fast is decided above.

mod compact;
mod condemn;
mod forecast;
mod hold;
mod records;
mod release;
mod report;
mod survey;
mod sweep;
#[cfg(test)]
mod tests;

use self::{
    compact::{Candidate, Moving},
    survey::Survey,
    sweep::Sweep,
};
use super::{
    Store,
    blobs::rows::{Queued, queued_numbers},
    error::StoreError,
    meta::{Tx, rows::Rows},
    sync::{Arc, thread},
};

pub use self::{
    forecast::{Forecast, forecast},
    hold::Hold,
    report::{Collection, Phase, Report},
    survey::{Usage, usage},
};

/// Asked every some rows whether long work goes on; what it says else ends it.
pub type GoOn<'a> = &'a dyn Fn() -> Result<(), StoreError>;

/// Segments' worth of records that one pass moves before the old segments are swept.
const SEGMENTS_PER_PASS: u64 = 4;

/// What a run does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CollectOptions {
    /// Segments of which so many of a hundred bytes are dead are moved, and those whose header or
    /// footer is damaged; `None` moves nothing.
    pub compact_from: Option<u64>,
    /// A segment that is still written is ended when so many of its bytes are dead, and, if
    /// anything lives in it, when it would be moved then.
    pub end_from: u64,
    /// Segments are counted even if nothing was deleted.
    pub count_anyway: bool,
}

/// Whether anything waits for a run.
///
/// # Errors
/// If a row cannot be read.
pub fn has_work(rows: &dyn Rows) -> Result<bool, StoreError> {
    for why in [Queued::Released, Queued::Idle, Queued::Condemned, Queued::Emptied] {
        if !queued_numbers(rows, why, None, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// There is more to do.
    More,
    /// There is more to do once readers have gone on; nothing was done.
    Waiting,
    /// Nothing is left.
    Done,
}

/// One run of the collector. There is one at a time.
#[derive(Debug)]
pub struct Collector {
    store: Arc<Store>,
    options: CollectOptions,
    phase: Phase,
    /// Behind which queued thing this phase goes on.
    after: Option<u64>,
    epoch: u64,
    /// The last manifest that was released when the run began.
    until: Option<u64>,
    /// Whether those manifests were gone through no more than once.
    first_pass: bool,
    /// Whether one of them was made of parts.
    parts: bool,
    /// All of them were gone through.
    released: bool,
    /// Chunks condemned in this epoch.
    condemned: u64,
    survey: Option<Survey>,
    /// Segments that were still written were ended; once is enough.
    ended: bool,
    sweep: Sweep,
    candidates: Vec<Candidate>,
    moving: Option<Moving>,
    /// Segments and bytes moved in this pass.
    pass: (u64, u64),
    /// Bytes copied since [`Collector::take_copied`].
    copied: u64,
    /// It was ended before it was done.
    failed: bool,
    report: Report,
}

impl Collector {
    /// Begins a run.
    ///
    /// # Errors
    /// Busy while there is another; otherwise if a row cannot be read.
    pub fn begin(store: &Arc<Store>, options: CollectOptions) -> Result<Self, StoreError> {
        store.collection().enter()?;
        let unstuck = store.snapshot().and_then(|rows| store.collection().unstick(&rows));
        if let Err(error) = unstuck {
            store.collection().leave();
            return Err(error);
        }
        Ok(Self {
            store: Arc::clone(store),
            options,
            phase: Phase::Epoch,
            after: None,
            epoch: 0,
            until: None,
            first_pass: true,
            parts: false,
            released: false,
            condemned: 0,
            survey: None,
            ended: false,
            sweep: Sweep::default(),
            candidates: Vec::new(),
            moving: None,
            pass: (0, 0),
            copied: 0,
            failed: false,
            report: Report::default(),
        })
    }

    /// Does the next step.
    ///
    /// # Errors
    /// What ended the run; nothing is done after that.
    pub fn step(&mut self) -> Result<Step, StoreError> {
        let stepped = self.next();
        if let Err(error) = &stepped {
            self.phase = Phase::Done;
            self.failed = true;
            self.store.collection().failed(error);
        }
        if stepped.as_ref().is_ok_and(|step| *step == Step::Done) && !self.failed {
            self.store.collection().finished();
        }
        self.store.collection().tell(self.phase, &self.report);
        stepped
    }

    /// Runs to the end on this thread.
    ///
    /// # Errors
    /// As [`Collector::step`].
    pub fn run(mut self) -> Result<Report, StoreError> {
        loop {
            match self.step()? {
                Step::More => {}
                Step::Waiting => thread::sleep(std::time::Duration::from_millis(1)),
                Step::Done => return Ok(self.report.clone()),
            }
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Bytes copied since the last call.
    pub fn take_copied(&mut self) -> u64 {
        std::mem::take(&mut self.copied)
    }

    fn next(&mut self) -> Result<Step, StoreError> {
        match self.phase {
            Phase::Epoch => {
                self.epoch = self.store.give_back(|tx: &mut Tx<'_>| condemn::next_epoch(tx))?;
                self.condemned = 0;
                Ok(self.go(Phase::Reap))
            }
            Phase::Reap => self.reap(),
            Phase::Settle => self.settle(),
            Phase::Release => self.release(),
            Phase::Survey => self.take_survey(),
            Phase::Sweep => match self.sweep()? {
                Step::Done => Ok(self.after_sweep()),
                step => Ok(step),
            },
            Phase::Compact => match self.compact()? {
                Step::Done => Ok(self.after_compaction()),
                step => Ok(step),
            },
            Phase::Done => Ok(Step::Done),
        }
    }

    fn go(&mut self, phase: Phase) -> Step {
        self.phase = phase;
        self.after = None;
        Step::More
    }

    /// The next queued chunks of a kind.
    fn queued(&mut self, why: Queued, limit: usize) -> Result<Vec<u64>, StoreError> {
        let found = queued_numbers(&self.store.snapshot()?, why, self.after, limit)?;
        self.after = found.last().copied().or(self.after);
        Ok(found)
    }

    fn after_release(&mut self) -> Step {
        self.go(if self.condemned > 0 {
            // What was condemned just now is deleted in the next epoch.
            Phase::Epoch
        } else if self.options.count_anyway || self.report.chunks_deleted > 0 {
            Phase::Survey
        } else {
            Phase::Sweep
        })
    }

    fn after_sweep(&mut self) -> Step {
        self.go(if self.candidates.is_empty() { Phase::Done } else { Phase::Compact })
    }

    /// What was moved out of is empty now; what is still sparse comes in the next pass.
    fn after_compaction(&mut self) -> Step {
        self.candidates.clear();
        self.go(if self.pass.0 > 0 { Phase::Survey } else { Phase::Done })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Rows of the index that lead nowhere need not wait for thousands more.
        if self.report.chunks_deleted > 0 {
            self.store.blobs().index().merge(self.store.meta(), true);
        }
        self.store.collection().leave();
    }
}
