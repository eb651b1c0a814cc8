//! Operations for somebody who was granted a bucket of somebody else, or a folder of it.

use http::{Extensions, HeaderMap, Method, Uri};

use super::{
    super::{
        payload::DeclaredSlot,
        request::{Parsed, Taken},
        target::Target,
    },
    *,
};
use crate::{
    domain::{
        caller::{Caller, Person, Proof, Scope},
        give, in_memory, newcomer,
        nouns::{Expected, NewAccount, WriteOptions},
    },
    model::{
        address::{Address, ItemPath, ObjectKey},
        name::BucketName,
        role::Role,
        time::Timestamp,
    },
};

struct Shared {
    ops: Ops,
    bob: Caller,
}

async fn person(holdall: &Holdall, name: &str) -> Caller {
    let new = NewAccount { display_name: format!("Display {name}"), ..newcomer(name) };
    let name = new.name.clone();
    let account = holdall.add_account(&Caller::Operator, new).await.unwrap().id;
    let proof = Proof::AccessKey("k".into());
    Caller::Person(Person { account, name, admin: false, proof, scope: Scope::default() })
}

fn path(text: &str) -> Address {
    Address::path(BucketName::parse("ada").unwrap(), ItemPath::parse(text).unwrap())
}

impl Shared {
    /// A bucket of `ada`'s with two files.
    async fn new() -> Self {
        let holdall = in_memory(Timestamp(1_000_000));
        let (ada, bob) = (person(&holdall, "ada").await, person(&holdall, "bob").await);
        for file in ["d/a", "e"] {
            let at = Address::key(path("").bucket, ObjectKey::parse(file).unwrap());
            let put = holdall.begin_put(&ada, &at, Expected::default()).await.unwrap();
            put.commit(WriteOptions::default()).await.unwrap();
        }
        Self { ops: Ops::new(holdall, "eu-1".into()), bob }
    }

    async fn grant(&self, at: &str, role: Role) {
        give(&self.ops.holdall, &path(at), &self.bob, role).await;
    }

    fn bob<T>(&self, input: T) -> S3Request<T> {
        let bucket = Some(BucketName::parse("ada").unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(Parsed {
            caller: self.bob.clone(),
            target: Target { bucket, key: None },
            taken: Taken::default(),
            expected: Expected::default(),
            declared: DeclaredSlot::default(),
        });
        S3Request {
            input,
            method: Method::GET,
            uri: Uri::default(),
            headers: HeaderMap::new(),
            extensions,
            credentials: None,
            region: None,
            service: None,
            trailing_headers: None,
        }
    }

    /// Statuses of looking at the bucket, and the owner a listing names.
    async fn seen(&self) -> (Vec<u16>, Option<String>) {
        let head = self.ops.head_bucket(self.bob(HeadBucketInput::default())).await.map(drop);
        let location = self.ops.get_bucket_location(self.bob(GetBucketLocationInput::default())).await;
        let listed = self.ops.list_objects(self.bob(ListObjectsInput::default())).await;
        let owner = listed.as_ref().ok().and_then(|answer| {
            let first = answer.output.contents.as_ref()?.first()?;
            first.owner.clone()?.display_name
        });
        let status = |done: S3Result<()>| done.map_or_else(|e| e.status_code().unwrap().as_u16(), |()| 200);
        (vec![status(head), status(location.map(drop)), status(listed.map(drop))], owner)
    }

    /// What became of removing both files, by code.
    async fn removed(&self) -> Vec<(String, String)> {
        let one = |key: &str| ObjectIdentifier { key: key.into(), ..ObjectIdentifier::default() };
        let delete = Delete { objects: ["d/a", "e"].map(one).into(), quiet: None };
        let input = DeleteObjectsInput::builder().bucket("ada".into()).delete(delete).build().unwrap();
        let answer = self.ops.delete_objects(self.bob(input)).await.unwrap().output;
        let deleted = answer.deleted.into_iter().flatten().map(|done| (done.key.unwrap(), "gone".into()));
        let errors = answer.errors.into_iter().flatten();
        deleted.chain(errors.map(|error| (error.key.unwrap(), error.code.unwrap()))).collect()
    }
}

#[tokio::test]
async fn a_bucket_that_was_granted_is_seen_and_its_owner_named() {
    let shared = Shared::new().await;
    assert_eq!(shared.seen().await, (vec![403, 403, 403], None));
    shared.grant("", Role::Viewer).await;
    assert_eq!(shared.seen().await, (vec![200, 200, 200], Some("Display ada".into())));
}

#[tokio::test]
async fn of_many_keys_those_of_a_granted_folder_are_removed() {
    let shared = Shared::new().await;
    let pair = |key: &str, code: &str| (key.to_owned(), code.to_owned());
    let refused = vec![pair("d/a", "AccessDenied"), pair("e", "AccessDenied")];
    assert_eq!(shared.removed().await, refused);
    shared.grant("d", Role::Editor).await;
    assert_eq!(shared.removed().await, vec![pair("d/a", "gone"), pair("e", "AccessDenied")]);
}
