//! A hold keeps every segment where it is while something copies them: no file is removed, and
//! nothing is moved, which would only take more room. It is in memory: a process that dies lets go.

use super::Collection;
use crate::store::{
    Store,
    faults::{Fault, Faults},
    sync::{Arc, atomic::Ordering},
};

/// Keeps the segments that the committed rows refer to, now and until it is dropped. It must be
/// taken before the rows are looked at: a segment that is removed at that very moment was empty in
/// an earlier commit already.
#[derive(Debug)]
pub struct Hold(Arc<Store>);

impl Hold {
    /// Takes one.
    #[must_use]
    pub fn take(store: &Arc<Store>) -> Self {
        store.collection().hold();
        Self(Arc::clone(store))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.collection().let_go();
    }
}

impl Collection {
    fn hold(&self) {
        self.holds.fetch_add(1, Ordering::SeqCst);
    }

    fn let_go(&self) {
        self.holds.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether segments must stay where they are.
    pub(super) fn is_held(&self, faults: Faults) -> bool {
        self.holds.load(Ordering::SeqCst) > 0 && !faults.has(Fault::BackupNotHeld)
    }
}
