//! Crash images: what was promised is there, whatever else was lost.

use std::collections::BTreeMap;

use super::*;
use crate::store::io::sim::left_out::LeftOut;

/// What a store above keeps of a workload: rows, and what it promised.
#[derive(Clone, Default)]
struct Kept {
    rows: BTreeMap<SegmentId, SegmentState>,
    promised: Vec<(u64, Placed)>,
    ids: Ids,
}

impl Kept {
    fn known(&self) -> Vec<(SegmentId, SegmentState)> {
        self.rows.iter().map(|(id, state)| (*id, *state)).collect()
    }

    fn open(&self, disk: &SimDisk) -> Result<(Segments, Vec<Recovered>), StoreError> {
        Segments::open(Arc::new(disk.clone()), options(&self.ids), self.known())
    }

    /// What the next commit does.
    fn commit(&mut self, segments: &Segments, appended: &mut Vec<(u64, Placed)>) {
        self.rows.extend(segments.take_states());
        self.promised.append(appended);
    }
}

fn body(chunk: u64) -> Vec<u8> {
    let len = 40 + (chunk as usize * 977) % 3500;
    if chunk.is_multiple_of(3) { b"holdall ".repeat(len / 8) } else { noise(chunk, len) }
}

/// Appends to two lanes in groups, some of them never promised, over several segments.
fn work(disk: &SimDisk, kept: &mut Kept) -> Result<(), StoreError> {
    let (segments, _) = kept.open(disk)?;
    let mut chunk = 0;
    for group in 0..8 {
        let mut appended = Vec::new();
        for lane in [LaneId::Normal, LaneId::Small] {
            for _ in 0..=group % 3 {
                chunk += 1;
                appended.push((chunk, append(&segments, lane, chunk, &body(chunk))?));
            }
        }
        synced(&segments, LaneId::Normal)?;
        synced(&segments, LaneId::Small)?;
        kept.commit(&segments, &mut appended);
    }
    for lane in [LaneId::Normal, LaneId::Small] {
        append(&segments, lane, chunk + 1, &body(chunk + 1))?;
    }
    Ok(())
}

/// Opens an image and names the first promise it breaks.
fn broken(disk: &SimDisk, kept: &mut Kept) -> Option<String> {
    let (segments, recovered) = match kept.open(disk) {
        Ok(opened) => opened,
        Err(error) => return Some(format!("it does not open: {error}")),
    };
    if let Some(lost) = recovered.iter().find(|found| found.finding == Finding::Missing) {
        return Some(format!("{lost:?}"));
    }
    for (chunk, placed) in &kept.promised {
        match read(&segments, *placed) {
            Ok(found) if found.plaintext == body(*chunk) => {}
            other => return Some(format!("chunk {chunk} at {placed:?}: {other:?}")),
        }
    }
    kept.rows.extend(segments.take_states());
    for (id, row) in &kept.rows {
        if !row.sealed {
            return Some(format!("segment {id} is still open"));
        }
        let unpromised = kept.promised.iter().all(|(_, placed)| placed.segment != *id);
        match (segments.footer(*id), segments.walk(*id, u64::MAX)) {
            (Ok(footer), Ok(walk)) if footer == walk => {}
            // Its header was never written: it was found unreadable and left alone.
            (Err(StoreError::Damaged(_)), Ok(walk)) if unpromised && walk.is_empty() => {}
            other => return Some(format!("footer and walk of {id}: {other:?}")),
        }
    }
    None
}

#[test]
fn what_was_promised_survives_a_crash_at_every_change_and_another_during_recovery() {
    let whole = SimDisk::new();
    work(&whole, &mut Kept::default()).unwrap();
    for calls in 0..=whole.counts().changes {
        let disk = SimDisk::new();
        let mut kept = Kept::default();
        disk.crash_after(calls);
        let _ = work(&disk, &mut kept);
        for seed in 0..6 {
            let image = disk.crash(calls * 100 + seed);
            let mut before = kept.clone();
            image.crash_after(seed * 2);
            if let Ok((segments, _)) = before.open(&image) {
                before.rows.extend(segments.take_states());
            }
            let again = image.crash(seed);
            assert_eq!(broken(&again, &mut before), None, "after {calls} changes, seed {seed}");
            let (_, recovered) = before.open(&again).unwrap();
            assert_eq!(recovered, [], "a second recovery finds nothing to do");
        }
    }
}

