//! Buckets: the top-level containers.

use super::{
    Error, Holdall,
    access::{self, Verb, access},
    accounts,
    caller::Caller,
    conditions::{demand, demand_of_folder},
    error::{Many, Unrecognised, What},
    nouns::{Bucket, BucketChange, BucketOptions, HistoryPolicy, ListBuckets, Owner, Usage, Versioning},
    spot::Found,
    tree::broken,
};
use crate::{
    model::{
        address::{Address, ItemPath},
        condition::Conditions,
        ids::{AccountId, BucketId, NodeId},
        limits::{BUCKETS_PER_ACCOUNT, LIST_PAGE},
        name::{AccountName, BucketName},
        role::Role,
        time::Timestamp,
    },
    store::{
        meta::{
            Kind,
            rows::{Rows, RowsMut},
        },
        rows::{
            account::{self, AccountRow},
            bucket::{self, BucketRow},
            grant,
            usage::{self, UsageRow},
            work::{self, WorkRow},
        },
    },
};

/// A bucket to be made, with the ids it gets.
#[derive(Clone, Debug)]
pub(super) struct NewBucket {
    pub(super) name: BucketName,
    pub(super) history: HistoryPolicy,
    pub(super) ids: (BucketId, NodeId),
    pub(super) owner: AccountId,
}

/// Adds a bucket.
pub(super) fn add(rows: &mut dyn RowsMut, new: NewBucket, now: Timestamp) -> Result<BucketRow, Error> {
    if bucket::by_name(rows, &new.name)?.is_some() {
        return Err(Error::Exists(What::Bucket, new.name.to_string()));
    }
    if bucket::count(rows, new.owner, BUCKETS_PER_ACCOUNT)? >= BUCKETS_PER_ACCOUNT {
        return Err(Error::TooMany { what: Many::Buckets, limit: BUCKETS_PER_ACCOUNT as u64 });
    }
    let (id, root) = new.ids;
    let row = BucketRow {
        id,
        name: new.name,
        owner: new.owner,
        root,
        created: now,
        versioning: Versioning::Never,
        history: new.history,
        quota: None,
    };
    bucket::create(rows, &row);
    Ok(row)
}

/// Refuses while a listing of names or versions would show anything.
pub(super) fn must_be_empty(rows: &dyn Rows, row: &BucketRow) -> Result<(), Error> {
    if bucket::is_empty(rows, row)? { Ok(()) } else { Err(Error::NotEmpty(format!("bucket {}", row.name))) }
}

/// Removes an empty bucket; its trash, uploads and journal are left to a job.
pub(super) fn remove(rows: &mut dyn RowsMut, row: &BucketRow) -> Result<(), Error> {
    must_be_empty(rows, row)?;
    bucket::remove(rows, row);
    let left = WorkRow { bucket: row.id, owner: row.owner, id: row.id.0, history: true };
    work::queue(rows, work::Kind::Bucket, &left);
    Ok(())
}

/// The address of a bucket itself.
fn own_folder(name: &BucketName) -> Address {
    Address::path(name.clone(), ItemPath::root())
}

/// The bucket of that name, if the caller may do `verb` to all of it.
pub(crate) fn allowed(
    rows: &dyn Rows,
    caller: &Caller,
    name: &BucketName,
    verb: Verb,
) -> Result<BucketRow, Error> {
    allowed_at(rows, caller, &own_folder(name), verb)
}

/// The bucket of an address, if the caller may do `verb` there. What was granted is looked up only
/// for who has no right of its own.
pub(crate) fn allowed_at(
    rows: &dyn Rows,
    caller: &Caller,
    at: &Address,
    verb: Verb,
) -> Result<BucketRow, Error> {
    let name = &at.bucket;
    if *caller == Caller::Anonymous {
        return Err(Error::Unauthenticated(Unrecognised::Missing));
    }
    let row = bucket::by_name(rows, name)?.ok_or_else(|| Error::NotFound(What::Bucket, name.to_string()))?;
    match access(caller, &row, verb, None) {
        Err(Error::Denied(_)) => access(caller, &row, verb, granted(rows, caller, (&row, at), verb)?)?,
        decided => decided?,
    }
    Ok(row)
}

