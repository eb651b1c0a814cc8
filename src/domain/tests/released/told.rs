//! Everything a client can learn of the directory, as lines that name each thing by itself, so that
//! a later build which knows more of it still writes the same, and so that what cannot be read is
//! missed in its own lines only.

use futures::TryStreamExt as _;
use sha2::{Digest, Sha256};

use super::*;
use crate::{domain::nouns::*, model::condition::Conditions};

const ALL: usize = 1000;

/// What a directory told, and what it refused to.
#[derive(Default)]
pub(super) struct Told {
    pub(super) lines: Vec<String>,
    pub(super) errors: Vec<Error>,
}

/// Asks for everything, as these two.
pub(super) async fn told(holdall: &Holdall, ada: &Caller, bob: &Caller) -> Told {
    let mut told = Told::default();
    for one in told.or_none(holdall.list_accounts(&Caller::Operator).await) {
        told.lines.push(format!("account {} {} {:?}", one.name, one.canonical_id, one.email));
        for key in told.or_none(holdall.list_keys_of(&Caller::Operator, &one.name).await) {
            told.lines.push(format!("account {} key {}", one.name, key.id));
        }
        for app in told.or_none(holdall.list_app_passwords(&Caller::Operator, &one.name).await) {
            told.lines.push(format!("account {} app {} {} {:?}", one.name, app.id, app.label, app.scope));
        }
    }
    let which = ListBuckets { prefix: String::new(), after: None, limit: ALL };
    for Bucket { name, versioning, history, quota, .. } in
        told.or_none(holdall.list_buckets(ada, which).await)
    {
        told.lines.push(format!("{name} {versioning:?} {history:?} {quota:?}"));
        told.usage(holdall, ada, &name).await;
        told.versions(holdall, ada, &name).await;
        told.uploads(holdall, ada, &name).await;
        let changes = holdall.changes(ada, &name, None, ALL).await;
        for change in told.or_none(changes.map(|changes| changes.listed().unwrap())) {
            told.lines.push(format!(
                "{name} change {} at {} {:?} {}",
                change.seq.0, change.at.0, change.event, change.path
            ));
        }
    }
    told.tree(holdall, ada, "").await;
    for at in ["contents/empty", "moved/c"] {
        match holdall.stat(bob, &path("ada", at), None).await {
            Ok(_) => told.lines.push(format!("bob sees {at}")),
            Err(Error::NotFound(..) | Error::Denied(_)) => {}
            Err(error) => told.errors.push(error),
        }
    }
    told
}

impl Told {
    /// What was answered; nothing, if that was an error.
    fn or_none<T: Default>(&mut self, answer: Result<T, Error>) -> T {
        answer.unwrap_or_else(|error| {
            self.errors.push(error);
            T::default()
        })
    }

    async fn usage(&mut self, holdall: &Holdall, ada: &Caller, name: &BucketName) {
        match holdall.bucket_usage(ada, name).await {
            // Jobs count as history what was live before.
            Ok(usage) => {
                self.lines.push(format!("{name} {} bytes", usage.live + usage.versions + usage.history))
            }
            Err(error) => self.errors.push(error),
        }
    }

    async fn versions(&mut self, holdall: &Holdall, ada: &Caller, name: &BucketName) {
        let which = ListVersions { limit: ALL, ..ListVersions::default() };
        let page = holdall.list_versions(ada, name, which).await;
        for entry in self.or_none(page.map(|page| page.entries)) {
            let line = match entry {
                VersionEntry::Version(one) => self.version(holdall, ada, name, one).await,
                VersionEntry::Marker { key, id, null, latest, committed, .. } => Some(format!(
                    "{name} {key:?} marker {}.{} null {null} latest {latest} committed {}",
                    id.incarnation, id.seq.0, committed.0
                )),
                VersionEntry::Prefix(prefix) => panic!("{prefix}"),
            };
            self.lines.extend(line);
        }
    }

    async fn version(
        &mut self,
        holdall: &Holdall,
        ada: &Caller,
        name: &BucketName,
        one: FileVersion,
    ) -> Option<String> {
        let at = Address::key(name.clone(), ObjectKey::parse(&one.key).unwrap());
        let which = if one.null { VersionRef::Null } else { VersionRef::Id(one.id) };
        let sum = match sum(holdall, ada, &at, one.versioned.then_some(which)).await {
            Ok(sum) => sum,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        let FileVersion { key, node, id, null, latest, size, etag, committed, modified, parts, .. } = one;
        let Attributes { content_type, user, .. } = one.attributes;
        Some(format!(
            "{name} {key:?} node {} version {}.{} null {null} latest {latest} {size} bytes {etag} {sum} \
             committed {} modified {} parts {parts:?} {content_type:?} {user:?}",
            node.0, id.incarnation, id.seq.0, committed.0, modified.0
        ))
    }

    async fn uploads(&mut self, holdall: &Holdall, ada: &Caller, name: &BucketName) {
        let which = ListUploads { limit: ALL, ..ListUploads::default() };
        let page = holdall.list_uploads(ada, name, which).await;
        for upload in self.or_none(page.map(|page| page.uploads)) {
            let at = Address::key(name.clone(), ObjectKey::parse(&upload.key).unwrap());
            let parts = holdall.list_parts(ada, &at, &upload.id, 0, ALL).await;
            for part in self.or_none(parts.map(|page| page.parts)) {
                let (id, key, Part { number, size, etag, .. }) = (&upload.id, &upload.key, part);
                self.lines.push(format!("{name} upload {id} of {key}: part {number} {size} {etag}"));
            }
        }
    }

    /// The tree as WebDAV shows it, with what hangs on it.
    async fn tree(&mut self, holdall: &Holdall, ada: &Caller, folder: &str) {
        let page = holdall.list_folder(ada, &path("ada", folder), None, ALL).await;
        for member in self.or_none(page.map(|page| page.members)) {
            let (kind, shown) = match &member {
                Member::File(file) => ("file", file.key.clone()),
                Member::Folder(folder) => ("folder", folder.path.clone()),
            };
            self.lines.push(format!("{kind} {shown:?}"));
            let at = path("ada", shown.trim_end_matches('/'));
            for Prop { namespace, name, xml } in self.or_none(holdall.props(ada, &at).await) {
                self.lines.push(format!("{kind} {shown:?} prop {namespace} {name} {xml}"));
            }
            for lock in self.or_none(holdall.locks(ada, &at).await) {
                let (token, root, exclusive, deep) = (&lock.token, &lock.root, lock.exclusive, lock.deep);
                self.lines.push(format!(
                    "{kind} {shown:?} lock {token:?} on {root:?} exclusive {exclusive} deep {deep}"
                ));
            }
            if kind == "folder" {
                Box::pin(self.tree(holdall, ada, shown.trim_end_matches('/'))).await;
            }
        }
    }
}

/// The SHA-256 of a version's bytes, as they are read.
async fn sum(
    holdall: &Holdall,
    ada: &Caller,
    at: &Address,
    version: Option<VersionRef>,
) -> Result<String, Error> {
    let opened = holdall.open(ada, at, version, &Conditions::default()).await?;
    let size = opened.version.size;
    let pieces: Vec<bytes::Bytes> = opened.read(0..size).try_collect().await?;
    Ok(hex::encode(Sha256::digest(pieces.concat())))
}
