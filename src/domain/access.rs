//! Who may do what: one function decides for every verb on a bucket, another for every verb on
//! an account. Knows rows, not how they are stored; no door is asked.

use super::{
    Error,
    caller::{Caller, Person, Proof},
    error::Unrecognised,
};
use crate::{
    model::{
        ids::AccountId,
        name::{AccountName, BucketName},
        role::Role,
    },
    store::rows::bucket::BucketRow,
};

/// What a verb does to a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    /// Reads content and what belongs to it.
    Read,
    /// Reads names.
    List,
    /// Changes files and folders, or locks them.
    Write,
    /// Takes a file or folder out of the folder it is in: what is changed is that folder.
    Take,
    /// Reads the bucket's settings and usage.
    Inspect,
    /// Changes the bucket's settings, makes it or removes it.
    Manage,
}

impl Verb {
    fn changes(self) -> bool {
        match self {
            Self::Read | Self::List | Self::Inspect => false,
            Self::Write | Self::Take | Self::Manage => true,
        }
    }

    /// Reaches names or content of files.
    fn reaches_files(self) -> bool {
        match self {
            Self::Read | Self::List | Self::Write | Self::Take => true,
            Self::Inspect | Self::Manage => false,
        }
    }

    /// The least role that gives it.
    fn least(self) -> Role {
        match self {
            Self::Read | Self::List => Role::Viewer,
            Self::Write | Self::Take => Role::Editor,
            Self::Inspect | Self::Manage => Role::Owner,
        }
    }
}

/// Decides whether a caller may do something to a bucket or anything in it. Whoever is not named
/// here may not. Admins are people like others: they manage accounts, not others' files.
/// `granted` is the highest role the caller was given on what it is about or above it; a scope
/// narrows what a grant gives as it narrows what one owns.
///
/// # Errors
/// Unauthenticated for anonymous callers, Denied for all others.
pub(crate) fn access(
    caller: &Caller,
    bucket: &BucketRow,
    verb: Verb,
    granted: Option<Role>,
) -> Result<(), Error> {
    match caller {
        Caller::Anonymous => Err(Error::Unauthenticated(Unrecognised::Missing)),
        Caller::Operator if verb.reaches_files() => {
            Err(Error::Denied("the operator of this machine reaches no files".into()))
        }
        Caller::Operator => Ok(()),
        Caller::Person(person) => {
            within_scope(person, &bucket.name, verb)?;
            let granted = granted.is_some_and(|role| role >= verb.least());
            if person.account == bucket.owner || granted { Ok(()) } else { Err(foreign(&bucket.name)) }
        }
    }
}

/// The refusal for a bucket that belongs to somebody else.
pub(crate) fn foreign(bucket: &BucketName) -> Error {
    Error::Denied(format!("bucket {bucket} belongs to somebody else"))
}

/// Decides whether the credential, whoever it belongs to, is good for this bucket and verb.
///
/// # Errors
/// Denied.
pub(crate) fn within_scope(person: &Person, bucket: &BucketName, verb: Verb) -> Result<(), Error> {
    if !person.scope.buckets.is_empty() && !person.scope.buckets.contains(bucket) {
        return Err(Error::Denied(format!("this app password is not for bucket {bucket}")));
    }
    if person.scope.read_only && verb.changes() {
        return Err(Error::Denied("this app password is for reading only".into()));
    }
    Ok(())
}

/// What a verb does to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccountVerb {
    /// Looks at it, its usage and the list of its credentials.
    Show,
    /// Sets its password, makes or removes its credentials.
    Credentials,
    /// Makes it, removes it, disables it, changes its role or quota.
    Manage,
}

/// Decides whether a caller may do something to an account. Credentials and accounts are made by
/// people who gave their own password, never with an app password or access key: a leaked one
/// would otherwise breed others that outlive it.
///
/// # Errors
/// Unauthenticated for anonymous callers, Denied for all others, whether the account is there or
/// not.
pub(crate) fn account_access(caller: &Caller, whose: &AccountName, verb: AccountVerb) -> Result<(), Error> {
    let person = match caller {
        Caller::Anonymous => return Err(Error::Unauthenticated(Unrecognised::Missing)),
        Caller::Operator => return Ok(()),
        Caller::Person(person) => person,
    };
    let own = person.name == *whose;
    let allowed = match verb {
        AccountVerb::Show => own && person.scope.buckets.is_empty() || person.admin && has_full_proof(person),
        AccountVerb::Credentials => (own || person.admin) && has_full_proof(person),
        AccountVerb::Manage => person.admin && has_full_proof(person),
    };
    if allowed { Ok(()) } else { Err(Error::Denied(refusal(person, own || person.admin))) }
}

