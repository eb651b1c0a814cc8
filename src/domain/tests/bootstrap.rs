//! The first start, and every start after it.

use super::*;
use crate::domain::FirstAdmin;

fn empty() -> Trial {
    start(Arc::new(SimDisk::new()), 5).unwrap()
}

#[tokio::test]
async fn the_first_start_makes_an_admin_who_can_log_in_and_no_later_one_does() {
    let trial = empty();
    let shown = trial.holdall.bootstrap(FirstAdmin::default()).await.unwrap().unwrap();
    assert_eq!(shown.name.as_str(), "admin");
    let password = shown.password.unwrap();
    let Caller::Person(admin) = trial.login("admin", password.reveal()).await.unwrap() else { panic!() };
    assert!(admin.admin);
    trial.by_key(&shown.access_key, &shown.secret_key.unwrap()).await.unwrap();
    assert!(trial.holdall.bootstrap(FirstAdmin::default()).await.unwrap().is_none());
    let again = start(Arc::new(trial.disk.crash(1)), 6).unwrap();
    assert!(again.holdall.bootstrap(FirstAdmin::default()).await.unwrap().is_none());
    again.login("admin", password.reveal()).await.unwrap();
}

#[tokio::test]
async fn the_recovery_key_is_confirmed_by_who_has_it_and_stays_so() {
    let trial = empty();
    let operator = Caller::Operator;
    let shown = trial.holdall.bootstrap(FirstAdmin::default()).await.unwrap().unwrap().recovery_key;
    assert!(!trial.holdall.recovery_key_confirmed(&operator).await.unwrap());
    for wrong in ["", "abcd-efgh"] {
        let refused = trial.holdall.confirm_recovery_key(&operator, &Secret::new(wrong)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert!(!trial.holdall.recovery_key_confirmed(&operator).await.unwrap());
    let copied = Secret::new(shown.reveal().to_uppercase().replace('-', " "));
    trial.add("ada", Some(PASSWORD)).await.unwrap();
    for caller in [trial.caller("ada").await, Caller::Anonymous] {
        let refused = trial.holdall.confirm_recovery_key(&caller, &copied).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        assert!(trial.holdall.recovery_key_confirmed(&caller).await.is_err());
    }
    trial.holdall.confirm_recovery_key(&operator, &copied).await.unwrap();
    let again = start(Arc::new(trial.disk.crash(1)), 6).unwrap();
    assert!(again.holdall.recovery_key_confirmed(&operator).await.unwrap());
}

/// RustFS had six advisories on default root credentials (A6).
#[tokio::test]
async fn two_installs_share_no_secret() {
    let first = empty().holdall.bootstrap(FirstAdmin::default()).await.unwrap().unwrap();
    let other = start(Arc::new(SimDisk::new()), 6).unwrap();
    let second = other.holdall.bootstrap(FirstAdmin::default()).await.unwrap().unwrap();
    assert!(!first.password.unwrap().matches(second.password.unwrap().reveal()));
    assert!(!first.secret_key.unwrap().matches(second.secret_key.unwrap().reveal()));
    assert!(!first.recovery_key.matches(second.recovery_key.reveal()));
    assert_ne!(first.access_key, second.access_key);
}

#[tokio::test]
async fn presets_are_taken_and_not_shown_again() {
    let trial = empty();
    let preset = FirstAdmin {
        name: Some(account("root")),
        password: Some(Secret::new(PASSWORD)),
        access_key: Some(("rootkey".into(), Secret::new("rootsecret"))),
    };
    let shown = trial.holdall.bootstrap(preset).await.unwrap().unwrap();
    assert!(shown.password.is_none() && shown.secret_key.is_none());
    assert_eq!(shown.access_key, "rootkey");
    trial.caller("root").await;
    trial.by_key("rootkey", &Secret::new("rootsecret")).await.unwrap();
}

#[tokio::test]
async fn an_impossible_preset_makes_nothing() {
    let trial = empty();
    for preset in [
        FirstAdmin { password: Some(Secret::new("short")), ..FirstAdmin::default() },
        FirstAdmin { password: Some(Secret::new("")), ..FirstAdmin::default() },
        FirstAdmin { access_key: Some(("rootkey".into(), Secret::new(""))), ..FirstAdmin::default() },
    ] {
        assert!(matches!(trial.holdall.bootstrap(preset).await, Err(Error::Invalid(_))));
        assert!(trial.holdall.list_accounts(&Caller::Operator).await.unwrap().is_empty());
    }
}
