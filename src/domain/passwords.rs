//! Passwords of accounts: argon2id on a bounded pool. Each run takes 19 MiB, so that few run at
//! once, a few more wait, and the rest is told to come back. That memory is kept from run to run:
//! taken anew on ever another thread it would stay with the allocator of each. Knows no accounts.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{Error, error::Large, lanes::blocking};
use crate::{
    model::{
        limits::{PASSWORD_BYTES, PASSWORD_MIN_CHARS},
        secret::Secret,
    },
    outside::random::Random,
};

/// KiB of memory, rounds and lanes: what OWASP asks for at least. When these rise, hashes made
/// before are replaced at the next good password.
const MEMORY_KIB: u32 = 19 << 10;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const AT_ONCE: usize = 4;
const WAITING: usize = 64;

/// What a password turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// It is the one that was hashed.
    pub(super) right: bool,
    /// Its hash is weaker than new ones.
    pub(super) outdated: bool,
}

/// Memory of runs that are over, for those to come. There is never more than there are slots.
#[derive(Default)]
struct Spare(Mutex<Vec<Vec<Block>>>);

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spare").finish_non_exhaustive()
    }
}

impl Spare {
    fn take(&self) -> Vec<Block> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, memory: Vec<Block>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// The pool.
#[derive(Debug)]
pub(super) struct Passwords {
    slots: Arc<Semaphore>,
    spare: Arc<Spare>,
    waiting: AtomicUsize,
    runs: AtomicU64,
}

/// The form in which a password is hashed and compared: NFC, as keyboards disagree.
pub(super) fn normal(password: &Secret) -> Zeroizing<String> {
    Zeroizing::new(password.reveal().nfc().collect())
}

/// Checks a password that is to be set.
pub(super) fn check_new(password: &Secret) -> Result<(), Error> {
    if password.reveal().len() > PASSWORD_BYTES {
        return Err(Error::TooLarge { what: Large::Password, limit: PASSWORD_BYTES as u64 });
    }
    if normal(password).chars().count() < PASSWORD_MIN_CHARS {
        return Err(Error::Invalid(format!("a password has at least {PASSWORD_MIN_CHARS} characters")));
    }
    Ok(())
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            slots: Arc::new(Semaphore::new(cores.min(AT_ONCE))),
            spare: Arc::default(),
            waiting: AtomicUsize::new(0),
            runs: AtomicU64::new(0),
        }
    }

    /// How often argon2 ran.
    #[cfg(test)]
    pub(super) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Hashes a password that is to be set.
    pub(super) async fn hash(&self, password: &Secret, random: &dyn Random) -> Result<String, Error> {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        let password = normal(password);
        self.run(move |memory| {
            let mut hash = [0; HASH_BYTES];
            let params =
                Params::new(MEMORY_KIB, ROUNDS, LANES, None).map_err(|why| fault(&why.to_string()))?;
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            digest(&argon2, password.as_bytes(), &salt, &mut hash, memory)?;
            Ok(written(&STANDARD_NO_PAD.encode(salt), &STANDARD_NO_PAD.encode(hash)))
        })
        .await
    }

    /// Compares a password in its normal form with a hash. Without a hash it takes as long, and
    /// is wrong.
    pub(super) async fn verify(
        &self,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<Verdict, Error> {
        self.run(move |memory| {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(nobodys_hash);
            let hash = PasswordHash::new(&hash).map_err(|why| fault(&why.to_string()))?;
            let right = is_right(password.as_bytes(), &hash, memory)?;
            Ok(Verdict { right: right && known, outdated: is_outdated(&hash) })
        })
        .await
    }

    /// Runs argon2 in a slot. The slot is kept until the run ends, even if nobody waits for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let slot = self.slot().await?;
        self.runs.fetch_add(1, Ordering::Relaxed);
        let spare = Arc::clone(&self.spare);
        blocking(move || {
            // Given back last, when the memory is.
            let _slot = slot;
            let mut memory = spare.take();
            let done = work(&mut memory);
            spare.give_back(memory);
            done
        })
        .await
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        let _waiting = Waiting::join(&self.waiting)?;
        Arc::clone(&self.slots).acquire_owned().await.map_err(|_| fault("the pool is closed"))
    }
}

/// A place in the queue, given up when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize) -> Result<Self, Error> {
        let place = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= WAITING {
            return Err(Error::Busy("too many passwords are being checked".into()));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn digest(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), Error> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let memory = memory.get_mut(..blocks).unwrap_or_default();
    argon2.hash_password_into_with_memory(password, salt, out, memory).map_err(|why| fault(&why.to_string()))
}

