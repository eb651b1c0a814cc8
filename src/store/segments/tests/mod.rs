//! What segments promise, without a crash; [`crash`] has the rest.

mod crash;

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::{
    model::ids::{AccountId, ChunkNo},
    store::io::{
        Mode, Site,
        disk::Disk,
        sim::{
            SimDisk,
            fault::{Failing, FaultyDisk, Plan},
        },
    },
};

/// Ids that outlive a crash, as durable blocks do.
type Ids = Arc<AtomicU64>;

fn options(ids: &Ids) -> SegmentOptions {
    let ids = ids.clone();
    let fresh = move || Ok(SegmentId(ids.fetch_add(1, Ordering::Relaxed)));
    let options = SegmentOptions::new([7; 16], fresh, Arc::new(|| Timestamp(0)));
    SegmentOptions {
        segment_bytes: 16_384,
        growth_bytes: 6000,
        writeback_bytes: 4096,
        open_files: 2,
        ..options
    }
}

fn open(io: &Arc<dyn Io>) -> Segments {
    Segments::open(io.clone(), options(&Ids::default()), Vec::new()).unwrap().0
}

fn on_sim() -> (SimDisk, Segments) {
    let disk = SimDisk::new();
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    (disk, open(&io))
}

/// Bytes no compressor likes, different for every number.
fn noise(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn append(segments: &Segments, lane: LaneId, chunk: u64, bytes: &[u8]) -> Result<Placed, StoreError> {
    let digest = *blake3::hash(bytes).as_bytes();
    let crcs = Crcs { crc32: 1, crc32c: 2, crc64: chunk };
    let record = Record { chunk: ChunkNo(chunk), domain: AccountId(9), digest, crcs, bytes };
    Ok(segments.append(lane, &record)?.0)
}

fn read(segments: &Segments, placed: Placed) -> Result<RecordRead, StoreError> {
    segments.read(placed.segment, placed.offset, placed.stored_len)
}

/// Waits for a lane in this thread and gives the answer.
fn synced(segments: &Segments, lane: LaneId) -> Result<(), StoreError> {
    let answer = Arc::new(Mutex::new(None));
    let told = answer.clone();
    let since = segments.lane(lane).life();
    segments.wait_synced(lane, since, Box::new(move |result| *told.lock().unwrap() = Some(result)));
    segments.step(lane);
    answer.lock().unwrap().take().expect("one step answers")
}

/// The same for somebody who began in an earlier life of the lane; it is answered at once.
fn vouched(segments: &Segments, lane: LaneId, since: Life) -> Result<(), StoreError> {
    let (tell, told) = std::sync::mpsc::channel();
    segments.wait_synced(lane, since, Box::new(move |result| tell.send(result).unwrap()));
    told.try_recv().expect("there is nothing to wait for")
}

#[test]
fn chunks_read_back_on_both_disks_whatever_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let disks: [Arc<dyn Io>; 2] = [Arc::new(Disk::open(folder.path()).unwrap()), Arc::new(SimDisk::new())];
    for io in disks {
        let segments = open(&io);
        let sizes = [0, 1, 7, 8, 100, 4096, 5000, 30_000, 12];
        let bodies: Vec<Vec<u8>> =
            sizes.iter().flat_map(|len| [noise(*len as u64, *len), b"holdall ".repeat(len / 8)]).collect();
        let placed: Vec<Placed> = bodies
            .iter()
            .enumerate()
            .map(|(at, body)| append(&segments, LaneId::Normal, at as u64, body).unwrap())
            .collect();
        for round in 0..2 {
            for (at, (body, placed)) in bodies.iter().zip(&placed).enumerate() {
                let found = read(&segments, *placed).unwrap();
                assert_eq!(found.plaintext, body, "chunk {at} round {round}");
                assert_eq!((found.header.chunk, found.header.domain), (ChunkNo(at as u64), AccountId(9)));
                assert_eq!(found.header.crcs.crc64, at as u64);
            }
            synced(&segments, LaneId::Normal).unwrap();
        }
        assert!(placed.iter().any(|placed| placed.codec == Codec::Zstd));
        assert!(placed.last().unwrap().segment > placed[0].segment);
    }
}

