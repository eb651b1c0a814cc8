//! What an image must be: one of two states, sound, the same when it is opened again, and left
//! as it is by the jobs and the collector.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::{care, open, seen::seen};
use crate::{
    domain::{Holdall, caller::Caller},
    model::time::Timestamp,
    outside::clock::SetClock,
    proof::Dice,
    store::{io::sim::SimDisk, rows::batch},
};

/// How often the power goes in a row.
const DEPTH: u32 = 3;
/// The power goes within so many changes of a recovery.
const RECOVERY: u64 = 120;

/// What may be seen.
#[derive(Clone, Debug)]
pub(super) struct Around {
    pub(super) before: Arc<Vec<String>>,
    pub(super) after: Arc<Vec<String>>,
    /// What the operation under way answered.
    pub(super) answer: String,
    /// Whether it is a folder verb that was cut between two files; where that is known.
    pub(super) begun: Option<bool>,
}

/// What an image was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verified {
    /// A folder verb was under way, and went on.
    pub(super) begun: bool,
    /// Images looked at: this one, and those of its recovery.
    pub(super) images: u64,
}

/// Opens an image and says what is wrong with it; then an image of that, if the dice say so.
pub(super) async fn verify(
    image: &SimDisk,
    around: &Around,
    mut dice: Dice,
    depth: u32,
) -> Result<Verified, String> {
    let again: Arc<Mutex<Option<SimDisk>>> = Arc::default();
    if depth < DEPTH && dice.roll(2) == 0 {
        let (next, kept, seed) = (dice.roll(RECOVERY), Arc::clone(&again), dice.next());
        image.watch(move |moment| {
            if moment.number() == next {
                *kept.lock().unwrap() = Some(moment.crash(seed));
            }
        });
    }
    let begun = sound(image, around).await?;
    image.unwatch();
    let again = again.lock().unwrap().take();
    let Some(again) = again else { return Ok(Verified { begun, images: 1 }) };
    let around = Around { begun: Some(begun), ..around.clone() };
    let verified = Box::pin(verify(&again, &around, dice, depth + 1)).await;
    let verified = verified.map_err(|error| format!("crash {} in a row: {error}", depth + 1))?;
    Ok(Verified { begun, images: verified.images + 1 })
}

/// Whether the image left a folder verb that goes on after the restart.
async fn sound(disk: &SimDisk, around: &Around) -> Result<bool, String> {
    let clock = Arc::new(SetClock::at(Timestamp(2_000_000)));
    let stop = CancellationToken::new();
    let holdall = open(disk, &clock)?;
    let begun = match around.begun {
        Some(begun) => begun,
        None => under_way(&holdall).await?,
    };
    if begun {
        check(&holdall).await.map_err(|error| format!("between two files: {error}"))?;
        holdall.finish_batches(&stop).await.map_err(|error| format!("{error:?}"))?;
        if under_way(&holdall).await? {
            return Err("a batch was not finished".into());
        }
    }
    care::stands(&holdall, &around.answer).await?;
    let shown = seen(&holdall).await;
    is_one_of_two(&shown, around, begun)?;
    drop(holdall);

    let holdall = open(disk, &clock).map_err(|error| format!("opened again: {error}"))?;
    check(&holdall).await?;
    holdall.work_off(&stop).await.map_err(|error| format!("{error:?}"))?;
    let collected = holdall.collect(&Caller::Operator, true).await.map_err(|error| format!("{error:?}"))?;
    if let Some(why) = collected.aborted {
        return Err(format!("collecting was ended: {why}"));
    }
    check(&holdall).await.map_err(|error| format!("after jobs and collecting: {error}"))?;
    let after = seen(&holdall).await;
    if after == shown {
        return Ok(begun);
    }
    Err(format!("opening again, jobs or the collector changed: {:#?}", differences(&shown, &after)))
}

fn is_one_of_two(shown: &Vec<String>, around: &Around, begun: bool) -> Result<(), String> {
    let same = if begun {
        timeless(&around.after) == timeless(shown)
    } else {
        *around.before == *shown || *around.after == *shown
    };
    if same {
        return Ok(());
    }
    let from: Vec<_> = [&around.before, &around.after].map(|state| differences(state, shown)).into();
    Err(format!("cut off in {:?}: {from:#?}", around.answer))
}

async fn check(holdall: &Holdall) -> Result<(), String> {
    let report = holdall.check(&Caller::Operator).await.map_err(|error| format!("{error:?}"))?;
    if report.is_clean() { Ok(()) } else { Err(format!("{report:#?}")) }
}

pub(in crate::domain::tests) async fn under_way(holdall: &Holdall) -> Result<bool, String> {
    let found = holdall.read(|rows| Ok(!batch::all(rows, None, 1)?.is_empty())).await;
    found.map_err(|error| format!("{error:?}"))
}

/// Without what a restart in the middle of a verb changes: the time, and the numbers of new nodes.
pub(in crate::domain::tests) fn timeless(state: &[String]) -> Vec<String> {
    let timeless = |line: &String| {
        let end = [" at ", ", committed: "].iter().filter_map(|time| line.find(time)).min();
        line.get(..end.unwrap_or(line.len())).unwrap_or_default().to_owned()
    };
    state.iter().map(timeless).collect()
}

pub(in crate::domain::tests) fn differences(wanted: &[String], is: &[String]) -> Vec<String> {
    let missing = wanted.iter().filter(|line| !is.contains(line)).map(|line| format!("- {line}"));
    let extra = is.iter().filter(|line| !wanted.contains(line)).map(|line| format!("+ {line}"));
    missing.chain(extra).collect()
}

/// Which bytes a line says are behind which version; none for another line.
pub(super) fn bytes(line: String) -> Option<String> {
    let words: Vec<_> = line.split(' ').collect();
    let [bucket, "version", key, id, .., size, hash] = words[..] else { return None };
    Some([bucket, key, id, size, hash].join(" "))
}

/// What is served of a disk that lied; none if it cannot be opened.
pub(super) async fn served(image: &SimDisk) -> Option<Vec<String>> {
    let clock = Arc::new(SetClock::at(Timestamp(2_000_000)));
    let holdall = open(image, &clock).ok()?;
    Some(seen(&holdall).await.into_iter().filter_map(bytes).collect())
}
