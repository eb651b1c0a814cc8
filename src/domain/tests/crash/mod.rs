//! Power cuts in the middle of a workload: every acknowledged verb is there byte for byte, the one
//! that was cut off is there wholly or not at all, and the check is clean.
//!
//! A workload runs once, and its disk is photographed while it runs, before every change: each
//! picture is one image of what a power cut at that moment could leave (see [`SimDisk::crash`]).
//! An image is opened, and must show what was there before the operation under way or what is
//! there after it; of a moment in which the last of its verbs was answered, what is there after it.
//! While it is opened and put in order it is photographed again, and so on: the
//! power goes up to three times in a row. Only a folder verb that goes file by file may be cut in
//! between: it is finished then, and must show the state behind it.
//!
//! `HOLDALL_CRASH_SEED=<workload>,<operations>,<change>,<image>` looks at one image again.

mod care;
pub(super) mod seen;
pub(super) mod verify;
pub(super) mod workload;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    domain::{Holdall, StartOptions, World, caller::Caller},
    model::time::Timestamp,
    outside::{clock::SetClock, random::SeededRandom},
    proof::{self, Dice},
    store::{
        dir::RoomOptions,
        io::{Io, Site, sim::SimDisk},
        meta::Meta,
    },
};
use seen::seen;
use verify::{Around, verify};
use workload::Workload;
pub(super) use workload::ada;

/// Operations of the workload of which every moment is photographed, and of the others.
const CANONICAL: u64 = 300;
const OPERATIONS: u64 = 60;
/// Images of all workloads together.
const IMAGES: u64 = 20_000;
const LONG: u64 = 1_000_000;

/// A change that every canonical workload comes to, and how soon an image of it is looked at again.
const LATE: u64 = 2000;
const REPLAY: Duration = Duration::from_secs(10);

/// Answers of what the workloads must have done between them.
const WHAT: [&str; 20] = [
    "put", "remove", "Copy", "Move", "make", "begin", "part", "complete", "abort", "Enabled", "bucket",
    "collect", "lock", "unlock", "props", "newcomer", "leaver", "heal", "snapshot", "backup",
];

fn open(disk: &SimDisk, clock: &Arc<SetClock>) -> Result<Arc<Holdall>, String> {
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let options = StartOptions {
        room,
        cache_bytes: 4 << 20,
        segment_bytes: 256 << 10,
        growth_bytes: 64 << 10,
        ..StartOptions::new(io)
    };
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    Holdall::start_by_hand(options, world).map_err(|error| format!("{error}: {:?}", error.reason()))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// One image: of which workload, before which change, and which of that moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Shot {
    seed: u64,
    operations: u64,
    change: u64,
    image: u64,
}

impl Shot {
    fn dice(self) -> Dice {
        let mut dice = Dice(self.seed);
        Dice(dice.next() ^ (self.change << 8) ^ self.image)
    }
}

/// Which images are taken of a workload.
#[derive(Clone, Copy, Debug)]
enum Taken {
    /// So many of every moment whose number, divided by the second, leaves the third.
    Every(u64, u64, u64),
    /// About one of so many moments, one image each.
    OneIn(u64),
    /// This one.
    Only(Shot),
}

impl Taken {
    fn of(self, seed: u64, operations: u64, change: u64) -> Vec<Shot> {
        let shot = |image| Shot { seed, operations, change, image };
        match self {
            Self::Every(count, parts, part) if change % parts == part => (0..count).map(shot).collect(),
            Self::OneIn(many) if shot(0).dice().next().is_multiple_of(many) => vec![shot(0)],
            Self::Only(one) if one.change == change => vec![one],
            _ => Vec::new(),
        }
    }
}

/// What a run of a workload came to.
#[derive(Default)]
struct Outcome {
    did: BTreeSet<String>,
    moments: u64,
    images: u64,
    between: u64,
    failures: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.did.extend(other.did);
        self.moments += other.moments;
        self.images += other.images;
        self.between += other.between;
        self.failures.extend(other.failures);
    }
}

/// An image, and how many verbs were answered by then.
struct Photo {
    shot: Shot,
    image: SimDisk,
    answered: u64,
}

