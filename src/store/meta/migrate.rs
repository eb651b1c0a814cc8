//! The version of the tables and the steps from one to the next.
//!
//! A step runs in one transaction together with the row that says it was done. A file of a newer
//! version is refused before anything is written to it.

use super::{
    codec::{Field, Reader, expect_end},
    engine::Engine,
    rows::{Rows, RowsMut},
    table::Table,
    tx::{Ground, Tx},
};
use crate::store::error::StoreError;

/// A step from one version of the tables to the next.
pub(super) type Migration = fn(&mut Tx<'_>) -> Result<(), StoreError>;

/// The steps in order: the first leads from version 1 to 2.
pub(super) const MIGRATIONS: &[Migration] = &[];

const VERSION: &[u8] = b"version";
const INCARNATION: &[u8] = b"incarnation";

/// The rows of [`Table::Config`] in a new store.
pub(super) fn first_rows() -> [(&'static [u8], Vec<u8>); 2] {
    [(VERSION, row_of(version_after(MIGRATIONS))), (INCARNATION, row_of(1))]
}

fn version_after(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX).saturating_add(1)
}

fn row_of(number: u32) -> Vec<u8> {
    let mut row = Vec::new();
    number.write(&mut row);
    row
}

fn number_at(rows: &dyn Rows, key: &[u8]) -> Result<u32, StoreError> {
    number_in(&rows.get(Table::Config, key)?.ok_or_else(says_nothing)?)
}

fn number_in(row: &[u8]) -> Result<u32, StoreError> {
    let mut from = Reader::new(row);
    let number = u32::read(&mut from)?;
    expect_end(&from)?;
    Ok(number)
}

fn says_nothing() -> StoreError {
    StoreError::Damaged("the metadata says nothing of itself".into())
}

/// The incarnation of the store.
pub(in crate::store) fn incarnation(rows: &dyn Rows) -> Result<u32, StoreError> {
    number_at(rows, INCARNATION)
}

/// The version of the tables.
pub(in crate::store) fn version(rows: &dyn Rows) -> Result<u32, StoreError> {
    number_at(rows, VERSION)
}

/// How far an incarnation is ahead of the one before it, at most: there are thousands of lives.
const LEAP: u32 = 1 << 20;

/// A row of [`Table::Config`] in the store's next life.
pub(super) fn renewed(key: &[u8], value: Vec<u8>, leap: u32) -> Result<Vec<u8>, StoreError> {
    if key != INCARNATION {
        return Ok(value);
    }
    let next = number_in(&value)?.checked_add(1 + leap % LEAP);
    next.map(row_of).ok_or_else(|| StoreError::Damaged("incarnations ran out".into()))
}

/// What rows from elsewhere say of themselves, as they go by.
#[derive(Debug, Default)]
pub(super) struct Said {
    version: Option<u32>,
    incarnation: Option<u32>,
}

impl Said {
    pub(super) fn hear(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match key {
            VERSION if table == Table::Config => self.version = Some(number_in(value)?),
            INCARNATION if table == Table::Config => self.incarnation = Some(number_in(value)?),
            _ => {}
        }
        Ok(())
    }

    /// Refuses rows that do not say it, and those of a newer version.
    pub(super) fn expect_known(&self) -> Result<(), StoreError> {
        let found = self.version.filter(|_| self.incarnation.is_some()).ok_or_else(says_nothing)?;
        steps_in(found, MIGRATIONS).map(|_| ())
    }
}

/// Refuses every version but this build's.
pub(super) fn expect_current(rows: &dyn Rows) -> Result<(), StoreError> {
    match steps_done(rows, MIGRATIONS)? {
        done if done == MIGRATIONS.len() => Ok(()),
        _ => Err(StoreError::Damaged("the metadata has an older version than before".into())),
    }
}

fn steps_done(rows: &dyn Rows, migrations: &[Migration]) -> Result<usize, StoreError> {
    steps_in(version(rows)?, migrations)
}

fn steps_in(found: u32, migrations: &[Migration]) -> Result<usize, StoreError> {
    let known = version_after(migrations);
    if found > known {
        return Err(StoreError::Refused(format!(
            "the metadata has version {found}, and this holdall knows versions up to {known}: \
             start it with the newer holdall that wrote it"
        )));
    }
    let done = found.checked_sub(1).ok_or_else(|| StoreError::Damaged("metadata version 0".into()))?;
    Ok(done as usize)
}

/// Makes the tables that an earlier build did not know, and runs the steps that are missing.
pub(super) fn bring_up(engine: &Engine, migrations: &[Migration]) -> Result<(), StoreError> {
    let done = steps_done(&engine.snapshot()?, migrations)?;
    engine.make_tables()?;
    if done < migrations.len() {
        (engine.options().keep_before)(&engine.snapshot()?)?;
    }
    for (step, migration) in migrations.iter().enumerate().skip(done) {
        let snapshot = engine.snapshot()?;
        let ground = Ground {
            engine,
            snapshot: &snapshot,
            now: (engine.options().now)(),
            incarnation: incarnation(&snapshot)?,
        };
        let nothing = super::overlay::Changes::default();
        let mut tx = Tx::new(&ground, &nothing);
        migration(&mut tx)?;
        tx.put(Table::Config, VERSION.to_vec(), row_of(u32::try_from(step + 2).unwrap_or(u32::MAX)));
        let changes = tx.into_changes();
        drop(snapshot);
        engine.commit(changes, &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::store::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;
    use crate::{
        model::time::Timestamp,
        store::{
            io::sim::SimDisk,
            meta::{MetaOptions, file::lose_table},
        },
    };

    fn step(tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let before = tx.get(Table::Dent, b"steps")?.unwrap_or_default();
        tx.put(Table::Dent, b"steps".to_vec(), [before, vec![1]].concat());
        Ok(())
    }

    fn failing(tx: &mut Tx<'_>) -> Result<(), StoreError> {
        step(tx)?;
        Err(StoreError::Busy("not today".into()))
    }

    /// A directory from before a table was thought of.
    #[test]
    fn tables_that_are_missing_are_made() {
        let disk = SimDisk::new();
        let options = MetaOptions::new(Arc::new(|| Timestamp(0)));
        let open = || Engine::open(Arc::new(disk.clone()), options.clone()).unwrap();
        drop(open());
        lose_table(&disk, &options, Table::Damage);
        assert_eq!(open().snapshot().unwrap().get(Table::Damage, b"a").unwrap(), None);
    }

    #[test]
    fn missing_steps_run_once_in_order_and_a_failed_one_leaves_nothing() {
        let kept = Arc::new(AtomicU64::new(0));
        let keeping = Arc::clone(&kept);
        let keep_before = Arc::new(move |rows: &dyn Rows| {
            // Each is of before the first step that is missing.
            let steps = rows.get(Table::Dent, b"steps")?.unwrap_or_default().len() as u64;
            keeping.fetch_add(10 + steps, Ordering::Relaxed);
            Ok(())
        });
        let options = MetaOptions { keep_before, ..MetaOptions::new(Arc::new(|| Timestamp(0))) };
        let engine = Engine::open(Arc::new(SimDisk::new()), options).unwrap();
        let steps = || engine.snapshot().unwrap().get(Table::Dent, b"steps").unwrap();

        assert_eq!(kept.load(Ordering::Relaxed), 0, "nothing was missing");
        assert!(bring_up(&engine, &[step, failing]).is_err());
        assert_eq!(steps(), Some(vec![1]));
        for _ in 0..2 {
            bring_up(&engine, &[step, step, step]).unwrap();
            assert_eq!(steps(), Some(vec![1, 1, 1]));
        }
        assert_eq!(kept.load(Ordering::Relaxed), 10 + 11, "before the first run, and before the second");
        assert!(matches!(bring_up(&engine, &[step]), Err(StoreError::Refused(_))));
    }
}
