//! What the simulated disk holds: live and durable content and names, and the log between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
};

use super::{
    super::Site,
    content::Content,
    names::{Entry, NameStep},
};
use crate::store::sync::Arc;

/// What a system says of a place it cannot read.
const EIO: i32 = 5;

/// What was asked of a disk so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Calls that change anything, syncs included.
    pub changes: u64,
    /// Calls that read bytes.
    pub reads: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Calls that write bytes.
    pub writes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Syncs of files and folders, by site; those left out too.
    pub syncs: BTreeMap<Site, u64>,
}

/// A step of the log that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Shared, so that images of the disk cost little.
    Write {
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) live: Content,
    pub(super) durable: Content,
    /// Steps since the last sync, each with its place in the disk's one log.
    pub(super) pending: Vec<(u64, Step)>,
    /// Room taken on the disk: the highest end written or allocated.
    pub(super) taken: u64,
    pub(super) locked: bool,
    /// Bytes that cannot be read.
    pub(super) unreadable: Vec<Range<u64>>,
    /// Bytes that memory has otherwise than the disk, until it is made to forget them.
    pub(super) misheld: Vec<u64>,
    /// A sync failed once: what was written before is shown, and no sync makes it durable.
    given_up: bool,
}

/// Looks at the disk before each change.
pub(super) struct Watcher(pub(super) Box<dyn FnMut(&State) + Send>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<String, Entry>,
    pub(super) durable_names: BTreeMap<String, Entry>,
    pub(super) pending_names: Vec<(u64, NameStep)>,
    /// Steps logged so far.
    pub(super) logged: u64,
    pub(super) skipped: BTreeSet<Site>,
    /// The call of a site that is left out, and how many changes the power lasts then.
    pub(super) left_out: Option<(Site, u64, u64)>,
    pub(super) failing: BTreeSet<Site>,
    pub(super) failing_nth: BTreeMap<Site, u32>,
    pub(super) power_until: Option<u64>,
    /// The number of the write that fails half-way.
    pub(super) cut_write: Option<u64>,
    pub(super) counts: Counts,
    pub(super) watcher: Option<Watcher>,
    pub(super) free: u64,
    pub(super) total: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            logged: 0,
            skipped: asked_to_skip(),
            left_out: None,
            failing: BTreeSet::new(),
            failing_nth: BTreeMap::new(),
            power_until: None,
            cut_write: None,
            counts: Counts::default(),
            watcher: None,
            free: 1 << 40,
            total: 1 << 40,
        }
    }
}

/// The syncs that this test run leaves out.
fn asked_to_skip() -> BTreeSet<Site> {
    #[cfg(test)]
    if let Some(name) = crate::store::faults::asked_name() {
        return Site::ALL.iter().filter(|site| format!("{site:?}") == name).copied().collect();
    }
    BTreeSet::new()
}

impl Inode {
    /// A file whose content is all there is: nothing pending.
    pub(super) fn settled(content: Content) -> Self {
        Self { taken: content.len(), live: content.clone(), durable: content, ..Self::default() }
    }
}

/// Whether the power lasts for a change.
pub(super) enum Power {
    On,
    /// It fails within this change: the log has it, the caller hears an error.
    Failing,
}

impl Power {
    pub(super) fn answer(self) -> io::Result<()> {
        match self {
            Self::On => Ok(()),
            Self::Failing => Err(power_cut()),
        }
    }
}

fn power_cut() -> io::Error {
    io::Error::other("the simulated power is off")
}

impl State {
    /// Counts a change and says whether it happens; an error means it does not, not even in part.
    pub(super) fn change(&mut self) -> io::Result<Power> {
        if let Some(mut watcher) = self.watcher.take() {
            (watcher.0)(self);
            self.watcher = Some(watcher);
        }
        let number = self.counts.changes;
        self.counts.changes += 1;
        match self.power_until {
            Some(until) if number > until => Err(power_cut()),
            Some(until) if number == until => Ok(Power::Failing),
            _ => Ok(Power::On),
        }
    }

    pub(super) fn log(&mut self) -> u64 {
        self.logged += 1;
        self.logged
    }

