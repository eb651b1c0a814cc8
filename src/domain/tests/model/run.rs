//! Runs operations on the domain over a simulated disk.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    compare::Shows as _,
    op::{At, Op, World},
    rules::{Answer, Did, Model, Why},
    seen::{self, Got},
};
use crate::{
    domain::{
        Error, Holdall, StartOptions, World as Outside,
        caller::Caller,
        tests::{key, path},
    },
    model::{address::Address, time::Timestamp},
    outside::{clock::SetClock, random::SeededRandom},
    store::{
        dir::RoomOptions,
        io::{Io, Site, sim::SimDisk},
    },
};

/// Free bytes at which a disk takes no bodies, but everything else.
pub(super) const TIGHT: u64 = 48 << 20;
pub(super) const WIDE: u64 = 1 << 40;
const START: i64 = 1_700_000_000_000;

/// A run on its way.
pub(super) struct Run {
    pub(super) disk: SimDisk,
    clock: Arc<SetClock>,
    pub(super) holdall: Arc<Holdall>,
    pub(super) ada: Caller,
    pub(super) model: Model,
    /// Answers' names of what the model numbers.
    pub(super) ids: seen::Ids,
    /// What the last operation read.
    pub(super) got: Option<Got>,
    starts: u64,
    /// A sync that is left out.
    skip: Option<Site>,
    cut: Option<(u16, u64)>,
}

fn open(disk: &SimDisk, clock: &Arc<SetClock>, start: u64) -> Result<Arc<Holdall>, String> {
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let options = StartOptions { room, cache_bytes: 1 << 20, ..StartOptions::new(io) };
    let world = Outside { clock: clock.clone(), random: Arc::new(SeededRandom::new(start)) };
    Holdall::start_by_hand(options, world).map_err(|error| format!("opening: {error}: {:?}", error.reason()))
}

/// What was done, as the model words it; or the reason against it.
pub(super) type Done = Result<Did, Error>;

/// Runs all of them; tells where the two differ.
pub(super) async fn run(ops: &[Op], skip: Option<Site>) -> Result<(), String> {
    let mut run = Run::new(skip).await?;
    for (number, op) in ops.iter().enumerate() {
        run.step(op).await.map_err(|why| format!("operation {number}, {op:?}: {why}"))?;
        let all = number % 8 == 7 || number + 1 == ops.len() || ops.len() < 30;
        run.compare(op, all).await.map_err(|why| format!("after {number}, {op:?}: {why}"))?;
    }
    run.end().await.map_err(|why| format!("at the end: {why}"))
}

/// Where a lock is: on a file, whatever stands beside it, or on a folder.
pub(super) fn root(bucket: &str, root: &str) -> Address {
    if root.is_empty() || root.ends_with('/') { path(bucket, root) } else { key(bucket, root) }
}

pub(super) fn address(at: &At) -> Address {
    if at.path { path(&at.bucket, &at.name) } else { key(&at.bucket, &at.name) }
}

fn word(error: &Error) -> Option<Why> {
    Some(match error {
        Error::NotFound(..) => Why::Missing,
        Error::DeleteMarker { .. } => Why::Marker,
        Error::Exists(..) | Error::ExistsYours(_) => Why::Exists,
        Error::NotEmpty(_) => Why::NotEmpty,
        Error::Denied(_) => Why::Denied,
        Error::PreconditionFailed(_) => Why::Failed,
        Error::Conflict(_) => Why::Conflict,
        Error::Locked(_) => Why::Locked,
        Error::OverQuota { .. } => Why::Quota,
        Error::DiskFull => Why::Full,
        Error::Invalid(_) => Why::Invalid,
        Error::BadPart(..) => Why::BadPart,
        Error::Incomplete { .. } | Error::ChecksumDiffers(_) => Why::Broken,
        _ => return None,
    })
}

