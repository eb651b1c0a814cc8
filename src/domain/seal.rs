//! The keys beside the store, and what they protect: secrets that must be read again are sealed,
//! tokens that must only be recognised are hashed under a key. Knows no account rules.
//!
//! ```text
//! keys/holdall.key   "HOLDKEY1"   8
//!                    number       4, little-endian: named by what is sealed under it
//!                    sealing key  32
//!                    token key    32
//!                    BLAKE3       32, of all before
//! ```
//!
//! It is written aside, synced and renamed. The metadata vouches for it: a store that was used
//! with other keys refuses to open instead of making new ones.

use std::{fmt, io::ErrorKind};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::{
    model::{ids::AccountId, secret::Secret},
    outside::random::Random,
    store::{
        backup::PointKey,
        error::StoreError,
        io::{File, Io, Mode, Site, put_whole},
    },
};

const DIR: &str = "keys";
pub(super) const NAME: &str = "keys/holdall.key";
const MAGIC: &[u8; 8] = b"HOLDKEY1";
const BODY_BYTES: usize = 8 + 4 + 32 + 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Random bytes of an app password: 160 bits.
pub(super) const TOKEN_BYTES: usize = 20;

/// What a sealed secret belongs to; it opens for nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    /// The access key.
    pub(super) access_key: &'a str,
    /// Its account.
    pub(super) account: AccountId,
}

impl Bound<'_> {
    fn bytes(self, number: u32) -> Vec<u8> {
        let mut out = b"holdall access key 1\0".to_vec();
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&self.account.0.to_be_bytes());
        out.extend_from_slice(self.access_key.as_bytes());
        out
    }
}

/// The keys. Wiped when dropped, never printed.
pub(super) struct Keys {
    number: u32,
    sealing: Zeroizing<[u8; 32]>,
    token: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys, or makes them if no store was ever used with any. `vouched` is what the
    /// metadata says of them.
    pub(super) fn open(
        io: &dyn Io,
        random: &dyn Random,
        vouched: Option<[u8; 32]>,
    ) -> Result<Self, StoreError> {
        let keys = match io.open(NAME, Mode::Read) {
            Ok(file) => {
                let keys = Self::read(&*file)?;
                // The name may be there and not yet durable, if a crash came before the sync.
                sync_names(io)?;
                keys
            }
            Err(error) if error.kind() == ErrorKind::NotFound && vouched.is_none() => Self::make(io, random)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Refused(format!("{NAME} is missing: put the store's own back")));
            }
            Err(error) => return Err(error.into()),
        };
        if vouched.is_some_and(|vouched| vouched != keys.voucher()) {
            return Err(StoreError::Refused(format!("{NAME} belongs to another store")));
        }
        Ok(keys)
    }

    fn make(io: &dyn Io, random: &dyn Random) -> Result<Self, StoreError> {
        let mut keys = Self { number: 1, sealing: Zeroizing::default(), token: Zeroizing::default() };
        random.fill(&mut *keys.sealing);
        random.fill(&mut *keys.token);
        io.create_dir(DIR)?;
        put_whole(io, NAME, &keys.written(), (Site::Keys, Site::KeysDir))?;
        io.sync_dir("", Site::KeysDir)?;
        Ok(keys)
    }

    pub(super) fn written(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(BODY_BYTES + 32));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&*self.sealing);
        out.extend_from_slice(&*self.token);
        let sum = blake3::hash(&out);
        out.extend_from_slice(sum.as_bytes());
        out
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, StoreError> {
        let (body, sum) = bytes.split_at_checked(BODY_BYTES).ok_or_else(damaged)?;
        let (magic, rest) = body.split_at_checked(MAGIC.len()).ok_or_else(damaged)?;
        let (number, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (sealing, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let token = rest.first_chunk().ok_or_else(damaged)?;
        if magic != MAGIC || blake3::hash(body).as_bytes() != sum {
            return Err(damaged());
        }
        Ok(Self {
            number: u32::from_le_bytes(*number),
            sealing: Zeroizing::new(*sealing),
            token: Zeroizing::new(*token),
        })
    }

    /// What the metadata keeps to know these keys again; tells nothing about them.
    pub(super) fn voucher(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("holdall 2026 keys voucher");
        hasher.update(&self.number.to_le_bytes()).update(&*self.sealing).update(&*self.token);
        *hasher.finalize().as_bytes()
    }

    /// What backups of this store are told from others with.
    pub(super) fn point_key(&self) -> PointKey {
        let mut hasher = blake3::Hasher::new_derive_key("holdall 2026 lists of backup points");
        hasher.update(&self.number.to_le_bytes()).update(&*self.sealing).update(&*self.token);
        PointKey::new(Zeroizing::new(*hasher.finalize().as_bytes()))
    }

    /// The keys of a data directory that is only looked at: nothing is made or synced there.
    pub(super) fn at_hand(io: &dyn Io) -> Result<Self, StoreError> {
        Self::read(&*io.open(NAME, Mode::Read)?)
    }

    fn read(file: &dyn File) -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; BODY_BYTES + 32]);
        if file.len()? != bytes.len() as u64 {
            return Err(damaged());
        }
        file.read_at(&mut *bytes, 0)?;
        Self::parse(&*bytes)
    }

    /// The number of the key that [`Keys::seal`] uses.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Seals a secret: nonce, then the ciphertext with its tag.
    pub(super) fn seal(
        &self,
        random: &dyn Random,
        secret: &Secret,
        bound: Bound<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        let payload = Payload { msg: secret.reveal().as_bytes(), aad: &bound.bytes(self.number) };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::Damaged("a secret cannot be sealed".into()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens a secret sealed for exactly this access key of this account. Never an empty one.
    pub(super) fn unseal(&self, number: u32, sealed: &[u8], bound: Bound<'_>) -> Result<Secret, StoreError> {
        let bad = || StoreError::Damaged(format!("the secret of access key {}", bound.access_key));
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(bad)?;
        if number != self.number || rest.len() <= TAG_BYTES {
            return Err(bad());
        }
        let payload = Payload { msg: rest, aad: &bound.bytes(number) };
        let opened = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| bad())?;
        String::from_utf8(opened).map(Secret::new).map_err(|_| bad())
    }

    /// The form in which an app password is kept.
    pub(super) fn token_hash(&self, token: &[u8; TOKEN_BYTES]) -> [u8; 32] {
        *blake3::keyed_hash(&self.token, token).as_bytes()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.sealing).into())
    }
}

