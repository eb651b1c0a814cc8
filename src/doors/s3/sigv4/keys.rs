//! Signing keys of the day, kept so that a request costs one HMAC instead of five.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::SigningKey;
use crate::model::secret::Secret;

/// Keys kept at most; then all are forgotten at once.
const KEPT: usize = 1024;

struct Kept {
    secret: Secret,
    date: String,
    region: String,
    key: SigningKey,
}

/// The last signing key of each access key. An entry counts only with the very secret it was
/// derived from, so a key that was removed and made again is never taken for the old one.
#[derive(Default)]
pub(crate) struct SigningKeys(Mutex<HashMap<String, Kept>>);

impl SigningKeys {
    pub(super) fn get(&self, id: &str, secret: &Secret, date: &str, region: &str) -> Option<SigningKey> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |k: &&Kept| k.date == date && k.region == region && k.secret.matches(secret.reveal());
        if let Some(entry) = kept.get(id).filter(fits) {
            return Some(entry.key.clone());
        }
        let key = SigningKey::derive(secret, date, region)?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        let (date, region) = (date.to_owned(), region.to_owned());
        kept.insert(id.to_owned(), Kept { secret: secret.clone(), date, region, key: key.clone() });
        Some(key)
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(keys: &SigningKeys, id: &str, secret: &str, date: &str) -> String {
        keys.get(id, &Secret::new(secret), date, "us-east-1").unwrap().sign("x").unwrap()
    }

    #[test]
    fn a_changed_secret_or_day_gets_another_key() {
        let keys = SigningKeys::default();
        let first = signature(&keys, "a", "one", "20260101");
        assert_eq!(signature(&keys, "a", "one", "20260101"), first);
        assert_ne!(signature(&keys, "a", "two", "20260101"), first);
        assert_ne!(signature(&keys, "a", "one", "20260102"), first);
        assert_eq!(signature(&keys, "b", "one", "20260101"), first);
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let keys = SigningKeys::default();
        for number in 0..KEPT + 10 {
            signature(&keys, &number.to_string(), "s", "20260101");
        }
        assert!(keys.0.lock().unwrap().len() <= KEPT);
    }
}
