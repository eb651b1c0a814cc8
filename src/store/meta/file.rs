//! The file of the metadata: how it is made whole, opened, and told from one that is none. Knows
//! which tables there are, and none of their rows but the first.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
};

use redb::{Database, ReadableDatabase, TableDefinition, TableHandle};

use super::{
    MetaOptions,
    backend::{Backend, MetaFile},
    health::from_redb,
    migrate,
    sums::with_sum,
    table::Table,
};
use crate::store::{
    error::StoreError,
    faults::Faults,
    io::{Io, Mode, Site},
    sync::Arc,
};

/// The folder of the metadata.
pub const DIR: &str = "meta";
/// The name of its file.
pub const NAME: &str = "holdall.redb";
pub(super) const PATH: &str = "meta/holdall.redb";
const NEW_PATH: &str = "meta/holdall.redb.new";

pub(super) type Bytes = &'static [u8];

/// How redb knows a table. All are byte strings to byte strings, so that no change of redb's own
/// types can keep an old file from opening.
pub(super) fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

/// The file, opened.
pub(super) struct Open {
    pub(super) database: Database,
    pub(super) file: Arc<MetaFile>,
}

pub(super) fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let known: BTreeSet<String> =
        database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
    if Table::ALL.iter().all(|table| known.contains(table.name())) {
        return Ok(());
    }
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    for &table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    Ok(transaction.commit()?)
}

/// Leaves a file as a build that does not know a table made it.
#[cfg(test)]
pub(super) fn lose_table(io: &dyn Io, options: &MetaOptions, table: Table) {
    let open = open_file(io, options).unwrap();
    let transaction = open.database.begin_write().unwrap();
    assert!(transaction.delete_table(definition(table)).unwrap());
    transaction.commit().unwrap();
}

pub(super) fn create(io: &dyn Io, options: &MetaOptions) -> Result<(), StoreError> {
    make_file(io, options, &mut |database| first_rows(database).map_err(from_redb))
}

/// Makes the file under another name and renames it when it is whole, because redb cannot open a
/// file it was stopped in making.
pub(super) fn make_file(
    io: &dyn Io,
    options: &MetaOptions,
    fill: &mut dyn FnMut(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if io.list(DIR)?.iter().any(|name| name == NAME) {
        return Err(StoreError::Refused(format!("there already is a metadata file, {PATH}")));
    }
    replace_file(io, options, fill)
}

/// The same over a file that may be there.
pub(super) fn replace_file(
    io: &dyn Io,
    options: &MetaOptions,
    fill: &mut dyn FnMut(&Database) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    io.create_dir(DIR)?;
    io.sync_dir("", Site::MetaDir)?;
    io.remove(NEW_PATH)?;
    let file = MetaFile::new(io.open(NEW_PATH, Mode::Create)?, Faults::of(io))?;
    let database = build(Arc::clone(&file), options)?;
    fill(&database)?;
    drop(database);
    if file.has_failed() {
        return Err(StoreError::Unavailable("the new metadata file could not be written".into()));
    }
    io.rename(NEW_PATH, PATH)?;
    io.sync_dir(DIR, Site::MetaDir)?;
    Ok(())
}

fn first_rows(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for &table in Table::ALL {
        transaction.open_table(definition(table))?;
    }
    {
        let mut config = transaction.open_table(definition(Table::Config))?;
        for (key, value) in migrate::first_rows() {
            config.insert(key, with_sum(Table::Config, key, &value).as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

pub(super) fn open_file(io: &dyn Io, options: &MetaOptions) -> Result<Open, StoreError> {
    let file = MetaFile::new(io.open(PATH, Mode::ReadWrite)?, Faults::of(io))?;
    if file.len() == 0 {
        // redb would take it for a new one.
        return Err(unreadable("it is empty"));
    }
    let database = build(Arc::clone(&file), options).map_err(|error| match error {
        // redb's words for a file that is none of its own, or ends too early.
        StoreError::Io(why) if matches!(why.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            unreadable(&why)
        }
        StoreError::Damaged(why) => unreadable(why),
        other => other,
    })?;
    Ok(Open { database, file })
}

pub(super) fn unreadable(why: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!(
        "{PATH}, the metadata file, cannot be read ({why}): keep a copy of the data directory as it is, then \
         put a whole one back, or make it anew with `holdall rebuild`"
    ))
}

fn build(file: Arc<MetaFile>, options: &MetaOptions) -> Result<Database, StoreError> {
    let progress = Arc::clone(&options.progress);
    // redb asserts where a file contradicts itself.
    catch_unwind(AssertUnwindSafe(|| {
        Database::builder()
            .set_cache_size(options.cache_bytes)
            .set_repair_callback(move |session| progress(session.progress()))
            .create_with_backend(Backend(file))
    }))
    .map_err(|_| StoreError::Damaged("the metadata file contradicts itself".into()))?
    .map_err(|error| from_redb(error.into()))
}
