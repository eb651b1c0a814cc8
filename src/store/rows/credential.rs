//! Access keys and app passwords, and the rows of `config` that vouch for the keys beside the
//! store. No row holds a secret that can be read without those keys.

use super::{get, put};
use crate::{
    model::{ids::AccountId, name::BucketName, time::Timestamp},
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Bytes, Row},
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

row! {
    /// An access key of S3.
    AccessKeyRow {
        /// Whose it is.
        account: AccountId,
        /// When it was made.
        created: Timestamp,
        /// Number of the key its secret is sealed under.
        sealed_under: u32,
        /// The secret, sealed.
        sealed: Bytes,
    }
}

row! {
    /// An app password, stored under the keyed hash of its token.
    AppPasswordRow {
        /// Whose it is.
        account: AccountId,
        /// Names it, for removal.
        id: String,
        /// For people.
        label: String,
        /// Only these buckets; none means all.
        buckets: Vec<BucketName>,
        /// No writes.
        read_only: bool,
        /// When it was made.
        created: Timestamp,
        /// When it ends.
        expires: Option<Timestamp>,
    }
}

row! {
    /// Leads from an app password's id to its token's hash.
    TokenRef {
        /// The keyed hash.
        hash: [u8; 32],
    }
}

row! {
    /// A digest that vouches for something kept elsewhere.
    Voucher {
        /// The digest.
        digest: [u8; 32],
    }
}

/// What a [`Voucher`] vouches for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vouched {
    /// The keys in `keys/`: another set is not taken for them.
    Keys,
    /// The recovery key, which is known to people only.
    RecoveryKey,
    /// The same once people showed that they kept it; while the two differ they did not.
    ConfirmedRecoveryKey,
}

impl Vouched {
    fn key(self) -> Vec<u8> {
        match self {
            Self::Keys => b"keys".to_vec(),
            Self::RecoveryKey => b"recovery-key".to_vec(),
            Self::ConfirmedRecoveryKey => b"recovery-key-confirmed".to_vec(),
        }
    }
}

fn access_key(id: &str) -> Vec<u8> {
    Key::new().last(id.as_bytes())
}

fn of_account(account: AccountId, id: &str) -> Vec<u8> {
    Key::new().number(account.0).last(id.as_bytes())
}

/// What comes behind the account in every key of a table that belongs to it.
fn ids_of(
    rows: &dyn Rows,
    table: Table,
    account: AccountId,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let prefix = of_account(account, "");
    let found = rows.scan(table, &KeyRange::prefix(prefix.clone()), Order::Forward, limit)?;
    let id = |key: Vec<u8>| {
        let id = key.get(prefix.len()..).unwrap_or_default().to_vec();
        String::from_utf8(id).map_err(|_| StoreError::Damaged("a credential has an impossible id".into()))
    };
    found.into_iter().map(|(key, _)| id(key)).collect()
}

/// An access key by its id.
///
/// # Errors
/// If the row cannot be read.
pub fn key(rows: &dyn Rows, id: &str) -> Result<Option<AccessKeyRow>, StoreError> {
    get(rows, Table::AccessKey, &access_key(id))
}

/// At most `limit` access keys of an account, with their ids.
///
/// # Errors
/// If the rows cannot be read; Damaged if an id leads nowhere.
pub fn keys(
    rows: &dyn Rows,
    account: AccountId,
    limit: usize,
) -> Result<Vec<(String, AccessKeyRow)>, StoreError> {
    let ids = ids_of(rows, Table::AccountKey, account, limit)?;
    let behind = |id: String| {
        let row = key(rows, &id)?.ok_or_else(|| gone("access key"))?;
        Ok((id, row))
    };
    ids.into_iter().map(behind).collect()
}

fn gone(what: &str) -> StoreError {
    StoreError::Damaged(format!("an account names an {what} that is gone"))
}

/// Writes an access key.
pub fn put_key(rows: &mut dyn RowsMut, id: &str, row: &AccessKeyRow) {
    rows.put(Table::AccountKey, of_account(row.account, id), Vec::new());
    put(rows, Table::AccessKey, access_key(id), row);
}

