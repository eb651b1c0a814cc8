//! A bucket's versioning, and the listing of all versions in it. The library writes the versions
//! of a page before its delete markers; between pages, and for paging, the order is that of S3.

use s3s::{S3Request, dto::*};

use super::{
    super::{code::Code, error::Refusal, request::Parsed},
    Answer, Ops, answer, checksums,
    page::{Page, marker},
    shown,
};
use crate::domain::nouns::{BucketChange, FileVersion, ListVersions, VersionEntry, VersionPage, Versioning};

pub(super) async fn get(
    ops: &Ops,
    request: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let bucket = ops.holdall.show_bucket(&parsed.caller, parsed.bucket()?).await?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    let status = status.map(BucketVersioningStatus::from_static);
    answer(GetBucketVersioningOutput { status, ..Default::default() })
}

pub(super) async fn put(
    ops: &Ops,
    request: S3Request<PutBucketVersioningInput>,
) -> Answer<PutBucketVersioningOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let wanted = request.input.versioning_configuration;
    if wanted.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() != MFADelete::DISABLED) {
        return Err(Refusal::say(Code::NotImplemented, "MfaDelete is not implemented.").into());
    }
    let versioning = match wanted.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        Some(_) => return Err(Refusal::new(Code::MalformedXML).into()),
        None => return Err(Refusal::new(Code::IllegalVersioningConfigurationException).into()),
    };
    let change = BucketChange { versioning: Some(versioning), ..BucketChange::default() };
    ops.holdall.change_bucket(&parsed.caller, parsed.bucket()?, change).await?;
    answer(PutBucketVersioningOutput {})
}

pub(super) async fn list(
    ops: &Ops,
    request: S3Request<ListObjectVersionsInput>,
) -> Answer<ListObjectVersionsOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let page = Page::read(input.max_keys, "max-keys", input.encoding_type.as_ref(), input.delimiter)?;
    let key_after = marker(input.key_marker.clone());
    let version_after = parsed.version(input.version_id_marker.as_deref())?;
    if version_after.is_some() && key_after.is_none() {
        let said = "A version-id marker cannot be specified without a key marker.";
        return Err(Refusal::say(Code::InvalidArgument, said).into());
    }
    let which = ListVersions {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: page.delimiter.clone(),
        key_after,
        version_after,
        limit: page.limit,
    };
    let bucket = parsed.bucket()?;
    let found = ops.holdall.list_versions(&parsed.caller, bucket, which).await?;
    let mut output = entries(&page, found);
    output.name = Some(bucket.to_string());
    output.prefix = Some(page.text(&input.prefix.unwrap_or_default()));
    output.key_marker = Some(page.text(&input.key_marker.unwrap_or_default()));
    output.version_id_marker = Some(input.version_id_marker.unwrap_or_default());
    answer(output)
}

fn entries(page: &Page, found: VersionPage) -> ListObjectVersionsOutput {
    let owner = shown::owner(found.owner);
    let (mut versions, mut markers, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for entry in found.entries {
        match entry {
            VersionEntry::Version(version) => versions.push(one(page, version, &owner)),
            VersionEntry::Marker { key, id, null, latest, committed, .. } => {
                markers.push(DeleteMarkerEntry {
                    is_latest: Some(latest),
                    key: Some(page.text(&key)),
                    last_modified: shown::time(committed),
                    owner: Some(owner.clone()),
                    version_id: Some(shown::named(id, null)),
                })
            }
            VersionEntry::Prefix(prefix) => groups.push(page.group(&prefix)),
        }
    }
    let (next_key, next_version) = found.next.clone().unzip();
    ListObjectVersionsOutput {
        common_prefixes: Some(groups),
        delete_markers: Some(markers),
        delimiter: page.shown_delimiter(),
        encoding_type: page.encoding(),
        is_truncated: Some(found.next.is_some()),
        max_keys: page.most(),
        next_key_marker: next_key.map(|key| page.text(&key)),
        // Null versions, too, by their id: which version is the null one may change meanwhile.
        next_version_id_marker: next_version.flatten().map(|id| id.to_string()),
        versions: Some(versions),
        ..Default::default()
    }
}

fn one(page: &Page, version: FileVersion, owner: &Owner) -> ObjectVersion {
    let kinds: Vec<_> = version.checksums.iter().map(|sum| checksums::algorithm(sum.kind)).collect();
    ObjectVersion {
        checksum_algorithm: Some(kinds).filter(|list| !list.is_empty()),
        checksum_type: checksums::type_of(&version.checksums),
        e_tag: shown::etag(&version.etag),
        is_latest: Some(version.latest),
        key: Some(page.text(&version.key)),
        last_modified: shown::time(version.committed),
        owner: Some(owner.clone()),
        size: i64::try_from(version.size).ok(),
        storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
        version_id: Some(shown::named(version.id, version.null)),
        ..Default::default()
    }
}
