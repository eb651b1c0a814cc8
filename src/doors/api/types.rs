//! The shapes of the JSON API, for both its ends. Times are RFC 3339 in UTC, sizes are bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    domain::{CheckReport, nouns},
    model::secret::Secret,
};

pub use super::{
    backed_up::{BackedUp, Backup, BackupRun, Snapshot, UnreadSegment},
    collected::{Collected, Collection, CollectionRun, Space},
    damaged::{Damage, DamagedFile, DamagedFiles, Damages, NeededChunk, ScrubRun, Scrubbed, Scrubbing},
    filed::{File, Files},
};

/// A problem document (RFC 9457) with a stable code. The command line prints its own errors in the
/// same shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`: the code tells more.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status; none if the error is not an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For programs; never changes its meaning.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The version of the server.
    pub version: String,
    /// Where it listens, in the order of the configuration; nothing if no server runs.
    #[serde(default)]
    pub listens: Vec<Listens>,
}

/// An address a server listens at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listens {
    /// IP address and port, as they really are.
    pub address: std::net::SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

/// What is known of the recovery key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecoveryKey {
    /// Whether people showed that they kept it.
    pub confirmed: bool,
}

/// The recovery key, shown by who kept it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownRecoveryKey {
    /// As it was printed; spacing and case do not matter.
    #[serde(default, with = "secret")]
    pub key: Option<Secret>,
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The canonical owner id of S3.
    pub id: String,
    /// Its name.
    pub name: String,
    /// For mail.
    pub email: Option<String>,
    /// For people.
    pub display_name: String,
    /// Manages accounts.
    pub admin: bool,
    /// May do nothing.
    pub disabled: bool,
    /// When it was made.
    pub created: String,
    /// Bytes it may hold, if that is limited.
    pub quota: Option<u64>,
    /// What it holds; only where one account is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl From<nouns::Account> for Account {
    fn from(account: nouns::Account) -> Self {
        Self {
            id: account.canonical_id,
            name: account.name.to_string(),
            email: account.email,
            display_name: account.display_name,
            admin: account.admin,
            disabled: account.disabled,
            created: account.created.rfc3339(),
            quota: account.quota,
            usage: None,
        }
    }
}

/// Bytes held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Current versions.
    pub live: u64,
    /// Other versions, and parts of uploads.
    pub versions: u64,
    /// History and trash.
    pub history: u64,
    /// Number of files.
    pub files: u64,
}

impl From<nouns::Usage> for Usage {
    fn from(usage: nouns::Usage) -> Self {
        Self { live: usage.live, versions: usage.versions, history: usage.history, files: usage.files }
    }
}

/// An account to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its name, and that of its first bucket.
    pub name: String,
    /// For mail.
    #[serde(default)]
    pub email: Option<String>,
    /// For people; the name if it is not given.
    #[serde(default)]
    pub display_name: String,
    /// Manages accounts.
    #[serde(default)]
    pub admin: bool,
    /// Its password; without one only app passwords and access keys work.
    #[serde(default, with = "secret")]
    pub password: Option<Secret>,
}

/// A change to an account; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Its new password.
    #[serde(default, with = "secret")]
    pub password: Option<Secret>,
    /// Whether it may do nothing.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// An access key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// What S3 clients name.
    pub access_key: String,
    /// Its secret; only where it was just made.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret")]
    pub secret_key: Option<Secret>,
    /// When it was made.
    pub created: String,
}

impl From<nouns::AccessKey> for Key {
    fn from(key: nouns::AccessKey) -> Self {
        Self { access_key: key.id, secret_key: None, created: key.created.rfc3339() }
    }
}

/// An access key to be made; random if nothing is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What S3 clients name.
    #[serde(default)]
    pub access_key: Option<String>,
    /// Its secret.
    #[serde(default, with = "secret")]
    pub secret_key: Option<Secret>,
}

/// An app password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppPassword {
    /// Names it, for removal.
    pub id: String,
    /// For people.
    pub label: String,
    /// Good for these buckets only; empty for all.
    pub buckets: Vec<String>,
    /// Good for reading only.
    pub read_only: bool,
    /// The password; only where it was just made.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret")]
    pub password: Option<Secret>,
    /// When it was made.
    pub created: String,
    /// When it ends.
    pub expires: Option<String>,
}

