//! Locks that wait for their turn inside a run of the scheduler.
//!
//! Each is the standard library's behind a gate, which is the scheduler's. Whoever has passed the
//! gate finds the lock free. What was made outside of a run has no gate.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{LockResult, PoisonError, TryLockError, TryLockResult},
    time::Duration,
};

/// Whether a run of the scheduler is under way on this thread.
pub(super) fn is_scheduled() -> bool {
    shuttle::current::try_get_current_task().is_some()
}

fn gate<T: Default>() -> Option<T> {
    is_scheduled().then(T::default)
}

/// Passes a gate. Its own poison says nothing: that of the lock behind it counts.
fn pass<G>(result: LockResult<G>) -> G {
    result.unwrap_or_else(PoisonError::into_inner)
}

fn wrap<G, H>(result: LockResult<G>, with: impl FnOnce(G) -> H) -> LockResult<H> {
    match result {
        Ok(guard) => Ok(with(guard)),
        Err(poisoned) => Err(PoisonError::new(with(poisoned.into_inner()))),
    }
}

/// As the standard library's.
pub struct Mutex<T: ?Sized> {
    gate: Option<shuttle::sync::Mutex<()>>,
    lock: std::sync::Mutex<T>,
}

/// As the standard library's.
pub struct MutexGuard<'a, T: ?Sized> {
    // Dropped in this order.
    inner: Option<std::sync::MutexGuard<'a, T>>,
    passed: Option<shuttle::sync::MutexGuard<'a, ()>>,
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    /// A free one.
    pub fn new(value: T) -> Self {
        Self { gate: gate(), lock: std::sync::Mutex::new(value) }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for it.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let passed = self.gate.as_ref().map(|gate| pass(gate.lock()));
        self.behind(passed)
    }

    fn behind<'a>(
        &'a self,
        passed: Option<shuttle::sync::MutexGuard<'a, ()>>,
    ) -> LockResult<MutexGuard<'a, T>> {
        wrap(self.lock.lock(), |inner| MutexGuard { inner: Some(inner), passed, mutex: self })
    }

    /// What is inside: nobody else has it.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.lock.get_mut()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock.fmt(f)
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().unwrap()
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().unwrap()
    }
}

/// As the standard library's; but inside of a run no time ever passes, so whoever waits for a sign
/// that does not come is found.
#[derive(Debug)]
pub struct Condvar {
    gate: Option<shuttle::sync::Condvar>,
    inner: std::sync::Condvar,
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// One that nobody waits at.
    pub fn new() -> Self {
        Self { gate: gate(), inner: std::sync::Condvar::new() }
    }

    /// Waits while the condition holds.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let mutex = guard.mutex;
        let Some(gate) = &self.gate else {
            let inner = guard.inner.take().unwrap();
            let waited = self.inner.wait_timeout_while(inner, timeout, condition);
            let found = |(inner, out): (_, std::sync::WaitTimeoutResult)| {
                (MutexGuard { inner: Some(inner), passed: None, mutex }, out.timed_out())
            };
            return wrap(waited, found);
        };
        while condition(&mut guard) {
            drop(guard.inner.take());
            let passed = pass(gate.wait(guard.passed.take().unwrap()));
            guard = mutex
                .behind(Some(passed))
                .map_err(|poisoned| PoisonError::new((poisoned.into_inner(), false)))?;
        }
        Ok((guard, false))
    }

    /// Wakes one.
    pub fn notify_one(&self) {
        match &self.gate {
            Some(gate) => gate.notify_one(),
            None => self.inner.notify_one(),
        }
    }

    /// Wakes all.
    pub fn notify_all(&self) {
        match &self.gate {
            Some(gate) => gate.notify_all(),
            None => self.inner.notify_all(),
        }
    }
}

/// As the standard library's.
pub struct RwLock<T> {
    gate: Option<shuttle::sync::RwLock<()>>,
    lock: std::sync::RwLock<T>,
}

/// One of those who read.
pub struct RwLockReadGuard<'a, T> {
    inner: std::sync::RwLockReadGuard<'a, T>,
    _passed: Option<shuttle::sync::RwLockReadGuard<'a, ()>>,
}

/// The one who writes.
pub struct RwLockWriteGuard<'a, T> {
    inner: std::sync::RwLockWriteGuard<'a, T>,
    _passed: Option<shuttle::sync::RwLockWriteGuard<'a, ()>>,
}

impl<T> RwLock<T> {
    /// A free one.
    pub fn new(value: T) -> Self {
        Self { gate: gate(), lock: std::sync::RwLock::new(value) }
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let passed = self.gate.as_ref().map(|gate| pass(gate.read()));
        wrap(self.lock.read(), |inner| RwLockReadGuard { inner, _passed: passed })
    }

    /// Reads, unless somebody writes.
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let passed = match self.gate.as_ref().map(shuttle::sync::RwLock::try_read) {
            Some(Ok(passed)) => Some(passed),
            Some(Err(TryLockError::Poisoned(poisoned))) => Some(poisoned.into_inner()),
            Some(Err(TryLockError::WouldBlock)) => return Err(TryLockError::WouldBlock),
            None => None,
        };
        match self.lock.try_read() {
            Ok(inner) => Ok(RwLockReadGuard { inner, _passed: passed }),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            Err(TryLockError::Poisoned(poisoned)) => {
                let guard = RwLockReadGuard { inner: poisoned.into_inner(), _passed: passed };
                Err(TryLockError::Poisoned(PoisonError::new(guard)))
            }
        }
    }

    /// Waits until nobody else has it.
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let passed = self.gate.as_ref().map(|gate| pass(gate.write()));
        wrap(self.lock.write(), |inner| RwLockWriteGuard { inner, _passed: passed })
    }

    /// What is inside: nobody else has it.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.lock.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// Numbers that threads share. Only [`AtomicBool`](atomic::AtomicBool) tells others anything; the
/// rest counts.
pub mod atomic {
    pub use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

    /// As the standard library's. A relaxed access orders nothing, so it needs no turn.
    #[derive(Debug)]
    pub struct AtomicBool {
        gate: Option<shuttle::sync::atomic::AtomicBool>,
        inner: std::sync::atomic::AtomicBool,
    }

    impl Default for AtomicBool {
        fn default() -> Self {
            Self::new(false)
        }
    }

    impl AtomicBool {
        /// One with this value.
        pub fn new(value: bool) -> Self {
            Self { gate: super::gate(), inner: value.into() }
        }

        fn turn(&self, ordering: Ordering) -> &std::sync::atomic::AtomicBool {
            if let Some(gate) = self.gate.as_ref().filter(|_| ordering != Ordering::Relaxed) {
                gate.load(Ordering::SeqCst);
            }
            &self.inner
        }

        /// Reads.
        pub fn load(&self, ordering: Ordering) -> bool {
            self.turn(ordering).load(ordering)
        }

        /// Writes.
        pub fn store(&self, value: bool, ordering: Ordering) {
            self.turn(ordering).store(value, ordering);
        }

        /// Writes and tells what was there.
        pub fn swap(&self, value: bool, ordering: Ordering) -> bool {
            self.turn(ordering).swap(value, ordering)
        }

        /// What is inside: nobody else has it.
        pub fn get_mut(&mut self) -> &mut bool {
            self.inner.get_mut()
        }
    }
}