#[test]
fn every_sync_left_out_breaks_a_promise() {
    let breaks = |site: Option<Site>| {
        (0..300).find_map(|seed| {
            let disk = SimDisk::new();
            site.into_iter().for_each(|site| disk.skip(site));
            let mut kept = Kept::default();
            work(&disk, &mut kept).unwrap();
            broken(&disk.crash(seed), &mut kept)
        })
    };
    assert_eq!(breaks(None), None);
    for site in [Site::SegmentData, Site::SegmentDir, Site::SegmentSeal] {
        assert!(breaks(Some(site)).is_some(), "{site:?}");
    }
}

/// The process was killed after so many changes, and what was not durable is not. The next start,
/// with a sync left out, vouches for it; then the power goes.
fn broken_after_kill(calls: u64, left_out: Option<LeftOut>, seed: u64) -> Option<String> {
    let (disk, mut kept) = (SimDisk::new(), Kept::default());
    disk.crash_after(calls);
    drop(work(&disk, &mut kept));
    disk.go_on();
    left_out.into_iter().for_each(|one| disk.leave_out(one));
    if let Ok((segments, _)) = kept.open(&disk) {
        kept.rows.extend(segments.take_states());
    }
    broken(&disk.crash(seed), &mut kept)
}

#[test]
fn what_a_start_after_a_kill_vouches_for_survives_the_next_power_cut_unless_a_sync_is_left_out() {
    let whole = SimDisk::new();
    work(&whole, &mut Kept::default()).unwrap();
    let changes = whole.counts().changes;
    for calls in 0..=changes {
        assert_eq!(broken_after_kill(calls, None, calls), None, "killed after {calls} changes");
    }
    // The seals of both lanes, and the name of a segment whose row was not written.
    for (site, calls) in [(Site::SegmentSeal, 1), (Site::SegmentSeal, 2), (Site::SegmentDir, 1)] {
        let missed = (0..=changes).any(|kill| {
            let one = LeftOut { site, nth: calls, more: u64::from(u32::MAX) };
            (0..4).any(|seed| broken_after_kill(kill, Some(one), seed).is_some())
        });
        assert!(missed, "{site:?} {calls}");
    }
}

#[test]
fn a_torn_tail_is_cut_and_whole_records_are_kept_as_dead_bytes() {
    let (disk, segments) = on_sim();
    let mut kept = Kept::default();
    for chunk in 0..3 {
        append(&segments, LaneId::Normal, chunk, &noise(chunk, 300)).unwrap();
    }
    synced(&segments, LaneId::Normal).unwrap();
    kept.rows.extend(segments.take_states());
    let dead = append(&segments, LaneId::Normal, 3, &noise(3, 300)).unwrap();
    let torn = append(&segments, LaneId::Normal, 4, &noise(4, 300)).unwrap();
    disk.damage(&path::file(torn.segment), torn.offset + 400, 1).unwrap();
    drop(segments);

    let (segments, recovered) = kept.open(&disk).unwrap();
    let [found] = recovered[..] else { panic!("{recovered:?}") };
    assert_eq!((found.finding, found.records, found.damaged), (Finding::Sealed, 4, 0));
    assert_eq!(read(&segments, dead).unwrap().plaintext, noise(3, 300));
    assert!(matches!(read(&segments, torn), Err(StoreError::Damaged(_))));
    let states = segments.take_states();
    let sealed = SegmentState { kind: LaneKind::Normal, sealed: true, length: torn.offset };
    assert_eq!(states, [(torn.segment, sealed)]);
    kept.ids.store(1, Ordering::Relaxed);
    let next = append(&segments, LaneId::Normal, 5, b"next").unwrap();
    assert_ne!(next.segment, torn.segment, "a recovered segment is never appended to");
}

#[test]
fn damage_in_an_open_segment_hides_nothing_behind_it() {
    let (disk, segments) = on_sim();
    let kept = Kept::default();
    let placed: Vec<Placed> =
        (0..5).map(|chunk| append(&segments, LaneId::Small, chunk, &noise(chunk, 300)).unwrap()).collect();
    synced(&segments, LaneId::Small).unwrap();
    disk.damage(&path::file(placed[1].segment), placed[1].offset + 20, 1).unwrap();
    disk.damage(&path::file(placed[3].segment), placed[3].offset + 200, 1).unwrap();
    let (segments, recovered) = kept.open(&disk).unwrap();
    assert_eq!((recovered[0].records, recovered[0].damaged), (3, 2 * record_bytes(300)));
    for at in [0, 2, 4] {
        read(&segments, placed[at]).unwrap();
    }
}

