//! Segments whose frame is damaged: they hold up nobody else.

use super::*;
use crate::store::{
    blobs::{
        damage::{Part, known},
        verify,
    },
    io::Mode,
    scrub::{Scrubber, rows::Portion},
    segments::{FlawKind, path_of},
};

/// A store with some segments, closed but the last, each full of bodies of one chunk or two.
struct Filled {
    disk: SimDisk,
    store: Arc<Store>,
    bodies: Vec<(ManifestId, BTreeSet<SegmentId>)>,
}

fn body(n: usize) -> Vec<u8> {
    noise(&format!("flaw {n}"), 300_000)
}

impl Filled {
    fn new() -> Self {
        let disk = SimDisk::new();
        let store = open(&disk);
        let ids: Vec<_> = (0..60).map(|n| put(&store, &body(n))).collect();
        let rows = store.snapshot().unwrap();
        let within = |id| {
            let mut found = BTreeSet::new();
            verify::chunks_of(&rows, id, &mut |(chunk, ..)| {
                found.insert(find_chunk(&rows, chunk).unwrap().unwrap().segment);
            })
            .unwrap();
            found
        };
        let bodies = ids.into_iter().map(|id| (id, within(id))).collect();
        drop(rows);
        Self { disk, store, bodies }
    }

    /// The first two segments, which are full.
    fn full(&self) -> [SegmentId; 2] {
        let all: BTreeSet<_> = self.bodies.iter().flat_map(|(_, within)| within.iter().copied()).collect();
        let all: Vec<_> = all.into_iter().collect();
        assert!(all.len() > 2, "{all:?}");
        [all[0], all[1]]
    }

    /// Has some bytes of a segment be unreadable: its footer, and if so some before.
    fn spoil(&self, segment: SegmentId, records_too: bool) {
        let path = path_of(segment);
        let end = self.disk.open(&path, Mode::Read).unwrap().len().unwrap();
        self.disk.unreadable(&path, end - 100..end).unwrap();
        if records_too {
            self.disk.unreadable(&path, 5000..5512).unwrap();
        }
    }

    fn is_there(&self, segment: SegmentId) -> bool {
        self.disk.open(&path_of(segment), Mode::Read).is_ok()
    }

    fn damaged(&self) -> Vec<(Part, FlawKind)> {
        let known = known(&self.store.snapshot().unwrap(), None, 100).unwrap();
        known.into_iter().map(|damaged| (damaged.part, damaged.row.kind)).collect()
    }
}

/// The story: one bad sector in the footer of a segment, and nothing was ever given back again.
#[test]
fn a_bad_sector_in_an_empty_segment_holds_up_no_other() {
    let filled = Filled::new();
    let [first, second] = filled.full();
    filled.spoil(first, false);
    filled.spoil(second, true);
    filled.bodies.iter().for_each(|(id, _)| release(&filled.store, *id));
    for _ in 0..2 {
        let report = collect(&filled.store, ALL);
        assert!(matches!(&report.damaged[..], [text] if text.contains(&second.to_string())), "{report:?}");
        assert_eq!(filled.store.collection().aborted(), None);
        assert!(!filled.is_there(first), "its records could be read");
        assert!(filled.is_there(second), "whatever it holds, it was not seen");
    }
    assert_eq!((all_rows(&filled.store, Table::Segment), filled.damaged()), (1, vec![]));
    // A cable, and not the disk.
    filled.disk.unreadable(&path_of(second), 0..0).unwrap();
    assert_eq!(collect(&filled.store, ALL).damaged, [""; 0]);
    assert_eq!((disk_use(&filled.disk), queue(&filled.store)), (0, 0));
}

