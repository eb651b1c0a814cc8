//! Who is it? One function for all doors. Every answer rests on rows read for this very request,
//! so that whatever is changed, disabled or removed counts from the next one on.

use zeroize::Zeroizing;

use super::{
    Error, Holdall,
    caller::{Caller, Person, Proof, Scope},
    credentials::look_up_key,
    error::Unrecognised,
    passwords::normal,
    recognised::Try,
    seal::Bound,
    tokens,
};
use crate::{
    model::{limits::PASSWORD_BYTES, peer::PeerNet, secret::Secret, time::Timestamp},
    store::{
        meta::rows::{Rows, RowsMut},
        rows::{
            account::{self, AccountRow, PasswordHash},
            credential::{self, AppPasswordRow},
        },
    },
};

/// Credentials as a door found them.
pub enum Presented<'a> {
    /// An account's password, or an app password, with the name it was sent under.
    Password {
        /// The name: an account's name or e-mail address, with a Windows domain before it or not.
        user: &'a str,
        /// The password.
        password: &'a Secret,
        /// From where, if peers can be told apart.
        from: Option<PeerNet>,
    },
    /// An app password alone.
    Token(&'a Secret),
    /// A signature made with an access key's secret, which only the check gets to see.
    Signature {
        /// The access key.
        access_key: &'a str,
        /// Whether the signature was made with this secret.
        verify: &'a (dyn Fn(&Secret) -> bool + Send + Sync),
    },
}

const WRONG: Error = Error::Unauthenticated(Unrecognised::Wrong);
const DISABLED: Error = Error::Unauthenticated(Unrecognised::Disabled);

/// What the rows know of a name and a password that may be an app password.
#[derive(Debug, Default)]
struct Looked {
    account: Option<AccountRow>,
    app: Option<AppPasswordRow>,
}

fn look(rows: &dyn Rows, login: &str, token: Option<[u8; 32]>) -> Result<Looked, Error> {
    let account = account::by_login(rows, login)?;
    let app = match token {
        Some(hash) => credential::token(rows, &hash)?,
        None => None,
    };
    // An app password is good for its own account's name only.
    let app = app.filter(|app| account.as_ref().is_some_and(|account| account.id == app.account));
    Ok(Looked { account, app })
}

/// The account's name or address: without a Windows domain or host, in lower case.
fn login_of(user: &str) -> String {
    user.rsplit('\\').next().unwrap_or_default().trim().to_lowercase()
}

fn person(account: &AccountRow, proof: Proof, scope: Scope) -> Result<Caller, Error> {
    if account.disabled {
        return Err(DISABLED);
    }
    Ok(Caller::Person(Person {
        account: account.id,
        name: account.name.clone(),
        admin: account.admin,
        proof,
        scope,
    }))
}

fn by_app_password(account: &AccountRow, app: AppPasswordRow, now: Timestamp) -> Result<Caller, Error> {
    if app.expires.is_some_and(|expires| expires <= now) {
        return Err(DISABLED);
    }
    person(account, Proof::AppPassword, Scope { buckets: app.buckets, read_only: app.read_only })
}

/// Replaces the hash of the same password; somebody may have set another one meanwhile.
fn rehash(rows: &mut dyn RowsMut, account: &AccountRow, hash: PasswordHash) -> Result<(), Error> {
    if let Some(row) = account::by_id(rows, account.id)?.filter(|row| row.password == account.password) {
        let after = AccountRow { password: Some(hash), ..row.clone() };
        account::write(rows, Some(&row), &after);
    }
    Ok(())
}

impl Holdall {
    /// Recognises who presents credentials. People get one answer whatever is wrong; S3 tells
    /// unknown keys from wrong signatures.
    ///
    /// # Errors
    /// Unauthenticated, or Busy when too many passwords are being checked.
    pub async fn authenticate(&self, presented: Presented<'_>) -> Result<Caller, Error> {
        match presented {
            Presented::Password { user, password, from } => self.by_password((user, from), password).await,
            Presented::Token(token) => self.by_token(token).await,
            Presented::Signature { access_key, verify } => self.by_signature(access_key, verify).await,
        }
    }

    fn token_hash(&self, text: &Secret) -> Option<[u8; 32]> {
        tokens::read_app_password(text.reveal()).map(|token| self.credentials.keys.token_hash(&token))
    }