fn refusal(person: &Person, by_role: bool) -> String {
    if by_role && !has_full_proof(person) {
        "accounts and credentials are managed with the account's own password".into()
    } else {
        "only admins manage other accounts".into()
    }
}

/// Whether the caller may manage accounts at all.
pub(crate) fn is_manager(caller: &Caller) -> bool {
    match caller {
        Caller::Anonymous => false,
        Caller::Operator => true,
        Caller::Person(person) => person.admin && has_full_proof(person),
    }
}

/// Decides whether a caller may read the system's counts. They tell nothing of any file, so an
/// admin's app password will do for whatever gathers them, but not one that is for certain buckets.
///
/// # Errors
/// Unauthenticated for anonymous callers, Denied for all others.
pub(crate) fn counts_access(caller: &Caller) -> Result<(), Error> {
    match caller {
        Caller::Anonymous => Err(Error::Unauthenticated(Unrecognised::Missing)),
        Caller::Operator => Ok(()),
        Caller::Person(person) if person.admin && person.scope.buckets.is_empty() => Ok(()),
        Caller::Person(person) if person.admin => {
            Err(Error::Denied("this app password is for certain buckets only".into()))
        }
        Caller::Person(_) => Err(Error::Denied("counts are for admins".into())),
    }
}

fn has_full_proof(person: &Person) -> bool {
    match person.proof {
        Proof::Password => true,
        Proof::AppPassword | Proof::AccessKey(_) | Proof::Operator => false,
    }
}

