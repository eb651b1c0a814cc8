//! What is done with whole files, on whichever disk.

use std::{
    io::{self, ErrorKind},
    ops::Range,
};

use super::{File, Io, Mode, Site};
use crate::store::{
    faults::{Fault, Faults},
    sync::Arc,
};

/// Read at once.
const PIECE: usize = 1 << 20;
/// Read at once where the disk refuses a longer stretch.
const BLOCK: u64 = 4096;
/// How systems say that a place of a disk cannot be read: EIO, ENODATA (a bad sector), EBADMSG
/// and EUCLEAN (a file system's own checksum), EILSEQ (a protected block), EREMOTEIO.
const REFUSALS: [i32; 6] = [5, 61, 74, 117, 84, 121];
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

/// Whether an error of a read says that the disk refuses that place, and nothing of any other.
#[must_use]
pub fn is_refusal(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| REFUSALS.contains(&code))
}

/// Fills the buffer with what the disk gives, and with zeros where it refuses to, block by block;
/// `refused` hears of each of those.
///
/// # Errors
/// When it cannot be read for another reason.
pub fn read_past(
    file: &dyn File,
    buffer: &mut [u8],
    offset: u64,
    refused: &mut dyn FnMut(Range<u64>),
) -> io::Result<()> {
    match file.read_at(buffer, offset) {
        Err(error) if is_refusal(&error) => {}
        done => return done,
    }
    let (mut at, mut rest) = (offset, buffer);
    while !rest.is_empty() {
        let count = usize::try_from(BLOCK - at % BLOCK).unwrap_or(rest.len()).min(rest.len());
        let (block, behind) = rest.split_at_mut(count);
        let end = at + count as u64;
        match file.read_at(block, at) {
            Err(error) if is_refusal(&error) => {
                block.fill(0);
                refused(at..end);
            }
            done => done?,
        }
        (at, rest) = (end, behind);
    }
    Ok(())
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
    pieces(length, |piece, at| {
        file.read_at(piece, at)?;
        each(piece, at)
    })
}

/// The same, with zeros for what the disk refuses to read; see [`read_past`].
///
/// # Errors
/// When it cannot be read for another reason, and what `each` says.
pub fn walk_past<E: From<io::Error>>(
    file: &dyn File,
    length: u64,
    refused: &mut dyn FnMut(Range<u64>),
    mut each: impl FnMut(&[u8], u64) -> Result<(), E>,
) -> Result<(), E> {
    pieces(length, |piece, at| {
        read_past(file, piece, at, refused)?;
        each(piece, at)
    })
}

fn pieces<E>(length: u64, mut each: impl FnMut(&mut [u8], u64) -> Result<(), E>) -> Result<(), E> {
    let (mut buffer, mut at) = (vec![0; PIECE], 0);
    while at < length {
        let take = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        each(buffer.get_mut(..take).unwrap_or_default(), at)?;
        at += take as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::io::sim::SimDisk;

    #[test]
    fn what_the_disk_refuses_is_zeros_and_told_and_the_rest_is_read() {
        let disk = SimDisk::new();
        let file = disk.open("a", Mode::Create).unwrap();
        file.write_at(&[7; 20_000], 0).unwrap();
        for bad in [5000..5001, 9000..9001, 19_999..20_000] {
            disk.unreadable("a", bad).unwrap();
        }
        let (mut bytes, mut refused) = (vec![1; 19_900], Vec::new());
        read_past(&*file, &mut bytes, 100, &mut |range| refused.push(range)).unwrap();
        assert_eq!(refused, [4096..8192, 8192..12_288, 16_384..20_000]);
        for (at, byte) in (100..).zip(&bytes) {
            let zero = refused.iter().any(|range| range.contains(&at));
            assert_eq!(*byte, if zero { 0 } else { 7 }, "{at}");
        }
        // Behind the end is no bad sector.
        disk.unreadable("a", 0..0).unwrap();
        assert!(read_past(&*file, &mut bytes, 200, &mut |_| {}).is_err());
    }
}
