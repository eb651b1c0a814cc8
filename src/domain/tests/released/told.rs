//! Everything a client can learn of the directory, as lines that name each thing by itself, so that
//! a later build which knows more of it still writes the same.

use futures::TryStreamExt as _;
use sha2::{Digest, Sha256};

use super::{make::KEY, *};
use crate::{domain::nouns::*, model::condition::Conditions};

const ALL: usize = 1000;

pub(super) async fn told(holdall: &Arc<Holdall>) -> Vec<String> {
    let trial = Trial {
        disk: Arc::default(),
        clock: Arc::new(SetClock::at(Timestamp(0))),
        holdall: Arc::clone(holdall),
    };
    let (ada, bob) = (trial.caller("ada").await, trial.caller("bob").await);
    trial.by_key(KEY.0, &Secret::new(KEY.1)).await.expect("the key still signs");
    let mut lines = Vec::new();
    for one in holdall.list_accounts(&Caller::Operator).await.unwrap() {
        let keys = holdall.list_keys_of(&Caller::Operator, &one.name).await.unwrap();
        let keys: Vec<_> = keys.into_iter().map(|key| key.id).collect();
        let apps = holdall.list_app_passwords(&Caller::Operator, &one.name).await.unwrap();
        let apps: Vec<_> =
            apps.into_iter().map(|app| format!("{} {} {:?}", app.id, app.label, app.scope)).collect();
        lines.push(format!(
            "account {} {} {:?} keys {keys:?} apps {apps:?}",
            one.name, one.canonical_id, one.email
        ));
    }
    let which = ListBuckets { prefix: String::new(), after: None, limit: ALL };
    for one in holdall.list_buckets(&ada, which).await.unwrap() {
        let usage = holdall.bucket_usage(&ada, &one.name).await.unwrap();
        let Bucket { name, versioning, history, quota, .. } = &one;
        // Jobs count as history what was live before.
        let bytes = usage.live + usage.versions + usage.history;
        lines.push(format!("{name} {versioning:?} {history:?} {quota:?} {bytes} bytes"));
        versions(holdall, &ada, name, &mut lines).await;
        uploads(holdall, &ada, name, &mut lines).await;
        for change in holdall.changes(&ada, name, None, ALL).await.unwrap().listed().unwrap() {
            lines.push(format!(
                "{name} change {} at {} {:?} {}",
                change.seq.0, change.at.0, change.event, change.path
            ));
        }
    }
    tree(holdall, &ada, "", &mut lines).await;
    let (given, other) = (path("ada", "contents/empty"), path("ada", "moved/c"));
    let sees =
        [holdall.stat(&bob, &given, None).await.is_ok(), holdall.stat(&bob, &other, None).await.is_ok()];
    lines.push(format!("bob sees what he was given and what not: {sees:?}"));
    lines
}

/// The SHA-256 of a version's bytes, as they are read.
async fn sum(holdall: &Holdall, ada: &Caller, at: &Address, version: Option<VersionRef>) -> String {
    let opened = holdall.open(ada, at, version, &Conditions::default()).await.unwrap();
    let size = opened.version.size;
    let pieces: Vec<bytes::Bytes> = opened.read(0..size).try_collect().await.unwrap();
    hex::encode(Sha256::digest(pieces.concat()))
}

async fn versions(holdall: &Holdall, ada: &Caller, name: &BucketName, lines: &mut Vec<String>) {
    let which = ListVersions { limit: ALL, ..ListVersions::default() };
    for entry in holdall.list_versions(ada, name, which).await.unwrap().entries {
        lines.push(match entry {
            VersionEntry::Version(one) => {
                let at = Address::key(name.clone(), ObjectKey::parse(&one.key).unwrap());
                let which = if one.null { VersionRef::Null } else { VersionRef::Id(one.id) };
                let sum = sum(holdall, ada, &at, one.versioned.then_some(which)).await;
                let FileVersion { key, node, id, null, latest, size, etag, committed, modified, parts, .. } = one;
                let Attributes { content_type, user, .. } = one.attributes;
                format!(
                    "{name} {key:?} node {} version {}.{} null {null} latest {latest} {size} bytes {etag} {sum} \
                     committed {} modified {} parts {parts:?} {content_type:?} {user:?}",
                    node.0, id.incarnation, id.seq.0, committed.0, modified.0
                )
            }
            VersionEntry::Marker { key, id, null, latest, committed, .. } => format!(
                "{name} {key:?} marker {}.{} null {null} latest {latest} committed {}",
                id.incarnation, id.seq.0, committed.0
            ),
            VersionEntry::Prefix(prefix) => panic!("{prefix}"),
        });
    }
}

async fn uploads(holdall: &Holdall, ada: &Caller, name: &BucketName, lines: &mut Vec<String>) {
    let which = ListUploads { limit: ALL, ..ListUploads::default() };
    for upload in holdall.list_uploads(ada, name, which).await.unwrap().uploads {
        let at = Address::key(name.clone(), ObjectKey::parse(&upload.key).unwrap());
        for part in holdall.list_parts(ada, &at, &upload.id, 0, ALL).await.unwrap().parts {
            let Part { number, size, etag, .. } = part;
            lines.push(format!("{name} upload {} of {}: part {number} {size} {etag}", upload.id, upload.key));
        }
    }
}

/// The tree as WebDAV shows it, with what hangs on it.
async fn tree(holdall: &Holdall, ada: &Caller, folder: &str, lines: &mut Vec<String>) {
    let at = path("ada", folder);
    for member in holdall.list_folder(ada, &at, None, ALL).await.unwrap().members {
        let (kind, shown) = match &member {
            Member::File(file) => ("file", file.key.clone()),
            Member::Folder(folder) => ("folder", folder.path.clone()),
        };
        let at = path("ada", shown.trim_end_matches('/'));
        let props = holdall.props(ada, &at).await.unwrap();
        let locks = holdall.locks(ada, &at).await.unwrap();
        let locks: Vec<_> =
            locks.iter().map(|lock| (&lock.token, &lock.root, lock.exclusive, lock.deep)).collect();
        let props: Vec<_> = props.iter().map(|prop| (&prop.namespace, &prop.name, &prop.xml)).collect();
        lines.push(format!("{kind} {shown:?} props {props:?} locks {locks:?}"));
        if kind == "folder" {
            Box::pin(tree(holdall, ada, shown.trim_end_matches('/'), lines)).await;
        }
    }
}
