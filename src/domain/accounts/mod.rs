//! Accounts: who there is, and what they may hold.

mod rules;

use super::{
    Error, Holdall,
    access::{AccountVerb, account_access, is_manager},
    buckets,
    caller::Caller,
    error::Unrecognised,
    nouns::{Account, AccountChange, NewAccount, Usage},
    passwords::check_new,
};
use crate::{
    model::{name::AccountName, secret::Secret},
    store::rows::{
        account::{self, AccountRow, PasswordHash},
        usage,
    },
};
pub(super) use rules::{Ids, Prepared, add, allowed, shown};
use rules::{change, check_display_name, email, remove, set_password};

impl Holdall {
    /// Adds an account, and the bucket of its name in the same moment.
    ///
    /// # Errors
    /// Denied unless an admin or the operator asks; Exists if its name, its address or its
    /// bucket's name is taken; Invalid for a password, address or display name that cannot be.
    pub async fn add_account(&self, caller: &Caller, new: NewAccount) -> Result<Account, Error> {
        account_access(caller, &new.name, AccountVerb::Manage)?;
        let prepared = self.prepare(new).await?;
        let row = self
            .write(move |tx| {
                let (ids, now) = (Ids::fresh(tx)?, tx.now());
                add(tx, &prepared, ids, now)
            })
            .await?;
        Ok(shown(row))
    }

    /// Checks what was asked for and hashes the password.
    pub(super) async fn prepare(&self, new: NewAccount) -> Result<Prepared, Error> {
        check_display_name(&new.display_name)?;
        let email = new.email.as_deref().map(email).transpose()?;
        let password = match &new.password {
            Some(password) => Some(self.hash_new(password).await?),
            None => None,
        };
        let mut canonical = [0; 32];
        self.random.fill(&mut canonical);
        let display_name = if new.display_name.is_empty() { new.name.to_string() } else { new.display_name };
        Ok(Prepared { name: new.name, display_name, email, admin: new.admin, password, canonical })
    }

    async fn hash_new(&self, password: &Secret) -> Result<PasswordHash, Error> {
        check_new(password)?;
        self.credentials.passwords.hash(password, &*self.random).await.map(PasswordHash)
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// Denied unless an admin or the operator asks.
    pub async fn list_accounts(&self, caller: &Caller) -> Result<Vec<Account>, Error> {
        if !is_manager(caller) {
            return Err(match caller {
                Caller::Anonymous => Error::Unauthenticated(Unrecognised::Missing),
                Caller::Person(_) | Caller::Operator => Error::Denied("only admins list accounts".into()),
            });
        }
        let rows = self.read(|rows| Ok(account::all(rows, None, usize::MAX)?)).await?;
        let mut accounts: Vec<Account> = rows.into_iter().map(shown).collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(accounts)
    }

    /// One account.
    ///
    /// # Errors
    /// Denied unless it is the caller's own or an admin or the operator asks; `NotFound`.
    pub async fn show_account(&self, caller: &Caller, name: &AccountName) -> Result<Account, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        let row = self.read(move |rows| allowed(rows, &caller, &name, AccountVerb::Show)).await?;
        Ok(shown(row))
    }

    /// Sets an account's password. The old one is refused from the next request on; access keys
    /// and app passwords stay.
    ///
    /// # Errors
    /// Denied, `NotFound`, or Invalid for a password that is too short.
    pub async fn set_password(
        &self,
        caller: &Caller,
        name: &AccountName,
        password: Secret,
    ) -> Result<(), Error> {
        account_access(caller, name, AccountVerb::Credentials)?;
        let hash = self.hash_new(&password).await?;
        let (caller, name) = (caller.clone(), name.clone());
        self.write(move |tx| {
            let row = allowed(tx, &caller, &name, AccountVerb::Credentials)?;
            set_password(tx, &row, hash.clone());
            Ok(())
        })
        .await
    }

    /// Disables an account, or enables it again: nothing it has is recognised meanwhile.
    ///
    /// # Errors
    /// Denied, `NotFound`, or Conflict for the last admin.
    pub async fn set_disabled(
        &self,
        caller: &Caller,
        name: &AccountName,
        disabled: bool,
    ) -> Result<(), Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.write(move |tx| {
            let row = allowed(tx, &caller, &name, AccountVerb::Manage)?;
            let after = AccountRow { disabled, generation: row.generation + 1, ..row.clone() };
            change(tx, &row, &after)
        })
        .await
    }

    /// Changes an account's role, quota, address or display name.
    ///
    /// # Errors
    /// Denied, `NotFound`, Exists for an address that is taken, Conflict for the last admin.
    pub async fn change_account(
        &self,
        caller: &Caller,
        name: &AccountName,
        wanted: AccountChange,
    ) -> Result<Account, Error> {
        wanted.display_name.as_deref().map_or(Ok(()), check_display_name)?;
        let address = match &wanted.email {
            Some(Some(text)) => Some(Some(email(text)?)),
            Some(None) => Some(None),
            None => None,
        };
        let (caller, name) = (caller.clone(), name.clone());
        let row = self
            .write(move |tx| {
                let row = allowed(tx, &caller, &name, AccountVerb::Manage)?;
                let mut after = row.clone();
                after.display_name = wanted.display_name.clone().unwrap_or(after.display_name);
                after.email = address.clone().unwrap_or(after.email);
                after.quota = wanted.quota.unwrap_or(after.quota);
                after.admin = wanted.admin.unwrap_or(after.admin);
                change(tx, &row, &after)?;
                Ok(after)
            })
            .await?;
        Ok(shown(row))
    }

    /// Removes an account with its credentials and its empty buckets.
    ///
    /// # Errors
    /// Denied, `NotFound`, Conflict for the last admin, or `NotEmpty` naming a bucket that still
    /// holds something.
    pub async fn remove_account(&self, caller: &Caller, name: &AccountName) -> Result<(), Error> {
        loop {
            let (caller, name) = (caller.clone(), name.clone());
            let gone = self.write(move |tx| {
                let row = allowed(tx, &caller, &name, AccountVerb::Manage)?;
                remove(tx, &row)
            });
            if gone.await? {
                return Ok(());
            }
        }
    }

    /// What an account is charged for.
    ///
    /// # Errors
    /// Denied unless it is the caller's own or an admin or the operator asks; `NotFound`.
    pub async fn usage(&self, caller: &Caller, name: &AccountName) -> Result<Usage, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| {
            let row = allowed(rows, &caller, &name, AccountVerb::Show)?;
            Ok(buckets::shown_usage(&usage::of_account(rows, row.id)?))
        })
        .await
    }
}