/// The highest role a caller was given on what stands at an address or on a folder above it: a
/// row by key for each.
fn granted(
    rows: &dyn Rows,
    caller: &Caller,
    (bucket, at): (&BucketRow, &Address),
    verb: Verb,
) -> Result<Option<Role>, Error> {
    let Some(account) = caller.account() else { return Ok(None) };
    let found = Found::at(rows, bucket, at)?;
    let above = found.above().into_iter();
    let own = found.node().filter(|_| verb != Verb::Take);
    let mut role = None;
    for (node, _) in above.chain(own) {
        role = role.max(grant::grant(rows, (bucket.id, node), account)?.map(|row| row.role));
    }
    Ok(role)
}

/// Whose the new bucket becomes.
fn owner_of_new(
    rows: &dyn Rows,
    caller: &Caller,
    name: &BucketName,
    owner: Option<&AccountName>,
) -> Result<AccountId, Error> {
    if let Caller::Person(person) = caller {
        access::within_scope(person, name, Verb::Manage)?;
        if owner.is_none_or(|owner| *owner == person.name) {
            return Ok(person.account);
        }
    }
    if !access::is_manager(caller) {
        access::own_account(caller)?;
        return Err(Error::Denied("only admins make buckets for others".into()));
    }
    let owner = owner.ok_or_else(|| Error::Invalid("a bucket needs an owner".into()))?;
    let found = account::by_login(rows, owner.as_str())?;
    found.map(|row| row.id).ok_or_else(|| Error::NotFound(What::Account, owner.to_string()))
}

/// Makes a bucket as a caller asked for it. A name that is taken is told first, as for folders.
fn create(
    rows: &mut dyn RowsMut,
    caller: &Caller,
    (new, options): (NewBucket, &BucketOptions),
    now: Timestamp,
) -> Result<BucketRow, Error> {
    let owner = owner_of_new(rows, caller, &new.name, options.owner.as_ref())?;
    match bucket::by_name(rows, &new.name)? {
        Some(row) if caller.account() == Some(row.owner) => {
            return Err(Error::ExistsYours(row.name.to_string()));
        }
        // Refused where it is added.
        Some(_) => {}
        None => demand(&options.conditions, None, &own_folder(&new.name))?,
    }
    add(rows, NewBucket { owner, ..new }, now)
}

/// What a caller sees of all buckets: its own within its scope; the operator all.
fn list(rows: &dyn Rows, caller: &Caller, which: &ListBuckets) -> Result<Vec<BucketRow>, Error> {
    let (stretch, limit) = ((which.prefix.as_str(), which.after.as_deref()), which.limit.min(LIST_PAGE));
    let mut found = match caller {
        Caller::Anonymous => return Err(Error::Unauthenticated(Unrecognised::Missing)),
        Caller::Operator => bucket::all(rows, stretch, limit)?,
        Caller::Person(person) => bucket::of_owner(rows, person.account, stretch, BUCKETS_PER_ACCOUNT)?,
    };
    if let Caller::Person(person) = caller {
        found.retain(|row| access::within_scope(person, &row.name, Verb::List).is_ok());
    }
    found.truncate(limit);
    Ok(found)
}

/// Changes a bucket's settings.
fn change(
    rows: &mut dyn RowsMut,
    caller: &Caller,
    name: &BucketName,
    wanted: &BucketChange,
) -> Result<BucketRow, Error> {
    let mut row = allowed(rows, caller, name, Verb::Manage)?;
    if let Some(versioning) = wanted.versioning {
        if versioning == Versioning::Never && row.versioning != Versioning::Never {
            return Err(Error::Conflict("versioning can be suspended, not taken back".into()));
        }
        row.versioning = versioning;
    }
    row.history = wanted.history.unwrap_or(row.history);
    row.quota = wanted.quota.unwrap_or(row.quota);
    bucket::update(rows, &row);
    Ok(row)
}

/// The account a bucket belongs to.
pub(super) fn owning(rows: &dyn Rows, row: &BucketRow) -> Result<AccountRow, Error> {
    account::by_id(rows, row.owner)?.ok_or_else(|| broken("a bucket's owner is gone"))
}

/// Who owns a bucket, as whoever may read in it is told.
pub(super) fn owner(rows: &dyn Rows, row: &BucketRow) -> Result<Owner, Error> {
    Ok(accounts::shown(owning(rows, row)?).into())
}

