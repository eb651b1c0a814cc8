//! Which names in a folder of backups are ours, and that each stands for what we made there. Whoever
//! writes to the folder could put a link in it: through one, what is removed or written here would
//! be removed or written elsewhere, in the data directory too.
//!
//! Knows names, not what is in the files.

use super::{
    Part, Point, damaged,
    folder::{LOCK, MARKER, POINTS, SEGMENTS},
};
use crate::store::{
    error::StoreError,
    io::{ASIDE, File, Found, Io, open_if_there},
    sync::Arc,
};

/// Digits of a digest in the name of a copy.
pub(super) const DIGEST: usize = 32;

/// Makes sure that the folders and files every backup has are no links and nothing else.
pub(super) fn plain(io: &dyn Io) -> Result<(), StoreError> {
    let all =
        [(SEGMENTS, Found::Folder), (POINTS, Found::Folder), (LOCK, Found::File), (MARKER, Found::File)];
    for (name, wanted) in all {
        if io.found(name)?.is_some_and(|found| found != wanted) {
            let what = if wanted == Found::Folder { "folder" } else { "regular file" };
            let why = format!("{name} in the backup's folder is no {what}; move it away");
            return Err(StoreError::Refused(why));
        }
    }
    Ok(())
}

/// Opens a file; `None` if there is none.
pub(super) fn open(io: &dyn Io, path: &str) -> Result<Option<Arc<dyn File>>, StoreError> {
    match io.found(path)? {
        None => Ok(None),
        Some(Found::File) => Ok(open_if_there(io, path)?),
        Some(Found::Folder | Found::Other) => Err(damaged(format!("{path} is no regular file"))),
    }
}

/// The point a name among the points belongs to, as we write it; also of one that is not whole.
pub(super) fn point_of(name: &str) -> Option<u64> {
    let number = name.split('.').next()?.parse().ok()?;
    let (path, list) = (format!("{POINTS}/{name}"), Point::path(number));
    let ours = path == list
        || path.strip_suffix(ASIDE) == Some(&list)
        || Part::ALL.iter().any(|part| part.path(number) == path);
    ours.then_some(number)
}

/// Whether a name among the segments is a copy's: `<id>-<digest>.seg`.
pub(super) fn is_copy(name: &str) -> bool {
    let parts = name.strip_suffix(".seg").and_then(|name| name.split_once('-'));
    parts.is_some_and(|(id, digest)| is_id(id) && digest.len() == DIGEST && is_hex(digest))
}

/// Whether a name among the segments is of a copy that is not whole.
pub(super) fn is_half_copy(name: &str) -> bool {
    name.strip_suffix(ASIDE).is_some_and(is_id)
}

fn is_id(word: &str) -> bool {
    word.len() >= 8 && is_hex(word)
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_as_a_backup_writes_them_are_its_own() {
        for (name, number) in [
            ("00000001.point", 1),
            ("00000001.point.new", 1),
            ("00000012.meta", 12),
            ("00000012.format", 12),
            ("123456789.keys", 123_456_789),
        ] {
            assert_eq!(point_of(name), Some(number), "{name}");
        }
        for name in
            ["00000001.seg", "1.point", "00000001", "00000001.meta.new", "00000001.meta.x", ".new", "+1.meta"]
        {
            assert_eq!(point_of(name), None, "{name}");
        }
        let digest = "0123456789abcdef".repeat(2);
        assert!(is_copy(&format!("0000001a-{digest}.seg")) && is_copy(&format!("10000001a-{digest}.seg")));
        for name in ["0000001a.seg", "x.seg", &format!("1a-{digest}.seg"), &format!("0000001a-{digest}0.seg")]
        {
            assert!(!is_copy(name), "{name}");
        }
        assert!(is_half_copy("0000001a.new"));
        assert!(!is_half_copy("FORMAT.new") && !is_half_copy("0000001a.seg"));
    }
}
