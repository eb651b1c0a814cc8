//! Random operations on a small model and on the domain over a simulated disk, held against each
//! other after each of them.
//!
//! [`state`] and [`rules`] are the model: a map of keys to versions and what hangs on them, written
//! from design.md and free of every type of the domain, so that `tests/it/model` holds it against
//! the doors as well. [`make`] makes operations from a seed, [`shrink`] makes a run that goes wrong
//! short. `HOLDALL_MODEL_SEED=<habit>,<seed>` runs one again.

mod act;
mod make;
mod names;
mod op;
mod rules;
mod run;
mod seen;
mod shrink;
mod state;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

use crate::{proof, store::io::Site};
use make::{HABITS, Habit, sequence};
use op::{Op, World};

/// Operations of one run, and of all runs. By hand, without the seed that `conformance/run` gives, it
/// is a tenth of them.
const LENGTH: usize = 100;
const OPERATIONS: u64 = 80_000;
const LONG: u64 = 4_000_000;

fn usual() -> u64 {
    if std::env::var_os("HOLDALL_SEED").is_some() { OPERATIONS } else { OPERATIONS / 10 }
}

/// How a run goes wrong, if it does.
fn fails(ops: &[Op], skip: Option<Site>) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on(run::run(ops, skip)))) {
        Ok(done) => done.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default())
        }
    }
}

/// Runs that are told of before the others are left out.
const TOLD: usize = 6;

/// Runs one seed; the shortest run that goes wrong, and how, if it does.
fn one(habit: Habit, seed: u64) -> Option<String> {
    let ops = sequence(seed, habit, true, LENGTH);
    fails(&ops, None)?;
    let (ops, why) = shrink::shrink(ops, &|ops| fails(ops, None));
    let lines: Vec<String> = ops.iter().map(|op| format!("  {op:?}")).collect();
    let again = format!("HOLDALL_MODEL_SEED={habit:?},{seed} cargo test --lib model::the");
    Some(format!("{why}\n{}\n{} operations; again with {again}\n", lines.join("\n"), ops.len()))
}

#[test]
fn the_domain_does_what_the_model_says() {
    if let Ok(text) = std::env::var("HOLDALL_MODEL_SEED") {
        let (habit, seed) = text.split_once(',').expect("<habit>,<seed>");
        let habit = HABITS.into_iter().find(|known| format!("{known:?}") == habit).expect("a habit");
        let wrong = one(habit, seed.parse().unwrap());
        return assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
    let runs = proof::size(usual(), LONG) / LENGTH as u64;
    let first = proof::seed("model");
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for part in 0..2 {
            let wrong = &wrong;
            scope.spawn(move || {
                for number in (part..runs).step_by(2) {
                    let found = one(HABITS[number as usize % HABITS.len()], first.wrapping_add(number));
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

/// Shows that a fault is found, and that what is told of it is short.
#[test]
fn a_sync_that_is_left_out_is_told_of_in_few_operations() {
    for site in [Site::SegmentData, Site::Meta] {
        let wrong = |ops: &[Op]| fails(ops, Some(site));
        let runs = (0..200).map(|seed| sequence(seed, Habit::Narrow, true, LENGTH));
        let found = runs.into_iter().find(|ops| wrong(ops).is_some()).expect("a run that goes wrong");
        let (ops, why) = shrink::shrink(found, &wrong);
        assert!(ops.len() <= 6, "{site:?}: {why}: {ops:#?}");
        assert!(ops.iter().any(|op| matches!(op, Op::World(World::Cut { .. }))), "{site:?}: {ops:#?}");
    }
}
