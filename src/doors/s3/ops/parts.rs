//! Listings of uploads under way, and of their parts.

use s3s::{S3Request, dto::*};

use super::{
    super::{code::Code, error::Refusal, request::Parsed},
    Answer, Ops, answer,
    checksums::fill_checksums,
    multipart::shown_checksum,
    page::{Page, limited, marker},
    shown,
};
use crate::domain::nouns::{ListUploads, Part as StoredPart, PartPage, Upload};

/// Who began an upload: so far always the bucket's owner.
fn initiator(owner: &Owner) -> Initiator {
    Initiator { display_name: owner.display_name.clone(), id: owner.id.clone() }
}

pub(super) async fn list(ops: &Ops, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let limit = limited(input.max_parts, "max-parts")?;
    let negative =
        |_| Refusal::say(Code::InvalidArgument, "Argument part-number-marker must not be negative");
    let after = input.part_number_marker.unwrap_or(0);
    let behind = u32::try_from(after).map_err(negative)?;
    let (address, id) = (parsed.address()?, input.upload_id);
    let found = ops.holdall.list_parts(&parsed.caller, &address, &id, behind, limit).await?;
    let PartPage { upload, parts, more, owner } = found;
    let owner = shown::owner(owner);
    let (algorithm, over) = shown_checksum(upload.checksum);
    let last = parts.last().and_then(|part| i32::try_from(part.number).ok());
    answer(ListPartsOutput {
        bucket: Some(parsed.bucket()?.to_string()),
        checksum_algorithm: algorithm,
        checksum_type: over,
        initiator: Some(initiator(&owner)),
        is_truncated: Some(more),
        key: Some(upload.key),
        max_parts: i32::try_from(limit).ok(),
        next_part_number_marker: Some(last.unwrap_or(0)),
        owner: Some(owner),
        part_number_marker: Some(after),
        parts: Some(parts.iter().map(one).collect()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(id),
        ..Default::default()
    })
}

fn one(part: &StoredPart) -> Part {
    let mut shown = Part {
        e_tag: shown::etag(&part.etag),
        last_modified: shown::time(part.stored),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size).ok(),
        ..Default::default()
    };
    fill_checksums!(shown, &part.checksums);
    shown
}

pub(super) async fn uploads(
    ops: &Ops,
    request: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let page = Page::read(input.max_uploads, "max-uploads", input.encoding_type.as_ref(), input.delimiter)?;
    let key_after = marker(input.key_marker.clone());
    // An upload's marker means nothing without a key's.
    let id_after = marker(input.upload_id_marker.clone()).filter(|_| key_after.is_some());
    let which = ListUploads {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: page.delimiter.clone(),
        key_after,
        id_after,
        limit: page.limit,
    };
    let bucket = parsed.bucket()?;
    let found = ops.holdall.list_uploads(&parsed.caller, bucket, which).await?;
    let owner = shown::owner(found.owner);
    let (next_key, next_id) = found.next.clone().unzip();
    answer(ListMultipartUploadsOutput {
        bucket: Some(bucket.to_string()),
        common_prefixes: Some(found.prefixes.iter().map(|prefix| page.group(prefix)).collect()),
        delimiter: page.shown_delimiter(),
        encoding_type: page.encoding(),
        is_truncated: Some(found.next.is_some()),
        key_marker: Some(page.text(&input.key_marker.unwrap_or_default())),
        max_uploads: page.most(),
        next_key_marker: next_key.map(|key| page.text(&key)),
        next_upload_id_marker: next_id.flatten(),
        prefix: Some(page.text(&input.prefix.unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        uploads: Some(found.uploads.into_iter().map(|upload| open(&page, upload, &owner)).collect()),
        ..Default::default()
    })
}

fn open(page: &Page, upload: Upload, owner: &Owner) -> MultipartUpload {
    let (algorithm, over) = shown_checksum(upload.checksum);
    MultipartUpload {
        checksum_algorithm: algorithm,
        checksum_type: over,
        initiated: shown::time(upload.begun),
        initiator: Some(initiator(owner)),
        key: Some(page.text(&upload.key)),
        owner: Some(owner.clone()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(upload.id),
    }
}
