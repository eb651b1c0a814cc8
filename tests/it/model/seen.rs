//! What the doors show, held against the model.

use std::collections::BTreeMap;

use holdall::model::time::Timestamp;

use super::{
    compare::Shows,
    doors::{Run, encoded, target},
    op::At,
    rules::Model,
    runs::{Same, same},
    state::{Bucket, Content, Stands, State},
};
use crate::common::{
    ask::Ask,
    wire::{Reply, element, elements},
};

fn well(reply: Option<Reply>, status: u16) -> Result<Reply, String> {
    match reply {
        Some(reply) if reply.status == status => Ok(reply),
        Some(reply) => Err(format!("{} {}", reply.status, reply.text())),
        None => Err("no whole answer".into()),
    }
}

/// A version as S3 lists it: key, size, tag, null, newest, when; a marker has no tag.
type Line = (String, u64, String, bool, bool, String);

/// A member as WebDAV lists it: address, size and tag of a file, properties.
type Member = (String, Option<(u64, String)>, BTreeMap<String, String>);

impl Shows for Run {
    fn model(&self) -> &Model {
        &self.model
    }

    /// Everything both doors list.
    async fn see_all(&mut self) -> Same {
        let reply = well(self.s3(Ask::new("GET", "/")).await, 200)?;
        let names: Vec<String> = self.model.buckets.keys().cloned().collect();
        same("buckets", names.clone(), elements(reply.text(), "Name"))?;
        for name in &names {
            self.versioning(name).await?;
            self.see_bucket(name).await?;
            self.parts(name).await?;
            self.pages((name, ""), false, 1000).await?;
            self.pages((name, ""), true, 3).await?;
            self.folders(name).await?;
        }
        Ok(())
    }

    async fn see_bucket(&mut self, name: &str) -> Same {
        self.listed(name).await?;
        self.begun(name).await
    }

    async fn see_pages(&self, of: (&str, &str), grouped: bool, limit: usize) -> Same {
        self.pages(of, grouped, limit).await
    }

    /// Reads the file of a place through the door it was not named at.
    async fn see_otherwise(&self, at: &At) -> Same {
        let Some(bucket) = self.model.buckets.get(&at.bucket) else { return Ok(()) };
        let key = match bucket.find(&at.name) {
            Stands::File(key) => key,
            _ => return Ok(()),
        };
        // Some keys have no path, and some paths lead to another key.
        let named = key.split('/').all(|name| !matches!(name, "" | "." | ".."));
        if !at.path && (key != at.name || !named) {
            return Ok(());
        }
        let Some(content) = bucket.file(&key) else { return Ok(()) };
        let other = At { name: key.clone(), path: !at.path, ..at.clone() };
        let ask = Ask::new("GET", &target(&other));
        let reply = if other.path { self.dav(ask).await } else { self.s3(ask).await };
        self.same_bytes(&key, content, &well(reply, 200)?)
    }
}

impl Run {
    fn same_bytes(&self, key: &str, content: &Content, reply: &Reply) -> Same {
        let all: Vec<u8> = content.pieces.iter().flat_map(|piece| self.model.bytes(*piece)).collect();
        let tag = reply.header("etag").map(|tag| tag.trim_matches('"').to_owned());
        same(&format!("the tag of {key}"), Some(content.etag.clone()), tag)?;
        if all == reply.body { Ok(()) } else { Err(format!("{key}: other bytes were read")) }
    }

    /// ListObjectVersions.
    async fn listed(&mut self, name: &str) -> Same {
        let reply = well(self.s3(Ask::new("GET", &format!("/{name}?versions"))).await, 200)?;
        let (shown, ids): (Vec<Line>, Vec<String>) = lines(reply.text()).into_iter().unzip();
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let (wanted, serials) = lines_of(bucket);
        same(&format!("versions of {name}"), wanted, shown)?;
        for (serial, id) in serials.into_iter().zip(ids) {
            let known = self.versions.entry(serial).or_insert_with(|| id.clone());
            same("the id of a version", &*known, &id)?;
        }
        Ok(())
    }

    /// ListMultipartUploads.
    async fn begun(&mut self, name: &str) -> Same {
        let reply = well(self.s3(Ask::new("GET", &format!("/{name}?uploads"))).await, 200)?;
        let shown = elements(reply.text(), "Upload");
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let open = self.model.open_uploads(bucket);
        let wanted: Vec<_> = open.iter().map(|(_, upload)| upload.at.name.clone()).collect();
        let keys = shown.iter().filter_map(|upload| element(upload, "Key")).collect();
        same("uploads", wanted, keys)?;
        for ((index, _), shown) in open.into_iter().zip(&shown) {
            let id = element(shown, "UploadId").unwrap_or_default();
            let known = self.uploads.entry(index).or_insert_with(|| id.clone());
            same("the id of an upload", &*known, &id)?;
        }
        Ok(())
    }

    /// GetBucketVersioning: what tells nothing of any file yet is told apart, too.
    async fn versioning(&self, name: &str) -> Same {
        let reply = well(self.s3(Ask::new("GET", &format!("/{name}?versioning"))).await, 200)?;
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let wanted = (bucket.state != State::Never).then(|| format!("{:?}", bucket.state));
        same(&format!("versioning of {name}"), wanted, element(reply.text(), "Status"))
    }

