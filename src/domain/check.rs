//! A recount: does every row of the namespace that names bytes find them, and is everything that
//! is stored needed, or on its way out.

use super::{Error, Holdall, caller::Caller};
use crate::{
    model::ids::ManifestId,
    store::{
        blobs::verify,
        error::StoreError,
        meta::{
            codec::Row as _,
            rows::{KeyRange, Order, Rows},
            table::Table,
        },
        rows::{upload::PartRow, version::VersionRow},
    },
};

/// Rows looked at in one go.
const PAGE: usize = 1000;

/// What a recount found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Rows of the namespace that name bytes: versions and parts of uploads.
    pub references: u64,
    /// Manifests.
    pub manifests: u64,
    /// Chunks.
    pub chunks: u64,
    /// Chunks that are needed.
    pub needed: u64,
    /// Chunks that the collector has been given.
    pub queued: u64,
    /// Chunks that nothing refers to, left by uploads that were cut off.
    pub unreferenced: u64,
    /// How much does not add up; 0 is clean.
    pub faults: u64,
    /// The first of it, a sentence each.
    pub findings: Vec<String>,
}

impl Holdall {
    /// Recounts all references both ways on one state of the store. Reads every row of the
    /// metadata and no content.
    ///
    /// # Errors
    /// Denied for all but the operator; damaged if a row cannot be read, since nothing is known
    /// then.
    pub async fn check(&self, caller: &Caller) -> Result<Checked, Error> {
        if *caller != Caller::Operator {
            return Err(Error::Denied("only the operator of the machine recounts".into()));
        }
        self.read(|rows| {
            let mut references = References::new(rows);
            let count = verify::recount(rows, &mut references)?;
            Ok(Checked {
                references: references.given,
                manifests: count.manifests,
                chunks: count.chunks,
                needed: count.referenced,
                queued: count.queued,
                unreferenced: count.unreferenced,
                faults: count.found,
                findings: count.findings.iter().map(ToString::to_string).collect(),
            })
        })
        .await
    }
}

/// The manifest of every version and every part, a page of rows at a time.
struct References<'a> {
    rows: &'a dyn Rows,
    table: Table,
    range: KeyRange,
    page: std::vec::IntoIter<(Vec<u8>, Vec<u8>)>,
    given: u64,
}

impl<'a> References<'a> {
    fn new(rows: &'a dyn Rows) -> Self {
        let (table, range) = (Table::Versions, KeyRange::prefix(Vec::new()));
        Self { rows, table, range, page: Vec::new().into_iter(), given: 0 }
    }

    /// The next row of either table.
    fn row(&mut self) -> Result<Option<(Table, Vec<u8>)>, StoreError> {
        loop {
            if let Some((key, value)) = self.page.next() {
                self.range = KeyRange::prefix(Vec::new()).after(key);
                return Ok(Some((self.table, value)));
            }
            let page = self.rows.scan(self.table, &self.range, Order::Forward, PAGE)?;
            if page.is_empty() {
                if self.table == Table::Part {
                    return Ok(None);
                }
                (self.table, self.range) = (Table::Part, KeyRange::prefix(Vec::new()));
            }
            self.page = page.into_iter();
        }
    }
}

impl Iterator for References<'_> {
    type Item = Result<ManifestId, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (table, value) = match self.row() {
                Ok(row) => row?,
                Err(error) => return Some(Err(error)),
            };
            let manifest = match table {
                Table::Part => PartRow::decode(&value).map(|row| Some(row.manifest)),
                _ => VersionRow::decode(&value).map(|row| row.manifest),
            };
            match manifest {
                Ok(None) => {}
                Ok(Some(manifest)) => {
                    self.given += 1;
                    return Some(Ok(manifest));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        domain::{
            Error,
            caller::Caller,
            tests::{Trial, bucket},
        },
        model::address::{Address, ObjectKey},
        store::meta::{
            Tx,
            rows::{KeyRange, Order, Rows as _, RowsMut as _},
            table::Table,
        },
    };

    #[tokio::test]
    async fn a_recount_is_clean_until_a_reference_is_lost() {
        let trial = Trial::new().await;
        let ada = trial.caller("ada").await;
        let at = Address::key(bucket("ada"), ObjectKey::parse("f").unwrap());
        let mut put = trial.holdall.begin_put(&ada, &at, Default::default()).await.unwrap();
        put.write(vec![7; 1000].into()).await.unwrap();
        put.commit(Default::default()).await.unwrap();

        let clean = trial.holdall.check(&Caller::Operator).await.unwrap();
        assert_eq!((clean.references, clean.needed, clean.faults), (1, 1, 0), "{clean:?}");
        assert!(matches!(trial.holdall.check(&ada).await, Err(Error::Denied(_))));

        let lose = |tx: &mut Tx<'_>| {
            let rows = tx.scan(Table::Versions, &KeyRange::prefix(Vec::new()), Order::Forward, 9)?;
            rows.into_iter().for_each(|(key, _)| tx.delete(Table::Versions, key));
            Ok(())
        };
        trial.holdall.write(lose).await.unwrap();
        let damaged = trial.holdall.check(&Caller::Operator).await.unwrap();
        assert_eq!(damaged.references, 0);
        assert!(damaged.faults > 0 && !damaged.findings.is_empty(), "{damaged:?}");
    }
}
