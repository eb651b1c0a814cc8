//! What `/-/metrics` tells of the room that files take, as it was counted last, and of what is kept
//! for the worst day; and of damage.

use crate::{
    domain::{BackupState, CollectionState, Condition, Readiness, ScrubState, Unready},
    model::time::Timestamp,
};

/// How the disk and what is on it are: 0 for the level while there is room, then 1 to 3.
pub(crate) fn condition(condition: &Condition) -> String {
    let (level, failed) = match condition.readiness {
        Readiness::Full(full) => (full as u64, None),
        Readiness::No(why) => (0, Some(why)),
        Readiness::Repairing(_) => (0, Some(Unready::Metadata)),
        Readiness::Ready => (0, None),
    };
    let disk = condition.disk.map(|(free, total)| {
        [("holdall_disk_free_bytes", "gauge", free), ("holdall_disk_bytes", "gauge", total)]
    });
    let known = [
        ("holdall_disk_full_level", "gauge", level),
        ("holdall_metadata_failed", "gauge", u64::from(failed == Some(Unready::Metadata))),
        ("holdall_metadata_reopened_total", "counter", condition.reopened),
        ("holdall_segments_failed", "gauge", u64::from(failed == Some(Unready::Segments))),
    ];
    lines(disk.into_iter().flatten().chain(known))
}

/// The text form. What was not counted since the start is left out.
pub(crate) fn text(state: &CollectionState, backups: &BackupState) -> String {
    let counted = state.space.map(|space| {
        [
            ("holdall_logical_bytes", "gauge", space.logical_bytes),
            ("holdall_live_bytes", "gauge", space.segments.live_bytes),
            ("holdall_dead_bytes", "gauge", space.segments.dead_bytes),
            ("holdall_deduplicated_bytes", "gauge", space.saved_bytes()),
            ("holdall_chunks", "gauge", space.segments.chunks),
            ("holdall_segments", "gauge", space.segments.segments),
        ]
    });
    let known = [
        ("holdall_collection_running", "gauge", u64::from(state.running)),
        ("holdall_collection_aborted", "gauge", u64::from(state.aborted.is_some())),
        ("holdall_returned_bytes_total", "counter", state.returned_bytes),
    ];
    let seconds = |at: Timestamp| u64::try_from(at.0 / 1000).unwrap_or_default();
    let kept = [
        ("holdall_backup_timestamp_seconds", "gauge", backups.last.map(seconds)),
        ("holdall_snapshot_timestamp_seconds", "gauge", backups.snapshot.map(seconds)),
    ];
    let kept = kept.into_iter().filter_map(|(name, kind, value)| Some((name, kind, value?)));
    lines(counted.into_iter().flatten().chain(known).chain(kept))
}

/// The same of scrubbing. Times are seconds since 1970; what was never done has none.
pub(crate) fn scrub_text(state: &ScrubState) -> String {
    let ended = state.last.and_then(|last| last.ended).map(|ended| ended.seconds());
    let ended = ended.and_then(|seconds| u64::try_from(seconds).ok());
    let last = ended.map(|seconds| ("holdall_scrub_last_end_seconds", "gauge", seconds));
    let known = [
        ("holdall_damaged", "gauge", state.damaged),
        ("holdall_scrub_running", "gauge", u64::from(state.running)),
        ("holdall_scrubbed_bytes_total", "counter", state.bytes),
    ];
    lines(last.into_iter().chain(known))
}

fn lines(counts: impl Iterator<Item = (&'static str, &'static str, u64)>) -> String {
    let line = |(name, kind, value)| format!("# TYPE {name} {kind}\n{name} {value}\n");
    counts.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CollectReport, Portion, ScrubSummary, SegmentUsage, Space};

    #[test]
    fn damage_is_told_and_when_it_was_looked_for() {
        let mut state = ScrubState { running: true, now: None, last: None, damaged: 3, bytes: 9 };
        let told = scrub_text(&state);
        assert!(told.contains("holdall_damaged 3\n") && told.contains("holdall_scrubbed_bytes_total 9\n"));
        assert!(!told.contains("last_end"), "{told}");
        state.last = Some(ScrubSummary {
            begun: Timestamp(0),
            ended: Some(Timestamp(90_000)),
            portion: Portion::ALL,
            thousandths: 1000,
            chunks: 1,
            bytes: 1,
            damaged: 0,
        });
        assert!(scrub_text(&state).contains("holdall_scrub_last_end_seconds 90\n"));
    }

    #[test]
    fn the_level_of_a_full_disk_and_what_failed_are_told() {
        let told = |readiness| condition(&Condition { readiness, disk: Some((5, 9)), reopened: 2 });
        let full = told(Readiness::Full(crate::domain::Fullness::Reserve));
        for line in
            ["holdall_disk_full_level 2\n", "holdall_disk_free_bytes 5\n", "holdall_metadata_failed 0\n"]
        {
            assert!(full.contains(line), "{full}");
        }
        let failed = told(Readiness::No(Unready::Metadata));
        assert!(failed.contains("holdall_metadata_failed 1\n") && failed.contains("reopened_total 2\n"));
        assert!(told(Readiness::No(Unready::Segments)).contains("holdall_segments_failed 1\n"));
    }

    #[test]
    fn room_is_told_once_it_was_counted() {
        let mut state = CollectionState {
            running: false,
            phase: "done",
            report: CollectReport::default(),
            aborted: Some("chunk 1 has no row".into()),
            returned_bytes: 7,
            space: None,
        };
        let backups = BackupState { last: Some(Timestamp(9_000)), ..BackupState::default() };
        assert!(!text(&state, &backups).contains("holdall_live_bytes"));
        let segments = SegmentUsage { plain_bytes: 60, live_bytes: 50, dead_bytes: 5, ..Default::default() };
        state.space = Some(Space { logical_bytes: 100, segments, counted_at: Timestamp(8_000) });
        let told = text(&state, &backups);
        assert!(!told.contains("holdall_snapshot_timestamp_seconds"), "{told}");
        for line in [
            "holdall_live_bytes 50\n",
            "holdall_dead_bytes 5\n",
            "holdall_deduplicated_bytes 40\n",
            "holdall_collection_aborted 1\n",
            "holdall_returned_bytes_total 7\n",
            "holdall_backup_timestamp_seconds 9\n",
        ] {
            assert!(told.contains(line), "{told}");
        }
    }
}
