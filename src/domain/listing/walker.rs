//! Walks a bucket's files in byte order of their full keys, from any string on.
//!
//! A stack of folders, each with a few rows read ahead; the read-ahead grows while rows are used,
//! so that a seek through big folders reads one row of each.

use std::collections::VecDeque;

use crate::{
    domain::{Error, tree::broken},
    model::ids::{BucketId, NodeId},
    store::{
        meta::{
            key::after_prefix,
            rows::{KeyRange, KeyValue, Order, Rows},
        },
        rows::tree::{self, Dent, FileRow, Side},
    },
};

/// Rows read at first in a folder, and how fast that grows.
const FIRST_ROWS: usize = 2;
const GROWTH: usize = 8;

/// What the walk came to.
#[derive(Debug)]
pub(super) enum Met {
    /// A file, and the folder it is in.
    File {
        /// Its full key.
        key: String,
        /// Its row.
        row: FileRow,
    },
    /// A folder; the walk goes into it next unless it is told to skip.
    Folder {
        /// Its full key, ending in `/`.
        key: String,
    },
}

struct Frame {
    folder: NodeId,
    prefix: String,
    ahead: VecDeque<KeyValue>,
    /// Where to read on; `None` when everything was read.
    from: Option<Vec<u8>>,
    rows: usize,
}

/// A walk over one snapshot.
pub(super) struct Walker<'a> {
    rows: &'a dyn Rows,
    bucket: BucketId,
    root: NodeId,
    sides: &'static [Side],
    stack: Vec<Frame>,
    limit: usize,
}

impl<'a> Walker<'a> {
    /// A walk of live names, or of deleted ones too, that will use about `limit` rows.
    pub(super) fn new(
        rows: &'a dyn Rows,
        (bucket, root): (BucketId, NodeId),
        sides: &'static [Side],
        limit: usize,
    ) -> Self {
        Self { rows, bucket, root, sides, stack: Vec::new(), limit: limit.max(FIRST_ROWS) }
    }

    /// Goes to the first key that is not before `target`, a string that need not be a key.
    pub(super) fn seek(&mut self, target: &[u8]) -> Result<(), Error> {
        self.stack.clear();
        let (mut folder, mut prefix, mut rest) = (self.root, String::new(), target);
        loop {
            let slash = rest.iter().position(|&byte| byte == b'/');
            let (segment, below) = rest.split_at(slash.map_or(rest.len(), |at| at + 1));
            let mut frame = Frame {
                folder,
                prefix: prefix.clone(),
                ahead: VecDeque::new(),
                from: Some(segment.to_vec()),
                rows: FIRST_ROWS,
            };
            self.fill(&mut frame)?;
            let through =
                slash.and_then(|_| frame.ahead.front().map(|first| first.0.get(16..) == Some(segment)));
            if through != Some(true) {
                self.stack.push(frame);
                return Ok(());
            }
            let first = frame.ahead.pop_front().ok_or_else(|| broken("a row vanished"))?;
            self.stack.push(frame);
            let (sortname, Dent::Folder(row)) = tree::read_dent(&first)? else {
                return Err(broken("a file has a folder's name"));
            };
            prefix.push_str(&sortname);
            folder = row.node;
            rest = below;
        }
    }

    /// Goes behind every key that starts with `prefix`.
    pub(super) fn skip(&mut self, prefix: &str) -> Result<(), Error> {
        match after_prefix(prefix.as_bytes()) {
            Some(behind) => self.seek(&behind),
            None => {
                self.stack.clear();
                Ok(())
            }
        }
    }

    /// The next file or folder; `None` at the end. A folder was entered when it is returned.
    pub(super) fn next(&mut self) -> Result<Option<Met>, Error> {
        while let Some(mut frame) = self.stack.pop() {
            if frame.ahead.is_empty() {
                if frame.from.is_none() {
                    continue;
                }
                self.fill(&mut frame)?;
            }
            let Some(row) = frame.ahead.pop_front() else { continue };
            let (sortname, dent) = tree::read_dent(&row)?;
            let key = format!("{}{sortname}", frame.prefix);
            self.stack.push(frame);
            return Ok(Some(match dent {
                Dent::File(row) => Met::File { key, row },
                Dent::Folder(row) => {
                    self.enter(row.node, key.clone());
                    Met::Folder { key }
                }
            }));
        }
        Ok(None)
    }

    /// Leaves the folder that was met last without looking into it.
    pub(super) fn leave(&mut self) {
        self.stack.pop();
    }

    fn enter(&mut self, folder: NodeId, prefix: String) {
        let rows = FIRST_ROWS * GROWTH;
        self.stack.push(Frame { folder, prefix, ahead: VecDeque::new(), from: Some(Vec::new()), rows });
    }

    /// Reads the next rows of a frame, of both sides in one order.
    fn fill(&self, frame: &mut Frame) -> Result<(), Error> {
        let Some(from) = frame.from.take() else { return Ok(()) };
        let mut start = tree::dent_key(self.bucket, frame.folder, "");
        start.extend_from_slice(&from);
        let range: KeyRange = tree::members(self.bucket, frame.folder).from(start);
        let count = frame.rows.min(self.limit);
        let mut found = Vec::new();
        for side in self.sides {
            found.extend(self.rows.scan(side.table(), &range, Order::Forward, count)?);
        }
        found.sort();
        let more = found.len() >= count;
        found.truncate(count);
        if more && let Some((last, _)) = found.last() {
            let mut behind = last.get(16..).unwrap_or_default().to_vec();
            behind.push(0);
            frame.from = Some(behind);
        }
        frame.rows = count.saturating_mul(GROWTH);
        frame.ahead.extend(found);
        Ok(())
    }
}
