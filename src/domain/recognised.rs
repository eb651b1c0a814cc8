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
    model::{ids::AccountId, limits::LOGIN_FAILURES, peer::PeerNet, time::Timestamp},
    outside::random::Random,
};

/// Good passwords remembered.
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

/// Makes room for one more: what has ended goes, then the least.
fn make_room<K: Clone + Eq + Hash, V: Copy + Ord>(
    entries: &mut HashMap<K, V>,
    most: usize,
    live: impl Fn(&V) -> bool,
) {
    if entries.len() < most {
        return;
    }
    entries.retain(|_, value| live(value));
    if entries.len() >= most {
        let least = entries.iter().min_by_key(|(_, value)| **value).map(|(key, _)| key.clone());
        least.and_then(|key| entries.remove(&key));
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
        make_room(&mut entries, ENTRIES, |then| within(*then, now, REMEMBERED_MS));
        entries.insert(digest, now);
    }
}

/// A name under which somebody tries to log in, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try<'a> {
    pub(super) login: &'a str,
    pub(super) from: Option<PeerNet>,
}

/// Failed tries by the name they were made under, whether there is such an account or not; for
/// each name together, and for each peer. With the number before the time, the least of them is
/// the one whose loss helps a guesser least: to have his own forgotten he has to fail as often
/// under thousands of other names.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Digest, (u32, Timestamp)>>);

impl Failures {
    /// How long the next try has to wait. Never for ever: strangers must not be able to lock
    /// anybody out. Who did not fail under this name himself does not wait for what others did; who
    /// did, waits for all of them.
    pub(super) fn delay(&self, tried: Try<'_>, now: Timestamp) -> Duration {
        let entries = lock(&self.0);
        let count = |digest: Digest| {
            let found = entries.get(&digest).filter(|(_, last)| within(*last, now, FAILURES_MS));
            found.map_or(0, |(count, _)| *count)
        };
        let own = count(own_digest(tried));
        let count = if own == 0 { 0 } else { own.max(count(name_digest(tried.login))) };
        let Some(beyond) = count.checked_sub(FREE_FAILURES) else { return Duration::ZERO };
        let doubled = FIRST_DELAY_MS.checked_shl(beyond.min(16)).unwrap_or(LONGEST_DELAY_MS);
        Duration::from_millis(doubled.min(LONGEST_DELAY_MS))
    }

    /// Notes a failure.
    pub(super) fn note(&self, tried: Try<'_>, now: Timestamp) {
        let mut entries = lock(&self.0);
        for digest in [own_digest(tried), name_digest(tried.login)] {
            if !entries.contains_key(&digest) {
                make_room(&mut entries, LOGIN_FAILURES, |(_, last)| within(*last, now, FAILURES_MS));
            }
            let entry = entries.entry(digest).or_insert((0, now));
            let before = if within(entry.1, now, FAILURES_MS) { entry.0 } else { 0 };
            *entry = (before.saturating_add(1), now);
        }
    }

    /// Forgets the failures of a peer under a name.
    pub(super) fn forget(&self, tried: Try<'_>) {
        lock(&self.0).remove(&own_digest(tried));
    }
}

/// Names are kept as digests, for a stranger's can have any length.
fn name_digest(login: &str) -> Digest {
    *blake3::hash(login.as_bytes()).as_bytes()
}

/// As [`name_digest`], with the peer. Those that cannot be told apart are one.
fn own_digest(Try { login, from }: Try<'_>) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("holdall failed logins of a peer");
    hasher.update(from.as_ref().map_or(&[0; 8], PeerNet::bytes)).update(login.as_bytes());
    *hasher.finalize().as_bytes()
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
        let (ada, bob) = (Try { login: "ada", from: None }, Try { login: "bob", from: None });
        let mut delays = Vec::new();
        for _ in 0..100 {
            delays.push(failures.delay(ada, now).as_millis());
            failures.note(ada, now);
        }
        assert!(delays[..10].iter().all(|delay| *delay == 0));
        assert_eq!(delays[10..16], [125, 250, 500, 1000, 2000, 4000]);
        assert_eq!(*delays.last().unwrap(), 4000);
        assert_eq!(failures.delay(bob, now), Duration::ZERO);
        assert_eq!(failures.delay(ada, Timestamp(FAILURES_MS)), Duration::ZERO);
        failures.forget(ada);
        assert_eq!(failures.delay(ada, now), Duration::ZERO);
    }

    fn peer(last: u8) -> Option<PeerNet> {
        PeerNet::of([192, 0, 2, last].into())
    }

    #[test]
    fn who_did_not_fail_does_not_wait_for_others_and_who_did_waits_for_all() {
        let (failures, now) = (Failures::default(), Timestamp(0));
        let from = |last| Try { login: "ada", from: peer(last) };
        for guesser in 1..=20 {
            failures.note(from(guesser), now);
        }
        assert_eq!(failures.delay(from(99), now), Duration::ZERO);
        assert_eq!(failures.delay(from(1), now), Duration::from_millis(LONGEST_DELAY_MS));
        failures.note(from(99), now);
        failures.forget(from(99));
        assert_eq!(failures.delay(from(99), now), Duration::ZERO, "the right password ends it");
    }

    #[test]
    fn failing_under_many_names_does_not_make_the_failures_under_one_forgotten() {
        let (failures, now) = (Failures::default(), Timestamp(0));
        let ada = Try { login: "ada", from: peer(1) };
        (0..12).for_each(|_| failures.note(ada, now));
        for n in 0..LOGIN_FAILURES {
            failures.note(Try { login: &n.to_string(), from: peer(1) }, Timestamp(1 + n as i64));
        }
        assert_eq!(lock(&failures.0).len(), LOGIN_FAILURES);
        assert_eq!(failures.delay(ada, Timestamp(LOGIN_FAILURES as i64)), Duration::from_millis(500));
    }
}
