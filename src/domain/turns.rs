//! One check at a time for the same password of the same account, so that many first requests at
//! once cost one. Each password that is being checked takes a place, however many wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

use super::{
    Error,
    places::{Place, Places},
};
use crate::model::{
    limits::{LOGINS_CHECKED, LOGINS_CHECKED_OF_PEER},
    peer::PeerNet,
};

type Digest = [u8; 32];

/// Who waits for the check of one password.
#[derive(Debug)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    _place: Place,
}

/// The passwords that are being checked.
#[derive(Debug)]
pub(super) struct Turns {
    lines: Mutex<HashMap<Digest, Weak<Line>>>,
    places: Places,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turn {
    _mine: OwnedMutexGuard<()>,
    _line: Arc<Line>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { lines: Mutex::default(), places: Places::new(LOGINS_CHECKED, LOGINS_CHECKED_OF_PEER) }
    }

    /// Waits for its turn among checks of the same digest.
    ///
    /// # Errors
    /// Busy when too many passwords are being checked, all in all or for this peer.
    pub(super) async fn wait(&self, digest: &Digest, peer: Option<PeerNet>) -> Result<Turn, Error> {
        let line = self.line(digest, peer)?;
        let mine = Arc::clone(&line.turn).lock_owned().await;
        Ok(Turn { _mine: mine, _line: line })
    }

    fn line(&self, digest: &Digest, peer: Option<PeerNet>) -> Result<Arc<Line>, Error> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(digest).and_then(Weak::upgrade) {
            return Ok(line);
        }
        let busy = || Error::Busy("too many passwords are being checked".into());
        let place = self.places.take(peer).ok_or_else(busy)?;
        if lines.len() >= 2 * LOGINS_CHECKED {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let line = Arc::new(Line { turn: Arc::default(), _place: place });
        lines.insert(*digest, Arc::downgrade(&line));
        Ok(line)
    }
}
