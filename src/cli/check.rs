//! `holdall check`: has every reference followed both ways and every count counted again, by the
//! server that runs or on the data itself.

use std::time::Instant;

use http::Method;

use super::{
    Context,
    failure::Failure,
    print::{many_of, one_line},
    progress::while_telling,
    reach::Reach,
};
use crate::doors::api::types::{Check, DamagedFile, DamagedFiles, Damages};

/// Runs: exit code 0 if all is clean, 1 if something is damaged, whatever else could not be looked at,
/// 2 if it could not finish and found nothing.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let checked = ask(context).await?;
    context.printer.one(&checked, || as_text(&checked))?;
    ended(&checked)
}

/// Has it checked and waits for what was found.
pub(super) async fn ask(context: &Context) -> Result<Check, Failure> {
    let asked = async {
        let reach = Reach::find(&context.settings).await?;
        let checked = reach.ask::<Check>(Method::GET, "/api/v1/check").await?;
        whole(&reach, checked).await
    };
    let since = Instant::now();
    let so_far = async || Some(format!("checking, {} s", since.elapsed().as_secs()));
    // Whatever was in the way: nothing is known of the data.
    while_telling(asked, so_far).await.map_err(|failure| {
        let why = failure.message().unwrap_or_default();
        Failure::Usage(format!("nothing was checked: {why}"))
    })
}

/// What was found as an exit code.
pub(super) fn ended(checked: &Check) -> Result<(), Failure> {
    match (&checked.unfinished, checked.found) {
        (None, 0) => Ok(()),
        (Some(_), 0) => Err(Failure::Said(2)),
        (_, _) => Err(Failure::Said(1)),
    }
}

/// The same with everything that is damaged, where that is more than an answer has.
async fn whole(reach: &Reach, mut checked: Check) -> Result<Check, Failure> {
    let count = |name: &str| checked.counts.get(name).copied().unwrap_or_default();
    let (damaged, files) = (count("damaged"), count("damaged_files"));
    if damaged > checked.damage.len() as u64 {
        checked.damage.clear();
        let mut next = Some(String::new());
        while let Some(after) = next {
            let page: Damages = reach.ask(Method::GET, &page("/api/v1/damage", &after)).await?;
            checked.damage.extend(page.damage);
            next = page.next;
        }
    }
    if files > checked.files.len() as u64 {
        checked.files.clear();
        let mut next = Some(String::new());
        while let Some(after) = next {
            let page: DamagedFiles = reach.ask(Method::GET, &page("/api/v1/damage/files", &after)).await?;
            checked.files.extend(page.files);
            next = page.next;
        }
    }
    Ok(checked)
}

fn page(address: &str, after: &str) -> String {
    if after.is_empty() { address.to_owned() } else { format!("{address}?after={after}") }
}

/// One line for a version that cannot be read whole.
pub(super) fn hit(file: &DamagedFile) -> String {
    let DamagedFile { bucket, path, owner, .. } = file;
    let bytes = many_of(file.bytes, "byte");
    let which = match (file.kind.as_str(), &file.version, file.part) {
        (_, _, Some(part)) => format!("part {part} of an open upload"),
        ("current", ..) => "as it is now".to_owned(),
        (kind, Some(version), _) => format!("{kind}, version {version}"),
        (kind, None, _) => kind.to_owned(),
    };
    one_line(&format!("damaged: {bucket}/{path} of {owner}, {which}: {bytes} cannot be read"))
}

fn as_text(checked: &Check) -> String {
    let of = |one: &str| many_of(checked.counts.get(&format!("{one}s")).copied().unwrap_or_default(), one);
    let mut lines = vec![format!(
        "{} in {} and {}, {}, {} in {}",
        of("file"),
        of("folder"),
        of("bucket"),
        of("version"),
        of("chunk"),
        of("segment")
    )];
    lines.extend(
        checked.findings.iter().map(|finding| one_line(&format!("{}: {}", finding.kind, finding.text))),
    );
    lines.extend(checked.files.iter().map(hit));
    let more = checked.found - checked.findings.len() as u64;
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if checked.found > 0 {
        lines.push(format!(
            "{}; keep a copy of the data directory before anything else",
            many_of(checked.found, "fault")
        ));
    }
    match &checked.unfinished {
        Some(why) => lines.push(one_line(&format!("not finished: {why}"))),
        None if checked.found == 0 => lines.push("clean".to_owned()),
        None => {}
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key can neither clear the screen nor make a line of its own that says `clean`.
    #[test]
    fn a_hit_is_one_line_whatever_the_key_is() {
        let file = DamagedFile {
            bucket: "photos".into(),
            owner: "ann".into(),
            path: "gr\u{fc}n\u{1b}[2J\nclean".into(),
            kind: "current".into(),
            version: None,
            part: None,
            bytes: 7,
            chunks: Vec::new(),
        };
        let shown = "photos/gr\u{fc}n\\u{1b}[2J\\nclean of ann";
        assert_eq!(hit(&file), format!("damaged: {shown}, as it is now: 7 bytes cannot be read"));
    }

    #[test]
    fn one_is_told_as_one() {
        let counts =
            ["files", "folders", "buckets", "versions", "chunks", "segments"].map(|of| (of.to_owned(), 1));
        let mut checked = Check {
            clean: false,
            unfinished: None,
            found: 1,
            findings: Vec::new(),
            counts: counts.into(),
            damage: Vec::new(),
            files: Vec::new(),
        };
        let text = as_text(&checked);
        assert!(
            text.starts_with("1 file in 1 folder and 1 bucket, 1 version, 1 chunk in 1 segment\n"),
            "{text}"
        );
        assert!(text.contains("\n1 fault; keep a copy"), "{text}");
        checked.counts.insert("chunks".into(), 2);
        checked.found = 2;
        let text = as_text(&checked);
        assert!(text.contains("2 chunks in 1 segment\n") && text.contains("\n2 faults;"), "{text}");
    }
}