#[test]
fn a_bit_flipped_anywhere_in_a_record_is_damage() {
    let (disk, segments) = on_sim();
    for body in [noise(1, 61), b"holdall ".repeat(30)] {
        let placed = append(&segments, LaneId::Small, 1, &body).unwrap();
        let path = path::file(placed.segment);
        for at in placed.offset..placed.offset + record_bytes(placed.stored_len) {
            for bit in 0..8 {
                disk.damage(&path, at, 1 << bit).unwrap();
                assert!(
                    matches!(read(&segments, placed), Err(StoreError::Damaged(_))),
                    "byte {at} bit {bit}"
                );
                disk.damage(&path, at, 1 << bit).unwrap();
            }
        }
        read(&segments, placed).unwrap();
    }
}

/// Sums do not notice who wrote the wrong bytes with the right sums: the digest does.
#[test]
fn bytes_that_are_not_those_of_the_digest_are_damage() {
    let (_disk, segments) = on_sim();
    for bytes in [noise(1, 500), b"holdall ".repeat(60)] {
        for digest in [[0; 32], *blake3::hash(b"other").as_bytes()] {
            let record = Record {
                chunk: ChunkNo(1),
                domain: AccountId(9),
                digest,
                crcs: Crcs::default(),
                bytes: &bytes,
            };
            let placed = segments.append(LaneId::Small, &record).unwrap().0;
            assert!(matches!(read(&segments, placed), Err(StoreError::Damaged(_))));
            let verbatim = segments.read_verbatim(placed.segment, placed.offset, placed.stored_len);
            assert!(matches!(verbatim, Err(StoreError::Damaged(_))));
        }
    }
}

#[test]
fn a_place_that_holds_no_such_record_is_damage() {
    let (_disk, segments) = on_sim();
    let placed = append(&segments, LaneId::Small, 1, &noise(1, 100)).unwrap();
    for (segment, offset, stored_len) in [
        (placed.segment.0, placed.offset, placed.stored_len - 1),
        (placed.segment.0, placed.offset + 8, placed.stored_len),
        (placed.segment.0, u64::MAX - 3, placed.stored_len),
        (placed.segment.0, 1 << 40, placed.stored_len),
        (placed.segment.0, placed.offset, u32::MAX),
        (placed.segment.0 + 1, placed.offset, placed.stored_len),
    ] {
        let found = segments.read(SegmentId(segment), offset, stored_len);
        assert!(matches!(found, Err(StoreError::Damaged(_))), "{segment} {offset} {stored_len}: {found:?}");
    }
}

#[test]
fn full_segments_are_sealed_with_a_footer_that_agrees_with_a_walk() {
    let (disk, segments) = on_sim();
    for chunk in (0..20).rev() {
        append(&segments, LaneId::Normal, chunk, &noise(chunk, 3000)).unwrap();
    }
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    let sealed: Vec<_> = states.iter().filter(|(_, state)| state.sealed).collect();
    assert!(sealed.len() >= 4, "{states:?}");
    for (id, state) in sealed {
        let footer = segments.footer(*id).unwrap();
        assert_eq!(footer, segments.walk(*id, u64::MAX).unwrap());
        assert!(footer.is_sorted_by_key(|entry| entry.chunk));
        let last = footer.iter().map(|entry| entry.offset + record_bytes(entry.stored_len)).max().unwrap();
        assert_eq!(state.length, last);
        assert!(last <= 16_384);
        let file = disk.open(&path::file(*id), Mode::Read).unwrap();
        assert!(file.len().unwrap() < 16_384 + 400, "room taken ahead is given back");
    }
    assert!(segments.take_states().is_empty());
}

