//! COPY and MOVE where history belongs to the key: file by file.

use super::{Answer, Content, Did, Model, parent, transfer::Ends};

impl Model {
    /// A folder where history belongs to the key: one verb per file, each charged on its own.
    pub(super) fn each(&mut self, ends: &Ends<'_>, done: Did) -> Answer {
        let ((from, source), (to, name)) = (&ends.from, &ends.to);
        let (old, marker) = (format!("{source}/"), format!("{name}/"));
        let keys = self.buckets.get(*from).map(|bucket| bucket.below(source)).unwrap_or_default();
        if let Some(bucket) = self.buckets.get_mut(*to) {
            bucket.props.remove(&marker);
        }
        if self.buckets.get(*to).is_some_and(|bucket| bucket.file(&marker).is_none()) {
            self.add(to, &marker, Some(Content::nothing()), false);
        }
        self.tell(to, ("folder", &marker, None));
        if ends.file_there {
            self.take(to, name, true);
            self.tell(to, ("removed", name, None));
        }
        let there = self.buckets.get(*to).map(|bucket| bucket.below(name)).unwrap_or_default();
        for key in there.iter().filter(|_| ends.folder_there) {
            let tail = key.strip_prefix(&marker).unwrap_or_default();
            if !tail.is_empty() && !keys.contains(&format!("{old}{tail}")) {
                self.take(to, key, true);
                self.tell(to, ("removed", key, None));
                self.settle();
            }
        }
        let mut refused = false;
        for key in keys {
            refused |= !self.one(ends, &key, &key.replacen(&old, &marker, 1));
        }
        if ends.how.moved {
            self.keep_each(from, parent(source));
        }
        if refused { Answer::Partly } else { Answer::Done(done) }
    }

    /// One file of those; false if its destination's quota refuses it.
    fn one(&mut self, ends: &Ends<'_>, from: &str, to: &str) -> bool {
        let (before, kept) = (self.charge(ends.to.0), self.clone());
        let one = Ends { from: (ends.from.0, from.to_owned()), to: (ends.to.0, to.to_owned()), ..*ends };
        self.copy((one.from.0, from, 0), (one.to.0, to), ends.how);
        if ends.how.moved {
            self.take(one.from.0, from, false);
        }
        self.tell_transfer(&one, "");
        let fits = matches!(self.charged(ends.to.0, before, Did::default()), Answer::Done(_));
        if !fits {
            *self = kept;
        }
        fits
    }

    /// A file takes the place of a folder whose files have histories of their own.
    pub(super) fn file_over_each(&mut self, ends: &Ends<'_>) -> Answer {
        let ((from, source), (to, name)) = (&ends.from, &ends.to);
        let below = self.buckets.get(*to).map(|bucket| bucket.below(name)).unwrap_or_default();
        for key in below {
            self.take(to, &key, true);
            self.tell(to, ("removed", &key, None));
        }
        self.settle();
        let fits = self.one(ends, source, name);
        self.keep_each(to, parent(name));
        if ends.how.moved {
            self.keep_each(from, parent(source));
        }
        if fits { Answer::Done(Did::default()) } else { Answer::Partly }
    }
}
