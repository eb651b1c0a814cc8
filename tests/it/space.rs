//! What `/-/metrics` tells of space, as bytes come, are shared and go.

use std::collections::BTreeMap;

use holdall::domain::caller::Caller;

use crate::{
    common::{ask::Ask, world::World},
    proof::Dice,
};

/// Of a record beside its bytes, which do not pack: its header, and what rounds it up.
const RECORD: [i64; 2] = [136, 136 + 7];
/// Before the first record of a segment.
const SEGMENT_HEADER: i64 = 4096;

struct Measured(World);

impl Measured {
    async fn new() -> Self {
        let it = Self(World::start().await);
        it.send(Ask::new("PUT", "/measured"), 200).await;
        it
    }

    async fn send(&self, ask: Ask, status: u16) {
        let reply = self.0.ask(&self.0.signer("olga").sign(ask)).await;
        assert_eq!(reply.status, status, "{}", reply.head);
    }

    /// The counts after a collection.
    async fn counts(&self, compact: bool) -> BTreeMap<String, i64> {
        let collected = self.0.holdall().collect(&Caller::Operator, compact).await.unwrap();
        assert_eq!(collected.aborted, None);
        let reply = self.0.ask(&self.0.basic("adam", Ask::new("GET", "/-/metrics"))).await;
        assert_eq!(reply.status, 200, "{}", reply.head);
        let counts = reply.text().lines().filter_map(|line| {
            let (name, count) = line.split_once(' ')?;
            Some((name.strip_prefix("holdall_")?.to_owned(), count.parse().ok()?))
        });
        counts.collect()
    }
}

/// What grew, by name.
fn grown<const N: usize>(
    before: &BTreeMap<String, i64>,
    now: &BTreeMap<String, i64>,
    names: [&str; N],
) -> [i64; N] {
    names.map(|name| now[name] - before[name])
}

const COUNTS: [&str; 4] = ["logical_bytes", "deduplicated_bytes", "chunks", "live_bytes"];

fn assert_stores(chunks: i64, bytes: i64, live: i64) {
    let [least, most] = RECORD.map(|record| bytes + chunks * record);
    assert!((least..=most).contains(&live), "{live} bytes for {bytes} in {chunks} chunks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_live_dead_and_deduplicated_bytes_as_they_are() {
    let (it, mut dice) = (Measured::new().await, Dice(7));
    let mut noise = |length: usize| (0..length).map(|_| dice.roll(256) as u8).collect::<Vec<u8>>();
    let (first, other) = (noise(300_000), noise(200_000));
    let empty = it.counts(true).await;

    it.send(Ask::new("PUT", "/measured/first").body(first.clone()), 200).await;
    it.send(Ask::new("PUT", "/measured/other").body(other), 200).await;
    let two = it.counts(false).await;
    let [logical, saved, chunks, live] = grown(&empty, &two, COUNTS);
    assert_eq!((logical, saved), (500_000, 0));
    assert_stores(chunks, 500_000, live);

    // The same content: nothing is stored.
    it.send(Ask::new("PUT", "/measured/again").body(first), 200).await;
    let shared = it.counts(false).await;
    assert_eq!(grown(&two, &shared, COUNTS), [300_000, 300_000, 0, 0]);
    assert_eq!(shared["dead_bytes"], two["dead_bytes"]);

    // What is deleted is dead until it is moved away from.
    it.send(Ask::new("DELETE", "/measured/other"), 204).await;
    let deleted = it.counts(false).await;
    let [logical, saved, chunks, live] = grown(&shared, &deleted, COUNTS);
    assert_eq!((logical, saved), (-200_000, 0));
    assert_stores(-chunks, 200_000, -live);
    assert_eq!(deleted["dead_bytes"] - shared["dead_bytes"], -live);
    let compacted = it.counts(true).await;
    assert_eq!(grown(&deleted, &compacted, COUNTS), [0; 4]);
    assert_eq!(compacted["dead_bytes"], compacted["segments"] * SEGMENT_HEADER, "all else was given back");

    // One of two that share it, and then the last.
    it.send(Ask::new("DELETE", "/measured/first"), 204).await;
    let one = it.counts(true).await;
    assert_eq!(grown(&compacted, &one, COUNTS), [-300_000, -300_000, 0, 0]);
    it.send(Ask::new("DELETE", "/measured/again"), 204).await;
    let none = it.counts(true).await;
    assert_eq!(grown(&empty, &none, COUNTS), [0; 4]);
    assert_eq!(none["dead_bytes"], none["segments"] * SEGMENT_HEADER);
}
