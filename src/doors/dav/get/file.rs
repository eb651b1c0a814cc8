//! One opened version as the only file of a file system, which is all dav-server gets to see.
//!
//! Its handler promises a length and pads with zeros when a read comes back empty, so a read
//! here is never empty: it has bytes, or it fails and the answer's body with it.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use dav_server::{
    DavHandler, DavMethod, DavMethodSet,
    davpath::DavPath,
    fs::{
        DavDirEntry, DavFile, DavMetaData, FsError, FsFuture, FsStream, GuardedFileSystem, OpenOptions,
        ReadDirMeta,
    },
};
use futures::{
    FutureExt, StreamExt, future,
    stream::{self, BoxStream},
};
use http::{Method, Request, Response, header};
use http_body_util::BodyExt;

use super::{
    super::error::Refusal,
    reading::{Meta, Reading},
};
use crate::{
    domain::{Error, nouns::FileVersion},
    doors::gate::body::{self, Body},
    model::{etag::Etag, time::Timestamp},
};

/// Reads are answered with what the store has at hand, up to this many bytes.
const READ_BYTES: usize = 4 << 20;

/// The bytes of a range.
pub(super) type Stream = BoxStream<'static, Result<Bytes, Error>>;
/// Begins to read a range; called once at most, and not for HEAD.
pub(in crate::doors::dav) type Read = Box<dyn FnOnce(Range<u64>) -> Stream + Send>;

/// An opened version, on its way to be sent.
pub(in crate::doors::dav) struct Served {
    pub(super) size: u64,
    pub(super) etag: Etag,
    pub(super) modified: Timestamp,
    pub(super) range: Option<Range<u64>>,
    read: Mutex<Option<Read>>,
}

impl Served {
    /// A version, the range of it to be sent, and the way to its bytes.
    pub(in crate::doors::dav) fn new(version: &FileVersion, range: Option<Range<u64>>, read: Read) -> Self {
        Self {
            size: version.size,
            etag: version.etag.clone(),
            modified: version.modified,
            range,
            read: Mutex::new(Some(read)),
        }
    }
}

/// dav-server, bound to what it is good for here.
pub(in crate::doors::dav) fn handler() -> DavHandler<Arc<Served>> {
    let mut methods = DavMethodSet::none();
    methods.add(DavMethod::Get);
    methods.add(DavMethod::Head);
    DavHandler::builder()
        .filesystem(Box::new(OneFile))
        .methods(methods)
        .autoindex(false)
        .read_buf_size(READ_BYTES)
        .build_handler()
}

/// Sends a version: status, validators, range headers and body.
///
/// # Errors
/// If the library does not accept what it is given.
pub(super) async fn send(
    handler: &DavHandler<Arc<Served>>,
    method: &Method,
    served: Arc<Served>,
) -> Result<Response<Body>, Refusal> {
    let fault = || Refusal::from(Error::Internal { reason: "dav-server refused a plain GET".into() });
    // Nothing of the request but the method and the one range: it decides nothing.
    let mut request = Request::builder().method(method.clone()).uri("/file");
    if let Some(range) = &served.range {
        request = request.header(header::RANGE, format!("bytes={}-{}", range.start, range.end - 1));
    }
    let request = request.body(http_body_util::Empty::<Bytes>::new()).map_err(|_| fault())?;
    let response = handler.handle_guarded(request, String::new(), served).await;
    if !response.status().is_success() {
        return Err(fault());
    }
    // Its stream panics when it is polled again after an error.
    Ok(response.map(|body| {
        let pieces = stream::unfold(Some(body.into_data_stream()), |pieces| async {
            let mut pieces = pieces?;
            let piece = pieces.next().await?;
            let rest = piece.is_ok().then_some(pieces);
            Some((piece, rest))
        });
        body::from_stream(pieces.fuse())
    }))
}

/// The file system of one file, which comes with the request as its credentials.
#[derive(Clone)]
struct OneFile;

