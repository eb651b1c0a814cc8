//! FORMAT: what a build must know before it may read or write the rest.
//!
//! ```text
//! holdall format 1                                    first in every version, for ever
//! uuid 6d0c…                                          32 hexadecimal digits
//! compat                                              features by name, divided by blanks:
//! ro-compat                                             unknown ones do no harm / allow reading
//! incompat                                              only / allow nothing
//! crc32c 1a2b3c4d                                     of all lines above
//! ```
//!
//! Reserved names, which no build understands yet: `redo-log` (rows may be in `meta/log` only)
//! and `encryption` (records may be sealed), both in `incompat`.
//!
//! It is written aside, synced and renamed, so it is there whole or not at all.

use std::io::ErrorKind;

use crate::store::{
    error::StoreError,
    io::{File, Io, Mode, Site, put_whole},
};

const NAME: &str = "FORMAT";
/// The newest version this build reads and the one it writes.
const VERSION: u32 = 1;
/// No FORMAT is longer; a longer one is damaged.
const MAX_BYTES: u64 = 4096;
/// Features of both refusing sets that this build knows: none so far.
const KNOWN: [&str; 0] = [];

/// Whether nothing in the directory is a store's.
pub(super) fn is_new(io: &dyn Io) -> Result<bool, StoreError> {
    Ok(!io.list("")?.iter().any(|name| matches!(name.as_str(), NAME | "meta" | "segments")))
}

/// The store's uuid from FORMAT, which is made if the directory is new.
pub(super) fn read_or_make(io: &dyn Io, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
    match io.open(NAME, Mode::Read) {
        Ok(file) => {
            let bytes = read(&*file)?;
            // The name may be there and not yet durable, if a crash came between rename and sync.
            io.sync_dir("", Site::RootDir)?;
            parse(&bytes)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if !is_new(io)? {
                return Err(StoreError::Damaged(
                    "FORMAT is missing from a data directory in use; put the store's own back".into(),
                ));
            }
            make(io, fresh)?;
            Ok(fresh)
        }
        Err(error) => Err(error.into()),
    }
}

/// FORMAT as it is.
pub(in crate::store) fn bytes(io: &dyn Io) -> Result<Vec<u8>, StoreError> {
    read(&*io.open(NAME, Mode::Read)?)
}

/// Whose data directory it is; nothing is made.
///
/// # Errors
/// If FORMAT is not there, damaged, or of a newer build.
pub fn uuid(io: &dyn Io) -> Result<[u8; 16], StoreError> {
    parse(&bytes(io)?)
}

fn read(file: &dyn File) -> Result<Vec<u8>, StoreError> {
    let len = Some(file.len()?).filter(|len| *len <= MAX_BYTES).ok_or_else(damaged)?;
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| damaged())?];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Puts FORMAT of a store into a directory that holds all else of it.
pub(in crate::store) fn put(io: &dyn Io, bytes: &[u8], uuid: [u8; 16]) -> Result<(), StoreError> {
    if parse(bytes)? != uuid {
        return Err(damaged());
    }
    write(io, bytes)
}

fn make(io: &dyn Io, uuid: [u8; 16]) -> Result<(), StoreError> {
    write(io, text(uuid).as_bytes())
}

fn write(io: &dyn Io, bytes: &[u8]) -> Result<(), StoreError> {
    Ok(put_whole(io, NAME, bytes, (Site::Format, Site::RootDir))?)
}

fn text(uuid: [u8; 16]) -> String {
    let lines =
        format!("holdall format {VERSION}\nuuid {}\ncompat\nro-compat\nincompat\n", hex::encode(uuid));
    let crc = crc_fast::crc32_iscsi(lines.as_bytes());
    format!("{lines}crc32c {crc:08x}\n")
}

