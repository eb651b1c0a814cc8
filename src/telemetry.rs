//! What the process says about itself: lines for people on a terminal, JSON otherwise, to
//! standard error. Logs what it is given; what must not be logged is kept out where it is known.
//!
//! Lines are written by a thread of their own: a terminal that was stopped or a full pipe holds up
//! no request. Lines that find no room are lost, and counted.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::LevelFilter, filter::filter_fn, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people if standard error is a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("log.level {level:?} is not understood: {why}")]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start logging: {0}")]
    Thread(#[from] io::Error),
    /// It was set up before.
    #[error("logging is set up already")]
    Twice,
}

/// Starts logging. `level` is a level (`info`) or a list of them by target
/// (`info,holdall::access=off`).
///
/// # Errors
/// If the level is not understood, or logging was started before.
pub fn start(level: &str, format: LogFormat) -> Result<Logging, LogError> {
    let filter = filter(level)?;
    let queue = Queue::start(io::stderr())?;
    let writer = queue.clone();
    let terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = fmt::layer().with_writer(move || writer.clone());
    let lines = if json {
        lines.json().flatten_event(true).with_target(true).boxed()
    } else {
        lines.with_ansi(terminal).with_target(false).boxed()
    };
    // s3s logs requests with their signatures: whatever the level, it stays silent.
    let lines = lines.with_filter(filter).with_filter(filter_fn(|line| !is_s3s(line.target())));
    Registry::default().with(lines).try_init().map_err(|_| LogError::Twice)?;
    Ok(Logging(queue))
}

/// Keeps logging going; dropping it waits a moment for lines that are not written yet.
#[derive(Debug)]
pub struct Logging(Queue);

impl Drop for Logging {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        if self.0.lines.try_send(Line::Mark(done)).is_ok() {
            // Whoever reads the lines may have stopped to; nobody waits for that.
            let _ = written.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// Lines that wait to be written.
const WAITING_LINES: usize = 8192;
/// Lines that came together are written together, up to about this much at once.
const WRITE_BYTES: usize = 64 << 10;
/// How long lines gather after some were written.
const REST: Duration = Duration::from_millis(5);

enum Line {
    Text(Vec<u8>),
    Mark(SyncSender<()>),
}

#[derive(Clone, Debug)]
struct Queue {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let queue = Self { lines, lost: Arc::default() };
        let lost = Arc::clone(&queue.lost);
        thread::Builder::new().name("log".into()).spawn(move || write_lines(&waiting, &lost, to))?;
        Ok(queue)
    }
}

/// One formatted line is one write.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Line::Text(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(waiting: &Receiver<Line>, lost: &AtomicU64, mut to: impl Write) {
    let mut text = Vec::new();
    while let Ok(first) = waiting.recv() {
        let lost = lost.swap(0, Relaxed);
        if lost > 0 {
            // Writing to a Vec does not fail.
            let _ = writeln!(text, r#"{{"level":"WARN","message":"log lines were lost","lines":{lost}}}"#);
        }
        let mut next = Some(first);
        let mut done = None;
        while let Some(line) = next {
            match line {
                Line::Text(line) => text.extend_from_slice(&line),
                Line::Mark(mark) => done = Some(mark),
            }
            let more = done.is_none() && text.len() < WRITE_BYTES;
            next = if more { waiting.try_recv().ok() } else { None };
        }
        // If nobody can read it, nobody can be told.
        let _ = to.write_all(&text);
        text.clear();
        match done {
            Some(done) => {
                let _ = to.flush();
                let _ = done.send(());
            }
            // Lines gather meanwhile: waking this thread for each costs its request more than
            // the line does.
            None => thread::sleep(REST),
        }
    }
}

/// The log targets of s3s, which writes whole bodies and signatures: they are kept off.
fn is_s3s(target: &str) -> bool {
    target == "s3s" || target.starts_with("s3s::")
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    // A single word that is no level would be taken for a target, and silence everything else.
    let is_word = |part: &&str| part.chars().all(char::is_alphanumeric);
    let mistyped =
        level.split(',').map(str::trim).filter(is_word).find(|word| word.parse::<LevelFilter>().is_err());
    if let Some(word) = mistyped {
        let why = format!("{word:?} is none of off, error, warn, info, debug, trace");
        return Err(LogError::Level { level: level.to_owned(), why });
    }
    EnvFilter::builder()
        .parse(level)
        .map_err(|error| LogError::Level { level: level.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_means_nothing_is_refused() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,holdall::access=off").is_ok());
        assert!(filter("holdall=loud").is_err());
        assert!(filter("loud").is_err());
    }

    /// A reader that has stopped reading; it tells when it is asked to.
    struct Stopped(SyncSender<()>, Receiver<()>);

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.try_send(());
            // Ends with an error when the test drops the other end.
            let _ = self.1.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_holds_nobody_up() {
        let ((stops, stopped), (_kept, end)) = (sync_channel(1), sync_channel(0));
        let mut queue = Queue::start(Stopped(stops, end)).unwrap();
        queue.write_all(b"the last that is taken").unwrap();
        // A thread that came later would take up the count of those lost.
        stopped.recv().unwrap();
        for _ in 0..WAITING_LINES * 2 {
            queue.write_all(b"x").unwrap();
        }
        assert_eq!(queue.lost.load(Relaxed), WAITING_LINES as u64);
    }

    /// Hands on each write as it came.
    struct Writes(SyncSender<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_come_together_are_written_together_in_order_and_before_the_end() {
        let (writes, written) = sync_channel(WAITING_LINES);
        let logging = Logging(Queue::start(Writes(writes)).unwrap());
        let lines: Vec<String> = (0..1000).map(|number| format!("line {number}\n")).collect();
        for line in &lines {
            logging.0.clone().write_all(line.as_bytes()).unwrap();
        }
        drop(logging);
        let writes: Vec<Vec<u8>> = written.try_iter().collect();
        assert_eq!(String::from_utf8(writes.concat()).unwrap(), lines.concat());
        assert!(writes.len() < 500, "{} writes of 1000 lines", writes.len());
    }

    #[test]
    fn the_s3_library_is_silent_and_its_neighbours_are_not() {
        assert!(is_s3s("s3s") && is_s3s("s3s::ops"));
        assert!(!is_s3s("s3sx") && !is_s3s("holdall::doors::s3"));
    }
}
