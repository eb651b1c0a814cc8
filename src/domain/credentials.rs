//! Access keys and app passwords: made once, shown once, removed at once.

use super::{
    Error, Holdall,
    access::AccountVerb,
    accounts::allowed,
    caller::{Caller, Scope},
    error::{Many, Unrecognised, What},
    nouns::{AccessKey, AppPassword},
    passwords::Passwords,
    places::Places,
    recognised::{Failures, Recognised},
    seal::{Bound, Keys},
    tokens,
    turns::Turns,
};
use crate::{
    model::{
        ids::AccountId,
        limits::{CREDENTIALS_PER_ACCOUNT, DISPLAY_NAME_BYTES, LOGINS_HELD_UP, LOGINS_HELD_UP_OF_PEER},
        name::AccountName,
        secret::Secret,
        time::Timestamp,
    },
    outside::random::Random,
    store::{
        meta::{
            codec::Bytes,
            rows::{Rows, RowsMut},
        },
        rows::{
            account, bucket,
            credential::{self, AccessKeyRow, AppPasswordRow},
        },
    },
};

/// What one process needs to recognise people.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) keys: Keys,
    pub(super) passwords: Passwords,
    pub(super) recognised: Recognised,
    pub(super) failures: Failures,
    /// Whether the peer of a connection is who asks, and no proxy.
    pub(super) peers_apart: bool,
    pub(super) turns: Turns,
    /// Room for tries that are held up.
    pub(super) held_up: Places,
}

impl Credentials {
    pub(super) fn new(keys: Keys, random: &dyn Random, peers_apart: bool) -> Self {
        Self {
            keys,
            passwords: Passwords::new(),
            recognised: Recognised::new(random),
            failures: Failures::default(),
            peers_apart,
            turns: Turns::new(),
            held_up: Places::new(LOGINS_HELD_UP, LOGINS_HELD_UP_OF_PEER),
        }
    }
}

/// Adds an access key whose secret is sealed already.
pub(super) fn add_key(rows: &mut dyn RowsMut, id: &str, row: &AccessKeyRow) -> Result<(), Error> {
    if credential::key(rows, id)?.is_some() {
        return Err(Error::Exists(What::Credential, id.to_owned()));
    }
    if credential::keys(rows, row.account, CREDENTIALS_PER_ACCOUNT)?.len() >= CREDENTIALS_PER_ACCOUNT {
        return Err(too_many(Many::AccessKeys));
    }
    credential::put_key(rows, id, row);
    Ok(())
}

fn too_many(what: Many) -> Error {
    Error::TooMany { what, limit: CREDENTIALS_PER_ACCOUNT as u64 }
}

fn add_token(rows: &mut dyn RowsMut, hash: &[u8; 32], row: &AppPasswordRow) -> Result<(), Error> {
    if credential::tokens(rows, row.account, CREDENTIALS_PER_ACCOUNT)?.len() >= CREDENTIALS_PER_ACCOUNT {
        return Err(too_many(Many::AppPasswords));
    }
    credential::put_token(rows, hash, row);
    Ok(())
}

/// Refuses an app password that could never be used for what it is asked for.
fn usable(rows: &dyn Rows, scope: &Scope, expires: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    for name in &scope.buckets {
        bucket::by_name(rows, name)?.ok_or_else(|| Error::NotFound(What::Bucket, name.to_string()))?;
    }
    match expires.filter(|end| *end <= now) {
        Some(end) => Err(Error::Invalid(format!("{} is past: choose a later end", end.rfc3339_seconds()))),
        None => Ok(()),
    }
}

/// Removes an access key. To whoever may not it looks as if there were none.
fn remove_key(rows: &mut dyn RowsMut, caller: &Caller, id: &str) -> Result<(), Error> {
    if *caller == Caller::Anonymous {
        return Err(Error::Unauthenticated(Unrecognised::Missing));
    }
    let missing = || Error::NotFound(What::Credential, id.to_owned());
    let row = credential::key(rows, id)?.ok_or_else(missing)?;
    let owner = account::by_id(rows, row.account)?.ok_or_else(missing)?;
    match allowed(rows, caller, &owner.name, AccountVerb::Credentials) {
        Err(Error::Denied(_)) if caller.account() != Some(owner.id) => return Err(missing()),
        verdict => verdict?,
    };
    credential::remove_key(rows, id, row.account);
    Ok(())
}

fn shown_token(row: AppPasswordRow) -> AppPassword {
    AppPassword {
        id: row.id,
        label: row.label,
        scope: Scope { buckets: row.buckets, read_only: row.read_only },
        created: row.created,
        expires: row.expires,
    }
}

impl Holdall {
    /// An access key row for a secret, which it holds sealed.
    pub(super) fn sealed(
        &self,
        id: &str,
        secret: &Secret,
        account: AccountId,
    ) -> Result<AccessKeyRow, Error> {
        let keys = &self.credentials.keys;
        let sealed = keys.seal(&*self.random, secret, Bound { access_key: id, account })?;
        let created = self.clock.now();
        Ok(AccessKeyRow { account, created, sealed_under: keys.number(), sealed: Bytes(sealed) })
    }

