//! Whether a history of one key could have come from a key that does one thing after the other.
//!
//! Wing and Gong's search ("Testing and verifying concurrent objects", JPDC 17, 1993) with Lowe's
//! memory of where it has been ("Testing for linearizability", Concurrency and Computation 29,
//! 2017), on a linked list of calls and answers as in Horn and Kroening ("Faster linearizability
//! checking via P-compositionality", FORTE 2015) and porcupine. A history is linearizable if that
//! of each key is, so keys are looked at one by one.
//!
//! An operation without an answer may have taken effect at any moment until it was over, or not at
//! all: at its end it may also be left out.

use std::collections::HashSet;

use super::history::{Answer, Content, NOTHING, Op};

/// Which operations have taken effect, a bit each.
type Done = Vec<u64>;

/// The calls and answers that are not in order yet, by time. Place 0 is before the first; the call
/// of operation `n` has place `2n + 1`, its answer `2n + 2`.
struct Open {
    next: Vec<usize>,
    before: Vec<usize>,
}

const END: usize = usize::MAX;

fn call(op: usize) -> usize {
    2 * op + 1
}

fn answer(op: usize) -> usize {
    2 * op + 2
}

impl Open {
    fn of(ops: &[Op]) -> Self {
        let mut places: Vec<(u64, usize)> = Vec::new();
        for (n, op) in ops.iter().enumerate() {
            places.extend([(op.from, call(n)), (op.to, answer(n))]);
        }
        places.sort_unstable();
        let mut open = Self { next: vec![END; 2 * ops.len() + 1], before: vec![0; 2 * ops.len() + 1] };
        let mut last = 0;
        for (_, place) in places {
            open.next[last] = place;
            open.before[place] = last;
            last = place;
        }
        open
    }

    fn take(&mut self, op: usize) {
        for place in [call(op), answer(op)] {
            let (before, next) = (self.before[place], self.next[place]);
            self.next[before] = next;
            if next != END {
                self.before[next] = before;
            }
        }
    }

    /// Undoes the last [`Open::take`] that is not undone.
    fn put_back(&mut self, op: usize) {
        for place in [answer(op), call(op)] {
            let (before, next) = (self.before[place], self.next[place]);
            self.next[before] = place;
            if next != END {
                self.before[next] = place;
            }
        }
    }
}

/// An operation whose answer no order explains, after the longest way any order came.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) stuck: Op,
    pub(crate) state: Content,
}