/// What cannot be read now may be read by somebody who knows more.
#[test]
fn damage_at_the_end_of_what_a_row_knew_is_not_cut_off() {
    let (disk, segments) = on_sim();
    let mut kept = Kept::default();
    let placed: Vec<Placed> =
        (0..2).map(|chunk| append(&segments, LaneId::Small, chunk, &noise(chunk, 300)).unwrap()).collect();
    synced(&segments, LaneId::Small).unwrap();
    kept.rows = segments.take_states().into_iter().collect();
    disk.damage(&path::file(placed[1].segment), placed[1].offset + 20, 1).unwrap();
    let (segments, recovered) = kept.open(&disk).unwrap();
    assert_eq!((recovered[0].records, recovered[0].damaged), (1, record_bytes(300)));
    let length = segments.length(placed[1].segment).unwrap().unwrap();
    assert!(length > placed[1].offset + record_bytes(300));
    read(&segments, placed[0]).unwrap();
}

#[test]
fn a_damaged_segment_header_hides_no_record() {
    let (disk, segments) = on_sim();
    let mut kept = Kept::default();
    let placed = append(&segments, LaneId::Small, 1, &noise(1, 300)).unwrap();
    synced(&segments, LaneId::Small).unwrap();
    disk.damage(&path::file(placed.segment), 17, 1).unwrap();
    for rows in [Vec::new(), segments.take_states()] {
        kept.rows = rows.into_iter().collect();
        let (segments, recovered) = kept.open(&disk.crash(1)).unwrap();
        assert_eq!((recovered[0].records, segments.footer(placed.segment).unwrap().len()), (1, 1));
        read(&segments, placed).unwrap();
    }
}

#[test]
fn a_file_without_a_row_is_adopted_and_one_that_is_not_ours_is_left_alone() {
    let disk = SimDisk::new();
    let mut kept = Kept::default();
    work(&disk, &mut kept).unwrap();
    kept.rows.clear();
    disk.open("segments/000000/notes.txt", Mode::Create).unwrap();
    let alien = disk.open("segments/000000/000000f0.seg", Mode::Create).unwrap();
    alien.write_at(&noise(1, 9000), 0).unwrap();
    let names = disk.list("segments/000000").unwrap();

    let (segments, recovered) = kept.open(&disk).unwrap();
    assert_eq!(recovered.len(), names.len() - 1);
    let (alien, ours) = recovered.split_last().unwrap();
    assert_eq!((alien.segment, alien.finding), (SegmentId(0xf0), Finding::Unreadable));
    assert!(ours.iter().all(|found| found.finding == Finding::Adopted && found.records > 0));
    assert!(segments.take_states().iter().all(|(_, state)| state.sealed));
    assert_eq!(disk.list("segments/000000").unwrap(), names);
    for (chunk, placed) in &kept.promised {
        assert_eq!(read(&segments, *placed).unwrap().plaintext, body(*chunk));
    }
}

/// The story: it was left out, at every start, with all that could still be read in it.
#[test]
fn a_file_without_a_row_is_adopted_as_far_as_the_disk_reads_it() {
    // The header, and a block with records.
    for (bad, left) in [(0..512, 10), (9000..9512, 6)] {
        let (disk, segments) = on_sim();
        let mut kept = Kept::default();
        let placed: Vec<Placed> = (0..10)
            .map(|chunk| append(&segments, LaneId::Small, chunk, &noise(chunk, 1000)).unwrap())
            .collect();
        synced(&segments, LaneId::Small).unwrap();
        let (segment, length) = (placed[0].segment, segments.length(placed[0].segment).unwrap().unwrap());
        drop(segments);
        disk.unreadable(&path::file(segment), bad.clone()).unwrap();
        let (segments, recovered) = kept.open(&disk).unwrap();
        let [found] = recovered[..] else { panic!("{recovered:?}") };
        assert_eq!((found.finding, found.records, found.cut), (Finding::AdoptedInPart, left, 0), "{bad:?}");
        assert!(found.damaged >= bad.end - bad.start && found.damaged < length, "{bad:?} {found:?}");
        let states = segments.take_states();
        assert!(
            matches!(states[..], [(id, SegmentState { sealed: true, length: all, .. })] if (id, all) == (segment, length))
        );
        let read_now = placed.iter().filter(|placed| read(&segments, **placed).is_ok()).count();
        // Whoever knows where they lie reads all but the one.
        assert_eq!(read_now, if left < 10 { 9 } else { 10 });
        // A cable, and not the disk: nothing was cut or written.
        disk.unreadable(&path::file(segment), 0..0).unwrap();
        kept.rows = states.into_iter().collect();
        let (segments, recovered) = kept.open(&disk).unwrap();
        assert_eq!((recovered, segments.length(segment).unwrap()), (vec![], Some(length)));
        placed.iter().for_each(|placed| drop(read(&segments, *placed).unwrap()));
    }
}

