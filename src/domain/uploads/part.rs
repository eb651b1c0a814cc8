//! Parts: sent, or copied from another file. A part sent again replaces the one before.

use std::sync::Arc;

use bytes::Bytes;

use super::{check_number, open};
use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        act::Act,
        body::BodyIn,
        buckets::allowed_at,
        caller::Caller,
        conditions::demand_of_source,
        error::{BadPart, Large},
        nouns::{CopyPart, Declared, Expected, Part, PartCopied},
        quota::{Allowance, Claim},
        read, view,
    },
    model::address::Address,
    store::{
        blobs::{IngestOptions, Staged, manifest},
        meta::Tx,
        rows::upload::{self, PartRow},
    },
};

/// Which part of which upload.
#[derive(Clone, Debug)]
struct Slot {
    caller: Caller,
    at: Address,
    upload: String,
    number: u32,
}

/// What a commit needs.
struct Keep {
    slot: Slot,
    claim: Option<Arc<Claim>>,
    staged: Arc<Staged>,
}

/// A part on its way in; dropping it aborts, and a part sent before stays.
#[derive(Debug)]
pub struct PartPut {
    holdall: Arc<Holdall>,
    slot: Slot,
    body: BodyIn,
}

impl Holdall {
    /// Begins to store a part.
    ///
    /// # Errors
    /// No such upload, a bad number, a checksum of another kind than the upload was begun with, or
    /// the caller may not.
    pub async fn begin_part(
        self: &Arc<Self>,
        caller: &Caller,
        at: &Address,
        upload: &str,
        number: u32,
        expected: Expected,
    ) -> Result<PartPut, Error> {
        check_number(number)?;
        let slot = Slot { caller: caller.clone(), at: at.clone(), upload: upload.to_owned(), number };
        let begin = || {
            let (holdall, into, mut expected) = (Arc::clone(self), slot.clone(), expected.clone());
            self.blocking(move || {
                let rows = holdall.store.snapshot()?;
                let bucket = allowed_at(&rows, &into.caller, &into.at, Verb::Write)?;
                let row = open(&rows, bucket.id, &into.at, &into.upload)?;
                let before = upload::part(&rows, row.id, number)?.map_or(0, |part| part.size);
                let allowance = Allowance::begin((&holdall, &rows), &bucket, expected.size, before)?;
                drop(rows);
                if let Some((kind, _)) = row.checksum {
                    if expected.checksums.iter().any(|other| *other != kind) {
                        return Err(Error::BadPart(BadPart::Checksum, number));
                    }
                    expected.checksums = vec![kind];
                }
                BodyIn::begin(&holdall.store, into.caller.account(), &expected, allowance)
            })
        };
        let body = self.patiently(begin).await?.settle_in(&self.memory, caller.account()).await?;
        Ok(PartPut { holdall: Arc::clone(self), slot, body })
    }

    /// Stores a part from bytes that are there already.
    ///
    /// # Errors
    /// Either address missing, a range outside the source, too many bytes, conditions, or the caller
    /// may not.
    pub async fn copy_part(
        self: &Arc<Self>,
        caller: &Caller,
        to: (&Address, &str, u32),
        from: &Address,
        how: CopyPart,
    ) -> Result<PartCopied, Error> {
        check_number(to.2)?;
        let slot = Slot { caller: caller.clone(), at: to.0.clone(), upload: to.1.to_owned(), number: to.2 };
        let stage = || {
            let (holdall, from, into, how) = (Arc::clone(self), from.clone(), slot.clone(), how.clone());
            self.blocking(move || {
                let store = &holdall.store;
                let rows = store.snapshot()?;
                let source = allowed_at(&rows, &into.caller, &from, Verb::Read)?;
                let (place, file, version) = read::version_at(&rows, &source, &from, how.version)?;
                demand_of_source(&how.conditions, &version, &from)?;
                let target = allowed_at(&rows, &into.caller, &into.at, Verb::Write)?;
                let row = open(&rows, target.id, &into.at, &into.upload)?;
                let range = how.range.unwrap_or(0..version.size);
                if range.start > range.end || range.end > version.size {
                    return Err(Error::BadRange { size: version.size });
                }
                let size = range.end - range.start;
                if let Some(limit) = how.most_bytes.filter(|limit| size > *limit) {
                    return Err(Error::TooLarge { what: Large::Source, limit });
                }
                let size = Some(size);
                let before = upload::part(&rows, row.id, into.number)?.map_or(0, |part| part.size);
                let allowance = Allowance::begin((&holdall, &rows), &target, size, before)?;
                drop(rows);
                let options = IngestOptions {
                    domain: into.caller.account(),
                    size,
                    checksums: row.checksum.map(|(kind, _)| kind).into_iter().collect(),
                    ..IngestOptions::default()
                };
                let staged = match version.manifest {
                    Some(id) => store.slice(store.reader(id)?, range, &options)?,
                    None => store.begin(&options)?.finish()?,
                };
                let source = view::version(&source, place.key(), &file, &version);
                Ok((staged, allowance.map(|allowance| allowance.claim()), source))
            })
        };
        let (staged, claim, source) = self.patiently(stage).await?;
        let part = self.keep_part(Keep { slot, claim, staged: Arc::new(staged) }).await?;
        Ok(PartCopied { part, source })
    }

    async fn keep_part(&self, keeping: Keep) -> Result<Part, Error> {
        let keeping = Arc::new(keeping);
        let commit = || {
            let (staged, keeping) = (Arc::clone(&keeping.staged), Arc::clone(&keeping));
            self.commit(Some(staged), move |tx| keep(tx, &keeping))
        };
        self.patiently(commit).await
    }
}

fn keep(tx: &mut Tx<'_>, Keep { slot, claim, staged }: &Keep) -> Result<Part, Error> {
    let mut act = Act::begin(tx, &slot.caller, &slot.at, Verb::Write)?;
    act.under(claim.clone());
    let row = open(act.tx, act.bucket.id, &slot.at, &slot.upload)?;
    if let Some(old) = upload::part(act.tx, row.id, slot.number)? {
        manifest::release(act.tx, old.manifest)?;
        act.usage.parts = act.usage.parts.saturating_sub(old.size);
    }
    let part = PartRow {
        manifest: staged.seal(act.tx)?,
        size: staged.size,
        md5: staged.digests.md5,
        stored: act.tx.now(),
        checksums: staged.digests.checksums.clone(),
    };
    act.usage.parts += part.size;
    upload::put_part(act.tx, row.id, slot.number, &part);
    act.finish_quietly()?;
    Ok(noun(slot.number, &part))
}

pub(super) fn noun(number: u32, row: &PartRow) -> Part {
    Part { number, size: row.size, etag: row.etag(), stored: row.stored, checksums: row.checksums.clone() }
}

impl PartPut {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When more bytes come than were declared or are allowed, or the store cannot take them.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.body.write(bytes).await
    }

    /// Verifies what was declared and keeps the part.
    ///
    /// # Errors
    /// Any refusal; a part sent before under that number stays.
    pub async fn commit(self, declared: Declared) -> Result<Part, Error> {
        let claim = self.body.claim();
        let staged = Arc::new(self.body.finish(&declared).await?);
        self.holdall.keep_part(Keep { slot: self.slot, claim, staged }).await
    }
}
