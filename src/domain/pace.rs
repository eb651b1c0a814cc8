//! Rests of background work, which end soon when it is to give way.

use std::time::{Duration, Instant};

/// The longest nap within a rest: so soon the work hears that it is to end.
const NAP: Duration = Duration::from_millis(50);

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
