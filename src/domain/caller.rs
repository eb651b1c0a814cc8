//! Who asks: handed to every verb, which decides.

use crate::model::{
    ids::AccountId,
    name::{AccountName, BucketName},
};

/// What an app password may be used for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// Only these buckets; empty means all the account can reach.
    pub buckets: Vec<BucketName>,
    /// No writes.
    pub read_only: bool,
}

/// How the caller proved to be who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The account's own password.
    Password,
    /// An app password.
    AppPassword,
    /// A signature with this access key.
    AccessKey(String),
    /// None: the operator of this machine acts for the account.
    Operator,
}

/// A recognised account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// Whether it manages accounts. Admins do not read others' files.
    pub admin: bool,
    /// How it was recognised.
    pub proof: Proof,
    /// What the credential is good for.
    pub scope: Scope,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// An account.
    Person(Person),
    /// The operator of this machine: the command line on the data directory or its socket.
    /// May manage everything, and reads no files.
    Operator,
}

impl Caller {
    /// The account, if there is one.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Person(person) => Some(person.account),
            Self::Anonymous | Self::Operator => None,
        }
    }

    /// The account's name for logs, or `-`.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Person(person) => person.name.as_str(),
            Self::Anonymous => "-",
            Self::Operator => "operator",
        }
    }
}
