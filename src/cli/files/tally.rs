//! What was done so far, told to people at a terminal every second, and at the end.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Value, json};

use crate::{
    cli::{
        failure::Failure,
        print::{Printer, many_of, one_line},
        progress,
    },
    model::size::shown,
};

/// Problems that are kept for the end; each is told when it is met.
const PROBLEMS: usize = 1000;

/// Counts of an export or import.
#[derive(Debug, Default)]
pub(in crate::cli) struct Tally {
    /// Files written.
    files: AtomicU64,
    /// Their bytes.
    bytes: AtomicU64,
    /// Files that were there and the same.
    same: AtomicU64,
    /// Bytes of those.
    same_bytes: AtomicU64,
    /// Names that were written escaped.
    escaped: AtomicU64,
    refused: AtomicU64,
    problems: Mutex<Vec<(String, String)>>,
    /// How many files there are, where that is known.
    expected: AtomicU64,
}

impl Tally {
    pub(in crate::cli) fn expect(&self, files: u64) {
        self.expected.fetch_add(files, Relaxed);
    }

    pub(in crate::cli) fn wrote(&self, bytes: u64) {
        self.files.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(in crate::cli) fn same(&self, bytes: u64) {
        self.same.fetch_add(1, Relaxed);
        self.same_bytes.fetch_add(bytes, Relaxed);
    }

    pub(in crate::cli) fn escaped(&self) {
        self.escaped.fetch_add(1, Relaxed);
    }

    /// Something could not be done; told at once.
    pub(in crate::cli) fn refuse(&self, name: &str, why: &str) {
        self.refused.fetch_add(1, Relaxed);
        let name = one_line(name);
        progress::note(&one_line(&format!("{name}: {why}")));
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.len() < PROBLEMS {
            problems.push((name, why.to_owned()));
        }
    }

    /// Runs, telling people at a terminal every second how far it is.
    pub(in crate::cli) async fn while_telling<T>(&self, verb: &str, work: impl Future<Output = T>) -> T {
        progress::while_telling(work, async || Some(format!("{verb}: {}", self.so_far()))).await
    }

    fn so_far(&self) -> String {
        let (files, same) = (self.files.load(Relaxed), self.same.load(Relaxed));
        let bytes = self.bytes.load(Relaxed) + self.same_bytes.load(Relaxed);
        let of = Some(self.expected.load(Relaxed)).filter(|expected| *expected > 0);
        let files = match of {
            Some(of) => format!("{} of {}", files + same, many_of(of, "file")),
            None => many_of(files + same, "file"),
        };
        format!("{files}, {}, {same} there already", shown(bytes))
    }

    /// Tells the end: exit code 1 if something could not be done.
    pub(in crate::cli) fn end(&self, printer: Printer, verb: &str) -> Result<(), Failure> {
        let refused = self.refused.load(Relaxed);
        printer.one(&self.as_json(), || self.as_text(verb))?;
        if refused == 0 { Ok(()) } else { Err(Failure::Said(1)) }
    }

    fn as_text(&self, verb: &str) -> String {
        let (files, bytes) = (self.files.load(Relaxed), shown(self.bytes.load(Relaxed)));
        let (same, refused) = (self.same.load(Relaxed), self.refused.load(Relaxed));
        let files = many_of(files, "file");
        let mut lines =
            vec![format!("{files} ({bytes}) {verb}, {same} there and the same, {refused} refused")];
        let escaped = self.escaped.load(Relaxed);
        if escaped > 0 {
            let names = many_of(escaped, "name");
            lines.push(format!(
                "{names} written escaped, as files cannot be called so; `holdall import` reads that"
            ));
        }
        lines.join("\n")
    }

    fn as_json(&self) -> Value {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let problems: Vec<Value> =
            problems.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect();
        json!({
            "files": self.files.load(Relaxed),
            "bytes": self.bytes.load(Relaxed),
            "same": self.same.load(Relaxed),
            "same_bytes": self.same_bytes.load(Relaxed),
            "escaped": self.escaped.load(Relaxed),
            "refused": self.refused.load(Relaxed),
            "problems": problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_counts_everything_and_a_refusal_is_exit_code_1() {
        let tally = Tally::default();
        tally.wrote(1536);
        tally.same(1);
        assert_eq!(tally.as_text("exported"), "1 file (1.5 KiB) exported, 1 there and the same, 0 refused");
        assert_eq!(tally.so_far(), "2 files, 1.5 KiB, 1 there already");
        tally.expected.store(7, Relaxed);
        assert_eq!(tally.so_far(), "2 of 7 files, 1.5 KiB, 1 there already");
        assert!(tally.end(Printer { json: true }, "exported").is_ok());
        tally.refuse("a\nb", "is too odd");
        assert_eq!(tally.as_json()["problems"][0]["name"], "a\\nb");
        assert!(matches!(tally.end(Printer { json: true }, "exported"), Err(Failure::Said(1))));
    }
}
