//! One step of a batch: some files in one transaction, each in a verb of its own.

use crate::{
    domain::{
        Error,
        access::Verb,
        buckets::allowed_at,
        caller::{Caller, Person, Proof, Scope},
        error::{Refused, What},
        folders, listing,
        nouns::{KeyEntry, ListKeys, ListedFile, RemoveOptions, Transfer, TransferOptions},
        remove,
        transfer::{self, Plan},
        tree,
    },
    model::{
        address::{Address, ObjectKey, Spot},
        ids::BucketId,
    },
    store::{
        meta::{Tx, rows::Rows},
        rows::{
            account,
            batch::{self, BatchId, BatchKind, BatchRow},
            bucket::{self, BucketRow},
            tree::{self as names, Side},
        },
    },
};

/// Files of one step. Few in tests, so that crashes meet batches between their steps.
pub(super) const STEP_FILES: usize = if cfg!(test) { 2 } else { 32 };

/// A step with room for fewer rows than this takes no further file. What a file may carry beside
/// that, its properties, fits only into a step of its own.
const FILE_ROWS: usize = 600;

/// Files whose keys, here and there, have more segments than this together take a step of their
/// own: every folder on the way is some rows.
const STEP_SEGMENTS: usize = 64;

/// How a batch stands after a step.
pub(super) enum Step {
    /// There is more to do.
    More(Vec<Refused>),
    /// That was the last.
    Ended(Vec<Refused>),
    /// Nothing further can be done, for one reason; the row is gone.
    Stopped(Error),
    /// There is no such batch any more.
    Gone,
}

/// Whether it is the moment that an error is about, and not what was to be done.
pub(super) fn passes(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. } | Error::Busy(_) | Error::DiskFull)
}

/// Does the next files of a batch, `most` of them.
pub(super) fn step(tx: &mut Tx<'_>, id: BatchId, most: usize) -> Result<Step, Error> {
    let Some(row) = batch::batch(tx, id)? else { return Ok(Step::Gone) };
    let mut work = match Work::of(tx, row, most) {
        Ok(work) => work,
        Err(error) if passes(&error) => return Err(error),
        Err(error) => {
            batch::remove(tx, id);
            return Ok(Step::Stopped(error));
        }
    };
    let above = work.above(tx)?;
    let over = work.files(tx)?;
    work.keep(tx, above)?;
    work.row.refused += work.refused.len() as u64;
    if over {
        batch::remove(tx, id);
        return Ok(Step::Ended(work.refused));
    }
    batch::set(tx, id, &work.row);
    Ok(Step::More(work.refused))
}

/// Whether a file may have properties. The marker of a folder stands for the folder.
fn carries(file: &ListedFile) -> bool {
    file.has_props || file.key.ends_with('/')
}

/// Leaves the file that a batch has come to as it is: its step fails for no reason one can see.
/// Where that is no file, the batch ends.
pub(super) fn skip(tx: &mut Tx<'_>, id: BatchId, reason: &str) -> Result<Step, Error> {
    let Some(mut row) = batch::batch(tx, id)? else { return Ok(Step::Gone) };
    let (bucket, path) = row.to.as_ref().filter(|_| row.clearing).unwrap_or(&row.from).clone();
    let Some(bucket) = bucket::by_id(tx, bucket)? else {
        batch::remove(tx, id);
        return Ok(Step::Ended(Vec::new()));
    };
    let mut next = None;
    if row.clearing || !row.file {
        let (after, prefix) = (row.after.clone(), format!("{path}/"));
        let which = ListKeys { after, limit: 1, prefix, ..ListKeys::default() };
        next = listing::list(tx, &bucket, &which)?.entries.pop();
    }
    let key = match next {
        Some(KeyEntry::File(file)) => Some(file.key),
        _ => None,
    };
    let name = format!("{}/{}", bucket.name, key.as_deref().unwrap_or(&path));
    let refused = vec![Refused { name, why: Box::new(Error::Internal { reason: reason.to_owned() }) }];
    if key.is_none() {
        batch::remove(tx, id);
        return Ok(Step::Ended(refused));
    }
    (row.after, row.refused) = (key, row.refused + 1);
    batch::set(tx, id, &row);
    Ok(Step::More(refused))
}

