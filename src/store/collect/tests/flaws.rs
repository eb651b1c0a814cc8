//! Segments whose frame is damaged: they hold up nobody else.

use super::*;
use crate::store::{
    blobs::{
        damage::{Part, known},
        verify,
    },
    io::Mode,
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
    for (n, (id, _)) in filled.bodies.iter().enumerate().skip(1).filter(|(n, _)| n % 3 == 0) {
        assert!(get(&filled.store, *id).unwrap() == body(n), "{n}");
    }
}
