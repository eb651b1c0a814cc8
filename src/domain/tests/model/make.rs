//! Random operations, from a seed and a habit alone: nothing of what came before is asked.

use super::op::{At, Body, Broken, How, Listed, Only, Op, Versions, Which, World};
use crate::proof::Dice;

/// What kind of names and operations a run likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    /// Every kind of name, all operations alike.
    Wide,
    /// Two names, one above the other, that everybody wants at the same moment.
    Narrow,
    /// Folders in folders, moved and copied about.
    Deep,
}

pub(crate) const HABITS: [Habit; 3] = [Habit::Wide, Habit::Narrow, Habit::Deep];

/// `home` keeps history for people; all begin without versions.
pub(crate) const BUCKETS: [&str; 3] = ["home", "plain", "kept"];
pub(crate) const KEYS: [&str; 18] = [
    "a",
    "a/b",
    "a/c/d",
    "a/c/",
    "b/",
    "b/x",
    "b/y/z",
    "c",
    "c//d",
    "cafe\u{301}",
    "caf\u{e9}/n",
    "e/f/g/h",
    "e/f",
    "..",
    "a/c/e",
    "a/",
    "b/x/w",
    "e/./q",
];
pub(crate) const PATHS: [&str; 16] = [
    "a",
    "a/b",
    "a/c",
    "a/c/d",
    "b",
    "b/x",
    "b/y",
    "b/y/z",
    "caf\u{e9}",
    "cafe\u{301}",
    "e/f",
    "e",
    "n",
    "n/m",
    "a/b/k",
    "e/f/g",
];
const DAY: i64 = 24 * 3600 * 1000;

/// Makes operations.
pub(crate) struct Maker {
    dice: Dice,
    habit: Habit,
    /// Whether what only the domain can be asked for is asked for.
    domain: bool,
}

impl Maker {
    pub(crate) fn new(seed: u64, habit: Habit, domain: bool) -> Self {
        Self { dice: Dice(seed), habit, domain }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice.roll(sides)
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = self.roll(from.len() as u64) as usize;
        from.get(at).copied().unwrap_or_default()
    }

    fn bucket(&mut self) -> String {
        let few = self.habit == Habit::Narrow;
        let name = if few { self.pick(&["plain", "kept", "home"]) } else { self.pick(&BUCKETS) };
        if self.one_in(40) { "spare".into() } else { name.to_owned() }
    }

    fn deep(&mut self) -> String {
        let depth = 1 + self.roll(5);
        (0..depth).map(|_| self.pick(&["x", "y"])).collect::<Vec<_>>().join("/")
    }

    fn key(&mut self) -> At {
        let name = match self.habit {
            Habit::Wide => self.pick(&KEYS).to_owned(),
            Habit::Narrow => self.pick(&["a", "a/b", "a/"]).to_owned(),
            Habit::Deep => self.deep() + if self.one_in(6) { "/" } else { "" },
        };
        At { bucket: self.bucket(), name, path: false }
    }

    fn path(&mut self) -> At {
        let root = self.domain && self.one_in(60);
        let name = match self.habit {
            _ if root => String::new(),
            Habit::Wide => self.pick(&PATHS).to_owned(),
            Habit::Narrow => self.pick(&["a", "a/b", "b"]).to_owned(),
            Habit::Deep => self.deep(),
        };
        At { bucket: self.bucket(), name, path: true }
    }

    fn place(&mut self) -> At {
        if self.one_in(2) { self.path() } else { self.key() }
    }

    fn body(&mut self) -> Body {
        let length = match self.roll(40) {
            0..4 => 0,
            4 => 65_535 + self.roll(3) as u32,
            5 | 6 => 150_000 + 50_000 * self.roll(4) as u32,
            7 if self.one_in(4) => 1_200_000,
            8..16 => 1,
            _ => 100 + 700 * self.roll(6) as u32,
        };
        Body { seed: self.roll(5) as u8, length }
    }

    fn only(&mut self) -> Only {
        match self.roll(16) {
            0 | 1 => Only::Absent,
            2 => Only::Same,
            3 => Only::Other,
            _ => Only::Any,
        }
    }

    fn which(&mut self) -> Which {
        match self.roll(5) {
            0 => Which::Null,
            _ => Which::Nth(self.roll(256) as u8),
        }
    }

    fn tokens(&mut self) -> bool {
        self.domain && self.one_in(2)
    }

    /// The next operation.
    pub(crate) fn op(&mut self) -> Op {
        let tokens = self.tokens();
        match self.roll(100) {
            0..20 => Op::Put { at: self.place(), body: self.body(), only: self.only(), tokens },
            20..23 => self.broken(),
            23..29 => self.read(),
            29..40 => Op::Remove { at: self.place(), only: self.only(), tokens },
            40..45 => Op::RemoveVersion { at: self.key(), which: self.which(), tokens },
            45..60 => self.transfer(tokens),
            60..64 => Op::Mkcol { at: self.path(), tokens },
            64..68 => {
                let value = (!self.one_in(3)).then(|| self.roll(3) as u8);
                Op::Prop { at: self.path(), name: self.roll(2) as u8, value, tokens }
            }
            68..72 if self.domain => self.lock(),
            68..79 => self.upload(),
            79..86 => self.settings(),
            86..89 => self.pages(),
            _ => Op::World(self.world()),
        }
    }

