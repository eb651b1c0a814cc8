//! One budget for the memory that running requests take: documents held whole, blocks of uploads,
//! what downloads read ahead. Each takes its share once, before its bytes come, and waits a little
//! where there is none. Nobody waits for a second share with one in hand, so no two requests wait
//! for each other.
//!
//! Documents have half of it at most: their senders may be slow, and files must go on. Files so
//! small that they are read while they are opened take no share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{Error, Holdall, access::counts_access, caller::Caller};

/// Shares are counted in pieces of this many bytes.
const PIECE: u64 = 1024;
/// Less than this is no budget: a single upload or document could never get its share.
const LEAST: u64 = 32 << 20;
/// A document is held once as it came, and once more as what was made of it.
const OF_DOCUMENT: u64 = 2;

/// The budget and what is taken of it.
#[derive(Debug)]
pub(super) struct Memory {
    all: Arc<Semaphore>,
    documents: Arc<Semaphore>,
    pieces: u32,
    wait: Duration,
    refused: AtomicU64,
}

/// A request's share of the memory, given back when dropped.
#[derive(Debug)]
pub struct MemoryShare {
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
        self.of_all.num_permits() as u64 * PIECE
    }
}

fn pieces(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

fn semaphore(pieces: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(pieces).unwrap_or(Semaphore::MAX_PERMITS)))
}

impl Memory {
    pub(super) fn new(budget_bytes: u64, wait: Duration) -> Self {
        let pieces = pieces(budget_bytes.max(LEAST));
        let (all, documents) = (semaphore(pieces), semaphore(pieces / 2));
        Self { all, documents, pieces, wait, refused: AtomicU64::new(0) }
    }

    /// As much as is wanted if there is as much at once, else the least that will do.
    pub(super) async fn share(&self, least: u64, wanted: u64) -> Result<MemoryShare, Error> {
        let of_all = match Arc::clone(&self.all).try_acquire_many_owned(pieces(wanted).min(self.pieces)) {
            Ok(share) => share,
            Err(_) => self.patiently(Self::take(&self.all, pieces(least).min(self.pieces))).await?,
        };
        Ok(MemoryShare { _of_documents: None, of_all })
    }

    async fn document(&self, bytes: u64) -> Result<MemoryShare, Error> {
        let wanted = pieces(bytes.saturating_mul(OF_DOCUMENT)).min(self.pieces / 2);
        // Who holds a share of all never waits for one of documents: this order is safe.
        self.patiently(async {
            let of_documents = Some(Self::take(&self.documents, wanted).await?);
            let of_all = Self::take(&self.all, wanted).await?;
            Ok(MemoryShare { _of_documents: of_documents, of_all })
        })
        .await
    }

    async fn take(from: &Arc<Semaphore>, pieces: u32) -> Result<OwnedSemaphorePermit, Error> {
        let closed = |_| Error::Internal { reason: "the memory budget is closed".into() };
        Arc::clone(from).acquire_many_owned(pieces).await.map_err(closed)
    }

    async fn patiently<T>(&self, taking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout(self.wait, taking).await.unwrap_or_else(|_| {
            self.refused.fetch_add(1, Relaxed);
            Err(Error::Busy("there is no memory left for more requests".into()))
        })
    }

    fn used(&self) -> MemoryUse {
        let free = self.all.available_permits() as u64 * PIECE;
        let budget_bytes = u64::from(self.pieces) * PIECE;
        let taken_bytes = budget_bytes.saturating_sub(free);
        MemoryUse { budget_bytes, taken_bytes, refused: self.refused.load(Relaxed) }
    }
}

impl Holdall {
    /// A share for a document of so many bytes that is held whole.
    ///
    /// # Errors
    /// Busy when none becomes free in time.
    pub async fn memory_for_document(&self, bytes: u64) -> Result<MemoryShare, Error> {
        self.memory.document(bytes).await
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

    fn budget(wait_ms: u64) -> Memory {
        Memory::new(64 * MIB, Duration::from_millis(wait_ms))
    }

    #[tokio::test]
    async fn documents_never_take_more_than_half_however_many_come() {
        let memory = Arc::new(budget(20));
        let ask = || async { memory.document(8 * MIB).await };
        let (held, refused): (Vec<_>, Vec<_>) =
            futures::future::join_all((0..50).map(|_| ask())).await.into_iter().partition(Result::is_ok);
        assert_eq!((held.len(), refused.len()), (2, 48));
        assert!(refused.iter().all(|refused| matches!(refused, Err(Error::Busy(_)))));
        let used = MemoryUse { budget_bytes: 64 * MIB, taken_bytes: 32 * MIB, refused: 48 };
        assert_eq!(memory.used(), used);
        memory.share(32 * MIB, 32 * MIB).await.unwrap();
        drop(held);
        assert_eq!(memory.used().taken_bytes, 0);
    }

    #[tokio::test]
    async fn a_body_gets_less_than_it_wants_before_it_waits_and_waits_before_it_is_refused() {
        let memory = Arc::new(budget(20));
        let first = memory.share(MIB, 62 * MIB).await.unwrap();
        assert_eq!((first.bytes(), memory.share(MIB, 3 * MIB).await.unwrap().bytes()), (62 * MIB, MIB));
        let small = memory.share(MIB, 2 * MIB).await.unwrap();
        assert!(matches!(memory.share(MIB, 3 * MIB).await, Err(Error::Busy(_))));
        assert_eq!(memory.used().refused, 1);

        let patient = Memory { wait: Duration::from_secs(60), ..budget(0) };
        let patient = Arc::new(patient);
        let held = patient.share(MIB, 64 * MIB).await.unwrap();
        let waiting = tokio::spawn({
            let patient = Arc::clone(&patient);
            async move { patient.document(MIB).await }
        });
        tokio::task::yield_now().await;
        drop((held, small));
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_gets_all_of_it() {
        let memory = budget(20);
        assert_eq!(memory.share(1 << 50, 1 << 50).await.unwrap().bytes(), 64 * MIB);
        assert_eq!(memory.document(1 << 50).await.unwrap().bytes(), 32 * MIB);
        assert_eq!(Memory::new(0, Duration::ZERO).used().budget_bytes, LEAST);
    }
}
