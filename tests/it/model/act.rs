//! Operations as requests: keys through S3, paths through WebDAV; and answers as the model words
//! them.

use super::{
    doors::{Run, Told, done, target},
    op::{At, Body, How, Only, Op, Versions, Which},
    rules::{
        Answer, Did, Model, Why,
        uploads::{Ended, REMEMBERED, listed},
    },
    state::State,
};
use crate::common::{
    ask::Ask,
    wire::{Raw, Reply, element},
};
use tokio::io::AsyncWriteExt as _;

/// A version that never was.
const NEVER: &str = "0000000100000000ffffffff";

/// A part that nobody sent.
const NO_PART: (u32, Body) = (1, Body { seed: 9, length: 9 });

fn told(reply: Option<Reply>, did: impl FnOnce(&Reply) -> Did) -> Told {
    match reply {
        None => Told::Lost,
        Some(reply) if reply.status == 207 => {
            // A multistatus of PROPPATCH is well; one of a folder verb tells what was refused.
            if reply.text().contains("<D:propstat>") { Told::Done(did(&reply)) } else { Told::Refused(207) }
        }
        Some(reply) if reply.status < 300 => Told::Done(did(&reply)),
        Some(reply) if matches!(reply.status, 500 | 503) => Told::Lost,
        Some(reply) => Told::Refused(reply.status),
    }
}

fn nothing(_: &Reply) -> Did {
    Did::default()
}

/// The statuses that may tell a reason, whichever door and method.
fn statuses(why: Why) -> &'static [u16] {
    match why {
        Why::Missing => &[404, 409, 412],
        Why::Marker => &[400, 404, 405],
        Why::Exists => &[405, 409, 412],
        Why::Conflict | Why::NotEmpty => &[409],
        Why::Denied => &[403],
        Why::Failed => &[412],
        Why::Locked => &[409, 423],
        Why::Quota => &[403, 507],
        Why::Full => &[507],
        Why::Invalid | Why::BadPart | Why::Broken => &[400],
    }
}

/// Whether an operation asks for an upload that was completed so long ago that a job forgets it, now
/// or soon; the model waits to be told.
fn forgotten(before: &Model, op: &Op) -> bool {
    let Op::Complete { upload, .. } = op else { return false };
    let upload = before.upload(*upload).and_then(|index| before.uploads.get(index));
    upload.is_some_and(
        |upload| matches!(upload.ended, Ended::Completed { at, .. } if at + REMEMBERED < before.now),
    )
}

/// Whether what was told is the model's answer.
pub(super) fn agree(before: &Model, op: &Op, answer: &Answer, told: &Told) -> Result<(), String> {
    let same = match (answer, told) {
        (_, Told::Lost) => matches!(op, Op::Broken { .. }),
        // To S3 a version that is not there is gone.
        (Answer::Refused(_), Told::Done(_)) => {
            matches!(op, Op::RemoveVersion { at, .. } if before.buckets.contains_key(&at.bucket))
                // Nor is it an error in this region to make one's own bucket again.
                || matches!(op, Op::MakeBucket { .. })
        }
        (Answer::Partly, Told::Refused(status)) => matches!(status, 207 | 409),
        // Whoever breaks off is told something or nothing.
        (Answer::Refused(_), Told::Refused(_)) if matches!(op, Op::Broken { .. }) => true,
        (Answer::Refused(reasons), Told::Refused(status)) => {
            reasons.iter().any(|why| statuses(*why).contains(status))
        }
        (_, Told::Done(did)) => done(answer) == Some(did),
        (Answer::Done(_), Told::Refused(status)) => *status == 404 && forgotten(before, op),
    };
    let told = match told {
        Told::Done(did) => format!("{did:?}"),
        Told::Refused(status) => status.to_string(),
        Told::Lost => "no answer".into(),
    };
    if same { Ok(()) } else { Err(format!("the model says {answer:?}, the doors {told}")) }
}

impl Run {
    pub(super) async fn act(&self, op: &Op) -> Told {
        match op {
            Op::Put { at, body, only, .. } => self.put(at, *body, *only).await,
            Op::Broken { at, body, .. } => self.broken(at, *body).await,
            Op::Read { at, which, range } => self.read(at, *which, *range).await,
            Op::Remove { at, only, .. } => {
                let reply = self.send(self.conditional("DELETE", at, *only)).await;
                let existed = self.model.tag(at).is_some() || at.path;
                let marker = |reply: &Reply| !at.path && reply.header("x-amz-delete-marker") == Some("true");
                told(reply, |reply| Did { existed, marker: marker(reply), ..Did::default() })
            }
            Op::RemoveVersion { at, which, .. } => self.remove_version(at, *which).await,
            Op::Transfer { from, to, how, .. } => self.transfer(from, to, *how).await,
            Op::Mkcol { at, .. } => {
                let reply = self.dav(Ask::new("MKCOL", &target(at))).await;
                told(reply, |_| Did { created: true, ..Did::default() })
            }
            Op::Prop { at, name, value, .. } => self.prop(at, *name, *value).await,
            Op::Begin { .. } | Op::Part { .. } | Op::Complete { .. } | Op::Abort { .. } => {
                self.upload(op).await
            }
            Op::Pages { bucket, .. } => {
                told(self.s3(Ask::new("GET", &format!("/{bucket}?list-type=2&max-keys=1"))).await, nothing)
            }
            _ => self.settings(op).await,
        }
    }

