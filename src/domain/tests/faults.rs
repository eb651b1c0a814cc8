//! The n-th call of the disk fails, once or for ever after: whatever a workload does then, what it
//! was told stands, what was refused is not there, and it goes on when the disk works again.
//!
//! A run without a fault writes down what is to be seen after each operation. A case follows it up
//! to the first other answer, works on while the disk fails, is put right by the watch, and is cut
//! off from the power. `HOLDALL_FAILED_CALL=<seed>,<fault>,<call>,<once or ever>` runs one case again,
//! `<seed>,<fault>` all of that workload and fault.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::crash::{
    seen::seen,
    verify::{differences, timeless, under_way},
    workload::Workload,
};
use crate::{
    domain::{
        Holdall, Portion, StartOptions, World,
        caller::Caller,
        health::{Readiness, Unready, Watch},
    },
    model::time::Timestamp,
    outside::{clock::SetClock, random::SeededRandom},
    proof::{self, Dice},
    store::{
        dir::RoomOptions,
        io::{
            Io,
            sim::{
                SimDisk,
                fault::{Failing, FaultyDisk, Plan},
            },
        },
        meta::Health,
    },
};

/// Workloads, and operations of each: 300 together.
const SEEDS: u64 = 6;
const OPERATIONS: usize = 50;
/// What stands for all calls of the disk.
const ALL: u64 = 2000;
/// Operations after the one that met the fault.
const MORE: usize = 4;

fn open(io: Arc<dyn Io>, clock: &Arc<SetClock>) -> Result<Arc<Holdall>, String> {
    let room = RoomOptions { reserve_bytes: Some(1 << 20), full_below_bytes: Some(8 << 20) };
    let options = StartOptions { room, cache_bytes: 4 << 20, ..StartOptions::new(io) };
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    Holdall::start_by_hand(options, world).map_err(|error| format!("{error}: {:?}", error.reason()))
}

fn clock(at: i64) -> Arc<SetClock> {
    Arc::new(SetClock::at(Timestamp(at)))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What a run without a fault shows.
struct Golden {
    answers: Vec<String>,
    /// Before the first operation and after each.
    states: Vec<Vec<String>>,
    /// Calls that each fault is about.
    calls: Vec<(Failing, u64)>,
}

fn golden(seed: u64) -> Golden {
    block_on(async {
        let disk = FaultyDisk::new(SimDisk::new());
        let clock = clock(1_000_000);
        let mut work = Workload::new(open(Arc::new(disk.clone()), &clock).unwrap(), seed).await;
        disk.plan(Plan { fault: Failing::Read, call: u64::MAX, forever: false });
        let mut answers = Vec::new();
        for _ in 0..OPERATIONS {
            clock.advance(1000);
            answers.push(work.step().await);
        }
        let calls = Failing::ALL.map(|fault| (fault, disk.calls(fault))).to_vec();
        // Looking reads, too, so another run does it.
        let clock = self::clock(1_000_000);
        let mut work = Workload::new(open(Arc::new(SimDisk::new()), &clock).unwrap(), seed).await;
        let mut states = vec![seen(&work.holdall).await];
        for answer in &answers {
            clock.advance(1000);
            assert_eq!(work.step().await, *answer);
            states.push(seen(&work.holdall).await);
        }
        Golden { answers, states, calls }
    })
}

/// One workload on its way through a fault.
struct Case<'a> {
    golden: &'a Golden,
    plan: Plan,
    sim: SimDisk,
    disk: FaultyDisk,
    clock: Arc<SetClock>,
    work: Workload,
    /// Operations that answered as they should.
    done: usize,
}

/// Words that an answer to the fault may have. Everything else is the wrong kind.
fn fits(fault: Failing, answer: &str) -> bool {
    let Some((_, error)) = answer.split_once(": ") else { return false };
    let full = matches!(fault, Failing::Full | Failing::Allocate) && error == "the disk is full";
    let busy = fault == Failing::Descriptors && error == "too busy: too many files are open";
    let failed = !matches!(fault, Failing::Full | Failing::Allocate) && error == "internal error";
    full || busy || failed || error == "not available at the moment"
}

