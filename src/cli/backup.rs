//! `holdall backup`: one is made by the server that runs or on the data itself; listed, verified and
//! restored it is without either.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::Method;
use serde_json::json;

use super::{
    Context,
    arguments::BackupCommand,
    check,
    failure::Failure,
    print::many_of,
    progress::{Line, while_telling},
    reach::Reach,
    recovery, scrub,
};
use crate::{
    domain::{BackupLost, BackupProgress, Restored, Rotten, backup_points, restore_backup, verify_backup},
    doors::api::types::{BackedUp, Backup, BackupRun, Check, UnreadSegment},
    model::size::shown as amount,
    outside::random::SystemRandom,
    store::{
        error::StoreError,
        io::{Io, held::HeldFolder},
    },
};

const ADDRESS: &str = "/api/v1/backup";

pub(super) async fn run(context: &Context, command: BackupCommand) -> Result<(), Failure> {
    match command {
        BackupCommand::Create { dest, keep } => create(context, &dest, keep).await,
        BackupCommand::List { dest } => list(context, &dest),
        BackupCommand::Verify { dest, point } => verify(context, &dest, point),
        BackupCommand::Restore { dest, into, point, damaged } => {
            let rotten = if damaged { Rotten::Kept } else { Rotten::Refused };
            restore(context, &dest, into, (point, rotten)).await
        }
    }
}

async fn create(context: &Context, dest: &Path, keep: Option<u64>) -> Result<(), Failure> {
    // The server works in another folder.
    let folder = std::path::absolute(dest).map_err(|error| Failure::Usage(error.to_string()))?;
    let folder = folder.to_str().ok_or_else(|| Failure::Usage("the folder's name is not UTF-8".into()))?;
    let reach = Reach::find(&context.settings).await?;
    let what = BackupRun { folder: folder.to_owned(), keep };
    let asked = reach.tell::<BackedUp>(Method::POST, ADDRESS, &what);
    let so_far = async || {
        let state: Backup = reach.ask(Method::GET, ADDRESS).await.ok()?;
        Some(shown(&state.phase, state.done_bytes, state.total_bytes))
    };
    let done = while_telling(asked, so_far).await?;
    context.printer.one(&done, || as_text(&done))?;
    unwell(&done).map_or(Ok(()), |why| Err(Failure::Refused(why)))
}

