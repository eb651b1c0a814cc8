//! aws-chunked in its three forms, into objects and into parts: what is kept is the content alone,
//! with the checksum that came behind it.

use crate::common::{
    ask::{Ask, Signer},
    world::World,
};

/// Checksums of [`content`] are told by the server the first time and must be right the second.
const KINDS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

fn content() -> Vec<u8> {
    (0..70_000_u32).map(|n| (n % 251) as u8).collect()
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    Signed,
    SignedWithTrailer,
    UnsignedWithTrailer,
}

/// A PUT in this form, with the trailer if the form has one.
fn chunked(signer: &Signer, target: &str, form: Form, trailer: (&str, &str)) -> Ask {
    let content = content();
    let (first, rest) = content.split_at(65_536);
    let ask = Ask::new("PUT", target);
    match form {
        Form::Signed => signer.in_chunks(ask, &[first, rest], &[]),
        Form::SignedWithTrailer => signer.in_chunks(ask, &[first, rest], &[trailer]),
        Form::UnsignedWithTrailer => {
            let ask = ask
                .with("content-encoding", "aws-chunked")
                .with("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
                .with("x-amz-decoded-content-length", "70000")
                .with("x-amz-trailer", trailer.0);
            let end = format!("\r\n0\r\n{}:{}\r\n\r\n", trailer.0, trailer.1);
            let body = [b"10000\r\n", first, b"\r\n1170\r\n", rest, end.as_bytes()].concat();
            signer.sign(ask.body(body))
        }
    }
}

/// What S3 says the checksum of the content is.
async fn checksum(world: &World, kind: &str) -> String {
    let ask = Ask::new("PUT", "/olga/plain").with("x-amz-checksum-algorithm", &kind.to_ascii_uppercase());
    let reply = world.ask(&world.signer("olga").sign(ask.body(content()))).await;
    reply.header(&format!("x-amz-checksum-{kind}")).unwrap().to_owned()
}

async fn read(world: &World) {
    let by_key = world.ask(&world.signer("olga").sign(Ask::new("GET", "/olga/k"))).await;
    let by_path = world.ask(&world.basic("olga", Ask::new("GET", "/dav/olga/k"))).await;
    for reply in [&by_key, &by_path] {
        assert_eq!((reply.status, reply.body == content()), (200, true));
        assert_eq!(reply.header("content-encoding"), None);
        assert_eq!(reply.header("content-length"), Some("70000"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_form_keeps_the_content_and_checks_what_comes_behind_it() {
    let world = World::start().await;
    let signer = world.signer("olga");
    for kind in KINDS {
        let (name, right) = (format!("x-amz-checksum-{kind}"), checksum(&world, kind).await);
        let wrong = right.replacen(right.chars().next().unwrap(), "_", 1).replace('_', "/");
        assert_ne!(right, wrong);
        for form in [Form::Signed, Form::SignedWithTrailer, Form::UnsignedWithTrailer] {
            let (upload, _) = world.upload("olga", "k").await;
            let part = format!("/olga/k?uploadId={upload}&partNumber=1");
            for target in ["/olga/k", part.as_str()] {
                if form != Form::Signed {
                    let ask = chunked(&signer, target, form, (&name, &wrong));
                    let reply = world.ask(&ask).await;
                    let said = reply.text().contains("<Code>BadDigest</Code>");
                    assert!(reply.status == 400 && said, "{form:?} {name} {target}: {}", reply.text());
                }
                let reply = world.ask(&chunked(&signer, target, form, (&name, &right))).await;
                assert_eq!(reply.status, 200, "{form:?} {name} {target}: {}", reply.text());
                let told = (form != Form::Signed).then_some(right.as_str());
                assert_eq!(reply.header(&name), told, "{form:?} {target}");
            }
            read(&world).await;
            let etag = world.ask(&chunked(&signer, &part, form, (&name, &right))).await;
            let document = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
                 </CompleteMultipartUpload>",
                etag.header("etag").unwrap()
            );
            let gone = world.ask(&signer.sign(Ask::new("DELETE", "/olga/k"))).await;
            assert_eq!(gone.status, 204);
            let done = Ask::new("POST", &format!("/olga/k?uploadId={upload}")).body(document);
            assert_eq!(world.ask(&signer.sign(done)).await.status, 200, "{form:?}");
            read(&world).await;
        }
    }
}

/// What stands beside `aws-chunked` is the content's own and stays.
#[tokio::test(flavor = "multi_thread")]
async fn another_coding_beside_it_is_kept() {
    let world = World::start().await;
    let signer = world.signer("olga");
    for coding in ["aws-chunked,gzip", "gzip, aws-chunked"] {
        let mut ask = Ask::new("PUT", "/olga/k")
            .with("content-encoding", coding)
            .with("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .with("x-amz-decoded-content-length", "5");
        ask.body = b"5\r\nhello\r\n0\r\n\r\n".to_vec();
        assert_eq!(world.ask(&signer.sign(ask)).await.status, 200, "{coding}");
        let got = world.ask(&signer.sign(Ask::new("GET", "/olga/k"))).await;
        assert_eq!((got.text(), got.header("content-encoding")), ("hello", Some("gzip")), "{coding}");
    }
}
