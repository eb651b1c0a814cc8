//! The table of every kind of error and what each door answers for it. It is a promise to clients,
//! so it is committed: whoever changes an answer changes `errors.txt` too.

use std::fmt::Write as _;

use holdall::{
    domain::error::{BadPart, BadSumType, Error, Large, Many, Sum, Unrecognised, What},
    doors::{api, dav, gate::Body, s3},
    model::{
        address::BadAddress, checksum::ChecksumKind, etag::Etag, extra::Extra, name::BadName, time::Timestamp,
    },
};
use http::Response;
use http_body_util::BodyExt;

/// Writes a list of examples and, so that none is ever missing, a `match` over all kinds that has
/// no arm for the rest.
macro_rules! every {
    ($of:ty: $($kind:pat => [$($example:expr),+ $(,)?],)*) => {{
        #[deny(unreachable_patterns)]
        fn known(value: &$of) {
            match value { $($kind => (),)* }
        }
        let all: Vec<$of> = vec![$($($example,)+)*];
        all.iter().for_each(known);
        all
    }};
}

fn name() -> String {
    "photos/a".into()
}

fn kinds_of_things() -> Vec<What> {
    every!(What:
        What::Account => [What::Account],
        What::Email => [What::Email],
        What::Credential => [What::Credential],
        What::Bucket => [What::Bucket],
        What::File => [What::File],
        What::Item => [What::Item],
        What::Parent => [What::Parent],
        What::Version => [What::Version],
        What::Upload => [What::Upload],
        What::Lock => [What::Lock],
    )
}

fn ways_not_to_be_recognised() -> Vec<Unrecognised> {
    every!(Unrecognised:
        Unrecognised::Missing => [Unrecognised::Missing],
        Unrecognised::Wrong => [Unrecognised::Wrong],
        Unrecognised::UnknownKey => [Unrecognised::UnknownKey],
        Unrecognised::Signature => [Unrecognised::Signature],
        Unrecognised::Disabled => [Unrecognised::Disabled],
    )
}

fn bad_parts() -> Vec<BadPart> {
    every!(BadPart:
        BadPart::Unknown => [BadPart::Unknown],
        BadPart::Order => [BadPart::Order],
        BadPart::TooSmall => [BadPart::TooSmall],
        BadPart::Number => [BadPart::Number],
        BadPart::Checksum => [BadPart::Checksum],
    )
}

fn bad_sum_types() -> Vec<BadSumType> {
    every!(BadSumType:
        BadSumType::NotOverParts(_) => [BadSumType::NotOverParts(ChecksumKind::Crc64Nvme)],
        BadSumType::OverPartsOnly(_) => [BadSumType::OverPartsOnly(ChecksumKind::Sha1)],
        BadSumType::BegunOverParts => [BadSumType::BegunOverParts],
        BadSumType::BegunOverWhole => [BadSumType::BegunOverWhole],
    )
}

fn bad_addresses() -> Vec<BadAddress> {
    every!(BadAddress:
        BadAddress::Empty => [BadAddress::Empty],
        BadAddress::TooLong => [BadAddress::TooLong],
        BadAddress::Segment => [BadAddress::Segment],
    )
}

fn large_things() -> Vec<Large> {
    every!(Large:
        Large::File => [Large::File],
        Large::Source => [Large::Source],
        Large::UserMetadata => [Large::UserMetadata],
        Large::Header(_) => [Large::Header("Expires")],
        Large::Password => [Large::Password],
        Large::LockOwner => [Large::LockOwner],
    )
}

fn many_things() -> Vec<Many> {
    every!(Many:
        Many::Buckets => [Many::Buckets],
        Many::AccessKeys => [Many::AccessKeys],
        Many::AppPasswords => [Many::AppPasswords],
        Many::Locks => [Many::Locks],
        Many::LocksHere => [Many::LocksHere],
        Many::Props => [Many::Props],
        Many::PropBytes => [Many::PropBytes],
        Many::PropsBytes => [Many::PropsBytes],
        Many::Rows => [Many::Rows],
    )
}

fn sums() -> Vec<Sum> {
    every!(Sum:
        Sum::Payload => [Sum::Payload],
        Sum::Md5 => [Sum::Md5],
        Sum::Extra(_) => [Sum::Extra(Extra::Sha512)],
        Sum::Checksum(_) => [Sum::Checksum(ChecksumKind::Crc32)],
    )
}

fn marker(current: bool) -> Error {
    Error::DeleteMarker { name: name(), version: "1".into(), at: Timestamp(0), current }
}