/// What is wrong although the backup is made.
fn unwell(done: &BackedUp) -> Option<String> {
    let kept = |why| format!("the backup is made, and no older one was removed: {why}");
    let parts = [damage(done), done.not_removed.as_ref().map(kept)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What the store has lost, if the backup met that.
fn damage(done: &BackedUp) -> Option<String> {
    let mut parts = Vec::new();
    if !done.missing.is_empty() {
        parts.push(format!("segments are missing: {}", done.missing.join(", ")));
    }
    if !done.unread.is_empty() {
        let of = |part: &UnreadSegment| format!("{} of {}", amount(part.bytes), part.segment);
        let unread: Vec<String> = done.unread.iter().map(of).collect();
        parts.push(format!("the disk cannot read all of some segments: {}", unread.join(", ")));
    }
    let what = parts.join("; ");
    (!parts.is_empty())
        .then(|| format!("the backup has all there is, and {what}; run `holdall scrub` and `holdall check`"))
}

fn as_text(done: &BackedUp) -> String {
    let (bytes, copied) = (amount(done.bytes), amount(done.copied_bytes));
    let mut text = format!("backup {}: {bytes}, of which {copied} were copied now", done.point);
    if done.removed > 0 {
        text.push_str(&format!("; {} older removed", done.removed));
    }
    text
}

/// How far a step of it is, as people read it.
fn shown(phase: &str, done: u64, total: u64) -> String {
    let of = if total > 0 { format!(" of {}", amount(total)) } else { String::new() };
    format!("{phase}: {}{of}", amount(done))
}

fn watch(line: &Line, progress: BackupProgress) -> Result<(), StoreError> {
    line.tell(|| shown(progress.phase, progress.done, progress.total));
    Ok(())
}

fn list(context: &Context, dest: &Path) -> Result<(), Failure> {
    let points = backup_points(folder(dest)?).map_err(|error| Failure::Usage(told(&error)))?;
    let rows = points.iter().map(|(number, point)| match point {
        Ok(point) => json!({
            "point": number,
            "taken_at": point.taken_at.rfc3339_seconds(),
            "bytes": point.bytes(),
            "segments": point.segments.len(),
        }),
        Err(error) => json!({ "point": number, "taken_at": told(error), "bytes": null, "segments": null }),
    });
    context.printer.many(&rows.collect::<Vec<_>>(), &["point", "taken_at", "bytes", "segments"])
}

/// Exit code 0 if all is whole, 1 if anything is damaged, 2 if that is not known.
fn verify(context: &Context, dest: &Path, point: Option<u64>) -> Result<(), Failure> {
    let line = Line::new();
    // Only looked at; nothing is made where there is none.
    let data = Some(&context.settings.data).filter(|data| data.is_dir()).map(|data| HeldFolder::open(data));
    let data = data.transpose().ok().flatten();
    let data = data.as_ref().map(|data| data as &dyn Io);
    let verified = verify_backup(folder(dest)?, point, data, &|progress| watch(&line, progress));
    drop(line);
    let found = verified.map_err(|error| match error {
        StoreError::Damaged(_) => Failure::Refused(told(&error)),
        _ => Failure::Usage(told(&error)),
    })?;
    let value = json!({
        "point": found.number,
        "bytes": found.bytes,
        "segments": found.segments,
        "rows": found.rows,
        "chunks": found.chunks,
        "problems": found.problems,
        "authentic": found.authentic,
        "moved_aside": found.moved_aside.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "lost": found.lost.iter().map(in_json).collect::<Vec<_>>(),
        "told": found.told,
    });
    context.printer.one(&value, || {
        let mut lines = found.told.clone();
        lines.extend(found.lost.iter().map(lost));
        lines.extend(found.moved_aside.iter().map(|segment| {
            format!("the copy of segment {segment} is moved aside; the next backup copies it again")
        }));
        if found.authentic.is_none() {
            lines.push(
                "whether its store made it was not checked: its keys were not at hand (`--data` names its data \
                 directory)"
                    .into(),
            );
        }
        let (bytes, rows, chunks) =
            (amount(found.bytes), many_of(found.rows, "row"), many_of(found.chunks, "chunk"));
        lines.push(match found.problems {
            0 => format!("backup {} is whole: {bytes}, {rows}, {chunks}", found.number),
            many => format!("backup {}: {} not what was written", found.number, many_of(many, "thing")),
        });
        lines.join("\n")
    })?;
    if found.problems == 0 { Ok(()) } else { Err(Failure::Said(1)) }
}

/// Exit code 1 if anything is lost, too: of the backup, or of the store before it was made.
async fn restore(
    context: &Context,
    dest: &Path,
    into: PathBuf,
    which: (Option<u64>, Rotten),
) -> Result<(), Failure> {
    let folder = folder(dest)?;
    let key = recovery::asked()?;
    let line = Line::new();
    let made = || Ok(Arc::new(HeldFolder::open(&into)?) as Arc<dyn Io>);
    let restored =
        restore_backup(folder, which, (&key, &SystemRandom), made, &|progress| watch(&line, progress));
    drop(line);
    let restored = restored.map_err(|error| Failure::Refused(told(&error)))?;
    let mut value = json!({
        "point": restored.number,
        "bytes": restored.bytes,
        "segments": restored.segments,
        "rows": restored.rows,
        "damaged": restored.damaged,
        "lost": restored.lost.iter().map(in_json).collect::<Vec<_>>(),
    });
    let text = || restored_as_text(&restored, &into);
    if restored.damaged.is_empty() && restored.lost.is_empty() {
        return context.printer.one(&value, text);
    }
    // People hear it at once: reading it all again takes long, and may fail. Programs get one object.
    if !context.printer.json {
        context.printer.one(&value, text)?;
    }
    let found = losses(context, &into).await;
    if let (Ok(found), Some(value)) = (&found, value.as_object_mut()) {
        value.insert("files".into(), json!(found.files));
    }
    let files = || found.iter().flat_map(|found| found.files.iter().map(check::hit)).collect::<Vec<_>>();
    if context.printer.json || found.as_ref().is_ok_and(|found| !found.files.is_empty()) {
        context.printer.one(&value, || files().join("\n"))?;
    }
    Err(match found {
        Ok(_) => Failure::Said(1),
        Err(why) => {
            let why = why.message().unwrap_or_default();
            Failure::Refused(format!("it is restored, and which files lost something is not known: {why}"))
        }
    })
}

fn restored_as_text(restored: &Restored, into: &Path) -> String {
    let mut lines: Vec<String> =
        restored.damaged.iter().map(|name| format!("{name} is missing or damaged")).collect();
    lines.extend(restored.lost.iter().map(lost));
    let (number, bytes, at) = (restored.number, amount(restored.bytes), into.display());
    let how = if lines.is_empty() { &*bytes } else { "but for what is damaged" };
    lines.push(format!("backup {number} is restored, {how}; start it with `holdall serve --data {at}`"));
    lines.join("\n")
}

/// Has what was restored read again, so that it is known what of it is lost, there too.
async fn losses(context: &Context, into: &Path) -> Result<Check, Failure> {
    let mut settings = context.settings.clone();
    settings.data = into.to_owned();
    let there = Context { settings, printer: context.printer };
    scrub::ask(&there, None).await?;
    check::ask(&there).await
}

/// What the store had lost of a segment before the backup was made.
fn lost(lost: &BackupLost) -> String {
    let what = lost.bytes.map_or_else(|| "all".to_owned(), amount);
    format!("of segment {}, {what} was damaged in the store already when the backup was made", lost.segment)
}

fn in_json(lost: &BackupLost) -> serde_json::Value {
    json!({ "segment": lost.segment.to_string(), "bytes": lost.bytes })
}

/// The folder of backups; nothing is made.
fn folder(dest: &Path) -> Result<Arc<dyn Io>, Failure> {
    if !dest.is_dir() {
        return Err(Failure::Usage(format!("there is no folder {}", dest.display())));
    }
    let disk =
        HeldFolder::open(dest).map_err(|error| Failure::Usage(format!("{}: {error}", dest.display())))?;
    Ok(Arc::new(disk))
}

/// What went wrong, with what the disk said: whoever runs this may know it.
fn told(error: &StoreError) -> String {
    match error {
        StoreError::Io(source) if source.kind() == ErrorKind::StorageFull => "the disk is full".into(),
        StoreError::Io(source) => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}
