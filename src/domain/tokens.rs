//! The written forms of things made at random: access keys, app passwords, first passwords and
//! the recovery key. Made for people to copy: lower-case base32 in groups, without look-alikes.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::{Error, seal::TOKEN_BYTES};
use crate::{
    model::{
        limits::{ACCESS_KEY_CHARS, SECRET_KEY_CHARS},
        secret::Secret,
    },
    outside::random::Random,
};

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const GROUP_CHARS: usize = 4;
const KEY_ID_CHARS: usize = 20;
const KEY_ID_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Writes bytes as base32 in groups of four.
fn groups(bytes: &[u8]) -> Secret {
    let mut text = Zeroizing::new(String::new());
    let (mut bits, mut held, mut written) = (0_u32, 0, 0);
    let mut push = |five: u32| {
        if written > 0 && written % GROUP_CHARS == 0 {
            text.push('-');
        }
        text.extend(BASE32.get(five as usize & 31).map(|byte| char::from(*byte)));
        written += 1;
    };
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            push(bits >> held);
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        push(bits << (5 - held));
    }
    Secret::new(text.as_str())
}

/// Reads an app password in any spacing or case; `None` for any other text.
pub(super) fn read_app_password(text: &str) -> Option<Zeroizing<[u8; TOKEN_BYTES]>> {
    let mut out = Zeroizing::new([0; TOKEN_BYTES]);
    let (mut bits, mut held, mut at) = (0_u32, 0, 0);
    for byte in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
        let five = BASE32.iter().position(|known| *known == byte.to_ascii_lowercase())?;
        bits = bits << 5 | u32::try_from(five).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            *out.get_mut(at)? = (bits >> held & 0xff) as u8;
            at += 1;
            bits &= (1 << held) - 1;
        }
    }
    (at == TOKEN_BYTES && held == 0).then_some(out)
}

/// A new app password: its bytes and what the person gets to see.
pub(super) fn app_password(random: &dyn Random) -> (Zeroizing<[u8; TOKEN_BYTES]>, Secret) {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    random.fill(&mut *bytes);
    let text = groups(&*bytes);
    (bytes, text)
}

/// A first password of 100 random bits.
#[must_use]
pub fn password(random: &dyn Random) -> Secret {
    let mut bytes = Zeroizing::new([0; 13]);
    random.fill(&mut *bytes);
    let text = groups(&*bytes);
    // 104 bits fill 20 characters and a half: the last, lonely group says nothing more.
    Secret::new(text.reveal().get(..24).unwrap_or_default())
}

/// A recovery key of 256 random bits.
pub(super) fn recovery_key(random: &dyn Random) -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    groups(&*bytes)
}

/// What the metadata keeps of a recovery key to know it again, in whatever spacing and case.
pub(super) fn recovery_voucher(key: &str) -> [u8; 32] {
    derived(key, "holdall 2026 recovery key voucher")
}

/// The key that wraps the keys of a store, from its recovery key in whatever spacing and case.
pub(super) fn wrapping_key(key: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(derived(key, "holdall 2026 recovery key wraps keys"))
}

fn derived(key: &str, context: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for byte in key.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
        hasher.update(&[byte.to_ascii_lowercase()]);
    }
    *hasher.finalize().as_bytes()
}

/// A short id that is no secret.
pub(super) fn short_id(random: &dyn Random) -> String {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    hex::encode(bytes)
}

/// A new access key: id, and a secret of 240 random bits.
pub(super) fn access_key(random: &dyn Random) -> (String, Secret) {
    let mut id = "HA".to_owned();
    while id.len() < KEY_ID_CHARS {
        let mut byte = [0];
        random.fill(&mut byte);
        // 252 is the last multiple of 36: no letter is likelier than another.
        let [byte] = byte;
        if byte < 252 {
            id.extend(KEY_ID_ALPHABET.get(usize::from(byte) % 36).map(|letter| char::from(*letter)));
        }
    }
    let mut bytes = Zeroizing::new([0; 30]);
    random.fill(&mut *bytes);
    (id, Secret::new(STANDARD_NO_PAD.encode(bytes.as_slice())))
}

/// Checks an access key that somebody brings along.
pub(super) fn check_access_key(id: &str, secret: &Secret) -> Result<(), Error> {
    check_key_id(id)?;
    check_secret_key(secret)
}

/// Checks its id, which stands in URLs and between slashes.
pub(super) fn check_key_id(id: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !ACCESS_KEY_CHARS.contains(&id.len()) || !id.bytes().all(plain) {
        let (least, most) = (ACCESS_KEY_CHARS.start(), ACCESS_KEY_CHARS.end());
        return Err(Error::Invalid(format!(
            "an access key has {least} to {most} letters, digits, '-', '_' and '.' only"
        )));
    }
    Ok(())
}

/// Checks its secret.
pub(super) fn check_secret_key(secret: &Secret) -> Result<(), Error> {
    let secret = secret.reveal();
    if !SECRET_KEY_CHARS.contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        let (least, most) = (SECRET_KEY_CHARS.start(), SECRET_KEY_CHARS.end());
        return Err(Error::Invalid(format!("a secret key has {least} to {most} visible ASCII characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::random::SeededRandom;

    #[test]
    fn an_app_password_reads_back_however_it_was_copied() {
        let random = SeededRandom::new(3);
        for _ in 0..50 {
            let (bytes, text) = app_password(&random);
            let text = text.reveal();
            assert_eq!(text.len(), 39);
            for copied in [text.to_owned(), text.replace('-', ""), text.to_uppercase().replace('-', " ")] {
                assert_eq!(read_app_password(&copied).as_deref(), Some(&*bytes), "{copied}");
            }
        }
        for other in ["", "secret", &"a".repeat(31), &"a".repeat(33), &"a".repeat(1000), &"1".repeat(32)] {
            assert_eq!(read_app_password(other), None, "{other}");
        }
    }

    #[test]
    fn made_texts_have_their_form_and_never_repeat() {
        let random = SeededRandom::new(4);
        let (id, secret) = access_key(&random);
        assert!(id.len() == 20 && id.starts_with("HA"), "{id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{id}");
        assert_eq!(secret.reveal().len(), 40);
        check_access_key(&id, &secret).unwrap();
        assert_ne!(access_key(&random).0, id);
        assert_eq!(password(&random).reveal().replace('-', "").len(), 20);
        let recovery = recovery_key(&random);
        assert_eq!(recovery.reveal().replace('-', "").len(), 52);
        let copied = recovery.reveal().to_uppercase().replace('-', " ");
        assert_eq!(recovery_voucher(&copied), recovery_voucher(recovery.reveal()));
        assert_ne!(recovery_voucher(""), recovery_voucher(recovery.reveal()));
    }

    #[test]
    fn brought_along_keys_are_neither_empty_nor_strange() {
        let fine = Secret::new("hunter22");
        assert!(check_access_key("minioadmin", &fine).is_ok());
        for id in ["", "ab", "a/b", "a b", "é12", &"a".repeat(129)] {
            assert!(check_access_key(id, &fine).is_err(), "{id}");
        }
        for secret in ["", "hunter2", "hunter 22", "hunter2é", &"a".repeat(129)] {
            assert!(check_access_key("abc", &Secret::new(secret)).is_err(), "{secret}");
        }
    }
}
