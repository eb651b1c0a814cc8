//! XML that is malformed, endless or a bomb.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

use super::Bad;
use crate::common::ask::Ask;

/// Documents nobody should send, by name.
fn documents() -> Vec<(&'static str, String)> {
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
    let namespaces: String = (0..100_000).map(|n| format!(" xmlns:n{n}=\"u\"")).collect();
    let laughs: String =
        (1..30).map(|n| format!("<!ENTITY l{n} \"&l{m};&l{m};&l{m};&l{m};&l{m};\">", m = n - 1)).collect();
    let entity = |declared: &str, used: &str| format!("<!DOCTYPE a [{declared}]><a>{used}</a>");
    vec![
        ("no XML", "nonsense".into()),
        ("not closed", "<Delete><Object>".into()),
        ("wrongly closed", "<Delete></Object>".into()),
        ("two roots", "<Delete/><Delete/>".into()),
        ("20,000 nested elements", "<a>".repeat(20_000) + &"</a>".repeat(20_000)),
        ("20,000 that never end", "<a>".repeat(20_000)),
        ("100,000 attributes", format!("<a{attributes}/>")),
        ("100,000 namespaces", format!("<a{namespaces}/>")),
        ("a billion laughs", entity(&format!("<!ENTITY l0 \"ha\">{laughs}"), "&l29;")),
        ("an entity", entity("<!ENTITY x \"file\">", "&x;")),
        ("an outside entity", entity("<!ENTITY x SYSTEM \"file:///etc/passwd\">", "&x;")),
        ("a document type alone", "<!DOCTYPE a><a/>".into()),
        ("an entity nobody declared", "<a>&nobody;</a>".into()),
        ("a character that cannot be", "<a>&#0;</a>".into()),
        ("a prefix nobody declared", "<x:a/>".into()),
    ]
}

#[tokio::test]
async fn hostile_documents_are_refused_at_once() {
    let bad = Bad::start().await;
    let (upload, _) = bad.world.upload("olga", "big").await;
    let before = bad.world.state().await;
    let complete = format!("/olga/big?uploadId={upload}");
    for (case, text) in documents() {
        let digest = STANDARD.encode(Md5::digest(&text));
        let signed = [
            ("POST", "/olga?delete"),
            ("POST", complete.as_str()),
            ("PUT", "/olga?versioning"),
            ("PUT", "/fresh"),
        ];
        for (method, target) in signed {
            let ask = bad.s3(Ask::new(method, target).with("content-md5", &digest).body(text.as_str()));
            let begun = Instant::now();
            let reply = bad.world.ask(&ask).await;
            assert_eq!(reply.status, 400, "{case}: {method} {target}: {}", reply.text());
            assert!(begun.elapsed().as_secs() < 5, "{case}: {method} {target} took {:?}", begun.elapsed());
        }
        for target in ["/dav/", "/dav/olga/", "/dav/olga/file"] {
            let ask = Ask::new("PROPFIND", target).with("depth", "0").body(text.as_str());
            let begun = Instant::now();
            let reply = bad.world.ask(&bad.dav(ask)).await;
            assert!(matches!(reply.status, 400 | 413), "{case}: {target}: {}", reply.status);
            assert!(begun.elapsed().as_secs() < 5, "{case}: {target} took {:?}", begun.elapsed());
        }
        for target in ["/dav/olga/", "/dav/olga/file"] {
            let ask = Ask::new("PROPPATCH", target).body(text.as_str());
            let begun = Instant::now();
            let reply = bad.world.ask(&bad.dav(ask)).await;
            assert!(matches!(reply.status, 400 | 413), "{case}: {target}: {}", reply.status);
            assert!(begun.elapsed().as_secs() < 5, "{case}: {target} took {:?}", begun.elapsed());
        }
        let make = bad.dav(Ask::new("MKCOL", "/dav/olga/made").body(text.as_str()));
        assert_eq!(bad.world.ask(&make).await.status, 415, "{case}");
        assert_eq!(before, bad.world.state().await, "{case}");
    }
    let abort = bad.s3(Ask::new("DELETE", &complete));
    assert_eq!(bad.world.ask(&abort).await.status, 204);
    bad.over().await;
}

#[tokio::test]
async fn documents_that_say_something_else_or_too_much_are_refused() {
    let bad = Bad::start().await;
    let many: String = (0..1001).map(|n| format!("<Object><Key>{n}</Key></Object>")).collect();
    let huge = format!("<Delete><!--{}--></Delete>", "x".repeat(9 << 20));
    let cases = [
        ("1,001 keys", "POST", "/olga?delete", format!("<Delete>{many}</Delete>"), "MalformedXML"),
        ("no key", "POST", "/olga?delete", "<Delete/>".into(), "MalformedXML"),
        ("another root", "POST", "/olga?delete", "<Remove><Object><Key>file</Key></Object></Remove>".into(), ""),
        ("nothing", "POST", "/olga?delete", String::new(), ""),
        ("too large", "POST", "/olga?delete", huge, ""),
        ("no status", "PUT", "/olga?versioning", "<VersioningConfiguration/>".into(), ""),
        (
            "an unknown status",
            "PUT",
            "/olga?versioning",
            "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>".into(),
            "",
        ),
        (
            "another region",
            "PUT",
            "/fresh",
            "<CreateBucketConfiguration><LocationConstraint>mars</LocationConstraint></CreateBucketConfiguration>"
                .into(),
            "",
        ),
    ];
    for (case, method, target, text, code) in cases {
        let digest = STANDARD.encode(Md5::digest(&text));
        let ask = Ask::new(method, target).with("content-md5", &digest).body(text);
        bad.s3_is(case, ask, 400, code).await;
    }
    for (method, target, text, status) in [
        (
            "PUT",
            "/fresh",
            "<CreateBucketConfiguration><Tags><Tag><Key>a</Key></Tag></Tags></CreateBucketConfiguration>",
            501,
        ),
        (
            "PUT",
            "/fresh",
            "<CreateBucketConfiguration><Location><Name>a</Name></Location></CreateBucketConfiguration>",
            501,
        ),
        ("PUT", "/fresh", "<CreateBucketConfiguration><Colour>red</Colour></CreateBucketConfiguration>", 400),
        (
            "PUT",
            "/fresh",
            "<CreateBucketConfiguration><LocationConstraint><b/></LocationConstraint></CreateBucketConfiguration>",
            400,
        ),
        (
            "PUT",
            "/olga?versioning",
            "<VersioningConfiguration><Status>Enabled</Status><ExcludedPrefixes/></VersioningConfiguration>",
            400,
        ),
        ("POST", "/olga?delete", "<Delete><Object><Key>file</Key><If>unchanged</If></Object></Delete>", 400),
        ("POST", "/olga?delete", "<Delete><DryRun/><Object><Key>file</Key></Object></Delete>", 400),
        ("POST", "/olga?delete", "<Delete><Object><Key>file</Key><Size>9</Size></Object></Delete>", 501),
    ] {
        let digest = STANDARD.encode(Md5::digest(text));
        let code = if status == 501 { "NotImplemented" } else { "MalformedXML" };
        let ask = Ask::new(method, target).with("content-md5", &digest).body(text);
        bad.s3_is(text, ask, status, code).await;
    }
    let large = "<propfind xmlns=\"DAV:\">".to_owned() + &" ".repeat(2 << 20);
    bad.dav_is("too large", Ask::new("PROPFIND", "/dav/olga/").with("depth", "0").body(large), 413).await;
    bad.over().await;
}
