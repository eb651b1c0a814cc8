//! What is looked at behind an operation, whatever shows it.

use super::{
    op::{About, At, Op},
    rules::Model,
    runs::Same,
};

/// Shows what a system holds, held against the model.
pub(crate) trait Shows {
    fn model(&self) -> &Model;

    /// Everything that is looked at in between.
    async fn see_all(&mut self) -> Same;

    /// The versions and open uploads of a bucket.
    async fn see_bucket(&mut self, name: &str) -> Same;

    /// The pages of a listing.
    async fn see_pages(&self, of: (&str, &str), grouped: bool, limit: usize) -> Same;

    /// The place an operation ended at, by another way than the operation's.
    async fn see_otherwise(&self, _at: &At) -> Same {
        Ok(())
    }

    /// Compares what an operation was about; everything if `all`.
    async fn compare(&mut self, op: &Op, all: bool) -> Same {
        match op.about() {
            _ if all => self.see_all().await,
            About::Nothing => Ok(()),
            About::Everything => self.see_all().await,
            About::Pages { bucket, prefix, grouped, limit } => {
                self.see_pages((bucket, prefix), grouped, limit).await
            }
            About::Places(one, other) => {
                for name in [&one.bucket, &other.bucket] {
                    if self.model().buckets.contains_key(name) {
                        self.see_bucket(name).await?;
                    }
                }
                self.see_otherwise(other).await
            }
        }
    }
}
