//! Who is recognised, how often argon2 runs for it, and how soon a change counts.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, Version};

use super::*;
use crate::{
    domain::{caller::Proof, error::Unrecognised, recognised::Try},
    store::rows,
};

#[track_caller]
fn refused(answer: Result<Caller, Error>, why: Unrecognised) {
    match answer {
        Err(Error::Unauthenticated(found)) => assert_eq!(found, why),
        other => panic!("{other:?}"),
    }
}

fn runs(trial: &Trial) -> u64 {
    trial.holdall.credentials.passwords.runs()
}

/// SFTPGo ran argon2 on each request: 33 GB of allocations for a copy of 1,500 files (D3).
#[tokio::test]
async fn fifteen_hundred_requests_of_one_session_run_argon2_once() {
    let trial = Trial::new().await;
    let before = runs(&trial);
    for _ in 0..1500 {
        trial.login("ada", PASSWORD).await.unwrap();
    }
    assert_eq!(runs(&trial), before + 1);
}

#[tokio::test]
async fn first_requests_that_come_at_once_run_argon2_once() {
    let trial = Trial::new().await;
    let before = runs(&trial);
    let answers = futures::future::join_all((0..32).map(|_| trial.login("ada", PASSWORD))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(runs(&trial), before + 1);
}

#[tokio::test]
async fn a_good_password_is_checked_again_after_five_minutes() {
    let trial = Trial::new().await;
    trial.login("ada", PASSWORD).await.unwrap();
    let before = runs(&trial);
    trial.clock.advance(5 * 60 * 1000);
    trial.login("ada", PASSWORD).await.unwrap();
    assert_eq!(runs(&trial), before + 1);
}

#[tokio::test]
async fn a_name_may_come_with_a_domain_in_capitals_or_as_an_address() {
    let trial = Trial::new().await;
    for user in ["ada", "ADA", "HOME\\ada", "files.example\\Ada", "Ada@example.org", "HOME\\ada@EXAMPLE.org"]
    {
        let Caller::Person(person) = trial.login(user, PASSWORD).await.unwrap() else { panic!() };
        assert_eq!((person.name.as_str(), &person.proof, person.admin), ("ada", &Proof::Password, false));
    }
    let Caller::Person(root) = trial.caller("root").await else { panic!() };
    assert!(root.admin);
}

#[tokio::test]
async fn wrong_is_wrong_whether_the_name_is_known_or_not() {
    let trial = Trial::new().await;
    trial.add("nopass", None).await.unwrap();
    let long = "x".repeat(1025);
    let cases = [
        ("ada", "wrong password"),
        ("ada", ""),
        ("ada", &long),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("../ada", PASSWORD),
        ("nopass", PASSWORD),
        ("nopass", ""),
    ];
    let mut sentences = Vec::new();
    for (user, password) in cases {
        let before = runs(&trial);
        let answer = trial.login(user, password).await;
        assert!(password.len() > 1024 || runs(&trial) == before + 1, "{user:?} takes as long");
        sentences.push(answer.as_ref().unwrap_err().to_string());
        refused(answer, Unrecognised::Wrong);
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
}

/// SFTPGo kept users in a cache after changes (A10): here each counts from the next request on.
#[tokio::test]
async fn a_changed_disabled_or_removed_account_is_refused_at_once() {
    let trial = Trial::new().await;
    let (holdall, ada) = (&trial.holdall, account("ada"));
    let app = trial.app_password("ada", Scope::default()).await.1;
    let (key, secret) = holdall.add_key(&Caller::Operator, &ada, None).await.unwrap();
    trial.caller("ada").await;

    holdall.set_password(&Caller::Operator, &ada, Secret::new("battery staple")).await.unwrap();
    refused(trial.login("ada", PASSWORD).await, Unrecognised::Wrong);
    trial.login("ada", "battery staple").await.unwrap();

    holdall.set_disabled(&Caller::Operator, &ada, true).await.unwrap();
    refused(trial.login("ada", "battery staple").await, Unrecognised::Disabled);
    refused(trial.login("ada", "wrong password").await, Unrecognised::Wrong);
    refused(trial.login("ada", app.reveal()).await, Unrecognised::Disabled);
    refused(trial.by_token(&app).await, Unrecognised::Disabled);
    refused(trial.by_key(&key.id, &secret).await, Unrecognised::Disabled);
    refused(trial.by_key(&key.id, &Secret::new("guess")).await, Unrecognised::Signature);

    holdall.set_disabled(&Caller::Operator, &ada, false).await.unwrap();
    trial.login("ada", "battery staple").await.unwrap();
    trial.by_token(&app).await.unwrap();
    trial.by_key(&key.id, &secret).await.unwrap();

    holdall.remove_account(&Caller::Operator, &ada).await.unwrap();
    refused(trial.login("ada", "battery staple").await, Unrecognised::Wrong);
    refused(trial.by_token(&app).await, Unrecognised::Wrong);
    refused(trial.by_key(&key.id, &secret).await, Unrecognised::UnknownKey);

    trial.add("ada", Some(PASSWORD)).await.unwrap();
    refused(trial.login("ada", "battery staple").await, Unrecognised::Wrong);
    refused(trial.by_token(&app).await, Unrecognised::Wrong);
}

#[tokio::test]
async fn an_app_password_is_good_for_its_own_name_its_scope_and_its_time() {
    let trial = Trial::new().await;
    let scope = Scope { buckets: vec![bucket("ada")], read_only: true };
    let before = runs(&trial);
    let ends = Some(Timestamp(2_000_000));
    let (operator, ada) = (Caller::Operator, account("ada"));
    let made = trial.holdall.add_app_password(&operator, &ada, "phone", scope.clone(), ends);
    let (shown, token) = made.await.unwrap();
    assert_eq!((shown.scope.clone(), shown.expires), (scope.clone(), ends));
    for answer in [trial.login("HOME\\ada", token.reveal()).await, trial.by_token(&token).await] {
        let Ok(Caller::Person(person)) = answer else { panic!("{answer:?}") };
        assert_eq!((person.scope, person.proof), (scope.clone(), Proof::AppPassword));
    }
    assert_eq!(runs(&trial), before, "no argon2 for an app password");
    refused(trial.login("bob", token.reveal()).await, Unrecognised::Wrong);
    refused(trial.by_token(&Secret::new("aaaa-aaaa")).await, Unrecognised::Wrong);
    refused(trial.by_token(&Secret::new("a".repeat(32))).await, Unrecognised::Wrong);
    trial.clock.advance(1_000_000);
    refused(trial.by_token(&token).await, Unrecognised::Disabled);
    refused(trial.login("ada", token.reveal()).await, Unrecognised::Disabled);
}

/// ownCloud let presigned URLs in when the victim had no key at all (A1).
#[tokio::test]
async fn a_signature_needs_a_key_that_exists_and_its_very_secret() {
    let trial = Trial::new().await;
    let (key, secret) = trial.holdall.add_key(&Caller::Operator, &account("ada"), None).await.unwrap();
    for id in ["", "ada", "HA", "00000000000000000000", &key.id.to_lowercase()] {
        let always: &(dyn Fn(&Secret) -> bool + Send + Sync) = &|_| true;
        let answer = trial.holdall.authenticate(Presented::Signature { access_key: id, verify: always });
        refused(answer.await, Unrecognised::UnknownKey);
    }
    for believed in ["", "\0", &secret.reveal()[1..]] {
        refused(trial.by_key(&key.id, &Secret::new(believed)).await, Unrecognised::Signature);
    }
    let Caller::Person(person) = trial.by_key(&key.id, &secret).await.unwrap() else { panic!() };
    assert_eq!((person.name.as_str(), person.proof), ("ada", Proof::AccessKey(key.id.clone())));
    trial.holdall.remove_key(&Caller::Operator, &key.id).await.unwrap();
    refused(trial.by_key(&key.id, &secret).await, Unrecognised::UnknownKey);
}

#[tokio::test]
async fn a_weak_hash_is_replaced_when_its_password_is_shown() {
    let trial = Trial::new().await;
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let hash: PasswordHash = weak.hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16]).unwrap();
    let weaken = trial.holdall.write(move |tx| {
        let row = rows::account::by_login(tx, "ada")?.unwrap();
        let password = Some(rows::account::PasswordHash(hash.to_string()));
        let after = rows::account::AccountRow { password, ..row.clone() };
        rows::account::write(tx, Some(&row), &after);
        Ok(())
    });
    weaken.await.unwrap();
    let kept = || async {
        let row = trial.holdall.read(|rows| Ok(rows::account::by_login(rows, "ada")?)).await.unwrap();
        row.unwrap().password.unwrap().0
    };
    refused(trial.login("ada", "wrong password").await, Unrecognised::Wrong);
    assert!(kept().await.contains("m=64,"));
    trial.caller("ada").await;
    assert!(kept().await.contains("m=19456,t=2,p=1"));
    let before = runs(&trial);
    trial.caller("ada").await;
    assert_eq!(runs(&trial), before, "still remembered");
}

