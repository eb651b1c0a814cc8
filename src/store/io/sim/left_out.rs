//! One call of a sync that is left out, and which of them nobody misses.

use super::{super::Site, SimDisk};
use crate::proof::{self, Dice};

/// One call of a site, and what comes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeftOut {
    /// The site.
    pub(crate) site: Site,
    /// Which of its calls from now on; the first is 1.
    pub(crate) nth: u64,
    /// The power goes so many changes later.
    pub(crate) more: u64,
}

/// Calls of one site that are left out, for every change and by hand.
const USUAL: u64 = 3;
/// How often the power goes soon after a call that was left out.
const TRIES: u64 = 1000;

impl SimDisk {
    /// Calls of a site so far.
    pub(crate) fn calls(&self, site: Site) -> u64 {
        self.counts().syncs.get(&site).copied().unwrap_or_default()
    }
}

/// Of so many calls of a site those that nobody misses: each is left out alone, the power goes at
/// once, soon or at the end, and `missed` says whether a promise is broken then. Some of the calls,
/// others with each commit; all of them by hand.
pub(crate) fn unmissed(site: Site, calls: u64, mut missed: impl FnMut(LeftOut, u64) -> bool) -> Vec<u64> {
    let mut dice = Dice(proof::seed(&format!("{site:?}")));
    let (first, count) = (dice.roll(calls), proof::size(USUAL, calls).min(calls));
    let each = (0..count).map(|number| (first + number) % calls + 1);
    each.filter(|&nth| {
        !(0..TRIES).any(|seed| {
            let more = match seed % 4 {
                0 | 1 => dice.roll(12),
                2 => dice.roll(60),
                _ => u64::from(u32::MAX),
            };
            missed(LeftOut { site, nth, more }, seed)
        })
    })
    .collect()
}
