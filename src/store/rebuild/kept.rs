//! The old metadata, put by before anything is done.

use crate::store::{
    error::StoreError,
    io::{Io, Mode, Site, walk_past},
    meta,
};

fn path(number: usize) -> String {
    format!("{}/{}", meta::FOLDER, name(number))
}

fn name(number: usize) -> String {
    format!("{}.kept-{number}", meta::FILE)
}

/// A copy of the old metadata.
pub(super) struct Copy {
    /// Its name.
    pub(super) path: String,
    /// Whether the disk gave all of it; else there are zeros.
    whole: bool,
}

/// Copies the metadata file, durably, under a name that is free; none if there is no such file. What
/// the disk refuses to read is what this is done for, and no reason to end.
pub(super) fn put_by(io: &dyn Io) -> Result<Option<Copy>, StoreError> {
    let names = io.list(meta::FOLDER)?;
    if !names.iter().any(|name| name == meta::FILE) {
        return Ok(None);
    }
    let number = (1..).find(|&number| !names.contains(&name(number))).unwrap_or_default();
    let (from, to) = (format!("{}/{}", meta::FOLDER, meta::FILE), path(number));
    let copied = copy(io, &from, &to);
    if copied.is_err() {
        // Half a copy helps nobody.
        io.remove(&to)?;
    }
    let whole = copied?;
    io.sync_dir(meta::FOLDER, Site::KeptDir)?;
    Ok(Some(Copy { path: to, whole }))
}

/// Whether all of it could be read.
fn copy(io: &dyn Io, from: &str, to: &str) -> Result<bool, StoreError> {
    let (from, to) = (io.open(from, Mode::Read)?, io.open(to, Mode::Create)?);
    let mut whole = true;
    walk_past(&*from, from.len()?, &mut |_| whole = false, |bytes, at| to.write_at(bytes, at))?;
    to.sync(Site::KeptData)?;
    Ok(whole)
}

/// Puts the copy back: whatever was tried, the metadata is as it was. One that is not whole stays
/// beside it: the disk may yet give what is missing there.
pub(super) fn give_back(io: &dyn Io, kept: &Copy) -> Result<(), StoreError> {
    if !kept.whole {
        return Ok(());
    }
    io.rename(&kept.path, &format!("{}/{}", meta::FOLDER, meta::FILE))?;
    Ok(io.sync_dir(meta::FOLDER, Site::KeptDir)?)
}
