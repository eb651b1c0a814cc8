//! What a bucket keeps of replaced and deleted content.

use super::limits::HISTORY_DAYS;

/// How versions of a bucket's files are kept for S3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versioning {
    /// Never was on.
    #[default]
    Never,
    /// Every write makes a version.
    Enabled,
    /// Writes replace the null version.
    Suspended,
}

/// How long a never-versioned bucket keeps replaced and deleted content for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HistoryPolicy {
    /// Not at all.
    #[default]
    Off,
    /// This many days.
    Days(u32),
}

impl HistoryPolicy {
    /// What a bucket begins with where people make it, who may want back what they replaced.
    pub const FOR_PEOPLE: Self = Self::Days(HISTORY_DAYS);
    /// And where programs do: what they replace and delete they mean to.
    pub const FOR_PROGRAMS: Self = Self::Off;
}
