//! Collecting in the background: when something was deleted, and when it is quiet.
//!
//! It takes a share of the time: after each step it rests for as long as the step took, copying
//! is held to a rate, and after a run it rests for a multiple of it. The clock only paces; what
//! may be freed is decided by counts, pins and epochs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{BUSY_PERCENT, IDLE_PERCENT};
use crate::{
    domain::{
        Error, Holdall,
        asked::WAIT,
        pace::{Look, rest},
    },
    store::{
        Store,
        collect::{CollectOptions, Collector, Step, has_work},
        error::StoreError,
    },
};

/// How often it is looked whether there is something to collect.
const LOOK: Duration = Duration::from_secs(5);
/// Looks without a write after which it is quiet.
const QUIET_LOOKS: u32 = 6;
/// A run is followed by a rest of so many times what it took.
const REST: u32 = 10;
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// A segment that is still written is ended when so many of its bytes are dead.
const END_FROM: u64 = 16 << 20;

/// What the job remembers between looks.
#[derive(Debug)]
struct Watch {
    /// Verbs committed at the last look.
    verbs: u64,
    quiet: u32,
    /// Nothing was written since a run at leisure.
    settled: bool,
    first: bool,
    rest_until: Option<Instant>,
}

impl Watch {
    fn new() -> Self {
        Self { verbs: 0, quiet: 0, settled: false, first: true, rest_until: None }
    }

    /// The run to begin now, if any.
    fn due(&mut self, verbs: u64, work: bool, now: Instant) -> Option<CollectOptions> {
        if verbs == self.verbs {
            self.quiet = self.quiet.saturating_add(1);
        } else {
            (self.verbs, self.quiet, self.settled) = (verbs, 0, false);
        }
        let leisure = self.quiet >= QUIET_LOOKS && !self.settled;
        if self.rest_until.is_some_and(|until| now < until) || !(work || leisure || self.first) {
            return None;
        }
        self.settled = leisure;
        let percent = if leisure { IDLE_PERCENT } else { BUSY_PERCENT };
        // The first run after a start counts in any case: there is no other way to know.
        let count_anyway = std::mem::take(&mut self.first) || leisure;
        Some(CollectOptions { compact_from: Some(percent), end_from: END_FROM, count_anyway })
    }

    /// A run ended. Its own commits are no sign that others work.
    fn ran(&mut self, took: Duration, verbs: u64, now: Instant) {
        self.verbs = verbs;
        self.rest_until = Some(now + (took * REST).min(LONGEST_REST));
    }
}

/// Collects until the system closes.
pub(crate) async fn run(look: Look, rate: u64) {
    let mut watch = Watch::new();
    while let Some(system) = look.after(LOOK).await {
        if let Err(error) = system.collect_in_background(&mut watch, rate).await {
            tracing::warn!(%error, reason = error.reason(), "collecting stopped; it goes on later");
        }
    }
}

impl Holdall {
    async fn collect_in_background(&self, watch: &mut Watch, rate: u64) -> Result<(), Error> {
        // Once something did not add up, only a person starts another run.
        if self.store.collection().aborted().is_some() || self.collecting.is_asked() {
            return Ok(());
        }
        let work = self.read(|rows| Ok(has_work(rows)?)).await?;
        let verbs = || self.store.meta().counters().verbs;
        let Some(options) = watch.due(verbs(), work, Instant::now()) else { return Ok(()) };
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        let collecting = Arc::clone(&self.collecting);
        let began = Instant::now();
        let ended = self
            .blocking(move || {
                let give_way = || stop.is_cancelled() || collecting.is_asked();
                Ok(paced_run(&store, options, rate, &give_way)?)
            })
            .await;
        watch.ran(began.elapsed(), verbs(), Instant::now());
        if ended? {
            self.count_space().await?;
        }
        Ok(())
    }
}

/// Runs slowly; false if it gave way before its end. What it has not done is found in the rows
/// by the next run.
fn paced_run(
    store: &Arc<Store>,
    options: CollectOptions,
    rate: u64,
    give_way: &dyn Fn() -> bool,
) -> Result<bool, StoreError> {
    let mut collector = match Collector::begin(store, options) {
        Err(StoreError::Busy(_)) => return Ok(false),
        begun => begun?,
    };
    while !give_way() {
        let began = Instant::now();
        let step = collector.step()?;
        if step == Step::Done {
            let report = collector.report();
            if report.segments_removed > 0 {
                tracing::info!(
                    bytes = report.bytes_returned,
                    segments = report.segments_removed,
                    compacted = report.segments_compacted,
                    "room was given back"
                );
            }
            return Ok(true);
        }
        let wait = if step == Step::Waiting { WAIT } else { Duration::ZERO };
        let copied = collector.take_copied();
        rest(began.elapsed().max(wait) + copying_takes(copied, rate), give_way);
    }
    Ok(false)
}

/// How long copying so many bytes takes at a rate.
fn copying_takes(bytes: u64, rate: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000).checked_div(rate).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(due: Option<CollectOptions>) -> Option<u64> {
        due.and_then(|options| options.compact_from)
    }

    #[test]
    fn it_runs_when_there_is_work_and_once_when_it_becomes_quiet() {
        let (mut watch, now) = (Watch::new(), Instant::now());
        assert!(watch.due(5, false, now).unwrap().count_anyway, "the first look");
        assert_eq!(percent(watch.due(6, false, now)), None);
        assert_eq!(percent(watch.due(7, true, now)), Some(BUSY_PERCENT));
        watch.ran(Duration::from_secs(1), 9, now);
        assert_eq!(percent(watch.due(9, true, now + Duration::from_secs(9))), None, "it rests");
        assert_eq!(percent(watch.due(9, true, now + Duration::from_secs(11))), Some(BUSY_PERCENT));
        let later = now + Duration::from_secs(60);
        let runs: Vec<_> = (0..20).filter_map(|_| percent(watch.due(9, false, later))).collect();
        assert_eq!(runs, [IDLE_PERCENT]);
    }

    #[test]
    fn copying_keeps_to_its_rate() {
        assert_eq!(copying_takes(64 << 20, 32 << 20), Duration::from_secs(2));
        assert_eq!(copying_takes(1, 0), Duration::ZERO);
    }
}
