//! What a grant gives, and to whom; the rows are written by hand until a verb makes them.

use super::*;
use crate::{
    domain::{act::Act, nouns::*, spot::Found},
    model::{ids::NodeId, role::Role},
    store::{
        meta::{
            rows::{KeyRange, Order, Rows as _, RowsMut as _},
            table::Table,
        },
        rows::{
            bucket as buckets,
            grant::{self, GrantRow},
        },
    },
};

/// Grants a role on what stands at an address.
pub(crate) async fn give(holdall: &Holdall, at: &Address, to: &Caller, role: Role) {
    let (at, who) = (at.clone(), to.account().unwrap());
    let done = holdall.write(move |tx| {
        let bucket = buckets::by_name(tx, &at.bucket)?.unwrap();
        let node: NodeId = Found::at(tx, &bucket, &at)?.node().unwrap().0;
        grant::put_grant(tx, (bucket.id, node), who, &GrantRow { role });
        Ok(())
    });
    done.await.unwrap();
}

struct Shared {
    trial: Trial,
    ada: Caller,
    bob: Caller,
}

impl Shared {
    async fn new() -> Self {
        let (trial, ada) = Trial::with_files(&["d/a", "d/s/b", "e/c", "d2/x"]).await;
        let bob = trial.caller("bob").await;
        Self { trial, ada, bob }
    }

    /// Grants `bob` a role at a path of `ada`'s bucket.
    async fn grant(&self, at: &str, role: Role) {
        give(&self.trial.holdall, &path("ada", at), &self.bob, role).await;
    }

    async fn mv(&self, from: &str, to: &str) -> Result<Transferred, Error> {
        self.trial.transfer((&self.bob, Transfer::Move), &path("ada", from), &path("ada", to), &[]).await
    }

    /// What `bob` may do at a path: `r` read, `l` list its folder, `w` write there, `t` take it
    /// away, `i` look at the bucket. Only refusals for want of a right count as such.
    async fn may(&self, at: &str) -> String {
        let (holdall, here) = (&self.trial.holdall, key("ada", at));
        let folder = at.rsplit_once('/').map_or("", |(folder, _)| folder);
        let copy = path("bob", "copied");
        let verbs = [
            ('r', holdall.stat(&self.bob, &here, None).await.map(drop)),
            ('r', holdall.open(&self.bob, &here, None, &Default::default()).await.map(drop)),
            ('r', self.trial.transfer((&self.bob, Transfer::Copy), &here, &copy, &[]).await.map(drop)),
            ('r', holdall.locks(&self.bob, &here).await.map(drop)),
            ('l', holdall.list_folder(&self.bob, &path("ada", folder), None, 10).await.map(drop)),
            ('w', self.trial.put(&self.bob, &here, &[]).await.map(drop)),
            ('w', holdall.begin_upload(&self.bob, &here, NewUpload::default()).await.map(drop)),
            ('i', holdall.show_bucket(&self.bob, &here.bucket).await.map(drop)),
            ('i', holdall.bucket_usage(&self.bob, &here.bucket).await.map(drop)),
            ('i', holdall.charged_to_bucket(&self.bob, &here.bucket).await.map(drop)),
            ('t', self.trial.transfer((&self.bob, Transfer::Move), &here, &copy, &[]).await.map(drop)),
        ];
        let mut all: std::collections::BTreeMap<char, Vec<bool>> = Default::default();
        for (letter, done) in verbs {
            let allowed = match done {
                Ok(()) => true,
                Err(Error::Denied(_)) => false,
                Err(other) => panic!("{at} {letter}: {other}"),
            };
            all.entry(letter).or_default().push(allowed);
        }
        if all[&'t'] == [true] {
            self.trial.put(&self.ada, &here, &[]).await.unwrap();
        }
        assert!(all.values().all(|same| same.iter().all(|one| one == &same[0])), "{at}: {all:?}");
        all.into_iter().filter(|(_, may)| may[0]).map(|(letter, _)| letter).collect()
    }
}

#[tokio::test]
async fn a_grant_gives_what_its_role_says_below_it_and_nothing_more() {
    for (role, below) in [(Role::Viewer, "lr"), (Role::Editor, "lrtw"), (Role::Owner, "lrtw")] {
        let shared = Shared::new().await;
        assert_eq!(shared.may("d/a").await, "");
        shared.grant("d", role).await;
        for (at, may) in [("d/a", below), ("d/s/b", below), ("e/c", ""), ("d2/x", "")] {
            assert_eq!(shared.may(at).await, may, "{role:?} {at}");
        }
        let root = shared.trial.holdall.list_keys(&shared.bob, &bucket("ada"), ListKeys::default()).await;
        assert!(matches!(root, Err(Error::Denied(_))));
        let gone = shared.trial.remove(&shared.bob, &path("ada", "d"), &[]).await;
        assert!(matches!(gone, Err(Error::Denied(_))), "the folder above is not theirs: {gone:?}");
        shared.trial.assert_sound().await;
    }
}

