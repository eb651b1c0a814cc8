//! LOCK, its refresh, UNLOCK, and what a listing says of locks.

use super::{BELOW_READ, active, flag, guard::locked, release, whereabouts};
use crate::{
    domain::{
        Error, Holdall,
        access::{Verb, own_account},
        act::{Act, Told},
        buckets::allowed_at,
        caller::Caller,
        conditions::demand,
        error::{Large, Many, What},
        history::NewVersion,
        nouns::{Lock, NewLock},
        put::{install, target},
        spot::{Found, Stands},
        tree::broken,
    },
    model::{
        address::Address,
        ids::{BucketId, NodeId},
        limits,
        time::Timestamp,
    },
    outside::random::Random,
    store::{
        meta::{Tx, rows::Rows},
        rows::{
            journal::EventKind,
            lock::{self, LockRow},
            tree,
        },
    },
};

impl Holdall {
    /// Locks what stands at an address. Where nothing does, an empty file is made and locked; the
    /// second value says so. The folder above must be there then.
    ///
    /// # Errors
    /// Locked if another lock is in the way, on it, above it or, for a deep one, below it; a
    /// conflict if the folder above is missing; conditions; too many locks; or the caller may not.
    pub async fn lock(&self, caller: &Caller, at: &Address, new: NewLock) -> Result<(Lock, bool), Error> {
        let (caller, at, token) = (caller.clone(), at.clone(), fresh_token(&*self.random));
        self.write(move |tx| take(tx, &caller, &at, &new, &token)).await
    }

    /// Grants a lock anew. Whatever the lock covers leads to it.
    ///
    /// # Errors
    /// If no lock of the caller's with that token covers the address, or the caller may not.
    pub async fn refresh_lock(
        &self,
        caller: &Caller,
        at: &Address,
        token: &str,
        seconds: Option<u64>,
    ) -> Result<Lock, Error> {
        let (caller, at, token) = (caller.clone(), at.clone(), token.to_owned());
        self.write(move |tx| refresh(tx, &caller, &at, &token, seconds)).await
    }

    /// Gives a lock back. Whatever the lock covers leads to it.
    ///
    /// # Errors
    /// If no lock with that token covers the address, or it is somebody else's (denied).
    pub async fn unlock(&self, caller: &Caller, at: &Address, token: &str) -> Result<(), Error> {
        let (caller, at, token) = (caller.clone(), at.clone(), token.to_owned());
        self.give_back(move |tx| give_back(tx, &caller, &at, &token)).await
    }

    /// Takes off every lock directly on what stands at an address, whoever holds it; for the
    /// bucket's owner. Answers how many there were.
    ///
    /// # Errors
    /// If nothing is there, or the caller does not manage the bucket.
    pub async fn break_lock(&self, caller: &Caller, at: &Address) -> Result<usize, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.give_back(move |tx| break_all(tx, &caller, &at)).await
    }

    /// The locks that cover an address, directly or from a folder above, whether something is
    /// there or not. Tokens of other people's locks are left out.
    ///
    /// # Errors
    /// If the caller may not read there.
    pub async fn locks(&self, caller: &Caller, at: &Address) -> Result<Vec<Lock>, Error> {
        let (caller, at, now) = (caller.clone(), at.clone(), self.clock.now());
        self.read(move |rows| {
            let bucket = allowed_at(rows, &caller, &at, Verb::Read)?;
            let found = Found::at(rows, &bucket, &at)?;
            let locks = covering(rows, bucket.id, &found, now)?;
            locks.iter().map(|lock| shown(rows, &caller, lock, now)).collect()
        })
        .await
    }
}

/// A version 4 UUID as an URI (RFC 4918 §6.5).
fn fresh_token(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let mut token = String::from("urn:uuid:");
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            token.push('-');
        }
        token.push(digit);
    }
    token
}

/// The locks on what was found, and the deep ones above it; none that expired.
fn covering(rows: &dyn Rows, bucket: BucketId, found: &Found, now: Timestamp) -> Result<Vec<LockRow>, Error> {
    let mut locks = Vec::new();
    for (folder, _) in found.above().into_iter().filter(|(_, marked)| *marked) {
        locks.extend(lock::locks(rows, bucket, folder)?.into_iter().filter(|lock| lock.deep));
    }
    if let Some((node, true)) = found.node() {
        locks.extend(lock::locks(rows, bucket, node)?);
    }
    locks.retain(|lock| active(lock, now));
    Ok(locks)
}

