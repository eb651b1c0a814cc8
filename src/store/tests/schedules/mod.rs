//! Uploads that find what others sent, deletions, readers and the collector, step by step in very
//! many orders: a scheduler says at every lock, channel and flag who goes on. Rows are in memory,
//! segments on a simulated disk.
//!
//! Under random schedules and under those that change their mind in few places, which find what
//! needs a certain order of few steps (Burckhardt and others, ASPLOS 2010). A failing schedule is
//! printed with the command that replays it.

mod crash;
mod doubt;
mod scenes;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use shuttle::{
    Config, FailurePersistence, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler},
};

use super::*;
use crate::{
    proof,
    store::{
        collect::{CollectOptions, Collector, Report, Step},
        meta::{
            InMemory, Keeper,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
        sync::atomic::{AtomicI64, Ordering},
    },
};

const COLLECT: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };
/// Changes of mind of a schedule that has few.
const CHANGES: usize = 4;
/// Steps after which a schedule leads nowhere.
const STEPS: usize = 200_000;
const HOUR_MS: i64 = 3_600_000;
const NAMES: &[u8] = b"body-";
/// Few records make a segment full.
const SEGMENT: u64 = 6_500;

/// Runs a scene under `usual` schedules, or `long` ones by hand; a twentieth of them where the
/// build is not optimised.
fn explore(test: &str, usual: u64, long: u64, scene: fn()) {
    let share = if proof::is_optimised() { 1 } else { 20 };
    let half = usize::try_from(proof::size(usual, long).div_ceil(2 * share)).unwrap();
    let seed = proof::seed(test);
    if let Ok(schedule) = std::env::var("HOLDALL_SCHEDULE") {
        run(test, ReplayScheduler::new_from_encoded(&schedule), scene);
    } else {
        run(test, PctScheduler::new_from_seed(seed, CHANGES, half), scene);
        run(test, RandomScheduler::new_from_seed(seed, half), scene);
    }
}

fn run(test: &str, scheduler: impl Scheduler + 'static, scene: fn()) {
    // One folder for all: where schedules go is settled once in a process.
    let failed = std::env::temp_dir().join("holdall-schedules");
    std::fs::create_dir_all(&failed).unwrap();
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::File(Some(failed.clone()));
    let ran = catch_unwind(AssertUnwindSafe(|| Runner::new(scheduler, config).run(scene)));
    let Err(panic) = ran else { return };
    for file in std::fs::read_dir(failed).unwrap() {
        let file = file.unwrap().path();
        let schedule: String = std::fs::read_to_string(&file).unwrap().split_whitespace().collect();
        eprintln!("replay: HOLDALL_SCHEDULE={schedule} cargo test --lib {test}");
        std::fs::remove_file(file).unwrap();
    }
    resume_unwind(panic);
}

/// What a crash of the process leaves.
#[derive(Clone)]
struct World {
    disk: SimDisk,
    rows: InMemory,
    clock: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self { disk: SimDisk::new(), rows: InMemory::default(), clock: Arc::default() }
    }

    fn open(&self) -> Arc<Store> {
        let clock = Arc::clone(&self.clock);
        let now = Arc::new(move || Timestamp(clock.fetch_add(1000, Ordering::Relaxed)));
        let keeper = Keeper::InMemory(self.rows.clone());
        let (segment_bytes, growth_bytes) = (SEGMENT, 4096);
        let small = StoreOptions { keeper, now, segment_bytes, growth_bytes, ..options(self.disk.clone()) };
        Store::open(small).unwrap()
    }
}

/// The pieces a content is made of, each a chunk; contents share them.
fn pieces(content: u8) -> &'static [u8] {
    match content {
        0 => &[0],
        1 => &[1],
        2 => &[0, 1],
        3 => &[2, 0],
        _ => &[3],
    }
}

fn bytes_of(content: u8) -> Vec<u8> {
    pieces(content).iter().flat_map(|piece| noise(&format!("piece {piece}"), 500)).collect()
}

