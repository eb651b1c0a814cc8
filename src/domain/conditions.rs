//! What a request demands of the state it meets, held against the rows a look or a commit finds.
//! Knows files, sources and what has no tag, not what the verbs do then.

use super::{Error, error::What};
use crate::{
    model::{
        address::{Address, Spot},
        condition::{Conditions, EtagList, Found, Verdict},
    },
    store::rows::{tree::FileRow, version::VersionRow},
};

/// Holds conditions against a file for a write.
pub(crate) fn demand(conditions: &Conditions, file: Option<&FileRow>, at: &Address) -> Result<(), Error> {
    let found = file.map(|row| Found { etag: &row.etag, modified: row.committed.max(row.modified) });
    match conditions.for_write(found) {
        Verdict::Proceed => Ok(()),
        // Who names a literal key asks about that file; who names a path, about what stands there.
        Verdict::Missing if matches!(at.spot, Spot::Key(_)) => {
            Err(Error::NotFound(What::File, at.to_string()))
        }
        Verdict::Missing | Verdict::Failed | Verdict::NotModified => {
            Err(Error::PreconditionFailed(at.to_string()))
        }
    }
}

/// Holds conditions against a folder that is there: it has no tag, so no tag is its own.
pub(crate) fn demand_of_folder(conditions: &Conditions, at: &Address) -> Result<(), Error> {
    let other = matches!(conditions.if_match, Some(EtagList::Tags(_)));
    let absent = conditions.if_none_match.as_ref().is_some_and(EtagList::names_any);
    if other || absent { Err(Error::PreconditionFailed(at.to_string())) } else { Ok(()) }
}

/// Holds the conditions of a copy against its source: they are those of a read, but there is
/// nothing a copy could answer that a client has already.
pub(crate) fn demand_of_source(conditions: &Conditions, row: &VersionRow, at: &Address) -> Result<(), Error> {
    let found = Found { etag: &row.etag, modified: row.committed.max(row.modified) };
    match conditions.for_read(found) {
        Verdict::Proceed => Ok(()),
        Verdict::NotModified | Verdict::Failed | Verdict::Missing => {
            Err(Error::PreconditionFailed(at.to_string()))
        }
    }
}