fn parse(bytes: &[u8]) -> Result<[u8; 16], StoreError> {
    // The first line alone says whether the others can be understood.
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let version = std::str::from_utf8(first).ok().and_then(|line| line.strip_prefix("holdall format "));
    let version: u32 = version.and_then(|version| version.parse().ok()).ok_or_else(damaged)?;
    if version > VERSION {
        return Err(StoreError::Refused(format!(
            "this data directory has format {version}, and this holdall knows up to {VERSION}: use a newer one"
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (lines, crc) = text.rsplit_once("crc32c ").ok_or_else(damaged)?;
    if crc != format!("{:08x}\n", crc_fast::crc32_iscsi(lines.as_bytes())) {
        return Err(damaged());
    }
    let value = |key: &str| {
        let found = lines.lines().find_map(|line| line.strip_prefix(key));
        found.filter(|rest| rest.is_empty() || rest.starts_with(' ')).map(str::trim).ok_or_else(damaged)
    };
    for set in ["incompat", "ro-compat"] {
        if let Some(unknown) = value(set)?.split(' ').find(|name| !name.is_empty() && !KNOWN.contains(name)) {
            return Err(StoreError::Refused(format!(
                "this data directory uses {unknown:?}, which this holdall does not know: use a newer one"
            )));
        }
    }
    let uuid = hex::decode(value("uuid")?).map_err(|_| damaged())?;
    uuid.try_into().map_err(|_| damaged())
}

fn damaged() -> StoreError {
    StoreError::Damaged(
        "FORMAT of the data directory is not what was written; put the store's own back".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::io::sim::SimDisk;

    fn with(text: &str) -> SimDisk {
        let disk = SimDisk::new();
        disk.open(NAME, Mode::Create).unwrap().write_at(text.as_bytes(), 0).unwrap();
        disk
    }

    fn sealed(lines: &str) -> String {
        format!("{lines}crc32c {:08x}\n", crc_fast::crc32_iscsi(lines.as_bytes()))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let disk = SimDisk::new();
        assert_eq!(read_or_make(&disk, [7; 16]).unwrap(), [7; 16]);
        assert_eq!(read_or_make(&disk, [8; 16]).unwrap(), [7; 16]);
        assert_eq!(disk.list("").unwrap(), [NAME]);
        assert_eq!(parse(text([9; 16]).as_bytes()).unwrap(), [9; 16]);
    }

    #[test]
    fn a_newer_format_is_refused_whatever_follows_its_first_line() {
        for text in ["holdall format 2\nanything", "holdall format 4000000000\n"] {
            let Err(StoreError::Refused(why)) = read_or_make(&with(text), [0; 16]) else { panic!("{text}") };
            assert!(why.contains("use a newer one"), "{why}");
        }
    }

    #[test]
    fn a_feature_this_build_does_not_know_is_refused_by_name() {
        let uuid = hex::encode([1; 16]);
        for lines in [
            format!("holdall format 1\nuuid {uuid}\ncompat\nro-compat\nincompat redo-log encryption\n"),
            format!("holdall format 1\nuuid {uuid}\ncompat\nro-compat redo-log\nincompat\n"),
        ] {
            let found = read_or_make(&with(&sealed(&lines)), [0; 16]);
            let Err(StoreError::Refused(why)) = found else { panic!("{found:?}") };
            assert!(why.contains("redo-log"), "{why}");
        }
        let harmless = format!("holdall format 1\nuuid {uuid}\ncompat shiny\nro-compat\nincompat\n");
        assert_eq!(read_or_make(&with(&sealed(&harmless)), [0; 16]).unwrap(), [1; 16]);
    }

    #[test]
    fn a_format_that_was_changed_anywhere_is_never_taken_for_a_new_directory() {
        let good = text([3; 16]).into_bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(parse(&bad).is_err(), "byte {at}");
            assert!(parse(&good[..at]).is_err(), "cut at {at}");
        }
        assert!(matches!(read_or_make(&with(""), [0; 16]), Err(StoreError::Damaged(_))));
        let used = SimDisk::new();
        used.create_dir("segments").unwrap();
        assert!(matches!(read_or_make(&used, [0; 16]), Err(StoreError::Damaged(_))));
    }
}
