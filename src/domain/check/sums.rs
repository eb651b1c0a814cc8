//! Every row against its sum. Knows nothing of what rows say.

use super::report::{CheckReport, FindingKind};
use crate::store::{
    error::StoreError,
    meta::{Snapshot, table::Table},
    segments::is_flaw,
};

/// Bytes of rows that are read before it is asked whether to go on.
const PORTION: u64 = 16 << 20;

/// Holds every row against its sum; each table with damage is one finding. What `go_on` says ends it.
pub(super) fn sums(
    rows: &Snapshot,
    go_on: &dyn Fn() -> Result<(), StoreError>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for &table in Table::ALL {
        let what = match damaged(rows, table, PORTION, go_on) {
            Ok(0) => continue,
            Ok(damaged) => {
                report.found += damaged - 1;
                format!("rows of {} that are not what was written: {damaged}", table.name())
            }
            Err(error) if is_flaw(&error) => format!("{} cannot be read to its end", table.name()),
            Err(error) => return Err(error),
        };
        report.note(FindingKind::Row, format!("{what}; `holdall rebuild` makes the metadata anew"));
    }
    Ok(())
}

/// Reads a table to its end, in portions; how many of its rows are not what was written.
pub(crate) fn damaged(
    rows: &Snapshot,
    table: Table,
    portion: u64,
    go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let (mut damaged, mut after) = (0, None);
    loop {
        go_on()?;
        let summed = rows.held_against_sums(table, after.as_deref(), portion)?;
        damaged += summed.damaged;
        match summed.last {
            Some(last) => after = Some(last),
            None => return Ok(damaged),
        }
    }
}
