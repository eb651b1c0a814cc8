//! Ids of completed uploads are forgotten when nobody repeats a Complete any more.

use super::REMEMBERED;
use crate::{
    domain::{Error, Holdall},
    model::{ids::UploadId, time::Timestamp},
    store::{
        meta::Tx,
        rows::upload::{self, UploadIdRow},
    },
};

/// Ids looked at in one read, the most that one transaction forgets.
const LOOKED_AT: usize = 500;

fn is_over(row: &UploadIdRow, now: Timestamp) -> bool {
    row.completed.is_some_and(|(_, at)| at.0.saturating_add(REMEMBERED) < now.0)
}

impl Holdall {
    /// Forgets what is over, however many uploads stay open. Writes only if there is something.
    pub(crate) async fn forget_uploads(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let (from, now) = (after, self.clock.now());
            let met = self.read(move |rows| Ok(upload::ids(rows, from, LOOKED_AT)?)).await?;
            let Some((last, _)) = met.last() else { return Ok(()) };
            after = Some(*last);
            let over: Vec<UploadId> =
                met.iter().filter(|(_, row)| is_over(row, now)).map(|(id, _)| *id).collect();
            if !over.is_empty() {
                self.give_back(move |tx| forget(tx, &over)).await?;
            }
        }
    }
}

fn forget(tx: &mut Tx<'_>, over: &[UploadId]) -> Result<(), Error> {
    for id in over {
        if upload::by_id(tx, *id)?.is_some_and(|row| is_over(&row, tx.now())) {
            upload::remove_id(tx, *id);
        }
    }
    Ok(())
}
