//! Random operations through S3 and WebDAV together, held against the model of
//! `domain::tests::model`: literal keys go through S3, paths through WebDAV, and what was done
//! through one door is looked at through both. The server runs in this process on a simulated
//! disk, so that the power can be cut and the clock set.
//!
//! `HOLDALL_MODEL_SEED=<habit>,<seed>` runs one again.

mod act;
#[path = "../../../src/domain/tests/model/compare.rs"]
mod compare;
mod doors;
#[path = "../../../src/domain/tests/model/make.rs"]
mod make;
#[path = "../../../src/domain/tests/model/op.rs"]
mod op;
#[path = "../../../src/domain/tests/model/rules/mod.rs"]
mod rules;
#[path = "../../../src/domain/tests/model/runs.rs"]
mod runs;
mod seen;
#[path = "../../../src/domain/tests/model/shrink.rs"]
mod shrink;
#[path = "../../../src/domain/tests/model/state.rs"]
mod state;

use tokio::runtime::Builder;

use op::Op;
use runs::{Runs, failure};

/// How a run goes wrong, if it does.
fn fails(ops: &[Op]) -> Option<String> {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1);
    failure(runtime, doors::run(ops))
}

#[test]
fn both_doors_show_what_the_model_says() {
    let runs = Runs {
        name: "model through doors",
        command: "cargo test --test it model::both",
        domain: false,
        operations: (20_000, 1_000_000),
        threads: 1,
        fails,
    };
    runs.hold();
}
