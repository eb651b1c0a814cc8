//! MOVE and COPY onto what they must not touch, strange ranges and conditions.

use super::Bad;
use crate::common::ask::Ask;

fn to(method: &str, from: &str, to: &str) -> Ask {
    Ask::new(method, from).with("destination", to)
}

#[tokio::test]
async fn nothing_moves_onto_itself_or_what_it_is_in_or_what_is_in_it() {
    let bad = Bad::start().await;
    for method in ["MOVE", "COPY"] {
        for (from, onto) in [
            ("/dav/olga/file", "/dav/olga/file"),
            ("/dav/olga/file", "http://test/dav/olga/file"),
            ("/dav/olga/file", "/dav/olga/%66ile"),
            ("/dav/olga/folder", "/dav/olga/folder"),
            ("/dav/olga/folder", "/dav/olga/folder/"),
            ("/dav/olga/folder/", "/dav/olga/folder/deeper"),
            ("/dav/olga/folder", "/dav/olga/folder/inside"),
            ("/dav/olga/folder", "/dav/olga/folder/inside/deeper"),
            ("/dav/olga/folder/inside", "/dav/olga/folder"),
            ("/dav/olga/folder/inside", "/dav/olga"),
            ("/dav/olga/file", "/dav/olga/"),
            ("/dav/olga/file", "/dav/"),
            ("/dav/olga/file", "/"),
            ("/dav/olga/file", "/dav/olga/file/deeper"),
            ("/dav/olga/file", "/dav/olga/none/file"),
            ("/dav/olga/file", "/dav/absent/file"),
            ("/dav/olga/none", "/dav/olga/file"),
        ] {
            let reply = bad.world.ask(&bad.dav(to(method, from, onto))).await;
            let status = reply.status;
            assert!(matches!(status, 403 | 404 | 409), "{method} {from} {onto}: {status}");
            bad.unchanged(&format!("{method} {from} {onto}")).await;
        }
        for (onto, status) in [
            ("http://elsewhere.example/files/file", 502),
            ("/davx/olga/copy", 502),
            ("/olga/copy", 502),
            ("/dav/olga/copy#fragment", 400),
            ("/dav/olga/copy?query", 400),
            ("/dav/olga//file", 400),
            ("olga/copy", 400),
            ("", 400),
            ("file:///etc/passwd#", 400),
            ("\u{e9}", 400),
        ] {
            bad.dav_is(onto, to(method, "/dav/olga/file", onto), status).await;
        }
        let twice = to(method, "/dav/olga/file", "/dav/olga/copy").with("destination", "/dav/olga/more");
        bad.dav_is("two destinations", twice, 400).await;
        bad.dav_is("none", Ask::new(method, "/dav/olga/file"), 400).await;
        let keep = to(method, "/dav/olga/file", "/dav/olga/folder").with("overwrite", "F");
        bad.dav_is("overwrite F", keep, 412).await;
        let what = to(method, "/dav/olga/file", "/dav/olga/copy").with("overwrite", "maybe");
        bad.dav_is("overwrite maybe", what, 400).await;
        for depth in ["1", "2", "-1", "infinite"] {
            let ask = to(method, "/dav/olga/folder", "/dav/olga/copy").with("depth", depth);
            bad.dav_is(depth, ask, 400).await;
        }
    }
    bad.dav_is("a shallow MOVE", to("MOVE", "/dav/olga/folder", "/dav/olga/x").with("depth", "0"), 400).await;
    for depth in ["0", "1", "2"] {
        bad.dav_is(depth, Ask::new("DELETE", "/dav/olga/folder").with("depth", depth), 400).await;
    }
    bad.over().await;
}

#[tokio::test]
async fn a_copy_onto_itself_that_changes_nothing_is_refused_by_s3() {
    let bad = Bad::start().await;
    let ask = Ask::new("PUT", "/olga/file").with("x-amz-copy-source", "olga/file");
    bad.s3_is("itself", ask, 400, "InvalidRequest").await;
    let unknown = Ask::new("PUT", "/olga/copy")
        .with("x-amz-copy-source", "olga/file")
        .with("x-amz-metadata-directive", "SOMETIMES");
    bad.s3_is("directive", unknown, 400, "").await;
    bad.over().await;
}

