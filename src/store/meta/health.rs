//! Whether the metadata store still keeps its promises. It only remembers the first failure; it
//! does not know how to mend one.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::store::{
    error::StoreError,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Locks, also where a panic left the lock poisoned: the values behind our locks are replaced
/// whole, never left half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the metadata store is able to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// Everything.
    Open,
    /// Nothing is acknowledged any more, until [`Meta::reopen`](super::Meta::reopen) succeeds.
    /// Reads may still work.
    Failed(String),
    /// It is closing: what was taken is finished, nothing new is.
    Closing,
}

/// The latch: set by the first failure of the engine, released only by opening it again.
#[derive(Debug, Default)]
pub(super) struct Latch {
    failed: AtomicBool,
    reason: Mutex<Option<String>>,
    /// Something was met that no failing disk explains.
    contradiction: AtomicBool,
}

impl Latch {
    /// Unavailable once something failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.reason() {
            Some(reason) => Err(StoreError::Unavailable(reason)),
            None => Ok(()),
        }
    }

    /// Why it was set.
    pub(super) fn reason(&self) -> Option<String> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        lock(&self.reason).clone()
    }

    /// Sets it; the first reason stays.
    pub(super) fn set(&self, reason: &str) {
        let mut held = lock(&self.reason);
        if held.is_none() {
            tracing::error!(reason, "the metadata store stopped acknowledging");
            *held = Some(reason.to_owned());
        }
        self.failed.store(true, Ordering::Release);
    }

    /// What is in the file contradicts itself.
    pub(super) fn distrust(&self) {
        self.contradiction.store(true, Ordering::Release);
    }

    /// Whether it does.
    pub(super) fn is_distrusted(&self) -> bool {
        self.contradiction.load(Ordering::Acquire)
    }

    /// Releases it, after the database was opened again and verified.
    pub(super) fn release(&self) {
        let mut held = lock(&self.reason);
        *held = None;
        self.contradiction.store(false, Ordering::Release);
        self.failed.store(false, Ordering::Release);
    }

    /// Reads through redb. A failure sets the latch, and so does a panic: redb does not check
    /// pages as it reads them and asserts where one contradicts itself.
    pub(super) fn reading<T, E: Into<redb::Error>>(
        &self,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, StoreError> {
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(result) => result.map_err(|error| self.fault("reading rows", error)),
            Err(_) => {
                self.distrust();
                self.set("reading rows: a page contradicts itself");
                Err(StoreError::Damaged(
                    "metadata: a page contradicts itself: `holdall rebuild` makes it anew".into(),
                ))
            }
        }
    }

    /// Sets it and names the failure for the caller.
    pub(super) fn fault(&self, what: &str, error: impl Into<redb::Error>) -> StoreError {
        let error = error.into();
        self.set(&format!("{what}: {error}"));
        from_redb(error)
    }
}

/// The engine's failures in our words. Whatever is not plainly an I/O error or damage is a store
/// that cannot be used.
pub(super) fn from_redb(error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) => io::Error::into(error),
        redb::Error::Corrupted(what) => StoreError::Damaged(format!("metadata: {what}")),
        other => StoreError::Unavailable(other.to_string()),
    }
}
