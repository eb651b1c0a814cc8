//! What this process remembers of people who showed a password: who was right lately, so that
//! argon2 runs once for many requests, and whose name was tried in vain, so that guessing slows
//! down. Both are bounded, and a restart forgets both.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    model::{ids::AccountId, time::Timestamp},
    outside::random::Random,
};

/// Entries of either memory.
const ENTRIES: usize = 10_000;
/// A good password is remembered for this long.
const REMEMBERED_MS: i64 = 5 * 60 * 1000;
/// Failures are forgotten when none came for this long.
const FAILURES_MS: i64 = 15 * 60 * 1000;
/// Failures before the next try has to wait.
const FREE_FAILURES: u32 = 10;
const FIRST_DELAY_MS: u64 = 125;
const LONGEST_DELAY_MS: u64 = 4000;

type Digest = [u8; 32];

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Times that lie ahead come from a clock that was set back, and count for nothing.
fn within(then: Timestamp, now: Timestamp, span_ms: i64) -> bool {
    then <= now && now.0.saturating_sub(then.0) < span_ms
}

/// Makes room for one more: what has ended goes, then what is oldest.
fn make_room<K: Clone + Eq + Hash, V>(
    entries: &mut HashMap<K, V>,
    live: impl Fn(&V) -> bool,
    at: impl Fn(&V) -> Timestamp,
) {
    if entries.len() < ENTRIES {
        return;
    }
    entries.retain(|_, value| live(value));
    if entries.len() >= ENTRIES {
        let oldest = entries.iter().min_by_key(|(_, value)| at(value)).map(|(key, _)| key.clone());
        oldest.and_then(|key| entries.remove(&key));
    }
}

/// Good passwords, as digests that mean nothing outside this process. The account's generation
/// is in the digest: whatever raises it makes the entry useless at once.
pub(super) struct Recognised {
    key: Digest,
    entries: Mutex<HashMap<Digest, Timestamp>>,
}

impl fmt::Debug for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recognised").finish_non_exhaustive()
    }
}

impl Recognised {
    pub(super) fn new(random: &dyn Random) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        Self { key, entries: Mutex::default() }
    }

    /// The digest for an account as it is and a password in its normal form.
    pub(super) fn digest(&self, account: AccountId, generation: u64, password: &str) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&account.0.to_le_bytes()).update(&generation.to_le_bytes()).update(password.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Whether it was right lately.
    pub(super) fn knows(&self, digest: &Digest, now: Timestamp) -> bool {
        lock(&self.entries).get(digest).is_some_and(|then| within(*then, now, REMEMBERED_MS))
    }

    /// Remembers that it was right.
    pub(super) fn remember(&self, digest: Digest, now: Timestamp) {
        let mut entries = lock(&self.entries);
        make_room(&mut entries, |then| within(*then, now, REMEMBERED_MS), |then| *then);
        entries.insert(digest, now);
    }
}

/// Failed tries by the name they were made under, whether there is such an account or not.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Digest, (u32, Timestamp)>>);

impl Failures {
    /// How long the next try under this name has to wait. Never for ever: strangers must not be
    /// able to lock anybody out.
    pub(super) fn delay(&self, login: &str, now: Timestamp) -> Duration {
        let count = lock(&self.0)
            .get(&name_digest(login))
            .filter(|(_, last)| within(*last, now, FAILURES_MS))
            .map_or(0, |(count, _)| *count);
        let Some(beyond) = count.checked_sub(FREE_FAILURES) else { return Duration::ZERO };
        let doubled = FIRST_DELAY_MS.checked_shl(beyond.min(16)).unwrap_or(LONGEST_DELAY_MS);
        Duration::from_millis(doubled.min(LONGEST_DELAY_MS))
    }

    /// Notes a failure.
    pub(super) fn note(&self, login: &str, now: Timestamp) {
        let mut entries = lock(&self.0);
        make_room(&mut entries, |(_, last)| within(*last, now, FAILURES_MS), |(_, last)| *last);
        let entry = entries.entry(name_digest(login)).or_insert((0, now));
        let before = if within(entry.1, now, FAILURES_MS) { entry.0 } else { 0 };
        *entry = (before.saturating_add(1), now);
    }

    /// Forgets the failures under a name.
    pub(super) fn forget(&self, login: &str) {
        lock(&self.0).remove(&name_digest(login));
    }
}

/// Names are kept as digests, for a stranger's can have any length.
fn name_digest(login: &str) -> Digest {
    *blake3::hash(login.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::random::SeededRandom;

    #[test]
    fn a_good_password_is_remembered_for_five_minutes_and_one_generation() {
        let known = Recognised::new(&SeededRandom::new(1));
        let digest = known.digest(AccountId(1), 1, "password");
        known.remember(digest, Timestamp(1000));
        assert!(known.knows(&digest, Timestamp(1000 + REMEMBERED_MS - 1)));
        assert!(!known.knows(&digest, Timestamp(1000 + REMEMBERED_MS)));
        assert!(!known.knows(&digest, Timestamp(999)), "the clock was set back");
        for (account, generation, password) in [(2, 1, "password"), (1, 2, "password"), (1, 1, "Password")] {
            let other = known.digest(AccountId(account), generation, password);
            assert!(!known.knows(&other, Timestamp(1000)));
        }
        let elsewhere = Recognised::new(&SeededRandom::new(2));
        assert_ne!(elsewhere.digest(AccountId(1), 1, "password"), digest);
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let known = Recognised::new(&SeededRandom::new(1));
        let digest = |n: usize| known.digest(AccountId(n as u64), 0, "");
        for n in 0..=ENTRIES {
            known.remember(digest(n), Timestamp(n as i64));
        }
        assert_eq!(lock(&known.entries).len(), ENTRIES);
        assert!(!known.knows(&digest(0), Timestamp(ENTRIES as i64)));
        assert!(known.knows(&digest(1), Timestamp(ENTRIES as i64)));
    }

    #[test]
    fn guessing_slows_down_and_never_locks_out() {
        let (failures, now) = (Failures::default(), Timestamp(0));
        let mut delays = Vec::new();
        for _ in 0..100 {
            delays.push(failures.delay("ada", now).as_millis());
            failures.note("ada", now);
        }
        assert!(delays[..10].iter().all(|delay| *delay == 0));
        assert_eq!(delays[10..16], [125, 250, 500, 1000, 2000, 4000]);
        assert_eq!(*delays.last().unwrap(), 4000);
        assert_eq!(failures.delay("bob", now), Duration::ZERO);
        assert_eq!(failures.delay("ada", Timestamp(FAILURES_MS)), Duration::ZERO);
        failures.forget("ada");
        assert_eq!(failures.delay("ada", now), Duration::ZERO);
    }
}
