//! One budget for the memory that running requests take: documents held whole, blocks of uploads,
//! what downloads read ahead. Each takes its share once, before its bytes come, and waits a little
//! where there is none. Nobody waits for a second share with one in hand, so no two requests wait
//! for each other.
//!
//! Documents have half of it at most: their senders may be slow, and files must go on. One account
//! has half of both at most, and so have all callers without one together: whoever is slow with
//! everything leaves room for others. Files so small that they are read while they are opened take
//! no share, as long as what their readers have not taken yet is little; then they are like others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Error, Holdall, access::counts_access, caller::Caller};
use crate::model::{
    ids::AccountId,
    limits::{MEMORY_ACCOUNT_PART, REQUEST_MEMORY_BYTES, S3_XML_BYTES},
};

/// Shares are counted in pieces of this many bytes.
const PIECE: u64 = 1024;
/// Bytes of small files that may be in memory without a share: one for each connection, but not for
/// each of the many requests that a client has on one without reading an answer. Few in tests.
const SMALL_FILES: u64 = if cfg!(test) { 256 << 10 } else { 64 << 20 };
/// A document is held once as it came, and once more as what was made of it.
const OF_DOCUMENT: u64 = 2;
/// What the largest document takes. Every account may have that.
const LARGEST_DOCUMENT: u64 = S3_XML_BYTES as u64 * OF_DOCUMENT;

/// The budget and what is taken of it.
#[derive(Debug)]
pub(super) struct Memory {
    everybody: Purse,
    /// Of the accounts that hold or want something; `None` is everybody without an account.
    accounts: Mutex<HashMap<Option<AccountId>, Weak<Purse>>>,
    small: Arc<Semaphore>,
    wait: Duration,
    refused: AtomicU64,
}

/// The place of a small file beside the shares, given back when dropped.
#[derive(Debug)]
pub(super) struct SmallFile {
    _place: OwnedSemaphorePermit,
}

/// What may be taken: by everybody, or by one account.
#[derive(Debug)]
struct Purse {
    all: Arc<Semaphore>,
    documents: Arc<Semaphore>,
    pieces: u32,
    document_pieces: u32,
}

/// A request's share of the memory, given back when dropped.
#[derive(Debug)]
pub struct MemoryShare {
    _of_everybody: Taken,
    of_account: Taken,
    /// Found by the account's next request as long as this one holds something of it.
    _purse: Arc<Purse>,
}

/// What was taken from a purse.
#[derive(Debug)]
struct Taken {
    _of_documents: Option<OwnedSemaphorePermit>,
    of_all: OwnedSemaphorePermit,
}

/// How much of the memory for requests is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryUse {
    /// Bytes of the budget.
    pub budget_bytes: u64,
    /// Bytes taken at the moment.
    pub taken_bytes: u64,
    /// Requests that were sent away because there was no share for them.
    pub refused: u64,
}

impl MemoryShare {
    /// Its size.
    pub(super) fn bytes(&self) -> u64 {
        self.of_account.of_all.num_permits() as u64 * PIECE
    }
}

fn pieces(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

fn semaphore(pieces: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(pieces).unwrap_or(Semaphore::MAX_PERMITS)))
}

async fn take(from: &Arc<Semaphore>, pieces: u32) -> Result<OwnedSemaphorePermit, Error> {
    let closed = |_| Error::Internal { reason: "the memory budget is closed".into() };
    Arc::clone(from).acquire_many_owned(pieces).await.map_err(closed)
}

impl Purse {
    fn new(pieces: u32, document_pieces: u32) -> Self {
        let (all, documents) = (semaphore(pieces), semaphore(document_pieces));
        Self { all, documents, pieces, document_pieces }
    }

    /// That of one account beside this one.
    fn of_account(&self) -> Self {
        let document = self.document_pieces / MEMORY_ACCOUNT_PART;
        let largest = pieces(LARGEST_DOCUMENT).min(self.document_pieces);
        Self::new(self.pieces / MEMORY_ACCOUNT_PART, document.max(largest))
    }

    fn take_at_once(&self, pieces: u32) -> Option<Taken> {
        let of_all = Arc::clone(&self.all).try_acquire_many_owned(pieces).ok()?;
        Some(Taken { _of_documents: None, of_all })
    }

    /// Waits. Who holds a share of all never waits for one of documents: the order is safe.
    async fn take(&self, pieces: u32, document: bool) -> Result<Taken, Error> {
        let _of_documents = if document { Some(take(&self.documents, pieces).await?) } else { None };
        Ok(Taken { _of_documents, of_all: take(&self.all, pieces).await? })
    }
}

