//! The check: every reference is followed both ways and every count is counted again, on one
//! state of the rows. Changes nothing, except that bounds of folders that are higher than need be
//! are lowered ([`bounds`]) where everything adds up.
//!
//! First every row is read and held against its sum. Where one is not what was written, nothing is
//! followed: what is missing for it would be called lost.
//!
//! Reads page by page. What it keeps in memory is a bit for each history, four bytes for each
//! manifest and chunk, and some words for each bucket, each detached folder or file and each part
//! that a completed upload left; and a page of what is known to be damaged.
//! The state it looks at is held until it ends: pages of the metadata that change meanwhile are
//! not used again before. Files of segments are held until they were looked at ([`state`]); that is
//! done as soon as the sums are, because the collector removes nothing as long.

mod batches;
mod bounds;
mod damage;
mod ids;
mod locks;
mod names;
mod nodes;
mod parts;
mod report;
mod standing;
mod state;
mod sums;
mod usage;
mod versions;
mod watched;

use std::{collections::BTreeMap, sync::Arc};

use damage::DAMAGE_PAGE;
pub(crate) use damage::hits;
#[cfg(test)]
pub(crate) use damage::page;
pub use damage::{Damaged, DamagedPart, Hit, HitCursor, HitKind, Hits};
pub use report::{CheckReport, Counts, Finding, FindingKind};

use tokio_util::sync::CancellationToken;

use super::{Error, Holdall, access, caller::Caller, lanes::unless_closing};
use crate::{
    model::ids::{BucketId, ManifestId, NodeId, SegmentId},
    store::{
        Store,
        blobs::{damage::known as known_damage, verify},
        collect::Hold,
        error::StoreError,
        meta::{
            codec::Row as _,
            pages::Pages,
            rows::{KeyValue, Rows},
            table::Table,
        },
        rows::{
            account,
            bucket::{self, BucketRow},
            taken::TakenRow,
            upload::PartRow,
            usage::UsageRow,
            version::VersionRow,
        },
    },
};
#[cfg(test)]
pub(crate) use bounds::Stale;
use ids::{Ids, numbers};
use standing::Counted;
pub(crate) use state::State;
#[cfg(test)]
pub(crate) use sums::damaged;
use sums::sums;
use watched::Watched;

impl Holdall {
    /// Checks everything; only for who manages the system. A state that could not be read to its
    /// end is reported as not finished, never as clean.
    ///
    /// # Errors
    /// Denied; that something is damaged is no error.
    pub async fn check(&self, caller: &Caller) -> Result<CheckReport, Error> {
        if !access::is_manager(caller) {
            return Err(Error::Denied("only admins check the store".into()));
        }
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        let (mut report, stale) = self.blocking(move || Ok(run(&store, State::take(&store), &stop))).await?;
        if *caller != Caller::Operator {
            // Names of others' files; see [`damage`].
            report.without_names();
        }
        if report.is_clean() {
            // Whoever checks wants the report: what cannot be lowered now is lowered by the next check.
            match self.lower_bounds(stale).await {
                Ok(lowered) => report.counts.lowered_bounds = lowered,
                Err(error) => tracing::warn!(%error, "bounds of folders were not lowered"),
            }
        }
        Ok(report)
    }
}

pub(crate) fn run(
    store: &Store,
    state: Result<State, StoreError>,
    stop: &CancellationToken,
) -> (CheckReport, Vec<NodeId>) {
    let State { rows, hold } = match state {
        Ok(state) => state,
        Err(error) => {
            let unfinished = Some(reason(&error));
            return (CheckReport { unfinished, ..CheckReport::default() }, Vec::new());
        }
    };
    let mut report = CheckReport::default();
    let summed = sums(&rows, &|| unless_closing(stop), &mut report);
    let watched = Watched { rows: &rows, stop };
    let mut check = Check::of(&watched, report);
    let done = match summed {
        Ok(()) if check.report.found > 0 => {
            check.in_part(store);
            let why = "the metadata is damaged, so what refers to what was not followed";
            Err(why.to_owned())
        }
        Ok(()) => check.all(store, hold).map_err(|error| {
            if matches!(error, StoreError::Damaged(_)) {
                check.note(FindingKind::Row, reason(&error));
            }
            reason(&error)
        }),
        Err(error) => Err(reason(&error)),
    };
    check.report.unfinished = done.err();
    (check.report, check.stale)
}

fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Io(source) => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

/// A check at work.
struct Check<'a> {
    rows: &'a dyn Rows,
    report: CheckReport,
    buckets: BTreeMap<BucketId, BucketRow>,
    /// Folders and files that have no name, and how what is below them is counted.
    detached: BTreeMap<NodeId, Counted>,
    /// Histories that something leads to.
    histories: Ids,
    /// People's versions of each bucket, without those that are known to end one day.
    people: BTreeMap<BucketId, u64>,
    /// What each bucket holds, as counted.
    found: BTreeMap<BucketId, UsageRow>,
    /// The newest change that a name of a bucket knows of.
    newest: BTreeMap<BucketId, u64>,
    /// Parts of completed uploads that files took over and whose rows are left.
    taken: BTreeMap<u64, TakenRow>,
    /// The first folders whose bounds are higher than need be.
    stale: Vec<NodeId>,
}

impl<'a> Check<'a> {
    fn of(rows: &'a dyn Rows, report: CheckReport) -> Self {
        Self {
            rows,
            report,
            buckets: BTreeMap::new(),
            detached: BTreeMap::new(),
            histories: Ids::default(),
            people: BTreeMap::new(),
            found: BTreeMap::new(),
            newest: BTreeMap::new(),
            taken: BTreeMap::new(),
            stale: Vec::new(),
        }
    }

    /// Looks at what can be told where rows are damaged: the files of segments, and what is known to be
    /// damaged. Where that leads to a row that is damaged it ends; it was told already.
    fn in_part(&mut self, store: &Store) {
        for looked in [self.segments(store), self.damage()] {
            if let Err(error) = looked {
                tracing::debug!(%error, "a part of the check ended early");
            }
        }
    }

    fn all(&mut self, store: &Store, files: Hold) -> Result<(), StoreError> {
        self.segments(store)?;
        drop(files);
        self.buckets()?;
        self.detached()?;
        self.set_aside()?;
        self.batches()?;
        self.names()?;
        self.nodes()?;
        self.aliases()?;
        self.versions()?;
        self.replaced()?;
        self.uploads()?;
        self.usage()?;
        self.journals()?;
        self.locks()?;
        self.props()?;
        self.bodies()?;
        self.damage()
    }

    fn note(&mut self, kind: FindingKind, text: impl Into<String>) {
        self.report.note(kind, text);
    }

    /// As [`Check::note`], where the text names somebody's file or a lock.
    fn note_private(&mut self, kind: FindingKind, text: impl Into<String>) {
        self.report.note_private(kind, text);
    }

    /// A bucket's name, or its number if it is gone.
    fn bucket_name(&self, id: BucketId) -> String {
        self.buckets.get(&id).map_or_else(|| format!("(removed, {id})"), |row| row.name.to_string())
    }

