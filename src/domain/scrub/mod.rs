//! Reading everything again, so that damage is known early: by itself in the background (see
//! [`job`]), and when it is asked for. The store reads and notes; here it is decided who may ask,
//! when and how fast.

pub(super) mod job;

use std::sync::Arc;

use super::{
    Error, Hit, Holdall, access,
    asked::{Asked, Next, to_its_end},
    caller::Caller,
    check::hits,
    lanes::closing,
};
use crate::store::{
    Store,
    scrub::{Scrubber, Step},
};

pub use crate::store::scrub::{Summary as ScrubSummary, rows::Portion};

/// Damaged files told in the log after a run.
const FILES_TOLD: usize = 100;

/// How often and how fast the store is read again in the background.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScrubOptions {
    /// Days from the end of one run to the next; 0 for none.
    pub days: u64,
    /// Bytes a second; half of it while others read or write.
    pub rate: u64,
}

/// What is known beside the store's own knowledge.
#[derive(Debug, Default)]
pub(crate) struct Scrubs {
    /// Runs that were asked for. The background gives way to them.
    asked: Asked,
    /// Whose turn it is among those who asked: one waits for the run that is under way, and the
    /// others for that one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// How scrubbing stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScrubState {
    /// Whether a run is under way.
    pub running: bool,
    /// The run that is under way, or was begun and goes on later.
    pub now: Option<ScrubSummary>,
    /// The last run over everything that ended.
    pub last: Option<ScrubSummary>,
    /// Chunks, segments, rows of the metadata and kept snapshots of it known to be damaged.
    pub damaged: u64,
    /// Bytes of segments read since the start.
    pub bytes: u64,
}

impl Holdall {
    /// Reads a portion of the store again and notes what is damaged; only for who manages the
    /// system. As fast as the disk is; a run in the background gives way. Ends early, with what it
    /// did, when nobody waits for it any more.
    ///
    /// # Errors
    /// Denied; unavailable when the system closes. That something is damaged is no error.
    pub async fn scrub(&self, caller: &Caller, portion: Portion) -> Result<ScrubSummary, Error> {
        may_scrub(caller)?;
        let waits = self.scrubs.asked.one();
        // Whoever goes away drops this.
        let gone = self.stop.child_token();
        let _dropped = gone.clone().drop_guard();
        let turn = Arc::clone(&self.scrubs.turn);
        let begin = async {
            let turn = turn.lock_owned().await;
            let run = self.begin_asked(&gone, move |store| Scrubber::begin(store, portion)).await?;
            Ok::<_, Error>((turn, run))
        };
        let (turn, mut scrubber) = tokio::select! {
            () = gone.cancelled() => return Err(closing().into()),
            begun = begin => begun?,
        };
        let store = Arc::clone(&self.store);
        self.blocking(move || {
            let _keeps = (waits, turn);
            to_its_end(&gone, || {
                Ok(match scrubber.step()? {
                    Step::More(_) => Next::Step,
                    Step::Done => Next::End,
                })
            })?;
            let done = scrubber.summary();
            tell_files(&store, done);
            Ok(done)
        })
        .await
    }

    /// How scrubbing stands, and how much is known to be damaged.
    ///
    /// # Errors
    /// Denied.
    pub fn scrubbing(&self, caller: &Caller) -> Result<ScrubState, Error> {
        may_scrub(caller)?;
        Ok(self.scrub_state())
    }

    /// The same, for the counts of the server. Does not wait for the disk.
    pub(crate) fn scrub_state(&self) -> ScrubState {
        let known = self.store.scrubbing();
        ScrubState {
            running: known.is_running(),
            now: known.now(),
            last: known.last(),
            damaged: self.store.blobs().damaged().saturating_add(known.damaged_metadata()),
            bytes: known.bytes(),
        }
    }
}

impl Scrubs {
    fn is_asked(&self) -> bool {
        self.asked.any()
    }
}

fn may_scrub(caller: &Caller) -> Result<(), Error> {
    if access::is_manager(caller) { Ok(()) } else { Err(Error::Denied("only admins scrub".into())) }
}

/// Lines in the log for the files that a run found to be damaged, known before or not. Damage that a
/// read meets is told with the request.
fn tell_files(store: &Store, done: ScrubSummary) {
    if done.damaged == 0 {
        return;
    }
    let found = match store.snapshot().and_then(|rows| hits(&rows, FILES_TOLD)) {
        Ok(found) => found,
        Err(error) => return tracing::warn!(%error, "which files are damaged could not be told"),
    };
    for hit in &found.hits {
        let Hit { bucket, path, owner, bytes, .. } = hit;
        let (kind, version) = (hit.kind.code(), hit.version.map(|version| version.to_string()));
        tracing::error!(bucket, path, owner, kind, version, part = hit.part, bytes, "a file is damaged");
    }
    if found.next.is_some() {
        tracing::error!("more files are damaged; `holdall check` lists all");
    }
}
