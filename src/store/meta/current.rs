//! The last committed state, open once for everybody who looks at it until the next commit:
//! beginning a transaction and finding its tables costs more than the few rows of a look. Knows
//! when commits begin and end, not what they change.
//!
//! A commit lets go of the state before it begins, so that the pages it frees are not kept, and
//! again when it ended: whoever was answered finds what was committed. A state that was opened
//! while a commit ran is for the one who opened it.

use super::snapshot::Snapshot;
use crate::store::{
    error::StoreError,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
};

#[derive(Default)]
struct State {
    snapshot: Option<Arc<Snapshot>>,
    /// Even between commits, odd during one.
    turn: u64,
}

/// Holds the last committed state while nothing is committed.
#[derive(Default)]
pub(super) struct Current(RwLock<State>);

impl Current {
    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit begins.
    pub(super) fn begin(&self) {
        let mut state = self.change();
        state.turn += 1;
        state.snapshot = None;
    }

    /// The commit ended, well or not.
    pub(super) fn end(&self) {
        self.begin();
    }

    /// Another database was opened: whatever is being taken just now is not kept.
    pub(super) fn forget(&self) {
        let mut state = self.change();
        state.turn += 2;
        state.snapshot = None;
    }

    /// The last committed state; `open` opens it if nobody did since the last commit.
    pub(super) fn get(
        &self,
        open: impl FnOnce() -> Result<Snapshot, StoreError>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        let since = {
            let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(snapshot) = &state.snapshot {
                return Ok(Arc::clone(snapshot));
            }
            state.turn
        };
        let snapshot = Arc::new(open()?);
        let mut state = self.change();
        if state.turn == since && since.is_multiple_of(2) {
            state.snapshot = Some(Arc::clone(&snapshot));
        }
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        io::sim::SimDisk,
        meta::{Meta, MetaOptions},
    };

    fn meta() -> Meta {
        let now = Arc::new(|| crate::model::time::Timestamp(7));
        Meta::open(Arc::new(SimDisk::new()), MetaOptions::new(now)).unwrap()
    }

    #[test]
    fn all_who_look_between_two_commits_share_a_state_and_who_looks_during_one_keeps_none() {
        let (meta, current) = (meta(), Current::default());
        let look = || current.get(|| meta.snapshot()).unwrap();
        let first = look();
        assert!(Arc::ptr_eq(&first, &look()));
        current.begin();
        assert_eq!(Arc::strong_count(&first), 1, "a commit begins and it is still held");
        let during = look();
        assert!(!Arc::ptr_eq(&during, &look()));
        current.end();
        let after = look();
        assert!(!Arc::ptr_eq(&during, &after) && Arc::ptr_eq(&after, &look()));
    }

    #[test]
    fn a_state_that_was_opened_while_a_commit_began_or_ended_is_not_kept() {
        let (meta, current) = (meta(), Current::default());
        let turns: [&dyn Fn(); 4] = [
            &|| current.begin(),
            &|| current.end(),
            &|| {
                current.begin();
                current.end();
            },
            &|| current.forget(),
        ];
        for (number, turn) in turns.into_iter().enumerate() {
            current.forget();
            let old = current.get(|| {
                let snapshot = meta.snapshot();
                turn();
                snapshot
            });
            let now = current.get(|| meta.snapshot()).unwrap();
            assert!(!Arc::ptr_eq(&old.unwrap(), &now), "{number}");
        }
    }
}
