//! Twenty clients that change the same keys through both doors and write down what they were told.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use holdall::store::io::{Io as _, sim::SimDisk};
use md5::{Digest, Md5};
use tokio::time::sleep;

use super::history::{Answer, Cond, Content, Kind, NOTHING, Op};
use crate::{
    common::{
        ask::Ask,
        sim::Olga,
        wire::{Raw, Reply},
    },
    proof::Dice,
};

pub(crate) const KEYS: usize = 6;
/// The folder of what only one client knows.
pub(crate) const ASIDE: &str = "aside";

/// What all clients of a history share.
pub(crate) struct Shared {
    pub(crate) olga: Olga,
    clock: AtomicU64,
    left: AtomicU64,
    fresh: AtomicU64,
    ops: Mutex<Vec<Op>>,
    contents: Mutex<Contents>,
    /// What each key held when somebody last learned it.
    seen: Mutex<[Content; KEYS]>,
}

/// Contents by tag and by number, with their bytes.
#[derive(Default)]
struct Contents {
    numbers: HashMap<String, Content>,
    known: Vec<(String, Vec<u8>)>,
}

/// One of the clients, while the server it talks to runs.
pub(crate) struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: SocketAddr,
    pub(crate) disk: SimDisk,
    /// Somebody saw that the power is off.
    pub(crate) down: Arc<AtomicBool>,
    pub(crate) dice: Dice,
}

/// A request that is still to be signed, with what it means.
struct Plan {
    ask: Ask,
    kind: Kind,
    how: &'static str,
}

fn tag_of(reply: &Reply) -> Option<String> {
    Some(reply.header("etag")?.trim_matches('"').to_owned())
}

impl Shared {
    pub(crate) fn new(olga: Olga, ops: u64) -> Self {
        Self {
            olga,
            clock: AtomicU64::new(1),
            left: AtomicU64::new(ops),
            fresh: AtomicU64::new(1),
            ops: Mutex::default(),
            contents: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left.load(SeqCst) == 0
    }

    fn take_one(&self) -> bool {
        self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
    }

    /// From here on nothing that is without an answer can take effect any more.
    pub(crate) fn settle(&self) {
        let mut ops = self.ops.lock().unwrap();
        ops.iter_mut().filter(|op| op.to == u64::MAX).for_each(|op| op.to = self.now());
    }

    pub(crate) fn ops(&self) -> Vec<Op> {
        self.ops.lock().unwrap().clone()
    }

    fn learn(&self, tag: String, bytes: &[u8]) -> Content {
        let mut contents = self.contents.lock().unwrap();
        contents.known.push((tag.clone(), bytes.to_vec()));
        let number = Content::try_from(contents.known.len()).unwrap();
        assert_eq!(contents.numbers.insert(tag, number), None, "every content is new");
        number
    }

    /// Bytes nobody has written yet, and their number.
    fn fresh(&self, dice: &mut Dice) -> (Vec<u8>, Content) {
        let number = self.fresh.fetch_add(1, SeqCst);
        // A few are longer than what is kept in one chunk.
        let length = if dice.roll(50) == 0 { 70_000 + dice.roll(60_000) } else { dice.roll(3000) };
        let mut bytes = format!("content {number} ").into_bytes();
        bytes.resize(bytes.len() + usize::try_from(length).unwrap(), b'.');
        let tag = hex::encode(Md5::digest(&bytes));
        let content = self.learn(tag, &bytes);
        (bytes, content)
    }

    fn tag(&self, content: Content) -> String {
        let contents = self.contents.lock().unwrap();
        let found = contents.known.get((content as usize).wrapping_sub(1));
        found.map_or_else(|| "0".repeat(32), |(tag, _)| tag.clone())
    }

    /// What a reader got. Its bytes must be those that were written under that tag.
    fn read(&self, reply: &Reply, with_body: bool) -> Content {
        if reply.status == 404 {
            return NOTHING;
        }
        let content = self.number(&tag_of(reply).expect("a file has a tag"));
        let contents = self.contents.lock().unwrap();
        let whole = !with_body || contents.known[content as usize - 1].1 == reply.body;
        assert!(whole, "content {content} has other bytes: {:?}", reply.head);
        content
    }

    fn number(&self, tag: &str) -> Content {
        let contents = self.contents.lock().unwrap();
        *contents.numbers.get(tag).unwrap_or_else(|| panic!("nobody wrote {tag}"))
    }
}

impl Client {
    /// Asks until there is nothing left to ask or the power is off.
    pub(crate) async fn run(mut self) {
        while !self.down.load(SeqCst) && self.shared.take_one() {
            let key = usize::try_from(self.dice.roll(KEYS as u64)).unwrap();
            if self.one(key).await.is_none() {
                self.down.store(true, SeqCst);
            }
        }
    }

