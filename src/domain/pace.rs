//! Rests of background work: between two looks whether there is something to do, and within it,
//! where they end soon when it is to give way.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::Holdall;

/// The longest nap within a rest: so soon the work hears that it is to end.
const NAP: Duration = Duration::from_millis(50);

/// A job that looks again and again whether there is something to do.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) holdall: Weak<Holdall>,
    /// What the time between two looks is divided by.
    pub(super) haste: u32,
    pub(super) stop: CancellationToken,
}

impl Look {
    /// The system, a while later; none once it closes, or the last other owner is gone.
    pub(super) async fn after(&self, time: Duration) -> Option<Arc<Holdall>> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            () = tokio::time::sleep(time / self.haste.max(1)) => self.holdall.upgrade(),
        }
    }
}

/// Sleeps for so long, or until `give_way`.
pub(super) fn rest(time: Duration, give_way: &dyn Fn() -> bool) {
    let until = Instant::now() + time;
    while !give_way() {
        match until.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(NAP)),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_when_it_is_to_give_way() {
        let began = Instant::now();
        rest(Duration::from_secs(60), &|| true);
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
