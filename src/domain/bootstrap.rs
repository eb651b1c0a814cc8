//! The first start: an admin who can log in, and everything that is shown exactly once.

use super::{
    Error, Holdall,
    accounts::{self, Ids},
    credentials,
    nouns::NewAccount,
    passwords, tokens,
};
use crate::{
    model::{name::AccountName, secret::Secret},
    store::rows::{
        account,
        credential::{self, Vouched},
    },
};

/// What the operator wants the first admin to be; what is missing is made at random.
#[derive(Clone, Debug, Default)]
pub struct FirstAdmin {
    /// Its name; `admin` if there is none.
    pub name: Option<AccountName>,
    /// Its password.
    pub password: Option<Secret>,
    /// Its access key: id and secret.
    pub access_key: Option<(String, Secret)>,
}

/// A part of a [`FirstAdmin`] that can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    /// Its password.
    Password,
    /// The id of its access key.
    AccessKey,
    /// The secret of its access key.
    SecretKey,
}

impl FirstAdmin {
    /// Whether such an admin can be made; otherwise the part that is wrong, and why.
    ///
    /// # Errors
    /// The first part that cannot be.
    pub fn check(&self) -> Result<(), (Preset, Error)> {
        if let Some(password) = &self.password {
            passwords::check_new(password).map_err(|why| (Preset::Password, why))?;
        }
        if let Some((id, secret)) = &self.access_key {
            tokens::check_key_id(id).map_err(|why| (Preset::AccessKey, why))?;
            tokens::check_secret_key(secret).map_err(|why| (Preset::SecretKey, why))?;
        }
        Ok(())
    }
}

/// What is shown once, after the first start, and never again.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// The admin's name.
    pub name: AccountName,
    /// Its password, unless it was given.
    pub password: Option<Secret>,
    /// Its access key's id.
    pub access_key: String,
    /// The access key's secret, unless it was given.
    pub secret_key: Option<Secret>,
    /// Opens backups.
    pub recovery_key: Secret,
}

impl Holdall {
    /// Makes the first admin of a store without accounts, and a recovery key; `None` if the store
    /// was started before. One transaction: a crash leaves all of it or nothing.
    ///
    /// # Errors
    /// Invalid for a preset that cannot be; nothing is made then.
    pub async fn bootstrap(&self, first: FirstAdmin) -> Result<Option<Welcome>, Error> {
        if self.read(|rows| Ok(!account::all(rows, None, 1)?.is_empty())).await? {
            return Ok(None);
        }
        let (preset_password, preset_key) = (first.password.is_some(), first.access_key.is_some());
        let name = first.name.map_or_else(admin, Ok)?;
        let password = first.password.unwrap_or_else(|| tokens::password(&*self.random));
        let (id, secret) = self.key_or_fresh(first.access_key)?;
        let new = NewAccount {
            name: name.clone(),
            display_name: String::new(),
            email: None,
            admin: true,
            password: Some(password.clone()),
        };
        let recovery_key = tokens::recovery_key(&*self.random);
        if !self.make_first(new, (&id, &secret), &recovery_key).await? {
            return Ok(None);
        }
        Ok(Some(Welcome {
            name,
            password: (!preset_password).then_some(password),
            access_key: id,
            secret_key: (!preset_key).then_some(secret),
            recovery_key,
        }))
    }

    async fn make_first(
        &self,
        new: NewAccount,
        (id, secret): (&str, &Secret),
        recovery_key: &Secret,
    ) -> Result<bool, Error> {
        let prepared = self.prepare(new).await?;
        let ids = self.write(|tx| Ids::fresh(tx)).await?;
        let key = self.sealed(id, secret, ids.account())?;
        // Before the recovery key counts: there is no moment in which it opens nothing.
        self.wrap_keys(recovery_key)?;
        let (id, voucher) = (id.to_owned(), tokens::recovery_voucher(recovery_key.reveal()));
        self.write(move |tx| {
            if !account::all(tx, None, 1)?.is_empty() {
                return Ok(false);
            }
            let now = tx.now();
            accounts::add(tx, &prepared, ids, now)?;
            credentials::add_key(tx, &id, &key)?;
            credential::vouch(tx, Vouched::RecoveryKey, voucher);
            Ok(true)
        })
        .await
    }
}

fn admin() -> Result<AccountName, Error> {
    AccountName::parse("admin").map_err(|why| Error::BadName { name: "admin".into(), why })
}
