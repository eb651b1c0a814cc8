//! Whether what is to be left free suits the disk: a server that cannot take anything should say
//! which setting keeps it from it, before somebody wonders.

use std::path::Path;

use super::{failure::Failure, reach};
use crate::{config::Settings, model::size::shown};

/// Room on a disk, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room {
    pub(super) free: u64,
    pub(super) total: u64,
    /// What the reserve has already.
    pub(super) reserved: u64,
}

/// The disk that the data is on, or will be; `None` if it cannot be told.
pub(super) fn of(data: &Path) -> Option<Room> {
    let there = data.ancestors().find(|path| path.exists()).filter(|path| !path.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(there.unwrap_or(Path::new("."))).ok()?;
    let reserved = std::fs::metadata(data.join("reserve")).map_or(0, |found| found.len());
    Some(Room { free: disk.f_bavail * disk.f_frsize, total: disk.f_blocks * disk.f_frsize, reserved })
}

/// Refuses settings that no disk of this size can meet, and warns of those that it does not meet
/// at the moment.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let Some(room) = of(&settings.data) else { return Ok(()) };
    match judge(settings, room) {
        Verdict::Fits => Ok(()),
        Verdict::Short(why) => {
            tracing::warn!("{why}");
            Ok(())
        }
        Verdict::Never(why) => Err(Failure::Usage(why)),
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    Fits,
    Short(String),
    Never(String),
}

fn judge(settings: &Settings, room: Room) -> Verdict {
    let asked = [("disk.reserve", settings.disk_reserve), ("disk.full_below", settings.disk_full_below)];
    for (name, bytes) in asked {
        if let Some(bytes) = bytes.filter(|bytes| *bytes >= room.total) {
            let (bytes, total) = (shown(bytes), shown(room.total));
            return Verdict::Never(format!(
                "{name} is {bytes}, and the whole disk has {total}; set less, or auto"
            ));
        }
    }
    let options = reach::room(settings);
    let (reserve, below) = (options.reserve(room.total), options.full_below(room.total));
    let wanted = reserve.saturating_sub(room.reserved).saturating_add(below);
    if room.free >= wanted {
        return Verdict::Fits;
    }
    let (free, reserve, below) = (shown(room.free), shown(reserve), shown(below));
    Verdict::Short(format!(
        "no new files are taken: {free} are free, and {reserve} are to be put by (disk.reserve) and {below} to \
         be left free (disk.full_below)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Given, Settings};

    fn settings(reserve: &str) -> Settings {
        let flags = vec![("disk.reserve", reserve.to_owned())];
        // There is no configuration in it.
        let folder = Path::new("/nowhere").to_owned();
        Settings::load(Given { file: None, flags, environment: Vec::new(), folder }).unwrap()
    }

    const GIB: u64 = 1 << 30;
    const ROOM: Room = Room { free: 50 * GIB, total: 100 * GIB, reserved: 0 };

    #[test]
    fn a_reserve_that_the_disk_can_never_hold_is_refused_by_name() {
        let Verdict::Never(why) = judge(&settings("100 TiB"), ROOM) else { panic!() };
        assert!(
            why.contains("disk.reserve") && why.contains("100.0 TiB") && why.contains("100.0 GiB"),
            "{why}"
        );
    }

    #[test]
    fn one_that_it_cannot_hold_now_is_warned_of_and_one_that_is_there_is_not() {
        let Verdict::Short(why) = judge(&settings("60 GiB"), ROOM) else { panic!() };
        assert!(why.contains("disk.reserve") && why.contains("60.0 GiB"), "{why}");
        assert_eq!(judge(&settings("60 GiB"), Room { reserved: 60 * GIB, ..ROOM }), Verdict::Fits);
        assert_eq!(judge(&settings("auto"), ROOM), Verdict::Fits);
    }
}
