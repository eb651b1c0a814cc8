//! Objects: written, and asked about.

use s3s::{S3Request, S3Response, S3Result, dto::*};

use super::{
    super::{
        error::of_body,
        request::{ObjectAttribute, Parsed},
    },
    Answer, Ops, answer, attributes as described, checksums,
    checksums::fill_checksums,
    shown,
};
use crate::domain::nouns::{Expected, WriteOptions};
use bytes::Bytes;
use futures::{Stream, StreamExt};

/// The pieces of a body, each handed on as it comes.
pub(super) fn pieces(body: Option<StreamingBlob>) -> impl Stream<Item = S3Result<Bytes>> + Unpin {
    futures::stream::iter(body).flatten().map(|piece| piece.map_err(of_body))
}

pub(super) async fn put(ops: &Ops, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let address = parsed.address()?;
    let modified = described::modified(&parsed.taken.attributes);
    let expected = Expected { attributes: parsed.taken.attributes, ..parsed.expected };
    let mut put = ops.holdall.begin_put(&parsed.caller, &address, expected).await?;
    let mut body = pieces(request.input.body);
    while let Some(piece) = body.next().await {
        put.write(piece?).await?;
    }
    // Only a body that ended as declared has left this behind.
    let declared = parsed.declared.take()?;
    let options =
        WriteOptions { conditions: parsed.taken.conditions, declared, modified, tokens: Vec::new() };
    let version = put.commit(options).await?.version;
    let mut response = S3Response::new(PutObjectOutput {
        e_tag: shown::etag(&version.etag),
        version_id: shown::version_id(&version),
        ..Default::default()
    });
    shown::add_checksums(&mut response.headers, &version.checksums);
    Ok(response)
}

pub(super) async fn attributes(
    ops: &Ops,
    request: S3Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let version = parsed.version(request.input.version_id.as_deref())?;
    let item = ops.holdall.stat(&parsed.caller, &parsed.address()?, version).await?;
    let version = shown::file(item)?;
    let mut output = GetObjectAttributesOutput {
        last_modified: shown::time(version.committed),
        version_id: shown::version_id(&version),
        ..Default::default()
    };
    for wanted in &parsed.taken.object_attributes {
        match wanted {
            ObjectAttribute::Etag => output.e_tag = shown::etag(&version.etag),
            ObjectAttribute::Checksum if version.checksums.is_empty() => {}
            ObjectAttribute::Checksum => {
                let mut found = Checksum::default();
                fill_checksums!(found, &version.checksums);
                found.checksum_type = checksums::type_of(&version.checksums);
                output.checksum = Some(found);
            }
            ObjectAttribute::ObjectParts => {
                let count = version.parts.and_then(|parts| i32::try_from(parts).ok());
                output.object_parts = count.map(|count| GetObjectAttributesParts {
                    total_parts_count: Some(count),
                    ..Default::default()
                });
            }
            ObjectAttribute::StorageClass => {
                output.storage_class = Some(StorageClass::from_static(StorageClass::STANDARD));
            }
            ObjectAttribute::ObjectSize => output.object_size = i64::try_from(version.size).ok(),
        }
    }
    answer(output)
}