    /// Checks an access key that is brought along, or makes one.
    pub(super) fn key_or_fresh(&self, preset: Option<(String, Secret)>) -> Result<(String, Secret), Error> {
        match preset {
            Some((id, secret)) => tokens::check_access_key(&id, &secret).map(|()| (id, secret)),
            None => Ok(tokens::access_key(&*self.random)),
        }
    }

    /// Gives an account an access key, a fresh one or the one brought along. The secret is never
    /// shown again.
    ///
    /// # Errors
    /// Denied, `NotFound`, Exists, `TooMany`, or Invalid for an impossible id or secret.
    pub async fn add_key(
        &self,
        caller: &Caller,
        name: &AccountName,
        preset: Option<(String, Secret)>,
    ) -> Result<(AccessKey, Secret), Error> {
        let (id, secret) = self.key_or_fresh(preset)?;
        let (asker, whose) = (caller.clone(), name.clone());
        let account = self.read(move |rows| allowed(rows, &asker, &whose, AccountVerb::Credentials)).await?;
        let row = self.sealed(&id, &secret, account.id)?;
        let created = row.created;
        let (caller, name, of) = (caller.clone(), name.clone(), id.clone());
        self.write(move |tx| {
            // Whoever has the name now must be who the secret was sealed for.
            if allowed(tx, &caller, &name, AccountVerb::Credentials)?.id != row.account {
                return Err(Error::NotFound(What::Account, name.to_string()));
            }
            add_key(tx, &of, &row)
        })
        .await?;
        Ok((AccessKey { id, created }, secret))
    }

    /// The access keys of an account, by id.
    ///
    /// # Errors
    /// Denied, `NotFound`.
    pub async fn list_keys_of(&self, caller: &Caller, name: &AccountName) -> Result<Vec<AccessKey>, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| {
            let account = allowed(rows, &caller, &name, AccountVerb::Show)?;
            let keys = credential::keys(rows, account.id, CREDENTIALS_PER_ACCOUNT)?;
            Ok(keys.into_iter().map(|(id, row)| AccessKey { id, created: row.created }).collect())
        })
        .await
    }

    /// Removes an access key; the next request signed with it is refused.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; Denied for one's own with too weak a proof.
    pub async fn remove_key(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| remove_key(tx, &caller, &id)).await
    }

    /// Gives an account an app password for a scope. It is never shown again.
    ///
    /// # Errors
    /// Denied, `NotFound` for the account or a bucket of the scope, `TooMany`, or Invalid for an
    /// impossible label or an end that is past.
    pub async fn add_app_password(
        &self,
        caller: &Caller,
        name: &AccountName,
        label: &str,
        scope: Scope,
        expires: Option<Timestamp>,
    ) -> Result<(AppPassword, Secret), Error> {
        if label.len() > DISPLAY_NAME_BYTES || label.chars().any(char::is_control) {
            return Err(Error::Invalid(format!(
                "a label has {DISPLAY_NAME_BYTES} bytes at most and no control characters"
            )));
        }
        let (bytes, text) = tokens::app_password(&*self.random);
        let hash = self.credentials.keys.token_hash(&bytes);
        let (id, label) = (tokens::short_id(&*self.random), label.to_owned());
        let (caller, name) = (caller.clone(), name.clone());
        let made = self
            .write(move |tx| {
                let account = allowed(tx, &caller, &name, AccountVerb::Credentials)?.id;
                usable(tx, &scope, expires, tx.now())?;
                let row = AppPasswordRow {
                    account,
                    id: id.clone(),
                    label: label.clone(),
                    buckets: scope.buckets.clone(),
                    read_only: scope.read_only,
                    created: tx.now(),
                    expires,
                };
                add_token(tx, &hash, &row)?;
                Ok(row)
            })
            .await?;
        Ok((shown_token(made), text))
    }

    /// The app passwords of an account.
    ///
    /// # Errors
    /// Denied, `NotFound`.
    pub async fn list_app_passwords(
        &self,
        caller: &Caller,
        name: &AccountName,
    ) -> Result<Vec<AppPassword>, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| {
            let account = allowed(rows, &caller, &name, AccountVerb::Show)?;
            let found = credential::tokens(rows, account.id, CREDENTIALS_PER_ACCOUNT)?;
            Ok(found.into_iter().map(shown_token).collect())
        })
        .await
    }

    /// Removes an app password; the next request with it is refused.
    ///
    /// # Errors
    /// Denied, `NotFound`.
    pub async fn remove_app_password(
        &self,
        caller: &Caller,
        name: &AccountName,
        id: &str,
    ) -> Result<(), Error> {
        let (caller, name, id) = (caller.clone(), name.clone(), id.to_owned());
        self.write(move |tx| {
            let account = allowed(tx, &caller, &name, AccountVerb::Credentials)?;
            if credential::remove_token(tx, account.id, &id)? {
                return Ok(());
            }
            Err(Error::NotFound(What::Credential, id.clone()))
        })
        .await
    }
}

/// The access key and the account behind it.
pub(super) fn look_up_key(
    rows: &dyn Rows,
    id: &str,
) -> Result<Option<(AccessKeyRow, account::AccountRow)>, Error> {
    let Some(key) = credential::key(rows, id)? else { return Ok(None) };
    Ok(account::by_id(rows, key.account)?.map(|account| (key, account)))
}
