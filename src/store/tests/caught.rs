//! Which test notices which broken rule, and that it does.
//!
//! A test is run in a process of its own with one rule broken, and has to fail; with none broken it
//! has to pass. What goes through the doors is here as [`crate::proving`].

use std::{
    collections::BTreeMap,
    env,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    proof,
    store::{
        faults::Fault::{self, *},
        io::Site,
    },
};

/// What is broken.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Rule(Fault),
    /// The syncs of a site are left out.
    Sync(Site),
}

use Broken::{Rule, Sync};

const META: &str = "store::meta::tests::";
const SEGMENTS: &str = "store::segments::tests::";
const COLLECT: &str = "store::collect::tests::";
const STORE: &str = "store::tests::";
const DIR: &str = "store::dir::";
const SNAPSHOTS: &str = "store::snapshots::tests::";
const REBUILD: &str = "store::rebuild::tests::";
const KEYS: &str = "domain::seal::tests::";
const VERBS: &str = "domain::tests::";
const BACKUPS: &str = "store::backup::tests::";
const DOORS: &str = "proving::";

const META_CUTS: &str = "crash::every_acknowledged_row_survives_200_power_cuts_and_no_id_comes_twice";
const SEGMENT_CUTS: &str =
    "crash::what_was_promised_survives_a_crash_at_every_change_and_another_during_recovery";
const SCENES: &str = "store::tests::schedules::scenes::";

const STORE_CUTS: &str = "crashes::what_was_acknowledged_is_whole_in_every_crash_image";
const SNAPSHOT_CUTS: &str =
    "a_snapshot_is_whole_under_its_name_in_every_crash_image_unless_a_sync_is_left_out";
const REBUILD_CUTS: &str = "a_crash_at_any_step_leaves_the_old_state_or_the_new_one";
const VERB_CUTS: &str = "crash::what_was_acknowledged_is_seen_in_every_crash_image";
const FAILED_CALLS: &str =
    "faults::whatever_call_of_the_disk_fails_what_was_told_stands_and_the_rest_is_not_there";
const BACKUP_CUTS: &str = "a_backup_that_is_cut_off_leaves_the_points_before_it_and_can_be_made_again";
const BACKUP_IMAGES: &str = "cuts::in_every_image_of_a_backup_what_is_listed_is_whole";
const ORDER: &str = "linear::an_order_explains_every_answer_whatever_the_power_does";
const CUT_OFF: &str = "uploads::aborts::an_upload_cut_off_anywhere_leaves_the_old_version_and_no_bytes";
const DISTURBED: &str = "moving::what_is_disturbed_in_the_middle_is_done_wholly_or_not_at_all";
const MODEL_OF_DOORS: &str = "model::both_doors_show_what_the_model_says";

