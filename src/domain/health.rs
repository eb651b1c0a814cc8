//! Whether the system can do its work at the moment.

use super::Holdall;

impl Holdall {
    /// Whether reads and writes are served. Says no more, since anybody may ask.
    #[must_use]
    pub fn ready(&self) -> bool {
        true
    }
}
