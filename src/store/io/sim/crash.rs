//! From a disk with unsynced steps to what a power cut could leave of it.

use std::collections::BTreeMap;

use super::{
    SECTOR,
    content::Content,
    names::{Entry, apply_names},
    state::{Inode, State, Step, apply},
};

/// What most disks and file systems write at once.
const BLOCK: u64 = 4096;

/// What happens to the steps that were not synced.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// None is kept.
    Lost,
    /// All are kept.
    Kept,
    /// All up to a place in the log; the step there in part.
    Prefix(u64),
    /// Each by the throw of a coin that falls well this often in 8, in units of so many bytes.
    Sectors(u64, u64),
    /// Each whole or not at all, as above.
    Whole(u64),
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// True this often in 8.
    fn chance(&mut self, in_eight: u64) -> bool {
        self.below(8) < in_eight
    }

    fn fate(&mut self, logged: u64) -> Fate {
        match self.below(10) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2..4 => Fate::Prefix(self.below(logged + 2)),
            4 | 5 => Fate::Sectors(1 + self.below(7), SECTOR),
            6 => Fate::Sectors(1 + self.below(7), BLOCK),
            _ => Fate::Whole(1 + self.below(7)),
        }
    }
}

/// One image of the disk after a power cut.
pub(super) fn image(before: &State, seed: u64) -> State {
    let mut dice = Dice(seed);
    // Bytes and names mostly share a fate's kind, but not always: they lie in different places.
    let fate = dice.fate(before.logged);
    let name_fate = if dice.chance(4) { fate } else { dice.fate(before.logged) };
    let names = kept_names(before, name_fate, &mut dice);

    let mut after = State { free: before.free, total: before.total, ..State::default() };
    for (path, entry) in names {
        let entry = match entry {
            Entry::Folder => Entry::Folder,
            Entry::File(inode) => {
                let Some(inode) = before.inodes.get(inode) else { continue };
                let content = kept_content(inode, fate, &mut dice);
                after.inodes.push(Inode::settled(content));
                Entry::File(after.inodes.len() - 1)
            }
        };
        after.names.insert(path.clone(), entry);
        after.durable_names.insert(path, entry);
    }
    after
}

/// The names left; what lost the folder it is in is gone with it.
fn kept_names(before: &State, fate: Fate, dice: &mut Dice) -> BTreeMap<String, Entry> {
    let mut names = before.durable_names.clone();
    for (place, step) in &before.pending_names {
        let kept = match fate {
            Fate::Lost => false,
            Fate::Kept => true,
            Fate::Prefix(end) => *place <= end,
            Fate::Sectors(odds, _) | Fate::Whole(odds) => dice.chance(odds),
        };
        if kept {
            apply_names(&mut names, step);
        }
    }
    // In order a folder comes before what it holds.
    let mut rooted: BTreeMap<String, Entry> = BTreeMap::new();
    for (path, entry) in names {
        let dir = path.rsplit_once('/').map(|(dir, _)| dir);
        if dir.is_none_or(|dir| rooted.get(dir) == Some(&Entry::Folder)) {
            rooted.insert(path, entry);
        }
    }
    rooted
}

fn kept_content(inode: &Inode, fate: Fate, dice: &mut Dice) -> Content {
    let mut content = inode.durable.clone();
    for (place, step) in &inode.pending {
        match fate {
            Fate::Lost => {}
            Fate::Kept => apply(&mut content, step),
            Fate::Prefix(end) if *place < end => apply(&mut content, step),
            Fate::Prefix(end) if *place == end => cut_off(&mut content, step, dice),
            Fate::Prefix(_) => {}
            Fate::Sectors(odds, unit) => torn(&mut content, step, (odds, unit), dice),
            Fate::Whole(odds) if dice.chance(odds) => apply(&mut content, step),
            Fate::Whole(_) => left_behind(&mut content, step, dice),
        }
    }
    // Bytes may reach the disk and the new length of their file not.
    if matches!(fate, Fate::Sectors(..) | Fate::Whole(_)) && dice.below(16) == 0 {
        content.set_len(content.len().min(inode.durable.len()));
    }
    content
}

/// Keeps some units of a write, or its beginning up to any byte.
fn cut_off(content: &mut Content, step: &Step, dice: &mut Dice) {
    match step {
        Step::Write { offset, bytes } if dice.chance(4) => {
            left_behind(content, step, dice);
            let end = dice.below(bytes.len() as u64 + 1) as usize;
            content.write(bytes.get(..end).unwrap_or_default(), *offset);
        }
        Step::Write { .. } | Step::SetLen(_) => torn(content, step, (4, SECTOR), dice),
    }
}

/// Keeps some units of a write; a length changes or does not.
fn torn(content: &mut Content, step: &Step, (odds, unit): (u64, u64), dice: &mut Dice) {
    let Step::Write { offset, bytes } = step else {
        if dice.chance(odds) {
            apply(content, step);
        }
        return;
    };
    left_behind(content, step, dice);
    let end = offset + bytes.len() as u64;
    let mut from = *offset;
    while from < end {
        let to = ((from / unit + 1) * unit).min(end);
        if dice.chance(odds)
            && let Some(sector) = bytes.get((from - offset) as usize..(to - offset) as usize)
        {
            content.write(sector, from);
        }
        from = to;
    }
}

/// What a lost write may leave behind where it made the file longer: nothing, or the new length
/// with zeros or with whatever the disk held there before.
fn left_behind(content: &mut Content, step: &Step, dice: &mut Dice) {
    let Step::Write { offset, bytes } = step else { return };
    let end = offset + bytes.len() as u64;
    let old = content.len();
    if end <= old || dice.chance(4) {
        return;
    }
    content.set_len(end);
    if dice.chance(3) {
        let from = old.max(*offset);
        let garbage: Vec<u8> = (from..end).map(|_| dice.next() as u8).collect();
        content.write(&garbage, from);
    }
}
