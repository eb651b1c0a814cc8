//! Accounts that come, change and go.

use super::*;
use crate::{
    domain::{
        error::What,
        nouns::{AccountChange, HistoryPolicy, ListBuckets},
    },
    store::{
        meta::{
            rows::Rows,
            rows::{KeyRange, RowsMut},
            table::Table,
        },
        rows,
    },
};

#[tokio::test]
async fn an_account_is_born_with_its_bucket_or_not_at_all() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let own = trial.holdall.show_bucket(&ada, &bucket("ada")).await.unwrap();
    assert_eq!((own.owner_name.as_str(), own.history), ("ada", HistoryPolicy::Days(30)));
    trial.holdall.create_bucket(&ada, &bucket("carol"), Default::default()).await.unwrap();
    let taken = trial.add("carol", None).await;
    assert!(matches!(&taken, Err(Error::Exists(What::Bucket, name)) if name == "carol"), "{taken:?}");
    assert!(trial.holdall.show_account(&Caller::Operator, &account("carol")).await.is_err());
    let taken = trial.add("ada", None).await;
    assert!(matches!(taken, Err(Error::Exists(What::Account, _))), "{taken:?}");
}

#[tokio::test]
async fn an_account_shows_an_owner_id_of_64_digits_that_stays_its_own() {
    let trial = Trial::new().await;
    let shown = trial.holdall.list_accounts(&Caller::Operator).await.unwrap();
    let names: Vec<_> = shown.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["ada", "bob", "root"]);
    let [ada, bob, _] = &shown[..] else { panic!() };
    assert_eq!(ada.email.as_deref(), Some("ada@example.org"));
    assert_eq!(ada.display_name, "ada");
    assert!(ada.canonical_id.len() == 64 && ada.canonical_id.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_ne!(ada.canonical_id, bob.canonical_id);
}

#[tokio::test]
async fn only_admins_and_the_operator_manage_accounts() {
    let trial = Trial::new().await;
    let (holdall, bob) = (&trial.holdall, account("bob"));
    let (ada, root) = (trial.caller("ada").await, trial.caller("root").await);
    for caller in [&ada, &Caller::Anonymous] {
        let new = NewAccount {
            name: account("carol"),
            display_name: String::new(),
            email: None,
            admin: true,
            password: None,
        };
        assert!(holdall.add_account(caller, new).await.is_err());
        assert!(holdall.list_accounts(caller).await.is_err());
        assert!(holdall.show_account(caller, &bob).await.is_err());
        assert!(holdall.usage(caller, &bob).await.is_err());
        assert!(holdall.set_password(caller, &bob, Secret::new("taken over")).await.is_err());
        assert!(holdall.set_disabled(caller, &bob, true).await.is_err());
        assert!(holdall.remove_account(caller, &bob).await.is_err());
        let admin = AccountChange { admin: Some(true), ..AccountChange::default() };
        assert!(holdall.change_account(caller, &account("ada"), admin).await.is_err());
    }
    // Whether there is such an account is not told to strangers.
    let there = holdall.show_account(&ada, &bob).await.unwrap_err().to_string();
    let nowhere = holdall.show_account(&ada, &account("nobody")).await.unwrap_err().to_string();
    assert_eq!(there, nowhere);
    assert_eq!(holdall.usage(&ada, &account("ada")).await.unwrap(), Default::default());
    let quota = AccountChange { quota: Some(Some(7)), ..AccountChange::default() };
    assert_eq!(holdall.change_account(&root, &bob, quota).await.unwrap().quota, Some(7));
    holdall.remove_account(&root, &bob).await.unwrap();
    assert!(matches!(holdall.show_account(&root, &bob).await, Err(Error::NotFound(What::Account, _))));
}

#[tokio::test]
async fn the_last_admin_stays_one_whoever_asks() {
    let trial = Trial::new().await;
    let (holdall, root) = (&trial.holdall, account("root"));
    let admin = trial.caller("root").await;
    let demote = || AccountChange { admin: Some(false), ..AccountChange::default() };
    for caller in [&admin, &Caller::Operator] {
        for refused in [
            holdall.set_disabled(caller, &root, true).await,
            holdall.remove_account(caller, &root).await,
            holdall.change_account(caller, &root, demote()).await.map(drop),
        ] {
            assert!(matches!(&refused, Err(Error::Conflict(why)) if why.starts_with("root ")), "{refused:?}");
        }
    }
    let promote = AccountChange { admin: Some(true), ..AccountChange::default() };
    holdall.change_account(&admin, &account("ada"), promote).await.unwrap();
    holdall.change_account(&admin, &root, demote()).await.unwrap();
    // Another one counts only while it is let in.
    let last = holdall.set_disabled(&Caller::Operator, &account("ada"), true).await;
    assert!(matches!(&last, Err(Error::Conflict(why)) if why.starts_with("ada ")), "{last:?}");
    holdall.remove_account(&Caller::Operator, &root).await.unwrap();
}

