//! A metadata file that loses bits, pages and its end, or has pages in other places: it is refused,
//! or what is hit answers errors. No wrong byte and no wrong name is served, and nothing hangs.
//!
//! redb does not look at a page's checksum as it reads it and asserts where one contradicts itself.
//! We catch that. Where it asserts again in a destructor meanwhile, the process ends, so each run of
//! cases is another process than the one that counts: one that ends so refuses, if it says what to
//! do. `HOLDALL_DECAYED_ROWS=<seed>,<first>,<end>` runs some cases in this process.

use std::{
    collections::BTreeSet,
    env,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    panic::AssertUnwindSafe,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::{FutureExt as _, TryStreamExt as _};

use super::*;
use crate::{
    model::condition::Conditions,
    proof::{Dice, seed, size},
    store::{io::Site, meta},
};

const NAME: &str = "domain::tests::released::decay::a_metadata_file_that_decays_serves_no_wrong_byte";
const CASES: &str = "HOLDALL_DECAYED_ROWS";
const REPORT: &str = "HOLDALL_DECAYED_ROWS_REPORT";
const META: &str = "meta/holdall.redb";
const PAGE: usize = 4096;
/// Longer than any case takes.
const HANGS: Duration = Duration::from_secs(60);
/// What a process gets that asserts where nothing may.
const ABORTED: i32 = 6;

/// The undamaged directory and what is in it.
struct Sound {
    disk: SimDisk,
    file: Vec<u8>,
    /// Pages that hold something.
    pages: Vec<usize>,
    ada: Caller,
    bob: Caller,
    lines: BTreeSet<String>,
}

impl Sound {
    async fn new() -> Self {
        let (archive, wanted) = released().last().unwrap();
        let disk = unpacked(&archive);
        let holdall = open(&disk.crash(0)).unwrap();
        let clock = Arc::new(SetClock::at(Timestamp(0)));
        let trial = Trial { disk: Arc::default(), clock, holdall };
        let (ada, bob) = (trial.caller("ada").await, trial.caller("bob").await);
        let (_, file) = files(&disk).into_iter().find(|(path, _)| path == META).unwrap();
        let full = |page: &usize| file[page * PAGE..][..PAGE].iter().any(|byte| *byte != 0);
        let pages = (0..file.len() / PAGE).filter(full).collect();
        let lines = wanted.lines().map(str::to_owned).collect();
        Self { disk, file, pages, ada, bob, lines }
    }

    fn page(&self, dice: &mut Dice) -> usize {
        self.pages[dice.roll(self.pages.len() as u64) as usize] * PAGE
    }

    /// A copy of the directory after some things that disks do.
    fn damaged(&self, dice: &mut Dice) -> SimDisk {
        let disk = self.disk.crash(0);
        let file = disk.open(META, Mode::ReadWrite).unwrap();
        for _ in 0..=dice.roll(3) {
            let (at, other) = (self.page(dice), self.page(dice));
            let write = |at: usize, bytes: &[u8]| file.write_at(bytes, at as u64).unwrap();
            match dice.roll(20) {
                0..12 => {
                    let at = at + dice.roll(PAGE as u64) as usize;
                    let mut byte = [0];
                    file.read_at(&mut byte, at as u64).unwrap_or_default();
                    write(at, &[byte[0] ^ (1 << dice.roll(8))]);
                }
                12..14 => write(at, &[0; PAGE]),
                14..16 => {
                    write(at, &self.file[other..][..PAGE]);
                    write(other, &self.file[at..][..PAGE]);
                }
                16..18 => write(at, &self.file[other..][..PAGE]),
                _ => {
                    let lost = dice.roll(2 * PAGE as u64) + dice.roll(8) * dice.roll(1 << 18);
                    file.set_len((self.file.len() as u64).saturating_sub(lost)).unwrap();
                }
            }
        }
        file.sync(Site::Meta).unwrap();
        disk
    }

    /// Lines that nobody wrote. What a bucket holds is a sum of rows, so it changes where one is
    /// missing.
    fn wrong<'a>(&'a self, told: &'a [String]) -> impl Iterator<Item = &'a String> {
        let is_sum = |line: &str| line.ends_with(" bytes");
        let is_new = |line: &str| line.contains(NEW);
        told.iter().filter(move |line| !self.lines.contains(*line) && !is_sum(line) && !is_new(line))
    }

    /// Whether a line is of a version that was given up for a later one that is still there. A whole
    /// page as it was some commits ago has sums that fit.
    fn is_past(&self, line: &str) -> bool {
        let Some((file, number)) = version_in(line) else { return false };
        let later =
            |line: &String| version_in(line).is_some_and(|(other, found)| other == file && found > number);
        self.lines.iter().any(later)
    }

    async fn assert_right(&self, holdall: &Arc<Holdall>, out: &mut Counted) -> Result<(), String> {
        let told = told(holdall, &self.ada, &self.bob).await;
        let (past, wrong): (Vec<_>, Vec<_>) = self.wrong(&told.lines).partition(|line| self.is_past(line));
        out.past += past.len();
        out.errors += told.errors.len();
        out.told = told.lines.len();
        if wrong.is_empty() { Ok(()) } else { Err(format!("told what nobody wrote: {wrong:#?}")) }
    }

    /// Opens what is left, reads all of it, changes it and reads it again.
    async fn case(&self, number: u64) -> Result<Counted, String> {
        let disk = self.damaged(&mut Dice(number));
        let mut out = Counted::default();
        let Ok(holdall) = open(&disk) else { return Ok(out) };
        out.opened = true;
        self.assert_right(&holdall, &mut out).await?;
        out.clean = holdall.check(&Caller::Operator).await.is_ok_and(|report| report.is_clean());
        if out.clean && out.past > 0 {
            return Err("what was given up is told again, and the check finds nothing".into());
        }
        for round in 0..3 {
            out.errors += usize::from(!self.write(&holdall, round).await?);
        }
        self.assert_right(&holdall, &mut out).await?;
        Ok(out)
    }

    /// Writes a file and reads it; false if either is refused.
    async fn write(&self, holdall: &Arc<Holdall>, round: u64) -> Result<bool, String> {
        let at = key("ada", &format!("{NEW}/{round}"));
        let content = format!("{round} ").repeat(2000);
        let body = content.clone();
        let write = async {
            let mut put = holdall.begin_put(&self.ada, &at, Expected::default()).await?;
            put.write(body.into()).await?;
            put.commit(WriteOptions::default()).await?;
            let opened = holdall.open(&self.ada, &at, None, &Conditions::default()).await?;
            let size = opened.version.size;
            opened.read(0..size).try_collect::<Vec<bytes::Bytes>>().await
        };
        match write.await {
            Ok(pieces) if pieces.concat() != content.as_bytes() => Err("a new file has other bytes".into()),
            answer => Ok(answer.is_ok()),
        }
    }
}

/// Names that are not in the directory yet.
const NEW: &str = "later";

/// What came of a case.
#[derive(Default)]
struct Counted {
    opened: bool,
    clean: bool,
    errors: usize,
    told: usize,
    /// Lines of versions that were given up.
    past: usize,
}

/// The file that a line tells a version of, and the number of that version.
fn version_in(line: &str) -> Option<(&str, u64)> {
    let (file, rest) = line.split_once(" version ")?;
    let (_, number) = rest.split(' ').next()?.split_once('.')?;
    Some((file, number.parse().ok()?))
}

/// Runs some cases; a line for each.
fn run(asked: &str) {
    let numbers: Vec<u64> = asked.split(',').map(|number| number.parse().unwrap()).collect();
    let [seed, first, end] = numbers[..] else { panic!("{CASES}=<seed>,<first>,<end>") };
    meta::tell_of_damage();
    let mut report: Box<dyn std::io::Write> = match env::var(REPORT) {
        Ok(path) => Box::new(fs::OpenOptions::new().append(true).open(path).unwrap()),
        Err(_) => Box::new(std::io::stdout()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sound = runtime.block_on(Sound::new());
    for case in first..end {
        let number = Dice(seed.wrapping_add(case)).next();
        let ran = runtime.block_on(AssertUnwindSafe(sound.case(number)).catch_unwind());
        let told = match ran.unwrap_or_else(|_| Err("it panicked".into())) {
            Ok(out) if !out.opened => "refused".to_owned(),
            Ok(Counted { clean, errors, told, .. }) => format!("open {clean} {errors} {told}"),
            Err(why) => format!("WRONG {why}: {}", replay(seed, case)).replace('\n', " "),
        };
        writeln!(report, "{told}").unwrap();
    }
}

fn replay(seed: u64, case: u64) -> String {
    format!("{CASES}={seed},{case},{} cargo test --lib {NAME} -- --exact --nocapture", case + 1)
}

/// Another process that runs cases: how it ended, its report and what it said.
fn elsewhere(seed: u64, first: u64, end: u64) -> (std::process::ExitStatus, Vec<String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let (report, said) = (dir.path().join("report"), dir.path().join("said"));
    fs::write(&report, "").unwrap();
    let output = fs::File::create(&said).unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CASES, format!("{seed},{first},{end}"))
        .env(REPORT, &report)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::from(output.try_clone().unwrap()))
        .stderr(Stdio::from(output))
        .spawn()
        .unwrap();
    let lines = || fs::read_to_string(&report).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let (mut seen, mut since) = (0, Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let now = lines().len();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
        if since.elapsed() > HANGS {
            child.kill().unwrap();
            panic!("it hangs\n{}", replay(seed, first + seen as u64));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    (status, lines(), String::from_utf8_lossy(&fs::read(&said).unwrap()).into_owned())
}

#[test]
fn a_metadata_file_that_decays_serves_no_wrong_byte() {
    if let Ok(asked) = env::var(CASES) {
        return run(&asked);
    }
    let (seed, cases) = (seed("decay of rows") >> 1, size(200, 5_000));
    let (mut lines, mut aborted) = (Vec::new(), 0);
    while lines.len() as u64 + aborted < cases {
        let first = lines.len() as u64 + aborted;
        let (status, done, said) = elsewhere(seed, first, cases);
        let case = first + done.len() as u64;
        lines.extend(done);
        if status.signal() == Some(ABORTED) {
            assert!(
                said.contains("`holdall rebuild`"),
                "it ends without a word\n{}\n{said}",
                replay(seed, case)
            );
            aborted += 1;
        } else {
            assert!(status.success(), "{said}");
        }
    }
    let wrong: Vec<_> = lines.iter().filter(|line| line.starts_with("WRONG")).collect();
    assert!(wrong.is_empty(), "{} cases: {wrong:#?}", wrong.len());
    let count = |of: &str| lines.iter().filter(|line| line.starts_with(of)).count();
    let (refused, open) = (count("refused"), count("open"));
    let noticed = lines.iter().filter(|line| line.starts_with("open false")).count();
    println!(
        "{cases} cases: {open} open, {noticed} of them told by check; {refused} refused, {aborted} ended"
    );
    assert!(open > 0 && noticed > 0 && refused > 0, "nothing was tried");
}
