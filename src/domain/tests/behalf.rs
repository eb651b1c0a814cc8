//! The operator in somebody's name.

use super::*;
use crate::domain::error::Unrecognised;

#[tokio::test]
async fn the_operator_reaches_files_in_their_owners_name_only() {
    let (trial, ada) = Trial::with_files(&["a"]).await;
    let (file, new) = (path("ada", "a"), path("ada", "b"));
    let own = trial.holdall.stat(&Caller::Operator, &file, None).await;
    assert!(matches!(own, Err(Error::Denied(_))), "{own:?}");
    let as_ada = trial.holdall.on_behalf(&Caller::Operator, &account("ada")).await.unwrap();
    assert!(trial.holdall.stat(&as_ada, &file, None).await.is_ok());
    trial.put(&as_ada, &new, &[]).await.unwrap();
    assert!(trial.holdall.stat(&ada, &new, None).await.is_ok());
    let as_bob = trial.holdall.on_behalf(&Caller::Operator, &account("bob")).await.unwrap();
    let foreign = trial.holdall.stat(&as_bob, &file, None).await;
    assert!(matches!(foreign, Err(Error::Denied(_))), "{foreign:?}");
    let nobody = trial.holdall.on_behalf(&Caller::Operator, &account("eve")).await;
    assert!(matches!(nobody, Err(Error::NotFound(..))), "{nobody:?}");
}

#[tokio::test]
async fn nobody_else_acts_for_others_and_who_is_acted_for_manages_nothing() {
    let (trial, ada) = Trial::with_files(&[]).await;
    let name = account("ada");
    let by_ada = trial.holdall.on_behalf(&ada, &name).await;
    assert!(matches!(by_ada, Err(Error::Denied(_))), "{by_ada:?}");
    let by_none = trial.holdall.on_behalf(&Caller::Anonymous, &name).await;
    assert!(matches!(by_none, Err(Error::Unauthenticated(Unrecognised::Missing))), "{by_none:?}");
    let as_ada = trial.holdall.on_behalf(&Caller::Operator, &name).await.unwrap();
    let set = trial.holdall.set_password(&as_ada, &name, Secret::new("another horse")).await;
    assert!(matches!(set, Err(Error::Denied(_))), "{set:?}");
    trial.holdall.set_disabled(&Caller::Operator, &name, true).await.unwrap();
    assert!(trial.holdall.on_behalf(&Caller::Operator, &name).await.is_ok());
}
