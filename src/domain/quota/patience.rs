//! A refusal for lack of quota is given only after what the owner removed is subtracted: jobs do
//! that in the background, and the write waits for them.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    domain::{Error, Holdall},
    store::{
        meta::rows::Rows,
        rows::{account, usage, work},
    },
};

/// Looks are this far apart while the jobs work.
const PAUSE: Duration = Duration::from_millis(50);

impl Holdall {
    /// Makes the attempt, and makes it again while the quota refuses it and the owner's removed
    /// files are still being released.
    ///
    /// # Errors
    /// The attempt's own; Busy when the jobs take too long.
    pub(crate) async fn patiently<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut steps = self.jobs.steps();
        let (mut deadline, mut all_released) = (None, false);
        loop {
            steps.mark_unchanged();
            let owner = match attempt().await {
                Err(Error::OverQuota { owner }) if self.works() => owner,
                other => return other,
            };
            let whose = owner.clone();
            if !self.read(move |rows| releasing(rows, &whose)).await? {
                if all_released {
                    return Err(Error::OverQuota { owner });
                }
                // What was released between the attempt and this look may be enough.
                all_released = true;
                continue;
            }
            all_released = false;
            let end = *deadline.get_or_insert_with(|| Instant::now() + self.quota_wait);
            self.jobs.wake();
            let progress = async {
                steps.changed().await.ok();
                sleep(PAUSE).await;
            };
            tokio::select! {
                waited = timeout_at(end, progress) => if waited.is_err() {
                    return Err(Error::Busy(format!("files that {owner} removed are still being released")));
                },
                () = self.stop.cancelled() => return Err(Error::OverQuota { owner }),
            }
        }
    }
}

/// Whether jobs will subtract something from what an account is charged.
fn releasing(rows: &dyn Rows, owner: &str) -> Result<bool, Error> {
    let Some(account) = account::by_login(rows, owner)? else { return Ok(false) };
    for bucket in usage::buckets(rows, account.id)? {
        if work::frees(rows, bucket)? {
            return Ok(true);
        }
    }
    Ok(false)
}
