//! Data directories of released formats, in `tests/golden`: every later build opens them and shows
//! what was written. They are never written again; [`make`] says how one comes to be.

mod decay;
mod make;
mod pack;
mod told;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    domain::{Holdall, StartOptions, World},
    model::time::Timestamp,
    outside::{clock::SetClock, random::SeededRandom},
    store::{
        dir::RoomOptions,
        io::{Io, Mode, sim::SimDisk},
        meta::{
            rows::{Rows as _, RowsMut as _},
            table::Table,
        },
    },
};
use pack::{files, packed, unpacked};
use told::told;

const RELEASED: [&str; 1] = ["format-1"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The data directory of each released format, packed, and what is in it.
fn released() -> impl Iterator<Item = (Vec<u8>, String)> {
    let read = |name: &&str| {
        let archive = fs::read(golden(&format!("{name}.zst"))).unwrap();
        (archive, fs::read_to_string(golden(&format!("{name}.txt"))).unwrap())
    };
    RELEASED.iter().map(read)
}

fn open(disk: &SimDisk) -> Result<Arc<Holdall>, Error> {
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let options = StartOptions { room, create: false, cache_bytes: 4 << 20, ..StartOptions::new(io) };
    let clock = Arc::new(SetClock::at(Timestamp(make::BEGAN + 3600 * 1000)));
    Holdall::start_by_hand(options, World { clock, random: Arc::new(SeededRandom::new(2)) })
}

async fn version(holdall: &Holdall) -> Vec<u8> {
    holdall.read(|rows| Ok(rows.get(Table::Config, b"version")?.unwrap())).await.unwrap()
}

fn format(disk: &SimDisk) -> Vec<u8> {
    let file = disk.open("FORMAT", Mode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// Everything, with the passwords and the key that were given out.
async fn all(holdall: &Arc<Holdall>) -> Vec<String> {
    let clock = Arc::new(SetClock::at(Timestamp(0)));
    let trial = Trial { disk: Arc::default(), clock, holdall: Arc::clone(holdall) };
    let (ada, bob) = (trial.caller("ada").await, trial.caller("bob").await);
    trial.by_key(make::KEY.0, &Secret::new(make::KEY.1)).await.expect("the key still signs");
    let told = told(holdall, &ada, &bob).await;
    assert!(told.errors.is_empty(), "{:?}", told.errors);
    told.lines
}

async fn assert_holds(holdall: &Arc<Holdall>, wanted: &str, case: &str) {
    let (found, wanted) = (all(holdall).await, wanted.lines().map(str::to_owned).collect::<Vec<_>>());
    let missing: Vec<_> = wanted.iter().filter(|line| !found.contains(line)).collect();
    let more: Vec<_> = found.iter().filter(|line| !wanted.contains(line)).collect();
    assert!(missing.is_empty() && more.is_empty(), "{case}: missing {missing:#?}, more {more:#?}");
    let report = holdall.check(&Caller::Operator).await.unwrap();
    assert!(report.is_clean(), "{case}: {report:#?}");
}

#[tokio::test]
async fn a_released_directory_holds_what_was_written_and_stays_of_its_format() {
    for (archive, wanted) in released() {
        let disk = unpacked(&archive);
        let was = format(&disk);
        let holdall = open(&disk).unwrap();
        let tables = version(&holdall).await;
        assert_holds(&holdall, &wanted, "opened").await;
        drop(holdall);
        // The jobs and the collector find their work where the other build left it.
        let holdall = open(&disk).unwrap();
        holdall.work_off(&CancellationToken::new()).await.unwrap();
        let collected = holdall.collect(&Caller::Operator, true).await.unwrap();
        assert_eq!(collected.aborted, None);
        assert_holds(&holdall, &wanted, "put in order").await;
        assert_eq!((format(&disk), version(&holdall).await), (was, tables), "opening migrates nothing");
    }
}

/// What opening writes, and migrations will, may be cut off anywhere.
#[tokio::test]
async fn a_released_directory_survives_power_cuts_while_it_is_opened() {
    for (archive, wanted) in released() {
        let disk = unpacked(&archive);
        let before = disk.counts().changes;
        let holdall = open(&disk).unwrap();
        holdall.work_off(&CancellationToken::new()).await.unwrap();
        drop(holdall);
        let changes = disk.counts().changes - before;
        assert!(changes > 0, "opening and tidying write nothing");
        let mut dice = crate::proof::Dice(crate::proof::seed("released"));
        for _ in 0..crate::proof::size(10, 500) {
            let (calls, seed) = (dice.roll(changes), dice.next());
            let disk = unpacked(&archive);
            disk.crash_after(calls);
            if let Ok(holdall) = open(&disk) {
                drop(holdall.work_off(&CancellationToken::new()).await);
            }
            let case = format!("cut after {calls} of {changes}, image {seed}");
            let holdall = open(&disk.crash(seed)).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_holds(&holdall, &wanted, &case).await;
        }
    }
}

#[tokio::test]
async fn a_newer_directory_is_refused_in_clear_words_and_nothing_in_it_is_changed() {
    let (archive, _) = released().last().unwrap();
    let newer_format = unpacked(&archive);
    newer_format.remove("FORMAT").unwrap();
    let file = newer_format.open("FORMAT", Mode::Create).unwrap();
    file.write_at(b"holdall format 999\nwhatever comes then\n", 0).unwrap();
    let newer_tables = unpacked(&archive);
    let holdall = open(&newer_tables).unwrap();
    let write = |tx: &mut crate::store::meta::Tx<'_>| {
        tx.put(Table::Config, b"version".to_vec(), vec![120]);
        Ok(())
    };
    holdall.write(write).await.unwrap();
    drop(holdall);
    for (disk, said, opened) in [
        (newer_format, "has format 999, and this holdall knows up to", None),
        // redb marks a file as open and as closed again; FORMAT is what spares it that.
        (
            newer_tables,
            "the metadata has version 120, and this holdall knows versions up to",
            Some("meta/holdall.redb"),
        ),
    ] {
        let before = files(&disk);
        for _ in 0..2 {
            let refused = open(&disk).unwrap_err();
            let why = format!("{refused} {:?}", refused.reason());
            assert!(why.contains(said) && why.contains("newer"), "{why}");
        }
        let after = files(&disk);
        assert_eq!(before.len(), after.len());
        for ((path, was), (_, is)) in before.iter().zip(&after) {
            assert!(was == is || Some(path.as_str()) == opened, "{path} was written to");
        }
    }
}
