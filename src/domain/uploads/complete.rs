//! Complete: metadata only, in one transaction, and the same answer when it is repeated.

use super::{missing, parse, sums};
use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        act::{Act, Told},
        caller::Caller,
        error::{BadPart, Large, Sum},
        history::NewVersion,
        nouns::{ClaimedPart, CompleteOptions, VersionRef, Written},
        put::{install, target},
        read, view,
    },
    model::{
        address::Address,
        checksum::{Checksum, ChecksumKind},
        digest,
        ids::{ManifestId, VersionId},
        limits,
    },
    store::{
        blobs::manifest,
        faults::Fault,
        meta::{Tx, rows::Rows as _},
        rows::{
            journal::EventKind,
            taken::{self, TakenRow},
            upload::{self, PartRow, UploadIdRow, UploadRow},
            work,
        },
    },
};

impl Holdall {
    /// Makes the listed parts the current version of the key; parts that are not listed are
    /// released. Repeating it answers the same for some days.
    ///
    /// # Errors
    /// No such upload, parts that do not fit together, conditions, locks, quota, or the caller
    /// may not; the upload stays open then.
    pub async fn complete_upload(
        &self,
        caller: &Caller,
        at: &Address,
        upload: &str,
        how: CompleteOptions,
    ) -> Result<Written, Error> {
        let (caller, at, id) = (caller.clone(), at.clone(), upload.to_owned());
        let written = self.write(move |tx| complete(tx, &caller, &at, &id, &how)).await?;
        self.jobs.wake();
        Ok(written)
    }
}

fn complete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &Address,
    id: &str,
    how: &CompleteOptions,
) -> Result<Written, Error> {
    let mut act = Act::begin(tx, caller, at, Verb::Write)?;
    let number = parse(id).ok_or_else(|| missing(id))?;
    let named = upload::by_id(act.tx, number)?
        .filter(|row| row.bucket == act.bucket.id && row.key == super::key_of(at))
        .ok_or_else(|| missing(id))?;
    if let Some((seq, _)) = named.completed
        && !act.tx.faults().has(Fault::CompleteOnlyOnce)
    {
        let version = VersionId { incarnation: act.tx.incarnation(), seq };
        return again(&mut act, at, version).map_err(|_| missing(id));
    }
    let row = upload::upload(act.tx, number, &named)?.ok_or_else(|| missing(id))?;
    sums::as_begun(row.checksum, how.over_parts)?;
    let parts = claimed(&act, &row, &how.parts)?;
    let new = assemble(&mut act, &row, &parts, how)?;
    let mut place = target(&act, at, &how.conditions, &how.tokens)?;
    let written = install(&mut act, &mut place, new)?;
    close(&mut act, &row, named, &TakenRow::of(parts.iter().map(|(number, _)| *number)));
    let told = Told { kind: EventKind::Put, node: written.version.node, path: place.key(), from: None };
    act.finish(told, &[&place.chain])?;
    Ok(written)
}

/// The answer to a repeated Complete: the version it made, while that is still there.
fn again(act: &mut Act<'_, '_>, at: &Address, version: VersionId) -> Result<Written, Error> {
    let which = Some(VersionRef::Id(version));
    let (place, file, row) = read::version_at(act.tx, &act.bucket, at, which)?;
    if let Some(manifest) = row.manifest
        && act.tx.faults().has(Fault::CompletedFromNothing)
    {
        manifest::release(act.tx, manifest)?;
    }
    Ok(Written { version: view::version(&act.bucket, place.key(), &file, &row), created: false })
}