/// What is broken, and the test that must notice.
const CAUGHT: &[(Broken, &str, &str)] = &[
    (Sync(Site::SegmentData), SEGMENTS, SEGMENT_CUTS),
    (Sync(Site::SegmentSeal), SEGMENTS, SEGMENT_CUTS),
    (Sync(Site::SegmentDir), SEGMENTS, SEGMENT_CUTS),
    (Sync(Site::RelocationData), STORE, STORE_CUTS),
    (Sync(Site::Meta), META, META_CUTS),
    (Sync(Site::MetaDir), META, META_CUTS),
    (Sync(Site::Format), DIR, "tests::an_opened_directory_survives_a_crash_unless_a_sync_is_left_out"),
    (Sync(Site::RootDir), DIR, "tests::an_opened_directory_survives_a_crash_unless_a_sync_is_left_out"),
    (
        Sync(Site::Reserve),
        DIR,
        "room::tests::the_reserve_is_whole_after_a_crash_unless_its_sync_was_left_out",
    ),
    (Sync(Site::SnapshotData), SNAPSHOTS, SNAPSHOT_CUTS),
    (Sync(Site::SnapshotDir), SNAPSHOTS, SNAPSHOT_CUTS),
    (Rule(OlderGoFirst), SNAPSHOTS, SNAPSHOT_CUTS),
    (Rule(PointListedFirst), BACKUPS, BACKUP_IMAGES),
    (Rule(CopiesGoFirst), BACKUPS, BACKUP_IMAGES),
    (Rule(FormatFirst), BACKUPS, "a_restore_that_is_cut_off_leaves_nothing_that_opens"),
    (Rule(PutByLast), REBUILD, REBUILD_CUTS),
    (Sync(Site::KeptData), REBUILD, REBUILD_CUTS),
    (Sync(Site::KeptDir), REBUILD, REBUILD_CUTS),
    (Sync(Site::BackupData), BACKUPS, BACKUP_CUTS),
    (Sync(Site::BackupDir), BACKUPS, BACKUP_CUTS),
    (Rule(AnswerBeforeCommit), META, META_CUTS),
    (Rule(AnswerBeforeCommit), VERBS, VERB_CUTS),
    (Rule(RowsBeforeBytes), STORE, STORE_CUTS),
    (Rule(CommitNotSynced), META, META_CUTS),
    (Rule(GroupInHalves), STORE, STORE_CUTS),
    (Rule(IdsNotDurable), META, META_CUTS),
    (Rule(RefusalKept), META, "a_refused_verb_leaves_nothing"),
    (Rule(MetaSyncRetried), META, "failure::a_failed_sync_is_not_made_good_by_another"),
    (
        Rule(SegmentSyncRetried),
        SEGMENTS,
        "after_a_failed_sync_a_lane_goes_on_elsewhere_and_vouches_for_nothing_of_before",
    ),
    (
        Rule(LostSyncVouched),
        SEGMENTS,
        "after_a_failed_sync_a_lane_goes_on_elsewhere_and_vouches_for_nothing_of_before",
    ),
    (
        Rule(FolderSyncTrusted),
        SEGMENTS,
        "after_a_failed_sync_of_a_folder_no_lane_begins_a_segment_and_those_with_names_go_on",
    ),
    (Rule(RowSumsUnchecked), META, "sums::a_damaged_row_is_refused_by_name_and_every_other_goes_on"),
    (Rule(BackupNotHeld), BACKUPS, "nothing_is_removed_while_a_backup_holds_it"),
    (Rule(RestoredAsItWas), BACKUPS, "a_restored_store_has_what_was_there_at_the_point_and_nothing_of_later"),
    (Rule(SealToldBeforeSync), SEGMENTS, "full_segments_are_sealed_with_a_footer_that_agrees_with_a_walk"),
    (Rule(SumsUnchecked), SEGMENTS, "a_bit_flipped_anywhere_in_a_record_is_damage"),
    (Rule(DigestUnchecked), SEGMENTS, "bytes_that_are_not_those_of_the_digest_are_damage"),
    (
        Rule(StraySegmentRemoved),
        SEGMENTS,
        "crash::a_file_without_a_row_is_adopted_and_one_that_is_not_ours_is_left_alone",
    ),
    (Rule(CondemnedShared), COLLECT, "kept::a_condemned_chunk_is_never_found_again"),
    (Rule(DamagedShared), STORE, "bodies::a_hit_that_goes_bad_before_the_commit_fails_it"),
    (Rule(PinsForgotten), COLLECT, "kept::a_reader_keeps_its_body_until_it_ends"),
    (Rule(PinsForgotten), SCENES, "content_is_sent_again_while_it_is_condemned"),
    (Rule(CondemnedShared), SCENES, "content_is_sent_again_between_condemning_and_deleting"),
    (Rule(PinsForgotten), SCENES, "damaged_content_is_sent_again_while_it_is_let_go_of"),
    (Rule(ClaimsEndEarly), SCENES, "content_is_sent_again_while_it_is_condemned"),
    (Rule(OldPinsForgotten), SCENES, "an_upload_pauses_while_the_clock_jumps"),
    (
        Rule(MarkBeforeSwitch),
        COLLECT,
        "kept::a_moved_segment_stays_until_whoever_read_its_old_places_has_ended",
    ),
    (Rule(FullCountsAsMoved), STORE, "schedules::crash::the_disk_is_full_while_segments_are_moved"),
    (Rule(ScanErrorIgnored), STORE, "schedules::doubt::rows_cannot_be_read_for_a_while"),
    (Rule(RowsBeforeBytes), STORE, "schedules::crash::the_power_goes_at_any_step_of_a_collection"),
    (Rule(CopyNotCounted), STORE, "bodies::a_copy_keeps_what_its_source_let_go"),
    (Rule(ShareNotCounted), COLLECT, "chunks_that_others_still_have_only_lose_a_reference"),
    (Rule(LastReferenceMiscounted), COLLECT, "chunks_that_others_still_have_only_lose_a_reference"),
    (Rule(EmptyUnproven), COLLECT, "doubts::a_segment_whose_records_say_otherwise_is_not_removed"),
    (Rule(ReadersIgnored), COLLECT, "kept::a_segment_stays_until_its_last_reader_has_ended"),
    (Rule(HoldsIgnored), COLLECT, "kept::bytes_of_an_upload_under_way_are_not_swept"),
    (Rule(UnlinkBeforeSwitch), STORE, STORE_CUTS),
    (Rule(SwitchUnasked), COLLECT, "moves::a_row_that_names_another_place_by_now_is_not_switched"),
    (
        Rule(ReserveForBodies),
        DIR,
        "room::tests::bodies_are_refused_below_the_threshold_and_taken_again_above",
    ),
    (Rule(WrittenInPlace), DIR, "tests::a_crash_while_a_directory_is_made_leaves_one_that_can_be_made"),
    (Sync(Site::Keys), KEYS, "keys_that_were_handed_out_survive_a_crash_unless_a_sync_is_left_out"),
    (Sync(Site::KeysDir), KEYS, "keys_that_were_handed_out_survive_a_crash_unless_a_sync_is_left_out"),
    (Rule(PlaceUnchecked), SEGMENTS, "a_whole_record_in_the_wrong_place_is_damage"),
    (Rule(KnownBytesCut), SEGMENTS, "crash::damage_at_the_end_of_what_a_row_knew_is_not_cut_off"),
    (
        Rule(ReadErrorIgnored),
        COLLECT,
        "doubts::a_row_that_cannot_be_read_ends_the_walk_and_never_counts_as_none",
    ),
    (Rule(CountMismatchIgnored), COLLECT, "doubts::a_segment_with_fewer_records_than_chunks_is_not_moved"),
    (Rule(CheckBlind), "store::blobs::verify::tests::", "every_kind_of_disagreement_is_found"),
    (Rule(LengthUnchecked), VERBS, "lessons::a_body_that_ends_early_leaves_the_old_file"),
    (Rule(ConditionsNotInCommit), VERBS, "lessons::a_condition_is_decided_when_the_body_is_there"),
    (Rule(DeletedThenWritten), VERBS, VERB_CUTS),
    (Rule(JournalRowLost), VERBS, VERB_CUTS),
    (Rule(QuotaUnasked), VERBS, "end::a_quota_refuses_and_leaves_nothing"),
    (Rule(UsageNotKept), VERBS, VERB_CUTS),
    (Rule(ReplacedNotReleased), VERBS, VERB_CUTS),
    (Rule(CompleteOnlyOnce), VERBS, "lessons::a_repeated_complete_answers_with_the_file_it_made"),
    (Rule(CompletedFromNothing), VERBS, "lessons::a_repeated_complete_answers_with_the_file_it_made"),
    (Rule(MovedIntoItself), VERBS, "lessons::nothing_is_moved_into_itself_or_over_what_it_lies_in"),
    (Rule(LocksUnasked), VERBS, "locks::a_lock_keeps_every_door_out_but_for_its_token"),
    (Rule(BatchForgotten), VERBS, VERB_CUTS),
    (Rule(BatchForgotten), VERBS, "batch::a_batch_goes_on_when_its_request_is_gone"),
    (Sync(Site::SnapshotData), VERBS, VERB_CUTS),
    (Rule(MetaSyncRetried), VERBS, FAILED_CALLS),
    (Rule(SegmentSyncRetried), VERBS, FAILED_CALLS),
    (Rule(FolderSyncTrusted), VERBS, FAILED_CALLS),
    (Rule(AnswerBeforeCommit), VERBS, FAILED_CALLS),
    (Rule(RestoredAsItWas), VERBS, "backup::whoever_followed_a_system_before_it_was_restored_starts_over"),
    (Rule(DamagedShared), VERBS, "decay::decay_is_found_told_exactly_and_never_served"),
    (Rule(ConditionsNotInCommit), DOORS, ORDER),
    (Rule(DeletedThenWritten), DOORS, ORDER),
    (Rule(CommitNotSynced), DOORS, ORDER),
    (Sync(Site::SegmentData), DOORS, ORDER),
    (
        Rule(ConditionsNotInCommit),
        DOORS,
        "linear::of_64_writers_through_both_doors_who_ask_for_a_free_name_one_wins",
    ),
    (Rule(DeletedThenWritten), DOORS, CUT_OFF),
    (
        Rule(CompleteOnlyOnce),
        DOORS,
        "uploads::ends::an_upload_completed_by_many_at_once_is_completed_once_and_all_are_told_so",
    ),
    (Rule(DeletedThenWritten), DOORS, DISTURBED),
    (Rule(AnswerBeforeCommit), DOORS, DISTURBED),
    (Rule(GroupInHalves), DOORS, DISTURBED),
    (Rule(LocksUnasked), DOORS, "moving::what_is_locked_stays_where_it_is"),
    (Rule(MovedIntoItself), DOORS, MODEL_OF_DOORS),
    (Rule(ReplacedNotReleased), DOORS, MODEL_OF_DOORS),
];

