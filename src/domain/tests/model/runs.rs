//! Runs of random operations: how many, from which seeds, and what is told of one that goes wrong.
//! Knows no system that they are done on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

use tokio::runtime::Builder;

use super::{
    make::{HABITS, Habit, sequence},
    op::Op,
    shrink::shrink,
};
use crate::proof;

/// Operations of one run.
pub(crate) const LENGTH: usize = 100;
/// Runs that are told of before the others are left out.
const TOLD: usize = 6;

/// The runs of a test.
pub(crate) struct Runs {
    /// Names its seeds.
    pub(crate) name: &'static str,
    /// Runs the test by hand.
    pub(crate) command: &'static str,
    /// Whether what only the domain can be asked for is asked for.
    pub(crate) domain: bool,
    /// Operations of all runs, for every change and by hand. Without the seed that `conformance/run`
    /// gives, it is a tenth of the first.
    pub(crate) operations: (u64, u64),
    pub(crate) threads: u64,
    /// Does operations and tells how they go wrong, if they do.
    pub(crate) fails: fn(&[Op]) -> Option<String>,
}

impl Runs {
    /// Does them all, or the one of `HOLDALL_MODEL_SEED`.
    pub(crate) fn hold(&self) {
        if let Ok(text) = std::env::var("HOLDALL_MODEL_SEED") {
            let (habit, seed) = text.split_once(',').expect("<habit>,<seed>");
            let habit = HABITS.into_iter().find(|known| format!("{known:?}") == habit).expect("a habit");
            let wrong = self.one(habit, seed.parse().expect("a number"));
            return assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
        }
        let (usual, long) = self.operations;
        let usual = if std::env::var_os("HOLDALL_SEED").is_some() { usual } else { usual / 10 };
        let (runs, first) = (proof::size(usual, long) / LENGTH as u64, proof::seed(self.name));
        let wrong = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for part in 0..self.threads {
                let wrong = &wrong;
                scope.spawn(move || {
                    for number in (part..runs).step_by(self.threads as usize) {
                        let habit = HABITS[number as usize % HABITS.len()];
                        let found = self.one(habit, first.wrapping_add(number));
                        let mut wrong = wrong.lock().unwrap();
                        wrong.extend(found);
                        if wrong.len() >= TOLD {
                            break;
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{} runs went wrong:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Runs one seed; the shortest run that goes wrong, and how, if it does.
    fn one(&self, habit: Habit, seed: u64) -> Option<String> {
        let ops = sequence(seed, habit, self.domain, LENGTH);
        let why = (self.fails)(&ops)?;
        // Who breaks a rule knows what is wrong.
        let broken = std::env::var_os("HOLDALL_FAULT").is_some();
        let (ops, why) = if broken { (ops, why) } else { shrink(ops, &self.fails) };
        let lines: Vec<String> = ops.iter().map(|op| format!("  {op:?}")).collect();
        let again = format!("HOLDALL_MODEL_SEED={habit:?},{seed} {}", self.command);
        Some(format!("{why}\n{}\n{} operations; again with {again}\n", lines.join("\n"), ops.len()))
    }
}

/// How a run on a runtime of its own goes wrong, if it does; a panic is a way to.
pub(crate) fn failure(mut runtime: Builder, run: impl Future<Output = Same>) -> Option<String> {
    let runtime = runtime.enable_all().build().unwrap();
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on(run))) {
        Ok(done) => done.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(text.unwrap_or_else(|| "a panic".into()))
        }
    }
}

/// Whether the model and a system show the same, and what they do not.
pub(crate) type Same = Result<(), String>;

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, model: T, shown: T) -> Same {
    if model == shown {
        Ok(())
    } else {
        Err(format!("{what}: the model has\n{model:?}, shown is\n{shown:?}"))
    }
}