    fn broken(&mut self) -> Op {
        let how = match self.roll(3) {
            0 => Broken::Left,
            1 => Broken::Short,
            _ => Broken::Sum,
        };
        let mut body = self.body();
        body.length = body.length.max(10);
        Op::Broken { at: self.place(), body, how }
    }

    fn read(&mut self) -> Op {
        let at = self.place();
        let which = if at.path || self.one_in(2) { Which::Latest } else { self.which() };
        let range = self.one_in(2).then(|| (self.roll(100_000) as u32, 1 + self.roll(100_000) as u32));
        Op::Read { at, which, range }
    }

    fn transfer(&mut self, tokens: bool) -> Op {
        let paths = !self.one_in(3);
        let (from, mut to) = if paths { (self.path(), self.path()) } else { (self.key(), self.key()) };
        // Mostly within one bucket, and sometimes onto itself.
        if !self.one_in(3) {
            to.bucket.clone_from(&from.bucket);
        }
        if self.one_in(12) {
            to = from.clone();
        }
        let how = How {
            moved: paths && self.one_in(2),
            overwrite: !paths || !self.one_in(5),
            shallow: paths && self.one_in(8),
            retype: (!paths && self.one_in(3)).then(|| self.roll(2) as u8),
            which: if !paths && self.one_in(4) { self.which() } else { Which::Latest },
        };
        Op::Transfer { from, to, how, tokens }
    }

    fn lock(&mut self) -> Op {
        if self.one_in(3) {
            return Op::Unlock { number: self.roll(16) as u8 };
        }
        let seconds = if self.one_in(3) { 60 } else { 3600 * (1 + self.roll(24) as u32) };
        Op::Lock { at: self.path(), exclusive: !self.one_in(3), deep: self.one_in(2), seconds }
    }

    fn upload(&mut self) -> Op {
        let upload = self.roll(16) as u8;
        match self.roll(10) {
            0..3 => Op::Begin { at: self.key() },
            3..6 => {
                let mut body = self.body();
                if self.one_in(60) {
                    body.length = 5 << 20;
                }
                Op::Part { upload, number: 1 + self.roll(3) as u32, body }
            }
            6..9 => {
                let listed = match self.roll(6) {
                    0 => Listed::Backwards,
                    1 => Listed::Wrong,
                    2 | 3 => Listed::Last,
                    _ => Listed::All,
                };
                Op::Complete { upload, listed }
            }
            _ => Op::Abort { upload },
        }
    }

    fn settings(&mut self) -> Op {
        let bucket = self.bucket();
        let days = (!self.one_in(2)).then(|| if self.one_in(2) { 30 } else { 1 });
        match self.roll(10) {
            0..3 => {
                // The others stay as they were born.
                let bucket = if self.one_in(4) { "spare".into() } else { "kept".into() };
                let to = if self.one_in(3) { Versions::Suspended } else { Versions::Enabled };
                Op::Version { bucket, to }
            }
            3 | 4 if self.domain => {
                Op::Quota { bucket, bytes: self.one_in(2).then(|| 1000 * self.roll(600)) }
            }
            5 if self.domain => Op::History { bucket, days },
            6..8 => Op::MakeBucket { bucket: "spare".into(), days: days.filter(|_| self.domain) },
            _ => Op::DropBucket { bucket: if self.one_in(4) { bucket } else { "spare".into() } },
        }
    }

    fn pages(&mut self) -> Op {
        let prefix = if self.one_in(2) { String::new() } else { self.key().name };
        let cut = prefix.char_indices().nth(1 + self.roll(3) as usize).map_or(prefix.len(), |(at, _)| at);
        let prefix = prefix.get(..cut).unwrap_or_default().to_owned();
        Op::Pages { bucket: self.bucket(), prefix, grouped: self.one_in(2), limit: 1 + self.roll(5) as u8 }
    }

    fn world(&mut self) -> World {
        match self.roll(12) {
            0 if self.domain => World::Expire,
            0..3 => World::Clock(match self.roll(5) {
                0 => -DAY,
                1 => 3650 * DAY,
                2 => 5 * 3600 * 1000,
                _ => 2 * DAY,
            }),
            3 => World::Restart,
            4..8 => World::Cut { calls: self.roll(90) as u16, seed: self.dice.next() },
            8..10 => World::Collect { compact: self.one_in(2) },
            // Room comes back sooner than it goes.
            _ => World::Room(!self.one_in(3)),
        }
    }
}

/// The operations of one run.
pub(crate) fn sequence(seed: u64, habit: Habit, domain: bool, length: usize) -> Vec<Op> {
    let mut maker = Maker::new(seed, habit, domain);
    (0..length).map(|_| maker.op()).collect()
}