#[test]
fn a_bad_sector_in_a_sparse_segment_is_noted_and_holds_up_no_other() {
    let filled = Filled::new();
    let [first, second] = filled.full();
    filled.spoil(first, false);
    filled.spoil(second, true);
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for (n, (id, _)) in filled.bodies.iter().enumerate() {
        if n % 3 == 0 { kept.push((n, *id)) } else { gone.push(*id) }
    }
    gone.into_iter().for_each(|id| release(&filled.store, id));
    for _ in 0..2 {
        let report = collect(&filled.store, ALL);
        assert!(report.damaged.len() <= 1, "{report:?}");
        assert_eq!(filled.store.collection().aborted(), None);
        assert!(!filled.is_there(first) && filled.is_there(second));
        assert_eq!(filled.damaged(), [(Part::Segment(second), FlawKind::Unreadable)]);
    }
    filled.disk.unreadable(&path_of(second), 0..0).unwrap();
    for (n, id) in kept {
        assert!(get(&filled.store, id).unwrap() == body(n), "{n}");
    }
}

/// The story: it stayed for ever, and `holdall check` advised to move it for ever.
#[test]
fn a_segment_that_cannot_be_read_whole_is_moved_once_what_is_lost_was_stored_again() {
    let filled = Filled::new();
    let [first, second] = filled.full();
    filled.spoil(first, true);
    let scrub = || Scrubber::begin(&filled.store, Portion::ALL).unwrap().run().unwrap().damaged;
    assert_eq!(scrub(), 2, "a chunk, and the list of the segment");
    for _ in 0..2 {
        let report = collect(&filled.store, ALL);
        assert_eq!((report.segments_compacted, report.chunks_moved), (0, 0));
    }
    let mut ids: Vec<_> = filled.bodies.iter().map(|(id, _)| *id).collect();
    let lost: Vec<_> = (0..60).filter(|n| get(&filled.store, ids[*n]).is_err()).collect();
    assert!(!lost.is_empty() && lost.len() <= 2);
    ids.extend(lost.into_iter().map(|n| put(&filled.store, &body(n))));
    assert_eq!(filled.damaged(), [(Part::Segment(first), FlawKind::Unreadable)]);
    let report = collect(&filled.store, ALL);
    assert!(report.segments_compacted == 1 && report.chunks_moved > 0, "{report:?}");
    assert!(filled.is_there(first) && filled.is_there(second), "not all of it was seen");
    assert_eq!((filled.damaged(), filled.store.blobs().damaged(), scrub()), (vec![], 0, 0));
    assert_eq!(recount(&filled.store, &ids).findings, []);
    for (n, id) in ids[..60].iter().enumerate() {
        assert!(get(&filled.store, *id).unwrap() == body(n), "{n}");
    }
}

/// A list that is damaged hides nothing, but a record that is damaged as well.
#[test]
fn a_damaged_record_in_a_segment_without_a_list_ends_no_run() {
    let filled = Filled::new();
    let [first, _] = filled.full();
    let path = path_of(first);
    let end = filled.disk.open(&path, Mode::Read).unwrap().len().unwrap();
    filled.disk.damage(&path, end - 10, 1).unwrap();
    filled.disk.damage(&path, 4096 + 20, 1).unwrap();
    for (n, (id, _)) in filled.bodies.iter().enumerate() {
        if n % 3 != 0 {
            release(&filled.store, *id);
        }
    }
    for _ in 0..3 {
        collect(&filled.store, ALL);
        assert_eq!(filled.store.collection().aborted(), None);
        assert!(filled.is_there(first));
    }
    assert_eq!(filled.damaged(), [(Part::Segment(first), FlawKind::Footer)]);
    let told = |run: &str| assert!(!filled.store.collection().left(first), "the log has told {run}");
    told("once");
    // The story: what had come back and decayed again was not told again.
    filled.disk.damage(&path, end - 10, 1).unwrap();
    Scrubber::begin(&filled.store, Portion::ALL).unwrap().run().unwrap();
    assert!(filled.damaged().iter().all(|(part, _)| matches!(part, Part::Chunk(_))));
    collect(&filled.store, NO_MOVES);
    assert!(filled.store.collection().left(first), "it is whole: the next time is another");
    filled.disk.damage(&path, end - 10, 1).unwrap();
    for (n, (id, _)) in filled.bodies.iter().enumerate().skip(1).filter(|(n, _)| n % 3 == 0) {
        assert!(get(&filled.store, *id).unwrap() == body(n), "{n}");
    }
}