impl<'a> Case<'a> {
    async fn new(seed: u64, plan: Plan, golden: &'a Golden) -> Self {
        let sim = SimDisk::new();
        let disk = FaultyDisk::new(sim.clone());
        let clock = clock(1_000_000);
        let work = Workload::new(open(Arc::new(disk.clone()), &clock).unwrap(), seed).await;
        disk.plan(plan);
        Self { golden, plan, sim, disk, clock, work, done: 0 }
    }

    async fn step(&mut self) -> String {
        self.clock.advance(1000);
        self.work.step().await
    }

    async fn seen(&self) -> Vec<String> {
        seen(&self.work.holdall).await
    }

    /// Nothing panicked.
    fn calm(&self) -> Result<(), String> {
        let panics = self.work.holdall.verb_panics(&Caller::Operator).unwrap();
        match self.work.holdall.store.meta().health() {
            Health::Failed(why) if why.contains("contradicts") || why.contains("internal fault") => Err(why),
            _ if panics > 0 => Err(format!("{panics} panics")),
            _ => Ok(()),
        }
    }

    /// Follows the run without a fault to the first other answer, which is the fault's.
    async fn meet(&mut self) -> Result<Option<String>, String> {
        let mut hit = false;
        for answer in &self.golden.answers {
            let got = self.step().await;
            self.calm()?;
            if got == *answer {
                self.done += 1;
                if self.disk.was_hit() && !std::mem::replace(&mut hit, true) {
                    self.stands(answer).await?;
                }
                continue;
            }
            if !self.disk.was_hit() {
                return Err(format!("operation {} without a fault: {got}, not {answer}", self.done));
            }
            if !fits(self.plan.fault, &got) && !got.starts_with("collect Some") {
                return Err(format!("operation {}: {got}, where {answer} was to be", self.done));
            }
            return Ok(Some(got));
        }
        Ok(None)
    }

    /// Nobody was told of the fault, so what was answered is there if the power goes now.
    async fn stands(&self, answer: &str) -> Result<(), String> {
        let cut = restarted(self, self.plan.call).await.map_err(|why| format!("{answer}: {why}"))?;
        let after = cut.shown;
        let wanted = &self.golden.states[self.done];
        if timeless(wanted) == timeless(&after) {
            return Ok(());
        }
        Err(format!(
            "after {answer}, a fault of which nobody was told and a power cut: {:#?}",
            differences(wanted, &after)
        ))
    }

    /// What may be seen now: as before the operation that met the fault, or after it.
    fn may(&self) -> impl Iterator<Item = &Vec<String>> {
        self.golden.states.iter().skip(self.done).take(2)
    }

    /// While the disk fails nothing wrong is shown, and what is not shown is an error.
    async fn looks_right(&self, answer: &str) -> Result<(), String> {
        let shown = self.seen().await;
        self.calm()?;
        if under_way(&self.work.holdall).await.unwrap_or(false) || self.may().any(|state| *state == shown) {
            return Ok(());
        }
        let told = |line: &String| self.may().any(|state| state.contains(line));
        let error =
            |line: &String| ["Internal", "Unavailable", "Busy"].iter().any(|word| line.contains(word));
        let wrong: Vec<_> = shown.iter().filter(|line| !told(line) && !error(line)).collect();
        let silent = !shown.iter().any(error) && self.work.holdall.ready() == Readiness::Ready;
        if !wrong.is_empty() || (silent && !self.plan.forever) {
            return Err(format!("after {answer}: it shows {wrong:#?} of {shown:#?}"));
        }
        Ok(())
    }

    /// What may be seen once every batch is finished: a verb that was `begun` file by file is done.
    fn one_of_two(&self, begun: bool, shown: &[String]) -> Result<(), String> {
        let may: Vec<_> = self.may().skip(usize::from(begun)).collect();
        let shown_timeless = timeless(shown);
        if may.iter().any(|state| timeless(state) == shown_timeless) {
            return Ok(());
        }
        let all: Vec<_> = may.into_iter().map(|state| differences(state, shown)).collect();
        Err(format!("a batch: {begun}, {all:#?}"))
    }