/// Looks for an order of the operations of one key, which is not there at first.
pub(crate) fn check(ops: &[Op]) -> Result<(), Violation> {
    let mut open = Open::of(ops);
    let (mut state, mut done): (Content, Done) = (NOTHING, vec![0; ops.len().div_ceil(64)]);
    let mut been: HashSet<(Done, Content)> = HashSet::new();
    let mut way: Vec<(usize, Content)> = Vec::new();
    let mut worst: Option<(u64, Violation)> = None;
    let mut place = open.next[0];
    while open.next[0] != END {
        let op = (place - 1) / 2;
        let is_call = place == call(op);
        // At its end an operation without an answer may be left out.
        let after = match is_call {
            true => ops[op].step(state),
            false => (ops[op].answer == Answer::Unknown).then_some(state),
        };
        if let Some(after) = after {
            done[op / 64] ^= 1 << (op % 64);
            if been.insert((done.clone(), after)) {
                way.push((op, state));
                state = after;
                open.take(op);
                place = open.next[0];
                continue;
            }
            done[op / 64] ^= 1 << (op % 64);
        }
        if is_call {
            place = open.next[place];
            continue;
        }
        if worst.as_ref().is_none_or(|(at, _)| *at < ops[op].to) {
            worst = Some((ops[op].to, Violation { stuck: ops[op], state }));
        }
        let Some((last, before)) = way.pop() else {
            let (_, violation) = worst.expect("an answer was in the way");
            return Err(violation);
        };
        done[last / 64] ^= 1 << (last % 64);
        state = before;
        open.put_back(last);
        place = open.next[call(last)];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::history::{
            Answer::{self, Absent, Done, Failed, Read, Took, Unknown},
            Cond::{Absent as IfAbsent, Any, Is},
            Kind,
        },
        *,
    };
    use crate::proof::{self, Dice};

    fn op((from, to): (u64, u64), kind: Kind, answer: Answer) -> Op {
        Op { key: 0, from, to, kind, answer, how: "" }
    }

    fn fits(ops: &[(u64, u64, Kind, Answer)]) -> bool {
        let ops: Vec<Op> =
            ops.iter().map(|(from, to, kind, answer)| op((*from, *to), *kind, *answer)).collect();
        check(&ops).is_ok()
    }

    const CREATE: [Kind; 2] = [Kind::Write(1, IfAbsent), Kind::Write(2, IfAbsent)];
    const REMOVE: Kind = Kind::Remove { cond: Any, quiet: false };

    #[test]
    fn histories_that_are_right_pass() {
        let put = |content| Kind::Write(content, Any);
        let right: [&[(u64, u64, Kind, Answer)]; 10] = [
            &[],
            &[(1, 2, Kind::Read, Read(0)), (3, 4, put(1), Done), (5, 6, Kind::Read, Read(1))],
            // While it is written it is seen or not, by one and then by another.
            &[(1, 8, put(1), Done), (2, 3, Kind::Read, Read(0)), (4, 5, Kind::Read, Read(1))],
            &[(1, 4, CREATE[0], Done), (2, 3, CREATE[1], Failed), (5, 6, Kind::Read, Read(1))],
            // Refused by one that was answered later.
            &[(1, 2, CREATE[0], Failed), (0, 9, put(3), Done)],
            // Without an answer: done late, and never.
            &[(1, 9, put(1), Unknown), (2, 3, Kind::Read, Read(0)), (4, 5, Kind::Read, Read(1))],
            &[(1, 3, put(1), Unknown), (4, 5, Kind::Read, Read(0)), (6, 7, put(2), Done)],
            &[(1, 2, put(1), Done), (3, 4, Kind::Take(Is(1)), Took(1)), (5, 6, REMOVE, Absent)],
            &[(1, 2, put(1), Done), (3, 6, REMOVE, Done), (4, 5, Kind::Write(2, Is(1)), Absent)],
            &[(1, 2, Kind::Remove { cond: Any, quiet: true }, Done), (3, 4, Kind::Write(1, Is(7)), Absent)],
        ];
        for history in right {
            assert!(fits(history), "{history:?}");
        }
    }

    #[test]
    fn histories_that_are_wrong_do_not() {
        let put = |content| Kind::Write(content, Any);
        let wrong: [&[(u64, u64, Kind, Answer)]; 12] = [
            // Two won.
            &[(1, 4, CREATE[0], Done), (2, 3, CREATE[1], Done)],
            // None won, though nothing was there.
            &[(1, 4, CREATE[0], Failed), (2, 3, CREATE[1], Failed)],
            // Acknowledged, and not there; there, and gone again; the old one.
            &[(1, 2, put(1), Done), (3, 4, Kind::Read, Read(0))],
            &[(1, 9, put(1), Done), (2, 3, Kind::Read, Read(1)), (4, 5, Kind::Read, Read(0))],
            &[(1, 2, put(1), Done), (3, 4, put(2), Done), (5, 6, Kind::Read, Read(1))],
            // Nobody wrote that.
            &[(1, 2, put(1), Done), (3, 4, Kind::Read, Read(2))],
            // What was over and not seen is seen later.
            &[(1, 3, put(1), Unknown), (4, 5, Kind::Read, Read(0)), (6, 7, Kind::Read, Read(1))],
            // It replaced what was not there any more.
            &[(1, 2, put(1), Done), (3, 4, put(2), Done), (5, 6, Kind::Write(3, Is(1)), Done)],
            &[(1, 2, put(1), Done), (3, 4, Kind::Write(3, Is(1)), Failed)],
            &[(1, 2, put(1), Done), (3, 4, REMOVE, Absent)],
            // Two took the same.
            &[(1, 2, put(1), Done), (3, 6, Kind::Take(Any), Took(1)), (4, 5, Kind::Take(Any), Took(1))],
            &[(1, 2, REMOVE, Done)],
        ];
        for history in wrong {
            assert!(!fits(history), "{history:?}");
        }
    }

    /// Every order, one after the other.
    fn check_slowly(left: &[Op], state: Content) -> bool {
        let unanswered = |op: &Op| op.answer == Unknown;
        left.is_empty()
            || (0..left.len()).any(|first| {
                let op = left[first];
                let rest: Vec<Op> = left[..first].iter().chain(&left[first + 1..]).copied().collect();
                let must_wait = rest.iter().any(|other| other.to < op.from && !unanswered(other));
                let late = rest.iter().any(|other| other.to < op.from && unanswered(other));
                let goes = op.step(state).is_some_and(|after| !late && check_slowly(&rest, after));
                !must_wait && (goes || (unanswered(&op) && check_slowly(&rest, state)))
            })
    }

    fn any_op(dice: &mut Dice, moments: &mut Vec<u64>) -> Op {
        let mut moment = || moments.swap_remove(usize::try_from(dice.roll(moments.len() as u64)).unwrap());
        let (one, other) = (moment(), moment());
        let content = |dice: &mut Dice| 1 + u32::try_from(dice.roll(2)).unwrap();
        let cond = match dice.roll(3) {
            0 => Any,
            1 => IfAbsent,
            _ => Is(content(dice)),
        };
        let kind = match dice.roll(5) {
            0 => Kind::Remove { cond, quiet: dice.roll(2) == 0 },
            1 => Kind::Take(cond),
            2 => Kind::Read,
            _ => Kind::Write(content(dice), cond),
        };
        let answer = match (kind, dice.roll(6)) {
            (Kind::Read, _) => Read(u32::try_from(dice.roll(3)).unwrap()),
            (Kind::Take(_), 0..3) => Took(content(dice)),
            (_, 0..3) => Done,
            (_, 3) => Failed,
            (_, 4) => Absent,
            _ => Unknown,
        };
        op((one.min(other), one.max(other)), kind, answer)
    }

    #[test]
    fn small_histories_are_judged_as_by_trying_every_order() {
        let mut dice = Dice(proof::seed("every order"));
        let (mut right, turns) = (0, proof::size(20_000, 1_000_000));
        for turn in 0..turns {
            let seed = dice.0;
            let count = 1 + turn % 6;
            let mut moments: Vec<u64> = (0..2 * count).collect();
            let ops: Vec<Op> = (0..count).map(|_| any_op(&mut dice, &mut moments)).collect();
            let slowly = check_slowly(&ops, NOTHING);
            assert_eq!(check(&ops).is_ok(), slowly, "Dice({seed}): {ops:#?}");
            right += u64::from(slowly);
        }
        assert!(right > turns / 10 && right < turns / 2, "{right} of {turns}");
    }

    /// As 20 clients see a key that works, or one that forgets this one of its writes.
    fn simulated(dice: &mut Dice, count: usize, forgets: Option<usize>) -> Vec<Op> {
        let (mut state, mut ops) = (NOTHING, Vec::new());
        let mut free = [0_u64; 20];
        for n in 0..count {
            let client = usize::try_from(dice.roll(20)).unwrap();
            let effect = 1000 * (n as u64 + 1);
            let seen = u32::try_from(n).unwrap().saturating_sub(u32::try_from(dice.roll(30)).unwrap());
            let kind = match dice.roll(10) {
                0 => Kind::Write(u32::try_from(n + 1).unwrap(), IfAbsent),
                1 => Kind::Write(
                    u32::try_from(n + 1).unwrap(),
                    Is(if dice.roll(2) == 0 { state } else { seen }),
                ),
                2 => Kind::Remove { cond: Any, quiet: true },
                3 => Kind::Take(Is(state)),
                4 => Kind::Write(u32::try_from(n + 1).unwrap(), Any),
                _ => Kind::Read,
            };
            let from = effect.saturating_sub(1 + dice.roll(3000)).max(free[client]);
            let to = effect + 1 + dice.roll(900);
            free[client] = to + 1;
            if from >= effect {
                continue;
            }
            let mut op = op((from * 2048 + n as u64, to * 2048 + n as u64), kind, Done);
            let answers = [Read(state), Took(state), Done, Failed];
            op.answer = answers
                .into_iter()
                .find(|answer| Op { answer: *answer, ..op }.step(state).is_some())
                .unwrap();
            if forgets != Some(n) {
                state = op.step(state).unwrap();
            }
            ops.push(op);
        }
        ops
    }

    #[test]
    fn a_key_that_works_passes_and_one_that_forgets_a_write_does_not() {
        let (mut dice, mut noticed) = (Dice(11), 0);
        for turn in 0..40_usize {
            let seed = dice.0;
            let ops = simulated(&mut dice.clone(), 1000, None);
            assert!(ops.len() > 300 && check(&ops).is_ok(), "{seed}");
            let forgotten = (300 + turn..1000).find(|n| {
                let of = u32::try_from(n + 1).unwrap();
                ops.iter().any(|op| {
                    matches!(op.kind, Kind::Write(content, _) if content == of) && op.answer == Done
                })
            });
            noticed += usize::from(check(&simulated(&mut dice, 1000, forgotten)).is_err());
        }
        // Some are replaced before anybody could see them.
        assert!(noticed >= 15, "{noticed} of 40");
    }
}
