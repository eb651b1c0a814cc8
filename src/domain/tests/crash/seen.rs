//! Everything a client can see, as lines.

use futures::TryStreamExt as _;

use super::{care, workload};
use crate::{
    domain::{
        Error, Holdall,
        caller::Caller,
        nouns::{
            Bucket, Change, KeyEntry, ListBuckets, ListKeys, ListUploads, ListVersions, VersionEntry,
            VersionRef,
        },
    },
    model::{
        address::{Address, ObjectKey},
        condition::Conditions,
        name::BucketName,
    },
};

const ALL: usize = 1000;

/// What is there, but for what decays on purpose; an error is a line too.
pub(in crate::domain::tests) async fn seen(holdall: &Holdall) -> Vec<String> {
    let mut lines = Vec::new();
    match holdall.list_accounts(&Caller::Operator).await {
        Ok(accounts) => {
            for account in accounts.into_iter().filter(|account| account.name.as_str() != care::HAL) {
                lines.push(format!("account {} {:?}", account.name, account.id));
                owned(holdall, &workload::caller(account), &mut lines).await;
            }
        }
        Err(error) => lines.push(format!("accounts: {error:?}")),
    }
    lines
}

async fn owned(holdall: &Holdall, who: &Caller, lines: &mut Vec<String>) {
    let which = ListBuckets { prefix: String::new(), after: None, limit: ALL };
    let buckets = holdall.list_buckets(who, which).await;
    if let Err(error) = &buckets {
        lines.push(format!("buckets: {error:?}"));
    }
    for bucket in buckets.unwrap_or_default() {
        lines.push(format!("{} {:?} {:?}", bucket.name, bucket.versioning, bucket.history));
        if let Err(error) = inside(holdall, who, &bucket, lines).await {
            lines.push(format!("{}: {error:?}", bucket.name));
        }
    }
}

async fn inside(
    holdall: &Holdall,
    ada: &Caller,
    bucket: &Bucket,
    lines: &mut Vec<String>,
) -> Result<(), Error> {
    let name = &bucket.name;
    let which = ListKeys { limit: ALL, ..ListKeys::default() };
    for entry in holdall.list_keys(ada, name, which).await?.entries {
        if let KeyEntry::File(file) = entry {
            lines.push(format!("{name} key {} {} {}", file.key, file.size, file.etag));
            if file.has_props {
                let props = holdall.props(ada, &at(name, &file.key)).await?;
                lines.push(format!("{name} props {} {props:?}", file.key));
            }
            for lock in
                if file.has_locks { holdall.locks(ada, &at(name, &file.key)).await? } else { Vec::new() }
            {
                lines.push(format!("{name} lock {} {:?} {}", file.key, lock.token, lock.root));
            }
        }
    }
    let which = ListVersions { limit: ALL, ..ListVersions::default() };
    for entry in holdall.list_versions(ada, name, which).await?.entries {
        lines.push(version(holdall, ada, name, entry).await?);
    }
    let which = ListUploads { limit: ALL, ..ListUploads::default() };
    for upload in holdall.list_uploads(ada, name, which).await?.uploads {
        let parts = holdall.list_parts(ada, &at(name, &upload.key), &upload.id, 0, ALL).await?.parts;
        let parts: Vec<_> = parts.iter().map(|part| (part.number, part.size, &part.etag)).collect();
        lines.push(format!("{name} upload {} of {}: {parts:?}", upload.id, upload.key));
    }
    for change in holdall.changes(ada, name, None, ALL).await?.listed().unwrap() {
        let Change { seq, at, by, event, node, path } = change;
        lines.push(format!("{name} {seq:?} {event:?} {path:?} {by:?} at {at:?} {node:?}"));
    }
    Ok(())
}

fn at(bucket: &BucketName, key: &str) -> Address {
    Address::key(bucket.clone(), ObjectKey::parse(key).unwrap())
}

async fn version(
    holdall: &Holdall,
    ada: &Caller,
    bucket: &BucketName,
    entry: VersionEntry,
) -> Result<String, Error> {
    let file = match entry {
        VersionEntry::Version(file) => file,
        other => return Ok(format!("{bucket} {other:?}")),
    };
    let which = if file.null { VersionRef::Null } else { VersionRef::Id(file.id) };
    let which = file.versioned.then_some(which);
    let opened = holdall.open(ada, &at(bucket, &file.key), which, &Conditions::default()).await?;
    assert_eq!((opened.version.id, opened.version.size), (file.id, file.size));
    let bytes: Vec<_> = opened.read(0..file.size).try_collect().await?;
    let hash = blake3::hash(&bytes.concat()).to_hex();
    let (key, id, null, size, latest) = (&file.key, file.id, file.null, file.size, file.latest);
    Ok(format!("{bucket} version {key} {id} {null} {latest} {size} {hash}"))
}
