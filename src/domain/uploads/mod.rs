//! Multipart uploads. They belong to a key string: Complete resolves the key again, with access,
//! locks, conditions and quota as of then. Parts are stored bytes nobody can read until then.

mod complete;
mod forget;
mod list;
mod part;
mod sums;

use super::{
    Error, Holdall,
    access::Verb,
    act::Act,
    caller::Caller,
    error::What,
    nouns::{NewUpload, Upload},
    view,
};
use crate::{
    model::{
        address::{Address, Spot},
        ids::{BucketId, UploadId},
        limits,
    },
    store::{
        blobs::manifest,
        meta::{
            Kind as IdKind, Tx,
            rows::{Order, Rows},
            table::Table,
        },
        rows::{
            taken::TakenRow,
            upload::{self, UploadIdRow, UploadRow},
            usage,
            work::{self, WorkRow},
        },
    },
};

pub use part::PartPut;

/// How long a completed upload's id is remembered, so that a repeated Complete gets the same
/// answer, in milliseconds.
const REMEMBERED: i64 = 7 * 24 * 3600 * 1000;

/// The written form of an upload's id.
fn written(id: UploadId) -> String {
    format!("{:016x}", id.0)
}

fn parse(text: &str) -> Option<UploadId> {
    let well_formed = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    well_formed.then(|| u64::from_str_radix(text, 16).ok().map(UploadId)).flatten()
}

fn missing(id: &str) -> Error {
    Error::NotFound(What::Upload, id.to_owned())
}

fn key_of(at: &Address) -> &str {
    match &at.spot {
        Spot::Key(key) => key.as_str(),
        Spot::Path(_) => "",
    }
}

/// The open upload of that id and that key; somebody else's is as if it did not exist.
fn open(rows: &dyn Rows, bucket: BucketId, at: &Address, id: &str) -> Result<UploadRow, Error> {
    let number = parse(id).ok_or_else(|| missing(id))?;
    let found = upload::by_id(rows, number)?.filter(|row| row.bucket == bucket && row.key == key_of(at));
    let found = found.ok_or_else(|| missing(id))?;
    upload::upload(rows, number, &found)?.ok_or_else(|| missing(id))
}

fn noun(row: &UploadRow) -> Upload {
    Upload {
        key: row.key.clone(),
        id: written(row.id),
        begun: row.begun,
        initiator: row.initiator,
        checksum: row.checksum,
    }
}

impl Holdall {
    /// Begins an upload. Nothing of it shows but in listings of uploads.
    ///
    /// # Errors
    /// If the caller may not write there, attributes are too large, or the checksum's kind cannot be
    /// over what is asked for.
    pub async fn begin_upload(&self, caller: &Caller, at: &Address, new: NewUpload) -> Result<Upload, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.write(move |tx| begin(tx, &caller, &at, &new)).await
    }

    /// Gives an upload up; its parts are released.
    ///
    /// # Errors
    /// Not found, or the caller may not.
    pub async fn abort_upload(&self, caller: &Caller, at: &Address, upload: &str) -> Result<(), Error> {
        let (caller, at, id) = (caller.clone(), at.clone(), upload.to_owned());
        self.give_back(move |tx| {
            let act = Act::begin(tx, &caller, &at, Verb::Write)?;
            let row = open(act.tx, act.bucket.id, &at, &id)?;
            upload::remove_upload(act.tx, act.bucket.id, &row);
            upload::remove_id(act.tx, row.id);
            let work = work::upload(act.bucket.id, act.bucket.owner, row.id);
            work::queue(act.tx, work::Kind::Upload, &work);
            act.finish_quietly()
        })
        .await?;
        self.jobs.wake();
        Ok(())
    }
}

fn begin(tx: &mut Tx<'_>, caller: &Caller, at: &Address, new: &NewUpload) -> Result<Upload, Error> {
    let act = Act::begin(tx, caller, at, Verb::Write)?;
    let Some(initiator) = act.caller.account() else {
        return Err(Error::Denied("uploads belong to an account".into()));
    };
    let id = UploadId(act.tx.fresh(IdKind::Upload)?);
    let row = UploadRow {
        id,
        seq: act.seq,
        key: key_of(at).to_owned(),
        begun: act.tx.now(),
        initiator,
        attributes: view::attribute_row(&new.attributes)?,
        modified: new.modified,
        checksum: new.checksum.map(sums::begun_with).transpose()?,
    };
    upload::put_upload(act.tx, act.bucket.id, &row);
    let named = UploadIdRow { bucket: act.bucket.id, key: row.key.clone(), seq: row.seq, completed: None };
    upload::put_id(act.tx, id, &named);
    act.finish_quietly()?;
    Ok(noun(&row))
}

/// Releases up to `limit` parts of an upload that is gone, but those that a file took over; true if
/// there may be more.
pub(crate) fn release_parts(
    tx: &mut Tx<'_>,
    work: &WorkRow,
    taken: &TakenRow,
    limit: usize,
) -> Result<bool, Error> {
    let id = UploadId(work.id);
    let parts = upload::parts(tx, id, 0, limit)?;
    let mut bytes = 0;
    for (number, part) in &parts {
        upload::remove_part(tx, id, *number);
        if taken.has(*number) {
            continue;
        }
        manifest::release(tx, part.manifest)?;
        bytes += part.size;
    }
    let mut used = usage::of_bucket(tx, work.owner, work.bucket)?;
    used.parts = used.parts.saturating_sub(bytes);
    usage::set(tx, work.owner, work.bucket, &used);
    Ok(parts.len() == limit)
}

/// Queues up to `limit` uploads of a bucket that is gone; true if there were any.
pub(crate) fn queue_all(tx: &mut Tx<'_>, work: &WorkRow, limit: usize) -> Result<bool, Error> {
    let found = tx.scan(Table::Upload, &upload::uploads(work.bucket), Order::Forward, limit)?;
    for (_, value) in &found {
        let row = <UploadRow as crate::store::meta::codec::Row>::decode(value)?;
        upload::remove_upload(tx, work.bucket, &row);
        upload::remove_id(tx, row.id);
        work::queue(tx, work::Kind::Upload, &work::upload(work.bucket, work.owner, row.id));
    }
    Ok(!found.is_empty())
}

/// Refuses numbers that no part can have.
pub(crate) fn check_number(number: u32) -> Result<(), Error> {
    if (1..=limits::PARTS).contains(&number) {
        return Ok(());
    }
    Err(Error::BadPart(super::error::BadPart::Number, number))
}
