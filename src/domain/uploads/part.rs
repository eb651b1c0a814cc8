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
        error::BadPart,
        nouns::{CopyPart, Declared, Expected, Part},
        quota::Room,
        read,
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
        mut expected: Expected,
    ) -> Result<PartPut, Error> {
        check_number(number)?;
        let slot = Slot { caller: caller.clone(), at: at.clone(), upload: upload.to_owned(), number };
        let (holdall, into) = (Arc::clone(self), slot.clone());
        let body = self
            .blocking(move || {
                let rows = holdall.store.snapshot()?;
                let bucket = allowed_at(&rows, &into.caller, &into.at, Verb::Write)?;
                let row = open(&rows, bucket.id, &into.at, &into.upload)?;
                let before = upload::part(&rows, row.id, number)?.map_or(0, |part| part.size);
                let room = Room::of(&rows, &bucket, before)?;
                drop(rows);
                if let Some((kind, _)) = row.checksum {
                    if expected.checksums.iter().any(|other| *other != kind) {
                        return Err(Error::BadPart(BadPart::Checksum, number));
                    }
                    expected.checksums = vec![kind];
                }
                BodyIn::begin(&holdall.store, into.caller.account(), &expected, room)
            })
            .await?;
        Ok(PartPut { holdall: Arc::clone(self), slot, body })
    }

    /// Stores a part from bytes that are there already.
    ///
    /// # Errors
    /// Either address missing, a range outside the source, conditions, or the caller may not.
    pub async fn copy_part(
        &self,
        caller: &Caller,
        to: (&Address, &str, u32),
        from: &Address,
        how: CopyPart,
    ) -> Result<Part, Error> {
        check_number(to.2)?;
        let slot = Slot { caller: caller.clone(), at: to.0.clone(), upload: to.1.to_owned(), number: to.2 };
        let (store, from, into) = (Arc::clone(&self.store), from.clone(), slot.clone());
        let staged = self
            .blocking(move || {
                let rows = store.snapshot()?;
                let source = allowed_at(&rows, &into.caller, &from, Verb::Read)?;
                let (.., version) = read::version_at(&rows, &source, &from, how.version)?;
                read::demand(&how.conditions, &version, &from)?;
                let target = allowed_at(&rows, &into.caller, &into.at, Verb::Write)?;
                let row = open(&rows, target.id, &into.at, &into.upload)?;
                drop(rows);
                let range = how.range.unwrap_or(0..version.size);
                if range.start > range.end || range.end > version.size {
                    return Err(Error::BadRange { size: version.size });
                }
                let options = IngestOptions {
                    domain: into.caller.account(),
                    size: Some(range.end - range.start),
                    checksums: row.checksum.map(|(kind, _)| kind).into_iter().collect(),
                    sha256: false,
                };
                match version.manifest {
                    Some(id) => Ok(store.slice(store.reader(id)?, range, &options)?),
                    None => Ok(store.begin(&options)?.finish()?),
                }
            })
            .await?;
        self.keep_part(slot, staged).await
    }

    async fn keep_part(&self, slot: Slot, staged: Staged) -> Result<Part, Error> {
        let staged = Arc::new(staged);
        let sealed = Arc::clone(&staged);
        self.commit(Some(staged), move |tx| keep(tx, &slot, &sealed)).await
    }
}

fn keep(tx: &mut Tx<'_>, slot: &Slot, staged: &Staged) -> Result<Part, Error> {
    let mut act = Act::begin(tx, &slot.caller, &slot.at, Verb::Write)?;
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
        let staged = self.body.finish(&declared).await?;
        self.holdall.keep_part(self.slot, staged).await
    }
}
