//! Accounts: by id, by name, by e-mail address. Names and addresses share a table: no name holds
//! an `@`, and every address does.

use std::fmt;

use super::{get, put};
use crate::{
    model::{ids::AccountId, name::AccountName, time::Timestamp},
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Field, Reader, Row},
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

/// The hash of a password as a PHC string; prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Field for PasswordHash {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        String::read(from).map(Self)
    }
}

impl Field for AccountName {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().to_owned().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let name = String::read(from)?;
        Self::parse(&name).map_err(|why| StoreError::Damaged(format!("an account's name {why}")))
    }
}

row! {
    /// An account.
    AccountRow {
        /// Its id.
        id: AccountId,
        /// The canonical owner id of S3, random.
        canonical: [u8; 32],
        /// Its name.
        name: AccountName,
        /// For people.
        display_name: String,
        /// For mail, in lower case.
        email: Option<String>,
        /// Manages accounts.
        admin: bool,
        /// May do nothing.
        disabled: bool,
        /// When it was made.
        created: Timestamp,
        /// Bytes it may hold; `None` is unlimited.
        quota: Option<u64>,
        /// Without one only app passwords and access keys work.
        password: Option<PasswordHash>,
        /// Rises whenever what was recognised before must be looked at anew.
        generation: u64,
    }
}

row! {
    /// Leads from a name or address to an account.
    AccountRef {
        /// The account.
        id: AccountId,
    }
}

fn id_key(id: AccountId) -> Vec<u8> {
    Key::new().number(id.0).done()
}

fn login_key(login: &str) -> Vec<u8> {
    Key::new().last(login.as_bytes())
}

/// An account by its id.
///
/// # Errors
/// If the row cannot be read.
pub fn by_id(rows: &dyn Rows, id: AccountId) -> Result<Option<AccountRow>, StoreError> {
    get(rows, Table::Account, &id_key(id))
}

/// An account by its name or e-mail address, either in lower case.
///
/// # Errors
/// If a row cannot be read; Damaged if the name leads nowhere.
pub fn by_login(rows: &dyn Rows, login: &str) -> Result<Option<AccountRow>, StoreError> {
    let Some(found) = get::<AccountRef>(rows, Table::AccountName, &login_key(login))? else {
        return Ok(None);
    };
    let gone = || StoreError::Damaged(format!("a name leads to account {}, which is gone", found.id));
    by_id(rows, found.id)?.ok_or_else(gone).map(Some)
}

/// At most `limit` accounts behind `after`, oldest first.
///
/// # Errors
/// If the rows cannot be read.
pub fn all(rows: &dyn Rows, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountRow>, StoreError> {
    let mut range = KeyRange::prefix(Vec::new());
    if let Some(after) = after {
        range = range.after(id_key(after));
    }
    let found = rows.scan(Table::Account, &range, Order::Forward, limit)?;
    found.iter().map(|(_, value)| AccountRow::decode(value)).collect()
}

/// Writes an account and what leads to it; `before` is its row as it was.
pub fn write(rows: &mut dyn RowsMut, before: Option<&AccountRow>, row: &AccountRow) {
    if let Some(email) = before.and_then(|before| before.email.as_deref()) {
        rows.delete(Table::AccountName, login_key(email));
    }
    let found = AccountRef { id: row.id };
    if before.is_none() {
        put(rows, Table::AccountName, login_key(row.name.as_str()), &found);
    }
    if let Some(email) = &row.email {
        put(rows, Table::AccountName, login_key(email), &found);
    }
    put(rows, Table::Account, id_key(row.id), row);
}

/// Removes an account and what leads to it.
pub fn remove(rows: &mut dyn RowsMut, row: &AccountRow) {
    rows.delete(Table::AccountName, login_key(row.name.as_str()));
    if let Some(email) = &row.email {
        rows.delete(Table::AccountName, login_key(email));
    }
    rows.delete(Table::Account, id_key(row.id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::memory::Memory;

    fn account(id: u64, name: &str, email: Option<&str>) -> AccountRow {
        AccountRow {
            id: AccountId(id),
            canonical: [1; 32],
            name: AccountName::parse(name).unwrap(),
            display_name: "Ada".into(),
            email: email.map(str::to_owned),
            admin: false,
            disabled: false,
            created: Timestamp(5),
            quota: Some(9),
            password: Some(PasswordHash("$argon2id$secret".into())),
            generation: 1,
        }
    }

    #[test]
    fn an_account_is_found_by_name_and_by_its_newest_address() {
        let mut rows = Memory::default();
        let before = account(1, "ada", Some("ada@old.example"));
        write(&mut rows, None, &before);
        let after = account(1, "ada", Some("ada@new.example"));
        write(&mut rows, Some(&before), &after);
        assert_eq!(by_login(&rows, "ada").unwrap(), Some(after.clone()));
        assert_eq!(by_login(&rows, "ada@new.example").unwrap(), Some(after.clone()));
        assert_eq!(by_login(&rows, "ada@old.example").unwrap(), None);
        assert_eq!(all(&rows, None, 9).unwrap(), std::slice::from_ref(&after));
        assert_eq!(all(&rows, Some(AccountId(1)), 9).unwrap(), []);
        remove(&mut rows, &after);
        assert_eq!(rows, Memory::default());
    }

    #[test]
    fn the_hash_of_a_password_is_not_printed() {
        assert!(!format!("{:?}", account(1, "ada", None)).contains("argon2id"));
    }
}
