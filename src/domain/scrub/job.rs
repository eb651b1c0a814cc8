//! The scrub that runs by itself: when the last is old enough, or one was cut off. Slow by intent:
//! never faster than its rate, and half as fast while others read or write.
//!
//! A run that ends with the process goes on where it was. When it is due is told by the clock, and
//! nothing depends on that: a wrong clock means a run too many or too late.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{ScrubOptions, ScrubSummary, tell_files};
use crate::{
    domain::{
        Error, Holdall,
        pace::{Look, rest},
    },
    model::time::Timestamp,
    store::{
        Store,
        error::StoreError,
        scrub::{Scrubber, Step},
    },
};

/// How often it looks whether there is something to do; the first time so long after a start.
const LOOK: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;

/// Whether a run is due at `now`.
fn is_due(under_way: bool, last: Option<ScrubSummary>, days: u64, now: Timestamp) -> bool {
    if days == 0 {
        return false;
    }
    let wait = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY_MS);
    let ended = last.and_then(|last| last.ended);
    under_way || ended.is_none_or(|ended| now.0 >= ended.0.saturating_add(wait))
}

/// Scrubs until the system closes.
pub(crate) async fn run(look: Look, options: ScrubOptions) {
    while let Some(system) = look.after(LOOK).await {
        if let Err(error) = system.scrub_in_background(options).await {
            tracing::warn!(%error, reason = error.reason(), "scrubbing stopped; it goes on later");
        }
    }
}

impl Holdall {
    pub(crate) async fn scrub_in_background(&self, options: ScrubOptions) -> Result<(), Error> {
        let known = self.store.scrubbing();
        let due = is_due(known.now().is_some(), known.last(), options.days, self.clock.now());
        if !due || self.scrubs.is_asked() {
            return Ok(());
        }
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        let scrubs = Arc::clone(&self.scrubs);
        self.blocking(move || {
            let give_way = || stop.is_cancelled() || scrubs.is_asked();
            Ok(paced_run(&store, options.rate, &give_way)?)
        })
        .await
    }
}

/// Runs slowly, to its end or until it is to give way.
fn paced_run(store: &Arc<Store>, rate: u64, give_way: &dyn Fn() -> bool) -> Result<(), StoreError> {
    let mut scrubber = match Scrubber::resume(store) {
        Err(StoreError::Busy(_)) => return Ok(()),
        begun => begun?,
    };
    let mut others = scrubber.others();
    while !give_way() {
        let began = Instant::now();
        let step = match scrubber.step() {
            Ok(step) => step,
            Err(error) => {
                // What it has read need not be read again when the disk comes back.
                if let Err(unsaved) = scrubber.save() {
                    tracing::warn!(error = %unsaved, "how far scrubbing came could not be kept");
                }
                return Err(error);
            }
        };
        let Step::More(bytes) = step else {
            let done = scrubber.summary();
            tracing::info!(
                bytes = done.bytes,
                chunks = done.chunks,
                damaged = done.damaged,
                "everything stored was read again"
            );
            tell_files(store, done);
            return Ok(());
        };
        let busy = std::mem::replace(&mut others, scrubber.others()) != others;
        let takes = reading_takes(bytes, if busy { rate / 2 } else { rate });
        rest(takes.saturating_sub(began.elapsed()), give_way);
    }
    scrubber.save()
}

/// How long reading so many bytes takes at a rate.
fn reading_takes(bytes: u64, rate: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::scrub::Portion,
        store::{
            io::sim::{
                SimDisk,
                fault::{Failing, FaultyDisk, Plan},
            },
            tests::{noise, open, options, put},
        },
    };

    /// The story: a run that met an error began again with up to two gigabytes it had read.
    #[test]
    fn a_run_that_an_error_ends_goes_on_where_it_was() {
        let disk = SimDisk::new();
        let store = open(&disk);
        for n in 0..4 {
            put(&store, &noise(&format!("segment {n}"), 6 << 20));
        }
        drop(store);
        let faulty = FaultyDisk::new(disk);
        let store = Store::open(options(faulty.clone())).unwrap();
        faulty.plan(Plan { fault: Failing::Open, call: 1, forever: true });
        paced_run(&store, u64::MAX, &|| false).unwrap_err();
        let so_far = store.scrubbing().now().unwrap();
        assert!(so_far.chunks > 0 && so_far.thousandths < 1000, "{so_far:?}");
        faulty.heal();
        assert_eq!(Scrubber::resume(&store).unwrap().summary(), so_far);
        let before = store.scrubbing().bytes();
        paced_run(&store, u64::MAX, &|| false).unwrap();
        let all = store.scrubbing().last().unwrap();
        assert_eq!((all.damaged, store.scrubbing().bytes() - before), (0, all.bytes - so_far.bytes));
    }

    #[test]
    fn a_run_is_due_when_the_last_is_old_or_one_was_cut_off() {
        let last = |ended| ScrubSummary {
            begun: Timestamp(0),
            ended: Some(Timestamp(ended)),
            portion: Portion::ALL,
            thousandths: 1000,
            chunks: 0,
            bytes: 0,
            damaged: 0,
        };
        let now = Timestamp(100 * DAY_MS);
        assert!(is_due(false, None, 30, now), "never done");
        assert!(is_due(false, Some(last(70 * DAY_MS)), 30, now));
        assert!(!is_due(false, Some(last(70 * DAY_MS + 1)), 30, now));
        assert!(is_due(true, Some(last(99 * DAY_MS)), 30, now), "it was cut off");
        assert!(!is_due(true, None, 0, now), "never");
    }

    #[test]
    fn reading_keeps_to_its_rate() {
        assert_eq!(reading_takes(100_000_000, 50_000_000), Duration::from_secs(2));
        assert_eq!(reading_takes(0, 0), Duration::ZERO);
    }
}
