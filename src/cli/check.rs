//! `holdall check`: has every reference followed both ways and every count counted again, by the
//! server that runs or on the data itself.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use http::Method;

use super::{Context, failure::Failure, reach::Reach};
use crate::doors::api::types::Check;

/// Runs: exit code 0 if all is clean, 1 if something is damaged, 2 if it could not finish.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let asked = async {
        let reach = Reach::find(&context.settings).await?;
        reach.ask::<Check>(Method::GET, "/api/v1/check").await
    };
    let checked = match while_telling(asked).await {
        Ok(checked) => checked,
        // Whatever was in the way: nothing is known of the data.
        Err(failure) => {
            let why = failure.message().unwrap_or_default();
            return Err(Failure::Usage(format!("nothing was checked: {why}")));
        }
    };
    context.printer.one(&checked, || as_text(&checked))?;
    match (&checked.unfinished, checked.found) {
        (Some(_), _) => Err(Failure::Said(2)),
        (None, 0) => Ok(()),
        (None, _) => Err(Failure::Said(1)),
    }
}

/// Tells people at a terminal every second that it is still at work.
async fn while_telling<T>(work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let since = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut told = false;
    loop {
        match tokio::time::timeout(Duration::from_secs(1), &mut work).await {
            Ok(done) => {
                if told {
                    say("\r\x1b[K");
                }
                return done;
            }
            Err(_) => say(&format!("\rchecking, {} s", since.elapsed().as_secs())),
        }
        told = true;
    }
}

/// Writes to the terminal.
pub(super) fn say(text: &str) {
    let mut out = std::io::stderr().lock();
    // A terminal that has gone is no fault of the command.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn as_text(checked: &Check) -> String {
    let of = |name: &str| checked.counts.get(name).copied().unwrap_or_default();
    let mut lines = vec![format!(
        "{} files in {} folders and {} buckets, {} versions, {} chunks in {} segments",
        of("files"),
        of("folders"),
        of("buckets"),
        of("versions"),
        of("chunks"),
        of("segments")
    )];
    lines.extend(checked.findings.iter().map(|finding| format!("{}: {}", finding.kind, finding.text)));
    let more = checked.found - checked.findings.len() as u64;
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.push(match (&checked.unfinished, checked.found) {
        (Some(why), _) => format!("not finished: {why}"),
        (None, 0) => "clean".to_owned(),
        (None, found) => {
            format!("{found} faults; keep a copy of the data directory before anything else")
        }
    });
    lines.join("\n")
}
