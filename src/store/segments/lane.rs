//! A lane: one writer at a time appends, one sync covers everything appended before it.
//!
//! Its state machine is driven by [`Lane::step`]. Appending and waiting only fill queues, so a
//! simulation can run everything in one thread.

use std::time::Duration;

use super::{Placed, SegmentState, Shared, footer::SealError, held::Held, record::Prepared, writer::Writer};
use crate::{
    model::ids::SegmentId,
    store::{
        error::{StoreError, is_out_of_files},
        faults::Fault,
        io::Site,
        sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    },
};

/// What a lane is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LaneKind {
    /// Bodies that skip the chunker.
    Small,
    /// Everything else.
    Normal,
    /// One large stream at a time, so that its chunks lie together and die together.
    Exclusive,
    /// Chunks the compactor moves.
    Relocation,
}

impl LaneKind {
    /// Its number on the disk.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Small => 0,
            Self::Normal => 1,
            Self::Exclusive => 2,
            Self::Relocation => 3,
        }
    }

    /// What the sync of its records is called.
    fn site(self) -> Site {
        match self {
            Self::Small | Self::Normal | Self::Exclusive => Site::SegmentData,
            Self::Relocation => Site::RelocationData,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Small, Self::Normal, Self::Exclusive, Self::Relocation]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// A life of a lane, from its beginning or a failed sync to the next one. What was appended in one
/// life is never vouched for by a sync of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Life(u32);

/// Lives that a lane has. Each that ends leaves a segment that is closed at the next start only,
/// and a disk that goes on failing is none to write to.
const LIVES: u32 = 3;

/// Called once, when what was appended is durable or never will be known to be.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

#[derive(Default)]
struct State {
    open: Option<Writer>,
    /// Never appended to again, but not sealed yet.
    full: Vec<Writer>,
    /// A segment in `full` has not been tried yet.
    unsealed: bool,
    waiters: Vec<Done>,
    life: Life,
    /// Why this lane takes nothing until the next start.
    poisoned: Option<String>,
    closing: bool,
    /// Its thread ended, so nobody would answer a waiter.
    deserted: bool,
}

pub(super) struct Lane {
    kind: LaneKind,
    shared: Arc<Shared>,
    state: Mutex<State>,
    work: Condvar,
    /// Held through a step: steps of one lane never overlap.
    stepping: Mutex<()>,
}

impl State {
    fn alive(&self) -> Result<(), StoreError> {
        match &self.poisoned {
            Some(why) => Err(StoreError::Unavailable(why.clone())),
            None => Ok(()),
        }
    }

    fn has_work(&self) -> bool {
        !self.waiters.is_empty() || (self.unsealed && self.poisoned.is_none())
    }

    /// Nothing from before the last failed sync may be taken for durable.
    fn vouch(&self, since: Life) -> Result<(), StoreError> {
        self.alive()?;
        if since == self.life {
            return Ok(());
        }
        Err(StoreError::Unavailable(
            "a sync of a segment failed since this was written; send it again".into(),
        ))
    }

    fn retire(&mut self) {
        self.unsealed |= self.open.is_some();
        self.full.extend(self.open.take());
    }

    fn writers(&mut self) -> impl Iterator<Item = &mut Writer> {
        self.full.iter_mut().chain(self.open.as_mut())
    }
}

/// What one step has to sync of one segment.
struct Due {
    id: SegmentId,
    file: Arc<dyn crate::store::io::File>,
    end: u64,
    named: bool,
}

impl Lane {
    pub(super) fn new(kind: LaneKind, shared: Arc<Shared>) -> Self {
        Self { kind, shared, state: Mutex::default(), work: Condvar::new(), stepping: Mutex::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|panicked| {
            // Somebody panicked while changing the state: what is in the file is not known.
            let mut state = PoisonError::into_inner(panicked);
            state.poisoned.get_or_insert_with(|| "writing to a segment was cut short".into());
            state
        })
    }

    /// Why it takes nothing any more, unless it was closed.
    pub(super) fn failure(&self) -> Option<String> {
        let state = self.state();
        state.poisoned.clone().filter(|_| !state.closing)
    }

    pub(super) fn append(&self, record: Prepared) -> Result<(Placed, Held), StoreError> {
        let shared = &*self.shared;
        let mut state = self.state();
        state.alive()?;
        if state.closing {
            return Err(closing());
        }
        if state.open.as_ref().is_some_and(|open| open.is_full_for(shared, record.len())) {
            state.retire();
            self.work.notify_all();
        }
        let grows = state.open.as_ref().is_none_or(|open| open.grows(record.len()));
        if grows && self.kind != LaneKind::Relocation {
            (shared.options.room)()?;
        }
        if state.open.is_none() {
            state.open = Some(Writer::create(shared, self.kind)?);
        }
        let Some(open) = state.open.as_mut() else { return Err(closing()) };
        // No room is no harm: the segment is as it was.
        open.make_room(shared, open.end + record.len())?;
        let header = match open.append(shared, record) {
            Ok(header) => header,
            Err(error) => {
                state.retire();
                self.work.notify_all();
                return Err(error.into());
            }
        };
        let writeback = match self.kind {
            LaneKind::Exclusive | LaneKind::Relocation => open.writeback(shared),
            LaneKind::Small | LaneKind::Normal => None,
        };
        // Before anybody can seal the segment.
        let held = shared.holds.take(header.segment, state.life);
        drop(state);
        if let Some(part) = writeback {
            part.start();
        }
        let placed = Placed {
            segment: header.segment,
            offset: header.offset,
            stored_len: header.stored_len,
            codec: header.codec,
        };
        Ok((placed, held))
    }

    #[cfg(test)]
    pub(super) fn life(&self) -> Life {
        self.state().life
    }

    /// The segment that is written, and where it ends.
    pub(super) fn open_segment(&self) -> Option<(SegmentId, u64)> {
        self.state().open.as_ref().map(|open| (open.id, open.end))
    }

    /// Goes on in a new segment, if this is the one that is written.
    pub(super) fn roll(&self, segment: SegmentId) {
        let mut state = self.state();
        if state.open.as_ref().is_some_and(|open| open.id == segment) {
            state.retire();
            drop(state);
            self.work.notify_all();
        }
    }

    pub(super) fn wait_synced(&self, since: Life, done: Done) {
        let mut state = self.state();
        let since = if self.shared.faults.has(Fault::LostSyncVouched) { state.life } else { since };
        let refusal = if state.deserted { Err(closing()) } else { state.vouch(since) };
        if refusal.is_err() {
            drop(state);
            return done(refusal);
        }
        state.waiters.push(done);
        drop(state);
        self.work.notify_all();
    }

    /// Syncs everything appended so far, answers who waited for it, then seals what is full.
    pub(super) fn step(&self) -> bool {
        let _one = self.stepping.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut waiters, due, full) = {
            let mut state = self.state();
            let due = if state.poisoned.is_some() { Vec::new() } else { due(&mut state) };
            // One that could not be sealed waits for other work: there is none in itself.
            let full = state.poisoned.is_none() && state.unsealed;
            (std::mem::take(&mut state.waiters), due, full)
        };
        if waiters.is_empty() && due.is_empty() && !full {
            return false;
        }
        let synced = due.iter().try_for_each(|due| self.sync(due));
        let answer = match synced {
            Ok(()) => self.state().alive(),
            Err(error) if is_out_of_files(&error) => {
                // Nothing was tried, so nothing is in doubt: it is synced with the next work.
                self.state().unsealed = false;
                let busy = StoreError::from(error);
                waiters.into_iter().for_each(|done| done(Err(busy.clone())));
                return false;
            }
            Err(error) => Err(self.fail(&mut waiters, &error)),
        };
        // Never under a lock: a waiter may append or wait itself.
        waiters.into_iter().for_each(|done| done(answer.clone()));
        if answer.is_ok() {
            self.seal();
        }
        true
    }

    /// A failed sync is final for what it was about: whether anything since the last good one is
    /// durable is not known, and another sync might say so of pages that were given up. So nothing
    /// is written to, sealed or synced in these segments again, who waits or will wait for what is
    /// in them is refused, and the lane goes on elsewhere; unless that happens again and again.
    fn fail(&self, waiters: &mut Vec<Done>, error: &std::io::Error) -> StoreError {
        let mut state = self.state();
        let why = format!("a sync of a segment failed ({})", error.kind());
        tracing::error!(lane = ?self.kind, lives = LIVES, life = state.life.0 + 1, "{why}");
        waiters.append(&mut state.waiters);
        state.open = None;
        // Of those that only want their footer, every record was synced.
        state.full.retain(|writer| writer.synced == writer.end);
        state.unsealed = !state.full.is_empty();
        state.life = Life(state.life.0 + 1);
        if state.life.0 >= LIVES {
            state.poisoned.get_or_insert_with(|| why.clone());
        }
        StoreError::Unavailable(why)
    }

    fn sync(&self, due: &Due) -> std::io::Result<()> {
        if !due.named {
            self.shared.names.sync(&*self.shared.io, due.id)?;
        }
        match due.file.sync(self.kind.site()) {
            Err(_) if self.shared.faults.has(Fault::SegmentSyncRetried) => due.file.sync(self.kind.site())?,
            synced => synced?,
        }
        let growth = self.shared.options.growth_bytes;
        if let Some(writer) = self.state().writers().find(|writer| writer.id == due.id) {
            writer.named = true;
            writer.synced = writer.synced.max(due.end);
            // Rows learn where a segment ends often enough to bound what recovery verifies.
            if writer.reported == 0 || writer.synced - writer.reported >= growth {
                writer.reported = writer.synced;
                let state = SegmentState { kind: self.kind, sealed: false, length: writer.synced };
                self.shared.report(due.id, state);
            }
        }
        Ok(())
    }

    /// Seals full segments. One that cannot be for want of room stays as it is, its records synced,
    /// and is tried again at the next step that has other work.
    fn seal(&self) {
        let mut full = {
            let mut state = self.state();
            state.unsealed = false;
            // One that was retired since this step began is not synced yet, so it is not its turn.
            let (ready, later) = state.full.drain(..).partition(|writer| writer.synced == writer.end);
            state.full = later;
            state.unsealed = !state.full.is_empty();
            ready
        };
        let mut failed = None;
        full.retain_mut(|writer: &mut Writer| match failed {
            None if self.shared.faults.has(Fault::SealToldBeforeSync) => {
                let state = SegmentState { kind: self.kind, sealed: true, length: writer.end };
                self.shared.report(writer.id, state);
                false
            }
            Some(_) => true,
            None => match writer.seal(&self.shared) {
                Ok(()) => {
                    let state = SegmentState { kind: self.kind, sealed: true, length: writer.end };
                    self.shared.report(writer.id, state);
                    false
                }
                Err(SealError::Write(_)) => true,
                Err(SealError::Sync(error)) => {
                    failed = Some(error);
                    false
                }
            },
        });
        self.state().full.append(&mut full);
        if let Some(error) = failed {
            let mut waiters = Vec::new();
            let answer = self.fail(&mut waiters, &error);
            waiters.into_iter().for_each(|done| done(Err(answer.clone())));
        }
    }

    /// Parks until there is something to do, the lane closes, or the time is over.
    pub(super) fn wait(&self, timeout: Duration) {
        let state = self.state();
        // A panic elsewhere shows at the next look at the state.
        drop(self.work.wait_timeout_while(state, timeout, |state| !state.has_work() && !state.closing));
    }

    /// Drives the lane until it is closed and everything queued was answered.
    pub(super) fn run(&self) {
        let deserted = Deserted(self);
        loop {
            self.wait(Duration::from_secs(60));
            while self.step() && self.state().has_work() {}
            let state = self.state();
            if state.closing && !state.has_work() {
                break;
            }
        }
        drop(deserted);
    }

    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_all();
    }
}

/// However the thread of a lane ends, nobody waits for it after that.
struct Deserted<'a>(&'a Lane);

impl Drop for Deserted<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.deserted = true;
        state.poisoned.get_or_insert_with(|| "it is closing".into());
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_iter().for_each(|done| done(Err(closing())));
    }
}

fn closing() -> StoreError {
    StoreError::Unavailable("it is closing".into())
}

fn due(state: &mut State) -> Vec<Due> {
    let dirty = state.writers().filter(|writer| writer.synced < writer.end);
    dirty
        .map(|writer| Due { id: writer.id, file: writer.file.clone(), end: writer.end, named: writer.named })
        .collect()
}
