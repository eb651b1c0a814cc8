//! The rooms of `tests/it` that must notice a broken rule, a second time among the library's own
//! tests: rules can be broken in no other build. `store::tests::caught` runs them there, one rule
//! broken at a time; whoever runs everything leaves them out (`--skip proving::`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "as in main.rs")]
#![allow(clippy::duplicate_mod, reason = "the model is also that of `domain::tests`")]

pub(crate) mod common;
mod linear;
mod model;
mod moving;
mod uploads;
