//! Doors that do one thing each, by the first segment of the path.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use holdall::doors::gate::{Body, Door, Doors, RequestContext, authenticate::unauthorized, body};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::sleep;

/// What the doors have seen.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Slow handlers that came to their end.
    pub(crate) finished: Arc<AtomicUsize>,
    /// Bodies that broke off.
    pub(crate) broken: Arc<AtomicUsize>,
    /// Endless answers that were given up.
    pub(crate) given_up: Arc<AtomicUsize>,
}

impl Seen {
    pub(crate) fn doors(&self) -> Doors {
        let seen = self.clone();
        let s3 = Door::new(move |request, context| {
            let seen = seen.clone();
            async move { seen.answer(request, context).await }
        });
        let named = |name: &'static str| {
            Door::new(move |request: Request<Body>, context: RequestContext| async move {
                Response::new(body::full(format!("{name} {} {}", request.uri(), context.peer)))
            })
        };
        Doors { s3, dav: named("dav"), api: named("api") }
    }

    async fn answer(&self, request: Request<Body>, context: RequestContext) -> Response<Body> {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/count" => {
                let response = counted(request.into_body()).await;
                if response.status() == StatusCode::REQUEST_TIMEOUT {
                    self.broken.fetch_add(1, SeqCst);
                }
                response
            }
            "/slow" => {
                sleep(Duration::from_millis(300)).await;
                self.finished.fetch_add(1, SeqCst);
                Response::new(body::full("slow"))
            }
            "/stuck" => std::future::pending().await,
            "/panic" => panic!("as asked"),
            "/refuse" => unauthorized(),
            "/endless" => {
                let guard = GivenUp(self.clone());
                let piece = Bytes::from(vec![7; 64 * 1024]);
                Response::new(body::from_stream(futures::stream::repeat_with(move || {
                    let _kept = &guard;
                    Ok(piece.clone())
                })))
            }
            // Rests between pieces longer than a slow client may.
            "/thoughtful" => {
                let pieces = futures::stream::iter(0..4).then(|_| async {
                    sleep(Duration::from_millis(400)).await;
                    Ok(Bytes::from_static(b"abcd"))
                });
                let mut response = Response::new(body::from_stream(pieces));
                response.headers_mut().insert("content-length", 16.into());
                response
            }
            _ => Response::new(body::full(format!("{} {}", context.scheme(), request.uri()))),
        }
    }
}

struct GivenUp(Seen);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.given_up.fetch_add(1, SeqCst);
    }
}

async fn counted(mut body: Body) -> Response<Body> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Err(error) => {
                let mut response = Response::new(body::full(error.kind().to_string()));
                *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
                return response;
            }
        }
    }
    Response::new(body::full(bytes.to_string()))
}