    /// Reads every key through both doors.
    pub(crate) async fn read_all(mut self) {
        for key in 0..KEYS {
            for door in 0..3 {
                let plan = self.read(key, door);
                assert!(self.carry_out(key, plan).await.is_some());
            }
        }
    }

    /// One operation; `None` if the server is no more.
    async fn one(&mut self, key: usize) -> Option<()> {
        let guess = self.shared.seen.lock().unwrap()[key];
        let cond = match self.dice.roll(3) {
            0 => Cond::Any,
            1 => Cond::Absent,
            _ => Cond::Is(guess),
        };
        let plan = match self.dice.roll(22) {
            0..3 => {
                let door = self.dice.roll(3);
                self.read(key, door)
            }
            3 => return self.list().await,
            4..7 => self.put_by_key(key, cond),
            7..11 => self.put_by_path(key, cond),
            11..13 => self.copy_by_key(key, cond).await?,
            13..15 => self.complete(key, cond).await?,
            15..17 => self.transfer(key, cond).await?,
            17..19 => self.remove(key, cond),
            _ => return self.take(key, cond).await,
        };
        self.carry_out(key, plan).await.map(drop)
    }

    /// Sends it and notes what came back: the operation's number in the history, and the answer
    /// unless the client left before it came.
    async fn carry_out(&mut self, key: usize, plan: Plan) -> Option<(usize, Option<Reply>)> {
        let Plan { ask, kind, how } = plan;
        let mut op = Op { key, from: self.shared.now(), to: u64::MAX, kind, answer: Answer::Unknown, how };
        let leaves = kind != Kind::Read && self.dice.roll(33) == 0;
        let reply = if leaves { self.leave(&ask).await } else { self.send(&ask).await };
        if let Some(reply) = reply.as_ref().filter(|_| !leaves) {
            op.to = self.shared.now();
            op.answer = self.answer(kind, reply, &ask);
            self.note(&op);
        }
        let mut ops = self.shared.ops.lock().unwrap();
        ops.push(op);
        // The power went off.
        if reply.is_none() && !leaves {
            return None;
        }
        Some((ops.len() - 1, reply))
    }

    /// A client that loses patience.
    async fn leave(&mut self, ask: &Ask) -> Option<Reply> {
        let mut raw = Raw::connect(self.address).await;
        raw.send(ask.head()).await;
        raw.send(&ask.body).await;
        sleep(Duration::from_micros(self.dice.roll(3000))).await;
        None
    }

    /// An answer; `None` if there is none, or none that says anything, which only happens while
    /// the power is off.
    async fn send(&self, ask: &Ask) -> Option<Reply> {
        let reply = ask.send(self.address).await.filter(|reply| reply.status < 500);
        if reply.is_none() {
            let off = self.disk.create_dir(&format!("off-{}", self.shared.now())).is_err();
            assert!(off, "{} {} failed, and the power is on", ask.method, ask.target);
        }
        reply
    }

    fn answer(&self, kind: Kind, reply: &Reply, ask: &Ask) -> Answer {
        match (kind, reply.status) {
            (Kind::Read, 200 | 404) => Answer::Read(self.shared.read(reply, ask.method == "GET")),
            (Kind::Write(content, _), 200 | 201 | 204) => {
                if let Some(tag) = tag_of(reply) {
                    assert_eq!(self.shared.number(&tag), content, "{} {}", ask.method, ask.target);
                }
                Answer::Done
            }
            (_, 200 | 201 | 204) => Answer::Done,
            (_, 412) => Answer::Failed,
            (_, 404) => Answer::Absent,
            (_, status) => panic!("{status} to {} {}: {}", ask.method, ask.target, reply.text()),
        }
    }