fn shown(rows: &dyn Rows, caller: &Caller, lock: &LockRow, now: Timestamp) -> Result<Lock, Error> {
    let (root, above) = whereabouts(rows, lock.node)?;
    // Otherwise the name of a lock would be that of another folder.
    let highest = tree::node(rows, above.last().copied().unwrap_or(lock.node))?;
    if highest.is_none_or(|row| row.parent.is_some()) {
        return Err(broken("a lock hangs on nothing"));
    }
    let kind = tree::node(rows, lock.node)?.map(|row| row.kind);
    let left = u64::try_from(lock.expires.0.saturating_sub(now.0)).unwrap_or(0).div_ceil(1000);
    Ok(Lock {
        token: (caller.account() == Some(lock.holder)).then(|| lock.token.clone()),
        folder: root.is_empty() || kind == Some(tree::Kind::Folder),
        root,
        exclusive: lock.exclusive,
        deep: lock.deep,
        owner: lock.owner.clone(),
        holder: lock.holder,
        seconds: lock.seconds,
        left,
    })
}

/// How long a lock is granted for, and when it ends.
fn granted(now: Timestamp, asked: Option<u64>) -> (u64, Timestamp) {
    let seconds = asked.unwrap_or(limits::LOCK_DEFAULT_SECONDS).clamp(1, limits::LOCK_SECONDS);
    let milliseconds = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
    (seconds, Timestamp(now.0.saturating_add(milliseconds)))
}

fn take(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &Address,
    new: &NewLock,
    token: &str,
) -> Result<(Lock, bool), Error> {
    let mut act = Act::begin(tx, caller, at, Verb::Write)?;
    let holder = own_account(caller)?;
    if new.owner.len() > limits::LOCK_OWNER_BYTES {
        let limit = limits::LOCK_OWNER_BYTES as u64;
        return Err(Error::TooLarge { what: Large::LockOwner, limit });
    }
    let found = Found::at(act.tx, &act.bucket, at)?;
    refuse_clash(&act, &found, new)?;
    if lock::held(act.tx, holder, limits::LOCKS_PER_ACCOUNT)? >= limits::LOCKS_PER_ACCOUNT {
        let limit = limits::LOCKS_PER_ACCOUNT as u64;
        return Err(Error::TooMany { what: Many::Locks, limit });
    }
    let now = act.tx.now();
    let (seconds, expires) = granted(now, new.seconds);
    let row = |node| LockRow {
        token: token.to_owned(),
        node,
        exclusive: new.exclusive,
        deep: new.deep,
        holder,
        owner: new.owner.clone(),
        seconds,
        expires,
    };
    let Some((node, _)) = found.node() else {
        let mut place = target(&act, at, &new.conditions, &new.tokens)?;
        let made = install(&mut act, &mut place, NewVersion::empty())?.version.node;
        let above: Vec<NodeId> = place.chain.ids().collect();
        let lock = put(&mut act, &above, row(made))?;
        let told = Told { kind: EventKind::Put, node: made, path: place.key(), from: None };
        let shown = shown(act.tx, caller, &lock, now)?;
        act.finish(told, &[&place.chain])?;
        return Ok((shown, true));
    };
    let file = match &found.what {
        Stands::File(row) => Some(row),
        Stands::Root | Stands::Folder(_) | Stands::Nothing => None,
    };
    demand(&new.conditions, file, at)?;
    make_room(&mut act, node)?;
    let above: Vec<NodeId> = found.above().into_iter().map(|(folder, _)| folder).collect();
    let lock = put(&mut act, &above, row(node))?;
    let shown = shown(act.tx, caller, &lock, now)?;
    act.finish_quietly()?;
    Ok((shown, false))
}