impl GuardedFileSystem<Arc<Served>> for OneFile {
    fn open<'a>(
        &'a self,
        _path: &'a DavPath,
        _options: OpenOptions,
        served: &'a Arc<Served>,
    ) -> FsFuture<'a, Box<dyn DavFile>> {
        let read = served.read.lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = Reading::new(Arc::clone(served), read);
        future::ready(Ok(Box::new(file) as Box<dyn DavFile>)).boxed()
    }

    fn read_dir<'a>(
        &'a self,
        _path: &'a DavPath,
        _meta: ReadDirMeta,
        _served: &'a Arc<Served>,
    ) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        future::ready(Err(FsError::Forbidden)).boxed()
    }

    fn metadata<'a>(
        &'a self,
        _path: &'a DavPath,
        served: &'a Arc<Served>,
    ) -> FsFuture<'a, Box<dyn DavMetaData>> {
        future::ready(Ok(Box::new(Meta(Arc::clone(served))) as Box<dyn DavMetaData>)).boxed()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use http::StatusCode;

    use super::*;
    use crate::{
        domain::nouns::Attributes,
        model::ids::{AccountId, NodeId, VersionId},
    };

    const AT: Timestamp = Timestamp(784_111_777_250);

    pub(in super::super) fn version(size: u64) -> FileVersion {
        FileVersion {
            key: "a.txt".into(),
            node: NodeId(1),
            id: VersionId { incarnation: 1, seq: crate::model::ids::Seq(1) },
            null: true,
            versioned: false,
            latest: true,
            size,
            etag: Etag::from_text("0123456789abcdef0123456789abcdef"),
            committed: AT,
            modified: AT,
            created: AT,
            attributes: Attributes::default(),
            checksums: Vec::new(),
            parts: None,
            owner: AccountId(1),
        }
    }

    /// A version of `size` bytes whose stream ends, or fails, behind `good` of them.
    fn served(size: u64, range: Option<Range<u64>>, good: u64, fails: bool) -> Arc<Served> {
        let read = move |range: Range<u64>| -> Stream {
            let bytes: Vec<u8> = (range.start..range.end.min(good)).map(|at| at as u8).collect();
            let pieces = bytes.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece)));
            let error = fails.then(|| Err(Error::Damaged { name: "a".into(), reason: "r".into() }));
            futures::stream::iter(pieces.chain(error).collect::<Vec<_>>()).boxed()
        };
        Arc::new(Served::new(&version(size), range, Box::new(read)))
    }

    async fn get(method: Method, served: Arc<Served>) -> Response<Body> {
        send(&handler(), &method, served).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_comes_whole_with_its_validators() {
        let response = get(Method::GET, served(2500, None, 2500, false)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-length").as_deref(), Some("2500"));
        assert_eq!(header("etag").as_deref(), Some("\"0123456789abcdef0123456789abcdef\""));
        assert_eq!(header("last-modified").as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(header("accept-ranges").as_deref(), Some("bytes"));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(bytes, (0..2500u64).map(|at| at as u8).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_range_comes_alone() {
        for range in [0..1, 999..2001, 2499..2500, 0..2500] {
            let response = get(Method::GET, served(2500, Some(range.clone()), 2500, false)).await;
            assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
            let expected = format!("bytes {}-{}/2500", range.start, range.end - 1);
            assert_eq!(response.headers()["content-range"], expected.as_str());
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(bytes, range.map(|at| at as u8).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn head_reads_nothing_and_tells_the_length() {
        let never: Read = Box::new(|_| unreachable!("HEAD read the file"));
        let response = get(Method::HEAD, Arc::new(Served::new(&version(2500), None, never))).await;
        assert_eq!(response.headers()["content-length"], "2500");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        let empty = get(Method::GET, served(0, None, 0, false)).await;
        assert_eq!(empty.headers()["content-length"], "0");
        assert!(empty.into_body().collect().await.unwrap().to_bytes().is_empty());
    }

    #[tokio::test]
    async fn bytes_that_cannot_be_read_break_the_body_and_are_never_zeros() {
        for fails in [true, false] {
            let mut body = get(Method::GET, served(2500, None, 1500, fails)).await.into_body();
            let mut got = 0;
            let ended = loop {
                match body.frame().await {
                    Some(Ok(frame)) => got += frame.into_data().unwrap().len(),
                    Some(Err(_)) => break "error",
                    None => break "end",
                }
            };
            assert_eq!((got, ended), (1500, "error"));
            assert!(body.frame().await.is_none(), "polling on is harmless");
        }
    }
}
