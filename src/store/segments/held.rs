//! Which segments hold records whose rows are not committed yet.
//!
//! Rows alone do not tell that: an upload appends long before it commits, and its segment may be
//! sealed meanwhile. A hold is taken while the segment still is the open one of its lane, under
//! the lane's lock. So once a segment is sealed nobody takes a new one, and when none is left
//! every row that will ever name a place in it is committed.

use std::collections::BTreeMap;

use super::lane::Life;
use crate::{
    model::ids::SegmentId,
    store::sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The holds of one store.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<BTreeMap<SegmentId, usize>>);

impl Holds {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<SegmentId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(self: &Arc<Self>, segment: SegmentId, life: Life) -> Held {
        *self.counts().entry(segment).or_insert(0) += 1;
        Held { holds: Arc::clone(self), segment, life }
    }

    pub(super) fn is_held(&self, segment: SegmentId) -> bool {
        self.counts().contains_key(&segment)
    }
}

/// Keeps a segment from the collector until the rows of what was appended to it are committed, or
/// never will be.
#[derive(Debug)]
pub struct Held {
    holds: Arc<Holds>,
    segment: SegmentId,
    life: Life,
}

impl Held {
    /// The life of its lane in which it was taken, to be named when waiting for a sync.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life
    }

    /// Which.
    #[must_use]
    pub fn segment(&self) -> SegmentId {
        self.segment
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.holds.counts();
        if let Some(count) = counts.get_mut(&self.segment) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.segment);
            }
        }
    }
}
