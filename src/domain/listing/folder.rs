//! The members of a folder as tree doors show them: no markers, no names a path cannot carry,
//! and of a file and a folder of one name the folder.

use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        buckets::allowed_at,
        caller::Caller,
        error::What,
        nouns::{FolderPage, Member},
        tree, view,
    },
    model::{
        address::{Address, Spot, shown_in_tree},
        limits,
    },
    store::{
        meta::rows::{Order, Rows},
        rows::{
            bucket::BucketRow,
            tree::{self as names, Dent, Side},
        },
    },
};

fn list(
    rows: &dyn Rows,
    bucket: &BucketRow,
    at: &Address,
    after: Option<&str>,
    limit: usize,
) -> Result<FolderPage, Error> {
    let missing = || Error::NotFound(What::Item, at.to_string());
    let Spot::Path(path) = &at.spot else { return Err(missing()) };
    let chain = tree::find_folder(rows, bucket, path.segments())?.ok_or_else(missing)?;
    let all = names::members(bucket.id, chain.last());
    let range = match after {
        Some(after) => all.after(names::dent_key(bucket.id, chain.last(), after)),
        None => all,
    };
    let limit = limit.clamp(1, limits::LIST_PAGE);
    let found = rows.scan(Side::Live.table(), &range, Order::Forward, limit)?;
    let mut page = FolderPage::default();
    for row in &found {
        let (sortname, dent) = names::read_dent(row)?;
        if let Some(member) = member(&chain, &sortname, dent) {
            page.members.push(member);
        }
        page.next = Some(sortname);
    }
    if found.len() < limit {
        page.next = None;
    }
    Ok(page)
}

fn member(chain: &tree::Chain, sortname: &str, dent: Dent) -> Option<Member> {
    let name = sortname.strip_suffix('/').unwrap_or(sortname);
    if !shown_in_tree(name) {
        return None;
    }
    match dent {
        Dent::File(row) if row.twin => None,
        Dent::File(row) => Some(Member::File(view::listed(chain.key(name), row))),
        Dent::Folder(row) => Some(Member::Folder(view::folder(chain.key(name), &row))),
    }
}

impl Holdall {
    /// A page of a folder's members, in byte order of their sort names; `after` is the `next` of
    /// the page before. A page may show fewer members than it has rows, and none at all.
    ///
    /// # Errors
    /// If there is no such folder, or the caller may not list it.
    pub async fn list_folder(
        &self,
        caller: &Caller,
        at: &Address,
        after: Option<String>,
        limit: usize,
    ) -> Result<FolderPage, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.read(move |rows| {
            let bucket = allowed_at(rows, &caller, &at, Verb::List)?;
            list(rows, &bucket, &at, after.as_deref(), limit)
        })
        .await
    }
}
