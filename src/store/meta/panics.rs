//! What people read when the engine asserts. redb does not look at the checksum of a page as it
//! reads it and asserts where one contradicts itself: that is a damaged file, not a fault of the
//! program, and a place in redb's source tells nobody what to do. We catch such a panic, but where
//! redb asserts again in a destructor meanwhile, these are the last words of the process.

use std::{
    io::Write as _,
    panic::{self, Location, PanicHookInfo},
};

/// From now on a panic inside the engine is told as what it is; others as before.
pub fn tell_of_damage() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |told| {
        if !told.location().is_some_and(is_of_engine) {
            return before(told);
        }
        // Whoever cannot be told cannot be helped.
        let _ = writeln!(std::io::stderr().lock(), "{}", words(told));
    }));
}

fn is_of_engine(place: &Location<'_>) -> bool {
    place.file().split(['/', '\\']).any(|part| part == "redb" || part.starts_with("redb-"))
}

fn words(told: &PanicHookInfo<'_>) -> String {
    let why = told.payload_as_str().unwrap_or_default();
    let file = |place: &Location<'_>| place.file().rsplit('/').next().unwrap_or_default().to_owned();
    let place = told.location().map(|place| format!("{}:{}", file(place), place.line())).unwrap_or_default();
    format!(
        "the metadata file is damaged: a page in it contradicts itself ({why}, redb {place}). Stop the server, keep \
         a copy of the data directory as it is, then put a whole one back, or make the metadata anew with \
         `holdall rebuild`"
    )
}
