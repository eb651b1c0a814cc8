//! Uploads that are cut off every 64 KiB through both doors.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use holdall::domain::{SegmentUsage, caller::Caller};
use md5::{Digest, Md5};
use tokio::{io::AsyncWriteExt as _, time::sleep};

use super::content;
use crate::{
    common::{ask::Ask, wire::Raw, world::World},
    proof::{self, Dice},
};

const STEP: usize = 64 << 10;
/// Uploads under way at once.
const AT_ONCE: usize = 25;

fn noise(dice: &mut Dice, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| dice.next().to_le_bytes()).flatten().take(length).collect()
}

/// The ways a body comes in, each with a request for new content of 1 MiB and a bit.
fn ways(world: &World, part: &str, dice: &mut Dice) -> Vec<Ask> {
    let mut new = || noise(dice, (1 << 20) + 1000);
    let by_key = |target: &str, body: Vec<u8>| world.signer("olga").sign(Ask::new("PUT", target).body(body));
    let by_path = |target: &str, body: Vec<u8>| world.basic("olga", Ask::new("PUT", target).body(body));
    let in_chunks = |body: Vec<u8>| {
        let size = body.len();
        let pieces: Vec<u8> = body
            .chunks(STEP)
            .flat_map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
            .chain(*b"0\r\n\r\n")
            .collect();
        let ask = Ask::new("PUT", "/dav/olga/file").with("transfer-encoding", "chunked");
        world.basic("olga", ask.with("x-expected-entity-length", &size.to_string())).body(pieces)
    };
    let signed = {
        let body = new();
        let pieces: Vec<&[u8]> = body.chunks(STEP).collect();
        world.signer("olga").in_chunks(Ask::new("PUT", "/olga/file"), &pieces, &[])
    };
    vec![
        by_key("/olga/file", new()),
        by_path("/dav/olga/file", new()),
        by_key("/olga/never", new()),
        by_path("/dav/olga/never", new()),
        by_key(part, new()),
        in_chunks(new()),
        signed,
    ]
}

/// Sends so much of it and leaves, at once or after a moment, with a word or without.
async fn cut_off(world: &World, ask: &Ask, sent: usize, how: u64) {
    let mut raw = Raw::connect(world.server.address()).await;
    raw.send(ask.head()).await;
    // The server may have refused it by now.
    let _ = raw.stream.write_all(&ask.body[..sent]).await;
    match how {
        0 => {}
        1 => sleep(Duration::from_millis(10)).await,
        _ => {
            let _ = raw.stream.shutdown().await;
            let reply = raw.reply().await;
            assert!(reply.as_ref().is_none_or(|reply| reply.status == 400), "{reply:?}");
        }
    }
}

/// What the store holds when all that can be collected is.
async fn settled(world: &World) -> SegmentUsage {
    for _ in 0..2 {
        let collected = world.holdall().collect(&Caller::Operator, true).await.unwrap();
        assert_eq!(collected.aborted, None);
    }
    world.holdall().space(&Caller::Operator).await.unwrap().segments
}

/// Everything an upload has while it is under way is given back.
async fn given_back(world: &World, before: SegmentUsage) {
    let began = Instant::now();
    loop {
        let memory = world.holdall().memory_use(&Caller::Operator).unwrap().taken_bytes;
        let now = settled(world).await;
        let same = (now.chunks, now.live_bytes) == (before.chunks, before.live_bytes);
        if memory == 0 && same && now.dead_bytes <= before.dead_bytes + (1 << 20) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{memory} bytes of memory, {before:?}, {now:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_cut_off_anywhere_leaves_the_old_version_and_no_bytes() {
    let world = World::start().await;
    let mut dice = Dice(proof::seed("aborts"));
    let old = noise(&mut dice, 300_000);
    let put = world.signer("olga").sign(Ask::new("PUT", "/olga/file").body(old.clone()));
    assert_eq!(world.ask(&put).await.status, 200);
    let (upload, _) = world.upload("olga", "parts").await;
    let part = format!("/olga/parts?uploadId={upload}&partNumber=1");
    let (before, space) = (world.state().await, settled(&world).await);
    let (mut done, all) = (0, usize::try_from(proof::size(300, 10_000)).unwrap());
    while done < all {
        let ways = ways(&world, &part, &mut dice);
        let cuts = (done..all.min(done + AT_ONCE)).map(|n| {
            let ask = &ways[n % ways.len()];
            // At each step, before it and behind it; never the whole.
            let step = (n / ways.len()) % (ask.body.len() / STEP + 1) * STEP;
            let sent = (step + usize::try_from(dice.roll(3)).unwrap()).saturating_sub(1);
            cut_off(&world, ask, sent.min(ask.body.len() - 1), dice.roll(3))
        });
        let cuts: Vec<_> = cuts.collect();
        done += cuts.len();
        join_all(cuts).await;
        assert!(content(&world, "file").await.is_some_and(|found| found == old), "after {done}");
        assert_eq!(content(&world, "never").await, None, "after {done}");
    }
    given_back(&world, space).await;
    assert_eq!(before, world.state().await);
    let report = world.holdall().check(&Caller::Operator).await.unwrap();
    assert!(report.is_clean(), "{report:#?}");
}

/// More than it says is no part of it, nor the next request.
#[tokio::test]
async fn what_comes_behind_the_declared_length_is_nothing() {
    let world = World::start().await;
    let before = world.state().await;
    let text = "forged\r\nDELETE /dav/olga/file HTTP/1.1\r\nhost: test\r\n\r\n";
    let md5 = STANDARD.encode(Md5::digest(text));
    let put = |target| Ask::new("PUT", target).with("content-length", "6").body(text);
    for ask in [
        world.signer("olga").sign(put("/olga/file").with("content-md5", &md5)),
        world.signer("olga").sign(put("/olga/file")),
        world.basic("olga", put("/dav/olga/file").with("content-md5", &md5)),
        world.basic("olga", put("/dav/olga/file").with("x-expected-entity-length", &text.len().to_string())),
        world.basic("olga", put("/dav/olga/file").with("oc-total-length", &text.len().to_string())),
    ] {
        let reply = ask.send(world.server.address()).await.expect("an answer");
        assert_eq!(reply.status, 400, "{:?}: {}", ask.headers, reply.text());
        assert!(!reply.text().contains("HTTP/1.1"), "two answers: {}", reply.text());
        assert_eq!(before, world.state().await, "{:?}", ask.headers);
    }
}