    fn buckets(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Bucket) {
            let (key, value) = row?;
            let (row, [id]) = (BucketRow::decode(&value)?, numbers(&key)?);
            self.report.counts.buckets += 1;
            let named = bucket::by_name(self.rows, &row.name)?.is_some_and(|found| found.id.0 == id);
            let stretch = (row.name.as_str(), None);
            let owned = bucket::of_owner(self.rows, row.owner, stretch, 1)?;
            let owned = owned.first().is_some_and(|found| found.id.0 == id);
            if !named || !owned || row.id.0 != id {
                self.note(FindingKind::Bucket, format!("bucket {} is not found by its name", row.name));
            }
            if account::by_id(self.rows, row.owner)?.is_none() {
                self.note(FindingKind::Bucket, format!("bucket {} has no owner", row.name));
            }
            self.buckets.insert(row.id, row);
        }
        for table in [Table::BucketName, Table::BucketOwner] {
            for row in Pages::all(self.rows, table) {
                let (key, value) = row?;
                let leads = bucket::BucketRef::decode(&value)?.id;
                let known = self.buckets.get(&leads);
                if known.is_none_or(|bucket| !key.ends_with(bucket.name.as_str().as_bytes())) {
                    self.note(
                        FindingKind::Bucket,
                        format!("a name leads to bucket {leads}, which has another"),
                    );
                }
            }
        }
        Ok(())
    }

    fn bodies(&mut self) -> Result<(), StoreError> {
        let versions = Pages::all(self.rows, Table::Versions).filter_map(|row| match row {
            Ok((_, value)) => VersionRow::decode(&value).map(|row| row.manifest).transpose(),
            Err(error) => Some(Err(error)),
        });
        let parts = Pages::all(self.rows, Table::Part).filter_map(|row| self.part_reference(row).transpose());
        let mut references = 0;
        let mut given = versions.chain(parts).inspect(|_| references += 1);
        let count = verify::recount(self.rows, &mut given)?;
        let counts = &mut self.report.counts;
        counts.references = references;
        (counts.manifests, counts.chunks) = (count.manifests, count.chunks);
        (counts.needed, counts.queued) = (count.referenced, count.queued);
        counts.unreferenced = count.unreferenced;
        for finding in &count.findings {
            self.note(FindingKind::Body, finding.to_string());
        }
        self.report.found += count.found - count.findings.len() as u64;
        Ok(())
    }

    /// What a part's row refers to; nothing, once a file took it over.
    fn part_reference(&self, row: Result<KeyValue, StoreError>) -> Result<Option<ManifestId>, StoreError> {
        let (key, value) = row?;
        let [id, number] = numbers(&key)?;
        let taken = parts::was_taken(&self.taken, id, number);
        Ok(if taken { None } else { Some(PartRow::decode(&value)?.manifest) })
    }

    /// What is known to be damaged. A chunk that nothing needs any more is told and is no fault; one
    /// that is needed was found by counting.
    fn damage(&mut self) -> Result<(), StoreError> {
        let (mut after, mut within) = (None, BTreeMap::<_, u64>::new());
        loop {
            let known = known_damage(self.rows, after, DAMAGE_PAGE)?;
            let Some(last) = known.last() else { break };
            after = Some(last.part);
            for damaged in known {
                self.report.counts.damaged += 1;
                match damaged.part {
                    // All of them come before the first segment.
                    DamagedPart::Chunk(_) => *within.entry(damaged.row.segment).or_default() += 1,
                    DamagedPart::Segment(segment) => {
                        let chunks = within.get(&segment).copied().unwrap_or_default();
                        let text = of_segment(segment, damaged.row.kind.text(), chunks);
                        self.note(FindingKind::Segment, text);
                    }
                }
                if self.report.damage.len() < DAMAGE_PAGE {
                    self.report.damage.push(damaged);
                }
            }
        }
        (self.report.counts.hits, self.report.hits) = damage::count(self.rows, DAMAGE_PAGE)?;
        Ok(())
    }

    fn segments(&mut self, store: &Store) -> Result<(), StoreError> {
        let found = verify::segments(self.rows, store.segments())?;
        self.report.counts.segments = found.segments;
        for text in found.findings {
            self.note(FindingKind::Segment, text);
        }
        Ok(())
    }
}

/// What is wrong with a segment, and what helps: nothing is moved out of one as long as a chunk in it
/// that is needed cannot be read.
fn of_segment(segment: SegmentId, what: &str, chunks: u64) -> String {
    let helps = match chunks {
        0 => "`holdall compact` moves its chunks".to_owned(),
        1 => "and so is a chunk in it: once its content was stored again, `holdall compact` moves the others"
            .to_owned(),
        many => format!(
            "and so are {many} chunks in it: once their content was stored again, `holdall compact` moves the others"
        ),
    };
    format!("segment {segment} is damaged: {what}; {helps}")
}
