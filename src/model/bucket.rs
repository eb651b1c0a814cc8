//! What a bucket keeps of replaced and deleted content.

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