/// What a test looks at when a rule is broken, where a tenth of it would be anywhere else.
const LOOKS: &[(Fault, &str, &str, &str)] = &[
    (MetaSyncRetried, FAILED_CALLS, "HOLDALL_FAILED_CALL", "0,Sync"),
    (SegmentSyncRetried, FAILED_CALLS, "HOLDALL_FAILED_CALL", "0,Sync"),
    (FolderSyncTrusted, FAILED_CALLS, "HOLDALL_FAILED_CALL", "0,SyncDir"),
    (AnswerBeforeCommit, FAILED_CALLS, "HOLDALL_FAILED_CALL", "0,Sync"),
    (BatchForgotten, VERB_CUTS, "HOLDALL_PROOF", "50"),
    (DeletedThenWritten, DISTURBED, "HOLDALL_PROOF", "100"),
    (FullCountsAsMoved, "the_disk_is_full_while_segments_are_moved", "HOLDALL_PROOF", "100"),
    (FormatFirst, "a_restore_that_is_cut_off_leaves_nothing_that_opens", "HOLDALL_PROOF", "100"),
    (ClaimsEndEarly, "content_is_sent_again_while_it_is_condemned", "HOLDALL_PROOF", "1000"),
    (MovedIntoItself, MODEL_OF_DOORS, "HOLDALL_PROOF", "50"),
    (ReplacedNotReleased, MODEL_OF_DOORS, "HOLDALL_PROOF", "50"),
];