fn sync_names(io: &dyn Io) -> Result<(), StoreError> {
    io.sync_dir(DIR, Site::KeysDir)?;
    Ok(io.sync_dir("", Site::KeysDir)?)
}

fn damaged() -> StoreError {
    StoreError::Damaged(NAME.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outside::random::SeededRandom,
        store::io::sim::{
            SimDisk,
            left_out::{LeftOut, unmissed},
        },
    };

    fn bound(access_key: &str, account: u64) -> Bound<'_> {
        Bound { access_key, account: AccountId(account) }
    }

    #[test]
    fn a_secret_opens_only_for_its_own_key_and_account() {
        let random = SeededRandom::new(1);
        let keys = Keys::open(&SimDisk::new(), &random, None).unwrap();
        let sealed = keys.seal(&random, &Secret::new("hunter22"), bound("HA1", 1)).unwrap();
        assert!(!sealed.windows(8).any(|bytes| bytes == b"hunter22"));
        let opened = keys.unseal(1, &sealed, bound("HA1", 1)).unwrap();
        assert_eq!(opened.reveal(), "hunter22");
        for (number, id, account) in [(1, "HA2", 1), (1, "HA1", 2), (2, "HA1", 1)] {
            assert!(keys.unseal(number, &sealed, bound(id, account)).is_err(), "{number} {id} {account}");
        }
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(keys.unseal(1, &bent, bound("HA1", 1)).is_err(), "bit at {at}");
            assert!(keys.unseal(1, &sealed[..at], bound("HA1", 1)).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_empty_secret_never_opens() {
        let random = SeededRandom::new(1);
        let keys = Keys::open(&SimDisk::new(), &random, None).unwrap();
        let sealed = keys.seal(&random, &Secret::new(""), bound("HA1", 1)).unwrap();
        assert!(keys.unseal(1, &sealed, bound("HA1", 1)).is_err());
    }

    #[test]
    fn keys_that_are_lost_or_another_stores_are_refused_and_never_made_anew() {
        let (disk, random) = (SimDisk::new(), SeededRandom::new(1));
        let first = Keys::open(&disk, &random, None).unwrap().voucher();
        assert_eq!(Keys::open(&disk, &random, Some(first)).unwrap().voucher(), first);
        let refused = Keys::open(&disk, &random, Some([7; 32]));
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        disk.remove(NAME).unwrap();
        let refused = Keys::open(&disk, &random, Some(first));
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        assert!(disk.list(DIR).unwrap().is_empty());
    }

    #[test]
    fn keys_that_were_handed_out_survive_a_crash_unless_a_sync_is_left_out() {
        for skipped in [None, Some(Site::Keys), Some(Site::KeysDir)] {
            let mut lost = 0;
            for seed in 0..40 {
                let (disk, random) = (SimDisk::new(), SeededRandom::new(seed));
                skipped.into_iter().for_each(|site| disk.skip(site));
                let made = Keys::open(&disk, &random, None).unwrap().voucher();
                let after = Keys::open(&disk.crash(seed), &random, Some(made));
                lost += u32::from(after.is_err());
            }
            assert_eq!(lost > 0, skipped.is_some(), "{skipped:?}: {lost} of 40 lost");
        }
    }

    #[test]
    fn each_single_sync_of_keys_is_missed_and_those_of_a_start_after_a_kill() {
        let lost = |killed: Option<u64>, left_out: LeftOut, seed| {
            let (disk, random) = (SimDisk::new(), SeededRandom::new(seed));
            if let Some(calls) = killed {
                disk.crash_after(calls);
                drop(Keys::open(&disk, &random, None));
                disk.go_on();
            }
            disk.leave_out(left_out);
            let Ok(made) = Keys::open(&disk, &random, None) else { return false };
            Keys::open(&disk.crash(seed), &random, Some(made.voucher())).is_err()
        };
        for (site, calls) in [(Site::Keys, 1), (Site::KeysDir, 2)] {
            assert_eq!(unmissed(site, calls, |one, seed| lost(None, one, seed)), [0; 0], "{site:?}");
        }
        let again = |one, seed| (0..10).any(|calls| lost(Some(calls), one, seed));
        assert_eq!(unmissed(Site::KeysDir, 2, again), [0; 0]);
    }

    #[test]
    fn a_damaged_key_file_is_damage() {
        let (disk, random) = (SimDisk::new(), SeededRandom::new(1));
        Keys::open(&disk, &random, None).unwrap();
        disk.damage(NAME, 20, 1).unwrap();
        assert!(matches!(Keys::open(&disk, &random, None), Err(StoreError::Damaged(_))));
    }
}