/// Sends a content; nothing is committed yet.
fn send(store: &Store, content: u8) -> Result<Arc<Staged>, StoreError> {
    let mut ingest = store.begin(&account(1))?;
    for piece in pieces(content) {
        ingest.write(&noise(&format!("piece {piece}"), 500))?;
        ingest.chunks.end_chunk()?;
    }
    Ok(Arc::new(ingest.finish()?))
}

fn name(name: u8) -> Vec<u8> {
    [NAMES, &[name]].concat()
}

fn value(id: ManifestId, content: u8) -> Vec<u8> {
    [&id.0.to_be_bytes()[..], &[content]].concat()
}

fn parse(value: &[u8]) -> (ManifestId, u8) {
    (ManifestId(u64::from_be_bytes(value[..8].try_into().unwrap())), value[8])
}

/// Lets go of what has a name, in the verb of whatever takes its place.
fn unname(tx: &mut dyn RowsMut, key: &[u8]) -> Result<(), StoreError> {
    if let Some(old) = tx.get(Table::Config, key)? {
        manifest::release(tx, parse(&old).0)?;
        tx.delete(Table::Config, key.to_vec());
    }
    Ok(())
}

/// Commits what was sent under a name.
fn commit(store: &Store, at: u8, staged: Arc<Staged>, content: u8) -> Result<ManifestId, StoreError> {
    let (key, sealed) = (name(at), Arc::clone(&staged));
    store.apply(Some(staged), move |tx| {
        unname(tx, &key)?;
        let id = sealed.seal(tx)?;
        tx.put(Table::Config, key.clone(), value(id, content));
        Ok(id)
    })
}

fn upload(store: &Store, at: u8, content: u8) -> ManifestId {
    commit(store, at, send(store, content).unwrap(), content).unwrap()
}

fn remove(store: &Store, at: u8) {
    let key = name(at);
    store.apply(None, move |tx| unname(tx, &key)).unwrap();
}

fn collect(store: &Arc<Store>) -> Report {
    Collector::begin(store, COLLECT).unwrap().run().unwrap()
}

/// Everything that has a name.
fn named(store: &Store) -> Vec<(u8, ManifestId, u8)> {
    let rows = store.snapshot().unwrap();
    let found = rows.scan(Table::Config, &KeyRange::prefix(NAMES.to_vec()), Order::Forward, 100).unwrap();
    let parsed = found.iter().map(|(key, value)| (key[NAMES.len()], parse(value)));
    parsed.map(|(name, (id, content))| (name, id, content)).collect()
}

/// What has a name is whole and every count adds up; then two runs of the collector leave nothing
/// else.
fn check(store: &Arc<Store>) {
    store.step_all();
    let sound = || {
        let named = named(store);
        for (name, id, content) in &named {
            assert!(get(store, *id).unwrap() == bytes_of(*content), "{name}: {id} is not content {content}");
        }
        let ids: Vec<_> = named.iter().map(|(_, id, _)| *id).collect();
        let count = recount(store, &ids);
        assert_eq!(count.findings, []);
        (count.queued, count.unreferenced)
    };
    sound();
    for _ in 0..2 {
        let report = collect(store);
        assert!(report.damaged.is_empty(), "{report:?}");
    }
    assert_eq!((sound(), store.blobs().pins().count()), ((0, 0), 0));
}

/// Starts something that goes on beside the others.
fn beside<T: Send + 'static>(
    store: &Arc<Store>,
    act: impl FnOnce(Arc<Store>) -> T + Send + 'static,
) -> shuttle::thread::JoinHandle<T> {
    let store = Arc::clone(store);
    shuttle::thread::spawn(move || act(store))
}

/// Waits for all of them.
fn join<const N: usize>(threads: [shuttle::thread::JoinHandle<()>; N]) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// The same; then everything must be as it should.
fn end<const N: usize>(store: &Arc<Store>, threads: [shuttle::thread::JoinHandle<()>; N]) {
    join(threads);
    check(store);
}

/// A number below `sides`, chosen by the schedule.
fn roll(sides: u64) -> u64 {
    use shuttle::rand::Rng as _;
    shuttle::rand::thread_rng().gen_range(0..sides)
}
