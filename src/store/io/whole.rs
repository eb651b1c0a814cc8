//! What is done with whole files, on whichever disk.

use std::io::{self, ErrorKind};

use super::{File, Io, Mode, Site};
use crate::store::{
    faults::{Fault, Faults},
    sync::Arc,
};

/// Read at once.
const PIECE: usize = 1 << 20;
/// What the name of a file ends in that is not whole yet.
pub const ASIDE: &str = ".new";

/// Opens a file to read it; `None` if there is none.
///
/// # Errors
/// When the disk fails.
pub fn open_if_there(io: &dyn Io, path: &str) -> io::Result<Option<Arc<dyn File>>> {
    match io.open(path, Mode::Read) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Has a file appear whole and durably, over one that has the name: it is written aside, synced and
/// renamed, and its folder is synced. A crash leaves the old one or the new one, and perhaps what
/// was written aside, which the next time takes away.
///
/// # Errors
/// When the disk fails; the old one is there then, or the new one.
pub fn put_whole(io: &dyn Io, path: &str, bytes: &[u8], (file, folder): (Site, Site)) -> io::Result<()> {
    let in_place = Faults::of(io).has(Fault::WrittenInPlace);
    let aside = if in_place { path.to_owned() } else { format!("{path}{ASIDE}") };
    io.remove(&aside)?;
    let made = io.open(&aside, Mode::Create)?;
    made.write_at(bytes, 0)?;
    made.sync(file)?;
    io.rename(&aside, path)?;
    io.sync_dir(path.rsplit_once('/').map_or("", |(folder, _)| folder), folder)
}

/// Hands over so many bytes from the beginning on, piece by piece, each with its place.
///
/// # Errors
/// When the disk fails, and what `each` says.
pub fn walk<E: From<io::Error>>(
    file: &dyn File,
    length: u64,
    mut each: impl FnMut(&[u8], u64) -> Result<(), E>,
) -> Result<(), E> {
    let (mut buffer, mut at) = (vec![0; PIECE], 0);
    while at < length {
        let take = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        let piece = buffer.get_mut(..take).unwrap_or_default();
        file.read_at(piece, at)?;
        each(piece, at)?;
        at += take as u64;
    }
    Ok(())
}
