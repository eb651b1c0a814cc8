//! Keys as paths of files on other disks, and back. A key may hold what no file's name can, so that
//! some names are written escaped; the way back gives the same key again. Knows no disk.
//!
//! | In a key | As a name |
//! |---|---|
//! | `.`, `..`, a NUL | `%2E`, `%2E%2E`, `%00` |
//! | an empty segment, as in `a//b` | `%empty` |
//! | a file beside a folder of its name | the name with `%file` behind it |
//! | more than 255 bytes | folders, each ending in `%more`, and the rest |
//! | names that are one on a disk that knows no case | letters as `%41` |
//! | a `%` that would be read as one of these | `%25` |

use std::fmt::Write as _;

/// Bytes of a name on nearly every file system.
pub const NAME_BYTES: usize = 255;
/// A name that is longer than that has names of this many bytes and [`MORE`].
const PIECE_BYTES: usize = NAME_BYTES - MORE.len();

/// The folder an export keeps beside the buckets. No key is written so.
pub const EXPORT: &str = "%holdall-export";

const EMPTY: &str = "%empty";
const TWIN: &str = "%file";
const MORE: &str = "%more";

/// How a segment is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// It is a file beside a folder of its name.
    pub twin: bool,
    /// Its letters are escaped, so that it differs from others in more than their case.
    pub letters: bool,
}

/// The names one segment becomes: one, or folders and one in them.
#[must_use]
pub fn names(segment: &str, form: Form) -> Vec<String> {
    let mut text = if form.letters { spelled(segment) } else { escaped(segment) };
    let mut names = Vec::new();
    let suffix = if form.twin { TWIN } else { "" };
    if text.len() + suffix.len() > NAME_BYTES {
        while text.len() > PIECE_BYTES {
            // The rest must be no `.` or `..`.
            let cut = if text.len() < PIECE_BYTES + 3 { PIECE_BYTES - 8 } else { PIECE_BYTES };
            let rest = text.split_off(text.floor_char_boundary(cut));
            names.push(text + MORE);
            text = rest;
        }
    }
    names.push(text + suffix);
    names
}

/// The segments that names stand for. A name that [`names`] never gives stands for itself.
#[must_use]
pub fn segments(path: &[&str]) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), path);
    while let Some((first, behind)) = rest.split_first() {
        let pieces = 1 + rest.iter().take_while(|name| name.ends_with(MORE)).count();
        match rest.split_at_checked(pieces).and_then(|(own, behind)| Some((segment(own)?, behind))) {
            Some((text, behind)) => {
                found.push(text);
                rest = behind;
            }
            None => {
                found.push((*first).to_owned());
                rest = behind;
            }
        }
    }
    found
}

/// The segment that exactly these names stand for.
fn segment(own: &[&str]) -> Option<String> {
    let (last, folders) = own.split_last()?;
    let mut text: String = folders.iter().filter_map(|name| name.strip_suffix(MORE)).collect();
    let plain = last.strip_suffix(TWIN);
    text.push_str(plain.unwrap_or(last));
    let segment = unescaped(&text)?;
    let written =
        |letters| names(&segment, Form { twin: plain.is_some(), letters }).iter().eq(own.iter().copied());
    (written(false) || written(true)).then_some(segment)
}

fn escaped(segment: &str) -> String {
    if let Some(whole) = whole(segment) {
        return whole.to_owned();
    }
    let mut text = String::with_capacity(segment.len());
    for (at, char) in segment.char_indices() {
        match char {
            '\0' => text.push_str("%00"),
            '%' if reads_as_escape(segment.get(at..).unwrap_or_default()) => text.push_str("%25"),
            char => text.push(char),
        }
    }
    text
}

/// Everything that may be alike on some disk, and every `%`, as bytes.
fn spelled(segment: &str) -> String {
    if let Some(whole) = whole(segment) {
        return whole.to_owned();
    }
    let mut text = String::with_capacity(segment.len() * 3);
    for byte in segment.bytes() {
        if byte.is_ascii_alphabetic() || !byte.is_ascii() || byte == 0 || byte == b'%' {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        } else {
            text.push(char::from(byte));
        }
    }
    text
}

