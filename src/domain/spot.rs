//! What stands at an address, a folder and the bucket itself as well as a file, for verbs that
//! treat them alike.

use super::{
    Error,
    locks::Touch,
    tree::{self, Chain, Hit, Place},
};
use crate::{
    model::{address::Address, ids::NodeId},
    store::{
        meta::rows::Rows,
        rows::{
            bucket::BucketRow,
            tree::{FileRow, FolderRow},
        },
    },
};

/// What an address leads to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Stands {
    /// The bucket's own folder.
    Root,
    /// A folder.
    Folder(FolderRow),
    /// A file.
    File(FileRow),
    /// Nothing.
    Nothing,
}

/// An address that was looked up.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Found {
    /// The folders above; for the bucket's own folder that folder alone.
    pub(crate) chain: Chain,
    /// Its name in them, if it can have one.
    pub(crate) place: Option<Place>,
    /// What is there.
    pub(crate) what: Stands,
}

impl Found {
    pub(crate) fn at(rows: &dyn Rows, bucket: &BucketRow, at: &Address) -> Result<Self, Error> {
        let Some(mut place) = tree::place(rows, bucket, &at.spot)? else {
            let chain = Chain { root: bucket.root, folders: Vec::new() };
            return Ok(Self { chain, place: None, what: Stands::Root });
        };
        let what = match tree::find(rows, bucket, &mut place)? {
            Hit::Folder(row) => Stands::Folder(row),
            Hit::File(row) => Stands::File(row),
            Hit::Nothing => Stands::Nothing,
        };
        Ok(Self { chain: place.chain.clone(), place: Some(place), what })
    }

    /// The node, and whether its name says that it is locked. The bucket's own folder has no name
    /// to say so and counts as marked.
    pub(crate) fn node(&self) -> Option<(NodeId, bool)> {
        match &self.what {
            Stands::Root => Some((self.chain.root, true)),
            Stands::Folder(row) => Some((row.node, row.locks)),
            Stands::File(row) => Some((row.node, row.locks)),
            Stands::Nothing => None,
        }
    }

    /// The folders above, the root first, each with its mark of being locked.
    pub(crate) fn above(&self) -> Vec<(NodeId, bool)> {
        if self.what == Stands::Root {
            return Vec::new();
        }
        let folders = self.chain.folders.iter().map(|folder| (folder.id, folder.locks));
        std::iter::once((self.chain.root, true)).chain(folders).collect()
    }

    /// What a change of the thing itself, not of its name, touches.
    pub(crate) fn touch<'a>(&'a self, name: &'a str) -> Touch<'a> {
        Touch { chain: &self.chain, node: self.node(), membership: false, name }
    }
}
