//! How answers are printed: lines and columns for people, or JSON as the API has it.

use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use crate::model::size;

/// Members that are amounts of bytes, as people see their names.
const AMOUNTS: [&str; 8] = [
    "quota",
    "usage live",
    "usage versions",
    "usage history",
    "store logical bytes",
    "store live bytes",
    "store dead bytes",
    "store deduplicated bytes",
];

/// Columns that are amounts of bytes.
const SIZES: [&str; 2] = ["bytes", "quota"];

/// `1 chunk`, `2 chunks`.
pub(super) fn many_of(many: u64, what: &str) -> String {
    format!("{many} {what}{}", if many == 1 { "" } else { "s" })
}

/// Prints the answer of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    /// JSON instead of text.
    pub(super) json: bool,
}

impl Printer {
    /// One thing; `text` is what people read.
    pub(super) fn one<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { write(&json(value)?) } else { write(&plain(&text())) }
    }

    /// One thing, a line for each of its members that is set; people read amounts of bytes as
    /// sizes too.
    pub(super) fn members<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let value = tree(value)?;
        self.one(&value, || for_people(&value))
    }

    /// Many things: an array in JSON, a table with these columns for people.
    pub(super) fn many<T: Serialize>(self, values: &[T], columns: &[&str]) -> Result<(), Failure> {
        if self.json {
            return write(&json(&values)?);
        }
        let values = values.iter().map(tree).collect::<Result<Vec<_>, _>>()?;
        write(&table(&values, columns))
    }

    /// A change that was made: a sentence for people, an object for programs.
    pub(super) fn done(self, sentence: &str) -> Result<(), Failure> {
        self.one(&serde_json::json!({ "done": sentence }), || sentence.to_owned())
    }
}

/// A text that does nothing to a terminal: control characters, but for ends of lines and tabs, are
/// shown as escapes. Names and keys may have any, and are anybody's.
pub(super) fn plain(text: &str) -> String {
    without_control(text, &['\n', '\t'])
}

/// The same on one line: no name makes another.
pub(super) fn one_line(text: &str) -> String {
    without_control(text, &[])
}

fn without_control(text: &str, but: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && !but.contains(&letter) {
            shown.extend(letter.escape_debug());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Writes to standard output. A reader that has gone is no fault of the command.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Refused(format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

/// A heading, and a line for each thing; amounts of bytes as sizes.
fn table(values: &[Value], columns: &[&str]) -> String {
    let heading = columns.iter().map(|name| name.to_uppercase().replace('_', " ")).collect::<Vec<_>>();
    let shown = |value: &Value, name: &str| match value.get(name).unwrap_or(&Value::Null) {
        Value::Number(bytes) if SIZES.contains(&name) => {
            bytes.as_u64().map_or_else(|| bytes.to_string(), size::shown)
        }
        other => cell(other),
    };
    let row = |value| columns.iter().map(|name| shown(value, name)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(values.iter().map(row)).collect();
    let width = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|i| width(i).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, wide)| format!("{cell:wide$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A line for each member that is set.
fn for_people(value: &Value) -> String {
    let mut lines = Vec::new();
    describe("", value, &mut lines);
    for (name, text) in lines.iter_mut().filter(|(name, _)| AMOUNTS.contains(&name.as_str())) {
        // Those are of everything that is stored, whichever bucket they are told with.
        *name = name.replace("store ", "whole store ");
        *text = text.parse().map_or_else(|_| text.clone(), sized);
    }
    let wide = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    lines.iter().map(|(name, text)| format!("{name:wide$}  {text}")).collect::<Vec<_>>().join("\n")
}

/// `1610612736 (1.5 GiB)`.
fn sized(bytes: u64) -> String {
    if bytes < 1024 { bytes.to_string() } else { format!("{bytes} ({})", size::shown(bytes)) }
}

fn tree<T: Serialize>(value: &T) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::Refused(error.to_string()))
}

fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Refused(error.to_string()))
}

fn describe(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    if let Value::Object(members) = value {
        for (name, value) in members {
            describe(&format!("{prefix}{}{name}", if prefix.is_empty() { "" } else { " " }), value, lines);
        }
    } else if !value.is_null() {
        lines.push((prefix.replace('_', " "), cell(value)));
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => one_line(text),
        Value::Array(values) if values.is_empty() => "-".into(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(_) | Value::Object(_) => one_line(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The story: a bucket of one file seemed to hold 1232145648 of something.
    #[test]
    fn amounts_say_how_much_and_of_what() {
        let bucket = serde_json::json!({
            "name": "a",
            "quota": 1_610_612_736,
            "usage": { "files": 5000, "live": 5549 },
            "store": { "logical_bytes": 7 },
            "owner": null,
        });
        let lines = [
            "name                       a",
            "quota                      1610612736 (1.5 GiB)",
            "whole store logical bytes  7",
            "usage files                5000",
            "usage live                 5549 (5.4 KiB)",
        ];
        assert_eq!(for_people(&bucket), lines.join("\n"));
    }

    /// The story: `backup list` said 2748779069440 under BYTES.
    #[test]
    fn tables_show_amounts_of_bytes_as_sizes_and_counts_as_they_are() {
        let points = [
            serde_json::json!({ "point": 1, "bytes": 1536, "segments": 2000 }),
            serde_json::json!({ "point": 2, "bytes": null, "segments": null }),
        ];
        let lines = ["POINT  BYTES    SEGMENTS", "1      1.5 KiB  2000", "2      -        -"];
        assert_eq!(table(&points, &["point", "bytes", "segments"]), lines.join("\n"));
    }

    /// A file's key cleared the screen of whoever looked at what was damaged.
    #[test]
    fn no_name_does_anything_to_a_terminal() {
        let bad = "gr\u{fc}n \u{65e5}\u{672c} 'a'\u{1b}[2J\u{9b}1m\r\u{7f}\u{7}\tx\ny";
        let shown = "gr\u{fc}n \u{65e5}\u{672c} 'a'\\u{1b}[2J\\u{9b}1m\\r\\u{7f}\\u{7}";
        assert_eq!(plain(bad), format!("{shown}\tx\ny"));
        assert_eq!(one_line(bad), format!("{shown}\\tx\\ny"));
        assert_eq!(cell(&bad.into()), one_line(bad));
        assert_eq!(cell(&serde_json::json!(["a\n", { "b": "\u{9b}" }])), "a\\n, {\"b\":\"\\u{9b}\"}");
    }
}
