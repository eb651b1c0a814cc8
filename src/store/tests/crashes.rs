//! Power cuts in the middle of a workload: what was acknowledged is whole, what was not is there
//! whole or not at all, and every count adds up. The workload deletes, collects and compacts; what
//! a crash leaves is collected to the end.

use std::collections::BTreeMap;

use super::*;
use crate::proof::Dice;
use crate::store::{
    collect::{CollectOptions, Collector, Step},
    io::Site,
    meta::{
        rows::{KeyRange, Order, Rows, RowsMut},
        table::Table,
    },
    segments::Finding,
};

const OPERATIONS: u64 = 50;
const COLLECT: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };
const NAMES: &[u8] = b"body-";

/// What is behind a name: the seed and length of the bytes.
type Content = (u64, usize);

fn bytes_of((seed, length): Content) -> Vec<u8> {
    let mut bytes = noise(&seed.to_string(), length);
    if seed.is_multiple_of(3) {
        bytes[length / 2..].fill(0);
    }
    bytes
}

fn name(number: u64) -> Vec<u8> {
    [NAMES, &[number as u8]].concat()
}

fn value(id: ManifestId, (seed, length): Content) -> Vec<u8> {
    [id.0, seed, length as u64].map(u64::to_be_bytes).concat()
}

fn parse(value: &[u8]) -> (ManifestId, Content) {
    let number = |at: usize| u64::from_be_bytes(value[at..at + 8].try_into().unwrap());
    (ManifestId(number(0)), (number(8), number(16) as usize))
}

/// What must be there, and, by name, what an operation without an answer may have made of it.
#[derive(Default)]
struct Expected {
    sure: BTreeMap<Vec<u8>, Content>,
    open: Option<(Vec<u8>, Option<Content>)>,
    /// It ran to its end.
    finished: bool,
}

/// Goes on with a run of the collector, or begins one.
fn collect(store: &Arc<Store>, run: &mut Option<Collector>, steps: u64) -> Result<(), StoreError> {
    let mut collector = run.take().map_or_else(|| Collector::begin(store, COLLECT), Ok)?;
    for _ in 0..steps {
        if collector.step()? == Step::Done {
            return Ok(());
        }
    }
    *run = Some(collector);
    Ok(())
}

/// Sets a name to new content, or to none, and lets go of the old; `between` happens after the
/// bytes were sent and before anything is committed.
fn operate(
    store: &Store,
    key: &[u8],
    content: Option<Content>,
    between: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let staged = content.map(|content| {
        let bytes = bytes_of(content);
        let mut ingest =
            store.begin(&IngestOptions { size: Some(bytes.len() as u64), ..account(content.0 % 2 + 1) })?;
        ingest.write(&bytes)?;
        Ok::<_, StoreError>((Arc::new(ingest.finish()?), content))
    });
    let staged = staged.transpose()?;
    between()?;
    let (key, body) = (key.to_vec(), staged.as_ref().map(|(staged, _)| Arc::clone(staged)));
    store.apply(body, move |tx| {
        if let Some(old) = tx.get(Table::Config, &key)? {
            manifest::release(tx, parse(&old).0)?;
        }
        match &staged {
            Some((staged, content)) => {
                let id = staged.seal(tx)?;
                tx.put(Table::Config, key.clone(), value(id, *content));
            }
            None => tx.delete(Table::Config, key.clone()),
        }
        Ok(())
    })
}

fn small(io: impl Io + 'static) -> StoreOptions {
    StoreOptions { segment_bytes: 400_000, growth_bytes: 64 << 10, batch_bytes: 200_000, ..options(io) }
}

/// Runs until the end or the first failure; what may be relied on.
fn run(disk: &SimDisk, seed: u64) -> Expected {
    let mut expected = Expected::default();
    let Ok(store) = Store::open(small(disk.clone())) else { return expected };
    let (mut dice, mut collector) = (Dice(seed), None);
    for _ in 0..OPERATIONS {
        if dice.roll(3) == 0 && collect(&store, &mut collector, dice.roll(60)).is_err() {
            return expected;
        }
        let key = name(dice.roll(12));
        let length = match dice.roll(10) {
            0 => 0,
            1 => 300_000 + dice.roll(400_000),
            2..5 => 60_000 + dice.roll(20_000),
            _ => dice.roll(5_000),
        };
        let content = (dice.roll(4) > 0).then(|| (dice.roll(20), length as usize));
        expected.open = Some((key.clone(), content));
        let steps = if dice.roll(4) == 0 { dice.roll(20) } else { 0 };
        if operate(&store, &key, content, || collect(&store, &mut collector, steps)).is_err() {
            return expected;
        }
        expected.open = None;
        match content {
            Some(content) => drop(expected.sure.insert(key, content)),
            None => drop(expected.sure.remove(&key)),
        }
    }
    expected.finished = true;
    expected
}

