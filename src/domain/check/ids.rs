//! Sets of ids that stay small, and the ids in keys.

use std::collections::BTreeMap;

use crate::store::{
    error::StoreError,
    meta::{codec::Reader, key::number},
};

/// The numbers a key begins with.
pub(super) fn numbers<const N: usize>(key: &[u8]) -> Result<[u64; N], StoreError> {
    let mut from = Reader::new(key);
    let mut found = [0; N];
    for place in &mut found {
        *place = number(&mut from)?;
    }
    Ok(found)
}

/// A set of ids, most of them near each other: a bit each.
#[derive(Default)]
pub(super) struct Ids(BTreeMap<u64, [u64; 64]>);

impl Ids {
    fn place(id: u64) -> (u64, usize, u64) {
        (id >> 12, ((id >> 6) & 63) as usize, 1 << (id & 63))
    }

    /// Adds an id; false if it was there.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        let (page, word, bit) = Self::place(id);
        let Some(word) = self.0.entry(page).or_insert([0; 64]).get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(super) fn has(&self, id: u64) -> bool {
        let (page, word, bit) = Self::place(id);
        self.0.get(&page).and_then(|page| page.get(word)).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_ids_keeps_each_once() {
        let mut ids = Ids::default();
        let some = [0, 1, 63, 64, 4095, 4096, u64::MAX];
        assert!(some.iter().all(|&id| ids.insert(id)));
        assert!(some.iter().all(|&id| !ids.insert(id) && ids.has(id)));
        assert!(![2, 62, 65, 4097, u64::MAX - 1].iter().any(|&id| ids.has(id)));
    }
}
