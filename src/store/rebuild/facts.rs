//! What the rows need: which chunks, how often; and what they say of places, as far as that can be
//! read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::ids::SegmentId,
    store::{
        blobs::{
            MERGED,
            damage::{DamageRow, Part},
            rows::{ChunkRow, ManifestRow, NumberRow, PageRow, Queued, SegmentRow, Shape, number_behind},
        },
        error::StoreError,
        meta::{Meta, TableRow, codec::Row, pages::Pages, table::Table},
        snapshots::SnapshotFile,
        sync::Arc,
    },
};

/// Tables that are made anew.
const PLACES: [Table; 4] = [Table::Chunk, Table::ChunkRc, Table::ChunkHash, Table::Segment];

/// A row, or why one of a table cannot be read, nor any behind it.
type Read = Result<TableRow, (Table, StoreError)>;

/// All rows of one state, table after table.
pub(super) struct Rows {
    rows: Box<dyn Iterator<Item = Read>>,
}

impl Rows {
    /// Those of the metadata.
    pub(super) fn of(meta: &Meta) -> Result<Self, StoreError> {
        let snapshot = Arc::new(meta.snapshot()?);
        let tables = Table::ALL.iter().flat_map(move |&table| {
            Pages::all(snapshot.clone(), table).map(move |row| match row {
                Ok((key, value)) => Ok((table, key, value)),
                Err(error) => Err((table, error)),
            })
        });
        Ok(Self { rows: Box::new(tables) })
    }

    /// Those of a snapshot.
    pub(super) fn kept(snapshot: &SnapshotFile) -> Self {
        let rows = snapshot.rows().map(|row| match row {
            Ok(row) => Ok((row.table, row.key, row.value)),
            Err(error) => Err((Table::Config, error)),
        });
        Self { rows: Box::new(rows) }
    }

    /// Those that say nothing of places, and are taken over as they are.
    pub(super) fn without_places(self) -> impl Iterator<Item = Result<TableRow, StoreError>> {
        let rows = self.rows.filter(|row| match row {
            Ok((table, key, _)) => !of_places(*table, key),
            Err((table, _)) => !PLACES.contains(table),
        });
        rows.map(|row| row.map_err(|(_, error)| error))
    }
}

/// Whether a row is made anew, or is about what is made anew.
fn of_places(table: Table, key: &[u8]) -> bool {
    let of_chunks = [Queued::Idle, Queued::Condemned, Queued::Emptied];
    match table {
        Table::Config => key == MERGED,
        Table::Queue => of_chunks.iter().any(|why| key.first() == Some(&(*why as u8))),
        table => PLACES.contains(&table),
    }
}

/// How a chunk is needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    /// Pieces that are made of it.
    pub(super) refs: u64,
    /// How long it is.
    pub(super) len: u64,
}

/// What rows need and say.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Chunks that pieces are made of.
    pub(super) needed: BTreeMap<u64, Need>,
    /// What was known of them.
    pub(super) before: BTreeMap<u64, ChunkRow>,
    /// Where chunks lie that were known to be damaged.
    pub(super) damaged: BTreeMap<u64, (SegmentId, u64)>,
    /// What was known of segments.
    pub(super) segments: BTreeMap<SegmentId, SegmentRow>,
    /// The counts that were kept.
    counts: BTreeMap<u64, u64>,
    leaves: BTreeSet<u64>,
    /// Rows of places that cannot be read, or not be understood.
    unread: u64,
}

impl Facts {
    /// Reads all rows.
    ///
    /// # Errors
    /// If one cannot be read that is taken over as it is.
    pub(super) fn gather(rows: Rows) -> Result<Self, StoreError> {
        let mut facts = Self::default();
        for row in rows.rows {
            match row {
                Ok((table, key, value)) => facts.hear(table, &key, &value)?,
                Err((table, _)) if PLACES.contains(&table) => facts.unread += 1,
                Err((_, error)) => return Err(error),
            }
        }
        let needed = std::mem::take(&mut facts.needed);
        facts.before.retain(|chunk, _| needed.contains_key(chunk));
        facts.needed = needed;
        Ok(facts)
    }

    fn hear(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match table {
            Table::Manifest if ManifestRow::decode(value)?.shape == Shape::Leaf => {
                self.leaves.insert(number_behind(key, 0)?);
            }
            // Manifests come before their pages.
            Table::Page if self.leaves.contains(&number_behind(key, 0)?) => {
                for piece in PageRow::decode(value)?.pieces {
                    let Some(chunk) = piece.target else { continue };
                    let need = self.needed.entry(chunk).or_default();
                    (need.refs, need.len) = (need.refs + 1, piece.len);
                }
            }
            // A note: one that cannot be understood is written anew.
            Table::Damage => {
                if let (Ok(Part::Chunk(chunk)), Ok(row)) = (Part::of_key(key), DamageRow::decode(value)) {
                    self.damaged.insert(chunk.0, (row.segment, row.offset));
                }
            }
            Table::Chunk | Table::ChunkRc | Table::Segment => {
                self.unread += u64::from(self.place(table, key, value).is_err());
            }
            _ => {}
        }
        Ok(())
    }

    fn place(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let number = number_behind(key, 0)?;
        match table {
            // Pages come before chunks.
            Table::Chunk if self.needed.contains_key(&number) => {
                self.before.insert(number, ChunkRow::decode(value)?);
            }
            Table::ChunkRc => {
                self.counts.insert(number, NumberRow::decode(value)?.number);
            }
            Table::Segment => {
                self.segments.insert(SegmentId(number), SegmentRow::decode(value)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// What is wrong with the rows of places; nothing if every chunk that is needed has one and its
    /// count is right.
    pub(super) fn wrong(&self) -> Option<String> {
        let count = |chunk| self.counts.get(chunk).copied().unwrap_or(1);
        let missing = self.needed.keys().filter(|chunk| !self.before.contains_key(chunk)).count();
        let counts = self.needed.iter().filter(|(chunk, need)| count(chunk) != need.refs).count();
        let nowhere = self.before.values().filter(|row| !self.segments.contains_key(&row.segment)).count();
        let wrong = [
            (usize::try_from(self.unread).unwrap_or(usize::MAX), "rows cannot be read"),
            (missing, "chunks have no row"),
            (counts, "counts of chunks are wrong"),
            (nowhere, "chunks lie in segments without a row"),
        ];
        let texts =
            wrong.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let texts: Vec<String> = texts.collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}
