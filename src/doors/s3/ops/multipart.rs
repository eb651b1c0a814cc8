//! Multipart uploads: begun, filled, completed or given up.

use futures::StreamExt;
use s3s::{S3Request, S3Response, dto::*};

use super::{
    super::{code::Code, error::Refusal, query::encode_path, request::Parsed},
    Answer, Ops, answer, attributes, checksums,
    checksums::{fill_checksums, read_checksums},
    objects::pieces,
    shown,
};
use crate::{
    domain::{
        Error,
        nouns::{ClaimedPart, CompleteOptions, NewUpload},
    },
    model::{
        checksum::{Checksum, ChecksumKind},
        etag::Etag,
        limits,
    },
};

/// A part's number; the domain says which ones there are.
pub(super) fn number(number: i32) -> Result<u32, Refusal> {
    u32::try_from(number).map_err(|_| {
        let said = format!("Part number must be an integer between 1 and {}, inclusive", limits::PARTS);
        Refusal::say(Code::InvalidArgument, said)
    })
}

/// Whether a type asks for a checksum over the parts' values.
fn over_parts(over: &ChecksumType) -> Result<bool, Refusal> {
    match over.as_str() {
        ChecksumType::COMPOSITE => Ok(true),
        ChecksumType::FULL_OBJECT => Ok(false),
        _ => Err(Refusal::say(Code::InvalidRequest, "Value for x-amz-checksum-type header is invalid.")),
    }
}

/// The checksum an upload is to have: which one, and over what if the client says.
fn wanted(
    algorithm: Option<&ChecksumAlgorithm>,
    over: Option<&ChecksumType>,
) -> Result<Option<(ChecksumKind, Option<bool>)>, Refusal> {
    let over_parts = over.map(over_parts).transpose()?;
    match algorithm {
        Some(algorithm) => Ok(Some((checksums::kind(algorithm)?, over_parts))),
        None if over_parts.is_none() => Ok(None),
        None => {
            let said =
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.";
            Err(Refusal::say(Code::InvalidRequest, said))
        }
    }
}

/// How the answer names what an upload was begun with.
pub(super) fn shown_checksum(
    checksum: Option<(ChecksumKind, bool)>,
) -> (Option<ChecksumAlgorithm>, Option<ChecksumType>) {
    let named = |(kind, over_parts)| {
        (checksums::algorithm(kind), ChecksumType::from_static(checksums::kind_of_value(over_parts)))
    };
    checksum.map(named).unzip()
}

pub(super) async fn create(
    ops: &Ops,
    request: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let new = NewUpload {
        modified: attributes::modified(&parsed.taken.attributes),
        checksum: wanted(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?,
        attributes: parsed.taken.attributes.clone(),
    };
    let upload = ops.holdall.begin_upload(&parsed.caller, &parsed.address()?, new).await?;
    let (algorithm, over) = shown_checksum(upload.checksum);
    answer(CreateMultipartUploadOutput {
        bucket: Some(parsed.bucket()?.to_string()),
        checksum_algorithm: algorithm,
        checksum_type: over,
        key: Some(upload.key),
        upload_id: Some(upload.id),
        ..Default::default()
    })
}

pub(super) async fn part(ops: &Ops, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let (address, number, expected) =
        (parsed.address()?, number(input.part_number)?, parsed.expected.clone());
    let begun = ops.holdall.begin_part(&parsed.caller, &address, &input.upload_id, number, expected);
    let mut put = begun.await?;
    let mut body = pieces(input.body);
    while let Some(piece) = body.next().await {
        put.write(piece?).await?;
    }
    let part = put.commit(parsed.declared.take()?).await?;
    let output = UploadPartOutput { e_tag: shown::etag(&part.etag), ..Default::default() };
    let mut response = S3Response::new(output);
    shown::add_part_checksums(&mut response.headers, &part.checksums);
    Ok(response)
}

/// The parts as the client lists them.
fn claimed(listed: Option<CompletedMultipartUpload>) -> Result<Vec<ClaimedPart>, Refusal> {
    let malformed = || Refusal::new(Code::MalformedXML);
    let listed = listed.and_then(|listed| listed.parts).unwrap_or_default();
    let most = usize::try_from(limits::PARTS).unwrap_or(usize::MAX);
    if listed.is_empty() || listed.len() > most {
        return Err(malformed());
    }
    let one = |part: &CompletedPart| {
        let etag = part.e_tag.as_ref().ok_or_else(malformed)?;
        Ok(ClaimedPart {
            number: number(part.part_number.ok_or_else(malformed)?)?,
            etag: Etag::from_text(etag.value()),
            checksums: read_checksums!(part)?,
        })
    };
    listed.iter().map(one).collect()
}

/// The checksum of the whole, if the client declares one.
fn whole(input: &CompleteMultipartUploadInput) -> Result<Option<Checksum>, Refusal> {
    let mut found = read_checksums!(input)?;
    let whole = found.pop();
    if !found.is_empty() {
        let said = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(Refusal::say(Code::InvalidRequest, said));
    }
    Ok(whole)
}

pub(super) async fn complete(
    ops: &Ops,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let checksum = whole(&input)?;
    let negative =
        |_| Refusal::say(Code::InvalidRequest, "Value for x-amz-mp-object-size header is invalid.");
    let options = CompleteOptions {
        parts: claimed(input.multipart_upload)?,
        conditions: parsed.taken.conditions.clone(),
        checksum,
        over_parts: input.checksum_type.as_ref().map(over_parts).transpose()?,
        size: input.mpu_object_size.map(u64::try_from).transpose().map_err(negative)?,
        tokens: Vec::new(),
    };
    let address = parsed.address()?;
    let done = ops.holdall.complete_upload(&parsed.caller, &address, &input.upload_id, options).await;
    let version = done.map_err(other_size)?.version;
    // Answered when it is done and durable, never while it is under way.
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(parsed.bucket()?.to_string()),
        checksum_type: checksums::type_of(&version.checksums),
        e_tag: shown::etag(&version.etag),
        location: Some(format!("/{}/{}", parsed.bucket()?, encode_path(&version.key))),
        version_id: shown::version_id(&version),
        ..Default::default()
    };
    fill_checksums!(output, &version.checksums);
    output.key = Some(version.key);
    answer(output)
}