    /// Through the door of the place.
    async fn send(&self, (path, ask): (bool, Ask)) -> Option<Reply> {
        if path { self.dav(ask).await } else { self.s3(ask).await }
    }

    fn conditional(&self, method: &str, at: &At, only: Only) -> (bool, Ask) {
        let ask = Ask::new(method, &target(at));
        let there = self.model.tag(at).map(|tag| format!("\"{tag}\""));
        let ask = match only {
            Only::Any => ask,
            Only::Absent => ask.with("if-none-match", "*"),
            Only::Same => ask.with("if-match", there.as_deref().unwrap_or("*")),
            Only::Other => ask.with("if-match", "\"other\""),
        };
        (at.path, ask)
    }

    async fn put(&self, at: &At, body: Body, only: Only) -> Told {
        let (path, ask) = self.conditional("PUT", at, only);
        let created = self.model.tag(at).is_none();
        let reply = self.send((path, ask.body(self.model.bytes(body)))).await;
        told(reply, |reply| Did {
            created: if path { reply.status == 201 } else { created },
            ..Did::default()
        })
    }

    /// The client goes away in the middle of a body.
    async fn broken(&self, at: &At, body: Body) -> Told {
        let (path, ask) = self.conditional("PUT", at, Only::Any);
        let ask = self.dressed(path, ask.body(self.model.bytes(body)));
        let mut raw = Raw::connect(self.address()).await;
        let half = &ask.body[..ask.body.len() / 2];
        let sent = async {
            raw.stream.write_all(ask.head().as_bytes()).await?;
            raw.stream.write_all(half).await?;
            raw.stream.shutdown().await
        };
        // A refusal may come before all of it is taken.
        let _ = sent.await;
        match crate::common::wire::parse(&raw.rest().await) {
            Some(reply) if reply.status < 300 => Told::Done(Did::default()),
            Some(reply) => Told::Refused(reply.status),
            None => Told::Lost,
        }
    }

    /// A range, or all of it; what comes is held against the model at once.
    async fn read(&self, at: &At, which: Which, range: Option<(u32, u32)>) -> Told {
        let query = self.version(at, which).map(|id| format!("?versionId={id}")).unwrap_or_default();
        let mut ask = Ask::new("GET", &format!("{}{query}", target(at)));
        if let Some((from, length)) = range {
            ask = ask.with("range", &format!("bytes={from}-{}", from + length - 1));
        }
        let reply = self.send((at.path, ask)).await;
        let wanted = match self.model.clone().apply(&Op::Read { at: at.clone(), which, range }) {
            Answer::Done(did) => did.content,
            Answer::Partly | Answer::Refused(_) => None,
        };
        let Some(wanted) = wanted else {
            // What a folder answers to GET is a page for people.
            let folder = self.model.clone().apply(&Op::Read { at: at.clone(), which, range });
            return if done(&folder).is_some() { Told::Done(Did::default()) } else { told(reply, nothing) };
        };
        let all: Vec<u8> = wanted.pieces.iter().flat_map(|piece| self.model.bytes(*piece)).collect();
        let from = range.map_or(0, |(from, _)| from as usize);
        let end = range.map_or(all.len(), |(from, length)| (from as usize + length as usize).min(all.len()));
        match reply {
            Some(reply) if reply.status == 416 && from >= all.len() => {}
            Some(reply) if reply.status < 300 => {
                let tag = reply.header("etag").map(|tag| tag.trim_matches('"').to_owned());
                // A range of nothing is all of it.
                let right =
                    all.get(from..end) == Some(&reply.body[..]) || (all.is_empty() && reply.body.is_empty());
                if !right || tag.as_deref() != Some(&wanted.etag) {
                    return Told::Refused(reply.status);
                }
            }
            reply => return told(reply, nothing),
        }
        Told::Done(Did { content: Some(wanted), ..Did::default() })
    }

    /// What S3 calls a version; one that never was where the model knows none.
    fn version(&self, at: &At, which: Which) -> Option<String> {
        match which {
            Which::Latest => None,
            Which::Null => Some("null".into()),
            Which::Nth(_) => {
                let place = self.model.place(at, which);
                let serial = place.and_then(|place| self.model.serial_at(at, place));
                let id = serial.and_then(|serial| self.versions.get(&serial));
                Some(id.cloned().unwrap_or_else(|| NEVER.into()))
            }
        }
    }

