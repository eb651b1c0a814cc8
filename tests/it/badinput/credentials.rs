//! Wrong keys, signatures, regions, dates; signatures that leave something out.

use holdall::model::time::Timestamp;

use super::Bad;
use crate::common::{
    ask::{Ask, Signer},
    world::now,
};

fn get() -> Ask {
    Ask::new("GET", "/olga/file")
}

fn put() -> Ask {
    Ask::new("PUT", "/olga/file").body("forged")
}

/// The owner's key with something about it changed.
fn key(bad: &Bad, change: impl FnOnce(&mut Signer)) -> Signer {
    let mut signer = bad.world.signer("olga");
    change(&mut signer);
    signer
}

fn shifted(seconds: i64) -> Timestamp {
    Timestamp(now().0 + seconds * 1000)
}

#[tokio::test]
async fn a_key_that_is_wrong_in_any_part_is_refused() {
    let bad = Bad::start().await;
    let cases: [(&str, Signer, u16, &str); 9] = [
        ("unknown key", key(&bad, |k| k.id = "AKIAUNKNOWN".into()), 403, "InvalidAccessKeyId"),
        ("empty secret", key(&bad, |k| k.secret.clear()), 403, "SignatureDoesNotMatch"),
        ("wrong secret", key(&bad, |k| k.secret.push('x')), 403, "SignatureDoesNotMatch"),
        (
            "another's secret",
            key(&bad, |k| k.secret = bad.world.signer("otto").secret),
            403,
            "SignatureDoesNotMatch",
        ),
        ("disabled", bad.world.signer("dina"), 403, "InvalidAccessKeyId"),
        ("wrong region", key(&bad, |k| k.region = "eu-west-1".into()), 400, "AuthorizationHeaderMalformed"),
        ("wrong service", key(&bad, |k| k.service = "ec2".into()), 400, "AuthorizationHeaderMalformed"),
        ("stale", key(&bad, |k| k.at = shifted(-16 * 60)), 403, "RequestTimeTooSkewed"),
        ("of the future", key(&bad, |k| k.at = shifted(16 * 60)), 403, "RequestTimeTooSkewed"),
    ];
    for (case, signer, status, code) in &cases {
        bad.is(case, &signer.sign(get()), *status, code).await;
        bad.is(case, &signer.sign(put()), *status, code).await;
    }
    for (case, signer, status, _) in &cases[..5] {
        bad.is(case, &signer.presign(get(), 60), *status, "").await;
        bad.is(case, &signer.presign(put(), 60), *status, "").await;
        let chunked = signer.in_chunks(Ask::new("PUT", "/olga/file"), &[b"forged"], &[]);
        bad.is(case, &chunked, *status, "").await;
        let unsigned = put().with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        bad.is(case, &signer.sign(unsigned), *status, "").await;
        let trailer = Ask::new("PUT", "/olga/file")
            .with("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .with("x-amz-decoded-content-length", "6")
            .with("x-amz-trailer", "x-amz-checksum-crc32")
            .body("6\r\nforged\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
        bad.is(case, &signer.sign(trailer), *status, "").await;
    }
    bad.over().await;
}

#[tokio::test]
async fn what_is_changed_after_signing_is_refused() {
    let bad = Bad::start().await;
    let signer = bad.world.signer("olga");
    let signed = || signer.sign(put());
    let moved = Ask { target: "/olga/other".into(), ..signed() };
    let another = Ask { method: "DELETE".into(), ..signed() };
    let queried = Ask { target: "/olga/file?versionId=null".into(), method: "DELETE".into(), ..signed() };
    let hosted = {
        let mut ask = signed();
        ask.headers[0].1 = "elsewhere.example".into();
        ask
    };
    for (case, ask) in [("path", moved), ("method", another), ("query", queried), ("host", hosted)] {
        bad.is(case, &ask, 403, "SignatureDoesNotMatch").await;
    }
    bad.is("body", &signed().body("tamper"), 400, "XAmzContentSHA256Mismatch").await;
    let presigned = signer.presign(get(), 60);
    for (from, to) in [("Expires=60", "Expires=6000"), ("/olga/file", "/olga/own"), ("=host", "=host%3Bdate")]
    {
        let ask = Ask { target: presigned.target.replace(from, to), ..presigned.clone() };
        bad.is(to, &ask, 403, "SignatureDoesNotMatch").await;
    }
    let deleting = Ask { method: "DELETE".into(), ..presigned.clone() };
    bad.is("a presigned GET as DELETE", &deleting, 403, "SignatureDoesNotMatch").await;
    bad.over().await;
}

/// Names of headers whose effect a thief of a signed URL would like to add.
const ADDED: [(&str, &str); 12] = [
    ("x-amz-copy-source", "/olga/folder/inside"),
    ("x-amz-acl", "private"),
    ("x-amz-meta-note", "forged"),
    ("x-amz-tagging", ""),
    ("x-amz-storage-class", "STANDARD"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    ("x-amz-website-redirect-location", "/"),
    ("x-amz-checksum-algorithm", "CRC32"),
    ("x-amz-expected-bucket-owner", "x"),
    ("x-amz-metadata-directive", "REPLACE"),
    ("x-amz-mp-object-size", "1"),
    ("x-amz-anything", "x"),
];

#[tokio::test]
async fn headers_nobody_signed_are_refused() {
    let bad = Bad::start().await;
    let signer = bad.world.signer("olga");
    for (name, value) in ADDED {
        let ask = signer.sign_all_but(put().with(name, value), &[name]);
        bad.is(name, &ask, 403, "AccessDenied").await;
        let ask = signer.presign(Ask::new("PUT", "/olga/file"), 60).with(name, value).body("forged");
        bad.is(name, &ask, 403, "AccessDenied").await;
    }
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let ready = || {
        let ask = signer.sign(put());
        let kept = |(name, _): &(String, String)| name != "authorization";
        Ask { headers: ask.headers.into_iter().filter(kept).collect(), ..ask }
    };
    let no_host = signer.sign_these(ready(), &names(&["x-amz-content-sha256", "x-amz-date"]));
    bad.is("host", &no_host, 403, "AccessDenied").await;
    let no_date = signer.sign_these(ready(), &names(&["host", "x-amz-content-sha256"]));
    bad.is("x-amz-date", &no_date, 403, "AccessDenied").await;
    let no_hash = signer.sign_these(ready(), &names(&["host", "x-amz-date"]));
    bad.is("x-amz-content-sha256", &no_hash, 403, "AccessDenied").await;
    let absent = names(&["host", "x-amz-absent", "x-amz-content-sha256", "x-amz-date"]);
    bad.is("absent", &signer.sign_these(ready(), &absent), 403, "SignatureDoesNotMatch").await;
    let none = signer.sign_these(ready(), &[]);
    bad.is("nothing signed", &none, 403, "AccessDenied").await;
    bad.over().await;
}

#[tokio::test]
async fn presigned_requests_are_good_for_their_time_only() {
    let bad = Bad::start().await;
    let signer = bad.world.signer("olga");
    let parameters = "AuthorizationQueryParametersError";
    for (seconds, status, code) in
        [(604_801, 400, parameters), (-1, 400, parameters), (i64::MAX, 400, parameters)]
    {
        bad.is(&seconds.to_string(), &signer.presign(get(), seconds), status, code).await;
    }
    let expired = key(&bad, |k| k.at = shifted(-120));
    bad.is("expired", &expired.presign(get(), 60), 403, "AccessDenied").await;
    let early = key(&bad, |k| k.at = shifted(3600));
    bad.is("not yet", &early.presign(get(), 60), 403, "AccessDenied").await;
    let region = key(&bad, |k| k.region = "eu-west-1".into());
    bad.is("region", &region.presign(get(), 60), 400, parameters).await;
    let service = key(&bad, |k| k.service = "sts".into());
    bad.is("service", &service.presign(get(), 60), 400, parameters).await;
    for missing in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        let whole = signer.presign(get(), 60);
        let (path, query) = whole.target.split_once('?').unwrap();
        let pairs = query.split('&').filter(|pair| !pair.starts_with(&format!("X-Amz-{missing}=")));
        let target = format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"));
        let reply = bad.world.ask(&Ask { target, ..whole.clone() }).await;
        assert!(matches!(reply.status, 400 | 403), "{missing}: {}", reply.text());
    }
    let twice = Ask { target: format!("{}&X-Amz-Expires=60", signer.presign(get(), 60).target), ..get() };
    let reply = bad.world.ask(&twice).await;
    assert!(matches!(reply.status, 400 | 403), "{}", reply.text());
    let both = signer.presign(get(), 60);
    let both = both.with("authorization", signer.sign(get()).header("authorization").unwrap());
    let reply = bad.world.ask(&both).await;
    assert!(matches!(reply.status, 400 | 403), "{}", reply.text());
    bad.over().await;
}

#[tokio::test]
async fn the_old_signature_is_no_signature() {
    let bad = Bad::start().await;
    let id = bad.world.signer("olga").id;
    let later = (now().0 / 1000 + 600).to_string();
    let by_header = put().with("authorization", &format!("AWS {id}:c2lnbmF0dXJl"));
    let by_query =
        Ask::new("GET", &format!("/olga/file?AWSAccessKeyId={id}&Expires={later}&Signature=c2lnbmF0dXJl"));
    for (case, ask) in [("header", by_header), ("query", by_query)] {
        let reply = bad.world.ask(&ask).await;
        assert!(matches!(reply.status, 400 | 403 | 501), "{case}: {} {}", reply.status, reply.text());
        bad.unchanged(case).await;
    }
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\nfile\r\n--x\r\ncontent-disposition: form-data; \
         name=\"AWSAccessKeyId\"\r\n\r\n{id}\r\n--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nforged\r\n--x--\r\n"
    );
    let form = Ask::new("POST", "/olga").with("content-type", "multipart/form-data; boundary=x").body(form);
    bad.is("form", &form, 405, "MethodNotAllowed").await;
    bad.s3_is("signed form", form.clone(), 405, "MethodNotAllowed").await;
    bad.over().await;
}

#[tokio::test]
async fn wrong_passwords_of_all_kinds_get_the_same_answer() {
    let bad = Bad::start().await;
    let ask = || Ask::new("PUT", "/dav/olga/file").body("forged");
    let mut seen = Vec::new();
    for (case, ask) in [
        ("wrong password", ask().basic("olga", "wrong")),
        ("no password", ask().basic("olga", "")),
        ("no name", ask().basic("", "correct horse of olga")),
        ("unknown name", ask().basic("nobody", "wrong")),
        ("disabled", bad.world.basic("dina", ask())),
        ("another's token", ask().basic("olga", bad.world.app("otto"))),
        ("no base64", ask().with("authorization", "Basic %%%")),
        ("no colon", ask().with("authorization", "Basic b2xnYQ==")),
        ("unknown scheme", ask().with("authorization", "Digest username=\"olga\"")),
        ("empty token", ask().with("authorization", "Bearer ")),
        ("twice", bad.world.basic("olga", bad.world.basic("olga", ask()))),
        ("nothing", ask()),
    ] {
        let reply = bad.world.ask(&ask).await;
        bad.was(case, &reply, 401, "").await;
        assert!(reply.header("www-authenticate").is_some(), "{case}");
        seen.push(reply.text().to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    bad.over().await;
}
