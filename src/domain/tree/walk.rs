//! From an address to rows: one look-up a segment, three where a tree door's name is not found
//! as it is written, and never a scan.

use super::At;
use crate::{
    domain::Error,
    model::{
        address::{Spot, nfc},
        ids::NodeId,
    },
    store::{
        meta::rows::Rows,
        rows::{
            bucket::BucketRow,
            tree::{self, FileRow, FolderRow, Kind, Side},
        },
    },
};

/// A folder on the way down.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    /// Its identity.
    pub(crate) id: NodeId,
    /// Its name as it is stored.
    pub(crate) name: String,
    /// It is locked directly.
    pub(crate) locks: bool,
}

/// The folders from a bucket's root down to one folder; the root itself has no name.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Chain {
    /// The bucket's own folder.
    pub(crate) root: NodeId,
    /// The folders below it, outermost first.
    pub(crate) folders: Vec<Node>,
}

impl Chain {
    /// The innermost folder.
    pub(crate) fn last(&self) -> NodeId {
        self.folders.last().map_or(self.root, |folder| folder.id)
    }

    /// The folder that holds the `index`-th one.
    pub(crate) fn parent_of(&self, index: usize) -> NodeId {
        index.checked_sub(1).and_then(|above| self.folders.get(above)).map_or(self.root, |folder| folder.id)
    }

    /// All folders, the root first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::once(self.root).chain(self.folders.iter().map(|folder| folder.id))
    }

    /// The key of a name in the innermost folder.
    pub(crate) fn key(&self, name: &str) -> String {
        let mut key = String::new();
        for folder in &self.folders {
            key.push_str(&folder.name);
            key.push('/');
        }
        key.push_str(name);
        key
    }
}

/// Where a name is, or would be.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Place {
    /// The folders that are there.
    pub(crate) chain: Chain,
    /// The folders that are not, outermost first.
    pub(crate) missing: Vec<String>,
    /// The name in the last of them; empty for `dir/`.
    pub(crate) name: String,
    /// Whether a tree door asks.
    pub(crate) tree: bool,
}

impl Place {
    /// The folder the name is in, and its bucket.
    pub(crate) fn at(&self, bucket: &BucketRow) -> At {
        (bucket.id, self.chain.last())
    }

    /// The full key.
    pub(crate) fn key(&self) -> String {
        let mut key = self.chain.key("");
        for folder in &self.missing {
            key.push_str(folder);
            key.push('/');
        }
        key + &self.name
    }
}

/// What stands at a place.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Hit {
    /// Nothing.
    Nothing,
    /// A file.
    File(FileRow),
    /// A folder; tree doors only.
    Folder(FolderRow),
}

/// Goes down to the folder of an address. The name itself is not looked up. `None` for the
/// bucket's own folder, which has no place.
pub(crate) fn place(rows: &dyn Rows, bucket: &BucketRow, spot: &Spot) -> Result<Option<Place>, Error> {
    let (folders, name, tree) = match spot {
        Spot::Key(key) => {
            let (folders, name) = key.split();
            (folders, name, false)
        }
        Spot::Path(path) => match path.split_last() {
            None => return Ok(None),
            Some((name, folders)) => (folders.iter().map(String::as_str).collect(), name, true),
        },
    };
    let mut chain = Chain { root: bucket.root, folders: Vec::with_capacity(folders.len()) };
    let mut rest = folders.into_iter();
    let mut missing = Vec::new();
    while let Some(segment) = rest.next() {
        match folder_named(rows, (bucket.id, chain.last()), segment, tree)? {
            Some(folder) => chain.folders.push(folder),
            None => {
                missing.extend(std::iter::once(segment).chain(rest.by_ref()).map(str::to_owned));
            }
        }
    }
    Ok(Some(Place { chain, missing, name: name.to_owned(), tree }))
}

