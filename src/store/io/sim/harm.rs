//! Harm that is done to the simulated disk behind everybody's back: to what it shows and to what
//! would be left after a power cut alike.

use std::{io, ops::Range};

use super::state::State;

impl State {
    pub(super) fn damage(&mut self, path: &str, offset: u64, mask: u8) -> io::Result<()> {
        let inode = self.file(path)?;
        let inode = self.inode(inode)?;
        for content in [&mut inode.live, &mut inode.durable] {
            let mut byte = [0];
            if content.read(&mut byte, offset) {
                content.write(&[byte[0] ^ mask], offset);
            }
        }
        if offset < inode.live.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn overwrite(&mut self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let inode = self.file(path)?;
        let inode = self.inode(inode)?;
        for content in [&mut inode.live, &mut inode.durable] {
            let there = content.len().saturating_sub(offset).min(bytes.len() as u64);
            content.write(bytes.get(..there as usize).unwrap_or_default(), offset);
        }
        Ok(())
    }

    pub(super) fn cut_off(&mut self, path: &str, len: u64) -> io::Result<()> {
        let inode = self.file(path)?;
        let inode = self.inode(inode)?;
        for content in [&mut inode.live, &mut inode.durable] {
            content.set_len(content.len().min(len));
        }
        Ok(())
    }

    pub(super) fn mishold(&mut self, path: &str, offset: u64) -> io::Result<()> {
        let inode = self.file(path)?;
        self.inode(inode)?.misheld.push(offset);
        Ok(())
    }

    pub(super) fn uncache(&mut self, inode: usize, range: &Range<u64>) {
        if let Ok(inode) = self.inode(inode) {
            inode.misheld.retain(|at| !range.contains(at));
        }
    }

    pub(super) fn unreadable(&mut self, path: &str, range: Range<u64>) -> io::Result<()> {
        let inode = self.file(path)?;
        let bad = &mut self.inode(inode)?.unreadable;
        if range.is_empty() {
            bad.clear();
        } else {
            bad.push(range);
        }
        Ok(())
    }
}
