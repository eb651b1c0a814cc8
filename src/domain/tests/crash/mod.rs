//! Power cuts in the middle of a workload: every acknowledged verb is there byte for byte, the one
//! that was cut off is there wholly or not at all, and the check is clean.
//!
//! A run without a cut writes down what is to be seen after each operation; an image must show
//! exactly one of the two states around its cut. Only a folder verb that goes file by file may be
//! cut in between: it is finished then, and must show the state behind it. `HOLDALL_CRASH_SEED=<seed>,<calls>` runs one image
//! again.

mod seen;
mod workload;

use std::{collections::BTreeSet, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    domain::{CheckReport, Holdall, StartOptions, World, caller::Caller},
    model::time::Timestamp,
    outside::{clock::SetClock, random::SeededRandom},
    proof::{self, Dice},
    store::{
        dir::RoomOptions,
        io::{Io, Site, sim::SimDisk},
        rows::batch,
    },
};
use seen::seen;
use workload::Workload;
pub(super) use workload::ada;

/// Operations of one workload.
const OPERATIONS: usize = 50;
/// Workloads, and cuts of each.
const SEEDS: u64 = 10;
const CUTS: u64 = 20;

/// Answers of what the workloads must have done between them.
const WHAT: [&str; 12] = [
    "put", "remove", "Copy", "Move", "make", "begin", "part", "complete", "abort", "Enabled", "bucket",
    "collect",
];