/// Runs a workload, takes images while it does and verifies them.
fn run(seed: u64, operations: u64, taken: Taken) -> Outcome {
    let runtime = runtime();
    let (disk, clock) = (SimDisk::new(), Arc::new(SetClock::at(Timestamp(1_000_000))));
    let work = async { Workload::new(open(&disk, &clock).unwrap(), seed).await.on(&disk).await };
    let mut work = runtime.block_on(work);
    let mut before = Arc::new(runtime.block_on(seen(&work.holdall)));
    let mut outcome = Outcome::default();
    let photos: Arc<Mutex<Vec<Photo>>> = Arc::default();
    let meta = Arc::clone(work.holdall.store.meta());
    let moments = Arc::new(AtomicU64::new(0));
    for _ in 0..operations {
        clock.advance(1000);
        watch(&disk, (seed, operations, taken), (&photos, &moments), Arc::clone(&meta));
        let answer = runtime.block_on(work.step());
        disk.unwatch();
        let answered = meta.counters().verbs;
        outcome.did.extend(answer.split(' ').next().map(str::to_owned));
        let after = Arc::new(runtime.block_on(seen(&work.holdall)));
        let around = Around { before, after: Arc::clone(&after), answer, begun: None };
        let told = Around { before: Arc::clone(&after), ..around.clone() };
        for photo in std::mem::take(&mut *photos.lock().unwrap()) {
            let around = if photo.answered == answered { &told } else { &around };
            judge(&runtime, &photo, around, &mut outcome);
        }
        before = after;
    }
    outcome.moments = moments.load(Ordering::Relaxed);
    let report = runtime.block_on(work.holdall.check(&Caller::Operator)).unwrap();
    assert!(report.is_clean(), "workload {seed}: {report:#?}");
    outcome
}

/// Takes images from now on.
fn watch(
    disk: &SimDisk,
    (seed, operations, taken): (u64, u64, Taken),
    (photos, moments): (&Arc<Mutex<Vec<Photo>>>, &Arc<AtomicU64>),
    meta: Arc<Meta>,
) {
    let (photos, moments) = (Arc::clone(photos), Arc::clone(moments));
    disk.watch(move |moment| {
        moments.fetch_add(1, Ordering::Relaxed);
        for shot in taken.of(seed, operations, moment.number()) {
            // Where everything is durable one image is all there is.
            if shot.image == 0 || !moment.is_settled() {
                let (image, answered) = (moment.crash(shot.dice().next()), meta.counters().verbs);
                photos.lock().unwrap().push(Photo { shot, image, answered });
            }
        }
    });
}

fn judge(runtime: &tokio::runtime::Runtime, photo: &Photo, around: &Around, outcome: &mut Outcome) {
    let Photo { shot, image, .. } = photo;
    let judged = catch_unwind(AssertUnwindSafe(|| runtime.block_on(verify(image, around, shot.dice(), 1))));
    let why = match judged {
        Ok(Ok(verified)) => {
            outcome.images += verified.images;
            outcome.between += u64::from(verified.begun);
            return;
        }
        Ok(Err(why)) => why,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
        }
    };
    let Shot { seed, operations, change, image } = *shot;
    outcome.failures.push(format!(
        "HOLDALL_CRASH_SEED={seed},{operations},{change},{image} cargo test --release --lib \
         what_was_acknowledged_is_seen_in_every_crash_image: {why}"
    ));
}

