//! The shapes of files; part of [`super::types`].

use serde::{Deserialize, Serialize};

use crate::domain::nouns;

/// A file, by its current version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct File {
    /// Its full key below the bucket.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The content's tag, without quotes.
    pub etag: String,
    /// The client's time of last change, or the commit time.
    pub modified: String,
    /// Whether a folder of the same name stands beside it.
    #[serde(default)]
    pub twin: bool,
}

impl From<nouns::ListedFile> for File {
    fn from(file: nouns::ListedFile) -> Self {
        let (etag, modified) = (file.etag.to_string(), file.modified.rfc3339());
        Self { key: file.key, size: file.size, etag, modified, twin: file.twin }
    }
}

/// What was written is told without what stands beside it.
impl From<nouns::FileVersion> for File {
    fn from(file: nouns::FileVersion) -> Self {
        let (etag, modified) = (file.etag.to_string(), file.modified.rfc3339());
        Self { key: file.key, size: file.size, etag, modified, twin: false }
    }
}

/// A page of files in byte order of their keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Files {
    /// The files.
    pub files: Vec<File>,
    /// What to ask for the files behind; nothing at the end.
    pub next: Option<String>,
}