fn put(act: &mut Act<'_, '_>, above: &[NodeId], row: LockRow) -> Result<LockRow, Error> {
    lock::put_lock(act.tx, act.bucket.id, above.iter().copied(), &row);
    flag(act.tx, act.bucket.id, row.node, true)?;
    Ok(row)
}

/// Refuses a lock where another covers any of the same and one of the two is exclusive, whoever
/// holds them (RFC 4918 §6.2).
fn refuse_clash(act: &Act<'_, '_>, found: &Found, new: &NewLock) -> Result<(), Error> {
    let now = act.tx.now();
    let mut others = covering(act.tx, act.bucket.id, found, now)?;
    let folder = matches!(found.what, Stands::Root | Stands::Folder(_));
    if let Some((node, _)) = found.node().filter(|_| folder && new.deep) {
        let below = lock::locks_below(act.tx, act.bucket.id, node, BELOW_READ)?;
        if below.len() == BELOW_READ {
            return Err(locked(act, node)?);
        }
        others.extend(below.into_iter().filter(|lock| active(lock, now)));
    }
    match others.iter().find(|lock| lock.exclusive || new.exclusive) {
        Some(lock) => Err(locked(act, lock.node)?),
        None => Ok(()),
    }
}

/// Takes off expired locks of a node, and refuses one more than every write to it can read.
fn make_room(act: &mut Act<'_, '_>, node: NodeId) -> Result<(), Error> {
    let (now, mut left) = (act.tx.now(), 0);
    for lock in lock::locks(act.tx, act.bucket.id, node)? {
        if active(&lock, now) {
            left += 1;
        } else {
            release(act.tx, act.bucket.id, &lock)?;
        }
    }
    if left >= limits::LOCKS_PER_NODE {
        let limit = limits::LOCKS_PER_NODE as u64;
        return Err(Error::TooMany { what: Many::LocksHere, limit });
    }
    Ok(())
}

/// The lock with this token among those that cover the address.
fn named(act: &Act<'_, '_>, at: &Address, token: &str) -> Result<LockRow, Error> {
    let found = Found::at(act.tx, &act.bucket, at)?;
    let locks = covering(act.tx, act.bucket.id, &found, act.tx.now())?;
    let lock = locks.into_iter().find(|lock| lock.token == token);
    lock.ok_or_else(|| Error::NotFound(What::Lock, token.to_owned()))
}

fn refresh(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &Address,
    token: &str,
    asked: Option<u64>,
) -> Result<Lock, Error> {
    let act = Act::begin(tx, caller, at, Verb::Write)?;
    let lock = named(&act, at, token)?;
    if caller.account() != Some(lock.holder) {
        return Err(Error::NotFound(What::Lock, token.to_owned()));
    }
    let now = act.tx.now();
    let (seconds, expires) = granted(now, asked.or(Some(lock.seconds)));
    let lock = LockRow { seconds, expires, ..lock };
    let (_, above) = whereabouts(act.tx, lock.node)?;
    lock::put_lock(act.tx, act.bucket.id, above, &lock);
    let shown = shown(act.tx, caller, &lock, now)?;
    act.finish_quietly()?;
    Ok(shown)
}

fn give_back(tx: &mut Tx<'_>, caller: &Caller, at: &Address, token: &str) -> Result<(), Error> {
    let act = Act::begin(tx, caller, at, Verb::Write)?;
    let lock = named(&act, at, token)?;
    if caller.account() != Some(lock.holder) {
        return Err(Error::Denied("the lock is somebody else's".into()));
    }
    release(act.tx, act.bucket.id, &lock)?;
    act.finish_quietly()
}

fn break_all(tx: &mut Tx<'_>, caller: &Caller, at: &Address) -> Result<usize, Error> {
    let act = Act::begin(tx, caller, at, Verb::Manage)?;
    let found = Found::at(act.tx, &act.bucket, at)?;
    let (node, _) = found.node().ok_or_else(|| Error::NotFound(What::Item, at.to_string()))?;
    let (now, mut broken) = (act.tx.now(), 0);
    for lock in lock::locks(act.tx, act.bucket.id, node)? {
        broken += usize::from(active(&lock, now));
        release(act.tx, act.bucket.id, &lock)?;
    }
    act.finish_quietly()?;
    Ok(broken)
}
