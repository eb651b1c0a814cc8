//! Writing a file: begin, write, commit.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Error, Holdall,
    access::Verb,
    act::{Act, Told},
    body::BodyIn,
    buckets::allowed_at,
    caller::Caller,
    conditions::demand,
    error::What,
    history::{self, NewVersion},
    locks::{self, Touch},
    nouns::{Expected, WriteOptions, Written},
    quota::{Allowance, Claim},
    tree::{self, Hit, Place},
    view,
};
use crate::{
    model::{address::Address, condition::Conditions, etag::Etag},
    store::{
        blobs::Staged,
        faults::Fault,
        meta::{Tx, rows::Rows},
        rows::{bucket::BucketRow, journal::EventKind, tree::Side, version::AttributeRow},
    },
};

/// A body on its way in; dropping it aborts, and nothing of it is ever seen.
#[derive(Debug)]
pub struct Put {
    holdall: Arc<Holdall>,
    caller: Caller,
    at: Address,
    body: BodyIn,
    attributes: AttributeRow,
}

impl Holdall {
    /// Begins to write a file. The caller's right and the quota are checked now and again in the
    /// commit, space on the disk now, everything else in the commit.
    ///
    /// # Errors
    /// If the caller may not write there, attributes are too large, or the store takes no bodies.
    pub async fn begin_put(
        self: &Arc<Self>,
        caller: &Caller,
        at: &Address,
        expected: Expected,
    ) -> Result<Put, Error> {
        let begin = || {
            let (holdall, who, to, expected) =
                (Arc::clone(self), caller.clone(), at.clone(), expected.clone());
            self.blocking(move || {
                let rows = holdall.store.snapshot()?;
                let bucket = allowed_at(&rows, &who, &to, Verb::Write)?;
                let replaced = replaced(&rows, &bucket, &to)?;
                let allowance = Allowance::begin((&holdall, &rows), &bucket, expected.size, replaced)?;
                let attributes = view::attribute_row(&expected.attributes)?;
                drop(rows);
                Ok((BodyIn::begin(&holdall.store, who.account(), &expected, allowance)?, attributes))
            })
        };
        let (body, attributes) = self.patiently(begin).await?;
        let body = body.settle_in(&self.memory, caller.account()).await?;
        if self.store.faults().has(Fault::DeletedThenWritten) {
            let _ = self.remove(caller, at, Default::default()).await;
        }
        Ok(Put { holdall: Arc::clone(self), caller: caller.clone(), at: at.clone(), body, attributes })
    }
}

/// The size of the file a write to this address would replace.
fn replaced(rows: &dyn Rows, bucket: &BucketRow, at: &Address) -> Result<u64, Error> {
    let Some(mut place) = tree::place(rows, bucket, &at.spot)? else { return Ok(0) };
    match tree::find(rows, bucket, &mut place)? {
        Hit::File(row) => Ok(row.size),
        Hit::Nothing | Hit::Folder(_) => Ok(0),
    }
}

impl Put {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When more bytes come than were declared or are allowed, or the store cannot take them.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.body.write(bytes).await
    }

    /// Verifies what was declared, then makes the file visible in one transaction that also
    /// decides the conditions. With a literal key missing folders are made; with a tree path the
    /// folder must be there.
    ///
    /// # Errors
    /// Any refusal; whatever was there before is untouched then.
    pub async fn commit(self, options: WriteOptions) -> Result<Written, Error> {
        let claim = self.body.claim();
        let staged = Arc::new(self.body.finish(&options.declared).await?);
        let write = Arc::new(Write {
            caller: self.caller,
            at: self.at,
            attributes: self.attributes,
            options,
            claim,
            staged,
        });
        let commit = || {
            let (staged, write) = (Arc::clone(&write.staged), Arc::clone(&write));
            self.holdall.commit(Some(staged), move |tx| put(tx, &write))
        };
        self.holdall.patiently(commit).await
    }
}

/// What a commit needs.
struct Write {
    caller: Caller,
    at: Address,
    attributes: AttributeRow,
    options: WriteOptions,
    claim: Option<Arc<Claim>>,
    staged: Arc<Staged>,
}

fn put(tx: &mut Tx<'_>, write: &Write) -> Result<Written, Error> {
    let Write { caller, at, attributes, options, claim, staged } = write;
    let mut act = Act::begin(tx, caller, at, Verb::Write)?;
    act.under(claim.clone());
    let mut target = target(&act, at, &options.conditions, &options.tokens)?;
    let manifest = staged.seal(act.tx)?;
    let new = NewVersion {
        manifest: Some(manifest),
        size: staged.size,
        etag: Etag::of_md5(&staged.digests.md5),
        modified: options.modified,
        attributes: attributes.clone(),
        checksums: staged.digests.checksums.clone(),
        parts: None,
    };
    let written = install(&mut act, &mut target, new)?;
    let told = Told { kind: EventKind::Put, node: written.version.node, path: target.key(), from: None };
    act.finish(told, &[&target.chain])?;
    Ok(written)
}

/// The place of a file that is to be written, after conditions and locks.
pub(crate) fn target(
    act: &Act<'_, '_>,
    at: &Address,
    conditions: &Conditions,
    tokens: &[String],
) -> Result<Place, Error> {
    let Some(mut place) = tree::place(act.tx, &act.bucket, &at.spot)? else {
        return Err(Error::Exists(What::Item, at.to_string()));
    };
    let hit = tree::find(act.tx, &act.bucket, &mut place)?;
    let file = match &hit {
        Hit::File(row) => Some(row),
        Hit::Nothing => None,
        Hit::Folder(_) => return Err(Error::Exists(What::Item, at.to_string())),
    };
    if place.tree && !place.missing.is_empty() {
        return Err(Error::Conflict(format!("the folder of {at} does not exist")));
    }
    if !act.tx.faults().has(Fault::ConditionsNotInCommit) {
        demand(conditions, file, at)?;
    }
    let touch = Touch {
        chain: &place.chain,
        node: file.map(|row| (row.node, row.locks)),
        membership: file.is_none(),
        name: &at.to_string(),
    };
    locks::guard(act, touch, tokens)?;
    Ok(place)
}

/// Makes the folders of a place and writes the version.
pub(crate) fn install(act: &mut Act<'_, '_>, place: &mut Place, new: NewVersion) -> Result<Written, Error> {
    tree::ensure_folders(act.tx, &act.bucket, place, Side::Live)?;
    let wrote = history::write(act, place, new, false)?;
    let version = view::version(&act.bucket, place.key(), &wrote.file, &wrote.version);
    Ok(Written { version, created: wrote.created })
}
