//! Who is between reading where a chunk lies and having read it there.
//!
//! The collector takes a mark after the commit that let a place go. Whoever began before may still
//! look there; once they are gone nobody does, because everybody else has read rows that no longer
//! name the place. Marks are counted, not timed.

use std::collections::BTreeMap;

use crate::store::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A point that readings lie before or after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Mark(u64);

/// The readings of one store.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    now: u64,
    under_way: BTreeMap<u64, usize>,
    /// Readings begun so far.
    begun: u64,
}

impl Readings {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins; before the row is read.
    pub(crate) fn begin(self: &Arc<Self>) -> Reading {
        let mut state = self.state();
        let since = state.now;
        state.begun += 1;
        *state.under_way.entry(since).or_insert(0) += 1;
        Reading { readings: Arc::clone(self), since }
    }

    /// How many were begun.
    pub(crate) fn begun(&self) -> u64 {
        self.state().begun
    }

    /// A mark that everything begun so far lies before.
    pub(crate) fn mark(&self) -> Mark {
        let mut state = self.state();
        state.now += 1;
        Mark(state.now)
    }

    /// Whether everything that lies before a mark has ended.
    pub(crate) fn has_passed(&self, mark: Mark) -> bool {
        self.state().under_way.first_key_value().is_none_or(|(since, _)| *since >= mark.0)
    }
}

/// One that has not ended.
#[derive(Debug)]
pub(crate) struct Reading {
    readings: Arc<Readings>,
    since: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.readings.state();
        if let Some(count) = state.under_way.get_mut(&self.since) {
            *count -= 1;
            if *count == 0 {
                state.under_way.remove(&self.since);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_has_passed_when_all_that_began_before_it_have_ended() {
        let readings = Arc::new(Readings::default());
        let (first, second) = (readings.begin(), readings.begin());
        let mark = readings.mark();
        let later = readings.begin();
        drop(first);
        assert!(!readings.has_passed(mark));
        drop(second);
        assert!(readings.has_passed(mark), "one that began later is no matter");
        assert!(!readings.has_passed(readings.mark()));
        drop(later);
        assert!(readings.has_passed(readings.mark()));
    }
}