/// Removes an access key.
pub fn remove_key(rows: &mut dyn RowsMut, id: &str, account: AccountId) {
    rows.delete(Table::AccountKey, of_account(account, id));
    rows.delete(Table::AccessKey, access_key(id));
}

/// An app password by the keyed hash of its token.
///
/// # Errors
/// If the row cannot be read.
pub fn token(rows: &dyn Rows, hash: &[u8; 32]) -> Result<Option<AppPasswordRow>, StoreError> {
    get(rows, Table::AppPassword, hash)
}

/// At most `limit` app passwords of an account.
///
/// # Errors
/// If the rows cannot be read; Damaged if an id leads nowhere.
pub fn tokens(rows: &dyn Rows, account: AccountId, limit: usize) -> Result<Vec<AppPasswordRow>, StoreError> {
    let range = KeyRange::prefix(of_account(account, ""));
    let found = rows.scan(Table::AccountApp, &range, Order::Forward, limit)?;
    let behind =
        |value: &[u8]| token(rows, &TokenRef::decode(value)?.hash)?.ok_or_else(|| gone("app password"));
    found.iter().map(|(_, value)| behind(value)).collect()
}

/// Writes an app password.
pub fn put_token(rows: &mut dyn RowsMut, hash: &[u8; 32], row: &AppPasswordRow) {
    put(rows, Table::AccountApp, of_account(row.account, &row.id), &TokenRef { hash: *hash });
    put(rows, Table::AppPassword, hash.to_vec(), row);
}

/// Removes an app password; false if there is none with that id.
///
/// # Errors
/// If the row cannot be read.
pub fn remove_token(rows: &mut dyn RowsMut, account: AccountId, id: &str) -> Result<bool, StoreError> {
    let key = of_account(account, id);
    let Some(found) = get::<TokenRef>(rows, Table::AccountApp, &key)? else {
        return Ok(false);
    };
    rows.delete(Table::AppPassword, found.hash.to_vec());
    rows.delete(Table::AccountApp, key);
    Ok(true)
}

/// Removes every credential of an account; their number is limited when they are made.
///
/// # Errors
/// If the rows cannot be read.
pub fn remove_all(rows: &mut dyn RowsMut, account: AccountId) -> Result<(), StoreError> {
    for id in ids_of(rows, Table::AccountKey, account, usize::MAX)? {
        remove_key(rows, &id, account);
    }
    for id in ids_of(rows, Table::AccountApp, account, usize::MAX)? {
        remove_token(rows, account, &id)?;
    }
    Ok(())
}

/// The digest that vouches for something.
///
/// # Errors
/// If the row cannot be read.
pub fn voucher(rows: &dyn Rows, what: Vouched) -> Result<Option<[u8; 32]>, StoreError> {
    Ok(get::<Voucher>(rows, Table::Config, &what.key())?.map(|row| row.digest))
}

/// Sets the digest that vouches for something.
pub fn vouch(rows: &mut dyn RowsMut, what: Vouched, digest: [u8; 32]) {
    put(rows, Table::Config, what.key(), &Voucher { digest });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::memory::Memory;

    #[test]
    fn all_credentials_of_an_account_go_at_once_and_no_others() {
        let mut rows = Memory::default();
        let owner = |account| AccessKeyRow {
            account: AccountId(account),
            created: Timestamp(1),
            sealed_under: 1,
            sealed: Bytes(vec![1]),
        };
        let app = |account| AppPasswordRow {
            account: AccountId(account),
            id: "a1".into(),
            label: "phone".into(),
            buckets: Vec::new(),
            read_only: true,
            created: Timestamp(1),
            expires: None,
        };
        put_key(&mut rows, "HA2", &owner(2));
        put_token(&mut rows, &[2; 32], &app(2));
        let others = rows.clone();
        put_key(&mut rows, "HA1", &owner(1));
        put_token(&mut rows, &[1; 32], &app(1));
        assert_eq!(keys(&rows, AccountId(1), 9).unwrap(), [("HA1".into(), owner(1))]);
        assert_eq!(tokens(&rows, AccountId(1), 9).unwrap(), [app(1)]);
        remove_all(&mut rows, AccountId(1)).unwrap();
        assert_eq!(rows, others);
    }
}