/// The bucket as callers see it.
pub(super) fn shown(rows: &dyn Rows, row: BucketRow) -> Result<Bucket, Error> {
    let owner = owning(rows, &row)?;
    Ok(Bucket {
        name: row.name,
        owner: row.owner,
        owner_name: owner.name,
        created: row.created,
        versioning: row.versioning,
        history: row.history,
        quota: row.quota,
    })
}

/// Usage as callers see it; stored parts count with the versions.
pub(super) fn shown_usage(row: &UsageRow) -> Usage {
    Usage { live: row.live, versions: row.versions + row.parts, history: row.history, files: row.files }
}

impl Holdall {
    /// Makes a bucket for the caller, or for another owner if the caller manages accounts.
    ///
    /// # Errors
    /// `ExistsYours` or Exists, conditions, Denied, `NotFound` for the owner, `TooMany`.
    pub async fn create_bucket(
        &self,
        caller: &Caller,
        name: &BucketName,
        options: BucketOptions,
    ) -> Result<Bucket, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.write(move |tx| {
            let ids = (BucketId(tx.fresh(Kind::Bucket)?), NodeId(tx.fresh(Kind::Node)?));
            let (name, history) = (name.clone(), options.history);
            let new = NewBucket { name, history, ids, owner: AccountId::default() };
            let now = tx.now();
            let row = create(tx, &caller, (new, &options), now)?;
            shown(tx, row)
        })
        .await
    }

    /// The caller's own buckets by name; the operator sees everybody's.
    ///
    /// # Errors
    /// Unauthenticated for anonymous callers.
    pub async fn list_buckets(&self, caller: &Caller, which: ListBuckets) -> Result<Vec<Bucket>, Error> {
        let caller = caller.clone();
        self.read(move |rows| {
            let found = list(rows, &caller, &which)?;
            found.into_iter().map(|row| shown(rows, row)).collect()
        })
        .await
    }

    /// One bucket.
    ///
    /// # Errors
    /// `NotFound`, Denied, Unauthenticated.
    pub async fn show_bucket(&self, caller: &Caller, name: &BucketName) -> Result<Bucket, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| shown(rows, allowed(rows, &caller, &name, Verb::Inspect)?)).await
    }

    /// Who owns the bucket of an address, for whoever may read there.
    ///
    /// # Errors
    /// `NotFound` for the bucket, Denied, Unauthenticated.
    pub async fn bucket_owner(&self, caller: &Caller, at: &Address) -> Result<Owner, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.read(move |rows| owner(rows, &allowed_at(rows, &caller, &at, Verb::Read)?)).await
    }

    /// Removes a bucket in which a listing of names or versions shows nothing. Its trash and open
    /// uploads go with it. The conditions must hold in the commit; it has no tag to name in them.
    ///
    /// # Errors
    /// Conditions, `NotEmpty`, `NotFound`, Denied, Unauthenticated.
    pub async fn remove_bucket(
        &self,
        caller: &Caller,
        name: &BucketName,
        conditions: Conditions,
    ) -> Result<(), Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.give_back(move |tx| {
            let row = allowed(tx, &caller, &name, Verb::Manage)?;
            demand_of_folder(&conditions, &own_folder(&name))?;
            remove(tx, &row)
        })
        .await?;
        self.jobs.wake();
        Ok(())
    }

    /// Changes a bucket's settings and answers how it is then.
    ///
    /// # Errors
    /// Conflict when versioning is to become Never again; `NotFound`, Denied, Unauthenticated.
    pub async fn change_bucket(
        &self,
        caller: &Caller,
        name: &BucketName,
        change: BucketChange,
    ) -> Result<Bucket, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.write(move |tx| {
            let row = self::change(tx, &caller, &name, &change)?;
            shown(tx, row)
        })
        .await
    }

    /// What a bucket holds.
    ///
    /// # Errors
    /// `NotFound`, Denied, Unauthenticated.
    pub async fn bucket_usage(&self, caller: &Caller, name: &BucketName) -> Result<Usage, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| {
            let row = allowed(rows, &caller, &name, Verb::Inspect)?;
            Ok(shown_usage(&usage::of_bucket(rows, row.owner, row.id)?))
        })
        .await
    }
}
