//! Places that are few: so many for all, and fewer for one peer, so that nobody takes them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::peer::PeerNet;

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<PeerNet, usize>,
}

/// The places.
#[derive(Debug)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    most_of_peer: usize,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    peer: Option<PeerNet>,
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    pub(super) fn new(most: usize, most_of_peer: usize) -> Self {
        Self { taken: Arc::default(), most, most_of_peer }
    }

    /// A place, unless all are taken or this peer has its share. Peers that cannot be told apart
    /// share with all.
    pub(super) fn take(&self, peer: Option<PeerNet>) -> Option<Place> {
        let mut taken = lock(&self.taken);
        if taken.all >= self.most {
            return None;
        }
        if let Some(peer) = peer {
            let of_peer = taken.by_peer.get(&peer).copied().unwrap_or_default();
            if of_peer >= self.most_of_peer {
                return None;
            }
            taken.by_peer.insert(peer, of_peer + 1);
        }
        taken.all += 1;
        Some(Place { taken: Arc::clone(&self.taken), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all = taken.all.saturating_sub(1);
        let Some(peer) = self.peer else { return };
        match taken.by_peer.get_mut(&peer) {
            Some(of_peer) if *of_peer > 1 => *of_peer -= 1,
            _ => drop(taken.by_peer.remove(&peer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Option<PeerNet> {
        PeerNet::of([192, 0, 2, last].into())
    }

    #[test]
    fn one_peer_leaves_places_for_others_and_all_come_back() {
        let places = Places::new(4, 3);
        let mut held: Vec<_> = (0..3).map(|_| places.take(peer(1)).unwrap()).collect();
        assert!(places.take(peer(1)).is_none());
        held.push(places.take(peer(2)).unwrap());
        assert!(places.take(peer(3)).is_none() && places.take(None).is_none(), "all are taken");
        held.remove(0);
        held.push(places.take(None).unwrap());
        assert!(places.take(peer(1)).is_none(), "all are taken");
        drop(held);
        assert!(lock(&places.taken).by_peer.is_empty());
        let shared: Vec<_> = (0..4).map(|_| places.take(None).unwrap()).collect();
        assert_eq!(lock(&places.taken).all, shared.len());
    }
}