    fn note(&self, op: &Op) {
        let mut seen = self.shared.seen.lock().unwrap();
        match (op.kind, op.answer) {
            (_, Answer::Read(content)) | (Kind::Write(content, _), Answer::Done) => seen[op.key] = content,
            (Kind::Remove { .. } | Kind::Take(_), Answer::Done | Answer::Absent) => seen[op.key] = NOTHING,
            _ => {}
        }
    }

    /// The headers of a condition.
    fn under(&self, ask: Ask, cond: Cond) -> Ask {
        match cond {
            Cond::Any => ask,
            Cond::Absent => ask.with("if-none-match", "*"),
            Cond::Is(content) => ask.with("if-match", &format!("\"{}\"", self.shared.tag(content))),
        }
    }

    fn read(&self, key: usize, door: u64) -> Plan {
        let olga = &self.shared.olga;
        let (ask, how) = match door {
            0 => (olga.s3(Ask::new("GET", &format!("/olga/k{key}"))), "GET"),
            1 => (olga.s3(Ask::new("HEAD", &format!("/olga/k{key}"))), "HEAD"),
            _ => (olga.dav(Ask::new("GET", &format!("/dav/olga/k{key}"))), "DAV GET"),
        };
        Plan { ask, kind: Kind::Read, how }
    }

    fn put_by_key(&mut self, key: usize, cond: Cond) -> Plan {
        let (body, content) = self.shared.fresh(&mut self.dice);
        let ask = self.under(Ask::new("PUT", &format!("/olga/k{key}")).body(body), cond);
        Plan { ask: self.shared.olga.s3(ask), kind: Kind::Write(content, cond), how: "PUT" }
    }

    fn put_by_path(&mut self, key: usize, cond: Cond) -> Plan {
        let (body, content) = self.shared.fresh(&mut self.dice);
        let ask = self.under(Ask::new("PUT", &format!("/dav/olga/k{key}")).body(body), cond);
        Plan { ask: self.shared.olga.dav(ask), kind: Kind::Write(content, cond), how: "DAV PUT" }
    }

    /// A file of its own with new content, to be copied or moved: its name and the content.
    async fn source(&mut self) -> Option<(String, Content)> {
        let (body, content) = self.shared.fresh(&mut self.dice);
        let name = format!("{ASIDE}/from-{content}");
        let ask = self.shared.olga.s3(Ask::new("PUT", &format!("/olga/{name}")).body(body));
        assert_eq!(self.send(&ask).await?.status, 200);
        Some((name, content))
    }

    async fn copy_by_key(&mut self, key: usize, cond: Cond) -> Option<Plan> {
        let (name, content) = self.source().await?;
        let ask =
            Ask::new("PUT", &format!("/olga/k{key}")).with("x-amz-copy-source", &format!("olga/{name}"));
        let ask = self.shared.olga.s3(self.under(ask, cond));
        Some(Plan { ask, kind: Kind::Write(content, cond), how: "CopyObject" })
    }

    /// COPY or MOVE of another file to the key. Their conditions are about the source, but for one.
    async fn transfer(&mut self, key: usize, cond: Cond) -> Option<Plan> {
        let (name, content) = self.source().await?;
        let (method, how) = if self.dice.roll(2) == 0 { ("COPY", "DAV COPY") } else { ("MOVE", "DAV MOVE") };
        let cond = if cond == Cond::Absent { Cond::Absent } else { Cond::Any };
        let overwrite = if cond == Cond::Absent { "F" } else { "T" };
        let ask = Ask::new(method, &format!("/dav/olga/{name}"))
            .with("destination", &format!("/dav/olga/k{key}"))
            .with("overwrite", overwrite);
        Some(Plan { ask: self.shared.olga.dav(ask), kind: Kind::Write(content, cond), how })
    }