    async fn remove_version(&self, at: &At, which: Which) -> Told {
        // Where nothing was ever versioned every version is the null one, and only that name is known.
        let never = self.model.buckets.get(&at.bucket).is_some_and(|bucket| bucket.state == State::Never);
        let id = self.version(at, which).filter(|id| !never || which == Which::Null || id == NEVER);
        let id = id.unwrap_or_else(|| NEVER.into());
        let reply = self.s3(Ask::new("DELETE", &format!("{}?versionId={id}", target(at)))).await;
        let (existed, marker) =
            match self.model.clone().apply(&Op::RemoveVersion { at: at.clone(), which, tokens: false }) {
                Answer::Done(did) => (did.existed, did.marker),
                Answer::Partly | Answer::Refused(_) => (false, false),
            };
        told(reply, |reply| {
            let shown = reply.header("x-amz-delete-marker") == Some("true");
            Did { existed, marker: if existed { shown } else { marker }, ..Did::default() }
        })
    }

    async fn transfer(&self, from: &At, to: &At, how: How) -> Told {
        if from.path {
            let ask = Ask::new(if how.moved { "MOVE" } else { "COPY" }, &target(from));
            let ask =
                ask.with("destination", &target(to)).with("overwrite", if how.overwrite { "T" } else { "F" });
            let ask = if how.shallow && !how.moved { ask.with("depth", "0") } else { ask };
            return told(self.dav(ask).await, |reply| Did { created: reply.status == 201, ..Did::default() });
        }
        let query = self.version(from, how.which).map(|id| format!("?versionId={id}")).unwrap_or_default();
        let mut ask =
            Ask::new("PUT", &target(to)).with("x-amz-copy-source", &format!("{}{query}", target(from)));
        if let Some(kind) = how.retype {
            let kind = ["text/plain", "image/png"][usize::from(kind)];
            ask = ask.with("x-amz-metadata-directive", "REPLACE").with("content-type", kind);
        }
        let created = self.model.tag(to).is_none();
        told(self.s3(ask).await, |_| Did { created, ..Did::default() })
    }

    async fn prop(&self, at: &At, name: u8, value: Option<u8>) -> Told {
        let step = match value {
            Some(value) => format!("<D:set><D:prop><M:p{name}>{value}</M:p{name}></D:prop></D:set>"),
            None => format!("<D:remove><D:prop><M:p{name}/></D:prop></D:remove>"),
        };
        let body =
            format!("<D:propertyupdate xmlns:D=\"DAV:\" xmlns:M=\"urn:model\">{step}</D:propertyupdate>");
        told(self.dav(Ask::new("PROPPATCH", &target(at)).body(body)).await, nothing)
    }

    async fn upload(&self, op: &Op) -> Told {
        if let Op::Begin { at } = op {
            return told(self.s3(Ask::new("POST", &format!("{}?uploads", target(at)))).await, nothing);
        }
        let (Op::Part { upload, .. } | Op::Complete { upload, .. } | Op::Abort { upload }) = op else {
            return Told::Lost;
        };
        let index = self.model.upload(*upload);
        let found = index.and_then(|index| self.model.uploads.get(index));
        let id = index.and_then(|index| self.uploads.get(&index)).cloned().unwrap_or_else(|| "f".repeat(16));
        let at = found.map_or_else(|| "/plain/a".into(), |upload| target(&upload.at));
        match op {
            Op::Part { number, body, .. } => {
                let ask = Ask::new("PUT", &format!("{at}?partNumber={number}&uploadId={id}"));
                told(self.s3(ask.body(self.model.bytes(*body))).await, nothing)
            }
            Op::Complete { listed: how, .. } => {
                let parts = found.map(|upload| listed(upload, *how)).unwrap_or_default();
                let part = |(number, body): &(u32, Body)| {
                    let tag = self.model.etag(*body);
                    format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{tag}\"</ETag></Part>")
                };
                // A list of no parts is no document.
                let parts: String =
                    parts.iter().chain(&[NO_PART][..usize::from(parts.is_empty())]).map(part).collect();
                let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
                let mut after = self.model.clone();
                let created = done(&after.apply(op)).is_some_and(|did| did.created);
                let reply = self.s3(Ask::new("POST", &format!("{at}?uploadId={id}")).body(body)).await;
                // An answer that began well may still tell of a failure.
                match reply {
                    Some(reply) if reply.status < 300 && element(reply.text(), "Code").is_some() => {
                        Told::Lost
                    }
                    reply => told(reply, |_| Did { created, ..Did::default() }),
                }
            }
            _ => told(self.s3(Ask::new("DELETE", &format!("{at}?uploadId={id}"))).await, nothing),
        }
    }

    async fn settings(&self, op: &Op) -> Told {
        match op {
            Op::Version { bucket, to } => {
                let status = match to {
                    Versions::Enabled => "Enabled",
                    Versions::Suspended => "Suspended",
                };
                let body =
                    format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
                told(self.s3(Ask::new("PUT", &format!("/{bucket}?versioning")).body(body)).await, nothing)
            }
            Op::MakeBucket { bucket, .. } => {
                let reply = self.s3(Ask::new("PUT", &format!("/{bucket}"))).await;
                told(reply, |_| Did { created: true, ..Did::default() })
            }
            Op::DropBucket { bucket } => {
                told(self.s3(Ask::new("DELETE", &format!("/{bucket}"))).await, nothing)
            }
            _ => Told::Done(Did::default()),
        }
    }
}