/// The story: a footer that could not be written was taken for a segment that could not be read. It was
/// left open, or adopted with half a footer as its own, and the store called open.
#[test]
fn a_segment_whose_end_cannot_be_written_is_none_that_cannot_be_read() {
    for (fault, known) in [(Failing::Write, true), (Failing::Write, false), (Failing::Short, false)] {
        let (sim, segments) = on_sim();
        let mut kept = Kept { ids: Ids::new(AtomicU64::new(9)), ..Kept::default() };
        let placed = append(&segments, LaneId::Small, 1, &noise(1, 1000)).unwrap();
        synced(&segments, LaneId::Small).unwrap();
        if known {
            kept.rows.extend(segments.take_states());
        }
        drop(segments);
        let disk = FaultyDisk::new(sim.clone());
        disk.plan(Plan { fault, call: 0, forever: true });
        let opened = Segments::open(Arc::new(disk.clone()), options(&kept.ids), kept.known());
        let recovered = opened.map(|(_, recovered)| recovered);
        assert!(disk.was_hit() && matches!(recovered, Err(StoreError::Unavailable(_))), "{recovered:?}");
        let (segments, recovered) = kept.open(&sim).unwrap();
        let sealed = if known { Finding::Sealed } else { Finding::Adopted };
        assert!(matches!(recovered[..], [found] if found.finding == sealed), "{recovered:?}");
        assert_eq!(read(&segments, placed).unwrap().plaintext, noise(1, 1000));
    }
}

#[test]
fn a_file_that_rows_do_not_know_is_never_written_over_by_a_new_segment() {
    let disk = SimDisk::new();
    let mut kept = Kept::default();
    work(&disk, &mut kept).unwrap();
    // Rows and ids came back from a backup that is older than the files.
    kept.rows.clear();
    kept.ids.store(0, Ordering::Relaxed);
    let (segments, recovered) = kept.open(&disk).unwrap();
    let placed = append(&segments, LaneId::Normal, 1, b"new").unwrap();
    assert!(recovered.iter().all(|found| found.segment < placed.segment));
}

#[test]
fn a_segment_whose_file_is_gone_is_reported_and_the_rest_opens() {
    let disk = SimDisk::new();
    let mut kept = Kept::default();
    work(&disk, &mut kept).unwrap();
    kept.rows.insert(SegmentId(99), SegmentState { kind: LaneKind::Small, sealed: true, length: 5000 });
    let (_, recovered) = kept.open(&disk).unwrap();
    let missing: Vec<_> = recovered.iter().filter(|found| found.finding == Finding::Missing).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].segment, SegmentId(99));
}

#[test]
fn a_full_disk_at_the_start_leaves_a_segment_unsealed_and_readable() {
    let disk = SimDisk::new();
    let mut kept = Kept::default();
    work(&disk, &mut kept).unwrap();
    // Fill what was taken ahead, so that the footer has no room at all.
    let open: Vec<SegmentId> = kept.rows.iter().filter(|(_, row)| !row.sealed).map(|(id, _)| *id).collect();
    for id in &open {
        let file = disk.open(&path::file(*id), Mode::ReadWrite).unwrap();
        file.set_len(kept.rows[id].length).unwrap();
    }
    disk.set_free(0);
    let promised = kept.promised.clone();
    let (segments, recovered) = kept.open(&disk).unwrap();
    assert!(recovered.iter().all(|found| found.finding == Finding::Unsealed), "{recovered:?}");
    for (chunk, placed) in promised {
        if !open.contains(&placed.segment) {
            assert_eq!(read(&segments, placed).unwrap().plaintext, body(chunk));
        }
    }
    disk.set_free(1 << 30);
    let (_, recovered) = kept.open(&disk).unwrap();
    assert!(recovered.iter().all(|found| found.finding == Finding::Sealed), "{recovered:?}");
}

#[test]
fn no_damage_makes_opening_walking_or_reading_panic() {
    let disk = SimDisk::new();
    let mut kept = Kept::default();
    work(&disk, &mut kept).unwrap();
    for round in 0..200_u64 {
        let image = disk.crash(round);
        for (id, row) in &kept.rows {
            for hit in 0..3 {
                let dice = noise(round * 1000 + id.0 * 10 + hit, 9);
                let at = u64::from_le_bytes(dice[..8].try_into().unwrap()) % (row.length + 200);
                let _ = image.damage(&path::file(*id), at, dice[8]);
            }
        }
        let (segments, _) = kept.open(&image).unwrap();
        for (chunk, placed) in &kept.promised {
            match read(&segments, *placed) {
                Ok(found) => assert_eq!(found.plaintext, body(*chunk)),
                Err(StoreError::Damaged(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        for id in kept.rows.keys() {
            let _ = (segments.footer(*id), segments.walk(*id, u64::MAX));
        }
    }
}