impl Memory {
    pub(super) fn new(budget_bytes: u64, wait: Duration) -> Self {
        let all = pieces(budget_bytes.max(REQUEST_MEMORY_BYTES));
        let everybody = Purse::new(all, all / 2);
        let small = semaphore(pieces(SMALL_FILES));
        Self { everybody, accounts: Mutex::default(), small, wait, refused: AtomicU64::new(0) }
    }

    /// The place of a small file that was read already; `None` if there is none without a share.
    pub(super) fn small_file(&self, bytes: u64) -> Option<SmallFile> {
        Arc::clone(&self.small)
            .try_acquire_many_owned(pieces(bytes))
            .ok()
            .map(|place| SmallFile { _place: place })
    }

    /// As much as is wanted if there is as much at once, else the least that will do.
    pub(super) async fn share(
        &self,
        who: Option<AccountId>,
        least: u64,
        wanted: u64,
    ) -> Result<MemoryShare, Error> {
        let purse = self.purse(who);
        let (least, wanted) = (pieces(least).min(purse.pieces), pieces(wanted).min(purse.pieces));
        let at_once = purse.take_at_once(wanted).zip(self.everybody.take_at_once(wanted));
        match at_once {
            Some((of_account, of_everybody)) => {
                Ok(MemoryShare { _of_everybody: of_everybody, of_account, _purse: purse })
            }
            None => self.patiently(purse, least, false).await,
        }
    }

    async fn document(&self, who: Option<AccountId>, bytes: u64) -> Result<MemoryShare, Error> {
        let purse = self.purse(who);
        let wanted = pieces(bytes.saturating_mul(OF_DOCUMENT)).min(purse.document_pieces);
        self.patiently(purse, wanted, true).await
    }

    /// What an account may take. All its requests find the same one as long as any holds it.
    fn purse(&self, who: Option<AccountId>) -> Arc<Purse> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(purse) = accounts.get(&who).and_then(Weak::upgrade) {
            return purse;
        }
        accounts.retain(|_, purse| purse.strong_count() > 0);
        let purse = Arc::new(self.everybody.of_account());
        accounts.insert(who, Arc::downgrade(&purse));
        purse
    }

    /// Waits for the account's share first: while it has none it takes nobody else's place.
    async fn patiently(&self, purse: Arc<Purse>, pieces: u32, document: bool) -> Result<MemoryShare, Error> {
        let end = Instant::now() + self.wait;
        let refuse = |why: &str| {
            self.refused.fetch_add(1, Relaxed);
            Error::Busy(why.into())
        };
        let of_account = timeout_at(end, purse.take(pieces, document))
            .await
            .map_err(|_| refuse("the account's running requests hold all memory that one may have"))??;
        let of_everybody = timeout_at(end, self.everybody.take(pieces, document))
            .await
            .map_err(|_| refuse("there is no memory left for more requests"))??;
        Ok(MemoryShare { _of_everybody: of_everybody, of_account, _purse: purse })
    }

    fn used(&self) -> MemoryUse {
        let free = self.everybody.all.available_permits() as u64 * PIECE;
        let budget_bytes = u64::from(self.everybody.pieces) * PIECE;
        let taken_bytes = budget_bytes.saturating_sub(free);
        MemoryUse { budget_bytes, taken_bytes, refused: self.refused.load(Relaxed) }
    }
}

impl Holdall {
    /// A share for a document of so many bytes that is held whole.
    ///
    /// # Errors
    /// Busy when none becomes free in time.
    pub async fn memory_for_document(&self, caller: &Caller, bytes: u64) -> Result<MemoryShare, Error> {
        self.memory.document(caller.account(), bytes).await
    }

