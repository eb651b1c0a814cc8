//! The operator in an account's name: files are exported and imported for the people they belong
//! to. In its own name the operator reaches no file; whose it reaches it has to say.

use super::{
    Error, Holdall,
    access::AccountVerb,
    accounts,
    caller::{Caller, Person, Proof, Scope},
    error::Unrecognised,
};
use crate::model::name::AccountName;

impl Holdall {
    /// The operator as this account: what the caller returned may do to files, the account may; it
    /// manages no account. One that is disabled keeps nothing from its operator.
    ///
    /// # Errors
    /// Denied unless the operator asks; `NotFound`.
    pub async fn on_behalf(&self, caller: &Caller, whose: &AccountName) -> Result<Caller, Error> {
        match caller {
            Caller::Operator => {}
            Caller::Anonymous => return Err(Error::Unauthenticated(Unrecognised::Missing)),
            Caller::Person(_) => {
                return Err(Error::Denied("only the operator of this machine acts for others".into()));
            }
        }
        let name = whose.clone();
        let row = self
            .read(move |rows| accounts::allowed(rows, &Caller::Operator, &name, AccountVerb::Show))
            .await?;
        let (proof, scope) = (Proof::Operator, Scope::default());
        Ok(Caller::Person(Person { account: row.id, name: row.name, admin: false, proof, scope }))
    }
}
