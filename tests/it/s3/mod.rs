//! S3 end to end: signed requests on the wire, and the answers clients rely on.

mod chunked;
mod client;
mod copies;
mod listing;
mod multipart;
mod objects;
mod reading;
mod versions;

use crate::common::wire::{element, elements};
use client::{S3, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_seen_and_removed() {
    let mut s3 = S3::start().await;
    let made = s3.send("PUT", "/b-1", &[], b"").await;
    assert_eq!((made.status, made.header("location")), (200, Some("/b-1")));
    assert_eq!(s3.send("PUT", "/b-1", &[], b"").await.status, 200, "one's own, in us-east-1");
    let head = s3.head_of("/b-1").await;
    assert_eq!((head.status, head.header("x-amz-bucket-region")), (200, Some("us-east-1")));
    assert_eq!(element(s3.get("/b-1?location").await.text(), "LocationConstraint"), None);
    let listed = s3.get("/").await;
    assert_eq!(elements(listed.text(), "Name"), ["ann", "b-1"]);
    assert_eq!(elements(listed.text(), "ID").first().map(String::len), Some(64));
    let page = s3.get("/?max-buckets=1").await;
    let token = element(page.text(), "ContinuationToken").expect("there are more");
    assert_eq!(elements(page.text(), "Name"), ["ann"]);
    let rest = s3.get(&format!("/?continuation-token={token}&max-buckets=1")).await;
    assert_eq!(elements(rest.text(), "Name"), ["b-1"]);
    assert_eq!(element(rest.text(), "ContinuationToken"), None);

    s3.key = "BOBSKEY";
    assert_eq!(code(&s3.send("PUT", "/b-1", &[], b"").await), (409, "BucketAlreadyExists".into()));
    let foreign = s3.head_of("/b-1").await;
    assert_eq!((foreign.status, foreign.header("x-amz-bucket-region")), (403, Some("us-east-1")));
    assert_eq!(code(&s3.get("/b-1").await), (403, "AccessDenied".into()));
    assert_eq!(code(&s3.get("/b-2").await), (404, "NoSuchBucket".into()));

    s3.key = "ANNSKEY";
    s3.put("k", "v").await;
    assert_eq!(code(&s3.delete("/b-1").await), (409, "BucketNotEmpty".into()));
    assert_eq!(s3.delete("/b-1/k").await.status, 204);
    assert_eq!(s3.delete("/b-1").await.status, 204);
    assert_eq!(s3.head_of("/b-1").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_in_this_region_or_nowhere() {
    let s3 = S3::start().await;
    let wanted = |region: &str| {
        format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    let elsewhere = s3.send("PUT", "/b-1", &[], wanted("eu-west-1").as_bytes()).await;
    assert_eq!(code(&elsewhere), (400, "InvalidLocationConstraint".into()));
    assert_eq!(s3.head_of("/b-1").await.status, 404);
    assert_eq!(s3.send("PUT", "/b-1", &[], wanted("us-east-1").as_bytes()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_sign_or_signs_wrongly_learns_nothing() {
    let mut s3 = S3::with_bucket().await;
    s3.put("k", "v").await;
    let anonymous = crate::common::wire::get(s3.server.address(), "/b-1/k?x-id=GetObject").await;
    assert!([401, 403].contains(&anonymous.status), "{}", anonymous.status);
    s3.key = "NOBODY";
    assert_eq!(code(&s3.get("/b-1/k").await), (403, "InvalidAccessKeyId".into()));
    s3.key = "ANNSKEY";
    let other_body = s3.send_as("PUT", "/b-1/k", &[], (&"0".repeat(64), b"new")).await;
    assert_eq!(code(&other_body), (400, "XAmzContentSHA256Mismatch".into()));
    assert_eq!(s3.get("/b-1/k").await.text(), "v");
}
