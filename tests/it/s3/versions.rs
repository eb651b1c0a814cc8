//! Versioning in its three states.

use super::client::{S3, code};
use crate::common::wire::{element, elements};

fn id(reply: &crate::common::wire::Reply) -> String {
    reply.header("x-amz-version-id").expect("a version id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_markers_hide_and_reveal() {
    let s3 = S3::with_bucket().await;
    assert_eq!(element(s3.get("/b-1?versioning").await.text(), "Status"), None);
    s3.put("k", "zero").await;
    assert_eq!(s3.set_versioning("Enabled").await, 200);
    assert_eq!(element(s3.get("/b-1?versioning").await.text(), "Status").as_deref(), Some("Enabled"));
    let first = id(&s3.put("k", "one").await);
    let second = id(&s3.put("k", "two").await);
    assert_eq!(id(&s3.get("/b-1/k").await), second);
    assert_eq!(s3.get(&format!("/b-1/k?versionId={first}")).await.text(), "one");
    assert_eq!(s3.get("/b-1/k?versionId=null").await.text(), "zero");

    let gone = s3.delete("/b-1/k").await;
    assert_eq!((gone.status, gone.header("x-amz-delete-marker")), (204, Some("true")));
    let marker = id(&gone);
    let hidden = s3.get("/b-1/k").await;
    assert_eq!(code(&hidden), (404, "NoSuchKey".into()));
    assert_eq!((hidden.header("x-amz-delete-marker"), id(&hidden)), (Some("true"), marker.clone()));
    let direct = s3.get(&format!("/b-1/k?versionId={marker}")).await;
    assert_eq!(code(&direct), (405, "MethodNotAllowed".into()));
    assert_eq!(
        (direct.header("allow"), direct.header("x-amz-delete-marker")),
        (Some("DELETE"), Some("true"))
    );
    assert_eq!(elements(s3.get("/b-1").await.text(), "Key").len(), 0);
    assert_eq!(code(&s3.delete("/b-1").await), (409, "BucketNotEmpty".into()));

    let revived = s3.delete(&format!("/b-1/k?versionId={marker}")).await;
    assert_eq!((revived.status, revived.header("x-amz-delete-marker")), (204, Some("true")));
    assert_eq!(s3.get("/b-1/k").await.text(), "two");
    let removed = s3.delete(&format!("/b-1/k?versionId={second}")).await;
    assert_eq!((id(&removed), removed.header("x-amz-delete-marker")), (second.clone(), None));
    assert_eq!(s3.get("/b-1/k").await.text(), "one");
    assert_eq!(code(&s3.get(&format!("/b-1/k?versionId={second}")).await), (404, "NoSuchVersion".into()));
    assert_eq!(s3.delete(&format!("/b-1/k?versionId={second}")).await.status, 204, "gone is gone");
    assert_eq!(code(&s3.get("/b-1/k?versionId=nonsense").await), (400, "InvalidArgument".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_bucket_replaces_only_the_null_version() {
    let s3 = S3::with_versions().await;
    let kept = id(&s3.put("k", "kept").await);
    assert_eq!(s3.set_versioning("Suspended").await, 200);
    s3.put("k", "null one").await;
    s3.put("k", "null two").await;
    assert_eq!(s3.get("/b-1/k?versionId=null").await.text(), "null two");
    let listed = s3.get("/b-1?versions").await;
    assert_eq!(elements(listed.text(), "VersionId"), ["null".to_owned(), kept.clone()]);
    let gone = s3.delete("/b-1/k").await;
    assert_eq!(id(&gone), "null");
    assert_eq!(s3.get("/b-1/k").await.status, 404);
    assert_eq!(s3.get(&format!("/b-1/k?versionId={kept}")).await.text(), "kept");
    assert_eq!(s3.delete("/b-1/k?versionId=null").await.status, 204);
    assert_eq!(s3.get("/b-1/k").await.text(), "kept");
    assert_eq!(s3.set_versioning("Maybe").await, 400);
    let mfa = "<VersioningConfiguration><MfaDelete>Enabled</MfaDelete><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(s3.send("PUT", "/b-1?versioning", &[], mfa.as_bytes()).await.status, 501);
}

/// The version ids of every page of so many entries.
async fn pages(s3: &S3, most: usize) -> Vec<Vec<String>> {
    let (mut pages, mut behind) = (Vec::new(), String::new());
    loop {
        let page = s3.get(&format!("/b-1?encoding-type=url&max-keys={most}&versions{behind}")).await;
        pages.push(elements(page.text(), "VersionId"));
        let (Some(key), Some(version)) =
            (element(page.text(), "NextKeyMarker"), element(page.text(), "NextVersionIdMarker"))
        else {
            return pages;
        };
        behind = format!("&key-marker={}&version-id-marker={version}", key.replace('/', "%2F"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_newest_first_and_page_by_both_markers() {
    let s3 = S3::with_versions().await;
    let mut expected = Vec::new();
    for key in ["a", "b%2Fc"] {
        let one = id(&s3.put(key, "one").await);
        let marker = id(&s3.delete(&format!("/b-1/{key}")).await);
        let two = id(&s3.put(key, "two").await);
        expected.extend([two, marker, one]);
    }
    let whole = s3.get("/b-1?versions").await;
    assert_eq!(elements(whole.text(), "Version").len(), 4, "{}", whole.text());
    assert_eq!(elements(whole.text(), "DeleteMarker").len(), 2);
    assert_eq!(elements(whole.text(), "IsLatest").iter().filter(|latest| *latest == "true").count(), 2);
    for most in 1..=6 {
        let pages = pages(&s3, most).await;
        assert!(pages.iter().all(|page| (1..=most).contains(&page.len())), "{most}: {pages:?}");
        let mut found = pages.concat();
        // Within a page versions come first, then markers; a page of one is in the true order.
        let mut wanted = expected.clone();
        if most > 1 {
            found.sort();
            wanted.sort();
        }
        assert_eq!(found, wanted, "{most} a page");
    }
    let grouped = s3.get("/b-1?delimiter=%2F&versions").await;
    assert_eq!(elements(grouped.text(), "CommonPrefixes"), ["<Prefix>b/</Prefix>"]);
    let alone = s3.get("/b-1?version-id-marker=null&versions").await;
    assert_eq!(code(&alone), (400, "InvalidArgument".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_removals_tell_which_markers_and_versions_they_made_or_took() {
    let s3 = S3::with_versions().await;
    let first = id(&s3.put("a", "1").await);
    let text = format!(
        "<Delete><Object><Key>a</Key><VersionId>{first}</VersionId></Object>\
         <Object><Key>b</Key></Object><Object><Key>c</Key><VersionId>x</VersionId></Object></Delete>"
    );
    let reply = s3.post("/b-1?delete", &text).await;
    let deleted = elements(reply.text(), "Deleted");
    assert_eq!(deleted.len(), 2, "{}", reply.text());
    assert_eq!(element(&deleted[0], "VersionId"), Some(first));
    assert_eq!(element(&deleted[0], "DeleteMarker"), None);
    assert_eq!(element(&deleted[1], "DeleteMarker").as_deref(), Some("true"));
    assert!(element(&deleted[1], "DeleteMarkerVersionId").is_some());
    assert_eq!(elements(reply.text(), "Code"), ["InvalidArgument"]);
}