    /// ListParts of the uploads that are open.
    async fn parts(&self, name: &str) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        for (index, upload) in self.model.open_uploads(bucket) {
            let Some(id) = self.uploads.get(&index) else { continue };
            let ask = Ask::new("GET", &format!("{}?uploadId={id}", target(&upload.at)));
            let reply = well(self.s3(ask).await, 200)?;
            let shown = elements(reply.text(), "Part").into_iter().map(|part| {
                let of = |name: &str| element(&part, name).unwrap_or_default();
                (of("PartNumber"), of("Size"), of("ETag").replace("&quot;", "").replace('"', ""))
            });
            let wanted = upload
                .parts
                .iter()
                .map(|(number, body)| (number.to_string(), body.length.to_string(), self.model.etag(*body)));
            same("parts", wanted.collect::<Vec<_>>(), shown.collect())?;
        }
        Ok(())
    }

    /// ListObjectsV2 in pages.
    async fn pages(&self, (name, prefix): (&str, &str), grouped: bool, limit: usize) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let delimiter = if grouped { "&delimiter=%2F" } else { "" };
        let prefix_sent = encoded(prefix).replace('/', "%2F");
        let first = format!("/{name}?list-type=2&max-keys={limit}&prefix={prefix_sent}{delimiter}");
        let (mut shown, mut query) = (Vec::new(), first.clone());
        loop {
            let reply = well(self.s3(Ask::new("GET", &query)).await, 200)?;
            let groups = elements(reply.text(), "CommonPrefixes");
            let mut page: Vec<String> = elements(reply.text(), "Contents")
                .iter()
                .filter_map(|entry| element(entry, "Key"))
                .chain(groups.iter().filter_map(|group| element(group, "Prefix")))
                .collect();
            page.sort();
            same("a page that is too long", true, page.len() <= limit)?;
            shown.extend(page);
            match element(reply.text(), "NextContinuationToken") {
                Some(token) => {
                    let token = encoded(&token).replace('/', "%2F");
                    query = format!("{first}&continuation-token={token}");
                }
                None => break,
            }
        }
        same(&format!("keys of {name} in pages"), bucket.grouped(prefix, grouped), shown)
    }

    /// PROPFIND of every folder.
    async fn folders(&self, name: &str) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let body = "<D:propfind xmlns:D=\"DAV:\" xmlns:M=\"urn:model\"><D:prop><D:getcontentlength/><D:getetag/>\
                    <M:p0/><M:p1/></D:prop></D:propfind>";
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let at = At { bucket: name.to_owned(), name: folder.clone(), path: true };
            let slash = if folder.is_empty() { "" } else { "/" };
            let ask = Ask::new("PROPFIND", &format!("{}{slash}", target(&at))).with("depth", "1").body(body);
            let reply = well(self.dav(ask).await, 207)?;
            let members = bucket.shown(&folder);
            let base = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let mut wanted = vec![member(bucket, name, &base)];
            wanted.extend(members.iter().map(|tail| member(bucket, name, &format!("{base}{tail}"))));
            let shown = elements(reply.text(), "D:response").iter().map(|one| shown(one)).collect();
            same(&format!("members of {name}/{folder}"), wanted, shown)?;
            folders
                .extend(members.iter().filter_map(|tail| Some(format!("{base}{}", tail.strip_suffix('/')?))));
        }
        Ok(())
    }
}

/// What the model has at a path; a folder ends in a slash.
fn member(bucket: &Bucket, name: &str, at: &str) -> Member {
    let folder = at.is_empty() || at.ends_with('/');
    let content = bucket.file(at).filter(|_| !folder);
    let props = bucket.props.get(at).into_iter().flatten();
    let props = props.map(|(name, value)| (format!("p{name}"), value.to_string())).collect();
    let file = content.map(|content| (content.size(), content.etag.clone()));
    (format!("/dav/{name}/{}", encoded(at)), file, props)
}

fn shown(response: &str) -> Member {
    let well =
        elements(response, "D:propstat").into_iter().find(|stat| stat.contains(" 200 ")).unwrap_or_default();
    let size = element(&well, "D:getcontentlength").and_then(|size| size.parse().ok());
    let tag = element(&well, "D:getetag").map(|tag| tag.replace("&quot;", "").replace('"', ""));
    let value = |name: &str| {
        let (_, rest) = well.split_once(&format!(":{name} "))?;
        let (_, rest) = rest.split_once('>')?;
        Some((name.to_owned(), rest.split_once('<')?.0.to_owned()))
    };
    let props = ["p0", "p1"].into_iter().filter_map(value).collect();
    (element(response, "D:href").unwrap_or_default(), size.zip(tag), props)
}

/// The versions of a listing and then its markers, each in order, and their ids. The document has
/// them in two lists, as every client reads them.
fn lines(text: &str) -> Vec<(Line, String)> {
    let line = |inner: &String| {
        let of = |name: &str| element(inner, name).unwrap_or_default();
        let tag = of("ETag").replace("&quot;", "").replace('"', "");
        let (size, id) = (of("Size").parse().unwrap_or_default(), of("VersionId"));
        let newest = of("IsLatest") == "true";
        ((of("Key"), size, tag, id == "null", newest, of("LastModified")), id)
    };
    ["Version", "DeleteMarker"]
        .iter()
        .flat_map(|name| elements(text, name))
        .map(|inner| line(&inner))
        .collect()
}

fn lines_of(bucket: &Bucket) -> (Vec<Line>, Vec<u64>) {
    let all = bucket.lines().map(|((key, size, tag, null, newest, time), serial)| {
        ((key, size, tag, null, newest, Timestamp(time).rfc3339()), serial)
    });
    let (markers, versions): (Vec<_>, Vec<_>) = all.partition(|(line, _)| line.2.is_empty());
    versions.into_iter().chain(markers).unzip()
}
