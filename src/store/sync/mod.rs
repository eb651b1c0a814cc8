//! What threads share and wait on: the one place where the store names them.
//!
//! Everything else in `store` takes these from here, so that the same code runs under a scheduler
//! that tries many orders of the same steps. A build of tests has types that decide when they are
//! made: inside a run of that scheduler they wait for their turn, elsewhere they are the standard
//! library's. So one build serves all tests. Any other build has the standard library's and
//! nothing else. Knows nothing of what is shared.

#[cfg(test)]
mod scheduled;
#[cfg(test)]
mod scheduled_threads;

#[cfg(not(test))]
pub use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockWriteGuard, atomic, mpsc};
#[cfg(not(test))]
pub use std::thread;

pub use std::sync::{Arc, OnceLock, PoisonError, TryLockError};

#[cfg(test)]
pub use self::{
    scheduled::{Condvar, Mutex, MutexGuard, RwLock, RwLockWriteGuard, atomic},
    scheduled_threads::{mpsc, thread},
};