fn folder_named(rows: &dyn Rows, at: At, name: &str, tree: bool) -> Result<Option<Node>, Error> {
    for candidate in candidates(name, tree) {
        if let Some(row) = tree::folder(rows, Side::Live, at, &candidate)? {
            return Ok(Some(Node { id: row.node, name: candidate, locks: row.locks }));
        }
    }
    match alias(rows, at, name, Kind::Folder, tree)? {
        Some(name) => {
            let row = tree::folder(rows, Side::Live, at, &name)?;
            Ok(row.map(|row| Node { id: row.node, name, locks: row.locks }))
        }
        None => Ok(None),
    }
}

/// The name as it is written, and for tree doors its NFC form.
fn candidates(name: &str, tree: bool) -> impl Iterator<Item = String> + use<> {
    let normal = if tree { nfc(name) } else { None };
    std::iter::once(name.to_owned()).chain(normal)
}

fn alias(rows: &dyn Rows, at: At, name: &str, kind: Kind, tree: bool) -> Result<Option<String>, Error> {
    if !tree || name.is_ascii() {
        return Ok(None);
    }
    let normal = nfc(name).unwrap_or_else(|| name.to_owned());
    Ok(tree::alias(rows, at, &normal, kind)?)
}

/// Looks the name of a place up and settles its written form: the stored one if something is
/// there, NFC for a new name of a tree door.
pub(crate) fn find(rows: &dyn Rows, bucket: &BucketRow, place: &mut Place) -> Result<Hit, Error> {
    if !place.missing.is_empty() {
        normalise(place);
        return Ok(Hit::Nothing);
    }
    let at = place.at(bucket);
    for candidate in candidates(&place.name, place.tree) {
        if place.tree
            && let Some(row) = tree::folder(rows, Side::Live, at, &candidate)?
        {
            place.name = candidate;
            return Ok(Hit::Folder(row));
        }
        if let Some(row) = tree::file(rows, Side::Live, at, &candidate)? {
            place.name = candidate;
            return Ok(Hit::File(row));
        }
    }
    if let Some(name) = alias(rows, at, &place.name, Kind::Folder, place.tree)?
        && let Some(row) = tree::folder(rows, Side::Live, at, &name)?
    {
        place.name = name;
        return Ok(Hit::Folder(row));
    }
    if let Some(name) = alias(rows, at, &place.name, Kind::File, place.tree)?
        && let Some(row) = tree::file(rows, Side::Live, at, &name)?
    {
        place.name = name;
        return Ok(Hit::File(row));
    }
    normalise(place);
    Ok(Hit::Nothing)
}

fn normalise(place: &mut Place) {
    if place.tree {
        for name in place.missing.iter_mut().chain(std::iter::once(&mut place.name)) {
            if let Some(normal) = nfc(name) {
                *name = normal;
            }
        }
    }
}

/// The folders down to a folder a tree door names; the bucket's own for no segment. `None` if
/// it is not there.
pub(crate) fn find_folder(
    rows: &dyn Rows,
    bucket: &BucketRow,
    segments: &[String],
) -> Result<Option<Chain>, Error> {
    let mut chain = Chain { root: bucket.root, folders: Vec::with_capacity(segments.len()) };
    for segment in segments {
        match folder_named(rows, (bucket.id, chain.last()), segment, true)? {
            Some(folder) => chain.folders.push(folder),
            None => return Ok(None),
        }
    }
    Ok(Some(chain))
}

/// Goes on down through folders that are there only as deleted; for versions of literal keys.
pub(crate) fn descend_dead(rows: &dyn Rows, bucket: &BucketRow, place: &mut Place) -> Result<(), Error> {
    while let Some(name) = place.missing.first() {
        let Some(row) = tree::folder(rows, Side::Dead, place.at(bucket), name)? else { break };
        let name = place.missing.remove(0);
        place.chain.folders.push(Node { id: row.node, name, locks: row.locks });
    }
    Ok(())
}
