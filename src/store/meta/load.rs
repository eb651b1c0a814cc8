//! Makes a metadata file from rows that were kept elsewhere, such as a snapshot's.
//!
//! The file is made under another name, in bounded transactions, and renamed when it is whole and
//! closed: before that there is no metadata. Rows come in the order of their keys, which fills
//! pages. Knows the few rows that tell which life of a store it is, and no others.

use redb::Database;

use super::{
    MetaOptions, blocks,
    blocks::Kind,
    file::{definition, make_file, replace_file},
    health::from_redb,
    migrate,
    sums::with_sum,
    table::Table,
};
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        faults::{Fault, Faults},
        io::Io,
        sync::Arc,
    },
};

/// Bytes of rows in one transaction.
const BATCH_BYTES: usize = 8 << 20;

/// A row and the table it is in.
pub type TableRow = (Table, Vec<u8>, Vec<u8>);

/// A new life of the store: it goes on from an earlier state, and others may remember what came
/// after that. So its incarnation is another, and ids go on above all that may have been given out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewLife {
    /// Numbers that were seen somewhere; ids go on above them.
    pub seen: Vec<(Kind, u64)>,
    /// A number at random: two lives that go on from one state have different incarnations.
    pub leap: u32,
}

/// Makes the metadata file of a data directory that has none; how many rows it has. `life` is
/// none for the same life of the store.
///
/// # Errors
/// Refused if there is metadata already, or the rows are a newer version's; damaged if they do not
/// say which version and incarnation they are; what the rows or the disk say.
pub fn load(
    io: &dyn Io,
    rows: &mut dyn Iterator<Item = Result<TableRow, StoreError>>,
    life: Option<&NewLife>,
) -> Result<u64, StoreError> {
    let life = life.filter(|_| !Faults::of(io).has(Fault::RestoredAsItWas));
    let mut count = 0;
    make_file(io, &options(), &mut |database| {
        count = fill(database, rows, life)?;
        Ok(())
    })?;
    Ok(count)
}

/// The same over a metadata file that may be there; before it is whole the old one stays as it is.
///
/// # Errors
/// As [`load`].
pub fn replace(
    io: &dyn Io,
    rows: &mut dyn Iterator<Item = Result<TableRow, StoreError>>,
    life: &NewLife,
) -> Result<u64, StoreError> {
    let mut count = 0;
    replace_file(io, &options(), &mut |database| {
        count = fill(database, rows, Some(life))?;
        Ok(())
    })?;
    Ok(count)
}

fn options() -> MetaOptions {
    MetaOptions::new(Arc::new(|| Timestamp(0)))
}

fn fill(
    database: &Database,
    rows: &mut dyn Iterator<Item = Result<TableRow, StoreError>>,
    life: Option<&NewLife>,
) -> Result<u64, StoreError> {
    let (mut batch, mut bytes, mut count) = (Vec::new(), 0, 0);
    let mut said = migrate::Said::default();
    for row in rows {
        let (table, key, value) = row?;
        said.hear(table, &key, &value)?;
        let value = match life {
            Some(life) => renewed(table, &key, value, life)?,
            None => value,
        };
        bytes += key.len() + value.len();
        count += 1;
        batch.push((table, key, value));
        if bytes >= BATCH_BYTES {
            put(database, &batch).map_err(from_redb)?;
            batch.clear();
            bytes = 0;
        }
    }
    said.expect_known()?;
    // Every table is there, as in a new store.
    put(database, &batch).map_err(from_redb)?;
    Ok(count)
}

fn put(database: &Database, batch: &[TableRow]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for &table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    for run in batch.chunk_by(|one, next| one.0 == next.0) {
        let Some((table, ..)) = run.first() else { continue };
        let mut open = transaction.open_table(definition(*table))?;
        for (_, key, value) in run {
            open.insert(key.as_slice(), with_sum(*table, key, value).as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The row as it is in the next life.
fn renewed(table: Table, key: &[u8], value: Vec<u8>, life: &NewLife) -> Result<Vec<u8>, StoreError> {
    match table {
        Table::Config => migrate::renewed(key, value, life.leap),
        Table::Blocks => blocks::renewed(key, &value, &life.seen),
        _ => Ok(value),
    }
}