impl Run {
    async fn new(skip: Option<Site>) -> Result<Self, String> {
        let (disk, clock) = (SimDisk::new(), Arc::new(SetClock::at(Timestamp(START))));
        let holdall = open(&disk, &clock, 1)?;
        let made = holdall.add_account(&Caller::Operator, crate::domain::tests::newcomer("ada")).await;
        made.map_err(|error| error.to_string())?;
        let ada = crate::domain::tests::crash::ada(&holdall).await;
        let mut run = Self {
            disk,
            clock,
            holdall,
            ada,
            model: Model::at(START),
            ids: seen::Ids::default(),
            got: None,
            starts: 1,
            skip,
            cut: None,
        };
        run.step(&Op::DropBucket { bucket: "ada".into() }).await.ok();
        for (name, days) in [("home", Some(30)), ("plain", None), ("kept", None)] {
            run.step(&Op::MakeBucket { bucket: name.into(), days }).await?;
        }
        Ok(run)
    }

    /// One operation on both.
    async fn step(&mut self, op: &Op) -> Result<(), String> {
        if let Op::World(World::Cut { calls, seed }) = op {
            self.cut = Some((*calls, *seed));
            return Ok(());
        }
        if self.model.buckets.values().any(|bucket| bucket.quota.is_some()) {
            self.work_off().await?;
        }
        if self.model.full {
            // What was given back meanwhile is taken again.
            self.disk.set_free(TIGHT);
        }
        let cut = self.cut.take();
        self.clock.advance(1500);
        self.model.now += 1500;
        let before = self.model.clone();
        if let Some((calls, _)) = cut {
            self.skip.iter().for_each(|site| self.disk.skip(*site));
            self.disk.crash_after(u64::from(calls));
        }
        self.got = None;
        let done = self.act(op).await;
        let answer = self.model.apply(op);
        if let Op::World(World::Clock(by)) = op {
            self.clock.advance(*by);
        }
        let other = |error: &Error| word(error).is_none() && !matches!(error, Error::Partly { .. });
        let lost = cut.is_some() && done.as_ref().is_err_and(other);
        if !lost {
            self.agree(&answer, &done)?;
        }
        match cut {
            Some((_, seed)) => self.after_cut(seed, (before, lost)).await,
            None => Ok(()),
        }
    }

    /// Whether an answer is the model's.
    fn agree(&self, answer: &Answer, done: &Done) -> Result<(), String> {
        let same = match (answer, done) {
            (Answer::Done(did), Ok(done)) => {
                let (of, wanted) = (self.got.as_ref(), did.content.as_ref());
                seen::same_content(&self.model, wanted, of)?;
                Did { content: None, ..did.clone() } == *done
            }
            (Answer::Partly, Err(Error::Partly { .. })) => true,
            (Answer::Refused(reasons), Err(error)) => word(error).is_some_and(|why| reasons.contains(&why)),
            _ => false,
        };
        if same { Ok(()) } else { Err(format!("the model says {answer:?}, the domain {done:?}")) }
    }

    /// The power comes back. What was answered is there; what was not is there wholly or not.
    async fn after_cut(&mut self, seed: u64, (before, lost): (Model, bool)) -> Result<(), String> {
        let image = self.disk.crash(seed);
        self.disk = image;
        if !self.model.full {
            self.disk.set_free(WIDE);
        }
        self.restart().await?;
        self.holdall.finish_batches(&CancellationToken::new()).await.map_err(|error| format!("{error:?}"))?;
        if lost {
            let after = std::mem::replace(&mut self.model, before);
            // The clock goes on, or back, whatever became of what was done meanwhile.
            self.model.now = after.now;
            if let Err(unlike_before) = self.see_all().await {
                self.model = after;
                let unlike =
                    |why| format!("cut off, it is neither as before ({unlike_before}) nor done ({why})");
                self.see_all().await.map_err(unlike)?;
            }
        }
        Ok(())
    }

    pub(super) async fn restart(&mut self) -> Result<(), String> {
        self.starts += 1;
        // The last owner lets go of the data directory.
        let idle = open(&SimDisk::new(), &self.clock, 0)?;
        drop(std::mem::replace(&mut self.holdall, idle));
        // A thread that answered may still be letting go of it.
        for _ in 0..500 {
            match open(&self.disk, &self.clock, self.starts) {
                Err(why) if why.contains("is using this data directory") => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                opened => {
                    self.holdall = opened?;
                    return Ok(());
                }
            }
        }
        Err("nobody lets go of the data directory".into())
    }

    pub(super) async fn work_off(&self) -> Result<(), String> {
        self.holdall.work_off(&CancellationToken::new()).await.map_err(|error| format!("{error:?}"))
    }
}
