//! Which headers each operation carries out. One that asks for more than is done is refused by its
//! name: nothing a client asks for is silently dropped. Headers HTTP has a server ignore where they
//! mean nothing (`Range` and `If-Modified-Since` on a listing, RFC 9110 §13.1.3 and §14.2) pass.

use http::HeaderMap;

use super::Op;
use crate::doors::s3::{code::Code, error::Refusal};

/// A group of headers. A name that ends in `-` stands for all that begin with it.
type Group = &'static [&'static str];

/// The signature's, and the one promise every operation keeps.
const ALWAYS: Group =
    &["x-amz-content-sha256", "x-amz-date", "x-amz-expected-bucket-owner", "x-amz-security-token"];
/// Ignored as AWS does: they name the sender or an earlier answer, or agree to pay what the
/// bucket's owner pays here.
const IGNORED: Group =
    &["x-amz-id-2", "x-amz-request-id", "x-amz-request-payer", "x-amz-te", "x-amz-user-agent"];

/// What the body is declared to be: each is verified before anything is done.
const CHECKED: Group = &[
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
];
/// What the object of an upload is declared to be.
const WHOLE: Group = &[
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-decoded-content-length",
    "x-amz-mp-object-size",
    "x-amz-sdk-checksum-algorithm",
];
/// What an upload is begun with.
const BEGUN: Group = &["x-amz-checksum-algorithm", "x-amz-checksum-type"];
/// Kept with an object, or by value the only thing there is. A copy that keeps its source's
/// metadata ignores `x-amz-meta-*`, as AWS does.
const STORED: Group = &["x-amz-acl", "x-amz-meta-", "x-amz-storage-class", "x-amz-tagging"];
/// Of a new bucket; by value the only thing there is.
const BUCKET: Group = &["x-amz-acl", "x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"];
/// Where a copy comes from.
const SOURCE: Group = &[
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-source-expected-bucket-owner",
];
/// What becomes of a copy.
const COPIED: Group = &["x-amz-checksum-algorithm", "x-amz-metadata-directive", "x-amz-tagging-directive"];
/// What of the source becomes a part.
const PIECE: Group = &["x-amz-copy-source-range"];
/// How an object is read.
const READ: Group = &["range", "x-amz-checksum-mode"];
/// What is told of an object. No parts are listed, so that there is nothing to page through.
const DESCRIBED: Group = &["x-amz-max-parts", "x-amz-object-attributes", "x-amz-part-number-marker"];
/// Asks for what objects in an archive have; none is in one.
const LISTED: Group = &["x-amz-optional-object-attributes"];
/// Ignored as AWS does where nothing is retained.
const UNRETAINED: Group = &["x-amz-bypass-governance-retention"];
/// Preconditions.
const CONDITIONS: Group = &["if-match", "if-none-match", "if-unmodified-since"];

/// What of a whole is meant: where bytes are stored it must not be overlooked, elsewhere HTTP has
/// it ignored.
const OF_CONTENT: Group = &["content-range", "range"];

/// The table: what each operation carries out beside [`ALWAYS`].
fn carried_out(op: Op) -> &'static [Group] {
    use Op::*;
    match op {
        ListBuckets | HeadBucket | DeleteBucket | GetBucketLocation | GetBucketVersioning => &[],
        CreateBucket => &[CHECKED, BUCKET],
        PutBucketVersioning => &[CHECKED],
        ListObjects | ListObjectsV2 | ListObjectVersions => &[LISTED],
        DeleteObjects => &[CHECKED, UNRETAINED],
        GetObject | HeadObject => &[READ, CONDITIONS],
        GetObjectAttributes => &[DESCRIBED],
        PutObject => &[CHECKED, STORED, CONDITIONS],
        CopyObject => &[SOURCE, COPIED, STORED, CONDITIONS],
        DeleteObject => &[UNRETAINED, CONDITIONS],
        CreateMultipartUpload => &[BEGUN, STORED],
        UploadPart => &[CHECKED],
        UploadPartCopy => &[SOURCE, PIECE],
        CompleteMultipartUpload => &[WHOLE, CONDITIONS],
        AbortMultipartUpload | ListParts | ListMultipartUploads => &[],
    }
}

/// The headers of the table.
pub(crate) fn known() -> Vec<&'static str> {
    let mut all = [ALWAYS, IGNORED, OF_CONTENT].concat();
    all.extend(Op::ALL.iter().flat_map(|op| carried_out(*op).concat()));
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether the header asks for something that the operation does not carry out; `None` is the
/// answer for what is not configured.
pub(crate) fn refused(op: Option<Op>, name: &str) -> bool {
    asks(op, name) && !takes(op, name)
}

fn takes(op: Option<Op>, name: &str) -> bool {
    let is = |listed: &&str| name == *listed || (listed.ends_with('-') && name.starts_with(*listed));
    let groups = op.map_or(&[][..], carried_out);
    [ALWAYS, IGNORED].iter().chain(groups).any(|group| group.iter().any(is))
}

/// Whether the header asks for something.
fn asks(op: Option<Op>, name: &str) -> bool {
    let stores = op.is_some_and(Op::stores_content);
    name.starts_with("x-amz-") || CONDITIONS.contains(&name) || (stores && OF_CONTENT.contains(&name))
}

const CANNED: [&str; 8] = [
    "private",
    "bucket-owner-full-control",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "log-delivery-write",
];

fn not_built(name: &str) -> Refusal {
    let said = format!("The header {name} implies functionality that is not implemented.");
    Refusal::say(Code::NotImplemented, said).with("Header", name)
}

/// Refuses headers that the operation does not carry out.
pub(crate) fn check(headers: &HeaderMap, op: Option<Op>) -> Result<(), Refusal> {
    for (name, value) in headers {
        let name = name.as_str();
        if refused(op, name) {
            return Err(not_built(name));
        }
        by_value(name, value.to_str().unwrap_or("\u{fffd}"))?;
    }
    Ok(())
}

fn by_value(name: &str, value: &str) -> Result<(), Refusal> {
    let accepted: &[&str] = match name {
        "x-amz-acl" if !CANNED.contains(&value) => return Err(Refusal::new(Code::InvalidArgument)),
        "x-amz-acl" => &["private", "bucket-owner-full-control"],
        "x-amz-storage-class" => &["STANDARD"],
        "x-amz-object-ownership" => &["BucketOwnerEnforced"],
        "x-amz-bucket-object-lock-enabled" => &["false", "False"],
        "x-amz-tagging" => &[""],
        "x-amz-request-payer" => &["requester"],
        "x-amz-optional-object-attributes" => &["RestoreStatus"],
        "x-amz-security-token" => return Err(Refusal::new(Code::InvalidToken)),
        _ => return Ok(()),
    };
    if accepted.contains(&value) { Ok(()) } else { Err(not_built(name)) }
}