#[tokio::test]
async fn an_account_is_removed_with_its_empty_buckets_and_leaves_nothing() {
    let trial = Trial::new().await;
    let (holdall, bob) = (&trial.holdall, account("bob"));
    let caller = trial.caller("bob").await;
    // More than one transaction's worth.
    for n in 0..150 {
        let name = bucket(&format!("b{n:03}"));
        holdall.create_bucket(&caller, &name, Default::default()).await.unwrap();
    }
    holdall.add_key(&caller, &bob, None).await.unwrap();
    trial.app_password("bob", Scope::default()).await;
    let full = holdall.show_bucket(&caller, &bucket("b149")).await.unwrap();
    let put = |there: bool| {
        holdall.write(move |tx| {
            let row = rows::bucket::by_name(tx, &bucket("b149"))?.unwrap();
            let key = rows::tree::dent_key(row.id, row.root, "file");
            if there {
                tx.put(Table::Dent, key, vec![1])
            } else {
                tx.delete(Table::Dent, key)
            }
            Ok(())
        })
    };
    put(true).await.unwrap();
    let kept = holdall.remove_account(&Caller::Operator, &bob).await;
    assert!(matches!(&kept, Err(Error::NotEmpty(what)) if what == "bucket b149"), "{kept:?}");
    let all = ListBuckets { limit: 1000, ..ListBuckets::default() };
    assert_eq!(holdall.list_buckets(&caller, all).await.unwrap().len(), 151, "nothing is gone");
    put(false).await.unwrap();
    holdall.remove_account(&Caller::Operator, &bob).await.unwrap();
    let left = holdall.read(move |rows| {
        let everything = KeyRange::prefix(Vec::new());
        let tables = [Table::AccessKey, Table::AccountKey, Table::AppPassword, Table::AccountApp];
        let mut left = tables.iter().filter(|table| rows.any(**table, &everything).unwrap()).count();
        left += rows::bucket::count(rows, full.owner, 1)?;
        left += usize::from(rows::account::by_login(rows, "bob@example.org")?.is_some());
        Ok(left)
    });
    assert_eq!(left.await.unwrap(), 0);
    trial.add("bob", None).await.unwrap();
}

#[tokio::test]
async fn a_name_that_was_taken_anew_is_not_its_former_owners() {
    let trial = Trial::new().await;
    let (holdall, ada) = (&trial.holdall, account("ada"));
    let former = trial.caller("ada").await;
    holdall.remove_account(&Caller::Operator, &ada).await.unwrap();
    trial.add("ada", Some("another password")).await.unwrap();
    assert!(holdall.show_account(&former, &ada).await.is_err());
    assert!(holdall.set_password(&former, &ada, Secret::new("taken over")).await.is_err());
    assert!(holdall.add_key(&former, &ada, None).await.is_err());
    assert!(holdall.show_bucket(&former, &bucket("ada")).await.is_err());
    assert!(matches!(holdall.list_accounts(&Caller::Anonymous).await, Err(Error::Unauthenticated(_))));
}

#[tokio::test]
async fn addresses_are_unique_whatever_their_case() {
    let trial = Trial::new().await;
    let change = |email: &str| {
        let wanted = AccountChange { email: Some(Some(email.to_owned())), ..AccountChange::default() };
        let holdall = trial.holdall.clone();
        async move { holdall.change_account(&Caller::Operator, &account("bob"), wanted).await }
    };
    let taken = change("ADA@example.ORG").await.unwrap_err();
    assert!(matches!(taken, Error::Exists(What::Email, _)), "{taken:?}");
    let new = NewAccount {
        name: account("eve"),
        display_name: String::new(),
        email: Some("bob@example.org".into()),
        admin: false,
        password: None,
    };
    let taken = trial.holdall.add_account(&Caller::Operator, new).await.unwrap_err();
    assert_eq!(taken.to_string(), "an account with the e-mail address bob@example.org exists already");
    for bad in ["", "bob", "@", "bob@", "@host", "a@b@c", "a b@c", "a\n@c", "home\\bob@c"] {
        assert!(matches!(change(bad).await, Err(Error::Invalid(_))), "{bad:?}");
    }
    assert_eq!(change(" Bob@New.example ").await.unwrap().email.as_deref(), Some("bob@new.example"));
    trial.login("bob@new.example", PASSWORD).await.unwrap();
    assert!(trial.login("bob@example.org", PASSWORD).await.is_err());
}
