//! What must not be collected right now: manifests that are being read, chunks that an upload
//! found by their digest and has not committed yet.
//!
//! Pinning and condemning share one mutex. The collector claims a thing before the commit that
//! condemns it; a claim fails while there is a pin, a pin fails while there is a claim. Whoever
//! has pinned then looks at the rows in a snapshot taken afterwards: what was condemned before
//! shows there, and what was not cannot be condemned any more. No clock is involved.

use std::collections::{HashMap, HashSet};

use crate::{
    model::ids::{ChunkNo, ManifestId},
    store::{
        faults::{Fault, Faults},
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    },
};

/// A thing that can be pinned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Thing {
    /// A manifest with everything it refers to.
    Manifest(ManifestId),
    /// A chunk.
    Chunk(ChunkNo),
}

/// The pins of this process; nothing in here outlives it, and nothing needs to.
#[derive(Debug, Default)]
pub struct Pins {
    state: Mutex<State>,
    faults: Faults,
    #[cfg(test)]
    ages: ages::Ages,
}

#[derive(Debug, Default)]
struct State {
    pinned: HashMap<Thing, usize>,
    claimed: HashSet<Thing>,
}

impl Pins {
    /// None yet.
    #[must_use]
    pub fn with(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// How old a pin is, by which clock; nobody asks but [`Fault::OldPinsForgotten`].
    #[cfg(test)]
    pub(crate) fn read_clock(&self, meta: &Arc<crate::store::meta::Meta>) {
        let meta = Arc::downgrade(meta);
        let clock = move || meta.upgrade().map_or(crate::model::time::Timestamp(0), |meta| meta.now());
        _ = self.ages.clock.set(Arc::new(clock));
    }

    /// Keeps a thing until the pin is dropped; `None` if it is being condemned.
    #[must_use]
    pub fn pin(self: &Arc<Self>, thing: Thing) -> Option<Pin> {
        let mut state = self.state();
        if state.claimed.contains(&thing) {
            return None;
        }
        #[cfg(test)]
        self.ages.begin(thing);
        *state.pinned.entry(thing).or_insert(0) += 1;
        Some(Pin { pins: Arc::clone(self), thing })
    }

    /// For the collector, inside the verb that condemns the thing: from now on nobody pins it.
    /// False, and nothing changed, if somebody did already. May be repeated.
    #[must_use]
    pub fn claim(&self, thing: Thing) -> bool {
        let mut state = self.state();
        if state.pinned.contains_key(&thing) && !self.forgets(thing) {
            return false;
        }
        state.claimed.insert(thing);
        true
    }

    /// Whether a broken rule has it that a pin counts for nothing.
    #[cfg(not(test))]
    fn forgets(&self, _: Thing) -> bool {
        self.faults.has(Fault::PinsForgotten)
    }

    #[cfg(test)]
    fn forgets(&self, thing: Thing) -> bool {
        let is_old = || self.ages.is_old(thing);
        self.faults.has(Fault::PinsForgotten) || (self.faults.has(Fault::OldPinsForgotten) && is_old())
    }

    /// Ends a claim, after its commit is durable or was refused.
    pub fn unclaim(&self, thing: Thing) {
        self.state().claimed.remove(&thing);
    }

    /// How many things are pinned.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state().pinned.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one transaction of the collector has claimed. Dropping it ends the claims: after its commit
/// is durable, or was refused.
#[derive(Debug)]
pub struct Claims {
    pins: Arc<Pins>,
    things: Mutex<Vec<Thing>>,
}

impl Claims {
    /// None yet.
    #[must_use]
    pub fn new(pins: &Arc<Pins>) -> Arc<Self> {
        Arc::new(Self { pins: Arc::clone(pins), things: Mutex::default() })
    }

    /// [`Pins::claim`], until this is dropped.
    #[must_use]
    pub fn take(&self, thing: Thing) -> bool {
        let claimed = self.pins.claim(thing);
        if claimed && self.pins.faults.has(Fault::ClaimsEndEarly) {
            self.pins.unclaim(thing);
        } else if claimed {
            self.things.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
        }
        claimed
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        for thing in self.things.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.pins.unclaim(thing);
        }
    }
}

/// Keeps one thing; dropping it lets go.
#[derive(Debug)]
pub struct Pin {
    pins: Arc<Pins>,
    thing: Thing,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.state();
        if let Some(count) = state.pinned.get_mut(&self.thing) {
            *count -= 1;
            if *count == 0 {
                state.pinned.remove(&self.thing);
            }
        }
    }
}

/// The clock that nothing but a broken rule asks.
#[cfg(test)]
pub(crate) mod ages {
    use std::{collections::HashMap, fmt};

    use super::{Mutex, PoisonError, Thing};
    use crate::{
        model::time::Timestamp,
        store::{dir::Clock, sync::OnceLock},
    };

    const OLD_MS: i64 = 3_600_000;

    #[derive(Default)]
    pub(crate) struct Ages {
        pub(crate) clock: OnceLock<Clock>,
        since: Mutex<HashMap<Thing, Timestamp>>,
    }

    impl fmt::Debug for Ages {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Ages")
        }
    }

    impl Ages {
        pub(super) fn begin(&self, thing: Thing) {
            let Some(clock) = self.clock.get() else { return };
            self.since.lock().unwrap_or_else(PoisonError::into_inner).insert(thing, clock());
        }

        pub(super) fn is_old(&self, thing: Thing) -> bool {
            let since = self.since.lock().unwrap_or_else(PoisonError::into_inner).get(&thing).copied();
            let now = self.clock.get().map(|clock| clock());
            now.zip(since).is_some_and(|(now, since)| now.0 - since.0 > OLD_MS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thing_is_not_condemned_and_a_condemned_one_not_pinned() {
        let pins = Arc::new(Pins::default());
        let thing = Thing::Chunk(ChunkNo(1));
        let (first, second) = (pins.pin(thing), pins.pin(thing));
        assert!(first.is_some() && !pins.claim(thing));
        drop(first);
        assert!(!pins.claim(thing));
        assert!(pins.claim(Thing::Manifest(ManifestId(1))), "another thing with the same number");
        drop(second);
        assert_eq!(pins.count(), 0);
        assert!(pins.claim(thing) && pins.claim(thing));
        assert!(pins.pin(thing).is_none());
        pins.unclaim(thing);
        assert!(pins.pin(thing).is_some());
    }

    #[test]
    fn claims_end_with_their_transaction() {
        let pins = Arc::new(Pins::default());
        let (kept, free) = (Thing::Chunk(ChunkNo(1)), Thing::Chunk(ChunkNo(2)));
        let pin = pins.pin(kept);
        let claims = Claims::new(&pins);
        assert!(!claims.take(kept) && claims.take(free));
        assert!(pins.pin(free).is_none());
        drop(claims);
        assert!(pins.pin(free).is_some() && pin.is_some());
    }
}