#[test]
fn production_has_segments_of_256_mib_that_grow_by_16() {
    let disk = SimDisk::new();
    let (ids, io) = (Ids::default(), Arc::new(disk.clone()) as Arc<dyn Io>);
    let fresh = move || Ok(SegmentId(ids.fetch_add(1, Ordering::Relaxed)));
    let options = SegmentOptions::new([7; 16], fresh, Arc::new(|| Timestamp(0)));
    let segments = Segments::open(io, options, Vec::new()).unwrap().0;
    let mut seen = Vec::new();
    for chunk in 0..18 {
        let placed = append(&segments, LaneId::Normal, chunk, &noise(chunk, 15 << 20)).unwrap();
        let file = disk.open(&path::file(placed.segment), Mode::Read).unwrap();
        seen.push((placed.segment.0, file.len().unwrap() >> 20));
    }
    let grown =
        |segment, count: u64| (1..=count).map(move |step| (segment, (step * 15 + 1).next_multiple_of(16)));
    assert_eq!(seen, grown(0, 17).chain(grown(1, 1)).collect::<Vec<_>>());
}

#[test]
fn states_given_back_come_again_before_newer_ones() {
    let (_disk, segments) = on_sim();
    append(&segments, LaneId::Small, 1, b"a").unwrap();
    synced(&segments, LaneId::Small).unwrap();
    let first = segments.take_states();
    assert_eq!(first.len(), 1);
    append(&segments, LaneId::Normal, 2, b"b").unwrap();
    synced(&segments, LaneId::Normal).unwrap();
    segments.return_states(first.clone());
    let both = segments.take_states();
    assert_eq!((both.len(), both[0]), (2, first[0]));
}

#[test]
fn an_append_that_was_cut_short_ends_its_segment_and_the_next_goes_on_elsewhere() {
    let (disk, segments) = on_sim();
    let first = append(&segments, LaneId::Normal, 1, &noise(1, 500)).unwrap();
    disk.cut_write_after(0);
    append(&segments, LaneId::Normal, 2, &noise(2, 500)).unwrap_err();
    let third = append(&segments, LaneId::Normal, 3, &noise(3, 500)).unwrap();
    assert_ne!(first.segment, third.segment);
    synced(&segments, LaneId::Normal).unwrap();
    let footer = segments.footer(first.segment).unwrap();
    assert_eq!(footer.iter().map(|entry| entry.chunk.0).collect::<Vec<_>>(), [1]);
    read(&segments, first).unwrap();
    read(&segments, third).unwrap();
}

#[test]
fn after_a_failed_sync_a_lane_goes_on_elsewhere_and_vouches_for_nothing_of_before() {
    let (disk, segments) = on_sim();
    let first = segments.lane(LaneId::Normal).life();
    let lost = append(&segments, LaneId::Normal, 1, b"a").unwrap();
    disk.fail_once(Site::SegmentData);
    assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Unavailable(_))));
    let syncs = disk.counts().syncs;
    assert!(matches!(vouched(&segments, LaneId::Normal, first), Err(StoreError::Unavailable(_))));
    assert!(!segments.step(LaneId::Normal), "nothing is left to do");
    assert_eq!(disk.counts().syncs, syncs, "a failed sync is never tried again");
    assert!(segments.take_states().is_empty() && segments.failure().is_none());

    let kept = append(&segments, LaneId::Normal, 2, b"b").unwrap();
    assert_ne!(lost.segment, kept.segment);
    // Who wrote before and waits only now, while there is something new to sync.
    assert!(matches!(vouched(&segments, LaneId::Normal, first), Err(StoreError::Unavailable(_))));
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    assert!(states.iter().all(|(id, _)| *id == kept.segment), "{states:?}");
    read(&segments, lost).unwrap();
    drop(segments);

    let was_lost = |seed| {
        let io: Arc<dyn Io> = Arc::new(disk.crash(seed));
        let ids = Ids::new(AtomicU64::new(9));
        let segments = Segments::open(io, options(&ids), states.clone()).unwrap().0;
        read(&segments, kept).unwrap();
        read(&segments, lost).is_err()
    };
    assert!((0..20).filter(|seed| was_lost(*seed)).count() > 0, "it may have reached the disk by chance");
}

