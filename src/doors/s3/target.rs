//! What paths name: the request's own and that of a copy's source. Each is decoded once, here, and
//! becomes a type; what was checked is what is opened.

use super::{
    allow::Level,
    code::Code,
    error::Refusal,
    query::{decode, encode, encode_path},
};
use crate::{
    domain::nouns::VersionRef,
    model::{
        address::{Address, ItemPath, ObjectKey},
        ids::VersionId,
        name::BucketName,
    },
};

/// What a path names. It is decoded here, once; everything later takes these types.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Target {
    /// The bucket.
    pub(crate) bucket: Option<BucketName>,
    /// The key in it.
    pub(crate) key: Option<ObjectKey>,
}

impl Target {
    /// Reads a path as it came; `host_bucket` is the bucket a host name stands for.
    pub(crate) fn parse(path: &str, host_bucket: Option<&str>) -> Result<Self, Refusal> {
        let path = decode(path)?;
        let path = path.strip_prefix('/').ok_or_else(|| Refusal::new(Code::InvalidURI))?;
        let (bucket, key) = match host_bucket {
            Some(bucket) => (bucket, path),
            None if path.is_empty() => return Ok(Self::default()),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        let named = |refusal: Refusal| refusal.with("BucketName", bucket);
        let bucket = BucketName::parse(bucket).map_err(|why| named(why.into()))?;
        let key = (!key.is_empty()).then(|| ObjectKey::parse(key)).transpose()?;
        Ok(Self { bucket: Some(bucket), key })
    }

    /// The object, or the bucket itself.
    pub(crate) fn address(&self) -> Option<Address> {
        let bucket = self.bucket.clone()?;
        Some(match &self.key {
            Some(key) => Address::key(bucket, key.clone()),
            None => Address::path(bucket, ItemPath::root()),
        })
    }

    /// Service, bucket or object.
    pub(crate) fn level(&self) -> Level {
        match (&self.bucket, &self.key) {
            (None, _) => Level::Service,
            (Some(_), None) => Level::Bucket,
            (Some(_), Some(_)) => Level::Object,
        }
    }

    /// The path in the one form the library is given.
    pub(crate) fn path(&self) -> String {
        let part = |text: &str| format!("/{}", encode_path(text));
        let bucket = self.bucket.as_ref().map(|bucket| part(bucket.as_str()));
        let key = self.key.as_ref().map(|key| part(key.as_str()));
        bucket.map_or_else(|| "/".to_owned(), |bucket| bucket + &key.unwrap_or_default())
    }
}

/// Where a copy comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CopySource {
    /// The bucket.
    pub(crate) bucket: BucketName,
    /// The key in it.
    pub(crate) key: ObjectKey,
    /// The version, if one is named.
    pub(crate) version: Option<VersionRef>,
}

impl CopySource {
    /// Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = || {
            Refusal::say(
                Code::InvalidArgument,
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            )
        };
        let (path, version) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.strip_prefix("versionId=").ok_or_else(bad)?)),
            None => (text, None),
        };
        let path = decode(path)?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(bad)?;
        let (bucket, key) = (BucketName::parse(bucket)?, ObjectKey::parse(key)?);
        let version = version.map(decode).transpose()?;
        Ok(Self { bucket, key, version: version.as_deref().map(version_ref).transpose()? })
    }

    /// The same as an address.
    pub(crate) fn address(&self) -> Address {
        Address::key(self.bucket.clone(), self.key.clone())
    }

    /// Written in the one form the library is given.
    pub(crate) fn encoded(&self) -> String {
        let path = format!("{}/{}", self.bucket, encode_path(self.key.as_str()));
        match self.version {
            None => path,
            Some(VersionRef::Null) => format!("{path}?versionId=null"),
            Some(VersionRef::Id(id)) => format!("{path}?versionId={}", encode(&id.to_string())),
        }
    }
}

/// Reads a version id as S3 writes it.
pub(crate) fn version_ref(text: &str) -> Result<VersionRef, Refusal> {
    if text == "null" {
        return Ok(VersionRef::Null);
    }
    let bad = || Refusal::say(Code::InvalidArgument, "Invalid version id specified");
    VersionId::parse(text).map(VersionRef::Id).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_keys_stay_as_they_are() {
        let parsed = |path: &str, host| {
            let target = Target::parse(path, host).map_err(|refusal| refusal.code)?;
            let text = |name: Option<&str>| name.unwrap_or("-").to_owned();
            let bucket = text(target.bucket.as_ref().map(BucketName::as_str));
            Ok((bucket, text(target.key.as_ref().map(ObjectKey::as_str)), target.path()))
        };
        for (path, host, bucket, key, sent) in [
            ("/", None, "-", "-", "/"),
            ("/abc", None, "abc", "-", "/abc"),
            ("/abc/", None, "abc", "-", "/abc"),
            ("/abc/a%2Fb", None, "abc", "a/b", "/abc/a/b"),
            ("/abc//a//b/", None, "abc", "/a//b/", "/abc//a//b/"),
            ("/abc/../x", None, "abc", "../x", "/abc/../x"),
            ("/abc/a%252Fb+c", None, "abc", "a%2Fb+c", "/abc/a%252Fb%2Bc"),
            ("/a%C3%A9", Some("abc"), "abc", "aé", "/abc/a%C3%A9"),
            ("/", Some("abc"), "abc", "-", "/abc"),
            ("//x", Some("abc"), "abc", "/x", "/abc//x"),
        ] {
            assert_eq!(parsed(path, host), Ok((bucket.into(), key.into(), sent.into())), "{path}");
        }
        assert_eq!(parsed("/abc/%ff", None), Err(Code::InvalidURI));
        assert_eq!(parsed("*", None), Err(Code::InvalidURI));
        assert_eq!(parsed("//x", None), Err(Code::InvalidBucketName));
        assert_eq!(parsed("/ABC/x", None), Err(Code::InvalidBucketName));
        assert_eq!(parsed(&format!("/abc/{}", "k".repeat(1025)), None), Err(Code::KeyTooLongError));
    }

    #[test]
    fn a_copy_source_is_read_by_the_same_rules() {
        let source = CopySource::parse("/abc/a%3Fb%2520?versionId=null").unwrap();
        assert_eq!((source.key.as_str(), source.version), ("a?b%20", Some(VersionRef::Null)));
        assert_eq!(CopySource::parse(&source.encoded()).unwrap(), source);
        assert_eq!(CopySource::parse("abc//a+b").unwrap().key.as_str(), "/a+b");
        for bad in ["abc", "abc/", "/", "", "abc/k?version=1", "abc/k?versionId=x", "ABC/k"] {
            assert!(CopySource::parse(bad).is_err(), "{bad}");
        }
    }
}
