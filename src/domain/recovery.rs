//! The recovery key after the first start, which showed it once: whether people kept it. Knows a
//! digest of the key, never the key.

use super::{Error, Holdall, access::is_manager, caller::Caller, tokens};
use crate::{
    model::secret::Secret,
    store::rows::credential::{self, Vouched},
};

impl Holdall {
    /// Notes that people kept the recovery key: they show it, in whatever spacing and case.
    ///
    /// # Errors
    /// Denied unless an admin or the operator asks; Invalid if it is another key.
    pub async fn confirm_recovery_key(&self, caller: &Caller, key: &Secret) -> Result<(), Error> {
        may(caller)?;
        let shown = tokens::recovery_voucher(key.reveal());
        let is_it = move |kept: Option<[u8; 32]>| {
            // The comparison of hashes takes the same time wherever they differ.
            if kept.is_some_and(|kept| blake3::Hash::from(kept) == blake3::Hash::from(shown)) {
                return Ok(());
            }
            Err(Error::Invalid("that is not the recovery key the first start showed".into()))
        };
        self.read(move |rows| is_it(credential::voucher(rows, Vouched::RecoveryKey)?)).await?;
        // Backups need them; a store that was made before there were any does not have them.
        self.wrap_keys(key)?;
        self.write(move |tx| {
            is_it(credential::voucher(tx, Vouched::RecoveryKey)?)?;
            credential::vouch(tx, Vouched::ConfirmedRecoveryKey, shown);
            Ok(())
        })
        .await
    }

    /// Keeps the keys wrapped under the recovery key, beside them and durably.
    pub(super) fn wrap_keys(&self, recovery_key: &Secret) -> Result<(), Error> {
        Ok(self.credentials.keys.keep_wrapped(&**self.store.io(), &*self.random, recovery_key)?)
    }

    /// Whether the recovery key was confirmed.
    ///
    /// # Errors
    /// Denied unless an admin or the operator asks.
    pub async fn recovery_key_confirmed(&self, caller: &Caller) -> Result<bool, Error> {
        may(caller)?;
        self.read(|rows| {
            let kept = credential::voucher(rows, Vouched::RecoveryKey)?;
            Ok(kept.is_some() && kept == credential::voucher(rows, Vouched::ConfirmedRecoveryKey)?)
        })
        .await
    }
}

fn may(caller: &Caller) -> Result<(), Error> {
    if is_manager(caller) { Ok(()) } else { Err(Error::Denied("the recovery key is for admins".into())) }
}