/// One of every kind; those that carry a kind of their own follow in [`all`].
fn plain() -> Vec<Error> {
    let secret = || "the reason".to_owned();
    every!(Error:
        Error::NotFound(..) => [Error::NotFound(What::Item, name())],
        Error::DeleteMarker { .. } => [marker(true), marker(false)],
        Error::Exists(..) => [Error::Exists(What::Bucket, name()), Error::Exists(What::Item, name())],
        Error::ExistsYours(_) => [Error::ExistsYours(name())],
        Error::NotEmpty(_) => [Error::NotEmpty(name())],
        Error::Denied(_) => [Error::Denied(name())],
        Error::Unauthenticated(_) => [Error::Unauthenticated(Unrecognised::Missing)],
        Error::PreconditionFailed(_) => [Error::PreconditionFailed(name())],
        Error::NotModified { .. } => [Error::NotModified { etag: Etag::from_text("e"), modified: Timestamp(0) }],
        Error::Conflict(_) => [Error::Conflict(name())],
        Error::Partly { .. } => [Error::Partly { refused: Vec::new(), more: 1 }],
        Error::Locked(_) => [Error::Locked(name())],
        Error::TooLarge { .. } => [Error::TooLarge { what: Large::File, limit: 1 }],
        Error::TooMany { .. } => [Error::TooMany { what: Many::Buckets, limit: 1 }],
        Error::OverQuota { .. } => [Error::OverQuota { owner: "ann".into() }],
        Error::DiskFull => [Error::DiskFull],
        Error::BadName { .. } => [Error::BadName { name: name(), why: BadName::Characters }],
        Error::BadAddress(_) => [Error::BadAddress(BadAddress::Empty)],
        Error::Invalid(_) => [Error::Invalid(name())],
        Error::BadRange { .. } => [Error::BadRange { size: 7 }],
        Error::BadPart(..) => [Error::BadPart(BadPart::Unknown, 1)],
        Error::BadSumType(_) => [Error::BadSumType(BadSumType::BegunOverParts)],
        Error::Incomplete { .. } => [Error::Incomplete { declared: 2, got: 1 }],
        Error::ChecksumDiffers(_) => [Error::ChecksumDiffers(Sum::Md5)],
        Error::Unsupported(_) => [Error::Unsupported(name())],
        Error::Busy(_) => [Error::Busy(name())],
        Error::Unavailable { .. } => [Error::Unavailable { reason: secret() }],
        Error::Damaged { .. } => [Error::Damaged { name: name(), reason: secret() }],
        Error::Internal { .. } => [Error::Internal { reason: secret() }],
    )
}

/// Every line of the table, each once.
fn all() -> Vec<Error> {
    let mut all = plain();
    all.extend(kinds_of_things().into_iter().map(|what| Error::NotFound(what, name())));
    all.extend(ways_not_to_be_recognised().into_iter().map(Error::Unauthenticated));
    all.extend(bad_addresses().into_iter().map(Error::BadAddress));
    all.extend(large_things().into_iter().map(|what| Error::TooLarge { what, limit: 1 }));
    all.extend(many_things().into_iter().map(|what| Error::TooMany { what, limit: 1 }));
    all.extend(sums().into_iter().map(Error::ChecksumDiffers));
    all.extend(bad_parts().into_iter().map(|why| Error::BadPart(why, 1)));
    all.extend(bad_sum_types().into_iter().map(Error::BadSumType));
    all.sort_by_key(label);
    all.dedup_by_key(|error| label(error));
    all
}

/// The kind without what varies from request to request.
fn label(error: &Error) -> String {
    let text = format!("{error:?}");
    let kept = [", \"photos/a\"", "(\"photos/a\")", ", reason: \"the reason\"", "{ reason: \"the reason\" }"];
    let mut text = kept.iter().fold(text, |text, gone| text.replace(gone, ""));
    text = text.replace("name: \"photos/a\", ", "").replace("{ name: \"photos/a\" }", "");
    text.trim().to_owned()
}

/// Status and text of an answer.
async fn read(answer: Response<Body>) -> (u16, String) {
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(!text.contains("the reason"), "what is for the log went out: {text}");
    (parts.status.as_u16(), text)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(found, _)| found)
}

/// The condition element of a WebDAV answer: the one of `DAV:` inside `error`.
fn condition(text: &str) -> Option<&str> {
    let inside = text.split_once("<D:error")?.1.split_once('>')?.1;
    Some(inside.strip_prefix("<D:")?.split(['>', '/', ' ']).next().unwrap_or_default())
}

async fn table() -> String {
    let mut table = String::from("# kind of error | S3 | WebDAV | JSON\n");
    for error in all() {
        let (s3_status, s3_text) = read(s3::refusal(error.clone())).await;
        let (dav_status, dav_text) = read(dav::refusal(error.clone())).await;
        let (api_status, api_text) = read(api::refusal(error.clone())).await;
        let s3_code = between(&s3_text, "<Code>", "</Code>").unwrap_or("-");
        let code = between(&api_text, "\"code\":\"", "\"").unwrap_or("-");
        let condition = condition(&dav_text).unwrap_or("-");
        let kind = label(&error);
        writeln!(table, "{kind} | {s3_status} {s3_code} | {dav_status} {condition} | {api_status} {code}")
            .unwrap();
    }
    table
}

#[tokio::test]
async fn every_kind_of_error_is_answered_as_the_table_says() {
    let found = table().await;
    let committed = include_str!("errors.txt");
    if found != committed {
        println!("{found}");
    }
    for (found, committed) in found.lines().zip(committed.lines()) {
        assert_eq!(found, committed);
    }
    assert!(found == committed, "lines are missing in one of the two");
}
