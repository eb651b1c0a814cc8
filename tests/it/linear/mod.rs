//! Conditions are decided in the commit: whatever twenty clients do to the same keys through both
//! doors, with power cuts and clients that lose patience in between, there is an order of it all
//! that explains every answer.

mod checker;
mod history;
mod load;

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use futures::future::join_all;

use crate::{
    common::{ask::Ask, sim::SimServer, world::World},
    proof::{self, Dice},
};
use history::{Answer, Kind, Op};
use load::{ASIDE, Client, KEYS, Shared};

const CLIENTS: u64 = 20;
/// Operations of a history.
const OPERATIONS: u64 = 2000;
/// Changes of the disk until the power goes, at most.
const CHANGES: u64 = 6000;

/// A history, and how often the power was cut.
async fn record(seed: u64) -> (Vec<Op>, u64) {
    let (mut server, mut dice, mut cuts) = (SimServer::start().await, Dice(seed), 0);
    let olga = server.olga();
    if dice.roll(2) == 0 {
        let text = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let ask = olga.s3(Ask::new("PUT", "/olga?versioning").body(text));
        assert_eq!(ask.send(server.address()).await.unwrap().status, 200);
    }
    let aside = olga.dav(Ask::new("MKCOL", &format!("/dav/olga/{ASIDE}")));
    assert_eq!(aside.send(server.address()).await.unwrap().status, 201);
    let shared = Arc::new(Shared::new(olga, OPERATIONS));
    while !shared.is_over() {
        server.disk.crash_after(dice.roll(CHANGES));
        let down = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|_| Client {
            shared: Arc::clone(&shared),
            address: server.address(),
            disk: server.disk.clone(),
            down: Arc::clone(&down),
            dice: Dice(dice.next()),
        });
        let running: Vec<_> = clients.map(|client| tokio::spawn(client.run())).collect();
        join_all(running).await.into_iter().for_each(|ended| ended.unwrap());
        server = server.after_cut(dice.next()).await;
        shared.settle();
        cuts += 1;
    }
    let disk = server.disk.clone();
    let last = |dice: &mut Dice| Client {
        shared: Arc::clone(&shared),
        address: server.address(),
        disk: disk.clone(),
        down: Arc::default(),
        dice: Dice(dice.next()),
    };
    last(&mut dice).read_all().await;
    server.assert_clean(&format!("history {seed}")).await;
    (shared.ops(), cuts)
}

/// What one key went through around an answer that nothing explains.
fn told(ops: &[Op], stuck: &Op) -> String {
    let mut text = String::new();
    let near = |op: &&Op| op.to + 400 > stuck.from && op.from < stuck.to + 50;
    for op in ops.iter().filter(near) {
        let Op { from, to, kind, answer, how, .. } = op;
        writeln!(text, "{from:>7} to {to:>7}  {how}: {kind:?} gave {answer:?}").unwrap();
    }
    text
}

fn judge(ops: &[Op], seed: u64) {
    for key in 0..KEYS {
        let mut of_key: Vec<Op> = ops.iter().filter(|op| op.key == key).copied().collect();
        of_key.retain(|op| (op.kind, op.answer) != (Kind::Read, Answer::Unknown));
        of_key.sort_by_key(|op| op.from);
        if let Err(violation) = checker::check(&of_key) {
            let stuck = &violation.stuck;
            panic!(
                "no order explains this answer, with {} there before it: {stuck:?}\n{}\n\
                 again, on another schedule: HOLDALL_HISTORY={seed} cargo test --release --test it -- linear::",
                violation.state,
                told(&of_key, stuck)
            );
        }
    }
}

/// P5: "A conditional write is linearizable per key, across all doors."
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_explains_every_answer_whatever_the_power_does() {
    let one = std::env::var("HOLDALL_HISTORY").ok().map(|seed| seed.parse().unwrap());
    let mut dice = Dice(proof::seed("linear"));
    let (mut ops, mut cuts, mut unknown, mut longest) = (0, 0, 0, 0.0_f64);
    for _ in 0..one.map_or(proof::size(10, 1000), |_| 1) {
        let seed = one.unwrap_or_else(|| dice.next());
        let (history, cut) = record(seed).await;
        let began = Instant::now();
        judge(&history, seed);
        longest = longest.max(began.elapsed().as_secs_f64());
        ops += history.len();
        cuts += cut;
        unknown += history.iter().filter(|op| op.answer == Answer::Unknown).count();
    }
    println!(
        "{ops} operations, {cuts} power cuts, {unknown} without an answer, checked in {longest:.2} s at most"
    );
    assert!(cuts > 0 && unknown > 0, "nothing went wrong in these histories");
}

/// Sixty-four requests for the same free name.
async fn contenders(world: &World, round: u64) -> Vec<Ask> {
    let (signer, name) = (world.signer("olga"), format!("race-{round}"));
    let mut asks = Vec::new();
    for n in 0..64 {
        let text = format!("writer {n} of {round}");
        let source = format!("source-{n}");
        let by_key = || Ask::new("PUT", &format!("/olga/{name}")).with("if-none-match", "*");
        let to = |method: &str| {
            let ask = Ask::new(method, &format!("/dav/olga/{source}"));
            world.basic("olga", ask.with("destination", &format!("/dav/olga/{name}")).with("overwrite", "F"))
        };
        if matches!(n % 8, 5..8) {
            let put = Ask::new("PUT", &format!("/olga/{source}")).body(text.clone());
            assert_eq!(world.ask(&signer.sign(put)).await.status, 200);
        }
        asks.push(match n % 8 {
            0 | 1 => signer.sign(by_key().body(text)),
            2 | 3 => {
                let ask = Ask::new("PUT", &format!("/dav/olga/{name}")).with("if-none-match", "*");
                world.basic("olga", ask.body(text))
            }
            4 => {
                let (id, etag) = world.upload("olga", &name).await;
                let document = format!(
                    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
                     </CompleteMultipartUpload>"
                );
                let ask = Ask::new("POST", &format!("/olga/{name}?uploadId={id}")).with("if-none-match", "*");
                signer.sign(ask.body(document))
            }
            5 => signer.sign(by_key().with("x-amz-copy-source", &format!("olga/{source}"))),
            6 => to("COPY"),
            _ => to("MOVE"),
        });
    }
    asks
}

/// floci#1328: three of 64 won; RustFS#1659.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_writers_through_both_doors_who_ask_for_a_free_name_one_wins() {
    let world = World::start().await;
    for round in 0..proof::size(20, 200) {
        let asks = contenders(&world, round).await;
        let replies = join_all(asks.iter().map(|ask| world.ask(ask))).await;
        let won: Vec<usize> = (0..64).filter(|n| matches!(replies[*n].status, 200 | 201)).collect();
        assert_eq!(won.len(), 1, "round {round}: {:?}", won.iter().map(|n| &asks[*n]).collect::<Vec<_>>());
        for (ask, reply) in asks.iter().zip(&replies) {
            assert!(
                matches!(reply.status, 200 | 201 | 412),
                "{} {}: {}",
                ask.method,
                ask.target,
                reply.text()
            );
        }
        let winner = won[0];
        let got = world.ask(&world.basic("olga", Ask::new("GET", &format!("/dav/olga/race-{round}")))).await;
        let wanted = if winner % 8 == 4 { "a part".into() } else { format!("writer {winner} of {round}") };
        assert_eq!((got.status, got.text()), (200, wanted.as_str()), "round {round}");
    }
}
