//! What hangs on files and folders beside their content: locks and properties.

use crate::model::{condition::Conditions, ids::AccountId, time::Timestamp};

/// A lock that is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewLock {
    /// Nobody else, the caller included, may hold one on the same.
    pub exclusive: bool,
    /// It covers everything below a folder.
    pub deep: bool,
    /// What the holder says about itself: the content of the `owner` element.
    pub owner: String,
    /// How long it is wanted for; longer than allowed is cut.
    pub seconds: Option<u64>,
    /// Must hold in the commit.
    pub conditions: Conditions,
    /// Lock tokens submitted, for a folder whose membership is locked.
    pub tokens: Vec<String>,
}

/// A lock that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lock {
    /// Its token, an URI; only its holder learns it.
    pub token: Option<String>,
    /// The path below the bucket of what it is on, without slashes at the ends.
    pub root: String,
    /// Whether that is a folder.
    pub folder: bool,
    /// Nobody else may hold one on the same.
    pub exclusive: bool,
    /// It covers everything below.
    pub deep: bool,
    /// What the holder says about itself.
    pub owner: String,
    /// Who holds it.
    pub holder: AccountId,
    /// How long it was granted for.
    pub seconds: u64,
    /// How much of that is left, in seconds.
    pub left: u64,
}

/// A dead property.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Prop {
    /// Its XML namespace; empty for none.
    pub namespace: String,
    /// Its local name.
    pub name: String,
    /// The whole element, as it was set.
    pub xml: String,
}

/// One step of a change of properties.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PropChange {
    /// Sets one, whether it is there or not.
    Set(Prop),
    /// Removes one, if it is there.
    Remove {
        /// Its XML namespace.
        namespace: String,
        /// Its local name.
        name: String,
    },
}

/// A change of properties that is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PropsSet {
    /// What they hang on is a folder; a bucket's own is one too.
    pub folder: bool,
}

/// What else a change of properties brings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PropOptions {
    /// A new client time of the current version, which stays the same version.
    pub modified: Option<Timestamp>,
    /// Must hold in the commit.
    pub conditions: Conditions,
    /// Lock tokens submitted.
    pub tokens: Vec<String>,
}