/// A batch at work.
struct Work {
    row: BatchRow,
    caller: Caller,
    from: BucketRow,
    to: BucketRow,
    most: usize,
    left: usize,
    refused: Vec<Refused>,
}

impl Work {
    /// Takes a batch up for whom it was begun, if that account may still do it.
    fn of(tx: &Tx<'_>, row: BatchRow, most: usize) -> Result<Self, Error> {
        let account = account::by_id(tx, row.account)?.filter(|account| !account.disabled);
        let account = account.ok_or_else(|| Error::Denied("the account is gone or disabled".into()))?;
        let scope = Scope { buckets: row.only.clone(), read_only: false };
        let (admin, proof) = (false, Proof::AppPassword);
        let caller = Caller::Person(Person { account: row.account, name: account.name, admin, proof, scope });
        let find = |id: BucketId| {
            bucket::by_id(tx, id)?.ok_or_else(|| Error::NotFound(What::Bucket, format!("of id {id}")))
        };
        let from = find(row.from.0)?;
        let to = find(row.writes_to())?;
        let at = |bucket: &BucketRow, path: &str| {
            Ok::<_, Error>(Address::key(bucket.name.clone(), ObjectKey::parse(&format!("{path}/"))?))
        };
        let verb = if row.kind == BatchKind::Copy { Verb::Read } else { Verb::Write };
        allowed_at(tx, &caller, &at(&from, &row.from.1)?, verb)?;
        if let Some((_, path)) = &row.to {
            allowed_at(tx, &caller, &at(&to, path)?, Verb::Write)?;
        }
        Ok(Self { row, caller, from, to, most, left: most, refused: Vec::new() })
    }

    /// Goes on; true at the end.
    fn files(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        if self.row.clearing {
            if !self.clear(tx)? {
                return Ok(false);
            }
            (self.row.clearing, self.row.after) = (false, None);
        }
        if self.row.file {
            // In the commit that took the last of the folder, however full it is: nobody sees
            // the name without either.
            let (from, to) = (self.row.from.1.clone(), self.destination().to_owned());
            self.transfer(tx, &from, &to)?;
            return Ok(true);
        }
        let (bucket, path) = (self.from.clone(), self.row.from.1.clone());
        self.each(tx, (&bucket, &path), |work, tx, file, tail| match work.row.kind {
            BatchKind::Remove => work.remove(tx, &bucket, file),
            BatchKind::Copy | BatchKind::Move => {
                let to = format!("{}/{tail}", work.destination());
                work.transfer(tx, &file.key, &to)
            }
        })
    }

    fn destination(&self) -> &str {
        self.row.to.as_ref().map_or("", |(_, path)| path)
    }

    /// Removes what stands at the destination and is not in the source; true when all is seen.
    fn clear(&mut self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let (bucket, path) = (self.to.clone(), self.destination().to_owned());
        self.each(tx, (&bucket, &path), |work, tx, file, tail| {
            let stays = !work.row.file && (tail.is_empty() || work.in_source(tx, tail)?);
            if stays { Ok(()) } else { work.remove(tx, &bucket, file) }
        })
    }

    fn in_source(&self, tx: &Tx<'_>, tail: &str) -> Result<bool, Error> {
        let key = ObjectKey::parse(&format!("{}/{tail}", self.row.from.1));
        let Ok(key) = key else { return Ok(false) };
        let Some(place) = tree::place(tx, &self.from, &Spot::Key(key))? else { return Ok(false) };
        let found = names::file(tx, Side::Live, place.at(&self.from), &place.name)?;
        Ok(place.missing.is_empty() && found.is_some())
    }