#[tokio::test]
async fn a_grant_on_a_bucket_is_one_on_all_of_it() {
    for (role, may) in [(Role::Viewer, "lr"), (Role::Editor, "lrtw"), (Role::Owner, "ilrtw")] {
        let shared = Shared::new().await;
        shared.grant("", role).await;
        for at in ["d/s/b", "e/c"] {
            assert_eq!(shared.may(at).await, may, "{role:?} {at}");
        }
        let which = ListKeys { limit: 10, ..ListKeys::default() };
        assert_eq!(
            shared.trial.holdall.list_keys(&shared.bob, &bucket("ada"), which).await.unwrap().entries.len(),
            4
        );
    }
}

#[tokio::test]
async fn whoever_may_read_in_a_bucket_is_told_who_owns_it() {
    let shared = Shared::new().await;
    let (holdall, bob, name) = (&shared.trial.holdall, &shared.bob, bucket("ada"));
    assert!(matches!(holdall.bucket_owner(bob, &path("ada", "d/a")).await, Err(Error::Denied(_))));
    let ada: Owner = holdall.show_account(&shared.ada, &account("ada")).await.unwrap().into();
    let upload = holdall.begin_upload(&shared.ada, &key("ada", "d/u"), NewUpload::default()).await.unwrap();
    shared.grant("d", Role::Editor).await;
    assert_eq!(holdall.bucket_owner(bob, &path("ada", "d/a")).await.unwrap(), ada);
    assert!(holdall.bucket_owner(bob, &path("ada", "")).await.is_err());
    let parts = holdall.list_parts(bob, &key("ada", "d/u"), &upload.id, 0, 1).await.unwrap();
    assert_eq!(parts.owner, ada);
    shared.grant("", Role::Editor).await;
    let keys = holdall.list_keys(bob, &name, ListKeys::default()).await.unwrap();
    let versions = holdall.list_versions(bob, &name, ListVersions::default()).await.unwrap();
    let uploads = holdall.list_uploads(bob, &name, ListUploads::default()).await.unwrap();
    assert_eq!([keys.owner, versions.owner, uploads.owner], [ada.clone(), ada.clone(), ada]);
}

#[tokio::test]
async fn the_highest_role_on_the_way_counts() {
    let shared = Shared::new().await;
    shared.grant("d", Role::Editor).await;
    shared.grant("d/s", Role::Viewer).await;
    shared.grant("e/c", Role::Editor).await;
    assert_eq!(shared.may("d/s/b").await, "lrtw");
    assert!(shared.trial.put(&shared.bob, &key("ada", "e/c"), &[]).await.is_ok());
    assert!(shared.trial.remove(&shared.bob, &key("ada", "e/c"), &[]).await.is_err());
    let other = shared.trial.caller("root").await;
    assert!(shared.trial.put(&other, &key("ada", "d/a"), &[]).await.is_err(), "it is bob's grant");
}

#[tokio::test]
async fn a_folder_is_moved_by_who_may_take_it_and_put_it_there() {
    let shared = Shared::new().await;
    shared.grant("d", Role::Viewer).await;
    shared.grant("e", Role::Editor).await;
    let refused = shared.mv("d/s", "e/s").await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    let refused = shared.mv("e/c", "d/c").await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    shared.grant("d", Role::Editor).await;
    shared.mv("d/s", "e/s").await.unwrap();
    let refused = shared.mv("e", "d/e").await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
}

#[tokio::test]
async fn what_is_one_s_own_costs_no_look_at_grants() {
    let shared = Shared::new().await;
    let cost = |who: Caller| {
        shared.trial.holdall.write(move |tx| {
            let before = tx.rows_read();
            let refused =
                Act::begin(tx, &who, &path("ada", "d/s/b"), crate::domain::access::Verb::Write).is_err();
            Ok((refused, tx.rows_read() - before))
        })
    };
    let (own, strange) = (cost(shared.ada.clone()).await.unwrap(), cost(shared.bob.clone()).await.unwrap());
    assert!(!own.0 && strange.0);
    shared.grant("e", Role::Viewer).await;
    assert_eq!(cost(shared.ada.clone()).await.unwrap(), own, "grants cost the owner nothing");
}

#[tokio::test]
async fn a_grant_counts_until_it_is_taken_back() {
    let shared = Shared::new().await;
    let (holdall, here) = (&shared.trial.holdall, key("ada", "d/s/b"));
    let allowed = async || match holdall.stat(&shared.bob, &here, None).await {
        Ok(_) => true,
        Err(Error::Denied(_)) => false,
        Err(error) => panic!("{error}"),
    };
    assert!(!allowed().await);
    shared.grant("d", Role::Viewer).await;
    assert!(allowed().await);
    let gone = holdall.write(|tx| {
        let found = tx.scan(Table::Grant, &KeyRange::prefix(Vec::new()), Order::Forward, 10)?;
        found.into_iter().for_each(|(key, _)| tx.delete(Table::Grant, key));
        Ok(())
    });
    gone.await.unwrap();
    assert!(!allowed().await);
}