/// The stored parts a client names, each checked against what it claims.
fn claimed(act: &Act<'_, '_>, row: &UploadRow, claims: &[ClaimedPart]) -> Result<Vec<(u32, PartRow)>, Error> {
    if claims.is_empty() {
        return Err(Error::Invalid("an upload is completed with one part at least".into()));
    }
    let mut parts: Vec<(u32, PartRow)> = Vec::with_capacity(claims.len().min(limits::PARTS as usize));
    for claim in claims {
        if parts.last().is_some_and(|(number, _)| *number >= claim.number) {
            return Err(Error::BadPart(BadPart::Order, claim.number));
        }
        let unknown = || Error::BadPart(BadPart::Unknown, claim.number);
        let part = upload::part(act.tx, row.id, claim.number)?.ok_or_else(unknown)?;
        let sums_agree = claim
            .checksums
            .iter()
            .all(|sum| part.checksums.iter().any(|kept| kept.kind == sum.kind && kept.value == sum.value));
        if part.etag() != claim.etag || !sums_agree {
            return Err(unknown());
        }
        parts.push((claim.number, part));
    }
    let all_but_last = parts.len() - 1;
    match parts.iter().take(all_but_last).find(|(_, part)| part.size < limits::PART_MIN_BYTES) {
        Some((number, _)) => Err(Error::BadPart(BadPart::TooSmall, *number)),
        None => Ok(parts),
    }
}

/// Takes the parts' bytes over into one manifest.
fn assemble(
    act: &mut Act<'_, '_>,
    row: &UploadRow,
    parts: &[(u32, PartRow)],
    how: &CompleteOptions,
) -> Result<NewVersion, Error> {
    let size: u64 = parts.iter().map(|(_, part)| part.size).sum();
    if size > limits::OBJECT_BYTES {
        return Err(Error::TooLarge { what: Large::File, limit: limits::OBJECT_BYTES });
    }
    if let Some(declared) = how.size
        && declared != size
    {
        return Err(Error::Incomplete { declared, got: size });
    }
    let checksum = whole(row, parts, how)?;
    let children: Vec<(ManifestId, u64)> = parts.iter().map(|(_, part)| (part.manifest, part.size)).collect();
    let manifest = manifest::compose(act.tx, &children)?;
    act.usage.parts = act.usage.parts.saturating_sub(size);
    Ok(NewVersion {
        manifest: Some(manifest),
        size,
        etag: digest::etag_of_parts(parts.iter().map(|(_, part)| &part.md5)),
        modified: row.modified,
        attributes: row.attributes.clone(),
        checksums: checksum.into_iter().collect(),
        parts: u32::try_from(parts.len()).ok(),
    })
}

/// The checksum of the whole, as the upload was begun with; verified if the client declares it.
fn whole(
    row: &UploadRow,
    parts: &[(u32, PartRow)],
    how: &CompleteOptions,
) -> Result<Option<Checksum>, Error> {
    let asked = row.checksum.or_else(|| how.checksum.as_ref().map(|sum| (sum.kind, sum.parts.is_some())));
    let Some((kind, over_parts)) = asked else { return Ok(None) };
    let values = values_of(kind, parts);
    let computed = match values {
        Some(values) if over_parts => Some(digest::composite(kind, values.iter().map(|(value, _)| *value))),
        Some(values) => digest::full_object(kind, values),
        None => None,
    };
    if let Some(declared) = &how.checksum
        && computed.as_ref().is_none_or(|sum| sum.kind != declared.kind || sum.value != declared.value)
    {
        return Err(Error::ChecksumDiffers(Sum::Checksum(declared.kind)));
    }
    Ok(computed)
}

fn values_of(kind: ChecksumKind, parts: &[(u32, PartRow)]) -> Option<Vec<(&[u8], u64)>> {
    let of = |part: &PartRow| part.checksums.iter().position(|sum| sum.kind == kind);
    parts.iter().map(|(_, part)| Some((part.checksums.get(of(part)?)?.value.as_slice(), part.size))).collect()
}

/// The upload ends: its id is remembered, and a job removes the rows of its parts. Until then the
/// ones that were taken over count nowhere, the others as parts.
fn close(act: &mut Act<'_, '_>, row: &UploadRow, named: UploadIdRow, taken: &TakenRow) {
    upload::remove_upload(act.tx, act.bucket.id, row);
    let completed = Some((act.seq, act.tx.now()));
    upload::put_id(act.tx, row.id, &UploadIdRow { completed, ..named });
    taken::put_taken(act.tx, act.bucket.id, row.id, taken);
    let work = work::upload(act.bucket.id, act.bucket.owner, row.id);
    work::queue(act.tx, work::Kind::Completed, &work);
}