    /// Does something to the next files below a folder; true when there are no more.
    fn each(
        &mut self,
        tx: &mut Tx<'_>,
        (bucket, path): (&BucketRow, &str),
        what: impl Fn(&mut Self, &mut Tx<'_>, &ListedFile, &str) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let prefix = format!("{path}/");
        let which = ListKeys {
            after: self.row.after.clone(),
            limit: self.left,
            prefix: prefix.clone(),
            ..ListKeys::default()
        };
        if self.left == 0 {
            return Ok(false);
        }
        let page = listing::list(tx, bucket, &which)?;
        for entry in &page.entries {
            let KeyEntry::File(file) = entry else { continue };
            let first = self.left == self.most;
            if !first && (tx.room() < FILE_ROWS || self.alone(file)) {
                return Ok(false);
            }
            what(self, tx, file, file.key.get(prefix.len()..).unwrap_or_default())?;
            self.row.after = Some(file.key.clone());
            self.left = if self.alone(file) { 0 } else { self.left - 1 };
            if self.left == 0 {
                return Ok(page.next.is_none() && page.entries.last() == Some(entry));
            }
        }
        Ok(page.next.is_none())
    }

    /// Whether a file takes a step of its own.
    fn alone(&self, file: &ListedFile) -> bool {
        let segments = file.key.split('/').count() + self.destination().split('/').count();
        carries(file) || segments > STEP_SEGMENTS
    }

    fn remove(&mut self, tx: &mut Tx<'_>, bucket: &BucketRow, file: &ListedFile) -> Result<(), Error> {
        let at = Address::key(bucket.name.clone(), ObjectKey::parse(&file.key)?);
        let options = RemoveOptions { tokens: self.row.tokens.clone(), ..RemoveOptions::default() };
        let caller = self.caller.clone();
        self.attempt(tx, &at.to_string(), |tx| remove::remove_key(tx, &caller, &at, &options))
    }

    fn transfer(&mut self, tx: &mut Tx<'_>, from: &str, to: &str) -> Result<(), Error> {
        let name = format!("{}/{from}", self.from.name);
        let how = if self.row.kind == BatchKind::Move { Transfer::Move } else { Transfer::Copy };
        let options = TransferOptions {
            modified: self.row.modified,
            tokens: self.row.tokens.clone(),
            ..TransferOptions::default()
        };
        let (caller, source, target) = (self.caller.clone(), self.from.name.clone(), self.to.name.clone());
        self.attempt(tx, &name, |tx| {
            let from = Address::key(source, ObjectKey::parse(from)?);
            let to = Address::key(target, ObjectKey::parse(to)?);
            transfer::one_file(tx, &Plan { caller, how, from, to, options, claims: None })
        })
    }

    /// Runs one file's verb; a refusal is noted and leaves no trace. So is what a file has to wait
    /// for: it could be this step's own doing, and then nobody would ever see it end.
    fn attempt<T>(
        &mut self,
        tx: &mut Tx<'_>,
        name: &str,
        verb: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<(), Error> {
        match tx.attempt(verb) {
            Ok(_) => Ok(()),
            Err(error) if passes(&error) && !matches!(error, Error::Busy(_)) => Err(error),
            Err(why) => {
                self.refused.push(Refused { name: name.to_owned(), why: Box::new(why) });
                Ok(())
            }
        }
    }

    /// The folders that hold what the batch is about, as far as they are there.
    fn above(&self, rows: &dyn Rows) -> Result<Vec<Address>, Error> {
        let mut there = Vec::new();
        let from = (self.row.kind != BatchKind::Copy).then_some((&self.from, self.row.from.1.as_str()));
        let to = self.row.to.as_ref().map(|(_, path)| (&self.to, path.as_str()));
        for (bucket, path) in from.into_iter().chain(to) {
            let Some((above, _)) = path.rsplit_once('/') else { continue };
            let key = ObjectKey::parse(&format!("{above}/"))?;
            let place = tree::place(rows, bucket, &Spot::Key(key.clone()))?;
            if place.is_some_and(|place| place.missing.is_empty()) {
                there.push(Address::key(bucket.name.clone(), key));
            }
        }
        Ok(there)
    }

    /// Keeps those of them that held nothing else: they become explicit, as they do in one commit
    /// in a bucket that was never versioned.
    fn keep(&mut self, tx: &mut Tx<'_>, above: Vec<Address>) -> Result<(), Error> {
        for marker in above {
            let caller = self.caller.clone();
            self.attempt(tx, &marker.to_string(), |tx| folders::keep(tx, &caller, &marker))?;
        }
        Ok(())
    }
}
