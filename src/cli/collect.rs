//! `holdall gc` and `holdall compact`: give back the room of what was deleted, by the server that
//! runs or on the data itself.

use http::Method;

use super::{
    Context, arguments::Gc, failure::Failure, print::many_of, progress::while_telling, reach::Reach,
};
use crate::{
    doors::api::types::{Collected, Collection, CollectionRun},
    model::size::shown as amount,
};

const ADDRESS: &str = "/api/v1/collection";

/// `holdall gc`: exit code 0 if it ended well, 1 if something did not add up.
pub(super) async fn gc(context: &Context, gc: &Gc) -> Result<(), Failure> {
    run(context, CollectionRun { dry_run: gc.dry_run, compact: false }).await
}

/// `holdall compact`: the same, and sparse segments are moved together.
pub(super) async fn compact(context: &Context) -> Result<(), Failure> {
    run(context, CollectionRun { dry_run: false, compact: true }).await
}

async fn run(context: &Context, what: CollectionRun) -> Result<(), Failure> {
    let reach = Reach::find(&context.settings).await?;
    let asked = reach.tell::<Collected>(Method::POST, ADDRESS, &what);
    let collected = while_telling(asked, async || so_far(&reach).await).await?;
    context.printer.one(&collected, || as_text(&collected, what.compact))?;
    match &collected.aborted {
        Some(why) => Err(Failure::Refused(format!("nothing more was freed: {why}"))),
        None if !collected.damaged.is_empty() => {
            Err(Failure::Refused("what is damaged stays where it is; `holdall check` tells of it".into()))
        }
        None => Ok(()),
    }
}

/// How far it is.
async fn so_far(reach: &Reach) -> Option<String> {
    let state: Collection = reach.ask(Method::GET, ADDRESS).await.ok()?;
    let (chunks, moved) = (state.done.chunks, amount(state.done.moved_bytes));
    let returned = amount(state.done.returned_bytes);
    let chunks = many_of(chunks, "chunk");
    Some(format!("{}: {chunks} deleted, {moved} moved, {returned} given back", state.phase))
}

fn as_text(collected: &Collected, compact: bool) -> String {
    let (deleted, returned) = (amount(collected.deleted_bytes), amount(collected.returned_bytes));
    let (chunks, segments) = (collected.chunks, collected.segments);
    let would = if collected.dry_run { " would be" } else { "" };
    let mut lines = vec![if chunks == 0 && segments == 0 {
        "nothing was deleted that still takes room".to_owned()
    } else {
        let (chunks, segments) = (many_of(chunks, "chunk"), many_of(segments, "segment"));
        format!("{chunks} ({deleted}){would} deleted; {segments}, {returned}, given back")
    }];
    if collected.compacted > 0 {
        lines.push(format!(
            "{} moved out of {}",
            amount(collected.moved_bytes),
            many_of(collected.compacted, "segment")
        ));
    }
    if collected.passed_over > 0 {
        let files = many_of(collected.passed_over, "file");
        lines.push(format!("{files} being read, and left for later"));
    }
    if collected.no_room {
        lines.push("there is not enough free room to move segments together: one segment's worth".to_owned());
    }
    if collected.held {
        lines
            .push("a backup or a check is under way, and files stayed; the next run removes them".to_owned());
    }
    if collected.dead_bytes > 0 {
        let dead = amount(collected.dead_bytes);
        let hint = if compact {
            ", less than a tenth of each"
        } else {
            "; `holdall compact` returns it where it is a tenth or more"
        };
        lines.push(format!("{dead} dead in segments that also hold what is needed{hint}"));
    }
    lines.extend(collected.damaged.iter().map(|text| format!("damaged: {text}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_words() {
        let nothing = Collected::default();
        assert_eq!(as_text(&nothing, false), "nothing was deleted that still takes room");
        let done = Collected { chunks: 2, deleted_bytes: 1536, dead_bytes: 1 << 20, ..nothing };
        let text = as_text(&done, false);
        assert!(text.starts_with("2 chunks (1.5 KiB) deleted; 0 segments, 0 B, given back\n1.0 MiB dead"));
        let one = Collected { chunks: 1, segments: 1, compacted: 1, ..done.clone() };
        let text = as_text(&one, false);
        assert!(text.starts_with(
            "1 chunk (1.5 KiB) deleted; 1 segment, 0 B, given back\n0 B moved out of 1 segment\n"
        ));
        let held = as_text(&Collected { held: true, ..done.clone() }, false);
        assert!(held.contains("a backup or a check is under way"), "{held}");
        let planned = as_text(&Collected { dry_run: true, ..done }, true);
        assert!(planned.starts_with("2 chunks (1.5 KiB) would be deleted;"), "{planned}");
    }
}