    pub(super) fn inode(&mut self, inode: usize) -> io::Result<&mut Inode> {
        self.inodes.get_mut(inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn read(&mut self, inode: usize, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.counts.reads += 1;
        self.counts.bytes_read += buffer.len() as u64;
        let inode = self.inode(inode)?;
        let end = offset.saturating_add(buffer.len() as u64);
        if inode.unreadable.iter().any(|bad| bad.start < end && offset < bad.end) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let whole = inode.live.read(buffer, offset);
        for at in inode.misheld.iter().filter_map(|at| at.checked_sub(offset)) {
            if let Some(byte) = usize::try_from(at).ok().and_then(|at| buffer.get_mut(at)) {
                *byte ^= 1;
            }
        }
        if whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn len(&mut self, inode: usize) -> io::Result<u64> {
        Ok(self.inode(inode)?.live.len())
    }

    /// Takes room up to `end`, as far as there is any, and says up to where.
    fn take_room(&mut self, inode: usize, end: u64) -> io::Result<u64> {
        let free = self.free;
        let inode = self.inode(inode)?;
        let more = end.saturating_sub(inode.taken).min(free);
        inode.taken += more;
        let reached = inode.taken;
        self.free -= more;
        Ok(reached)
    }

    fn step(&mut self, inode: usize, step: Step) -> io::Result<()> {
        let place = self.log();
        let inode = self.inode(inode)?;
        apply(&mut inode.live, &step);
        inode.pending.push((place, step));
        Ok(())
    }

    pub(super) fn write(&mut self, inode: usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let power = self.change()?;
        let cut = self.cut_write == Some(self.counts.writes);
        self.counts.writes += 1;
        self.counts.bytes_written += bytes.len() as u64;
        let reached = self.take_room(inode, offset + bytes.len() as u64)?;
        let fits = usize::try_from(reached.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        let kept: Arc<[u8]> = bytes.get(..if cut { fits / 2 } else { fits }).unwrap_or_default().into();
        if !kept.is_empty() {
            self.step(inode, Step::Write { offset, bytes: kept })?;
        }
        power.answer()?;
        if cut {
            return Err(io::Error::other("the simulated disk cut a write short"));
        }
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn set_len(&mut self, inode: usize, len: u64) -> io::Result<()> {
        let power = self.change()?;
        let file = self.inode(inode)?;
        // As file systems do it: what was held behind the end stays when the file grows.
        let back = if len > file.live.len() { 0 } else { file.taken.saturating_sub(len) };
        file.taken -= back;
        self.free += back;
        self.step(inode, Step::SetLen(len))?;
        power.answer()
    }

    pub(super) fn allocate(&mut self, inode: usize, len: u64) -> io::Result<()> {
        let longer = len > self.len(inode)?;
        if !longer && self.inode(inode)?.taken >= len {
            return Ok(());
        }
        let power = self.change()?;
        if self.take_room(inode, len)? < len {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if longer {
            self.step(inode, Step::SetLen(len))?;
        }
        power.answer()
    }

    pub(super) fn hold(&mut self, inode: usize, end: u64) -> io::Result<()> {
        if self.inode(inode)?.taken >= end {
            return Ok(());
        }
        let power = self.change()?;
        if self.take_room(inode, end)? < end {
            return Err(io::ErrorKind::StorageFull.into());
        }
        power.answer()
    }

    /// Counts a sync and says whether it is to be done.
    pub(super) fn synced(&mut self, site: Site) -> io::Result<bool> {
        let power = self.change()?;
        *self.counts.syncs.entry(site).or_default() += 1;
        power.answer()?;
        if self.failing.contains(&site) {
            return Err(io::Error::other("the simulated disk cannot sync"));
        }
        Ok(!self.leaves_out(site) && !self.skipped.contains(&site))
    }

    /// Whether this is the one call that is left out.
    fn leaves_out(&mut self, site: Site) -> bool {
        let Some((_, left, more)) = self.left_out.as_mut().filter(|(of, ..)| *of == site) else {
            return false;
        };
        *left -= 1;
        if *left > 0 {
            return false;
        }
        self.power_until = Some(self.counts.changes.saturating_add(*more));
        self.left_out = None;
        true
    }

    pub(super) fn sync(&mut self, inode: usize, site: Site) -> io::Result<()> {
        if self.fails_now(site) {
            let inode = self.inode(inode)?;
            inode.given_up = true;
            inode.pending.clear();
            return Err(io::Error::other("the simulated disk could not sync"));
        }
        if self.synced(site)? {
            let inode = self.inode(inode)?;
            let pending = std::mem::take(&mut inode.pending);
            if inode.given_up {
                pending.iter().for_each(|(_, step)| apply(&mut inode.durable, step));
            } else {
                inode.durable = inode.live.clone();
            }
        }
        Ok(())
    }

    /// Whether this is the sync that is to fail once.
    pub(super) fn fails_now(&mut self, site: Site) -> bool {
        let Some(left) = self.failing_nth.get_mut(&site) else { return false };
        *left -= 1;
        *left == 0 && self.failing_nth.remove(&site).is_some()
    }
}

/// Does one step to a content.
pub(super) fn apply(content: &mut Content, step: &Step) {
    match step {
        Step::Write { offset, bytes } => content.write(bytes, *offset),
        Step::SetLen(len) => content.set_len(*len),
    }
}
