//! Rules that are broken on purpose, one at a time, to see that a test notices.
//!
//! A [`Fault`] stands at the one place that keeps its rule: `if self.faults.has(Fault::X)`. Which
//! one is there comes with the disk that is handed in. In a product [`Faults`] is an empty type
//! and the answer a constant, so nothing of this is left in the program.
//!
//! `HOLDALL_FAULT=<name>` breaks a rule on every disk of a test run; the name of a
//! [`Site`](super::io::Site) leaves out its syncs on every simulated one. `tests::caught`
//! lists which test notices what, and runs them.

#[cfg(not(test))]
use super::io::Io;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A rule that is broken, and how.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        #[cfg(test)]
        impl Fault {
            /// Every one.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

faults! {
    /// A verb is answered before its group is committed.
    AnswerBeforeCommit,
    /// Rows are committed without waiting for the bytes they name.
    RowsBeforeBytes,
    /// A commit is made durable by the next one only.
    CommitNotSynced,
    /// A group is committed in two halves.
    GroupInHalves,
    /// A block of ids is used and its end never written.
    IdsNotDurable,
    /// What a refused verb changed is committed with the others.
    RefusalKept,
    /// A failed sync of the metadata is tried again, and believed.
    MetaSyncRetried,
    /// A failed sync of a segment is tried again, and believed.
    SegmentSyncRetried,
    /// What was appended before a failed sync is vouched for by a later one.
    LostSyncVouched,
    /// A folder that could not be synced is believed after the next sync.
    FolderSyncTrusted,
    /// A segment's row says that it is sealed before it is.
    SealToldBeforeSync,
    /// The check sums of stored bytes are not looked at.
    SumsUnchecked,
    /// The digest of a chunk is not looked at.
    DigestUnchecked,
    /// The sum behind a row is not looked at.
    RowSumsUnchecked,
    /// A record is not asked which place it was written for.
    PlaceUnchecked,
    /// Recovery removes a segment that has no row.
    StraySegmentRemoved,
    /// Recovery cuts a segment although a row once knew of more.
    KnownBytesCut,
    /// A chunk that is condemned is shared with an upload.
    CondemnedShared,
    /// A chunk that is damaged is shared with an upload.
    DamagedShared,
    /// What an upload or a reader keeps is condemned all the same.
    PinsForgotten,
    /// What an upload or a reader has kept for an hour is condemned all the same.
    OldPinsForgotten,
    /// A claim ends before the commit that condemns.
    ClaimsEndEarly,
    /// A copy does not raise the count of its manifest.
    CopyNotCounted,
    /// A shared chunk's count is not raised.
    ShareNotCounted,
    /// A chunk is deleted while others still refer to it.
    LastReferenceMiscounted,
    /// The collector takes a scan that failed for one that ended.
    ScanErrorIgnored,
    /// The collector takes a count that cannot be read for one that is not there.
    ReadErrorIgnored,
    /// The collector goes on where two counts differ.
    CountMismatchIgnored,
    /// A segment that counts as empty is removed without a look at its records.
    EmptyUnproven,
    /// A segment is removed while somebody reads it.
    ReadersIgnored,
    /// Readers are counted before the commit after which nobody looks there any more.
    MarkBeforeSwitch,
    /// A segment that there was no room to move is removed as if it were moved.
    FullCountsAsMoved,
    /// A segment with records whose rows are still to come counts as closed.
    HoldsIgnored,
    /// The old place of a moved chunk goes before the commit that switches to the new one.
    UnlinkBeforeSwitch,
    /// Segments are moved and removed while a backup copies them.
    BackupNotHeld,
    /// The list of a point is there before what it lists is durable.
    PointListedFirst,
    /// Copies of segments go before the lists that name them.
    CopiesGoFirst,
    /// Older snapshots go before the new one is durable.
    OlderGoFirst,
    /// FORMAT of a restored directory is there before the rest.
    FormatFirst,
    /// The old metadata is put by when the new one has taken its place.
    PutByLast,
    /// A restored store goes on as the one it is a copy of.
    RestoredAsItWas,
    /// Compaction switches a row that names another place by now.
    SwitchUnasked,
    /// Bodies are taken in while there is room for nothing but rows.
    ReserveForBodies,
    /// FORMAT and keys are written where they are read, not aside.
    WrittenInPlace,
    /// The check of references finds nothing, whatever is there.
    CheckBlind,
    /// A body is published though it is shorter than was declared.
    LengthUnchecked,
    /// Nobody decides the conditions of a write in its commit.
    ConditionsNotInCommit,
    /// What is overwritten is removed first, in a commit of its own, when the write begins.
    DeletedThenWritten,
    /// A change has no row in the journal.
    JournalRowLost,
    /// The quota is not asked in the commit.
    QuotaUnasked,
    /// What a verb adds and frees is not counted.
    UsageNotKept,
    /// A version that is replaced keeps its bytes.
    ReplacedNotReleased,
    /// A repeated Complete is refused though the first one made a file.
    CompleteOnlyOnce,
    /// A repeated Complete is made of the parts that are gone: the name is left, and no bytes.
    CompletedFromNothing,
    /// A folder or file may be moved into itself, or over what it lies in.
    MovedIntoItself,
    /// A lock stops nobody.
    LocksUnasked,
    /// Nobody goes on with a folder verb that a restart cut off.
    BatchForgotten,
}

/// The rules that are broken here: none, or one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    #[cfg(test)]
    broken: Option<Fault>,
}

#[cfg(not(test))]
impl Faults {
    /// None.
    #[must_use]
    pub const fn of(_: &dyn Io) -> Self {
        Self {}
    }

    /// Whether this rule is broken: never.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, _: Fault) -> bool {
        false
    }
}

#[cfg(test)]
impl Faults {
    /// The disk's.
    pub(crate) fn of(io: &dyn super::io::Io) -> Self {
        io.faults()
    }

    /// Whether this rule is broken.
    pub(crate) fn has(self, fault: Fault) -> bool {
        self.broken == Some(fault)
    }

    /// What this test run asks for.
    pub(crate) fn asked() -> Self {
        let broken = asked_name()
            .and_then(|name| Fault::ALL.iter().find(|fault| format!("{fault:?}") == name).copied());
        Self { broken }
    }
}

/// The name of what this test run asks to be broken.
#[cfg(test)]
pub(crate) fn asked_name() -> Option<String> {
    std::env::var("HOLDALL_FAULT").ok()
}
