//! PROPPATCH, and the properties that PROPFIND shows afterwards.

use super::*;

fn update(inner: &str) -> String {
    format!(r#"<D:propertyupdate xmlns:D="DAV:" xmlns:n="urn:n">{inner}</D:propertyupdate>"#)
}

/// RFC 4918 §9.2: all instructions or none, in their order; §4.3: values come back as they were.
#[tokio::test]
async fn properties_are_set_shown_moved_and_removed() {
    let dav = Dav::start().await;
    dav.put("/dav/ann/f", "x").await;
    dav.status("MKCOL", "/dav/ann/d", &[]).await;
    let value = "<n:a><i xmlns=\"urn:i\" n:k=\"&lt;1&gt;\">é &amp; ü</i></n:a>";
    let set = update(&format!("<D:set><D:prop>{value}<n:b/></D:prop></D:set>"));
    let kept = "<n:a xmlns:n=\"urn:n\"><i xmlns=\"urn:i\" n:k=\"&lt;1&gt;\">é &amp; ü</i></n:a>";
    for (path, end) in [("/dav/ann/f", "/f"), ("/dav/ann/d", "/d/"), ("/dav/ann/", "/ann/")] {
        let reply = dav.send("PROPPATCH", path, &[], set.as_bytes()).await;
        assert_eq!(reply.status, 207, "{path}: {}", reply.text());
        assert!(reply.text().contains(&format!("{end}</D:href>")), "{path}: {}", reply.text());
        assert_eq!(reply.text().matches("200 OK").count(), 1, "{}", reply.text());
        let found = dav.send("PROPFIND", path, &[("depth", "0")], FIND.as_bytes()).await;
        assert!(found.text().contains(kept) && !found.text().contains("404"), "{path}: {}", found.text());
    }
    let all = dav.send("PROPFIND", "/dav/ann/", &[("depth", "1")], b"").await;
    assert_eq!(all.text().matches(kept).count(), 3, "{}", all.text());
    let names = "<propfind xmlns=\"DAV:\"><propname/></propfind>";
    let names = dav.send("PROPFIND", "/dav/ann/", &[("depth", "1")], names.as_bytes()).await;
    assert_eq!(names.text().matches("<N:a xmlns:N=\"urn:n\"/>").count(), 3, "{}", names.text());

    let etag = |reply: &Reply| reply.header("etag").map(str::to_owned);
    let before = etag(&dav.send("HEAD", "/dav/ann/f", &[], b"").await);
    assert_eq!(dav.status("MOVE", "/dav/ann/f", &[("destination", "/dav/ann/g")]).await, 201);
    let remove = update(
        "<D:set><D:prop><n:b>1</n:b></D:prop></D:set><D:remove><D:prop><n:b/><n:none/></D:prop></D:remove>",
    );
    assert_eq!(dav.send("PROPPATCH", "/dav/ann/g", &[], remove.as_bytes()).await.status, 207);
    let found = dav.send("PROPFIND", "/dav/ann/g", &[("depth", "0")], FIND.as_bytes()).await;
    let (has, lacks) = found.text().split_once("200 OK").unwrap();
    assert!(has.contains(kept) && lacks.contains("<N:b xmlns:N=\"urn:n\"/>"), "{}", found.text());
    assert_eq!(etag(&dav.send("HEAD", "/dav/ann/g", &[], b"").await), before, "the content is the same");
}

#[tokio::test]
async fn a_property_that_cannot_be_set_keeps_all_from_being_set() {
    let dav = Dav::start().await;
    dav.put("/dav/ann/f", "x").await;
    let both = "<D:set><D:prop><n:a>1</n:a><D:getetag>x</D:getetag></D:prop></D:set>";
    let reply = dav.send("PROPPATCH", "/dav/ann/f", &[], update(both).as_bytes()).await;
    assert_eq!(reply.status, 207);
    let (first, second) = reply.text().split_once("424 Failed Dependency").unwrap();
    assert!(first.contains("<N:a ") && second.contains("<D:getetag/>"), "{}", reply.text());
    assert!(second.contains("403 Forbidden") && second.contains("<D:cannot-modify-protected-property/>"));
    let found = dav.send("PROPFIND", "/dav/ann/f", &[("depth", "0")], FIND.as_bytes()).await;
    assert!(!found.text().contains(">1<"), "{}", found.text());
    for (path, body, status) in [
        ("/dav/ann/none", update(both), 404),
        ("/dav/", update(both), 403),
        ("/dav/ann/f", String::new(), 400),
        ("/dav/ann/f", update("<D:set/>"), 400),
        ("/dav/ann/f", update("<D:set><D:prop><x:a/></D:prop></D:set>"), 400),
        ("/dav/ann/f", "<D:propertyupdate".to_owned(), 400),
        ("/dav/ann/f", " ".repeat((1 << 20) + 1), 413),
    ] {
        let reply = dav.send("PROPPATCH", path, &[], body.as_bytes()).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
    }
    let large = format!("<D:set><D:prop><n:a>{}</n:a></D:prop></D:set>", "x".repeat(65 << 10));
    let reply = dav.send("PROPPATCH", "/dav/ann/f", &[], update(&large).as_bytes()).await;
    assert_eq!(reply.status, 507, "{}", reply.text());
    let changed = [("if-match", "\"x\"")];
    let set = update("<D:set><D:prop><n:a/></D:prop></D:set>");
    assert_eq!(dav.send("PROPPATCH", "/dav/ann/f", &changed, set.as_bytes()).await.status, 412);
}