    /// How much of the memory for requests is taken.
    ///
    /// # Errors
    /// The caller may not read counts.
    pub fn memory_use(&self, caller: &Caller) -> Result<MemoryUse, Error> {
        counts_access(caller)?;
        Ok(self.memory.used())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const ADA: Option<AccountId> = Some(AccountId(1));
    const BOB: Option<AccountId> = Some(AccountId(2));

    fn budget(wait_ms: u64) -> Memory {
        Memory::new(64 * MIB, Duration::from_millis(wait_ms))
    }

    #[tokio::test]
    async fn documents_never_take_more_than_half_however_many_come() {
        let memory = budget(20);
        let ask = |n| memory.document(Some(AccountId(n)), 8 * MIB);
        let (held, refused): (Vec<_>, Vec<_>) =
            futures::future::join_all((0..50).map(ask)).await.into_iter().partition(Result::is_ok);
        assert_eq!((held.len(), refused.len()), (2, 48));
        assert!(refused.iter().all(|refused| matches!(refused, Err(Error::Busy(_)))));
        let used = MemoryUse { budget_bytes: 64 * MIB, taken_bytes: 32 * MIB, refused: 48 };
        assert_eq!(memory.used(), used);
        memory.share(None, 32 * MIB, 32 * MIB).await.unwrap();
        drop(held);
        assert_eq!(memory.used().taken_bytes, 0);
    }

    #[tokio::test]
    async fn one_account_never_takes_more_than_half_and_others_go_on() {
        for slow in [ADA, None] {
            let memory = budget(20);
            let ask = || memory.share(slow, MIB, 3 * MIB);
            let (held, refused): (Vec<_>, Vec<_>) =
                futures::future::join_all((0..50).map(|_| ask())).await.into_iter().partition(Result::is_ok);
            assert_eq!(memory.used().taken_bytes, 32 * MIB);
            let of_account = |refused: &Result<_, Error>| matches!(refused, Err(Error::Busy(why)) if why.contains("account"));
            assert!(!refused.is_empty() && refused.iter().all(of_account));
            assert!(matches!(memory.document(slow, MIB).await, Err(Error::Busy(_))));
            // What is left is others', down to the last piece.
            let _document = memory.document(BOB, 8 * MIB).await.unwrap();
            let _share = memory.share(BOB, 16 * MIB, 16 * MIB).await.unwrap();
            drop(held);
            memory.share(slow, 32 * MIB, 32 * MIB).await.unwrap();
        }
    }

    #[tokio::test]
    async fn one_account_never_takes_all_that_documents_may_have() {
        let memory = budget(20);
        let _held = memory.document(ADA, 8 * MIB).await.unwrap();
        assert!(matches!(memory.document(ADA, MIB).await, Err(Error::Busy(_))));
        let _other = memory.document(BOB, 8 * MIB).await.unwrap();
        let small = Memory::new(0, Duration::ZERO);
        // A budget so small that one document is all: it is counted in full nevertheless.
        assert_eq!(small.document(ADA, 8 * MIB).await.unwrap().bytes(), LARGEST_DOCUMENT);
    }

    #[tokio::test]
    async fn accounts_that_hold_nothing_are_forgotten() {
        let memory = budget(20);
        let held = memory.share(ADA, MIB, MIB).await.unwrap();
        for n in 10..100 {
            memory.share(Some(AccountId(n)), MIB, MIB).await.unwrap();
        }
        assert!(memory.accounts.lock().unwrap().len() <= 2);
        assert!(matches!(memory.share(ADA, 32 * MIB, 32 * MIB).await, Err(Error::Busy(_))));
        drop(held);
    }

    #[tokio::test]
    async fn a_body_gets_less_than_it_wants_before_it_waits_and_waits_before_it_is_refused() {
        let memory = budget(20);
        let held = memory.share(BOB, MIB, 32 * MIB).await.unwrap();
        let first = memory.share(ADA, MIB, 30 * MIB).await.unwrap();
        assert_eq!((first.bytes(), memory.share(ADA, MIB, 3 * MIB).await.unwrap().bytes()), (30 * MIB, MIB));
        assert_eq!(memory.share(None, MIB, 3 * MIB).await.unwrap().bytes(), MIB);
        let _small = memory.share(ADA, MIB, 2 * MIB).await.unwrap();
        for who in [ADA, None] {
            assert!(matches!(memory.share(who, MIB, 3 * MIB).await, Err(Error::Busy(_))));
        }
        assert_eq!(memory.used().refused, 2);
        drop(held);

        let patient = Arc::new(budget(60_000));
        let mut held = Vec::new();
        for who in [ADA, BOB] {
            held.push(patient.share(who, MIB, 64 * MIB).await.unwrap());
        }
        let waiting = [ADA, None].map(|who| {
            let patient = Arc::clone(&patient);
            tokio::spawn(async move { patient.document(who, MIB).await })
        });
        tokio::task::yield_now().await;
        drop(held);
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_gets_all_that_one_account_may_have() {
        let memory = budget(20);
        assert_eq!(memory.share(ADA, 1 << 50, 1 << 50).await.unwrap().bytes(), 32 * MIB);
        assert_eq!(memory.document(ADA, 1 << 50).await.unwrap().bytes(), 16 * MIB);
        assert_eq!(Memory::new(0, Duration::ZERO).used().budget_bytes, REQUEST_MEMORY_BYTES);
    }
}