impl From<nouns::AppPassword> for AppPassword {
    fn from(made: nouns::AppPassword) -> Self {
        Self {
            id: made.id,
            label: made.label,
            buckets: made.scope.buckets.iter().map(ToString::to_string).collect(),
            read_only: made.scope.read_only,
            password: None,
            created: made.created.rfc3339(),
            expires: made.expires.map(|at| at.rfc3339()),
        }
    }
}

/// An app password to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAppPassword {
    /// For people.
    #[serde(default)]
    pub label: String,
    /// Good for these buckets only; empty for all.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// Good for reading only.
    #[serde(default)]
    pub read_only: bool,
    /// When it ends; never if it is not given.
    #[serde(default)]
    pub expires: Option<String>,
}

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The name of the account that owns it.
    pub owner: String,
    /// When it was made.
    pub created: String,
    /// `never`, `enabled` or `suspended`.
    pub versioning: String,
    /// Days that history is kept for people; 0 if it is not.
    pub history_days: u32,
    /// Bytes it may hold, if that is limited.
    pub quota: Option<u64>,
    /// What it holds; only where one bucket is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the whole store holds, as counted last; only there too, and only for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Space>,
}

impl From<nouns::Bucket> for Bucket {
    fn from(bucket: nouns::Bucket) -> Self {
        Self {
            name: bucket.name.to_string(),
            owner: bucket.owner_name.to_string(),
            created: bucket.created.rfc3339(),
            versioning: match bucket.versioning {
                nouns::Versioning::Never => "never".into(),
                nouns::Versioning::Enabled => "enabled".into(),
                nouns::Versioning::Suspended => "suspended".into(),
            },
            history_days: match bucket.history {
                nouns::HistoryPolicy::Off => 0,
                nouns::HistoryPolicy::Days(days) => days,
            },
            quota: bucket.quota,
            usage: None,
            store: None,
        }
    }
}

/// A page of buckets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Buckets {
    /// By name.
    pub buckets: Vec<Bucket>,
    /// Where the next page goes on (`after`), if there is one.
    pub next: Option<String>,
}

/// A bucket to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBucket {
    /// Its name.
    pub name: String,
    /// The name of the account that will own it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Days that history is kept for people.
    #[serde(default)]
    pub history_days: u32,
}

/// A change to a bucket; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketChange {
    /// Versions for S3, on or off.
    #[serde(default)]
    pub versioning: Option<VersioningChange>,
    /// Days that history is kept for people; 0 for not at all.
    #[serde(default)]
    pub history_days: Option<u32>,
    /// Bytes it may hold; `null` takes the limit off.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub quota: Option<Option<u64>>,
}

/// What versioning can be changed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersioningChange {
    /// On.
    Enabled,
    /// Off again.
    Suspended,
}

/// What a check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Everything was looked at and adds up.
    pub clean: bool,
    /// Why it ended before it had seen everything.
    pub unfinished: Option<String>,
    /// How much does not add up.
    pub found: u64,
    /// The first 1,000 of it.
    pub findings: Vec<Finding>,
    /// How much was looked at, by what it was.
    pub counts: BTreeMap<String, u64>,
    /// What is known to be damaged, the first 1,000; `/api/v1/damage` tells all.
    #[serde(default)]
    pub damage: Vec<Damage>,
    /// The versions and parts that cannot be read whole, the first 1,000; `/api/v1/damage/files` tells
    /// all.
    #[serde(default)]
    pub files: Vec<DamagedFile>,
}

/// Something that does not add up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about; never changes its meaning.
    pub kind: String,
    /// A sentence that names it; where that is somebody's file or a lock, to the operator alone.
    pub text: String,
}

impl From<CheckReport> for Check {
    fn from(report: CheckReport) -> Self {
        let clean = report.is_clean();
        let findings = report.findings.into_iter();
        let findings = findings.map(|it| Finding { kind: it.kind.code().into(), text: it.text }).collect();
        let counts = report.counts.named().map(|(name, count)| (name.to_owned(), count)).into();
        let damage = report.damage.into_iter().map(Damage::from).collect();
        let files = report.hits.into_iter().map(DamagedFile::from).collect();
        let (unfinished, found) = (report.unfinished, report.found);
        Self { clean, unfinished, found, findings, counts, damage, files }
    }
}

/// A member that is there, be it `null`.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Secrets as they travel.
mod secret {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::secret::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::reveal).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}
