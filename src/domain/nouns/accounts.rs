//! Accounts, their credentials, buckets and usage.

use crate::domain::caller::Scope;
use crate::model::{
    bucket::{HistoryPolicy, Versioning},
    condition::Conditions,
    ids::AccountId,
    name::{AccountName, BucketName},
    secret::Secret,
    time::Timestamp,
};

/// A bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Who owns it and is charged.
    pub owner: AccountId,
    /// The owner's name.
    pub owner_name: AccountName,
    /// When it was made.
    pub created: Timestamp,
    /// Its versioning state.
    pub versioning: Versioning,
    /// Its history policy.
    pub history: HistoryPolicy,
    /// Bytes it may hold; `None` leaves it to the owner's quota.
    pub quota: Option<u64>,
}

/// Who owns a bucket, as S3 names it in listings: no more of the account than whoever may read in
/// the bucket is told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Owner {
    /// As in [`Account`].
    pub canonical_id: String,
    /// For people.
    pub display_name: String,
}

/// How a bucket is made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BucketOptions {
    /// Its history policy.
    pub history: HistoryPolicy,
    /// Whose it becomes; `None` is the caller's.
    pub owner: Option<AccountName>,
    /// Must hold in the commit.
    pub conditions: Conditions,
}

/// Which buckets to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListBuckets {
    /// Names start with this.
    pub prefix: String,
    /// Names behind this one.
    pub after: Option<String>,
    /// At most this many; clamped to the limit.
    pub limit: usize,
}

/// A change to a bucket's settings; `None` leaves a setting alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BucketChange {
    /// Never goes back to [`Versioning::Never`].
    pub versioning: Option<Versioning>,
    /// Affects what is replaced and deleted from now on.
    pub history: Option<HistoryPolicy>,
    /// `Some(None)` takes the quota off.
    pub quota: Option<Option<u64>>,
}

/// How many bytes are charged to an account, or held in a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Current versions.
    pub live: u64,
    /// Other S3 versions and stored parts.
    pub versions: u64,
    /// History and trash.
    pub history: u64,
    /// Files.
    pub files: u64,
}

/// What an account is charged for, or a bucket's part of that, and what quotas leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Charged {
    /// Bytes in use, history and trash included.
    pub used: u64,
    /// Bytes that may still be written; `None` if nothing limits them.
    pub left: Option<u64>,
}

/// An account, without any secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The canonical owner id of S3: 64 hexadecimal digits.
    pub canonical_id: String,
    /// Its name.
    pub name: AccountName,
    /// For people.
    pub display_name: String,
    /// For mail, and S3 grants by e-mail.
    pub email: Option<String>,
    /// Manages accounts.
    pub admin: bool,
    /// May do nothing.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Bytes it may hold; `None` is unlimited.
    pub quota: Option<u64>,
}

impl From<Account> for Owner {
    fn from(account: Account) -> Self {
        Self { canonical_id: account.canonical_id, display_name: account.display_name }
    }
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name, and that of its first bucket.
    pub name: AccountName,
    /// For people; the name if empty.
    pub display_name: String,
    /// For mail.
    pub email: Option<String>,
    /// Manages accounts.
    pub admin: bool,
    /// Its password; without one only app passwords and access keys work.
    pub password: Option<Secret>,
}

/// A change to an account; `None` leaves a setting alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountChange {
    /// For people.
    pub display_name: Option<String>,
    /// `Some(None)` takes the address off.
    pub email: Option<Option<String>>,
    /// Whether it manages accounts.
    pub admin: Option<bool>,
    /// `Some(None)` takes the quota off.
    pub quota: Option<Option<u64>>,
}

/// An access key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKey {
    /// The id S3 clients name.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
}

/// An app password, without its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppPassword {
    /// Names it, for removal.
    pub id: String,
    /// For people.
    pub label: String,
    /// What it is good for.
    pub scope: Scope,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
}
