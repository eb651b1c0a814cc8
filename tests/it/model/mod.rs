//! Random operations through S3 and WebDAV together, held against the model of
//! `domain::tests::model`: literal keys go through S3, paths through WebDAV, and what was done
//! through one door is looked at through both. The server runs in this process on a simulated
//! disk, so that the power can be cut and the clock set.
//!
//! `HOLDALL_MODEL_SEED=<habit>,<seed>` runs one again.

mod act;
mod doors;
#[path = "../../../src/domain/tests/model/make.rs"]
mod make;
#[path = "../../../src/domain/tests/model/op.rs"]
mod op;
#[path = "../../../src/domain/tests/model/rules/mod.rs"]
mod rules;
mod seen;
#[path = "../../../src/domain/tests/model/shrink.rs"]
mod shrink;
#[path = "../../../src/domain/tests/model/state.rs"]
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::proof;
use make::{HABITS, Habit, sequence};
use op::Op;

/// Operations of one run, and of all runs. By hand, without the seed that `conformance/run` gives, it
/// is a tenth of them.
const LENGTH: usize = 100;
const OPERATIONS: u64 = 20_000;
const LONG: u64 = 1_000_000;
/// Runs that are told of before the others are left out.
const TOLD: usize = 4;

fn usual() -> u64 {
    if std::env::var_os("HOLDALL_SEED").is_some() { OPERATIONS } else { OPERATIONS / 10 }
}

/// How a run goes wrong, if it does.
fn fails(ops: &[Op]) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on(doors::run(ops)))) {
        Ok(done) => done.err(),
        Err(panic) => Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into())),
    }
}

/// Runs one seed; the shortest run that goes wrong, and how, if it does.
fn one(habit: Habit, seed: u64) -> Option<String> {
    let ops = sequence(seed, habit, false, LENGTH);
    fails(&ops)?;
    let (ops, why) = shrink::shrink(ops, &fails);
    let lines: Vec<String> = ops.iter().map(|op| format!("  {op:?}")).collect();
    let again = format!("HOLDALL_MODEL_SEED={habit:?},{seed} cargo test --test it model::both");
    Some(format!("{why}\n{}\n{} operations; again with {again}\n", lines.join("\n"), ops.len()))
}

#[test]
fn both_doors_show_what_the_model_says() {
    if let Ok(text) = std::env::var("HOLDALL_MODEL_SEED") {
        let (habit, seed) = text.split_once(',').expect("<habit>,<seed>");
        let habit = HABITS.into_iter().find(|known| format!("{known:?}") == habit).expect("a habit");
        let wrong = one(habit, seed.parse().unwrap());
        return assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
    let first = proof::seed("model through doors");
    let mut wrong = Vec::new();
    for number in 0..proof::size(usual(), LONG) / LENGTH as u64 {
        wrong.extend(one(HABITS[number as usize % HABITS.len()], first.wrapping_add(number)));
        if wrong.len() >= TOLD {
            break;
        }
    }
    assert!(wrong.is_empty(), "{} runs went wrong:\n{}", wrong.len(), wrong.join("\n"));
}
