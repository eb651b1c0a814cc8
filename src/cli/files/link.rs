//! One connection to the system for requests with bodies, in an account's name.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;

use crate::{
    cli::{
        failure::Failure,
        reach::{Reach, context, understand},
    },
    doors::{
        api::ON_BEHALF,
        gate::{Body, body, socket},
    },
};

/// How often, and how far apart, a busy system is asked again.
const TRIES: u32 = 6;
const REST: Duration = Duration::from_millis(500);
/// Bytes of an answer that tells of files, or of why there are none.
const DOCUMENT_BYTES: usize = 64 << 20;

/// A way to the system that one task uses.
pub(in crate::cli) struct Link {
    reach: Arc<Reach>,
    sender: Option<http1::SendRequest<Body>>,
}

/// What is asked for.
#[derive(Debug)]
pub(in crate::cli) struct Asked<'a> {
    pub(in crate::cli) method: Method,
    pub(in crate::cli) path: &'a str,
    /// The account it is asked for.
    pub(in crate::cli) whose: &'a str,
    pub(in crate::cli) headers: Vec<(HeaderName, String)>,
}

impl<'a> Asked<'a> {
    pub(in crate::cli) fn get(path: &'a str, whose: &'a str) -> Self {
        Self { method: Method::GET, path, whose, headers: Vec::new() }
    }

    fn request(&self, body: Body) -> Result<Request<Body>, Failure> {
        let mut request = Request::builder().method(&self.method).uri(self.path);
        request = request.header(header::HOST, "holdall").header(ON_BEHALF, self.whose);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(body).map_err(|error| Failure::Usage(format!("{}: {error}", self.path)))
    }
}

impl Clone for Link {
    /// Another connection to the same system.
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.reach))
    }
}

impl Link {
    pub(in crate::cli) fn new(reach: Arc<Reach>) -> Self {
        Self { reach, sender: None }
    }

    /// The answer, whose body is still to come. A body is made anew for each try.
    ///
    /// # Errors
    /// What the system refuses; or that it does not answer, which ends everything.
    pub(in crate::cli) async fn send(
        &mut self,
        asked: &Asked<'_>,
        mut body: impl FnMut() -> Result<Body, Failure>,
    ) -> Result<Response<Body>, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.exchange(asked.request(body()?)?).await?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            let bytes = collected(body).await?;
            match understand::<serde::de::IgnoredAny>(&Response::from_parts(head, bytes)) {
                Err(Failure::Problem(problem)) if problem.code == "busy" && tries < TRIES => {
                    tokio::time::sleep(REST * tries).await;
                }
                Err(failure) => return Err(failure),
                Ok(_) => return Err(Failure::Refused("the answer is not understood".into())),
            }
        }
    }

    /// A document.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub(in crate::cli) async fn read<T: DeserializeOwned>(
        &mut self,
        asked: &Asked<'_>,
    ) -> Result<T, Failure> {
        let (head, body) = self.send(asked, || Ok(body::empty())).await?.into_parts();
        let bytes = collected(body).await?;
        understand(&Response::from_parts(head, bytes))
    }

    async fn exchange(&mut self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let gone = |error: &dyn std::fmt::Display| Failure::Usage(format!("the server went away: {error}"));
        let path = match &*self.reach {
            Reach::Direct(door) => return Ok(door.handle(request, context()).await),
            Reach::Socket(path) => path.clone(),
        };
        // One that was closed meanwhile, or has an answer left unread, is not used again.
        let open = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let mut sender = match open {
            Some(sender) => sender,
            None => {
                let stream = socket::connect(&path).await.map_err(|error| gone(&error))?;
                let made = http1::handshake(TokioIo::new(stream)).await;
                let (sender, connection) = made.map_err(|error| gone(&error))?;
                tokio::spawn(connection);
                sender
            }
        };
        let answer = sender.send_request(request).await.map_err(|error| gone(&error))?;
        self.sender = Some(sender);
        Ok(answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync()))
    }

    /// Lets go of a connection whose answer is not read to its end.
    pub(in crate::cli) fn break_off(&mut self) {
        self.sender = None;
    }
}

/// A document, whole.
async fn collected(body: Body) -> Result<Bytes, Failure> {
    let read = http_body_util::Limited::new(body, DOCUMENT_BYTES).collect().await;
    read.map(|whole| whole.to_bytes())
        .map_err(|error| Failure::Usage(format!("the answer broke off: {error}")))
}
