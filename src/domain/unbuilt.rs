//! Verbs whose rules are not written yet, with the signatures the doors build on.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::BoxStream;

use super::{Error, Holdall, caller::Caller, nouns::*};
use crate::model::{address::Address, condition::Conditions, ids::Seq, name::BucketName};

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::Unsupported("this".into()))
}

/// A body on its way in; dropping it aborts.
#[derive(Debug)]
pub struct Put {}

impl Put {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When more bytes come than are allowed, or the store cannot take them.
    pub async fn write(&mut self, _bytes: Bytes) -> Result<(), Error> {
        unbuilt()
    }

    /// Verifies what was declared and makes the file visible.
    ///
    /// # Errors
    /// Any refusal; nothing is visible then.
    pub async fn commit(self, _options: WriteOptions) -> Result<Written, Error> {
        unbuilt()
    }
}

/// A part on its way in; dropping it aborts.
#[derive(Debug)]
pub struct PartPut {}

impl PartPut {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When more bytes come than are allowed, or the store cannot take them.
    pub async fn write(&mut self, _bytes: Bytes) -> Result<(), Error> {
        unbuilt()
    }

    /// Verifies what was declared and keeps the part.
    ///
    /// # Errors
    /// Any refusal; the part sent before, if any, stays.
    pub async fn commit(self, _declared: Declared) -> Result<Part, Error> {
        unbuilt()
    }
}

/// A version opened for reading: its bytes stay readable whatever happens to its name.
#[derive(Debug)]
pub struct Opened {
    /// The version.
    pub version: FileVersion,
}

impl Opened {
    /// The bytes of one part; part 1 of a file sent in one piece is the whole.
    ///
    /// # Errors
    /// If there is no such part.
    pub fn part(&self, _number: u32) -> Result<Range<u64>, Error> {
        unbuilt()
    }

    /// The bytes of a range, each verified before it is given out. Ends with an error, never
    /// early, if they cannot be read.
    #[must_use]
    pub fn read(self, _range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
        Box::pin(futures::stream::empty())
    }
}

#[allow(missing_docs, clippy::missing_errors_doc, reason = "documented where they are built")]
impl Holdall {
    pub async fn begin_put(
        &self,
        _caller: &Caller,
        _at: &Address,
        _expected: Expected,
    ) -> Result<Put, Error> {
        unbuilt()
    }

    pub async fn stat(
        &self,
        _caller: &Caller,
        _at: &Address,
        _version: Option<VersionRef>,
    ) -> Result<Item, Error> {
        unbuilt()
    }

    pub async fn open(
        &self,
        _caller: &Caller,
        _at: &Address,
        _version: Option<VersionRef>,
        _conditions: &Conditions,
    ) -> Result<Opened, Error> {
        unbuilt()
    }

    pub async fn list_keys(
        &self,
        _caller: &Caller,
        _bucket: &BucketName,
        _which: ListKeys,
    ) -> Result<KeyPage, Error> {
        unbuilt()
    }

    pub async fn list_versions(
        &self,
        _caller: &Caller,
        _bucket: &BucketName,
        _which: ListVersions,
    ) -> Result<VersionPage, Error> {
        unbuilt()
    }

    pub async fn list_folder(
        &self,
        _caller: &Caller,
        _at: &Address,
        _after: Option<String>,
        _limit: usize,
    ) -> Result<FolderPage, Error> {
        unbuilt()
    }

    pub async fn make_folder(
        &self,
        _caller: &Caller,
        _at: &Address,
        _options: &WriteOptions,
    ) -> Result<Item, Error> {
        unbuilt()
    }

    pub async fn transfer(
        &self,
        _caller: &Caller,
        _how: Transfer,
        _from: &Address,
        _to: &Address,
        _options: TransferOptions,
    ) -> Result<Transferred, Error> {
        unbuilt()
    }

    pub async fn remove(
        &self,
        _caller: &Caller,
        _at: &Address,
        _options: RemoveOptions,
    ) -> Result<Removed, Error> {
        unbuilt()
    }

    pub async fn begin_upload(
        &self,
        _caller: &Caller,
        _at: &Address,
        _new: NewUpload,
    ) -> Result<Upload, Error> {
        unbuilt()
    }

    pub async fn begin_part(
        &self,
        _caller: &Caller,
        _at: &Address,
        _upload: &str,
        _number: u32,
        _expected: Expected,
    ) -> Result<PartPut, Error> {
        unbuilt()
    }

    pub async fn copy_part(
        &self,
        _caller: &Caller,
        _to: (&Address, &str, u32),
        _from: &Address,
        _how: CopyPart,
    ) -> Result<Part, Error> {
        unbuilt()
    }

    pub async fn list_parts(
        &self,
        _caller: &Caller,
        _at: &Address,
        _upload: &str,
        _after: u32,
        _limit: usize,
    ) -> Result<(Upload, Vec<Part>, bool), Error> {
        unbuilt()
    }

    pub async fn list_uploads(
        &self,
        _caller: &Caller,
        _bucket: &BucketName,
        _which: ListUploads,
    ) -> Result<UploadPage, Error> {
        unbuilt()
    }

    pub async fn complete_upload(
        &self,
        _caller: &Caller,
        _at: &Address,
        _upload: &str,
        _how: CompleteOptions,
    ) -> Result<Written, Error> {
        unbuilt()
    }

    pub async fn abort_upload(&self, _caller: &Caller, _at: &Address, _upload: &str) -> Result<(), Error> {
        unbuilt()
    }

    pub async fn changes(
        &self,
        _caller: &Caller,
        _bucket: &BucketName,
        _after: Seq,
        _limit: usize,
    ) -> Result<Vec<Change>, Error> {
        unbuilt()
    }
}
