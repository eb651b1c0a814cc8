//! What segments promise where nothing fails; [`failing`], [`lanes`] and [`crash`] have the rest.

mod crash;
mod failing;
mod lanes;

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::{
    model::{
        ids::{AccountId, ChunkNo},
        time::Timestamp,
    },
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