/// Runs workloads on as many threads as there are processors: `turn` says the next of them, until
/// it says none or something is wrong.
fn on_all_processors(turn: impl Fn(u64, u64) -> Option<(u64, u64, Taken)> + Sync) -> Outcome {
    let sum = Mutex::new(Outcome::default());
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let (images, failed) = {
                        let sum = sum.lock().unwrap();
                        (sum.images, !sum.failures.is_empty())
                    };
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((seed, operations, taken)) = turn(number, images).filter(|_| !failed) else {
                        return;
                    };
                    let outcome = run(seed, operations, taken);
                    sum.lock().unwrap().add(outcome);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

/// Parts that the canonical workload is looked at in, each by one run.
const PARTS: u64 = 8;

#[test]
fn what_was_acknowledged_is_seen_in_every_crash_image() {
    if let Ok(one) = std::env::var("HOLDALL_CRASH_SEED") {
        let numbers: Vec<u64> = one.split(',').map(|number| number.parse().unwrap()).collect();
        let [seed, operations, change, image] = numbers[..] else {
            panic!("HOLDALL_CRASH_SEED=<workload>,<operations>,<change>,<image>")
        };
        let outcome = run(seed, operations, Taken::Only(Shot { seed, operations, change, image }));
        assert!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
        assert!(outcome.images > 0, "no such change");
        return;
    }
    let (first, wanted, begun) =
        (proof::seed("crash") % 1_000_000, proof::size(IMAGES, LONG), Instant::now());
    // Small runs, such as those with a broken rule, have no room for all of the canonical one.
    let parts = if wanted < IMAGES { 0 } else { PARTS };
    let outcome = on_all_processors(|number, images| {
        if number < parts {
            return Some((first, CANONICAL, Taken::Every(1, PARTS, number)));
        }
        (images < wanted).then_some((first + number, OPERATIONS, Taken::OneIn(8)))
    });
    assert!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    let (images, seconds) = (outcome.images, begun.elapsed().as_secs_f64());
    println!(
        "{images} images from workload {first} on, {} within a folder verb, {seconds:.0} s",
        outcome.between
    );
    assert!(images >= wanted);
    if wanted >= IMAGES {
        assert!(outcome.between > 0, "no cut met a folder between two files");
        for what in WHAT {
            assert!(outcome.did.contains(what), "no workload had a {what}: {:?}", outcome.did);
        }
        if proof::is_optimised() {
            replays_soon(first);
        }
    }
}

/// Looks at one image of the canonical workload as the printed command does, which nobody should
/// have to wait for.
fn replays_soon(seed: u64) {
    let (change, image, begun) = (LATE, 0, Instant::now());
    let shot = Shot { seed, operations: CANONICAL, change, image };
    let outcome = run(seed, CANONICAL, Taken::Only(shot));
    let took = begun.elapsed();
    println!("one image again: {:.1} s", took.as_secs_f64());
    assert!(outcome.failures.is_empty() && outcome.images > 0, "{:?}", outcome.failures);
    assert!(took < REPLAY, "{took:?}");
}

/// The workload that another process of [`a_disk_that_never_syncs_may_lose_files_and_never_serves_wrong_bytes`] does.
const LYING: &str = "HOLDALL_LYING_SEED";
/// How it says how many files were served and how many images were not opened.
const TALLY: &str = "served and lost:";

/// A workload on a disk that never syncs, and crashes of it.
fn lied_to(seed: u64) -> (u64, u64) {
    let runtime = runtime();
    let (mut served, mut lost) = (0, 0);
    let (disk, clock) = (SimDisk::new(), Arc::new(SetClock::at(Timestamp(1_000_000))));
    let mut work = runtime.block_on(Workload::new(open(&disk, &clock).unwrap(), seed));
    Site::ALL.iter().for_each(|site| disk.skip(*site));
    let (images, mut dice) = (Arc::new(Mutex::new(Vec::new())), Dice(seed));
    let taken = Arc::clone(&images);
    disk.watch(move |moment| {
        if dice.roll(60) == 0 {
            taken.lock().unwrap().push((moment.number(), moment.crash(dice.next())));
        }
    });
    let mut known = BTreeSet::new();
    for _ in 0..OPERATIONS / 2 {
        clock.advance(1000);
        runtime.block_on(work.step());
        known.extend(runtime.block_on(seen(&work.holdall)).into_iter().filter_map(verify::bytes));
    }
    disk.unwatch();
    for (change, image) in images.lock().unwrap().drain(..) {
        match runtime.block_on(verify::served(&image)) {
            None => lost += 1,
            Some(lines) => {
                for line in lines {
                    assert!(known.contains(&line), "workload {seed}, change {change}: {line}");
                    served += 1;
                }
            }
        }
    }
    (served, lost)
}

/// In other processes: redb asserts where pages contradict each other, and where it does so again
/// while it unwinds, the process ends. So would a server, which then serves nothing.
#[test]
fn a_disk_that_never_syncs_may_lose_files_and_never_serves_wrong_bytes() {
    if let Ok(seed) = std::env::var(LYING) {
        let (served, lost) = lied_to(seed.parse().unwrap());
        return println!("{TALLY} {served} {lost}");
    }
    let name = "domain::tests::crash::a_disk_that_never_syncs_may_lose_files_and_never_serves_wrong_bytes";
    let first = proof::seed("lying") % 1_000_000;
    let (mut served, mut lost, mut ended) = (0, 0, 0);
    for seed in first..first + proof::size(10, 1000) {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args([name, "--exact", "--nocapture"]).env(LYING, seed.to_string());
        let said = child.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        if let Some((_, tally)) = out.lines().find_map(|line| line.split_once(TALLY)) {
            let counts: Vec<u64> = tally.split_whitespace().map(|count| count.parse().unwrap()).collect();
            served += counts[0];
            lost += counts[1];
        } else {
            let redb = err.contains("panic in a destructor") && err.contains("/redb-");
            assert!(redb, "{LYING}={seed} cargo test --lib {name}\n{out}\n{err}");
            ended += 1;
        }
    }
    println!("{served} files served, {lost} images not opened, {ended} workloads ended by redb");
    assert!(served > 0 && lost > 0);
}