/// What a range asks for and what comes, the same through both doors.
#[tokio::test]
async fn strange_ranges_give_a_part_all_or_nothing() {
    let bad = Bad::start().await;
    for (range, status, body) in [
        ("bytes=0-0", 206, "c"),
        ("bytes=-1", 206, "t"),
        ("bytes=-100", 206, "content"),
        ("bytes=3-", 206, "tent"),
        ("bytes=3-18446744073709551615", 206, "tent"),
        ("bytes=7-", 416, ""),
        ("bytes=100-200", 416, ""),
        ("bytes=18446744073709551615-", 416, ""),
        ("bytes=-0", 416, ""),
        ("bytes=5-2", 200, "content"),
        ("bytes=", 200, "content"),
        ("bytes=-", 200, "content"),
        ("bytes=a-b", 200, "content"),
        ("bytes=0-1,3-4", 200, "content"),
        ("lines=0-1", 200, "content"),
        ("bytes=0-99999999999999999999999999", 206, "content"),
        ("nonsense", 200, "content"),
    ] {
        let asks = [
            bad.s3(Ask::new("GET", "/olga/file").with("range", range)),
            bad.dav(Ask::new("GET", "/dav/olga/file").with("range", range)),
        ];
        for ask in asks {
            let reply = bad.world.ask(&ask).await;
            assert_eq!(reply.status, status, "{range} of {}", ask.target);
            if status != 416 {
                assert_eq!(reply.text(), body, "{range} of {}", ask.target);
            }
        }
    }
    for (name, value) in [
        ("partNumber", "0"),
        ("partNumber", "10001"),
        ("partNumber", "x"),
        ("versionId", "nonsense"),
        ("versionId", ""),
    ] {
        let target = format!("/olga/file?{name}={value}");
        let reply = bad.world.ask(&bad.s3(Ask::new("GET", &target))).await;
        assert!(matches!(reply.status, 400 | 404 | 416), "{target}: {}", reply.status);
    }
    let nameless = Ask::new("DELETE", "/olga/file?versionId=");
    bad.s3_is("DELETE of no version", nameless, 400, "InvalidArgument").await;
    for query in [
        "max-keys=-1",
        "max-keys=x",
        "max-keys=99999999999999999999",
        "list-type=3",
        "encoding-type=rot13",
        "list-type=2&continuation-token=nonsense%00",
        "prefix=a&prefix=b",
        "uploads&max-uploads=-1",
        "versions&version-id-marker=x",
        "versions&key-marker=a&version-id-marker=nonsense",
    ] {
        let reply = bad.world.ask(&bad.s3(Ask::new("GET", &format!("/olga?{query}")))).await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
    }
    bad.over().await;
}

#[tokio::test]
async fn conditions_that_do_not_hold_change_nothing() {
    let bad = Bad::start().await;
    for (name, value) in [
        ("if-match", "\"0123456789abcdef0123456789abcdef\""),
        ("if-match", "nonsense"),
        ("if-match", "W/\"9a0364b9e99bb480dd25e1f0284c8555\""),
        ("if-none-match", "*"),
        ("if-none-match", "\"9a0364b9e99bb480dd25e1f0284c8555\""),
    ] {
        let both = [
            bad.s3(Ask::new("PUT", "/olga/file").with(name, value).body("forged")),
            bad.dav(Ask::new("PUT", "/dav/olga/file").with(name, value).body("forged")),
        ];
        for ask in both {
            let reply = bad.world.ask(&ask).await;
            assert!(matches!(reply.status, 412 | 501), "{name}: {value}: {}", reply.status);
            bad.unchanged(value).await;
        }
    }
    for (at, door) in [("/olga/none", "s3"), ("/dav/olga/none", "dav")] {
        let ask = Ask::new("PUT", at).with("if-match", "*").body("forged");
        let ask = if door == "s3" { bad.s3(ask) } else { bad.dav(ask) };
        let reply = bad.world.ask(&ask).await;
        assert!(matches!(reply.status, 404 | 412), "{door}: {}", reply.status);
        bad.unchanged(at).await;
    }
    bad.over().await;
}
