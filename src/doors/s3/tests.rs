//! Requests through the whole layer, in front of operations that only note what reached them.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use futures::TryStreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use s3s::{S3, S3Request, S3Response, S3Result, dto::*};

use super::{error::of_body, layer::*, request::Parsed};
use crate::{
    domain::{Holdall, caller::Caller, in_memory, newcomer, nouns::NewAccount},
    doors::gate::{Body, Peer, RequestContext, RequestId, body},
    model::{checksum::ChecksumKind, secret::Secret, time::Timestamp},
};

/// What reached an operation.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }
}

#[async_trait::async_trait]
impl S3 for Notes {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let parsed = Parsed::of(&req.extensions)?;
        assert_eq!(parsed.caller, Caller::Anonymous);
        let left: Vec<&str> = req.headers.keys().map(http::HeaderName::as_str).collect();
        let (length, address) = (req.input.content_length, parsed.address()?.to_string());
        let read = req.input.body.unwrap().try_fold(BytesMut::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        let content = read.await.map_err(of_body)?;
        let kinds: Vec<ChecksumKind> = parsed.declared.take()?.checksums.iter().map(|c| c.kind).collect();
        let coding = parsed.taken.attributes.content_encoding;
        self.add(format!("put {address} {length:?} {content:?} {kinds:?} {coding:?} {left:?}"));
        Ok(S3Response::new(PutObjectOutput::default()))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let parsed = Parsed::of(&req.extensions)?;
        self.add(format!("get {} {} {:?}", parsed.caller.label(), parsed.address()?, parsed.taken.range));
        Ok(S3Response::new(GetObjectOutput::default()))
    }

    async fn list_objects(&self, _: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let object = Object { key: Some("a\u{1}\r<".into()), ..Object::default() };
        Ok(S3Response::new(ListObjectsOutput {
            contents: Some(vec![object]),
            ..ListObjectsOutput::default()
        }))
    }

    async fn delete_bucket(
        &self,
        _: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.add("bucket deleted".into());
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let keys: Vec<String> = req.input.delete.objects.into_iter().map(|object| object.key).collect();
        self.add(format!("delete {keys:?}"));
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }
}

/// AWS's printed example of a request signed by header.
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DAY: Timestamp = Timestamp(1_369_353_600_000);

/// A system in memory where the account `ada` has the key of AWS's examples.
async fn system() -> Arc<Holdall> {
    let holdall = in_memory(DAY);
    let new = NewAccount { display_name: "Ada <L>".into(), ..newcomer("ada") };
    let name = new.name.clone();
    holdall.add_account(&Caller::Operator, new).await.unwrap();
    let key = (KEY.to_owned(), Secret::new(SECRET));
    holdall.add_key(&Caller::Operator, &name, Some(key)).await.unwrap();
    holdall
}

async fn ask(request: http::request::Builder, sent: &str) -> (Response<String>, Vec<String>) {
    ask_at(None, request, sent).await
}