    /// The disk works again: so does everything else, at once or after the next start. Whether a
    /// batch was under way, and what is seen.
    async fn mend(&mut self) -> Result<(bool, Vec<String>), String> {
        self.disk.heal();
        self.clock.advance(5000);
        let holdall = Arc::clone(&self.work.holdall);
        let later = Instant::now() + Duration::from_secs(100);
        Watch::new().look(&holdall.store, &holdall.health, later);
        match holdall.ready() {
            Readiness::Ready => {}
            Readiness::No(Unready::Segments) if self.plan.forever || self.plan.fault == Failing::SyncDir => {}
            other => {
                return Err(format!("it does not recover: {other:?}, {:?}", holdall.store.meta().health()));
            }
        }
        let told = |error| format!("{error:?}");
        let begun = under_way(&holdall).await?;
        holdall.finish_batches(&CancellationToken::new()).await.map_err(told)?;
        if self.plan.fault == Failing::Read {
            // What the disk refused to read is damage until it was read again.
            let scrubbed = holdall.scrub(&Caller::Operator, Portion::ALL).await.map_err(told)?;
            if scrubbed.damaged > 0 {
                return Err(format!("still damaged: {scrubbed:?}"));
            }
        }
        Ok((begun, self.seen().await))
    }
}

async fn clean(holdall: &Holdall) -> Result<(), String> {
    let report = holdall.check(&Caller::Operator).await.map_err(|error| format!("{error:?}"))?;
    if report.is_clean() { Ok(()) } else { Err(format!("{report:#?}")) }
}

/// Jobs, the collector and the check find nothing wrong, and change nothing that is seen.
async fn sound(holdall: &Holdall) -> Result<(), String> {
    clean(holdall).await?;
    let told = |error| format!("{error:?}");
    holdall.work_off(&CancellationToken::new()).await.map_err(told)?;
    let collected = holdall.collect(&Caller::Operator, true).await.map_err(told)?;
    match collected.aborted {
        Some(why) => Err(format!("collecting was ended: {why}")),
        None => clean(holdall).await,
    }
}

/// A start after a power cut.
struct Restarted {
    holdall: Arc<Holdall>,
    /// A batch was under way.
    begun: bool,
    shown: Vec<String>,
}

/// Cuts the power off and starts again.
async fn restarted(case: &Case<'_>, cut: u64) -> Result<Restarted, String> {
    let holdall =
        open(Arc::new(case.sim.crash(cut)), &case.clock).map_err(|error| format!("start: {error}"))?;
    let begun = under_way(&holdall).await?;
    holdall.finish_batches(&CancellationToken::new()).await.map_err(|error| format!("{error:?}"))?;
    let shown = seen(&holdall).await;
    Ok(Restarted { holdall, begun, shown })
}

fn same(what: &str, shown: &[String], wanted: &[String]) -> Result<(), String> {
    if shown == wanted { Ok(()) } else { Err(format!("{what}: {:#?}", differences(wanted, shown))) }
}

/// What a case, or many, came to.
#[derive(Clone, Copy, Default)]
struct Ran {
    cases: u64,
    /// The fault was noticed.
    met: u64,
    /// It left a verb that goes file by file in between.
    begun: u64,
}

impl Ran {
    fn and(self, other: Self) -> Self {
        let (cases, met) = (self.cases + other.cases, self.met + other.met);
        Self { cases, met, begun: self.begun + other.begun }
    }
}