/// Whether the hash is that of the password, with the parameters that stand in it.
fn is_right(password: &[u8], hash: &PasswordHash, memory: &mut Vec<Block>) -> Result<bool, Error> {
    let unreadable = || fault("a stored hash cannot be read");
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(unreadable()) };
    let algorithm = Algorithm::new(hash.algorithm.as_str()).map_err(|_| unreadable())?;
    let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| unreadable())?;
    let params = Params::try_from(hash).map_err(|_| unreadable())?;
    let mut found = vec![0; expected.len()];
    digest(&Argon2::new(algorithm, version, params), password, salt.as_ref(), &mut found, memory)?;
    Ok(found.ct_eq(expected.as_ref()).into())
}

fn fault(reason: &str) -> Error {
    Error::Internal { reason: format!("argon2: {reason}") }
}

/// A hash as costly as any, of no password.
fn nobodys_hash() -> String {
    written(&"A".repeat(22), &"A".repeat(43))
}

fn written(salt: &str, hash: &str) -> String {
    format!("$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${salt}${hash}")
}

fn is_outdated(hash: &PasswordHash) -> bool {
    let Ok(params) = Params::try_from(hash) else { return true };
    hash.algorithm != Algorithm::Argon2id.ident()
        || params.m_cost() < MEMORY_KIB
        || params.t_cost() < ROUNDS
        || params.p_cost() < LANES
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;
    use crate::outside::random::SeededRandom;

    async fn verify(pool: &Passwords, password: &str, hash: Option<&str>) -> Verdict {
        pool.verify(normal(&Secret::new(password)), hash.map(str::to_owned)).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_however_its_accents_were_typed() {
        let pool = Passwords::new();
        let random = SeededRandom::new(1);
        let hash = pool.hash(&Secret::new("caf\u{e9} noir"), &random).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let right = Verdict { right: true, outdated: false };
        assert_eq!(verify(&pool, "cafe\u{301} noir", Some(&hash)).await, right);
        assert!(!verify(&pool, "cafe noir", Some(&hash)).await.right);
        assert!(!verify(&pool, "cafe noir", None).await.right);
        assert_eq!(pool.runs(), 4, "nobody's password is checked as thoroughly");
        let again = pool.hash(&Secret::new("caf\u{e9} noir"), &random).await.unwrap();
        assert_ne!(hash, again, "salted");
    }

    #[tokio::test]
    async fn a_hash_of_weaker_parameters_is_right_and_outdated() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let hash: PasswordHash = weak.hash_password_with_salt(b"password", &[7; 16]).unwrap();
        let verdict = verify(&Passwords::new(), "password", Some(&hash.to_string())).await;
        assert_eq!(verdict, Verdict { right: true, outdated: true });
    }

    /// 240 wrong logins took 600 MiB, which stayed.
    #[tokio::test(flavor = "multi_thread")]
    async fn runs_share_the_memory_of_as_many_as_run_at_once() {
        let pool = Passwords::new();
        let hash = pool.hash(&Secret::new("password"), &SeededRandom::new(1)).await.unwrap();
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(Argon2::default().verify_password(b"password", &parsed).is_ok(), "as others write it");
        let others = ["password", "pass word"];
        let runs = (0..24).map(|n| verify(&pool, others[n % 2], Some(&hash)));
        for (n, verdict) in futures::future::join_all(runs).await.into_iter().enumerate() {
            assert_eq!(verdict.right, n % 2 == 0, "whatever was in the memory before");
        }
        let kept = pool.spare.0.lock().unwrap();
        assert!((1..=AT_ONCE).contains(&kept.len()), "{}", kept.len());
        assert!(kept.iter().all(|memory| memory.len() == MEMORY_KIB as usize));
    }

    #[test]
    fn a_new_password_has_eight_characters_and_1024_bytes_at_most() {
        for good in ["12345678", "ééééééé!", &"a".repeat(1024)] {
            assert!(check_new(&Secret::new(good)).is_ok(), "{good}");
        }
        for bad in ["", "1234567", "e\u{301}e\u{301}e\u{301}e\u{301}", &"a".repeat(1025)] {
            assert!(check_new(&Secret::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_queue_has_an_end_and_places_are_given_back() {
        let count = AtomicUsize::new(0);
        let full: Vec<_> = (0..WAITING).map(|_| Waiting::join(&count).unwrap()).collect();
        assert!(matches!(Waiting::join(&count), Err(Error::Busy(_))));
        drop(full);
        assert!(Waiting::join(&count).is_ok());
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
