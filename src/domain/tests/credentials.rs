//! Credentials that are made, shown once and removed, and what of them is on the disk.

use super::*;
use crate::{
    domain::error::What, model::limits::CREDENTIALS_PER_ACCOUNT, outside::clock::Clock as _, store::io::Mode,
};

fn file(disk: &SimDisk, path: &str) -> Vec<u8> {
    let file = disk.open(path, Mode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// RustFS said encrypted where the disk was plain (S1): the bytes themselves are searched.
#[tokio::test]
async fn no_secret_is_in_the_metadata() {
    let trial = Trial::new().await;
    let (ada, operator) = (account("ada"), Caller::Operator);
    let preset = ("minioadmin".to_owned(), Secret::new("brought-along-secret"));
    let (key, fresh) = trial.holdall.add_key(&operator, &ada, None).await.unwrap();
    let (_, brought) = trial.holdall.add_key(&operator, &ada, Some(preset)).await.unwrap();
    let (app, token) = trial.app_password("ada", Scope::default()).await;
    let bytes = file(&trial.disk, "meta/holdall.redb");
    for id in [key.id.as_str(), "minioadmin", &app.id] {
        assert!(holds(&bytes, id), "the rows are there: {id}");
    }
    let bare = token.reveal().replace('-', "");
    for secret in [fresh.reveal(), brought.reveal(), token.reveal(), &bare, PASSWORD] {
        assert!(!holds(&bytes, secret), "{secret}");
        assert!(!holds(&file(&trial.disk, "keys/holdall.key"), secret), "{secret}");
    }
    let raw = crate::domain::tokens::read_app_password(&bare).unwrap();
    assert!(!bytes.windows(raw.len()).any(|window| window == raw.as_slice()));
}

#[tokio::test]
async fn credentials_outlive_a_restart_and_no_other_keys_open_them() {
    let trial = Trial::new().await;
    let (key, secret) = trial.holdall.add_key(&Caller::Operator, &account("ada"), None).await.unwrap();
    let (_, token) = trial.app_password("ada", Scope::default()).await;
    let disk = Arc::new(trial.disk.crash(9));
    drop(trial);
    let again = start(disk.clone(), 2).unwrap();
    again.by_key(&key.id, &secret).await.unwrap();
    again.by_token(&token).await.unwrap();
    again.caller("ada").await;
    let without = Arc::new(disk.crash(10));
    without.remove("keys/holdall.key").unwrap();
    assert!(matches!(start(without, 3), Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn people_manage_their_own_credentials_and_only_with_their_password() {
    let trial = Trial::new().await;
    let (holdall, ada, bob) = (&trial.holdall, account("ada"), account("bob"));
    let own = trial.caller("ada").await;
    let (key, secret) = holdall.add_key(&own, &ada, None).await.unwrap();
    let (app, token) = holdall.add_app_password(&own, &ada, "x", Scope::default(), None).await.unwrap();
    let weak = [trial.by_token(&token).await.unwrap(), trial.by_key(&key.id, &secret).await.unwrap()];
    for caller in &weak {
        assert_eq!(holdall.list_keys_of(caller, &ada).await.unwrap(), std::slice::from_ref(&key));
        assert!(matches!(holdall.add_key(caller, &ada, None).await, Err(Error::Denied(_))));
        let made = holdall.add_app_password(caller, &ada, "x", Scope::default(), None).await;
        assert!(matches!(made, Err(Error::Denied(_))));
        let set = holdall.set_password(caller, &ada, Secret::new("taken over")).await;
        assert!(matches!(set, Err(Error::Denied(_))));
        assert!(matches!(holdall.remove_key(caller, &key.id).await, Err(Error::Denied(_))));
    }
    assert!(matches!(holdall.add_key(&own, &bob, None).await, Err(Error::Denied(_))));
    assert!(matches!(holdall.list_app_passwords(&own, &bob).await, Err(Error::Denied(_))));
    let stranger = trial.caller("bob").await;
    for id in [key.id.as_str(), "HANOBODY"] {
        let gone = holdall.remove_key(&stranger, id).await;
        assert!(matches!(gone, Err(Error::NotFound(What::Credential, _))), "{gone:?}");
    }
    assert!(matches!(holdall.remove_key(&Caller::Anonymous, &key.id).await, Err(Error::Unauthenticated(_))));
    holdall.remove_app_password(&own, &ada, &app.id).await.unwrap();
    assert!(trial.by_token(&token).await.is_err());
    holdall.remove_key(&own, &key.id).await.unwrap();
    assert_eq!(holdall.list_keys_of(&own, &ada).await.unwrap(), []);
    assert_eq!(holdall.list_app_passwords(&own, &ada).await.unwrap(), []);
}

#[tokio::test]
async fn an_app_password_that_could_never_be_used_is_not_made() {
    let trial = Trial::new().await;
    let (holdall, ada, operator) = (&trial.holdall, account("ada"), Caller::Operator);
    let nowhere = Scope { buckets: vec![bucket("ada"), bucket("nosuch")], read_only: false };
    let made = holdall.add_app_password(&operator, &ada, "x", nowhere, None).await;
    assert!(matches!(&made, Err(Error::NotFound(What::Bucket, name)) if name == "nosuch"), "{made:?}");
    let now = trial.clock.now();
    for past in [Timestamp(0), now] {
        let made = holdall.add_app_password(&operator, &ada, "x", Scope::default(), Some(past)).await;
        assert!(matches!(&made, Err(Error::Invalid(why)) if why.contains("1970-")), "{made:?}");
    }
    assert_eq!(holdall.list_app_passwords(&operator, &ada).await.unwrap(), []);
    let soon = Some(Timestamp(now.0 + 1000));
    holdall.add_app_password(&operator, &ada, "x", Scope::default(), soon).await.unwrap();
}

#[tokio::test]
async fn an_access_key_belongs_to_one_account_and_there_are_a_hundred_at_most() {
    let trial = Trial::new().await;
    let (holdall, operator) = (&trial.holdall, Caller::Operator);
    let preset = || Some(("same-key".to_owned(), Secret::new("hunter22")));
    holdall.add_key(&operator, &account("ada"), preset()).await.unwrap();
    for name in ["ada", "bob"] {
        let taken = holdall.add_key(&operator, &account(name), preset()).await;
        assert!(matches!(taken, Err(Error::Exists(What::Credential, _))), "{taken:?}");
    }
    let empty = Some(("other-key".to_owned(), Secret::new("")));
    assert!(matches!(holdall.add_key(&operator, &account("ada"), empty).await, Err(Error::Invalid(_))));
    for _ in 1..CREDENTIALS_PER_ACCOUNT {
        holdall.add_key(&operator, &account("ada"), None).await.unwrap();
    }
    let more = holdall.add_key(&operator, &account("ada"), None).await;
    assert!(matches!(more, Err(Error::TooMany { .. })), "{more:?}");
}
