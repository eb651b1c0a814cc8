//! Paths and names that try to be something else.

use holdall::doors::dav::METHODS;

use super::Bad;
use crate::common::ask::Ask;

#[tokio::test]
async fn tricks_with_paths_are_refused_or_mean_themselves() {
    let bad = Bad::start().await;
    for path in [
        "/dav/olga/%2e%2e/otto/own",
        "/dav/olga/../otto/own",
        "/dav/olga/%2E./x",
        "/dav/olga/./file",
        "/dav/olga/folder%2Finside",
        "/dav/olga%2Ffile",
        "/dav/olga/%00",
        "/dav/olga/file%00.txt",
        "/dav/olga/%ff",
        "/dav/olga/%c0%ae%c0%ae/x",
        "/dav/olga/%ed%a0%80",
        "/dav/olga/%",
        "/dav/olga/%zz",
        "/dav/olga/a%0Db",
    ] {
        for method in ["GET", "PUT", "DELETE", "MKCOL", "PROPFIND"] {
            let ask = Ask::new(method, path).with("depth", "infinity");
            let reply = bad.world.ask(&bad.dav(ask)).await;
            let fits = matches!(reply.status, 400 | 403) || (method != "PUT" && reply.status == 404);
            assert!(fits, "{method} {path}: {}", reply.status);
            bad.unchanged(path).await;
        }
        for method in ["COPY", "MOVE"] {
            let ask = Ask::new(method, "/dav/olga/file").with("destination", path);
            let reply = bad.world.ask(&bad.dav(ask)).await;
            assert!(matches!(reply.status, 400 | 403), "{method} to {path}: {}", reply.status);
            bad.unchanged(path).await;
        }
    }
    // One letter more is another address, and not WebDAV's.
    for path in
        ["/davx/olga/file", "/DAV/olga/file", "/dav%2Folga/file", "//dav/olga/file", "/./dav/olga/file"]
    {
        let reply = bad.world.ask(&bad.dav(Ask::new("GET", path))).await;
        assert!(matches!(reply.status, 400 | 403 | 404), "{path}: {}", reply.status);
        assert_ne!(reply.body, b"content", "{path}");
    }
    for (path, code) in [
        ("/olga/%ff", "InvalidURI"),
        ("/olga/%zz", "InvalidURI"),
        ("/olga/%", "InvalidURI"),
        ("/OLGA/file", "InvalidBucketName"),
        ("/%2e%2e/olga/file", "InvalidBucketName"),
        ("/..%2Folga/file", "InvalidBucketName"),
        ("//olga/file", "InvalidBucketName"),
        ("/o/file", "InvalidBucketName"),
        // Reserved: who signs is told so as S3 tells it.
        ("/login", "InvalidBucketName"),
        ("/%6cogin/file", "InvalidBucketName"),
        ("/s/token", "InvalidBucketName"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            bad.is(path, &bad.s3(Ask::new(method, path)), 400, code).await;
        }
    }
    // To S3 these are keys like others, and none of them is there.
    for path in ["/olga/../otto/own", "/olga/%2e%2e/otto/own", "/olga/./file", "/olga//file", "/olga/file/"] {
        let ask = Ask::new("GET", path);
        let reply = bad.world.ask(&bad.s3(ask)).await;
        assert!(matches!(reply.status, 403 | 404), "{path}: {}", reply.status);
    }
    bad.over().await;
}

const COLOUR: &str =
    "<propertyupdate xmlns=\"DAV:\"><set><prop><c xmlns=\"urn:x\">red</c></prop></set></propertyupdate>";

/// S3 keeps `folder//inside` beside `folder/inside`. WebDAV has no empty names: read with one slash
/// less, a DELETE of the first would take the second.
#[tokio::test]
async fn a_doubled_slash_reaches_no_other_key() {
    let mut bad = Bad::start().await;
    for key in ["folder//inside", "folder//", "/file"] {
        bad.world.put("olga", key, b"of S3 alone").await;
    }
    bad.before = bad.world.state().await;
    for path in [
        "/dav/olga/folder//inside",
        "/dav/olga//folder/inside",
        "/dav/olga//file",
        "/dav/olga/folder//",
        "/dav/olga//",
        "/dav//olga/file",
        "/dav//olga/folder/",
        "/dav//",
        "/dav/olga/none//x",
        "/dav/none//x",
    ] {
        for method in METHODS {
            let ask =
                Ask::new(method, path).with("depth", if method == "PROPFIND" { "1" } else { "infinity" });
            let ask = match method {
                "PUT" => ask.body("forged"),
                "PROPPATCH" => ask.body(COLOUR),
                _ => ask,
            };
            let status = if matches!(method, "PUT" | "MKCOL") { 400 } else { 404 };
            let ask = ask.with("destination", "/dav/olga/made");
            bad.dav_is(&format!("{method} {path}"), ask, status).await;
        }
        for method in ["COPY", "MOVE"] {
            for from in ["/dav/olga/file", "/dav/olga/folder", "/dav/olga/folder/inside"] {
                let ask = Ask::new(method, from).with("destination", path);
                bad.dav_is(&format!("{method} {from} to {path}"), ask, 400).await;
            }
        }
    }
    for (key, content) in
        [("folder//inside", "of S3 alone"), ("folder/inside", "inside"), ("/file", "of S3 alone")]
    {
        let reply = bad.world.ask(&bad.s3(Ask::new("GET", &format!("/olga/{key}")))).await;
        assert_eq!((reply.status, reply.text()), (200, content), "{key}");
    }
    let listed = bad.dav(Ask::new("PROPFIND", "/dav/olga/folder").with("depth", "1"));
    let listed = bad.world.ask(&listed).await;
    assert_eq!(listed.text().matches("<D:href>").count(), 2, "{}", listed.text());
    bad.over().await;
}