    /// An upload of one part, up to its completion.
    async fn complete(&mut self, key: usize, cond: Cond) -> Option<Plan> {
        let at = format!("/olga/k{key}");
        let begun = self.send(&self.shared.olga.s3(Ask::new("POST", &format!("{at}?uploads")))).await?;
        let id = begun.text().split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let body = format!("part {}", self.shared.fresh.fetch_add(1, SeqCst)).into_bytes();
        let md5 = Md5::digest(&body);
        let content = self.shared.learn(format!("{}-1", hex::encode(Md5::digest(md5))), &body);
        let part = Ask::new("PUT", &format!("{at}?partNumber=1&uploadId={id}")).body(body);
        assert_eq!(self.send(&self.shared.olga.s3(part)).await?.status, 200);
        let document = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
             </CompleteMultipartUpload>",
            hex::encode(md5)
        );
        let ask = self.under(Ask::new("POST", &format!("{at}?uploadId={id}")).body(document), cond);
        Some(Plan { ask: self.shared.olga.s3(ask), kind: Kind::Write(content, cond), how: "Complete" })
    }

    fn remove(&mut self, key: usize, cond: Cond) -> Plan {
        // Nobody may ask that what he removes is not there.
        let cond = if cond == Cond::Absent { Cond::Any } else { cond };
        let olga = &self.shared.olga;
        let (ask, how, quiet) = if self.dice.roll(2) == 0 {
            let ask = Ask::new("DELETE", &format!("/olga/k{key}"));
            (olga.s3(self.under(ask, cond)), "DELETE", true)
        } else {
            let ask = Ask::new("DELETE", &format!("/dav/olga/k{key}"));
            (olga.dav(self.under(ask, cond)), "DAV DELETE", false)
        };
        Plan { ask, kind: Kind::Remove { cond, quiet }, how }
    }

    /// MOVE of the key to a name of its own, where it is read what was moved.
    async fn take(&mut self, key: usize, cond: Cond) -> Option<()> {
        let cond = if cond == Cond::Absent { Cond::Any } else { cond };
        let name = format!("{ASIDE}/taken-{}", self.shared.now());
        let ask = Ask::new("MOVE", &format!("/dav/olga/k{key}"))
            .with("destination", &format!("/dav/olga/{name}"))
            .with("overwrite", "F");
        let ask = self.shared.olga.dav(self.under(ask, cond));
        let plan = Plan { ask, kind: Kind::Take(cond), how: "DAV MOVE away" };
        let (op, reply) = self.carry_out(key, plan).await?;
        if reply.is_none_or(|reply| reply.status != 201) {
            return Some(());
        }
        let got = self.send(&self.shared.olga.s3(Ask::new("GET", &format!("/olga/{name}")))).await?;
        let took = self.shared.read(&got, true);
        assert_ne!(took, NOTHING, "what was moved away is nowhere");
        self.shared.ops.lock().unwrap()[op].answer = Answer::Took(took);
        Some(())
    }

    /// One listing reads every key.
    async fn list(&mut self) -> Option<()> {
        let olga = &self.shared.olga;
        let (ask, how, each, name) = if self.dice.roll(2) == 0 {
            let ask = Ask::new("GET", "/olga?list-type=2&prefix=k");
            (olga.s3(ask), "LIST", "<Contents>", "<Key>")
        } else {
            let ask = Ask::new("PROPFIND", "/dav/olga/").with("depth", "1");
            (olga.dav(ask), "PROPFIND", "<D:response>", "<D:href>/dav/olga/")
        };
        let from = self.shared.now();
        let reply = self.send(&ask).await?;
        let to = self.shared.now();
        let of = |key: usize| {
            let part = reply.text().split(each).find(|part| part.contains(&format!("{name}k{key}<")))?;
            let tag = part.split("<ETag>").nth(1).or_else(|| part.split("<D:getetag>").nth(1)).unwrap();
            let tag = tag.split('<').next().unwrap().replace("&quot;", "");
            Some(self.shared.number(tag.trim_matches('"')))
        };
        let read = |key| {
            let answer = Answer::Read(of(key).unwrap_or(NOTHING));
            Op { key, from, to, kind: Kind::Read, answer, how }
        };
        let ops: Vec<Op> = (0..KEYS).map(read).collect();
        self.shared.ops.lock().unwrap().extend(ops);
        Some(())
    }
}