/// Segments that no file can be called.
fn whole(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some(EMPTY),
        "." => Some("%2E"),
        ".." => Some("%2E%2E"),
        _ => None,
    }
}

fn reads_as_escape(text: &str) -> bool {
    [EMPTY, TWIN, MORE, EXPORT].iter().any(|word| text.starts_with(word)) || byte_behind(text).is_some()
}

/// The byte that `%2E` at the beginning stands for.
fn byte_behind(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let upper = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    if upper { u8::from_str_radix(digits, 16).ok() } else { None }
}

fn unescaped(text: &str) -> Option<String> {
    if text == EMPTY {
        return Some(String::new());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(char) = rest.chars().next() {
        if let Some(byte) = byte_behind(rest) {
            bytes.push(byte);
            rest = rest.get(3..)?;
        } else {
            let (own, behind) = rest.split_at(char.len_utf8());
            bytes.extend_from_slice(own.as_bytes());
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{self, Dice};

    const PLAIN: Form = Form { twin: false, letters: false };

    fn there_and_back(segment: &str, form: Form) {
        let written = names(segment, form);
        for name in &written {
            assert!(!name.is_empty() && name.len() <= NAME_BYTES, "{segment:?}: {name:?}");
            assert!(name != "." && name != ".." && !name.contains(['\0', '/']), "{segment:?}: {name:?}");
        }
        let read = segments(&written.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(read, [segment], "{form:?} {written:?}");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["a.txt", "100%", "50% off", "Ünï.md", "%2e", "...", " .", "a\\b", "\n", "%2"] {
            assert_eq!(names(name, PLAIN), [name]);
            assert_eq!(segments(&[name]), [name]);
        }
    }

    #[test]
    fn names_no_disk_can_hold_are_written_as_documented() {
        let table = [
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("a\0b", "a%00b"),
            ("", "%empty"),
            ("a%2Fb", "a%252Fb"),
            ("%empty", "%25empty"),
            ("x%file", "x%25file"),
            (EXPORT, "%25holdall-export"),
        ];
        for (segment, name) in table {
            assert_eq!(names(segment, PLAIN), [name]);
            there_and_back(segment, PLAIN);
        }
        assert_eq!(names("a", Form { twin: true, ..PLAIN }), ["a%file"]);
        assert_eq!(names("Ab1", Form { letters: true, ..PLAIN }), ["%41%621"]);
        let long = names(&"k".repeat(600), PLAIN);
        assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [255, 255, 100]);
    }

    #[test]
    fn names_that_are_not_written_so_stand_for_themselves() {
        for path in [&["%41.txt"][..], &["x%more", "y"], &["x%more"], &["%2F"], &["%C3"]] {
            assert_eq!(segments(path), path);
        }
    }

    #[test]
    fn every_segment_comes_back_and_no_two_are_written_alike() {
        let mut dice = Dice(proof::seed("escapes"));
        let pieces =
            ["%", "%2", "E", "%more", "%file", "%empty", EXPORT, ".", "a", "B", "é", "\0", "25", "日", "m"];
        let mut seen = std::collections::HashMap::new();
        for _ in 0..proof::size(4000, 200_000) {
            let long = if dice.roll(8) == 0 { 300 } else { 6 };
            let count = dice.roll(long);
            let segment: String =
                (0..count).map(|_| pieces[usize::try_from(dice.roll(15)).unwrap()]).collect();
            for (twin, letters) in [(false, false), (true, false), (false, true), (true, true)] {
                there_and_back(&segment, Form { twin, letters });
            }
            for twin in [false, true] {
                let other = seen.insert(names(&segment, Form { twin, ..PLAIN }), (segment.clone(), twin));
                assert!(other.is_none_or(|other| other == (segment.clone(), twin)), "{segment:?}");
            }
        }
    }
}
