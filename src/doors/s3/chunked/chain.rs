//! The chain of signatures: each chunk's is made over the one before it.

use sha2::{Digest, Sha256};

use crate::doors::s3::{
    code::Code,
    error::Refusal,
    sigv4::{EMPTY_SHA256, Seed, hex_sha256, same},
};

/// Verifies chunk after chunk while their bytes pass.
pub(super) struct Chain {
    seed: Seed,
    hash: Sha256,
    expected: String,
}

impl Chain {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, hash: Sha256::new(), expected: String::new() }
    }

    /// The signature the chunk that begins must have.
    pub(super) fn expect(&mut self, signature: &str) {
        signature.clone_into(&mut self.expected);
    }

    /// Bytes of the chunk.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// Holds the chunk that ends against its signature.
    pub(super) fn end_chunk(&mut self) -> Result<(), Refusal> {
        let hash = hex::encode(self.hash.finalize_reset());
        let expected = std::mem::take(&mut self.expected);
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &format!("{EMPTY_SHA256}\n{hash}"), expected)
    }

    /// Holds the trailer against its signature. `text` has a line `name:value` for each.
    pub(super) fn end_trailer(&mut self, text: &str, expected: &str) -> Result<(), Refusal> {
        let hash = hex_sha256(text.as_bytes());
        self.verify("AWS4-HMAC-SHA256-TRAILER", &hash, expected.to_owned())
    }

    fn verify(&mut self, kind: &str, hashes: &str, expected: String) -> Result<(), Refusal> {
        let Seed { key, lines, signature } = &self.seed;
        let made = key.sign(&format!("{kind}\n{lines}\n{signature}\n{hashes}"));
        if !made.is_some_and(|made| same(&made, &expected)) {
            return Err(Refusal::new(Code::SignatureDoesNotMatch));
        }
        self.seed.signature = expected;
        Ok(())
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chain")
    }
}
