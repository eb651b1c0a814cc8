//! A folder and its members as a stream: pages from the domain, pieces of XML out. Holds one
//! page at a time, whatever the folder's size.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::{Stream, stream};

use super::{
    super::{
        call::Call,
        multistatus,
        path::{Place, escape},
    },
    render::{self, Kind, Resource},
    wanted::Wanted,
};
use crate::{
    domain::{
        Error, Holdall,
        caller::Caller,
        nouns::{Bucket, ListBuckets, Member, Prop},
    },
    model::{
        address::{Address, ItemPath, Spot, shown_in_tree},
        limits,
        name::BucketName,
        time::Timestamp,
    },
};

/// A piece is sent when it has this many bytes.
const PIECE: usize = 64 << 10;

/// Where members come from.
#[derive(Debug)]
enum Source {
    /// `/` holds `/dav/`.
    Host,
    /// `/dav/` holds the buckets.
    Home,
    /// A bucket or folder.
    Folder(Address),
}

/// A listing on its way out.
#[derive(Debug)]
pub(super) struct Listing {
    holdall: Arc<Holdall>,
    caller: Caller,
    wanted: Wanted,
    source: Source,
    folder: String,
    members: std::vec::IntoIter<Resource>,
    after: Option<String>,
    out: String,
    ended: bool,
}

impl Listing {
    /// Reads the first page and writes the folder's own entry.
    ///
    /// # Errors
    /// If the page cannot be read.
    pub(super) async fn begin(call: &Call<'_>, own: Resource, wanted: Wanted) -> Result<Self, Error> {
        let source = match &call.place {
            Place::Host => Source::Host,
            Place::Home | Place::NoBucket { .. } | Place::Hidden(_) => Source::Home,
            Place::Item(address) => Source::Folder(address.clone()),
        };
        let mut out = multistatus::begin();
        let at = call.existing().ok().flatten();
        let dead = dead(call.holdall(), &call.caller, (at, &own), &wanted).await?;
        render::response(&mut out, &own, &dead, &wanted);
        let mut listing = Self {
            holdall: Arc::clone(call.holdall()),
            caller: call.caller.clone(),
            wanted,
            source,
            folder: own.href,
            members: Vec::new().into_iter(),
            after: None,
            out,
            ended: false,
        };
        listing.turn_page().await?;
        Ok(listing)
    }

    /// The answer's body. After a failure it ends with an error, and so does the connection.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::try_unfold(self, |mut listing| async move {
            let piece = listing.piece().await;
            match piece {
                Ok(piece) => Ok(piece.map(|piece| (piece, listing))),
                Err(error) => {
                    tracing::error!(%error, reason = error.reason(), "a WebDAV listing broke off");
                    Err(io::Error::other(error))
                }
            }
        })
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.ended && self.out.len() < PIECE {
            if let Some(member) = self.members.next() {
                let at = self.address_of(&member);
                let dead = dead(&self.holdall, &self.caller, (at.as_ref(), &member), &self.wanted).await?;
                render::response(&mut self.out, &member, &dead, &self.wanted);
            } else if self.after.is_some() {
                self.turn_page().await?;
            } else {
                self.out.push_str(multistatus::END);
                self.ended = true;
            }
        }
        let piece = std::mem::take(&mut self.out);
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }

    async fn turn_page(&mut self) -> Result<(), Error> {
        let after = self.after.take();
        let members = match &self.source {
            Source::Host => vec![self.folder_named("dav", None, false)],
            Source::Home => {
                let limit = limits::LIST_PAGE;
                let which = ListBuckets { prefix: String::new(), after, limit };
                let buckets = self.holdall.list_buckets(&self.caller, which).await?;
                self.after = buckets.last().filter(|_| buckets.len() >= limit).map(name_of);
                let shown = |b: &Bucket| self.folder_named(b.name.as_str(), Some(b.created), true);
                buckets.iter().map(shown).collect()
            }
            Source::Folder(address) => {
                let page = self.holdall.list_folder(&self.caller, address, after, limits::LIST_PAGE).await?;
                self.after = page.next;
                page.members.into_iter().filter_map(|member| self.member(member)).collect()
            }
        };
        self.members = members.into_iter();
        Ok(())
    }

    /// `None` for what is not in a bucket.
    fn address_of(&self, member: &Resource) -> Option<Address> {
        match &self.source {
            Source::Host => None,
            Source::Home => Some(Address::path(BucketName::parse(&member.name).ok()?, ItemPath::root())),
            Source::Folder(Address { bucket, spot: Spot::Path(path) }) => {
                let path = ItemPath::parse(&format!("{path}/{}", member.name)).ok()?;
                Some(Address::path(bucket.clone(), path))
            }
            Source::Folder(_) => None,
        }
    }

    /// `None` for names that no path can have.
    fn member(&self, member: Member) -> Option<Resource> {
        match member {
            Member::Folder(folder) => {
                let name = leaf(&folder.path);
                shown_in_tree(name).then(|| self.folder_named(name, Some(folder.created), folder.has_props))
            }
            Member::File(file) => {
                let name = leaf(&file.key).to_owned();
                let href = format!("{}{}", self.folder, escape(&name));
                let has_props = file.has_props;
                shown_in_tree(&name).then(|| Resource { href, name, kind: Kind::of_listed(file), has_props })
            }
        }
    }

    fn folder_named(&self, name: &str, created: Option<Timestamp>, has_props: bool) -> Resource {
        let href = format!("{}{}/", self.folder, escape(name));
        Resource { href, name: name.to_owned(), kind: Kind::Folder { created, quota: None }, has_props }
    }
}

/// The dead properties of a resource, if they are asked for; none if it has gone meanwhile. Read
/// one by one: together they may be larger than anything else of a page.
pub(super) async fn dead(
    holdall: &Holdall,
    caller: &Caller,
    (at, resource): (Option<&Address>, &Resource),
    wanted: &Wanted,
) -> Result<Vec<Prop>, Error> {
    match at.filter(|_| resource.has_props && wanted.asks_dead()) {
        None => Ok(Vec::new()),
        Some(at) => match holdall.props(caller, at).await {
            Err(Error::NotFound(..)) => Ok(Vec::new()),
            found => found,
        },
    }
}

fn name_of(bucket: &Bucket) -> String {
    bucket.name.to_string()
}

fn leaf(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, leaf)| leaf)
}
