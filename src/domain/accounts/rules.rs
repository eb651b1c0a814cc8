//! The rules of accounts, on rows alone: what is checked and written inside one transaction.

use crate::domain::{
    Error,
    access::{AccountVerb, account_access},
    buckets,
    caller::Caller,
    error::{Unrecognised, What},
    nouns::{Account, HistoryPolicy},
};
use crate::{
    model::{
        ids::{AccountId, BucketId, NodeId},
        limits::{BUCKETS_PER_ACCOUNT, DISPLAY_NAME_BYTES, EMAIL_BYTES, LIST_PAGE},
        name::{AccountName, BucketName},
        time::Timestamp,
    },
    store::{
        meta::{
            Kind, Tx,
            rows::{Rows, RowsMut},
        },
        rows::{
            account::{self, AccountRow, PasswordHash},
            bucket, credential,
        },
    },
};

/// Buckets removed in one transaction; each is up to five rows.
const BUCKETS_AT_ONCE: usize = 100;

/// A checked account that lacks only its ids.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) name: AccountName,
    pub(crate) display_name: String,
    pub(crate) email: Option<String>,
    pub(crate) admin: bool,
    pub(crate) password: Option<PasswordHash>,
    pub(crate) canonical: [u8; 32],
}

/// What a new account and its bucket are known by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    account: AccountId,
    bucket: BucketId,
    root: NodeId,
}

impl Ids {
    /// The account's.
    pub(crate) fn account(self) -> AccountId {
        self.account
    }

    pub(crate) fn fresh(tx: &Tx<'_>) -> Result<Self, Error> {
        Ok(Self {
            account: AccountId(tx.fresh(Kind::Account)?),
            bucket: BucketId(tx.fresh(Kind::Bucket)?),
            root: NodeId(tx.fresh(Kind::Node)?),
        })
    }
}

/// The account as callers see it.
pub(crate) fn shown(row: AccountRow) -> Account {
    Account {
        id: row.id,
        canonical_id: hex::encode(row.canonical),
        name: row.name,
        display_name: row.display_name,
        email: row.email,
        admin: row.admin,
        disabled: row.disabled,
        created: row.created,
        quota: row.quota,
    }
}

/// The account of that name, if the caller may do `verb` to it. Who may not learns nothing.
pub(crate) fn allowed(
    rows: &dyn Rows,
    caller: &Caller,
    name: &AccountName,
    verb: AccountVerb,
) -> Result<AccountRow, Error> {
    account_access(caller, name, verb)?;
    let row = account::by_login(rows, name.as_str())?
        .ok_or_else(|| Error::NotFound(What::Account, name.to_string()))?;
    match caller {
        // Removed since it was recognised: the name is somebody else's now.
        Caller::Person(person) if person.name == *name && person.account != row.id => {
            Err(Error::Unauthenticated(Unrecognised::Disabled))
        }
        Caller::Person(_) | Caller::Operator | Caller::Anonymous => Ok(row),
    }
}

/// Adds an account and the bucket of its name, both or neither.
pub(crate) fn add(
    rows: &mut dyn RowsMut,
    new: &Prepared,
    ids: Ids,
    now: Timestamp,
) -> Result<AccountRow, Error> {
    if account::by_login(rows, new.name.as_str())?.is_some() {
        return Err(Error::Exists(What::Account, new.name.to_string()));
    }
    email_is_free(rows, new.email.as_deref())?;
    let row = AccountRow {
        id: ids.account,
        canonical: new.canonical,
        name: new.name.clone(),
        display_name: new.display_name.clone(),
        email: new.email.clone(),
        admin: new.admin,
        disabled: false,
        created: now,
        quota: None,
        password: new.password.clone(),
        generation: 1,
    };
    account::write(rows, None, &row);
    let bucket = buckets::NewBucket {
        name: bucket_name(&new.name)?,
        history: HistoryPolicy::FOR_PEOPLE,
        ids: (ids.bucket, ids.root),
        owner: ids.account,
    };
    buckets::add(rows, bucket, now)?;
    Ok(row)
}

fn bucket_name(name: &AccountName) -> Result<BucketName, Error> {
    BucketName::parse(name.as_str()).map_err(|why| Error::BadName { name: name.to_string(), why })
}

/// Sets a password, which ends what was recognised with the old one.
pub(super) fn set_password(rows: &mut dyn RowsMut, row: &AccountRow, hash: PasswordHash) {
    let after = AccountRow { password: Some(hash), generation: row.generation + 1, ..row.clone() };
    account::write(rows, Some(row), &after);
}

/// Changes an account. The last admin stays one, whoever asks.
pub(super) fn change(rows: &mut dyn RowsMut, row: &AccountRow, after: &AccountRow) -> Result<(), Error> {
    if is_admin(row) && !is_admin(after) {
        keep_an_admin(rows, row)?;
    }
    email_is_free(rows, after.email.as_deref().filter(|_| after.email != row.email))?;
    account::write(rows, Some(row), after);
    Ok(())
}

fn email_is_free(rows: &dyn Rows, email: Option<&str>) -> Result<(), Error> {
    match email {
        Some(email) if account::by_login(rows, email)?.is_some() => {
            Err(Error::Exists(What::Email, email.to_owned()))
        }
        _ => Ok(()),
    }
}

fn is_admin(row: &AccountRow) -> bool {
    row.admin && !row.disabled
}

fn keep_an_admin(rows: &dyn Rows, but: &AccountRow) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = account::all(rows, after, LIST_PAGE)?;
        if page.iter().any(|row| is_admin(row) && row.id != but.id) {
            return Ok(());
        }
        match page.last() {
            Some(last) => after = Some(last.id),
            None => {
                let text = format!("{} is the last admin and stays one: make another first", but.name);
                return Err(Error::Conflict(text));
            }
        }
    }
}

/// Removes some of an account's buckets, and once none is left the account with its credentials.
/// True when it is gone. Refused, and nothing removed, if any bucket holds something.
pub(super) fn remove(rows: &mut dyn RowsMut, row: &AccountRow) -> Result<bool, Error> {
    if is_admin(row) {
        keep_an_admin(rows, row)?;
    }
    let owned = bucket::of_owner(rows, row.id, ("", None), BUCKETS_PER_ACCOUNT + 1)?;
    for bucket in &owned {
        buckets::must_be_empty(rows, bucket)?;
    }
    for bucket in owned.iter().take(BUCKETS_AT_ONCE) {
        buckets::remove(rows, bucket)?;
    }
    if owned.len() > BUCKETS_AT_ONCE {
        return Ok(false);
    }
    credential::remove_all(rows, row.id)?;
    account::remove(rows, row);
    Ok(true)
}

pub(super) fn check_display_name(text: &str) -> Result<(), Error> {
    if text.len() > DISPLAY_NAME_BYTES || text.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "a display name has {DISPLAY_NAME_BYTES} bytes at most and no control characters"
        )));
    }
    Ok(())
}

/// The form in which addresses are kept and compared.
pub(super) fn email(text: &str) -> Result<String, Error> {
    let address = text.trim().to_lowercase();
    let strange = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    let halves = address.split_once('@').filter(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains('@') && address.len() <= EMAIL_BYTES
    });
    if halves.is_none() || address.contains(strange) {
        return Err(Error::Invalid("that is no e-mail address".into()));
    }
    Ok(address)
}