/// The account that verbs on one's own things act for.
///
/// # Errors
/// Unauthenticated for anonymous callers, Denied for the operator, who owns nothing.
pub(crate) fn own_account(caller: &Caller) -> Result<AccountId, Error> {
    match caller {
        Caller::Person(person) => Ok(person.account),
        Caller::Anonymous => Err(Error::Unauthenticated(Unrecognised::Missing)),
        Caller::Operator => Err(Error::Denied("the operator of this machine owns nothing".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::caller::Scope,
        model::{
            bucket::{HistoryPolicy, Versioning},
            ids::{BucketId, NodeId},
            time::Timestamp,
        },
    };

    const VERBS: [Verb; 6] = [Verb::Read, Verb::List, Verb::Write, Verb::Take, Verb::Inspect, Verb::Manage];

    fn name(text: &str) -> BucketName {
        BucketName::parse(text).unwrap()
    }

    fn bucket() -> BucketRow {
        BucketRow {
            id: BucketId(1),
            name: name("photos"),
            owner: AccountId(7),
            root: NodeId(1),
            created: Timestamp(0),
            versioning: Versioning::Never,
            history: HistoryPolicy::Off,
            quota: None,
        }
    }

    fn person(account: u64, admin: bool, proof: Proof) -> Person {
        let name = AccountName::parse(if account == 7 { "ada" } else { "bob" }).unwrap();
        Person { account: AccountId(account), name, admin, proof, scope: Scope::default() }
    }

    fn app(account: u64, buckets: &[&str], read_only: bool) -> Caller {
        let scope = Scope { buckets: buckets.iter().map(|text| name(text)).collect(), read_only };
        Caller::Person(Person { scope, ..person(account, true, Proof::AppPassword) })
    }

    /// `y` allowed, `d` denied, `a` not recognised; in the order of [`VERBS`].
    fn row(caller: &Caller, granted: Option<Role>) -> String {
        let letter = |verb| match access(caller, &bucket(), verb, granted) {
            Ok(()) => 'y',
            Err(Error::Denied(_)) => 'd',
            Err(Error::Unauthenticated(Unrecognised::Missing)) => 'a',
            Err(other) => panic!("{other}"),
        };
        VERBS.into_iter().map(letter).collect()
    }

    #[test]
    fn every_verb_is_decided_for_every_kind_of_caller() {
        let key = Proof::AccessKey("HA1".into());
        let table = [
            ("anonymous", Caller::Anonymous, "aaaaaa"),
            ("operator", Caller::Operator, "ddddyy"),
            ("owner", Caller::Person(person(7, false, Proof::Password)), "yyyyyy"),
            ("owner's key", Caller::Person(person(7, false, key.clone())), "yyyyyy"),
            ("operator for the owner", Caller::Person(person(7, false, Proof::Operator)), "yyyyyy"),
            ("operator for a stranger", Caller::Person(person(8, false, Proof::Operator)), "dddddd"),
            ("owner's app", app(7, &[], false), "yyyyyy"),
            ("owner's app for it", app(7, &["papers", "photos"], false), "yyyyyy"),
            ("owner's app for another", app(7, &["papers", "photos2", "photo"], false), "dddddd"),
            ("owner's reading app", app(7, &[], true), "yyddyd"),
            ("owner's reading app for it", app(7, &["photos"], true), "yyddyd"),
            ("stranger", Caller::Person(person(8, false, Proof::Password)), "dddddd"),
            ("admin", Caller::Person(person(8, true, Proof::Password)), "dddddd"),
            ("admin's key", Caller::Person(person(8, true, key)), "dddddd"),
            ("stranger's app for it", app(8, &["photos"], false), "dddddd"),
        ];
        for (who, caller, expected) in table {
            assert_eq!(row(&caller, None), expected, "{who}");
        }
    }

    #[test]
    fn a_role_gives_what_it_says_and_a_scope_narrows_it() {
        let stranger = || Caller::Person(person(8, false, Proof::Password));
        let table = [
            ("viewer", stranger(), Role::Viewer, "yydddd"),
            ("editor", stranger(), Role::Editor, "yyyydd"),
            ("owner by a grant", stranger(), Role::Owner, "yyyyyy"),
            ("editor's app for another", app(8, &["papers"], false), Role::Editor, "dddddd"),
            ("editor's reading app", app(8, &[], true), Role::Editor, "yydddd"),
            ("anonymous", Caller::Anonymous, Role::Owner, "aaaaaa"),
            ("operator", Caller::Operator, Role::Owner, "ddddyy"),
        ];
        for (who, caller, role, expected) in table {
            assert_eq!(row(&caller, Some(role)), expected, "{who}");
        }
    }

    #[test]
    fn counts_are_for_admins_without_a_scope() {
        let may = |caller: &Caller| counts_access(caller).is_ok();
        assert!(may(&Caller::Operator) && may(&Caller::Person(person(8, true, Proof::Password))));
        assert!(may(&app(8, &[], false)) && may(&app(8, &[], true)));
        assert!(
            !may(&app(8, &["photos"], false)) && !may(&Caller::Person(person(8, false, Proof::Password)))
        );
        assert!(matches!(counts_access(&Caller::Anonymous), Err(Error::Unauthenticated(_))));
    }

    #[test]
    fn accounts_are_managed_with_a_password_by_admins_and_the_operator_only() {
        let key = Proof::AccessKey("HA1".into());
        let own = |proof| Caller::Person(person(7, false, proof));
        let admin = |proof| Caller::Person(person(8, true, proof));
        let other = Caller::Person(person(8, false, Proof::Password));
        let scoped = |buckets: &[&str]| match app(7, buckets, false) {
            Caller::Person(person) => Caller::Person(Person { admin: false, ..person }),
            caller => caller,
        };
        let table = [
            (Caller::Anonymous, [false, false, false]),
            (Caller::Operator, [true, true, true]),
            (own(Proof::Password), [true, true, false]),
            (own(key.clone()), [true, false, false]),
            (own(Proof::AppPassword), [true, false, false]),
            (own(Proof::Operator), [true, false, false]),
            (scoped(&["photos"]), [false, false, false]),
            (other, [false, false, false]),
            (admin(Proof::Password), [true, true, true]),
            (admin(key), [false, false, false]),
            (admin(Proof::AppPassword), [false, false, false]),
        ];
        let ada = AccountName::parse("ada").unwrap();
        for (caller, expected) in table {
            let verbs = [AccountVerb::Show, AccountVerb::Credentials, AccountVerb::Manage];
            let found = verbs.map(|verb| account_access(&caller, &ada, verb).is_ok());
            assert_eq!(found, expected, "{caller:?}");
        }
    }
}
