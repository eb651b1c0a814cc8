//! A version while dav-server reads it, and what the library asks of it for headers.

use std::{
    fmt,
    io::SeekFrom,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use dav_server::fs::{DavFile, DavMetaData, FsError, FsFuture, FsResult};
use futures::{FutureExt, StreamExt, future};

use super::file::{Read, Served, Stream};

/// What the library puts into headers.
#[derive(Clone)]
pub(super) struct Meta(pub(super) Arc<Served>);

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meta").field(&self.0.etag).finish()
    }
}

impl DavMetaData for Meta {
    fn len(&self) -> u64 {
        self.0.size
    }

    fn modified(&self) -> FsResult<SystemTime> {
        // Dates before 1970 are left out: the library cannot write them.
        let seconds = u64::try_from(self.0.modified.seconds()).map_err(|_| FsError::NotImplemented)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(FsError::NotImplemented)
    }

    fn is_dir(&self) -> bool {
        false
    }

    fn etag(&self) -> Option<String> {
        Some(self.0.etag.to_string())
    }
}

/// The file while it is read. The mutexes are only taken through `&mut`; they make the parts
/// `Sync`, which the library asks for.
pub(super) struct Reading {
    served: Arc<Served>,
    read: Mutex<Option<Read>>,
    stream: Mutex<Option<Stream>>,
    held: Bytes,
}

impl Reading {
    pub(super) fn new(served: Arc<Served>, read: Option<Read>) -> Self {
        let (read, stream) = (Mutex::new(read), Mutex::new(None));
        Self { served, read, stream, held: Bytes::new() }
    }

    async fn next(&mut self, count: usize) -> FsResult<Bytes> {
        while self.held.is_empty() {
            let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
            if stream.is_none() {
                let read = self.read.get_mut().unwrap_or_else(PoisonError::into_inner).take();
                let range = self.served.range.clone().unwrap_or(0..self.served.size);
                *stream = Some(read.ok_or(FsError::GeneralFailure)?(range));
            }
            match stream.as_mut().ok_or(FsError::GeneralFailure)?.next().await {
                Some(Ok(bytes)) => self.held = bytes,
                Some(Err(error)) => {
                    tracing::error!(%error, reason = error.reason(), "a download broke off");
                    return Err(FsError::GeneralFailure);
                }
                None => {
                    tracing::error!("a download broke off: the content ended early");
                    return Err(FsError::GeneralFailure);
                }
            }
        }
        Ok(self.held.split_to(count.min(self.held.len())))
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("range", &self.served.range).finish_non_exhaustive()
    }
}

impl DavFile for Reading {
    fn metadata(&mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let meta = Meta(Arc::clone(&self.served));
        future::ready(Ok(Box::new(meta) as Box<dyn DavMetaData>)).boxed()
    }

    fn write_buf(&mut self, _: Box<dyn bytes::Buf + Send>) -> FsFuture<'_, ()> {
        future::ready(Err(FsError::Forbidden)).boxed()
    }

    fn write_bytes(&mut self, _: Bytes) -> FsFuture<'_, ()> {
        future::ready(Err(FsError::Forbidden)).boxed()
    }

    fn read_bytes(&mut self, count: usize) -> FsFuture<'_, Bytes> {
        self.next(count).boxed()
    }

    /// The stream begins at the range by itself.
    fn seek(&mut self, to: SeekFrom) -> FsFuture<'_, u64> {
        let start = self.served.range.as_ref().map_or(0, |range| range.start);
        future::ready(if to == SeekFrom::Start(start) { Ok(start) } else { Err(FsError::GeneralFailure) })
            .boxed()
    }

    fn flush(&mut self) -> FsFuture<'_, ()> {
        future::ready(Err(FsError::Forbidden)).boxed()
    }
}
