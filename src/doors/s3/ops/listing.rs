//! Listings of keys, in both versions of the operation. Each ignores the other's markers, as AWS
//! does: `start-after` and `continuation-token` mean nothing to the first, `marker` to the second.

use s3s::{S3Request, S3Result, dto::*};

use super::{
    super::request::Parsed,
    Answer, Ops, answer, checksums,
    page::{self, Page, marker},
    shown,
};
use crate::domain::nouns::{KeyEntry, KeyPage, ListKeys, ListedFile};

/// A page in the library's types.
struct Entries {
    contents: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    next: Option<String>,
}

impl Entries {
    fn count(&self) -> Option<i32> {
        i32::try_from(self.contents.len() + self.prefixes.len()).ok()
    }
}

async fn entries(
    ops: &Ops,
    parsed: &Parsed,
    page: &Page,
    (prefix, after): (Option<&String>, Option<String>),
    with_owner: bool,
) -> S3Result<Entries> {
    let which = ListKeys {
        prefix: prefix.cloned().unwrap_or_default(),
        delimiter: page.delimiter.clone(),
        after,
        limit: page.limit,
    };
    let bucket = parsed.bucket()?;
    let KeyPage { entries, next, owner } = ops.holdall.list_keys(&parsed.caller, bucket, which).await?;
    let owner = with_owner.then(|| shown::owner(owner));
    let mut found = Entries { contents: Vec::new(), prefixes: Vec::new(), next };
    for entry in entries {
        match entry {
            KeyEntry::File(file) => found.contents.push(object(file, page, owner.clone())),
            KeyEntry::Prefix(prefix) => found.prefixes.push(page.group(&prefix)),
        }
    }
    Ok(found)
}

fn object(file: ListedFile, page: &Page, owner: Option<Owner>) -> Object {
    let algorithms: Vec<_> = file.checksums.iter().map(|(kind, _)| checksums::algorithm(*kind)).collect();
    let over_parts = file.checksums.first().map(|(_, over_parts)| *over_parts);
    Object {
        checksum_algorithm: Some(algorithms).filter(|list| !list.is_empty()),
        checksum_type: over_parts.map(|over| ChecksumType::from_static(checksums::kind_of_value(over))),
        e_tag: shown::etag(&file.etag),
        key: Some(page.text(&file.key)),
        last_modified: shown::time(file.committed),
        owner,
        size: i64::try_from(file.size).ok(),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}

pub(super) async fn v1(ops: &Ops, request: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let page = Page::read(input.max_keys, "max-keys", input.encoding_type.as_ref(), input.delimiter)?;
    let after = marker(input.marker.clone());
    let found = entries(ops, &parsed, &page, (input.prefix.as_ref(), after), true).await?;
    // Without a delimiter clients go on from the last key.
    let next = found.next.as_deref().filter(|_| page.delimiter.is_some()).map(|next| page.text(next));
    answer(ListObjectsOutput {
        name: Some(parsed.bucket()?.to_string()),
        prefix: Some(page.text(&input.prefix.unwrap_or_default())),
        marker: Some(page.text(&input.marker.unwrap_or_default())),
        max_keys: page.most(),
        is_truncated: Some(found.next.is_some()),
        contents: Some(found.contents),
        common_prefixes: Some(found.prefixes),
        delimiter: page.shown_delimiter(),
        next_marker: next,
        encoding_type: page.encoding(),
        request_charged: None,
    })
}

pub(super) async fn v2(ops: &Ops, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    let page = Page::read(input.max_keys, "max-keys", input.encoding_type.as_ref(), input.delimiter)?;
    let token = page::read_token(input.continuation_token.as_deref())?;
    let after = token.or_else(|| marker(input.start_after.clone()));
    let with_owner = input.fetch_owner.unwrap_or(false);
    let found = entries(ops, &parsed, &page, (input.prefix.as_ref(), after), with_owner).await?;
    answer(ListObjectsV2Output {
        name: Some(parsed.bucket()?.to_string()),
        prefix: Some(page.text(&input.prefix.unwrap_or_default())),
        max_keys: page.most(),
        key_count: found.count(),
        continuation_token: input.continuation_token,
        is_truncated: Some(found.next.is_some()),
        next_continuation_token: found.next.as_deref().map(page::token),
        contents: Some(found.contents),
        common_prefixes: Some(found.prefixes),
        delimiter: page.shown_delimiter(),
        encoding_type: page.encoding(),
        start_after: input.start_after.map(|after| page.text(&after)),
        request_charged: None,
    })
}
