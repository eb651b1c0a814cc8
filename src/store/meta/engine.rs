//! The one way rows are committed and read, above the tables of an engine: when a commit may
//! begin, what its failure means, and what has to be found again afterwards. Knows no engine but
//! by its name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    Keeper, MetaOptions,
    blocks::{Blocks, Kind},
    current::Current,
    health::{Latch, lock},
    migrate,
    on_disk::OnDisk,
    overlay::Changes,
    rows::Rows,
    snapshot::Snapshot,
    tables::{Ahead, Tables},
};
use crate::store::{
    error::StoreError,
    faults::Faults,
    io::Io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What must be found again after the database was closed and opened because of a failure.
#[derive(Default)]
struct Last {
    acknowledged: Arc<Changes>,
    uncertain: Arc<Changes>,
}

/// The open database.
pub(super) struct Engine {
    tables: Box<dyn Tables>,
    options: MetaOptions,
    writing: Mutex<()>,
    last: Mutex<Last>,
    latch: Arc<Latch>,
    faults: Faults,
    current: Current,
    blocks: Blocks,
    /// See [`Ahead::Tight`].
    tight: AtomicBool,
    commits: AtomicU64,
    rows_read: Arc<AtomicU64>,
}

impl Engine {
    /// Opens the database, makes it first if there is none, and brings its schema up to date.
    pub(super) fn open(io: Arc<dyn Io>, options: MetaOptions) -> Result<Self, StoreError> {
        let (latch, faults) = (Arc::<Latch>::default(), Faults::of(&*io));
        let tables: Box<dyn Tables> = match &options.keeper {
            Keeper::OnDisk => Box::new(OnDisk::open(io, options.clone(), Arc::clone(&latch))?),
            #[cfg(test)]
            Keeper::InMemory(rows) => Box::new(rows.open()),
        };
        let engine = Self {
            tables,
            options,
            writing: Mutex::new(()),
            last: Mutex::default(),
            latch,
            faults,
            current: Current::default(),
            blocks: Blocks::default(),
            tight: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            rows_read: Arc::default(),
        };
        migrate::bring_up(&engine, migrate::MIGRATIONS)?;
        engine.commit(Changes::default(), &Kind::ALL)?;
        Ok(engine)
    }

    /// Makes the tables that an earlier build did not know.
    pub(super) fn make_tables(&self) -> Result<(), StoreError> {
        self.tables.complete()
    }

    pub(super) fn options(&self) -> &MetaOptions {
        &self.options
    }

    pub(super) fn latch(&self) -> &Latch {
        &self.latch
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(super) fn rows_read(&self) -> u64 {
        self.rows_read.load(Ordering::Relaxed)
    }

    /// The length of the metadata file.
    pub(super) fn file_bytes(&self) -> u64 {
        self.tables.bytes()
    }

    /// The last committed state.
    pub(super) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::new(self.tables.read()?, Arc::clone(&self.rows_read)))
    }

    /// Runs `look` on the last committed state, opened for all until the next commit.
    pub(super) fn look<T>(&self, look: impl FnOnce(&dyn Rows) -> T) -> Result<T, StoreError> {
        Ok(look(&*self.current.get(|| self.snapshot())?))
    }

    /// The next id of a kind.
    pub(super) fn fresh(&self, kind: Kind) -> Result<u64, StoreError> {
        self.blocks.take(kind, || match self.take_room()? {
            Ahead::Plenty => self.commit(Changes::default(), &[kind]),
            Ahead::Tight => Err(StoreError::Full),
        })
    }

    /// Takes room for the next commit, from the reserve if need be.
    pub(super) fn take_room(&self) -> Result<Ahead, StoreError> {
        let plenty = match self.tables.ensure_room(Ahead::Plenty) {
            Err(StoreError::Full) if (self.options.make_room)() => self.tables.ensure_room(Ahead::Plenty),
            room => room,
        };
        let ahead = match plenty {
            Ok(()) => Ahead::Plenty,
            Err(StoreError::Full) => {
                self.tables.ensure_room(Ahead::Tight)?;
                Ahead::Tight
            }
            Err(error) => return Err(error),
        };
        self.tight.store(ahead == Ahead::Tight, Ordering::Relaxed);
        Ok(ahead)
    }

    /// Whether there was only [`Ahead::Tight`] when room was taken last.
    pub(super) fn is_tight(&self) -> bool {
        self.tight.load(Ordering::Relaxed)
    }

    /// Kinds whose block should grow with the next commit.
    pub(super) fn due(&self) -> Vec<Kind> {
        self.blocks.due()
    }

    /// Makes changes durable, and lengthens the blocks of some kinds. Whoever has other than small
    /// changes, or such that give no room back, asks [`Engine::take_room`] first. `Full` leaves
    /// everything as it was; any other error sets the latch, and whether the changes are durable is
    /// unknown.
    pub(super) fn commit(&self, changes: Changes, due: &[Kind]) -> Result<(), StoreError> {
        let _writing = lock(&self.writing);
        self.latch.check()?;
        self.take_room()?;
        let changes = Arc::new(changes);
        self.current.begin();
        // A panic inside redb must not take the committer with it; the state it leaves is unknown.
        let written =
            catch_unwind(AssertUnwindSafe(|| self.tables.write(&changes, due))).unwrap_or_else(|_| {
                self.latch.distrust();
                Err(StoreError::Unavailable("internal fault in a commit".into()))
            });
        self.current.end();
        match written {
            Ok(extensions) => {
                self.blocks.extend(&extensions);
                self.commits.fetch_add(1, Ordering::Relaxed);
                if !changes.is_empty() {
                    lock(&self.last).acknowledged = changes;
                }
                Ok(())
            }
            Err(error) => {
                self.latch.set(&error.to_string());
                if !changes.is_empty() {
                    lock(&self.last).uncertain = changes;
                }
                Err(StoreError::Unavailable(error.to_string()))
            }
        }
    }

    /// Closes the database and opens it again, after a failure. Everything acknowledged must be
    /// there; then the latch is released. Snapshots from before answer errors.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        {
            let _writing = lock(&self.writing);
            self.latch.set("the metadata is being opened again");
            self.tables.close();
            // What was uncertain is decided by opening it, and nobody looks at it before.
            self.current.forget();
            self.tables.reopen()?;
        }
        self.verify()?;
        self.latch.release();
        // A commit that changes nothing: proof that the disk takes writes and syncs again. Until
        // then what was uncertain is: another commit that fails does not decide it.
        self.commit(Changes::default(), &[])?;
        self.decide()
    }

    fn verify(&self) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        migrate::expect_current(&snapshot)?;
        self.blocks.verify(&snapshot)?;
        let last = lock(&self.last);
        for (table, rows) in last.acknowledged.tables() {
            for (key, value) in rows {
                let found = snapshot.get(table, key)?;
                let expected = found == *value;
                let replaced = last.uncertain.get(table, key) == Some(found.as_deref());
                if !expected && !replaced {
                    return Err(StoreError::Damaged("an acknowledged row is gone".into()));
                }
            }
        }
        Ok(())
    }

    /// Whether the commit of which nobody was told is there; it counts as acknowledged then.
    fn decide(&self) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        let mut last = lock(&self.last);
        let mut there = true;
        for (table, rows) in last.uncertain.tables() {
            for (key, value) in rows {
                there &= snapshot.get(table, key)? == *value;
            }
        }
        let uncertain = std::mem::take(&mut last.uncertain);
        if there {
            let mut acknowledged = (*last.acknowledged).clone();
            acknowledged.merge((*uncertain).clone());
            last.acknowledged = Arc::new(acknowledged);
        }
        Ok(())
    }
}