#[test]
fn a_segment_that_is_gone_holds_up_no_other() {
    let filled = Filled::new();
    let [first, second] = filled.full();
    for (n, (id, _)) in filled.bodies.iter().enumerate() {
        if n % 3 != 0 {
            release(&filled.store, *id);
        }
    }
    filled.store.segments().remove(first).unwrap();
    for run in 0..3 {
        let report = collect(&filled.store, ALL);
        assert!(run == 0 || report.damaged.len() == 1, "{report:?}");
        assert_eq!(filled.store.collection().aborted(), None);
    }
    assert!(!filled.is_there(second));
    assert!(!filled.store.collection().left(first), "the log has told");
    let kept: Vec<_> = filled.bodies.iter().map(|(id, _)| *id).step_by(3).collect();
    assert!(get(&filled.store, kept[0]).is_err());
    assert!(get(&filled.store, *kept.last().unwrap()).unwrap() == body(57));
    assert_eq!(all_rows(&filled.store, Table::Segment), 2, "its row stays as long as its chunks");
}

/// What is done to the file of a segment of that length, and what is found then.
type Harm = (FlawKind, fn(&SimDisk, &str, u64));

/// The story: what `holdall check` advised moved no chunk of a segment that was full.
#[test]
fn a_damaged_segment_is_moved_however_full_it_is() {
    let harms: [Harm; 4] = [
        (FlawKind::Header, |disk, path, _| disk.damage(path, 100, 1).unwrap()),
        (FlawKind::Footer, |disk, path, end| disk.damage(path, end - 10, 1).unwrap()),
        (FlawKind::Unreadable, |disk, path, _| disk.unreadable(path, 0..512).unwrap()),
        (FlawKind::Unreadable, |disk, path, end| disk.unreadable(path, end - 100..end).unwrap()),
    ];
    for (kind, harm) in harms {
        let filled = Filled::new();
        let [first, second] = filled.full();
        let end = filled.disk.open(&path_of(first), Mode::Read).unwrap().len().unwrap();
        harm(&filled.disk, &path_of(first), end);
        collect(&filled.store, ALL);
        assert!(filled.is_there(first), "nobody knows yet");
        let scrub = || Scrubber::begin(&filled.store, Portion::ALL).unwrap().run().unwrap().damaged;
        assert_eq!(scrub(), 1);
        assert_eq!(filled.damaged(), [(Part::Segment(first), kind)]);
        collect(&filled.store, NO_MOVES);
        assert!(filled.is_there(first), "{kind:?}: nothing was to be moved");
        let report = collect(&filled.store, ALL);
        assert_eq!((report.segments_compacted, report.segments_removed), (1, 1), "{kind:?}");
        assert!(!filled.is_there(first) && filled.is_there(second), "{kind:?}");
        assert_eq!((filled.damaged(), filled.store.blobs().damaged(), scrub()), (vec![], 0, 0));
        let ids: Vec<_> = filled.bodies.iter().map(|(id, _)| *id).collect();
        assert_eq!(recount(&filled.store, &ids).findings, []);
        for (n, id) in ids.into_iter().enumerate() {
            assert!(get(&filled.store, id).unwrap() == body(n), "{n}");
        }
    }
}

/// One that is still written has a header too.
#[test]
fn a_damaged_segment_that_is_written_is_ended_and_moved() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let id = put(&store, &body(1));
    let segment = find_chunk(&store.snapshot().unwrap(), ChunkNo(1)).unwrap().unwrap().segment;
    disk.damage(&path_of(segment), 100, 1).unwrap();
    let filled = Filled { disk, store, bodies: Vec::new() };
    assert_eq!(Scrubber::begin(&filled.store, Portion::ALL).unwrap().run().unwrap().damaged, 1);
    collect(&filled.store, ALL);
    assert!(!filled.is_there(segment) && filled.damaged().is_empty());
    assert!(get(&filled.store, id).unwrap() == body(1));
}
