//! The keys as backups hold them: sealed under the recovery key, which the server does not keep.
//!
//! ```text
//! keys/holdall.wrapped   "HOLDWRAP"   8
//!                        voucher      32, of the recovery key: the digest the metadata also has
//!                        nonce        24
//!                        sealed       the bytes of keys/holdall.key and a tag of 16,
//!                                     XChaCha20-Poly1305, bound to all before
//! ```
//!
//! The recovery key is in memory twice: when the first start makes it, and when people show that
//! they kept it. Then the keys are sealed under a key derived from it, and only what came out is
//! kept, beside the keys it holds. So the server has nothing that opens a backup, its own copy
//! included: whoever reads its disk has the keys themselves and learns nothing more, and whoever
//! reads a backup alone has neither. The recovery key has 256 random bits, so there is nothing to
//! guess, and a slow derivation would add nothing. The voucher tells a wrong key from damage.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::{seal::Keys, tokens};
use crate::{
    model::secret::Secret,
    outside::random::Random,
    store::{
        error::StoreError,
        io::{Io, Site, open_if_there, put_whole},
    },
};

pub(super) const NAME: &str = "keys/holdall.wrapped";
const MAGIC: &[u8; 8] = b"HOLDWRAP";
const HEAD_BYTES: usize = 8 + 32 + 24;
/// No wrapped keys are longer.
const MAX_BYTES: u64 = 4096;

/// Why wrapped keys do not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shut {
    /// It is another recovery key.
    WrongKey,
    /// They are not what was written.
    Damaged,
}

impl Keys {
    /// Keeps the keys wrapped under this recovery key, durably, in the place of any others.
    pub(super) fn keep_wrapped(
        &self,
        io: &dyn Io,
        random: &dyn Random,
        recovery_key: &Secret,
    ) -> Result<(), StoreError> {
        let wrapped = self.wrapped(random, recovery_key)?;
        Ok(put_whole(io, NAME, &wrapped, (Site::Keys, Site::KeysDir))?)
    }

    fn wrapped(&self, random: &dyn Random, recovery_key: &Secret) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; 24];
        random.fill(&mut nonce);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&tokens::recovery_voucher(recovery_key.reveal()));
        out.extend_from_slice(&nonce);
        let payload = Payload { msg: &self.written(), aad: &out };
        let sealed = cipher(recovery_key).encrypt(&XNonce::from(nonce), payload);
        out.extend(sealed.map_err(|_| StoreError::Damaged("the keys cannot be wrapped".into()))?);
        Ok(out)
    }
}

/// The wrapped keys that are kept, if they are under the recovery key of this voucher.
pub(super) fn kept(io: &dyn Io, voucher: [u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(file) = open_if_there(io, NAME)? else { return Ok(None) };
    let length = file.len()?.min(MAX_BYTES);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(&mut bytes, 0)?;
    let theirs = bytes.get(8..40).is_some_and(|theirs| theirs == voucher);
    Ok(theirs.then_some(bytes))
}

/// The bytes of `keys/holdall.key`.
pub(super) fn unwrapped(bytes: &[u8], recovery_key: &Secret) -> Result<Zeroizing<Vec<u8>>, Shut> {
    let (head, sealed) = bytes.split_at_checked(HEAD_BYTES).ok_or(Shut::Damaged)?;
    let (magic, rest) = head.split_at_checked(MAGIC.len()).ok_or(Shut::Damaged)?;
    let (voucher, nonce) = rest.split_first_chunk::<32>().ok_or(Shut::Damaged)?;
    let nonce: [u8; 24] = nonce.try_into().map_err(|_| Shut::Damaged)?;
    if magic != MAGIC {
        return Err(Shut::Damaged);
    }
    if blake3::Hash::from(*voucher) != blake3::Hash::from(tokens::recovery_voucher(recovery_key.reveal())) {
        return Err(Shut::WrongKey);
    }
    let opened = cipher(recovery_key).decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: head });
    opened.map(Zeroizing::new).map_err(|_| Shut::Damaged)
}

fn cipher(recovery_key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*tokens::wrapping_key(recovery_key.reveal())).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outside::random::SeededRandom, store::io::sim::SimDisk};

    #[test]
    fn wrapped_keys_open_with_their_recovery_key_in_any_spacing_and_with_no_other() {
        let (disk, random) = (SimDisk::new(), SeededRandom::new(1));
        let keys = Keys::open(&disk, &random, None).unwrap();
        let (right, wrong) = (tokens::recovery_key(&random), tokens::recovery_key(&random));
        let voucher = tokens::recovery_voucher(right.reveal());
        assert_eq!(kept(&disk, voucher).unwrap(), None);
        keys.keep_wrapped(&disk, &random, &wrong).unwrap();
        assert_eq!(kept(&disk, voucher).unwrap(), None, "they are under another recovery key");
        keys.keep_wrapped(&disk, &random, &right).unwrap();
        let wrapped = kept(&disk.crash(3), voucher).unwrap().unwrap();
        let shouted = Secret::new(right.reveal().to_uppercase().replace('-', " "));
        assert_eq!(unwrapped(&wrapped, &shouted).unwrap(), keys.written());
        assert_eq!(unwrapped(&wrapped, &wrong), Err(Shut::WrongKey));
        // Nothing of the keys or of what opens them is in it.
        for secret in
            [&keys.written()[12..44], &keys.written()[44..76], &*tokens::wrapping_key(right.reveal())]
        {
            assert!(!wrapped.windows(8).any(|some| some == &secret[..8]));
        }
        for at in 0..wrapped.len() {
            let mut bent = wrapped.clone();
            bent[at] ^= 1;
            assert!(unwrapped(&bent, &right).is_err(), "bit at {at}");
            assert!(unwrapped(&wrapped[..at], &right).is_err(), "cut at {at}");
        }
    }
}
