//! Holdall: one store, every door. The same files through S3, WebDAV and JSON, kept once.
//!
//! # Rooms
//!
//! | Room | What it is | May import |
//! |---|---|---|
//! | [`model`] | nouns and pure functions: no I/O, no async, no clock | – |
//! | [`store`] | remembers bytes and rows; synchronous; knows no permission | model |
//! | [`outside`] | the world we call: each a small trait with a real one and a fake | model |
//! | [`domain`] | the rules: one struct, [`domain::Holdall`], and its verbs | store, outside, model |
//! | [`doors::gate`] | accepts, limits, recognises, routes | domain, model |
//! | [`doors`] `s3`, `dav`, `api` | each translates one protocol, side by side | gate, domain, model |
//! | [`telemetry`] | sets logging up | – |
//! | [`config`] | settings, from the file, variables and flags | model |
//! | [`server`] | opens doors on a system that is there | doors, domain, outside, model |
//! | [`cli`] | the command line; puts the parts together | all |
//!
//! Nothing imports a door, and each heavy library has one home. `tests/it/layering` holds both
//! tables and reads `src` against them.
//!
//! # A PUT, walked through
//!
//! `doors::gate` accepts the connection and routes the request; `doors::s3` checks its signature
//! and hands a decoded stream on; `domain::put` begins, and `domain::body` gives blocks of it to
//! two blocking threads: one cuts, hashes, compares and appends chunks to a lane of
//! `store::segments`, one computes the digests S3 wants. At the end the declared length and
//! digests are verified. `store::Store::commit` waits until the lane is synced and queues the
//! verb; the committer of `store::meta` runs it in the next group: `domain::act` asks
//! `domain::access`, `domain::tree` finds the place, conditions, locks and quota are decided,
//! `domain::history` writes the version, and one journal row tells of it. The answer follows the
//! group's sync.
//!
//! A MOVE of a folder takes the same way without bytes: `domain::transfer` unlinks one row and
//! links it elsewhere, however much is below.
//!
//! A GET asks twice for rows: who signed, and what stands there. `domain::lanes` runs such a look
//! on the async worker itself, on the last committed state, which `store::meta` opens once for all
//! who look between two commits; the committer lets go of it before it answers, so an answered
//! change counts from the next request on. What has to be read from the disk is waited for on
//! another thread's time: the worker's other tasks go on. The bytes of a small file are read the
//! same way, and verified each time.
//!
//! # Invariants
//!
//! | | What always holds | Shown by |
//! |---|---|---|
//! | 1 | No door type below the doors; each heavy library in one room | `tests/it/layering` |
//! | 2 | Every verb takes a caller and decides; the verdict is the same through every door | `tests/it/matrix`: `every_method_of_webdav_lets_through_whom_it_must`, `every_operation_of_s3_lets_through_whom_it_must`, `both_doors_give_the_same_verdict` |
//! | 3 | One transaction makes a verb visible, its preconditions and journal row in it | `domain::tests`: `end::of_many_writers_that_ask_for_a_free_name_one_wins`, `crash::what_was_acknowledged_is_seen_in_every_crash_image` |
//! | 4 | The answer to a write, and a refusal, follows the sync of its group | `store::tests`: every sync left out is noticed |
//! | 5 | Nothing half-written is visible; what was declared is verified before the commit | `tests/it/badinput` |
//! | 6 | Bytes read are bytes written, or an error | `store::tests::bodies`, `store::segments::tests`, `store::scrub::tests`, `domain::tests::decay`, `tests/it/damaged` |
//! | 7 | Bytes are freed only by the collector, never from a view that met an error; no clock decides | `store::collect::tests`, `store::tests::{crashes, schedules, threads}`, `conformance/gc` |
//! | 8 | A path is parsed once, into a type; conditions once, and only the commit decides | `model::address`, `model::condition` |
//! | 9 | Errors keep their kind until a door; each door maps every kind | `tests/it/errors` |
//! | 10 | Memory holds nothing a restart may lose; no static state | `tests/it/restart`: `what_was_written_is_there_when_the_server_starts_again`; `tests/it/layering`: `every_file_imports_only_what_its_room_may` (nor holds a `static` with state); `conformance/kill` |
//! | 11 | A failed sync ends acknowledgements and is never retried | `store::meta::tests::failure` |
//! | 12 | Nothing a client asks for is silently dropped | `doors::s3::allow`, `tests/it/badinput` |

pub mod cli;
pub mod config;
pub mod domain;
pub mod doors;
pub mod model;
pub mod outside;
#[cfg(test)]
mod proof;
#[cfg(test)]
#[path = "../tests/it/proving.rs"]
mod proving;
pub mod server;
pub mod store;
pub mod telemetry;

// What is shared with `tests/it` names the crate, and finds its own root here.
#[cfg(test)]
extern crate self as holdall;
#[cfg(test)]
use proving::common;