/// Runs one case.
async fn case(seed: u64, plan: Plan, golden: &Golden) -> Result<Ran, String> {
    let mut case = Case::new(seed, plan, golden).await;
    let met = case.meet().await?;
    let mut between = false;
    if let Some(answer) = &met {
        case.looks_right(answer).await?;
        let cut = restarted(&case, plan.call).await.map_err(|why| format!("cut at once: {why}"))?;
        between |= cut.begun;
        case.one_of_two(cut.begun, &cut.shown)
            .map_err(|why| format!("after {answer} and a power cut: {why}"))?;
        if plan.forever {
            for _ in 0..MORE {
                case.step().await;
                case.calm()?;
            }
        }
    }
    let (begun, mended) = case.mend().await?;
    between |= begun;
    if !plan.forever {
        case.one_of_two(begun, &mended).map_err(|why| format!("after {met:?} and mending: {why}"))?;
    }
    if case.work.holdall.ready() == Readiness::Ready {
        for _ in 0..MORE {
            let answer = case.step().await;
            case.calm()?;
            if fits(plan.fault, &answer) {
                return Err(format!("the disk works, and still: {answer}"));
            }
        }
        sound(&case.work.holdall).await.map_err(|why| format!("mended: {why}"))?;
    }
    let shown = case.seen().await;
    let Restarted { holdall, shown: after, .. } = restarted(&case, plan.call + 1).await?;
    same("after a power cut", &after, &shown)?;
    sound(&holdall).await.map_err(|why| format!("restarted: {why}"))?;
    same("after jobs", &seen(&holdall).await, &shown)?;
    Ok(Ran { cases: 1, met: met.is_some().into(), begun: between.into() })
}

fn name(seed: u64, plan: Plan) -> String {
    let how = if plan.forever { "ever" } else { "once" };
    format!("HOLDALL_FAILED_CALL={seed},{:?},{},{how}", plan.fault, plan.call)
}

/// A workload, and what of it is run again.
fn named(text: &str) -> (u64, Golden, Vec<Plan>) {
    let parts: Vec<_> = text.split(',').collect();
    let (seed, fault, call) = match parts[..] {
        [seed, fault] => (seed, fault, None),
        [seed, fault, call, how] => (seed, fault, Some((call.parse().unwrap(), how == "ever"))),
        _ => panic!("<seed>,<fault>,<call>,<once or ever>"),
    };
    let fault = Failing::ALL.into_iter().find(|one| format!("{one:?}") == fault).expect("a fault");
    let seed = seed.parse().unwrap();
    let golden = golden(seed);
    let all = golden
        .calls
        .iter()
        .filter(|(of, _)| *of == fault)
        .flat_map(|(_, calls)| (0..*calls).flat_map(|call| [false, true].map(|forever| (call, forever))));
    let plans = call.map_or_else(|| all.collect(), |one| vec![one]);
    let plans = plans.into_iter().map(|(call, forever)| Plan { fault, call, forever }).collect();
    (seed, golden, plans)
}

fn run(seed: u64, plan: Plan, golden: &Golden) -> Ran {
    let replay = format!("{} cargo test --lib faults::whatever_call", name(seed, plan));
    let ran =
        block_on(async { tokio::time::timeout(Duration::from_secs(60), case(seed, plan, golden)).await });
    ran.map_err(|_| "it hangs".to_owned()).flatten().unwrap_or_else(|why| panic!("{replay}\n{why}"))
}

#[test]
fn whatever_call_of_the_disk_fails_what_was_told_stands_and_the_rest_is_not_there() {
    if let Ok(one) = std::env::var("HOLDALL_FAILED_CALL") {
        let (seed, golden, plans) = named(&one);
        for plan in plans {
            run(seed, plan, &golden);
        }
        return;
    }
    // A twentieth of all calls, another with each commit.
    let every = (ALL / proof::size(ALL / 20, ALL)).max(1);
    let ran: Vec<Ran> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SEEDS).map(|seed| scope.spawn(move || all(seed, every))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let Ran { cases, met, begun } = ran.into_iter().fold(Ran::default(), Ran::and);
    println!("{cases} cases, of which {met} were answered otherwise and {begun} were left between two files");
    assert!(met * 4 > cases, "{met} of {cases}");
}

/// Every so many-th call of a workload.
fn all(seed: u64, every: u64) -> Ran {
    let golden = golden(seed);
    let mut ran = Ran::default();
    let mut dice = Dice(proof::seed("faults") ^ seed);
    for &(fault, calls) in &golden.calls {
        for call in 0..calls {
            for forever in [false, true] {
                if dice.roll(every) == 0 {
                    ran = ran.and(run(seed, Plan { fault, call, forever }, &golden));
                }
            }
        }
    }
    ran
}
