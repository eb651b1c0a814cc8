//! What a started system does without being asked.

use std::time::{Duration, Instant};

use super::*;
use crate::domain::{
    nouns::{BucketChange, HistoryPolicy},
    scrub::ScrubOptions,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// What was deleted is given back, everything is read again, and a snapshot of the metadata kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_started_system_collects_scrubs_and_keeps_snapshots() {
    let (disk, clock) = (Arc::new(SimDisk::new()), Arc::new(SetClock::at(Timestamp(1_000_000))));
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    let io: Arc<dyn Io> = disk.clone();
    let options = StartOptions {
        haste: 1000,
        snapshot_every: Duration::from_secs(3600),
        scrub: ScrubOptions { days: 30, rate: 1 << 30 },
        ..StartOptions::new(io)
    };
    let trial = Trial { holdall: Holdall::start(options, world).unwrap(), disk, clock };
    trial.add("ada", Some(PASSWORD)).await.unwrap();
    let ada = trial.caller("ada").await;
    let now = BucketChange { history: Some(HistoryPolicy::Off), ..BucketChange::default() };
    trial.holdall.change_bucket(&ada, &bucket("ada"), now).await.unwrap();
    trial.put(&ada, &key("ada", "a"), &[]).await.unwrap();
    trial.holdall.remove(&ada, &key("ada", "a"), RemoveOptions::default()).await.unwrap();
    let began = Instant::now();
    loop {
        let given_back = trial.holdall.check(&Caller::Operator).await.unwrap().counts.chunks == 0;
        let scrubbed = trial.holdall.scrub_state().last.is_some();
        let kept = trial.holdall.snapshots(&Caller::Operator).await.unwrap().len();
        if given_back && scrubbed && kept == 1 {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "given back {given_back}, scrubbed {scrubbed}, kept {kept}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