    async fn by_token(&self, token: &Secret) -> Result<Caller, Error> {
        let hash = self.token_hash(token).ok_or(WRONG)?;
        let found = self.look(move |rows| {
            let Some(app) = credential::token(rows, &hash)? else { return Ok(None) };
            Ok(account::by_id(rows, app.account)?.map(|account| (account, app)))
        });
        let (account, app) = found.await?.ok_or(WRONG)?;
        by_app_password(&account, app, self.clock.now())
    }

    async fn by_signature(
        &self,
        access_key: &str,
        verify: &(dyn Fn(&Secret) -> bool + Send + Sync),
    ) -> Result<Caller, Error> {
        let id = access_key.to_owned();
        let found = self.look(move |rows| look_up_key(rows, &id)).await?;
        let (key, account) = found.ok_or(Error::Unauthenticated(Unrecognised::UnknownKey))?;
        let bound = Bound { access_key, account: account.id };
        let secret = self.credentials.keys.unseal(key.sealed_under, &key.sealed.0, bound)?;
        if !verify(&secret) {
            return Err(Error::Unauthenticated(Unrecognised::Signature));
        }
        person(&account, Proof::AccessKey(access_key.to_owned()), Scope::default())
    }

    async fn by_password(
        &self,
        (user, from): (&str, Option<PeerNet>),
        password: &Secret,
    ) -> Result<Caller, Error> {
        if password.reveal().len() > PASSWORD_BYTES {
            return Err(WRONG);
        }
        let (login, token) = (login_of(user), self.token_hash(password));
        let asked = login.clone();
        let looked = self.look(move |rows| look(rows, &asked, token)).await?;
        if let (Some(account), Some(app)) = (&looked.account, looked.app) {
            return by_app_password(account, app, self.clock.now());
        }
        let from = from.filter(|_| self.credentials.peers_apart);
        self.by_account_password(Try { login: &login, from }, looked.account, normal(password)).await
    }

    /// Looks into the memory of good passwords first, again when others checked the same one
    /// meanwhile, then runs argon2, for unknown names too.
    async fn by_account_password(
        &self,
        tried: Try<'_>,
        account: Option<AccountRow>,
        password: Zeroizing<String>,
    ) -> Result<Caller, Error> {
        let known = &self.credentials.recognised;
        let (id, generation) = account.as_ref().map(|row| (row.id, row.generation)).unwrap_or_default();
        let digest = known.digest(id, generation, &password);
        let remembered = || account.as_ref().filter(|_| known.knows(&digest, self.clock.now()));
        if let Some(account) = remembered() {
            return person(account, Proof::Password, Scope::default());
        }
        self.hold_up(tried).await?;
        let _turn = self.credentials.turns.wait(&digest, tried.from).await?;
        if let Some(account) = remembered() {
            return person(account, Proof::Password, Scope::default());
        }
        let hash = account.as_ref().and_then(|row| row.password.as_ref()).map(|hash| hash.0.clone());
        let verdict = self.credentials.passwords.verify(password.clone(), hash).await?;
        let Some(account) = account.filter(|_| verdict.right) else {
            self.credentials.failures.note(tried, self.clock.now());
            return Err(WRONG);
        };
        let caller = person(&account, Proof::Password, Scope::default())?;
        self.credentials.failures.forget(tried);
        known.remember(digest, self.clock.now());
        if verdict.outdated {
            self.strengthen(account, &password).await;
        }
        Ok(caller)
    }

    /// After many failures under a name every further try under it waits a little, if its peer
    /// had a part in them.
    async fn hold_up(&self, tried: Try<'_>) -> Result<(), Error> {
        let delay = self.credentials.failures.delay(tried, self.clock.now());
        if delay.is_zero() {
            return Ok(());
        }
        let place = self.credentials.held_up.take(tried.from);
        let _place = place.ok_or_else(|| Error::Busy("too many wrong passwords".into()))?;
        tokio::time::sleep(delay).await;
        Ok(())
    }

    /// Hashes a good password anew with today's parameters. Who logs in is not kept out if that
    /// fails: the old hash is still right.
    async fn strengthen(&self, account: AccountRow, password: &str) {
        let hashed = self.credentials.passwords.hash(&Secret::new(password), &*self.random).await;
        let written = match hashed {
            Ok(hash) => self.write(move |tx| rehash(tx, &account, PasswordHash(hash.clone()))).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "a password could not be hashed anew");
        }
    }
}
