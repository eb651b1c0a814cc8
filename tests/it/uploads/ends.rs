//! Complete: twice at once, after success, while it is aborted, while its part comes again.

use futures::future::{join, join_all};
use md5::{Digest, Md5};

use super::content;
use crate::{
    common::{ask::Ask, wire::Reply, world::World},
    proof,
};

const ROUNDS: u64 = 20;

fn tag(part: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(part)))
}

fn document(parts: impl Iterator<Item = (u64, String)>) -> String {
    let part = |(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
    let parts: String = parts.map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

async fn s3(world: &World, method: &str, target: &str, body: impl Into<Vec<u8>>) -> Reply {
    world.ask(&world.signer("olga").sign(Ask::new(method, target).body(body))).await
}

async fn begin(world: &World, name: &str) -> String {
    let begun = s3(world, "POST", &format!("/olga/{name}?uploads"), "").await;
    begun.text().split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

async fn part(world: &World, name: &str, id: &str, body: &str) -> u16 {
    s3(world, "PUT", &format!("/olga/{name}?uploadId={id}&partNumber=1"), body).await.status
}

async fn complete(world: &World, name: &str, id: &str, body: &str) -> Reply {
    let document = document([(1, tag(body.as_bytes()))].into_iter());
    s3(world, "POST", &format!("/olga/{name}?uploadId={id}"), document).await
}

fn etag(reply: &Reply) -> &str {
    reply.text().split("<ETag>").nth(1).unwrap().split('<').next().unwrap()
}

/// minio#17858: several calls, the first answered success, and the data was gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_completed_by_many_at_once_is_completed_once_and_all_are_told_so() {
    let world = World::start().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(s3(&world, "PUT", "/olga?versioning", enabled).await.status, 200);
    for round in 0..proof::size(ROUNDS, 500) {
        let (name, body) = (format!("many-{round}"), format!("part {round}"));
        let id = begin(&world, &name).await;
        part(&world, &name, &id, &body).await;
        let replies = join_all((0..8).map(|_| complete(&world, &name, &id, &body))).await;
        let again = complete(&world, &name, &id, &body).await;
        for reply in replies.iter().chain([&again]) {
            assert_eq!((reply.status, etag(reply)), (200, etag(&again)), "{}", reply.text());
        }
        assert_eq!(content(&world, &name).await, Some(body.clone().into_bytes()));
        let versions = s3(&world, "GET", &format!("/olga?versions&prefix={name}"), "").await;
        assert_eq!(versions.text().matches("<Version>").count(), 1, "{}", versions.text());
        // Long afterwards, when something else is there, it changes nothing.
        s3(&world, "PUT", &format!("/olga/{name}"), "newer").await;
        assert_eq!(complete(&world, &name, &id, &body).await.status, 200);
        assert_eq!(content(&world, &name).await, Some(b"newer".to_vec()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_completed_or_aborted_and_never_both() {
    let world = World::start().await;
    let mut aborts = 0;
    for round in 0..proof::size(ROUNDS, 500) {
        let (name, body) = (format!("either-{round}"), format!("part {round}"));
        s3(&world, "PUT", &format!("/olga/{name}"), "old").await;
        let id = begin(&world, &name).await;
        part(&world, &name, &id, &body).await;
        let at = format!("/olga/{name}?uploadId={id}");
        let (completed, aborted) = if round % 2 == 0 {
            join(complete(&world, &name, &id, &body), s3(&world, "DELETE", &at, "")).await
        } else {
            let (aborted, completed) =
                join(s3(&world, "DELETE", &at, ""), complete(&world, &name, &id, &body)).await;
            (completed, aborted)
        };
        let found = content(&world, &name).await.unwrap();
        match (completed.status, aborted.status) {
            (200, 404) => assert_eq!(found, body.as_bytes()),
            (404, 204) => assert_eq!(found, b"old"),
            both => panic!("{both:?}: {}", String::from_utf8_lossy(&found)),
        }
        aborts += u64::from(aborted.status == 204);
    }
    println!("{aborts} were aborted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_comes_again_meanwhile_is_not_taken_for_the_one_that_was_named() {
    let world = World::start().await;
    for round in 0..proof::size(ROUNDS, 500) {
        let (name, body, other) = (format!("part-{round}"), format!("one {round}"), format!("two {round}"));
        s3(&world, "PUT", &format!("/olga/{name}"), "old").await;
        let id = begin(&world, &name).await;
        part(&world, &name, &id, &body).await;
        let (again, completed) =
            join(part(&world, &name, &id, &other), complete(&world, &name, &id, &body)).await;
        let found = content(&world, &name).await.unwrap();
        match (completed.status, again) {
            (200, 200 | 404) => assert_eq!(found, body.as_bytes()),
            (400, 200) => {
                assert!(completed.text().contains("InvalidPart"), "{}", completed.text());
                assert_eq!(found, b"old");
                assert_eq!(complete(&world, &name, &id, &other).await.status, 200);
                assert_eq!(content(&world, &name).await, Some(other.into_bytes()));
            }
            both => panic!("{both:?}"),
        }
    }
}

#[tokio::test]
async fn an_upload_is_known_to_its_bucket_and_key_only() {
    let world = World::start().await;
    let (id, etag) = world.upload("olga", "big").await;
    let before = world.state().await;
    let complete = document([(1, etag)].into_iter());
    for (who, name) in [("otto", "otto/big"), ("olga", "olga/other"), ("olga", "olga-two/big")] {
        for (method, query, body) in [
            ("PUT", "&partNumber=1", "forged"),
            ("POST", "", complete.as_str()),
            ("GET", "", ""),
            ("DELETE", "", ""),
        ] {
            let ask = Ask::new(method, &format!("/{name}?uploadId={id}{query}")).body(body);
            let reply = world.ask(&world.signer(who).sign(ask)).await;
            assert_eq!(reply.status, 404, "{method} {name}: {}", reply.text());
            assert!(reply.text().contains("<Code>NoSuchUpload</Code>"), "{}", reply.text());
            assert_eq!(before, world.state().await, "{method} {name}");
        }
    }
}

/// As many as there may be, with `HOLDALL_PROOF=long`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_very_many_parts_is_one_file() {
    let (world, count) = (World::start().await, proof::size(100, 10_000));
    let least: Vec<u8> = (0..5_u32 << 20).map(|n| (n % 251) as u8).collect();
    assert_eq!(s3(&world, "PUT", "/olga/source", least.clone()).await.status, 200);
    let id = begin(&world, "big").await;
    for number in 1..=count {
        let ask = Ask::new("PUT", &format!("/olga/big?uploadId={id}&partNumber={number}"));
        let ask = world.signer("olga").sign(ask.with("x-amz-copy-source", "olga/source"));
        assert_eq!(world.ask(&ask).await.status, 200, "part {number}");
    }
    let parts = (1..=count).map(|number| (number, tag(&least)));
    let done = s3(&world, "POST", &format!("/olga/big?uploadId={id}"), document(parts)).await;
    assert!(done.status == 200 && etag(&done).contains(&format!("-{count}")), "{}", done.text());
    let head = world.ask(&world.signer("olga").sign(Ask::new("HEAD", "/olga/big"))).await;
    assert_eq!(head.header("content-length"), Some((count * (5 << 20)).to_string().as_str()));
    for number in [1, count / 2, count] {
        let ask = Ask::new("GET", &format!("/olga/big?partNumber={number}"));
        let got = world.ask(&world.signer("olga").sign(ask)).await;
        assert!(got.status == 206 && got.body == least, "part {number}: {}", got.status);
    }
}