async fn ask_at(
    host_bucket: Option<&str>,
    request: http::request::Builder,
    sent: &str,
) -> (Response<String>, Vec<String>) {
    let notes = Notes::default();
    let options = S3Options { region: "us-east-1".into() };
    let door = S3Door::with(system().await, options, notes.clone());
    let id = RequestId::from_random([7; 16]);
    let peer = Peer::Net(([127, 0, 0, 1], 1).into());
    let mut context = RequestContext::new(id, peer, false, DAY);
    context.host_bucket = host_bucket.map(str::to_owned);
    let content: Body = body::full(sent.to_owned());
    let (parts, content) = door.handle(request.body(content).unwrap(), context).await.into_parts();
    let text = String::from_utf8(content.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let noted = notes.0.lock().unwrap().clone();
    (Response::from_parts(parts, text), noted)
}

fn chunked_put() -> http::request::Builder {
    Request::put("/abc/a%2Fb//c")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("content-encoding", "gzip, aws-chunked")
        .header("expect", "100-continue")
        .header("content-length", "48")
}

const CHUNKED: &str = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";

#[tokio::test]
async fn a_chunked_body_reaches_the_operation_as_plain_content() {
    let (response, noted) = ask(chunked_put(), CHUNKED).await;
    assert_eq!(response.status(), 200, "{}", response.body());
    assert_eq!(noted, [r#"put abc/a/b//c Some(5) b"hello" [Crc32] Some("gzip") ["content-length"]"#]);
}

#[tokio::test]
async fn a_body_that_breaks_off_has_the_code_of_its_own() {
    let (response, noted) = ask(chunked_put(), "5\r\nhello\r\n").await;
    assert_eq!(response.status(), 400);
    assert!(response.body().contains("<Code>IncompleteBody</Code>"), "{}", response.body());
    assert!(response.body().contains("<RequestId>") && noted.is_empty());
    let unsigned_seed = chunked_put().header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    assert_eq!(ask(unsigned_seed, CHUNKED).await.0.status(), 400, "a header given twice");
}

#[tokio::test]
async fn an_unknown_sub_resource_deletes_no_bucket() {
    for query in ["?x", "?policy", "?metadataTable", "?x-amz-acl=private&y"] {
        let (response, noted) = ask(Request::delete(format!("/abc{query}")), "").await;
        assert_eq!(response.status(), 501, "{query}");
        assert!(noted.is_empty());
    }
    let (response, noted) = ask(Request::delete("/abc?x-id=DeleteBucket"), "").await;
    assert_eq!((response.status().as_u16(), noted.len()), (204, 1));
}

#[tokio::test]
async fn forms_preflights_and_unbuilt_headers_are_refused() {
    let form = Request::post("/abc").header("content-type", "Multipart/Form-Data; boundary=x");
    assert_eq!(ask(form, "--x--").await.0.status(), 405);
    let preflight = Request::options("/abc/k").header("origin", "https://a.example");
    assert_eq!(ask(preflight, "").await.0.status(), 403);
    let hoisted = Request::put("/abc/k?X-Amz-Server-Side-Encryption=AES256").header("content-length", "0");
    let (response, noted) = ask(hoisted, "").await;
    assert_eq!((response.status().as_u16(), noted.len()), (501, 0));
    assert!(response.body().contains("x-amz-server-side-encryption"));
    let overridden = Request::get("/abc/k?response-content-type=text/html");
    assert_eq!(ask(overridden, "").await.0.status(), 400);
    let half = Request::get("/abc/k?X-Amz-Signature=00");
    assert!(ask(half, "").await.0.body().contains("AuthorizationQueryParametersError"));
    let stranger = Request::head("/abc/k").header("authorization", "AWS a:b");
    let (response, _) = ask(stranger, "").await;
    assert_eq!((response.status().as_u16(), response.body().as_str()), (400, ""));
    assert!(response.headers().contains_key("x-amz-request-id"));
}

#[tokio::test]
async fn listings_carry_no_bare_control_character() {
    let (response, _) = ask(Request::get("/abc"), "").await;
    assert!(response.body().contains("<Key>a&#x1;&#xD;&lt;</Key>"), "{}", response.body());
}

/// A list of deletions, signed with the key of AWS's examples.
fn signed_delete() -> http::request::Builder {
    let (signed, date) = ("host;x-amz-content-sha256;x-amz-date", "20130524T000000Z");
    let headers = format!("host:localhost\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{date}\n");
    let canonical = format!("POST\n/abc\ndelete=\n{headers}\n{signed}\nUNSIGNED-PAYLOAD");
    let seed = super::sigv4::test_seed("");
    let hash = super::sigv4::hex_sha256(canonical.as_bytes());
    let signature = seed.key.sign(&format!("AWS4-HMAC-SHA256\n{}\n{hash}", seed.lines)).unwrap();
    let credential = format!("{KEY}/20130524/us-east-1/s3/aws4_request");
    let value =
        format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature={signature}");
    Request::post("/abc?delete")
        .header("host", "localhost")
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .header("x-amz-date", date)
        .header("authorization", value)
}

#[tokio::test]
async fn documents_reach_the_operation_checked() {
    let text = "<Delete><Object><Key>a&amp;b c</Key></Object></Delete>";
    let digest = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        <md5::Md5 as md5::Digest>::digest(text),
    );
    let (response, noted) = ask(signed_delete().header("content-md5", digest), text).await;
    assert_eq!(noted, [r#"delete ["a&b c"]"#], "{}", response.body());
    let (response, noted) = ask(signed_delete(), text).await;
    assert_eq!((response.status().as_u16(), noted.len()), (400, 0));
}

/// D2: what strangers send is not gathered in memory before somebody asks who they are.
#[tokio::test]
async fn documents_of_strangers_are_refused_unread() {
    for request in [Request::post("/abc?delete"), Request::put("/abc"), Request::put("/abc?versioning")] {
        let context = RequestContext::new(
            RequestId::from_random([7; 16]),
            Peer::Net(([127, 0, 0, 1], 1).into()),
            false,
            DAY,
        );
        let options = S3Options { region: "us-east-1".into() };
        let door = S3Door::with(system().await, options, Notes::default());
        let unread = body::from_stream(futures::stream::poll_fn(|_| panic!("the body was read")));
        let response = door.handle(request.body(unread).unwrap(), context).await;
        assert_eq!(response.status(), 403);
    }
}

fn signed_get(signature: &str) -> http::request::Builder {
    let credential = format!("{KEY}/20130524/us-east-1/s3/aws4_request");
    let signed = "host;range;x-amz-content-sha256;x-amz-date";
    let value =
        format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature={signature}");
    Request::get("/test.txt")
        .header("host", "examplebucket.s3.amazonaws.com")
        .header("range", "bytes=0-9")
        .header("x-amz-content-sha256", super::sigv4::EMPTY_SHA256)
        .header("x-amz-date", "20130524T000000Z")
        .header("authorization", value)
}

#[tokio::test]
async fn a_signed_request_reaches_the_operation_as_its_account() {
    let good = signed_get("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    let (response, noted) = ask_at(Some("examplebucket"), good, "").await;
    assert_eq!(noted, ["get ada examplebucket/test.txt Some(Between(0, 9))"], "{}", response.body());
    assert_eq!(response.headers()["content-security-policy"], "sandbox");
    let forged = signed_get("00e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    let (response, noted) = ask_at(Some("examplebucket"), forged, "").await;
    assert!(response.status() == 403 && noted.is_empty());
    assert!(response.body().contains("<Code>SignatureDoesNotMatch</Code>"), "{}", response.body());
}

#[tokio::test]
async fn an_unknown_key_is_named_so_in_every_payload_mode() {
    for payload in
        ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"]
    {
        let signed = "host;x-amz-content-sha256;x-amz-date";
        let credential = "NOBODY/20130524/us-east-1/s3/aws4_request";
        let value = format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature=00");
        let put = Request::put("/abc/k")
            .header("host", "localhost")
            .header("x-amz-content-sha256", payload)
            .header("x-amz-date", "20130524T000000Z")
            .header("authorization", value);
        let (response, noted) = ask(put, CHUNKED).await;
        assert!(response.status() == 403 && noted.is_empty(), "{payload}");
        assert!(response.body().contains("<Code>InvalidAccessKeyId</Code>"), "{}", response.body());
    }
}

#[tokio::test]
async fn what_is_not_configured_is_told_only_of_buckets_the_caller_may_see() {
    for query in ["policy", "acl", "requestPayment"] {
        let (response, _) = ask(Request::get(format!("/ada?{query}")), "").await;
        assert_eq!(response.status(), 403, "{query}: {}", response.body());
    }
}