fn other_size(error: Error) -> Refusal {
    match error {
        Error::Incomplete { declared, got } => Refusal::say(
            Code::InvalidRequest,
            format!(
                "The provided 'x-amz-mp-object-size' header value {declared} does not match what was computed: {got}"
            ),
        ),
        other => other.into(),
    }
}

pub(super) async fn abort(
    ops: &Ops,
    request: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    ops.holdall.abort_upload(&parsed.caller, &parsed.address()?, &request.input.upload_id).await?;
    answer(AbortMultipartUploadOutput::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_checksum_is_asked_for_with_an_algorithm_only() {
        let of = |algorithm: Option<&'static str>, over: Option<&'static str>| {
            let algorithm = algorithm.map(ChecksumAlgorithm::from_static);
            let over = over.map(ChecksumType::from_static);
            wanted(algorithm.as_ref(), over.as_ref()).map_err(|refusal| refusal.code)
        };
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some("CRC32"), None), Ok(Some((ChecksumKind::Crc32, None))));
        assert_eq!(of(Some("CRC32"), Some("FULL_OBJECT")), Ok(Some((ChecksumKind::Crc32, Some(false)))));
        assert_eq!(of(Some("SHA256"), Some("COMPOSITE")), Ok(Some((ChecksumKind::Sha256, Some(true)))));
        for (algorithm, over) in
            [(None, Some("COMPOSITE")), (Some("MD5"), None), (Some("CRC32"), Some("HALF"))]
        {
            assert_eq!(of(algorithm, over), Err(Code::InvalidRequest), "{algorithm:?} {over:?}");
        }
    }

    #[test]
    fn a_list_without_parts_numbers_or_tags_is_malformed() {
        let of = |parts| claimed(Some(CompletedMultipartUpload { parts })).map_err(|refusal| refusal.code);
        let part = |number, tag: Option<&str>| CompletedPart {
            part_number: number,
            e_tag: tag.map(|tag| ETag::Strong(tag.to_owned())),
            ..Default::default()
        };
        assert_eq!(of(None), Err(Code::MalformedXML));
        assert_eq!(of(Some(vec![])), Err(Code::MalformedXML));
        assert_eq!(of(Some(vec![part(None, Some("e"))])), Err(Code::MalformedXML));
        assert_eq!(of(Some(vec![part(Some(1), None)])), Err(Code::MalformedXML));
        assert_eq!(of(Some(vec![part(Some(-1), Some("e"))])), Err(Code::InvalidArgument));
        assert_eq!(of(Some(vec![part(Some(1), Some("e"))])).map(|parts| parts.len()), Ok(1));
    }
}
