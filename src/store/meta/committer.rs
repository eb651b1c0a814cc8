//! Group commit: everything queued while the last commit ran is committed together.
//!
//! Each verb runs on changes of its own, which join the group's only if it succeeds. Answers,
//! refusals too, follow the commit of the group: a refusal may rest on what an earlier verb of
//! the group did.

use std::time::Duration;

use super::{
    Meta,
    health::lock,
    overlay::Changes,
    queue::{Ran, Submission},
    tables::Ahead,
    tx::{Ground, Tx},
};
use crate::store::{
    error::StoreError,
    faults::Fault,
    sync::{atomic::Ordering, mpsc},
};

/// Most verbs of a group.
const MOST_VERBS: usize = 256;

/// A group takes no further verb once its rows have this many bytes.
const ENOUGH_BYTES: usize = 1 << 20;

/// The same while there is little room ahead.
const FEW_VERBS: usize = 8;
const FEW_BYTES: usize = 64 << 10;

#[derive(Default)]
struct Group {
    submissions: Vec<Submission>,
    changes: Changes,
    /// There is little room: only what gives some back is done.
    tight: bool,
}

impl Group {
    fn is_full(&self) -> bool {
        let (verbs, bytes) = if self.tight { (FEW_VERBS, FEW_BYTES) } else { (MOST_VERBS, ENOUGH_BYTES) };
        self.submissions.len() >= verbs || self.changes.bytes() >= bytes
    }

    /// Takes the changes of a verb that succeeded.
    fn take(&mut self, changes: Changes, gives_back: bool) {
        let refused = self.tight && !gives_back;
        match self.submissions.last_mut().filter(|_| refused && !changes.is_empty()) {
            Some(submission) => submission.fail(StoreError::Full),
            None => self.changes.merge(changes),
        }
    }
}

impl Meta {
    /// Queues a verb. `done` gets its answer after its group is durable; at once, and on this
    /// thread, if the store takes nothing any more.
    pub fn submit<T, E>(
        &self,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.submit_boxed(Submission::new(verb, done));
    }

    /// Queues a submission made before.
    pub fn submit_boxed(&self, submission: Submission) {
        if let Err(error) = self.engine.latch().check() {
            return submission.refuse(error);
        }
        if let Err(submission) = self.queue.push(submission) {
            submission.refuse(StoreError::Unavailable("the store is closing".into()));
        }
    }

    /// Submits a verb and drives the committer until its answer is there. For starting up, the
    /// command line and tests; never from inside a verb or a `done`.
    ///
    /// # Errors
    /// The verb's own, and those of its commit.
    pub fn apply<T, E>(&self, verb: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, answer) = mpsc::channel();
        self.submit(verb, move |result| drop(sender.send(result)));
        loop {
            self.step();
            match answer.recv_timeout(Duration::from_millis(1)) {
                Ok(result) => return result,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(StoreError::Unavailable("the answer was lost".into()).into());
                }
            }
        }
    }

    /// Runs and commits one group; answers how many verbs it had.
    pub fn step(&self) -> usize {
        let _driving = lock(&self.driving);
        let mut group = Group::default();
        let ran = self.run(&mut group);
        let count = group.submissions.len();
        if self.faults().has(Fault::AnswerBeforeCommit) {
            self.answer(std::mem::take(&mut group.submissions), &Ok(()));
        }
        let outcome = ran.and_then(|()| self.commit(std::mem::take(&mut group.changes)));
        self.answer(group.submissions, &outcome);
        count
    }

    /// Answers verbs; they are counted first, so that nobody is answered who does not count.
    fn answer(&self, submissions: Vec<Submission>, outcome: &Result<(), StoreError>) {
        self.verbs.fetch_add(submissions.len() as u64, Ordering::Relaxed);
        for mut submission in submissions {
            if let Err(error) = outcome {
                submission.fail(error.clone());
            }
            submission.answer();
        }
    }

    /// Drives the committer until the store is closed and everything taken is answered: the body
    /// of its thread.
    pub fn drive(&self) {
        while self.wait(Duration::from_secs(1)) {
            self.step();
        }
    }

    /// Waits until there is work, at most for `timeout`. False once the store is closed and
    /// everything is answered.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.queue.wait(timeout)
    }

    /// Takes no more verbs; those already taken are still run by [`Meta::step`].
    pub fn close(&self) {
        self.queue.close();
    }

    /// Takes no more verbs, and refuses those already taken.
    pub(in crate::store) fn refuse_all(&self) {
        self.close();
        while let Some(submission) = self.queue.pop() {
            submission.refuse(StoreError::Unavailable("the store is closing".into()));
        }
    }

    fn run(&self, group: &mut Group) -> Result<(), StoreError> {
        let Some(first) = self.queue.pop() else { return Ok(()) };
        group.submissions.push(first);
        let ready = self.engine.latch().check().and_then(|()| self.engine.snapshot());
        let snapshot = match ready {
            Ok(snapshot) => snapshot,
            Err(error) => {
                // The rest of the queue would meet the same end.
                group.submissions.extend(std::iter::from_fn(|| self.queue.pop()).take(MOST_VERBS));
                return Err(error);
            }
        };
        group.tight = self.engine.take_room()? == Ahead::Tight;
        let ground = Ground {
            engine: &self.engine,
            snapshot: &snapshot,
            now: (self.engine.options().now)(),
            incarnation: self.incarnation,
        };
        while let Some(submission) = group.submissions.last_mut() {
            let mut tx = Tx::new(&ground, &group.changes);
            let ran = submission.run(&mut tx);
            if ran == Ran::Panicked {
                self.panics.fetch_add(1, Ordering::Relaxed);
            }
            if ran == Ran::Well || self.faults().has(Fault::RefusalKept) {
                let gives_back = tx.gives_back();
                let changes = tx.into_changes();
                group.take(changes, gives_back);
            }
            // A verb may hide that the engine failed below it; the group must not.
            self.engine.latch().check()?;
            if group.is_full() {
                break;
            }
            match self.queue.pop() {
                Some(next) => group.submissions.push(next),
                None => break,
            }
        }
        Ok(())
    }

    fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        if self.faults().has(Fault::GroupInHalves) {
            self.engine.commit(changes.take_half(), &[])?;
        }
        if changes.is_empty() { Ok(()) } else { self.engine.commit(changes, &self.engine.due()) }
    }
}