fn open(disk: &SimDisk, clock: &Arc<SetClock>) -> Result<Arc<Holdall>, String> {
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let options = StartOptions { room, cache_bytes: 4 << 20, ..StartOptions::new(io) };
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    Holdall::start_by_hand(options, world).map_err(|error| format!("{error}: {:?}", error.reason()))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What a run without a cut shows.
struct Golden {
    /// The answer of each operation.
    answers: Vec<String>,
    /// What is there before the first operation and after each.
    states: Vec<Vec<String>>,
    /// Changes of the disk from the first operation to the last.
    changes: u64,
}

fn golden(seed: u64) -> Golden {
    block_on(async {
        let (disk, clock) = (SimDisk::new(), Arc::new(SetClock::at(Timestamp(1_000_000))));
        let mut work = Workload::new(open(&disk, &clock).unwrap(), seed).await;
        let before = disk.counts().changes;
        let (mut answers, mut states) = (Vec::new(), vec![seen(&work.holdall, &work.ada).await]);
        let mut read = 0;
        for _ in 0..OPERATIONS {
            clock.advance(1000);
            let answer = work.step().await;
            assert!(!answer.starts_with("collect Some"), "{answer}");
            answers.push(answer);
            let changes = disk.counts().changes;
            states.push(seen(&work.holdall, &work.ada).await);
            read += disk.counts().changes - changes;
        }
        assert_eq!(read, 0, "reading changes nothing");
        let report = work.holdall.check(&Caller::Operator).await.unwrap();
        assert!(report.is_clean(), "seed {seed}: {report:#?}");
        Golden { answers, states, changes: disk.counts().changes - before }
    })
}

/// Cuts the power after so many changes of the disk; how many operations were acknowledged.
async fn cut(disk: &SimDisk, (seed, calls): (u64, u64), golden: &Golden, skip: Option<Site>) -> usize {
    let clock = Arc::new(SetClock::at(Timestamp(1_000_000)));
    let mut work = Workload::new(open(disk, &clock).unwrap(), seed).await;
    skip.into_iter().for_each(|site| disk.skip(site));
    disk.crash_after(calls);
    for (done, answer) in golden.answers.iter().enumerate() {
        clock.advance(1000);
        if work.step().await != *answer {
            return done;
        }
    }
    OPERATIONS
}

fn clean(report: &CheckReport) -> Result<(), String> {
    if report.is_clean() { Ok(()) } else { Err(format!("{report:#?}")) }
}

/// Opens what a crash left and says what is wrong with it, or whether it had left a folder verb
/// that goes on after the restart; `begun` where that is known.
async fn verify(
    disk: &SimDisk,
    acknowledged: usize,
    golden: &Golden,
    begun: Option<bool>,
) -> Result<bool, String> {
    let clock = Arc::new(SetClock::at(Timestamp(9_000_000)));
    let holdall = open(disk, &clock)?;
    let ada = workload::ada(&holdall).await;
    let check =
        || async { clean(&holdall.check(&Caller::Operator).await.map_err(|error| format!("{error:?}"))?) };
    let stop = CancellationToken::new();
    let begun = match begun {
        Some(begun) => begun,
        None => under_way(&holdall).await,
    };
    if begun {
        check().await.map_err(|error| format!("between two files: {error}"))?;
        holdall.finish_batches(&stop).await.map_err(|error| format!("{error:?}"))?;
        if under_way(&holdall).await {
            return Err("a batch was not finished".into());
        }
    }
    let shown = seen(&holdall, &ada).await;
    let first = acknowledged + usize::from(begun);
    let may = golden.states.iter().skip(first).take(if begun { 1 } else { 2 });
    let same =
        |state: &Vec<String>| if begun { timeless(state) == timeless(&shown) } else { *state == shown };
    if !may.clone().any(same) {
        let next = golden.answers.get(acknowledged);
        let differences: Vec<_> = may.map(|state| differences(state, &shown)).collect();
        return Err(format!("{acknowledged} acknowledged, then {next:?}: {differences:#?}"));
    }
    check().await?;
    holdall.work_off(&stop).await.map_err(|error| format!("{error:?}"))?;
    check().await.map_err(|error| format!("after the jobs: {error}"))?;
    let collected = holdall.collect(&Caller::Operator, true).await.map_err(|error| format!("{error:?}"))?;
    if let Some(why) = collected.aborted {
        return Err(format!("collecting was ended: {why}"));
    }
    check().await.map_err(|error| format!("after collecting: {error}"))?;
    let after = seen(&holdall, &ada).await;
    if after == shown {
        Ok(begun)
    } else {
        Err(format!("jobs or the collector changed: {:#?}", differences(&shown, &after)))
    }
}

async fn under_way(holdall: &Holdall) -> bool {
    holdall.read(|rows| Ok(!batch::all(rows, None, 1)?.is_empty())).await.unwrap()
}

/// Without what a restart in the middle of a verb changes: the time, and the numbers of new nodes.
fn timeless(state: &[String]) -> Vec<String> {
    let timeless = |line: &String| {
        let end = [" at ", ", committed: "].iter().filter_map(|time| line.find(time)).min();
        line.get(..end.unwrap_or(line.len())).unwrap_or_default().to_owned()
    };
    state.iter().map(timeless).collect()
}

fn differences(wanted: &[String], is: &[String]) -> Vec<String> {
    let missing = wanted.iter().filter(|line| !is.contains(line)).map(|line| format!("- {line}"));
    let extra = is.iter().filter(|line| !wanted.contains(line)).map(|line| format!("+ {line}"));
    missing.chain(extra).collect()
}

/// One image, whether it has a batch under way, and one that the power is cut from again while it is opened and put in order.
fn image((seed, calls): (u64, u64), golden: &Golden, skip: Option<Site>) -> Result<bool, String> {
    block_on(async {
        let disk = SimDisk::new();
        let acknowledged = cut(&disk, (seed, calls), golden, skip).await;
        let image = disk.crash(calls);
        let again = image.crash(calls);
        again.crash_after(calls % 60);
        if let Ok(holdall) = open(&again, &Arc::new(SetClock::at(Timestamp(9_000_000)))) {
            drop(holdall.finish_batches(&CancellationToken::new()).await);
            drop(holdall.work_off(&CancellationToken::new()).await);
            drop(holdall.collect(&Caller::Operator, true).await);
        }
        let begun = verify(&image, acknowledged, golden, None).await?;
        let twice = verify(&again.crash(calls + 1), acknowledged, golden, Some(begun)).await;
        twice.map_err(|error| format!("twice: {error}"))?;
        Ok(begun)
    })
}

#[test]
fn what_was_acknowledged_is_seen_in_every_crash_image() {
    if let Ok(one) = std::env::var("HOLDALL_CRASH_SEED") {
        let (seed, calls) = one.split_once(',').expect("<seed>,<calls>");
        let (seed, calls) = (seed.parse().unwrap(), calls.parse().unwrap());
        image((seed, calls), &golden(seed), None).unwrap_or_else(|error| panic!("{error}"));
        return;
    }
    let (mut did, mut between) = (BTreeSet::new(), 0);
    for seed in 0..SEEDS {
        let golden = golden(seed);
        did.extend(golden.answers.iter().filter_map(|answer| answer.split(' ').next().map(str::to_owned)));
        let mut points = Dice(proof::seed("crash") ^ seed);
        for _ in 0..proof::size(CUTS, 100) {
            let calls = points.roll(golden.changes + 1);
            let result = image((seed, calls), &golden, None);
            let begun = result.unwrap_or_else(|error| panic!("HOLDALL_CRASH_SEED={seed},{calls}: {error}"));
            between += usize::from(begun);
        }
    }
    assert!(between > 0, "no cut met a folder between two files");
    for what in WHAT {
        assert!(did.contains(what), "no workload had a {what}: {did:?}");
    }
}

#[test]
fn a_sync_that_is_left_out_is_missed() {
    let golden = golden(3);
    for site in [Site::SegmentData, Site::Meta] {
        let mut points = Dice(2);
        let missed =
            (0..100).any(|_| image((3, points.roll(golden.changes + 1)), &golden, Some(site)).is_err());
        assert!(missed, "{site:?}");
    }
}
