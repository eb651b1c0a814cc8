//! Verbs waiting for the committer. Knows nothing of what they do.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::{health::lock, tx::Tx};
use crate::store::{
    error::StoreError,
    sync::{Condvar, Mutex, PoisonError},
};

trait Work: Send {
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    fn fail(&mut self, error: StoreError);
    fn answer(&mut self);
}

struct Job<V, D, T, E> {
    verb: V,
    done: Option<D>,
    result: Option<Result<T, E>>,
}

impl<V, D, T, E> Work for Job<V, D, T, E>
where
    V: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    D: FnOnce(Result<T, E>) + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let result = (self.verb)(tx);
        let succeeded = result.is_ok();
        if succeeded {
            tx.assert_bounded();
        }
        self.result = Some(result);
        succeeded
    }

    fn fail(&mut self, error: StoreError) {
        if self.done.is_some() {
            self.result = Some(Err(error.into()));
        }
    }

    fn answer(&mut self) {
        if let (Some(done), Some(result)) = (self.done.take(), self.result.take()) {
            done(result);
        }
    }
}

/// A verb with the one who waits for its answer. Exactly one answer is given, whatever happens to
/// the submission; one that is dropped is answered as unavailable.
pub struct Submission(Box<dyn Work>);

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Submission")
    }
}

impl Submission {
    /// Ties a verb to the receiver of its answer. The verb is a pure function of the rows it
    /// reads; it may run more than once. `done` runs on the committer's thread and must be quick.
    pub fn new<T, E>(
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Self(Box::new(Job { verb, done: Some(done), result: None }))
    }

    /// Answers without running the verb.
    pub fn refuse(mut self, error: StoreError) {
        self.fail(error);
        self.answer();
    }

    /// Runs the verb. A panic inside is this verb's failure only.
    pub(super) fn run(&mut self, tx: &mut Tx<'_>) -> Ran {
        match catch_unwind(AssertUnwindSafe(|| self.0.run(tx))) {
            Ok(true) => Ran::Well,
            Ok(false) => Ran::Refused,
            Err(panic) => {
                tracing::error!(panic = panic_text(panic.as_ref()), "a verb panicked");
                self.fail(StoreError::Unavailable("internal fault".into()));
                Ran::Panicked
            }
        }
    }

    /// Replaces whatever the verb answered.
    pub(super) fn fail(&mut self, error: StoreError) {
        self.0.fail(error);
    }

    /// Gives the answer, once.
    pub(super) fn answer(&mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.0.answer())) {
            tracing::error!(panic = panic_text(panic.as_ref()), "the receiver of an answer panicked");
        }
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        self.fail(StoreError::Unavailable("it was given up before its turn".into()));
        self.answer();
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[derive(Default)]
struct Waiting {
    submissions: VecDeque<Submission>,
    closed: bool,
}

/// What running a verb came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ran {
    /// Its changes count.
    Well,
    /// It refused, and nothing of it counts.
    Refused,
    /// It panicked, and nothing of it counts.
    Panicked,
}

/// The line of submissions, first come first served.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Queue {
    /// Queues a submission, or gives it back if the queue is closed.
    pub(super) fn push(&self, submission: Submission) -> Result<(), Submission> {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return Err(submission);
        }
        waiting.submissions.push_back(submission);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<Submission> {
        lock(&self.waiting).submissions.pop_front()
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.arrived.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.waiting).closed
    }

    /// Waits until something is queued, the queue closes or the time is over. False when it is
    /// closed and empty: nothing will ever come.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let idle = |waiting: &mut Waiting| waiting.submissions.is_empty() && !waiting.closed;
        let waiting = lock(&self.waiting);
        let (waiting, _) =
            self.arrived.wait_timeout_while(waiting, timeout, idle).unwrap_or_else(PoisonError::into_inner);
        !(waiting.closed && waiting.submissions.is_empty())
    }
}
