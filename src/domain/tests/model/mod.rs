//! Random operations on a small model and on the domain over a simulated disk, held against each
//! other after each of them.
//!
//! [`state`] and [`rules`] are the model: a map of keys to versions and what hangs on them, written
//! from design.md and free of every type of the domain, so that `tests/it/model` holds it against
//! the doors as well. [`make`] makes operations from a seed, [`shrink`] makes a run that goes wrong
//! short, [`runs`] does many of them. `HOLDALL_MODEL_SEED=<habit>,<seed>` runs one again.

mod act;
mod compare;
pub(in crate::domain::tests) mod make;
mod names;
mod op;
mod rules;
mod run;
mod runs;
mod seen;
mod shrink;
mod state;

use tokio::runtime::Builder;

use crate::store::io::Site;
use make::{Habit, sequence};
use op::{Op, World};
use runs::{LENGTH, Runs, failure};

/// How a run goes wrong, if it does.
fn fails(ops: &[Op], skip: Option<Site>) -> Option<String> {
    failure(Builder::new_current_thread(), run::run(ops, skip))
}

#[test]
fn the_domain_does_what_the_model_says() {
    let runs = Runs {
        name: "model",
        command: "cargo test --lib model::the",
        domain: true,
        operations: (80_000, 4_000_000),
        threads: 2,
        fails: |ops| fails(ops, None),
    };
    runs.hold();
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
