//! Uploads of the same few contents, deletions, readers and the collector on real threads, on
//! tiny segments: what was acknowledged is whole at every moment, and at the end every count
//! adds up.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::*;
use crate::proof::{self, Dice};
use crate::store::{
    blobs::BlobReader,
    collect::{CollectOptions, Collector, Report, usage},
    io::disk::Disk,
    segments::SEGMENT_HEADER,
};

const WORKERS: usize = 8;
const COLLECT: CollectOptions = CollectOptions { compact_from: Some(10), end_from: 0, count_anyway: true };
/// Few enough that many bodies are the same, and enough that each is often nobody's.
const CONTENTS: u64 = 16;

/// Ten seconds and half an hour on both disks together.
fn time() -> Duration {
    Duration::from_secs(proof::size(5, 900))
}

/// Segment files on the disk.
fn files(io: &dyn Io) -> u64 {
    let folders = io.list("segments").unwrap();
    folders.iter().map(|hi| io.list(&format!("segments/{hi}")).unwrap().len() as u64).sum()
}

fn content(number: u64) -> Vec<u8> {
    noise(&format!("content {number}"), 2_000 + 15_000 * number as usize)
}

/// What one worker has.
struct Worker {
    bodies: Vec<(ManifestId, u64)>,
    reader: Option<(BlobReader, u64, u64)>,
    late: Option<(Arc<Staged>, u64)>,
    dice: Dice,
}

impl Worker {
    fn new(number: usize) -> Self {
        let dice = Dice(proof::seed(&format!("threads {number}")));
        Self { bodies: Vec::new(), reader: None, late: None, dice }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice.roll(sides)
    }

    fn step(&mut self, store: &Arc<Store>, busy: &AtomicU64) {
        let what = self.roll(10);
        match if self.bodies.len() > 2 { 9 } else { what } {
            0..3 => {
                let number = self.roll(CONTENTS);
                let staged = stage(store, &content(number), &account(1));
                self.seal(store, staged, number, busy);
            }
            3 => {
                let number = self.roll(CONTENTS);
                let late = stage(store, &content(number), &account(1));
                if let Some((staged, number)) = self.late.replace((late, number)) {
                    self.seal(store, staged, number, busy);
                }
            }
            4 | 5 => {
                if let Some((id, number)) = self.pick() {
                    assert!(get(store, id).unwrap() == content(number), "{id} is not content {number}");
                }
            }
            6 => {
                if let Some((reader, number, at)) = self.reader.as_mut() {
                    let piece = reader.read(*at, usize::MAX).unwrap();
                    let whole = content(*number);
                    assert!(piece[..] == whole[*at as usize..*at as usize + piece.len()]);
                    *at += piece.len() as u64;
                    if *at == reader.size() {
                        self.reader = None;
                    }
                } else if let Some((id, number)) = self.pick() {
                    self.reader = Some((store.reader(id).unwrap(), number, 0));
                }
            }
            _ => {
                if !self.bodies.is_empty() {
                    let at = self.roll(self.bodies.len() as u64) as usize;
                    release(store, self.bodies.swap_remove(at).0);
                }
            }
        }
    }

    fn pick(&mut self) -> Option<(ManifestId, u64)> {
        let at = self.roll(self.bodies.len().max(1) as u64) as usize;
        self.bodies.get(at).copied()
    }

    fn seal(&mut self, store: &Arc<Store>, staged: Arc<Staged>, number: u64, busy: &AtomicU64) {
        match seal(store, staged) {
            Ok(id) => self.bodies.push((id, number)),
            Err(StoreError::Busy(_)) => drop(busy.fetch_add(1, Ordering::Relaxed)),
            Err(error) => panic!("{error}"),
        }
    }
}

fn collecting(store: &Arc<Store>, stop: &AtomicBool) -> (u64, Report) {
    let (mut runs, mut sum) = (0, Report::default());
    while !stop.load(Ordering::Relaxed) {
        let report = Collector::begin(store, COLLECT).unwrap().run().unwrap();
        assert!(report.damaged.is_empty(), "{report:?}");
        sum.chunks_deleted += report.chunks_deleted;
        sum.chunks_moved += report.chunks_moved;
        sum.segments_removed += report.segments_removed;
        runs += 1;
    }
    (runs, sum)
}

#[test]
fn the_same_content_comes_and_goes_while_it_is_collected() {
    let folder = tempfile::tempdir().unwrap();
    // The real disk, and one whose syncs take no time.
    come_and_go(Disk::open(folder.path()).unwrap());
    come_and_go(SimDisk::new());
}

fn come_and_go(disk: impl Io + 'static) {
    let small = StoreOptions { segment_bytes: 300_000, growth_bytes: 64 << 10, ..options(disk) };
    let store = Store::open(small).unwrap();
    let driver = store.drive().unwrap();
    let (stop, busy) = (AtomicBool::new(false), AtomicU64::new(0));
    let kept = Mutex::new(Vec::new());
    let collected = std::thread::scope(|scope| {
        let collector = scope.spawn(|| collecting(&store, &stop));
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (store, busy, kept) = (&store, &busy, &kept);
                scope.spawn(move || {
                    let mut worker = Worker::new(number);
                    let until = Instant::now() + time();
                    while Instant::now() < until {
                        worker.step(store, busy);
                    }
                    kept.lock().unwrap().append(&mut worker.bodies);
                })
            })
            .collect();
        let ended: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
        collector.join().unwrap()
    });
    let (runs, report) = &collected;
    assert!(*runs > 2 && report.chunks_deleted > 0 && report.segments_removed > 0, "{collected:?}");
    for _ in 0..2 {
        Collector::begin(&store, COLLECT).unwrap().run().unwrap();
    }
    let kept = kept.into_inner().unwrap();
    for (id, number) in &kept {
        assert!(get(&store, *id).unwrap() == content(*number));
    }
    let ids: Vec<_> = kept.iter().map(|(id, _)| *id).collect();
    let count = recount(&store, &ids);
    assert_eq!((count.findings, count.queued, count.unreferenced), (Vec::new(), 0, 0));
    let usage = usage(&store, &|| Ok(())).unwrap();
    assert_eq!(files(&*store.io), usage.segments, "a file that no row tells of, or a row without its file");
    let stored = usage.live_bytes + usage.dead_bytes;
    // Headers of segments are a hundredth here, and nothing in a product.
    let dead = usage.dead_bytes.saturating_sub(usage.segments * SEGMENT_HEADER);
    assert!(dead * 10 <= stored, "{usage:?}");
    println!("{collected:?}, {} bodies kept, {} refused, {usage:?}", kept.len(), busy.into_inner());
    driver.close().unwrap();
}
