//! One resource, two doors, one verdict.

use super::callers::By;
use crate::common::{ask::Ask, wire::Reply, world::World};

/// What both doors can say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Allowed,
    /// The answer to those who were not recognised.
    Unknown,
    Denied,
    Missing,
    /// Recognised and let through, and the state of things forbids it.
    Conflict,
}

fn of_dav(reply: &Reply) -> Verdict {
    match reply.status {
        200..=299 => Verdict::Allowed,
        401 => Verdict::Unknown,
        403 => Verdict::Denied,
        404 => Verdict::Missing,
        405 | 409 | 412 => Verdict::Conflict,
        other => panic!("{other}: {}", reply.text()),
    }
}

fn of_s3(reply: &Reply, by: By) -> Verdict {
    match reply.status {
        200..=299 => Verdict::Allowed,
        // AWS has one code for both; only nobody has no name.
        403 if by == By::Nobody => Verdict::Unknown,
        403 if reply.text().contains("<Code>AccessDenied</Code>") => Verdict::Denied,
        403 => Verdict::Unknown,
        404 => Verdict::Missing,
        409 | 412 => Verdict::Conflict,
        other => panic!("{other}: {}", reply.text()),
    }
}

/// The same act in the words of S3 and of WebDAV. None of them changes what the next ones find.
fn pairs() -> Vec<(Ask, Ask)> {
    let ask = Ask::new;
    let find = |at: &str| Ask::new("PROPFIND", at).with("depth", "1");
    let onto = |method: &str, at: &str, to: &str| Ask::new(method, at).with("destination", to);
    vec![
        (ask("GET", "/"), find("/dav/")),
        (ask("GET", "/olga"), find("/dav/olga/")),
        (ask("GET", "/olga?list-type=2&prefix=folder%2F"), find("/dav/olga/folder/")),
        (ask("GET", "/absent"), find("/dav/absent/")),
        (ask("GET", "/olga/file"), ask("GET", "/dav/olga/file")),
        (ask("GET", "/olga/none"), ask("GET", "/dav/olga/none")),
        (ask("GET", "/absent/file"), ask("GET", "/dav/absent/file")),
        (ask("PUT", "/olga/file").body("same"), ask("PUT", "/dav/olga/file").body("same")),
        (
            ask("PUT", "/olga/file").with("if-none-match", "*").body("same"),
            ask("PUT", "/dav/olga/file").with("if-none-match", "*").body("same"),
        ),
        (
            ask("PUT", "/olga/copy").with("x-amz-copy-source", "olga/file"),
            onto("COPY", "/dav/olga/file", "/dav/olga/copy"),
        ),
        (
            ask("PUT", "/olga/copy").with("x-amz-copy-source", "olga/none"),
            onto("COPY", "/dav/olga/none", "/dav/olga/copy"),
        ),
        (
            ask("PUT", "/otto/copy").with("x-amz-copy-source", "olga/file"),
            onto("COPY", "/dav/olga/file", "/dav/otto/copy"),
        ),
        (ask("PUT", "/dina"), ask("MKCOL", "/dav/dina")),
        (ask("DELETE", "/olga"), ask("DELETE", "/dav/olga")),
        (ask("DELETE", "/absent"), ask("DELETE", "/dav/absent")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_give_the_same_verdict() {
    let world = World::start().await;
    let callers = [
        (By::Nobody, By::Nobody),
        (By::WrongSignature, By::WrongPassword),
        (By::UnknownKey, By::UnknownName),
        (By::Key("dina"), By::Password("dina")),
        (By::Key("olga"), By::Password("olga")),
        (By::Key("olga"), By::Token("olga")),
        (By::Key("otto"), By::Password("otto")),
        (By::Key("adam"), By::Password("adam")),
        (By::Key("adam"), By::App("adam")),
    ];
    for (by_key, by_path) in pairs() {
        for (signed, named) in callers {
            let first = world.ask(&signed.dress(&world, by_key.clone())).await;
            let second = world.ask(&named.dress(&world, by_path.clone())).await;
            let verdicts = (of_s3(&first, signed), of_dav(&second));
            assert_eq!(
                verdicts.0,
                verdicts.1,
                "{signed:?} {} {} / {} {}\n{}\n{}",
                by_key.method,
                by_key.target,
                by_path.method,
                by_path.target,
                first.text(),
                second.text()
            );
        }
    }
}