#[tokio::test]
async fn copy_sources_are_paths_like_others() {
    let bad = Bad::start().await;
    for (source, status) in [
        ("olga/../otto/own", 404),
        ("olga/%2e%2e/otto/own", 404),
        ("olga%2F..%2Fotto%2Fown", 404),
        ("otto/own", 403),
        ("/otto/own", 403),
        ("%6ftto/own", 403),
        ("otto%2Fown", 403),
        ("olga", 400),
        ("olga/", 400),
        ("", 400),
        ("/", 400),
        ("olga/%ff", 400),
        ("OTTO/own", 400),
        ("olga/file?versionId=nonsense", 400),
        ("olga/file?unknown=1", 400),
        ("http://elsewhere.example/olga/file", 400),
    ] {
        for target in ["/olga/copy", "/olga/file"] {
            let ask = Ask::new("PUT", target).with("x-amz-copy-source", source);
            bad.s3_is(source, ask, status, "").await;
        }
    }
    bad.over().await;
}

#[tokio::test]
async fn names_that_are_too_long_are_refused() {
    let bad = Bad::start().await;
    let long = "k".repeat(1025);
    let deep = "d/".repeat(128) + "k";
    for key in [&long, &deep] {
        let target = format!("/olga/{key}");
        bad.s3_is("PUT", Ask::new("PUT", &target).body("x"), 400, "KeyTooLongError").await;
        bad.s3_is("uploads", Ask::new("POST", &format!("{target}?uploads")), 400, "KeyTooLongError").await;
        let copy = Ask::new("PUT", &target).with("x-amz-copy-source", "olga/file");
        bad.s3_is("copy", copy, 400, "KeyTooLongError").await;
        for method in ["PUT", "MKCOL", "GET", "PROPFIND"] {
            bad.dav_is(method, Ask::new(method, &format!("/dav/olga/{key}")).with("depth", "0"), 414).await;
        }
        let to = format!("/dav/olga/{key}");
        bad.dav_is("COPY", Ask::new("COPY", "/dav/olga/file").with("destination", &to), 414).await;
        bad.dav_is("MOVE", Ask::new("MOVE", "/dav/olga/folder").with("destination", &to), 414).await;
    }
    let leaf = format!("/dav/olga/{}", "n".repeat(256));
    for method in ["PUT", "MKCOL"] {
        bad.dav_is(method, Ask::new(method, &leaf), 414).await;
    }
    // A folder moved so far down that what is in it could no longer be named.
    let under = format!("/dav/olga/folder/{}", "n".repeat(255));
    let made = bad.world.ask(&bad.dav(Ask::new("PUT", &under).body("x"))).await;
    assert_eq!(made.status, 201);
    let mut at = "/dav/olga".to_owned();
    for _ in 0..3 {
        at = format!("{at}/{}", "d".repeat(255));
        assert_eq!(bad.world.ask(&bad.dav(Ask::new("MKCOL", &at))).await.status, 201);
    }
    let before = bad.world.state().await;
    for method in ["MOVE", "COPY"] {
        let ask =
            Ask::new(method, "/dav/olga/folder").with("destination", &format!("{at}/{}", "e".repeat(250)));
        let reply = bad.world.ask(&bad.dav(ask)).await;
        assert_eq!(reply.status, 403, "{method}: {}", reply.text());
        assert_eq!(before, bad.world.state().await, "{method}");
    }
    for name in ["UPPER", "a", "a..b", "-a", "192.168.1.1", "under_score", "ä", &"b".repeat(64)] {
        let reply = bad.world.ask(&bad.s3(Ask::new("PUT", &format!("/{name}")))).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
    }
    assert_eq!(before, bad.world.state().await);
    let metadata = Ask::new("PUT", "/olga/file").with("x-amz-meta-long", &"m".repeat(2049)).body("x");
    let reply = bad.world.ask(&bad.s3(metadata)).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(before, bad.world.state().await);
}
