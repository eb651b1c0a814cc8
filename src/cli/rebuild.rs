//! `holdall rebuild`: makes the metadata anew from what is left of it, from its snapshots and from the
//! segments, while no server runs; then has it checked.
//!
//! It asks the store itself, past the domain: without the metadata no system opens, and no account
//! is there to be asked. Whoever owns the data directory may do it; the check behind it goes the
//! usual way.

use std::sync::Arc;

use serde_json::json;
use tokio::task::block_in_place;

use super::{
    Context,
    arguments::Rebuild,
    check,
    failure::Failure,
    print::{many_of, write},
    progress::Line,
    reach::{must_be_ours, room, show_repair, socket_of},
};
use crate::{
    doors::{api::types::Check, gate::socket},
    model::size::shown,
    outside::{
        clock::{Clock as _, SystemClock},
        random::{Random as _, SystemRandom},
    },
    store::{
        error::StoreError,
        io::disk::Disk,
        rebuild::{Names, RebuildOptions, Rebuilt, rebuild},
    },
};

/// Runs: exit code 0 if nothing is lost, 1 if something is, or if nothing was done.
pub(super) async fn run(context: &Context, asked: &Rebuild) -> Result<(), Failure> {
    let settings = &context.settings;
    must_be_ours(&settings.data)?;
    if socket::connect(&socket_of(&settings.data)).await.is_ok() {
        return Err(Failure::Refused("a server runs on this data; stop it first".into()));
    }
    let io = Disk::open(&settings.data).map_err(|error| Failure::Refused(error.to_string()))?;
    let line = Line::new();
    let options = RebuildOptions {
        io: Arc::new(io),
        now: Arc::new(|| SystemClock.now()),
        room: room(settings),
        force: asked.force,
        from_snapshot: asked.from_snapshot,
        leap: SystemRandom.number(),
        repair: Arc::new(show_repair),
        progress: Arc::new(move |read, all| line.tell(|| format!("reading segments: {read} of {all}"))),
    };
    let done = block_in_place(|| rebuild(&options));
    drop(options);
    let done = done.map_err(|error| match error {
        StoreError::Io(why) => Failure::Refused(format!("the disk failed: {why}")),
        other => Failure::Refused(other.to_string()),
    })?;
    if !context.printer.json {
        write(&as_text(&done))?;
        return check::run(context).await;
    }
    // One answer to one question.
    let checked = check::ask(context).await;
    context.printer.one(&as_json(&done, checked.as_ref().ok()), String::new)?;
    check::ended(&checked?)
}

fn as_json(done: &Rebuilt, checked: Option<&Check>) -> serde_json::Value {
    let snapshot = match done.names {
        Names::Current => None,
        Names::Snapshot(kept) => Some(kept.taken_at.rfc3339()),
    };
    json!({
        "snapshot": snapshot,
        "reason": done.reason,
        "kept": done.kept,
        "segments": done.segments,
        "records": done.records,
        "damaged_bytes": done.damaged_bytes,
        "chunks": done.chunks,
        "lost_chunks": done.lost,
        "check": checked,
    })
}

fn as_text(done: &Rebuilt) -> String {
    let mut lines = Vec::new();
    if let Some(reason) = &done.reason {
        lines.push(format!("why it was needed: {reason}"));
    }
    lines.push(match done.names {
        Names::Current => "every name is as it was".to_owned(),
        Names::Snapshot(kept) => format!(
            "names are as they were at {}; what was changed since is not there",
            kept.taken_at.rfc3339_seconds()
        ),
    });
    lines.push(format!(
        "{} in {} read; {} needed",
        many_of(done.records, "record"),
        many_of(done.segments, "segment"),
        many_of(done.chunks, "chunk")
    ));
    if done.damaged_bytes > 0 {
        lines.push(format!("{} of the segments are no whole record", shown(done.damaged_bytes)));
    }
    if done.lost > 0 {
        let lost = many_of(done.lost, "chunk");
        lines.push(format!("{lost} in no segment: what needs one that is lost cannot be read"));
    }
    if let Some(kept) = &done.kept {
        lines.push(format!("the old metadata is kept as {kept}; remove it when all is well"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_in_words() {
        let done = Rebuilt {
            names: Names::Current,
            reason: None,
            kept: Some("meta/x".into()),
            segments: 1,
            records: 7,
            damaged_bytes: 0,
            chunks: 5,
            lost: 1,
        };
        let text = as_text(&done);
        assert!(
            text.starts_with("every name is as it was\n7 records in 1 segment read; 5 chunks needed"),
            "{text}"
        );
        assert!(text.contains("\n1 chunk in no segment") && text.ends_with("remove it when all is well"));
    }
}
