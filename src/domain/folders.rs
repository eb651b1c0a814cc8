//! Making folders.

use super::{
    Error, Holdall,
    access::Verb,
    act::{Act, Told},
    caller::Caller,
    conditions::demand,
    error::What,
    history::{self, NewVersion},
    locks::{self, Touch},
    nouns::{Item, WriteOptions},
    tree::{self, Hit, Place},
    view,
};
use crate::{
    model::{address::Address, ids::NodeId},
    store::{
        meta::Tx,
        rows::{
            journal::EventKind,
            tree::{self as names, Side},
        },
    },
};

impl Holdall {
    /// Makes an explicit folder: S3 sees the empty file `dir/`. The folder above must be there,
    /// and the name free.
    ///
    /// # Errors
    /// Exists, a conflict if the folder above is missing, locks, or the caller may not.
    pub async fn make_folder(
        &self,
        caller: &Caller,
        at: &Address,
        options: &WriteOptions,
    ) -> Result<Item, Error> {
        let (caller, at, options) = (caller.clone(), at.clone(), options.clone());
        self.write(move |tx| make_folder(tx, &caller, &at, &options)).await
    }
}

/// Makes a folder explicit that is gone with the last file below it.
pub(super) fn keep(tx: &mut Tx<'_>, caller: &Caller, at: &Address) -> Result<(), Error> {
    let mut act = Act::begin(tx, caller, at, Verb::Write)?;
    let Some(mut marker) = tree::place(act.tx, &act.bucket, &at.spot)? else { return Ok(()) };
    if marker.missing.is_empty() {
        return Ok(());
    }
    tree::ensure_folders(act.tx, &act.bucket, &mut marker, Side::Live)?;
    history::write(&mut act, &marker, NewVersion::empty(), true)?;
    let told = Told { kind: EventKind::Folder, node: marker.chain.last(), path: marker.key(), from: None };
    act.finish(told, &[&marker.chain])
}

fn make_folder(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &Address,
    options: &WriteOptions,
) -> Result<Item, Error> {
    let mut act = Act::begin(tx, caller, at, Verb::Write)?;
    let exists = || Error::Exists(What::Item, at.to_string());
    let mut place = tree::place(act.tx, &act.bucket, &at.spot)?.ok_or_else(exists)?;
    if !matches!(tree::find(act.tx, &act.bucket, &mut place)?, Hit::Nothing) {
        return Err(exists());
    }
    if !place.missing.is_empty() {
        return Err(Error::Conflict(format!("the folder of {at} does not exist")));
    }
    demand(&options.conditions, None, at)?;
    let name = at.to_string();
    let touch = Touch { chain: &place.chain, node: None, membership: true, name: &name };
    locks::guard(&act, touch, &options.tokens)?;
    let folder = explicit(&mut act, &place, options.modified)?;
    let row = names::folder(act.tx, Side::Live, place.at(&act.bucket), &place.name)?
        .ok_or_else(|| tree::broken("a new folder has no name"))?;
    let told =
        Told { kind: EventKind::Folder, node: row.node, path: format!("{}/", place.key()), from: None };
    let item = Item::Folder(view::folder(place.key(), &row));
    act.finish(told, &[&folder.chain])?;
    Ok(item)
}

/// Makes a folder that is there explicit, if it is not yet; returns the place of its marker.
pub(super) fn own_marker(act: &mut Act<'_, '_>, place: &Place, folder: NodeId) -> Result<Place, Error> {
    let mut chain = place.chain.clone();
    chain.folders.push(tree::Node { id: folder, name: place.name.clone(), locks: false });
    let marker = Place { chain, missing: Vec::new(), name: String::new(), tree: place.tree };
    if names::file(act.tx, Side::Live, marker.at(&act.bucket), &marker.name)?.is_none() {
        history::write(act, &marker, NewVersion::empty(), true)?;
    }
    Ok(marker)
}

/// Makes the folder of a place explicit; returns the place of its marker.
pub(super) fn explicit(
    act: &mut Act<'_, '_>,
    place: &Place,
    modified: Option<crate::model::time::Timestamp>,
) -> Result<Place, Error> {
    let mut marker = Place {
        chain: place.chain.clone(),
        missing: vec![place.name.clone()],
        name: String::new(),
        tree: place.tree,
    };
    tree::ensure_folders(act.tx, &act.bucket, &mut marker, Side::Live)?;
    history::write(act, &marker, NewVersion { modified, ..NewVersion::empty() }, true)?;
    Ok(marker)
}
