//! Signatures, version 4: what a request claims, and whether a secret makes the same signature.
//! It only computes. Who an access key belongs to and what its secret is, the domain knows; it
//! calls [`Claim::verify`] with the secret.

mod canonical;
mod keys;
mod read;
#[cfg(test)]
mod tests;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(crate) use self::{
    keys::SigningKeys,
    read::{Head, read},
};
use crate::model::secret::Secret;

/// The one algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The hash of nothing.
pub(crate) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The query parameters of a presigned URL; they are not handed on.
pub(crate) const QUERY: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Content-Sha256",
    "X-Amz-Security-Token",
];

/// A key good for one day, one region and S3.
#[derive(Clone)]
pub(crate) struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    fn derive(secret: &Secret, date: &str, region: &str) -> Option<Self> {
        let first = Zeroizing::new(format!("AWS4{}", secret.reveal()));
        let mut key = Zeroizing::new(hmac(first.as_bytes(), date.as_bytes())?);
        for step in [region, "s3", "aws4_request"] {
            key = Zeroizing::new(hmac(key.as_slice(), step.as_bytes())?);
        }
        Some(Self(key))
    }

    /// The signature of a text, in hexadecimal.
    pub(crate) fn sign(&self, text: &str) -> Option<String> {
        hmac(self.0.as_slice(), text.as_bytes()).map(hex::encode)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(data);
    Some(mac.finalize().into_bytes().into())
}

/// SHA-256 in hexadecimal.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compares without telling by its duration how much agrees.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// What a signed request says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Whose secret it was signed with.
    pub(crate) access_key: String,
    /// What the signature says of the body: a hash, or one of the words S3 defines.
    pub(crate) payload: String,
    signing: Signing,
    signature: String,
    /// Hashes of the canonical request. Two where the client sent the path in a form that some
    /// clients sign as they send it and others encode first.
    requests: Vec<String>,
}

/// When, where and for what a signature is good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Signing {
    /// `YYYYMMDDTHHMMSSZ`.
    pub(crate) timestamp: String,
    /// The region named.
    pub(crate) region: String,
}

impl Signing {
    fn date(&self) -> &str {
        self.timestamp.get(..8).unwrap_or_default()
    }

    /// The lines every text to sign has below its first: time and scope.
    pub(crate) fn lines(&self) -> String {
        format!("{}\n{}/{}/s3/aws4_request", self.timestamp, self.date(), self.region)
    }
}

/// Where the signatures of a streamed body's chunks start from.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    /// The key of the request.
    pub(crate) key: SigningKey,
    /// Time and scope, as [`Signing::lines`].
    pub(crate) lines: String,
    /// The signature of the request.
    pub(crate) signature: String,
}

impl Claim {
    /// Whether `secret` makes the signature; the seed for the body if so.
    pub(crate) fn verify(&self, keys: &SigningKeys, secret: &Secret) -> Option<Seed> {
        let (date, region) = (self.signing.date(), &self.signing.region);
        let key = keys.get(&self.access_key, secret, date, region)?;
        let lines = self.signing.lines();
        let made = |request: &String| key.sign(&format!("{ALGORITHM}\n{lines}\n{request}"));
        // Every form is computed, so that time tells nothing.
        let matches =
            self.requests.iter().filter_map(made).filter(|made| same(made, &self.signature)).count();
        (matches > 0).then(|| Seed { key, lines, signature: self.signature.clone() })
    }
}

/// What a request presents.
#[derive(Clone, Debug)]
pub(crate) enum Presentation {
    /// No signature at all.
    Anonymous,
    /// One to be verified.
    Signed(Claim),
}

/// The seed of AWS's example of a streamed body, which other tests build on.
#[cfg(test)]
pub(crate) fn test_seed(signature: &str) -> Seed {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let signing = Signing { timestamp: "20130524T000000Z".into(), region: "us-east-1".into() };
    let key = SigningKey::derive(&secret, signing.date(), &signing.region).unwrap();
    Seed { key, lines: signing.lines(), signature: signature.to_owned() }
}
