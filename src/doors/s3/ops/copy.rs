//! Copies, of objects and into parts. No bytes move: what is stored is named once more. So a copy
//! that asks for a checksum its source does not have, which AWS computes, is answered 501.

use s3s::{S3Request, dto::*};

use super::{
    super::{code::Code, error::Refusal, request::Parsed},
    Answer, Ops, answer, attributes, checksums,
    checksums::fill_checksums,
    multipart::number,
    shown,
};
use crate::{
    domain::{
        Error,
        nouns::{CopyPart, PartCopied, Transfer, TransferOptions},
    },
    model::limits::S3_PUT_BYTES,
};

fn of_source(error: Error) -> Refusal {
    match error {
        Error::DeleteMarker { current: false, .. } => Refusal::say(
            Code::InvalidRequest,
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        other => other.into(),
    }
}

/// Whether the request brings new metadata.
fn replaces(directive: Option<&MetadataDirective>) -> Result<bool, Refusal> {
    match directive.map(MetadataDirective::as_str) {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(Refusal::say(Code::InvalidArgument, "Unknown metadata directive.")),
    }
}

fn check_tagging(directive: Option<&TaggingDirective>) -> Result<(), Refusal> {
    // There are no tags: to copy them and to replace them by none is the same.
    match directive.map(TaggingDirective::as_str) {
        None | Some(TaggingDirective::COPY | TaggingDirective::REPLACE) => Ok(()),
        Some(_) => Err(Refusal::say(Code::InvalidArgument, "Unknown tagging directive.")),
    }
}

pub(super) async fn object(ops: &Ops, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let from = parsed.source()?;
    let replaces = replaces(request.input.metadata_directive.as_ref())?;
    check_tagging(request.input.tagging_directive.as_ref())?;
    let itself = from.bucket == *parsed.bucket()? && from.key == *parsed.key()? && from.version.is_none();
    if itself && !replaces {
        let said = "This copy request is illegal because it is trying to copy an object to itself without \
                    changing the object's metadata, storage class, website redirect location or encryption \
                    attributes.";
        return Err(Refusal::say(Code::InvalidRequest, said).into());
    }
    let options = TransferOptions {
        version: from.version,
        source_conditions: parsed.taken.source_conditions.clone(),
        most_bytes: Some(S3_PUT_BYTES),
        checksum: request.input.checksum_algorithm.as_ref().map(checksums::kind).transpose()?,
        conditions: parsed.taken.conditions.clone(),
        attributes: replaces.then(|| parsed.taken.attributes.clone()),
        modified: attributes::modified(&parsed.taken.attributes).filter(|_| replaces),
        ..TransferOptions::default()
    };
    let (source, target) = (from.address(), parsed.address()?);
    let done = ops.holdall.transfer(&parsed.caller, Transfer::Copy, &source, &target, options).await;
    let done = done.map_err(of_source)?;
    let version = shown::file(done.item)?;
    let mut result = CopyObjectResult {
        checksum_type: checksums::type_of(&version.checksums),
        e_tag: shown::etag(&version.etag),
        last_modified: shown::time(version.committed),
        ..Default::default()
    };
    fill_checksums!(result, &version.checksums);
    answer(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: done.source.as_ref().and_then(shown::version_id),
        version_id: shown::version_id(&version),
        ..Default::default()
    })
}

pub(super) async fn part(ops: &Ops, request: S3Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let from = parsed.source()?;
    let how = CopyPart {
        version: from.version,
        conditions: parsed.taken.source_conditions.clone(),
        range: parsed.taken.source_range.clone(),
        most_bytes: Some(S3_PUT_BYTES),
    };
    let target = parsed.address()?;
    let to = (&target, request.input.upload_id.as_str(), number(request.input.part_number)?);
    let done = ops.holdall.copy_part(&parsed.caller, to, &from.address(), how).await;
    let PartCopied { part, source } = done.map_err(of_source)?;
    let mut result = CopyPartResult {
        e_tag: shown::etag(&part.etag),
        last_modified: shown::time(part.stored),
        ..Default::default()
    };
    fill_checksums!(result, &part.checksums);
    answer(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: shown::version_id(&source),
        ..Default::default()
    })
}
