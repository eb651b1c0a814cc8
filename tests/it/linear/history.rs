//! What was asked of one key and what came back, and what a key is allowed to do: it holds one
//! content or none, and each operation takes effect at one moment between its call and its answer.

/// A content, by number; [`NOTHING`] if the key is not there.
pub(crate) type Content = u32;
pub(crate) const NOTHING: Content = 0;

/// What a request demands of what it finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cond {
    /// Nothing.
    Any,
    /// `If-None-Match: *`, or `Overwrite: F`.
    Absent,
    /// `If-Match` with the tag of this content.
    Is(Content),
}

impl Cond {
    fn holds(self, state: Content) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => state == NOTHING,
            Self::Is(content) => state == content && state != NOTHING,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Read,
    Write(Content, Cond),
    /// `quiet`: that nothing is there is no error.
    Remove {
        cond: Cond,
        quiet: bool,
    },
    /// Moved away, to where it can be read what it was.
    Take(Cond),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Read(Content),
    Done,
    /// Done, and what was moved away.
    Took(Content),
    /// 412.
    Failed,
    /// 404.
    Absent,
    /// No answer that says whether it was done.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) key: usize,
    /// When it was sent, and when its answer came; if none came, when it was over at the latest.
    /// No two moments of a history are the same.
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) kind: Kind,
    pub(crate) answer: Answer,
    /// How it was asked, for people.
    pub(crate) how: &'static str,
}

impl Op {
    /// What the key holds afterwards if the operation takes effect now; `None` if it cannot have,
    /// with the answer it got.
    pub(crate) fn step(&self, state: Content) -> Option<Content> {
        let there = state != NOTHING;
        let (does, after) = match self.kind {
            Kind::Read => return (self.answer == Answer::Read(state)).then_some(state),
            Kind::Write(content, cond) => (cond.holds(state), content),
            Kind::Remove { cond, quiet } => (cond.holds(state) && (there || quiet), NOTHING),
            Kind::Take(cond) => (cond.holds(state) && there, NOTHING),
        };
        let fits = match self.answer {
            Answer::Done | Answer::Unknown => does,
            Answer::Took(content) => matches!(self.kind, Kind::Take(_)) && does && content == state,
            Answer::Failed => !does,
            Answer::Absent => !does && !there,
            Answer::Read(_) => false,
        };
        fits.then_some(if does { after } else { state })
    }
}
