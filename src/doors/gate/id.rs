//! Request ids: what a client quotes and the log can be searched for. They identify, they are no
//! secret, and they say nothing about the server.

use std::fmt;

use crate::outside::random::Random;

const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 16;

/// Sixteen random letters and digits, 80 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; LENGTH]);

impl RequestId {
    /// A new one.
    #[must_use]
    pub fn fresh(random: &dyn Random) -> Self {
        let mut bytes = [0; LENGTH];
        random.fill(&mut bytes);
        Self(bytes.map(|byte| LETTERS.get(usize::from(byte & 31)).copied().unwrap_or(b'0')))
    }

    /// As text, the form of `x-request-id` and `x-amz-request-id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::random::SystemRandom;

    #[test]
    fn an_id_has_sixteen_letters_that_need_no_escaping() {
        let id = RequestId::fresh(&SystemRandom);
        assert_eq!(id.as_str().len(), 16);
        assert!(id.as_str().bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        assert_ne!(id, RequestId::fresh(&SystemRandom));
    }
}
