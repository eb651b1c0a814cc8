//! Counts of what passes the gate, and their text for a Prometheus scraper. Labels come from
//! short fixed lists: no name of an account, bucket or file is ever one.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::domain::MemoryUse;

/// The doors as the log and the counts call them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DoorName {
    Own,
    S3,
    Dav,
    Api,
    Web,
}

impl DoorName {
    const ALL: [Self; 5] = [Self::Own, Self::S3, Self::Dav, Self::Api, Self::Web];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::S3 => "s3",
            Self::Dav => "dav",
            Self::Api => "api",
            Self::Web => "web",
        }
    }
}

/// The counts of one process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    accepted: AtomicU64,
    open: AtomicU64,
    cut: AtomicU64,
    panics: AtomicU64,
    sent_bytes: AtomicU64,
    /// By door, then by first digit of the status.
    requests: [[AtomicU64; 5]; 5],
}

impl Metrics {
    pub(crate) fn opened(&self) {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub(crate) fn cut(&self) {
        self.cut.fetch_add(1, Relaxed);
    }

    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    pub(crate) fn answered(&self, door: DoorName, status: u16, bytes: u64) {
        let class = usize::from(status / 100).checked_sub(1);
        let counts = self.requests.get(door as usize);
        if let Some(count) = class.and_then(|class| counts.and_then(|counts| counts.get(class))) {
            count.fetch_add(1, Relaxed);
        }
        self.sent_bytes.fetch_add(bytes, Relaxed);
    }

    /// The text form; `limit` is the number of connections allowed, `aside` counts the background
    /// work that cannot be done, `panics` those in transactions.
    pub(crate) fn text(&self, limit: usize, (aside, panics): (u64, u64), memory: MemoryUse) -> String {
        let mut text = String::new();
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        for (name, kind, value) in [
            ("holdall_connections", "gauge", self.open.load(Relaxed)),
            ("holdall_connections_limit", "gauge", limit),
            ("holdall_connections_total", "counter", self.accepted.load(Relaxed)),
            ("holdall_connections_cut_total", "counter", self.cut.load(Relaxed)),
            ("holdall_memory_budget_bytes", "gauge", memory.budget_bytes),
            ("holdall_memory_taken_bytes", "gauge", memory.taken_bytes),
            ("holdall_memory_refused_total", "counter", memory.refused),
            ("holdall_panics_total", "counter", self.panics.load(Relaxed) + panics),
            ("holdall_sent_bytes_total", "counter", self.sent_bytes.load(Relaxed)),
            ("holdall_work_set_aside", "gauge", aside),
        ] {
            // Writing to a String does not fail.
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        }
        let _ = writeln!(text, "# TYPE holdall_requests_total counter");
        for (door, classes) in DoorName::ALL.iter().zip(&self.requests) {
            for (class, count) in classes.iter().enumerate() {
                let (door, class, count) = (door.as_str(), class + 1, count.load(Relaxed));
                let _ =
                    writeln!(text, "holdall_requests_total{{door=\"{door}\",status=\"{class}xx\"}} {count}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_door_and_class() {
        let metrics = Metrics::default();
        metrics.answered(DoorName::Dav, 207, 10);
        metrics.answered(DoorName::Dav, 404, 0);
        metrics.answered(DoorName::S3, 999, 0);
        let memory = MemoryUse { budget_bytes: 9, taken_bytes: 5, refused: 2 };
        let text = metrics.text(7, (3, 2), memory);
        assert!(text.contains("holdall_requests_total{door=\"dav\",status=\"2xx\"} 1\n"), "{text}");
        assert!(text.contains("holdall_requests_total{door=\"dav\",status=\"4xx\"} 1\n"), "{text}");
        assert!(text.contains("holdall_work_set_aside 3\n"), "{text}");
        assert!(text.contains("holdall_panics_total 2\n"), "{text}");
        assert!(text.contains("holdall_connections_limit 7\n"), "{text}");
        assert!(text.contains("holdall_memory_taken_bytes 5\n"), "{text}");
    }
}
