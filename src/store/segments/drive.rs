//! Who works a lane beside those that append to it: the threads that drive all of them, and the
//! large streams that borrow one.

use super::{LaneId, Segments};
use crate::store::{
    error::StoreError,
    sync::{
        Arc, PoisonError,
        thread::{self, JoinHandle},
    },
};

impl Segments {
    /// Starts a thread for each lane.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn drive(self: &Arc<Self>) -> Result<Drivers, StoreError> {
        let mut drivers = Drivers { segments: self.clone(), threads: Vec::new() };
        for id in LaneId::all() {
            let segments = self.clone();
            let thread = thread::Builder::new().name(format!("lane {id:?}"));
            drivers.threads.push(thread.spawn(move || segments.lane(id).run())?);
        }
        Ok(drivers)
    }

    /// Lends a lane to a large stream until it is dropped; `None` if all are lent. One that takes
    /// nothing more until the next start is lent to nobody.
    #[must_use]
    pub fn exclusive(self: &Arc<Self>) -> Option<ExclusiveLane> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(number) = idle.pop() {
            if self.lane(LaneId::Exclusive(number)).failure().is_none() {
                return Some(ExclusiveLane { segments: self.clone(), number });
            }
        }
        None
    }
}

/// The threads of the lanes. Dropping it lets them finish what is queued and takes no more.
#[derive(Debug)]
pub struct Drivers {
    segments: Arc<Segments>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Drivers {
    fn drop(&mut self) {
        LaneId::all().for_each(|id| self.segments.lane(id).close());
        for thread in self.threads.drain(..) {
            // A lane that panicked has poisoned itself.
            let _ = thread.join();
        }
    }
}

/// A lane lent to one stream.
#[derive(Debug)]
pub struct ExclusiveLane {
    segments: Arc<Segments>,
    number: u8,
}

impl ExclusiveLane {
    /// Which lane it is.
    #[must_use]
    pub fn id(&self) -> LaneId {
        LaneId::Exclusive(self.number)
    }
}

impl Drop for ExclusiveLane {
    fn drop(&mut self) {
        self.segments.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}