/// Opens what a crash left and says what is wrong with it.
fn check(disk: &SimDisk, expected: &Expected) -> Result<(), String> {
    let store = Store::open(small(disk.clone())).map_err(|error| error.to_string())?;
    let rows = store.snapshot().map_err(|error| error.to_string())?;
    let range = KeyRange::prefix(NAMES.to_vec());
    let found = rows.scan(Table::Config, &range, Order::Forward, 100).map_err(|error| error.to_string())?;
    let found: BTreeMap<_, _> = found.into_iter().map(|(key, value)| (key, parse(&value))).collect();
    let names = expected.sure.keys().chain(found.keys()).chain(expected.open.iter().map(|(key, _)| key));
    for key in names {
        let is = found.get(key).map(|(_, content)| *content);
        let may = expected.open.as_ref().filter(|(open, _)| open == key).map(|(_, content)| *content);
        if is != expected.sure.get(key).copied() && Some(is) != may {
            return Err(format!("{key:?} is {is:?}"));
        }
    }
    for (id, content) in found.values() {
        let bytes = get(&store, *id).map_err(|error| format!("{content:?}: {error}"))?;
        if bytes != bytes_of(*content) {
            return Err(format!("{content:?} has other bytes"));
        }
    }
    let recount = || {
        let rows = store.snapshot().map_err(|error| error.to_string())?;
        let mut references = found.values().map(|(id, _)| Ok(*id));
        let recount = verify::recount(&rows, &mut references).map_err(|error| error.to_string())?;
        if recount.is_clean() { Ok(recount) } else { Err(format!("{:?}", recount.findings)) }
    };
    recount()?;
    if let Some(lost) = store.recovered().iter().find(|it| it.finding == Finding::Missing) {
        return Err(format!("segment {} lost its file", lost.segment));
    }
    // A segment that never got its header has a row too; nothing is in it.
    let used = super::super::blobs::used_segments(&rows).map_err(|error| error.to_string())?;
    for (segment, state) in super::super::blobs::known_segments(&rows).map_err(|error| error.to_string())? {
        if state.sealed && used.contains(&segment) {
            store.segments().footer(segment).map_err(|error| error.to_string())?;
        }
    }
    drop(rows);
    let collected = Collector::begin(&store, COLLECT).and_then(Collector::run);
    collected.map_err(|error| format!("collecting: {error}"))?;
    for (id, content) in found.values() {
        if get(&store, *id).map_err(|error| format!("collected {content:?}: {error}"))? != bytes_of(*content)
        {
            return Err(format!("{content:?} has other bytes after collecting"));
        }
    }
    let left = recount()?;
    if (left.queued, left.unreferenced) != (0, 0) {
        return Err(format!("{left:?} after collecting"));
    }
    let usage = crate::store::collect::usage(&store, &|| Ok(())).map_err(|error| error.to_string())?;
    // A segment that is written is ended once; what was moved is in it.
    if usage.dead_bytes > usage.live_bytes / 5 + 3 * 4096 {
        return Err(format!("{usage:?} after collecting"));
    }
    Ok(())
}

/// Cuts the power after so many changes of the disk, on an image of the seed; and once more while
/// that is being opened.
fn cut(seed: u64, calls: u64, skip: Option<Site>) -> Result<(), String> {
    let disk = SimDisk::new();
    skip.into_iter().for_each(|site| disk.skip(site));
    disk.crash_after(calls);
    let expected = run(&disk, seed);
    let image = disk.crash(seed);
    let again = image.crash(seed);
    skip.into_iter().for_each(|site| again.skip(site));
    again.crash_after(seed % 40);
    drop(Store::open(small(again.clone())));
    check(&again.crash(seed + 1), &expected).map_err(|error| format!("twice: {error}"))?;
    check(&image, &expected)
}

fn changes(seed: u64) -> u64 {
    let disk = SimDisk::new();
    let expected = run(&disk, seed);
    assert!(expected.finished, "seed {seed} without a crash");
    disk.counts().changes
}

#[test]
fn what_was_acknowledged_is_whole_in_every_crash_image() {
    let mut points = Dice(1);
    for seed in 0..10 {
        let changes = changes(seed);
        for _ in 0..20 {
            let calls = points.roll(changes + 1);
            cut(seed, calls, None).unwrap_or_else(|error| panic!("seed {seed}, {calls} calls: {error}"));
        }
    }
}

#[test]
fn every_sync_that_is_left_out_is_missed() {
    let changes = changes(3);
    for &site in Site::ALL {
        // A reserve that is gone is made again; nothing was promised by it. The names in the
        // root are synced again by whoever makes a folder there; `dir` tests that site alone. The
        // keys are the domain's, which tests theirs. A store goes on without snapshots
        // and backups, and nothing is rebuilt here.
        if matches!(
            site,
            Site::Reserve
                | Site::RootDir
                | Site::Keys
                | Site::KeysDir
                | Site::KeptData
                | Site::KeptDir
                | Site::SnapshotData
                | Site::SnapshotDir
                | Site::BackupData
                | Site::BackupDir
        ) {
            continue;
        }
        let mut points = Dice(2);
        // Every third cut is in the opening, which is a small part of the whole.
        let mut point = |turn: u64| points.roll(if turn.is_multiple_of(3) { 60 } else { changes + 1 });
        let missed = (0..150).any(|turn| cut(3, point(turn), Some(site)).is_err());
        assert!(missed, "{site:?}");
    }
}