#[tokio::test]
async fn guessing_slows_down_and_the_right_password_still_opens() {
    let trial = Trial::new().await;
    for _ in 0..10 {
        refused(trial.login("ada", "wrong password").await, Unrecognised::Wrong);
    }
    let held_up = tokio::time::Instant::now();
    trial.login("ada", PASSWORD).await.unwrap();
    assert!(held_up.elapsed().as_millis() >= 125);
    let tried = Try { login: "ada", from: None };
    let free = trial.holdall.credentials.failures.delay(tried, Timestamp(1_000_000));
    assert!(free.is_zero(), "a good password clears the failures");
}

/// 256 tries under one name used to make the right password busy, and wrong ones under many names
/// filled the line before it.
#[tokio::test]
async fn a_stranger_who_guesses_does_not_keep_the_owner_out() {
    let trial = Arc::new(Trial::new().await);
    let (stranger, owner) = (PeerNet::of([192, 0, 2, 1].into()), PeerNet::of([192, 0, 2, 2].into()));
    for _ in 0..20 {
        let tried = Try { login: "ada", from: stranger };
        trial.holdall.credentials.failures.note(tried, Timestamp(1_000_000));
    }
    let guess = |n: usize| {
        let trial = Arc::clone(&trial);
        let name = if n.is_multiple_of(2) { "ada".to_owned() } else { format!("name{n}") };
        tokio::spawn(async move { trial.login_from(stranger, &name, &format!("guess {n}")).await })
    };
    let guesses: Vec<_> = (0..600).map(guess).collect();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    trial.login_from(owner, "ada", PASSWORD).await.unwrap();
    let mut busy = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            Err(Error::Busy(_)) => busy += 1,
            other => refused(other, Unrecognised::Wrong),
        }
    }
    assert!(busy > 500, "{busy}");
}
