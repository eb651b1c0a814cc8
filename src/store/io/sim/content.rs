//! The bytes of one simulated file: sparse, and cheap to copy because copies share their pages.

use std::collections::BTreeMap;

use crate::store::sync::Arc;

const PAGE: u64 = 4096;
type Page = [u8; PAGE as usize];

/// Bytes up to a length; what was never written is zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills the buffer; false if the content ends before that.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> bool {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.len) {
            return false;
        }
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let (page, within) = (at / PAGE, (at % PAGE) as usize);
            let count = rest.len().min(PAGE as usize - within);
            let (part, behind) = rest.split_at_mut(count);
            match self.pages.get(&page).and_then(|page| page.get(within..within + count)) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
            at += count as u64;
            rest = behind;
        }
        true
    }

    /// Writes, and lengthens where needed.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (page, within) = (at / PAGE, (at % PAGE) as usize);
            let count = rest.len().min(PAGE as usize - within);
            let (part, behind) = rest.split_at(count);
            let page = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE as usize]));
            if let Some(target) = Arc::make_mut(page).get_mut(within..within + count) {
                target.copy_from_slice(part);
            }
            at += count as u64;
            rest = behind;
        }
        self.len = self.len.max(at);
    }

    /// Cuts, or lengthens with zeros.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            let within = (len % PAGE) as usize;
            if within > 0
                && let Some(page) = self.pages.get_mut(&(len / PAGE))
                && let Some(behind) = Arc::make_mut(page).get_mut(within..)
            {
                behind.fill(0);
            }
        }
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_is_zero_when_the_content_grows_again() {
        let mut content = Content::default();
        content.write(&[7; 9000], 100);
        content.set_len(4200);
        content.set_len(9100);
        let mut read = vec![1; 9100];
        assert!(content.read(&mut read, 0));
        let expected: Vec<u8> = (0..9100).map(|at| if (100..4200).contains(&at) { 7 } else { 0 }).collect();
        assert_eq!(read, expected);
        assert!(!content.read(&mut read, 1));
    }
}