/// A test whose size can be chosen has so many hundredths of it.
const HUNDREDTHS: &str = "10";

/// No test may take longer to notice; one that has nothing to notice may take four times as long.
const PATIENCE: Duration = Duration::from_secs(240);

/// How a test ends with something broken, or with nothing: with a code, or not at all.
fn ends(broken: Option<Broken>, test: &str) -> Option<i32> {
    let mut run = Command::new(env::current_exe().unwrap());
    run.args(["--exact", test]).env("HOLDALL_PROOF", HUNDREDTHS).env_remove("HOLDALL_FAULT");
    if let Some(broken) = broken {
        run.env("HOLDALL_FAULT", name(broken));
    }
    for (fault, whose, variable, value) in LOOKS {
        if test.ends_with(whose) && matches!(broken, Some(Rule(rule)) if rule == *fault) {
            run.env(variable, value);
        }
    }
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (begun, patience) = (Instant::now(), PATIENCE * if broken.is_some() { 1 } else { 4 });
    loop {
        match run.try_wait().unwrap() {
            Some(status) => return status.code(),
            None if begun.elapsed() > patience => {
                run.kill().unwrap();
                run.wait().unwrap();
                return None;
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn name(broken: Broken) -> String {
    match broken {
        Rule(fault) => format!("{fault:?}"),
        Sync(site) => format!("{site:?}"),
    }
}

#[test]
fn whoever_breaks_a_rule_is_caught() {
    let all = CAUGHT.len() as u64;
    let count = proof::size((all / 20).max(3), all).min(all);
    let first = proof::seed("caught") % all;
    let (mut missed, mut whole) = (Vec::new(), BTreeMap::new());
    for number in 0..count {
        let (broken, room, test) = CAUGHT[((first + number) % all) as usize];
        let (test, begun) = (format!("{room}{test}"), Instant::now());
        // Every change runs them all with nothing broken anyway.
        let fine = || if count == all { ends(None, &test) } else { Some(0) };
        let without = *whole.entry(test.clone()).or_insert_with(fine);
        let with = ends(Some(broken), &test);
        let broken = name(broken);
        if (without, with) != (Some(0), Some(101)) {
            missed.push(format!(
                "HOLDALL_FAULT={broken} cargo test --lib {test}: {with:?}, and {without:?} without"
            ));
        }
        println!("{broken:24} {test} {:.1} s, {with:?}", begun.elapsed().as_secs_f64());
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_rule_and_every_sync_has_a_test_that_notices() {
    let named: Vec<String> = CAUGHT.iter().map(|(broken, ..)| name(*broken)).collect();
    let rules = Fault::ALL.iter().map(|fault| name(Rule(*fault)));
    for broken in rules.chain(Site::ALL.iter().map(|site| name(Sync(*site)))) {
        assert!(named.contains(&broken), "{broken}");
    }
}