#[test]
fn after_a_failed_sync_of_a_folder_no_lane_begins_a_segment_and_those_with_names_go_on() {
    for failing in 1..=3 {
        let (disk, segments) = on_sim();
        let before = append(&segments, LaneId::Small, 1, b"a").unwrap();
        synced(&segments, LaneId::Small).unwrap();
        let other = append(&segments, LaneId::Normal, 2, b"b").unwrap();
        let long = append(&segments, LaneId::Exclusive(0), 3, b"c").unwrap();
        disk.fail_nth(Site::SegmentDir, failing);
        assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Unavailable(_))));
        // The name of this one was lost with it, though nobody asked for it yet.
        assert!(matches!(synced(&segments, LaneId::Exclusive(0)), Err(StoreError::Unavailable(_))));
        for lane in [LaneId::Normal, LaneId::Relocation, LaneId::Exclusive(0)] {
            assert!(matches!(append(&segments, lane, 4, b"d"), Err(StoreError::Unavailable(_))), "{lane:?}");
        }
        assert!(segments.failure().unwrap().contains("folder"));
        let after = append(&segments, LaneId::Small, 5, b"e").unwrap();
        synced(&segments, LaneId::Small).unwrap();
        let states = segments.take_states();
        assert!(states.iter().all(|(id, _)| ![other.segment, long.segment].contains(id)), "{states:?}");
        drop(segments);
        for seed in 0..5 {
            let io: Arc<dyn Io> = Arc::new(disk.crash(seed));
            let segments =
                Segments::open(io, options(&Ids::new(AtomicU64::new(9))), states.clone()).unwrap().0;
            read(&segments, before).unwrap();
            read(&segments, after).unwrap();
        }
    }
}

#[test]
fn a_sync_that_lacks_a_descriptor_is_in_no_doubt_and_goes_well_later() {
    let sim = SimDisk::new();
    let disk = FaultyDisk::new(sim.clone());
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let segments = open(&io);
    let placed = append(&segments, LaneId::Normal, 1, b"a").unwrap();
    disk.plan(Plan { fault: Failing::Descriptors, call: 0, forever: true });
    for _ in 0..5 {
        assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Busy(_))));
        assert!(!segments.step(LaneId::Normal), "nobody waits, and trying again at once helps nobody");
        assert!(segments.failure().is_none());
    }
    disk.heal();
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    drop(segments);
    let io: Arc<dyn Io> = Arc::new(sim.crash(1));
    let segments = Segments::open(io, options(&Ids::new(AtomicU64::new(9))), states).unwrap().0;
    read(&segments, placed).unwrap();
}

#[test]
fn a_lane_whose_syncs_go_on_failing_takes_nothing_more_and_others_do() {
    let (disk, segments) = on_sim();
    disk.fail(Site::SegmentData);
    for chunk in 0..3 {
        assert!(segments.failure().is_none());
        append(&segments, LaneId::Normal, chunk, b"a").unwrap();
        assert!(matches!(synced(&segments, LaneId::Normal), Err(StoreError::Unavailable(_))));
    }
    assert!(segments.failure().is_some());
    let syncs = disk.counts().syncs;
    for _ in 0..2 {
        let life = segments.lane(LaneId::Normal).life();
        assert!(matches!(vouched(&segments, LaneId::Normal, life), Err(StoreError::Unavailable(_))));
        let refused = append(&segments, LaneId::Normal, 9, b"b");
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    }
    assert_eq!(disk.counts().syncs, syncs);
    append(&segments, LaneId::Small, 10, b"c").unwrap();
}

