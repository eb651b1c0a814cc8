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

    /// Keeps a thing until the pin is dropped; `None` if it is being condemned.
    #[must_use]
    pub fn pin(self: &Arc<Self>, thing: Thing) -> Option<Pin> {
        let mut state = self.state();
        if state.claimed.contains(&thing) {
            return None;
        }
        *state.pinned.entry(thing).or_insert(0) += 1;
        Some(Pin { pins: Arc::clone(self), thing })
    }

    /// For the collector, inside the verb that condemns the thing: from now on nobody pins it.
    /// False, and nothing changed, if somebody did already. May be repeated.
    #[must_use]
    pub fn claim(&self, thing: Thing) -> bool {
        let mut state = self.state();
        if state.pinned.contains_key(&thing) && !self.faults.has(Fault::PinsForgotten) {
            return false;
        }
        state.claimed.insert(thing);
        true
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
        if claimed {
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
