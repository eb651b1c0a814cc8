//! The old metadata, put by before anything is done.

use crate::store::{
    error::StoreError,
    io::{Io, Mode, Site, walk},
    meta,
};

fn path(number: usize) -> String {
    format!("{}/{}", meta::FOLDER, name(number))
}

fn name(number: usize) -> String {
    format!("{}.kept-{number}", meta::FILE)
}

/// Copies the metadata file, durably, under a name that is free; none if there is no such file.
pub(super) fn put_by(io: &dyn Io) -> Result<Option<String>, StoreError> {
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
    copied?;
    io.sync_dir(meta::FOLDER, Site::MetaDir)?;
    Ok(Some(to))
}

fn copy(io: &dyn Io, from: &str, to: &str) -> Result<(), StoreError> {
    let (from, to) = (io.open(from, Mode::Read)?, io.open(to, Mode::Create)?);
    walk(&*from, from.len()?, |bytes, at| to.write_at(bytes, at))?;
    Ok(to.sync(Site::Meta)?)
}

/// Puts the copy back: whatever was tried, the metadata is as it was.
pub(super) fn give_back(io: &dyn Io, kept: &str) -> Result<(), StoreError> {
    io.rename(kept, &format!("{}/{}", meta::FOLDER, meta::FILE))?;
    Ok(io.sync_dir(meta::FOLDER, Site::MetaDir)?)
}
