//! The table: every route of S3 and WebDAV, what it takes to be let through, and what comes then.

/// What somebody must be to be let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Needs {
    /// Any account: it concerns what is one's own.
    Anybody,
    /// Any account with a credential that may write.
    AnybodyWriting,
    /// To read the owner's bucket.
    Reading,
    /// To change the owner's bucket.
    Writing,
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// What it is called: an operation of S3, or empty.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// `{upload}`, `{etag}` and `{who}` are filled in.
    pub(super) target: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static str,
    pub(super) needs: Needs,
    /// What comes when it is let through.
    pub(super) status: u16,
}

const fn route(
    name: &'static str,
    (method, target): (&'static str, &'static str),
    needs: Needs,
    status: u16,
) -> Route {
    Route { name, method, target, headers: &[], body: "", needs, status }
}

const fn with(route: Route, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Route {
    Route { headers, body, ..route }
}

use Needs::{Anybody, AnybodyWriting, Reading, Writing};

const DELETE: &str = "<Delete><Object><Key>file</Key></Object></Delete>";
const COMPLETE: &str = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
                        <ETag>{etag}</ETag></Part></CompleteMultipartUpload>";
const PATCH: &str =
    "<propertyupdate xmlns=\"DAV:\"><set><prop><mark xmlns=\"urn:x\">1</mark></prop></set></propertyupdate>";
const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/// The operations of S3. `CreateBucket` stands twice: a name that is free, and one that is taken.
pub(super) const S3: [Route; 32] = [
    route("ListBuckets", ("GET", "/"), Anybody, 200),
    route("CreateBucket", ("PUT", "/fresh"), AnybodyWriting, 200),
    route("HeadBucket", ("HEAD", "/olga"), Reading, 200),
    route("DeleteBucket", ("DELETE", "/olga-empty"), Writing, 204),
    route("DeleteBucket", ("DELETE", "/olga"), Writing, 409),
    route("GetBucketLocation", ("GET", "/olga?location"), Reading, 200),
    route("GetBucketVersioning", ("GET", "/olga?versioning"), Reading, 200),
    with(route("PutBucketVersioning", ("PUT", "/olga-empty?versioning"), Writing, 200), &[], ENABLED),
    route("ListObjects", ("GET", "/olga"), Reading, 200),
    route("ListObjectsV2", ("GET", "/olga?list-type=2"), Reading, 200),
    route("ListObjectVersions", ("GET", "/olga?versions"), Reading, 200),
    route("ListMultipartUploads", ("GET", "/olga?uploads"), Reading, 200),
    with(route("DeleteObjects", ("POST", "/olga?delete"), Writing, 200), &[("md5", "")], DELETE),
    route("GetObject", ("GET", "/olga/file"), Reading, 200),
    route("GetObject", ("GET", "/olga/none"), Reading, 404),
    route("HeadObject", ("HEAD", "/olga/file"), Reading, 200),
    with(route("PutObject", ("PUT", "/olga/file"), Writing, 200), &[], "changed"),
    with(route("PutObject", ("PUT", "/olga/made/new"), Writing, 200), &[], "made"),
    with(
        route("CopyObject", ("PUT", "/olga/copy"), Writing, 200),
        &[("x-amz-copy-source", "/olga/file")],
        "",
    ),
    // From somebody else's bucket into one's own, and the other way round.
    with(
        route("CopyObject", ("PUT", "/{who}/copy"), Writing, 200),
        &[("x-amz-copy-source", "/olga/file")],
        "",
    ),
    with(
        route("CopyObject", ("PUT", "/olga/copy"), Writing, 200),
        &[("x-amz-copy-source", "/{who}/own")],
        "",
    ),
    route("DeleteObject", ("DELETE", "/olga/file"), Writing, 204),
    route("DeleteObject", ("DELETE", "/olga/none"), Writing, 204),
    with(
        route("GetObjectAttributes", ("GET", "/olga/file?attributes"), Reading, 200),
        &[("x-amz-object-attributes", "ETag")],
        "",
    ),
    route("CreateMultipartUpload", ("POST", "/olga/big2?uploads"), Writing, 200),
    with(route("UploadPart", ("PUT", "/olga/big?uploadId={upload}&partNumber=2"), Writing, 200), &[], "part"),
    with(
        route("UploadPartCopy", ("PUT", "/olga/big?uploadId={upload}&partNumber=2"), Writing, 200),
        &[("x-amz-copy-source", "/olga/file")],
        "",
    ),
    with(
        route("UploadPartCopy", ("PUT", "/{who}/big?uploadId={own-upload}&partNumber=2"), Writing, 200),
        &[("x-amz-copy-source", "/olga/file")],
        "",
    ),
    with(
        route("CompleteMultipartUpload", ("POST", "/olga/big?uploadId={upload}"), Writing, 200),
        &[],
        COMPLETE,
    ),
    route("AbortMultipartUpload", ("DELETE", "/olga/big?uploadId={upload}"), Writing, 204),
    route("ListParts", ("GET", "/olga/big?uploadId={upload}"), Reading, 200),
    route("ListParts", ("GET", "/olga/big?uploadId=nothing"), Reading, 404),
];

/// WebDAV: every method at every kind of place.
pub(super) const DAV: [Route; 63] = [
    // The root of the host and the folder of buckets are the server's own.
    route("", ("OPTIONS", "/"), Anybody, 200),
    route("", ("PROPFIND", "/"), Anybody, 207),
    route("", ("OPTIONS", "/dav/"), Anybody, 200),
    route("", ("GET", "/dav/"), Anybody, 200),
    route("", ("HEAD", "/dav/"), Anybody, 200),
    route("", ("PROPFIND", "/dav/"), Anybody, 207),
    with(route("", ("PROPPATCH", "/dav/"), Anybody, 403), &[], PATCH),
    with(route("", ("PUT", "/dav/"), Anybody, 405), &[], "x"),
    route("", ("MKCOL", "/dav/"), Anybody, 405),
    route("", ("DELETE", "/dav/"), Anybody, 403),
    with(route("", ("COPY", "/dav/"), Anybody, 403), &[("destination", "/dav/olga/x")], ""),
    with(route("", ("MOVE", "/dav/"), Anybody, 403), &[("destination", "/dav/olga/x")], ""),
    // A bucket.
    route("", ("OPTIONS", "/dav/olga/"), Reading, 200),
    route("", ("GET", "/dav/olga/"), Reading, 200),
    route("", ("HEAD", "/dav/olga/"), Reading, 200),
    route("", ("PROPFIND", "/dav/olga/"), Reading, 207),
    with(route("", ("PROPPATCH", "/dav/olga"), Writing, 207), &[], PATCH),
    with(route("", ("PUT", "/dav/olga"), Anybody, 405), &[], "x"),
    route("", ("MKCOL", "/dav/fresh"), AnybodyWriting, 201),
    route("", ("DELETE", "/dav/olga-empty"), Writing, 204),
    route("", ("DELETE", "/dav/olga"), Writing, 409),
    with(route("", ("MOVE", "/dav/olga"), Anybody, 403), &[("destination", "/dav/fresh")], ""),
    with(route("", ("COPY", "/dav/olga"), Anybody, 403), &[("destination", "/dav/fresh")], ""),
    with(route("", ("COPY", "/dav/olga-two"), Anybody, 403), &[("destination", "/dav/olga/two")], ""),
    // A folder.
    route("", ("OPTIONS", "/dav/olga/folder"), Reading, 200),
    route("", ("GET", "/dav/olga/folder/"), Reading, 200),
    route("", ("HEAD", "/dav/olga/folder/"), Reading, 200),
    route("", ("PROPFIND", "/dav/olga/folder"), Reading, 207),
    with(route("", ("PROPPATCH", "/dav/olga/folder"), Writing, 207), &[], PATCH),
    with(route("", ("PUT", "/dav/olga/folder"), Writing, 405), &[], "x"),
    route("", ("MKCOL", "/dav/olga/folder"), Writing, 405),
    route("", ("MKCOL", "/dav/olga/made"), Writing, 201),
    route("", ("MKCOL", "/dav/olga/none/made"), Writing, 409),
    route("", ("DELETE", "/dav/olga/folder"), Writing, 204),
    with(route("", ("COPY", "/dav/olga/folder"), Writing, 201), &[("destination", "/dav/olga/made")], ""),
    with(route("", ("MOVE", "/dav/olga/folder"), Writing, 201), &[("destination", "/dav/olga/made")], ""),
    with(route("", ("COPY", "/dav/olga/folder"), Writing, 201), &[("destination", "/dav/{who}/made")], ""),
    with(route("", ("MOVE", "/dav/olga/folder"), Writing, 201), &[("destination", "/dav/{who}/made")], ""),
    with(route("", ("COPY", "/dav/olga/folder"), Writing, 204), &[("destination", "/dav/olga/file")], ""),
    // A file.
    route("", ("OPTIONS", "/dav/olga/file"), Reading, 200),
    route("", ("GET", "/dav/olga/file"), Reading, 200),
    with(route("", ("GET", "/dav/olga/file"), Reading, 206), &[("range", "bytes=0-1")], ""),
    route("", ("HEAD", "/dav/olga/file"), Reading, 200),
    route("", ("PROPFIND", "/dav/olga/file"), Reading, 207),
    with(route("", ("PROPPATCH", "/dav/olga/file"), Writing, 207), &[], PATCH),
    with(route("", ("PUT", "/dav/olga/file"), Writing, 204), &[], "changed"),
    with(route("", ("PUT", "/dav/olga/made"), Writing, 201), &[], "made"),
    with(route("", ("PUT", "/dav/olga/none/made"), Writing, 409), &[], "made"),
    route("", ("MKCOL", "/dav/olga/file"), Writing, 405),
    route("", ("DELETE", "/dav/olga/file"), Writing, 204),
    with(route("", ("COPY", "/dav/olga/file"), Writing, 201), &[("destination", "/dav/olga/made")], ""),
    with(route("", ("MOVE", "/dav/olga/file"), Writing, 201), &[("destination", "/dav/olga/made")], ""),
    with(route("", ("COPY", "/dav/olga/file"), Writing, 201), &[("destination", "/dav/{who}/made")], ""),
    with(route("", ("MOVE", "/dav/olga/file"), Writing, 201), &[("destination", "/dav/{who}/made")], ""),
    with(route("", ("COPY", "/dav/{who}/own"), Writing, 201), &[("destination", "/dav/olga/made")], ""),
    with(route("", ("MOVE", "/dav/{who}/own"), Writing, 204), &[("destination", "/dav/olga/file")], ""),
    // Nothing.
    route("", ("OPTIONS", "/dav/olga/none"), Reading, 200),
    route("", ("GET", "/dav/olga/none"), Reading, 404),
    route("", ("HEAD", "/dav/olga/none"), Reading, 404),
    route("", ("PROPFIND", "/dav/olga/none"), Reading, 404),
    with(route("", ("PROPPATCH", "/dav/olga/none"), Writing, 404), &[], PATCH),
    route("", ("DELETE", "/dav/olga/none"), Writing, 404),
    with(route("", ("COPY", "/dav/olga/none"), Reading, 404), &[("destination", "/dav/olga/made")], ""),
];
