//! What threads share and wait on: the one place where the store names them.
//!
//! Everything else in `store` takes these from here, so that the same code can be run under a
//! scheduler of our own. Knows nothing of what is shared.

pub use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard, TryLockError, atomic,
    mpsc,
};
pub use std::thread;