#[test]
fn a_failed_sync_of_a_footer_leaves_its_segment_open_and_its_records_promised() {
    let (disk, segments) = on_sim();
    disk.fail_once(Site::SegmentSeal);
    let first = segments.lane(LaneId::Normal).life();
    let placed: Vec<_> =
        (0..6).map(|chunk| append(&segments, LaneId::Normal, chunk, &noise(chunk, 3000)).unwrap()).collect();
    synced(&segments, LaneId::Normal).unwrap();
    let states = segments.take_states();
    assert!(states.iter().all(|(_, state)| !state.sealed), "{states:?}");
    assert!(matches!(vouched(&segments, LaneId::Normal, first), Err(StoreError::Unavailable(_))));
    let later = append(&segments, LaneId::Normal, 7, b"later").unwrap();
    synced(&segments, LaneId::Normal).unwrap();
    let known = [states, segments.take_states()].concat();
    drop(segments);
    let io: Arc<dyn Io> = Arc::new(disk.crash(1));
    let segments = Segments::open(io, options(&Ids::new(AtomicU64::new(99))), known).unwrap().0;
    for placed in placed.into_iter().chain([later]) {
        read(&segments, placed).unwrap();
    }
}

#[test]
fn a_full_disk_refuses_chunks_and_takes_them_again_when_there_is_room() {
    let (disk, segments) = on_sim();
    let first = append(&segments, LaneId::Normal, 1, &noise(1, 1500)).unwrap();
    disk.set_free(100);
    for _ in 0..3 {
        let refused = append(&segments, LaneId::Normal, 2, &noise(2, 5000));
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        assert!(matches!(append(&segments, LaneId::Small, 3, b"a"), Err(StoreError::Full)));
    }
    synced(&segments, LaneId::Normal).unwrap();
    disk.set_free(1 << 30);
    let second = append(&segments, LaneId::Normal, 4, &noise(4, 5000)).unwrap();
    assert_eq!(first.segment, second.segment, "no room is no harm to a segment");
    read(&segments, first).unwrap();
    read(&segments, second).unwrap();
}

#[test]
fn a_segment_that_cannot_be_sealed_waits_for_other_work_and_is_sealed_with_it() {
    let disk = FaultyDisk::new(SimDisk::new());
    let segments = open(&(Arc::new(disk.clone()) as Arc<dyn Io>));
    let first = append(&segments, LaneId::Normal, 0, &noise(0, 3000)).unwrap().segment;
    for chunk in 1..8 {
        append(&segments, LaneId::Normal, chunk, &noise(chunk, 3000)).unwrap();
    }
    disk.plan(Plan { fault: Failing::Write, call: 0, forever: true });
    synced(&segments, LaneId::Normal).unwrap();
    assert!(segments.footer(first).is_err());
    assert!(!segments.step(LaneId::Normal), "there is no end to its steps");
    disk.heal();
    append(&segments, LaneId::Normal, 8, &noise(8, 3000)).unwrap();
    synced(&segments, LaneId::Normal).unwrap();
    assert_eq!(segments.footer(first).unwrap(), segments.walk(first, u64::MAX).unwrap());
}

#[test]
fn one_sync_answers_everybody_who_waited() {
    let (disk, segments) = on_sim();
    let answers = Arc::new(AtomicU64::new(0));
    for chunk in 0..10 {
        append(&segments, LaneId::Small, chunk, b"body").unwrap();
        let answers = answers.clone();
        let done =
            move |result: Result<(), _>| _ = answers.fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
        segments.wait_synced(LaneId::Small, Life::default(), Box::new(done));
    }
    assert!(segments.step(LaneId::Small));
    assert_eq!(answers.load(Ordering::Relaxed), 10);
    assert_eq!(disk.counts().syncs[&Site::SegmentData], 1);
    assert!(!segments.step(LaneId::Small));
}

#[test]
fn large_streams_have_lanes_for_themselves_until_they_are_dropped() {
    let (_disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let mut lent: Vec<ExclusiveLane> = (0..8).map(|_| segments.exclusive().unwrap()).collect();
    assert!(segments.exclusive().is_none());
    let places: std::collections::BTreeSet<SegmentId> =
        lent.iter().map(|lane| append(&segments, lane.id(), 1, &noise(1, 5000)).unwrap().segment).collect();
    assert_eq!(places.len(), 8);
    let last = lent.pop().unwrap().id();
    assert_eq!(segments.exclusive().unwrap().id(), last);
}

#[test]
fn a_lane_that_takes_nothing_more_is_not_lent_again_and_others_are() {
    let (disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let broken = segments.exclusive().unwrap();
    disk.fail(Site::SegmentData);
    while segments.failure().is_none() {
        append(&segments, broken.id(), 1, b"a").unwrap();
        synced(&segments, broken.id()).unwrap_err();
    }
    let id = broken.id();
    drop(broken);
    let lent: Vec<ExclusiveLane> = std::iter::from_fn(|| segments.exclusive()).collect();
    assert_eq!(lent.len(), 7);
    assert!(lent.iter().all(|lane| lane.id() != id));
}

#[test]
fn no_more_files_stay_open_than_allowed() {
    let (_disk, segments) = on_sim();
    let placed: Vec<Placed> =
        (0..30).map(|chunk| append(&segments, LaneId::Normal, chunk, &noise(chunk, 3000)).unwrap()).collect();
    for at in placed.iter().chain(placed.iter().rev()) {
        read(&segments, *at).unwrap();
        assert!(segments.files.count() <= 2);
    }
    segments.remove(placed[0].segment).unwrap();
    assert!(matches!(read(&segments, placed[0]), Err(StoreError::Damaged(_))));
}

#[test]
fn threads_drive_the_lanes_until_everything_queued_is_answered() {
    let (_disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let drivers = segments.drive().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (segments, tell) = (&segments, tell.clone());
            scope.spawn(move || {
                let lane = if thread % 2 == 0 { LaneId::Small } else { LaneId::Normal };
                for number in 0..50 {
                    let chunk = thread * 100 + number;
                    let placed = append(segments, lane, chunk, &noise(chunk, 700)).unwrap();
                    let tell = tell.clone();
                    segments.wait_synced(
                        lane,
                        Life::default(),
                        Box::new(move |result| tell.send((placed, result)).unwrap()),
                    );
                }
            });
        }
    });
    drop((drivers, tell));
    let answers: Vec<_> = told.into_iter().collect();
    assert_eq!(answers.len(), 200);
    for (placed, result) in answers {
        result.unwrap();
        read(&segments, placed).unwrap();
    }
    assert!(matches!(append(&segments, LaneId::Small, 1, b"a"), Err(StoreError::Unavailable(_))));
    assert!(matches!(synced(&segments, LaneId::Small), Err(StoreError::Unavailable(_))));
}

#[test]
fn a_lane_whose_thread_died_leaves_nobody_waiting() {
    let (_disk, segments) = on_sim();
    let segments = Arc::new(segments);
    let _drivers = segments.drive().unwrap();
    segments.wait_synced(
        LaneId::Small,
        Life::default(),
        Box::new(|_| panic!("a waiter that panics, on purpose")),
    );
    let (tell, told) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let tell = tell.clone();
        segments.wait_synced(
            LaneId::Small,
            Life::default(),
            Box::new(move |result| tell.send(result).unwrap_or_default()),
        );
    }
    drop(tell);
    // Those that were in the same step as the panic are dropped, which is an answer as well.
    assert!(told.into_iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Unavailable(_)))));
}

/// A disk may write to the wrong place: what it wrote is whole there, and not what was asked for.
#[test]
fn a_whole_record_in_the_wrong_place_is_damage() {
    let (disk, segments) = on_sim();
    let placed: Vec<Placed> =
        (0..2).map(|chunk| append(&segments, LaneId::Small, chunk, &noise(chunk, 300)).unwrap()).collect();
    let file = disk.open(&path::file(placed[0].segment), Mode::ReadWrite).unwrap();
    let mut record = vec![0; record_bytes(300) as usize];
    file.read_at(&mut record, placed[0].offset).unwrap();
    file.write_at(&record, placed[1].offset).unwrap();
    assert!(read(&segments, placed[0]).is_ok());
    assert!(matches!(read(&segments, placed[1]), Err(StoreError::Damaged(_))));
}
