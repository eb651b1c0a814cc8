//! A directory as one compressed file: for each file its path, a line feed, its length as 8 bytes,
//! least first, and its bytes.

use super::{Io as _, Mode, SimDisk};
use crate::store::io::Site;

/// Of one process only.
const LOCK: &str = "LOCK";

fn add(disk: &SimDisk, folder: &str, into: &mut Vec<(String, Vec<u8>)>) {
    let mut names = disk.list(folder).unwrap();
    names.sort();
    for name in names.iter().filter(|name| *name != LOCK) {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let Ok(file) = disk.open(&path, Mode::Read) else {
            add(disk, &path, into);
            continue;
        };
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        into.push((path, bytes));
    }
}

/// Every file by its path.
pub(super) fn files(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    add(disk, "", &mut files);
    files
}

pub(super) fn packed(disk: &SimDisk) -> Vec<u8> {
    let mut whole = Vec::new();
    for (path, bytes) in files(disk) {
        whole.extend(format!("{path}\n").into_bytes());
        whole.extend((bytes.len() as u64).to_le_bytes());
        whole.extend(bytes);
    }
    zstd::bulk::compress(&whole, 19).unwrap()
}

pub(super) fn unpacked(archive: &[u8]) -> SimDisk {
    let whole = zstd::stream::decode_all(archive).unwrap();
    let (disk, mut rest) = (SimDisk::new(), whole.as_slice());
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let path = std::str::from_utf8(&rest[..end]).unwrap();
        let length = u64::from_le_bytes(rest[end + 1..end + 9].try_into().unwrap());
        let (bytes, behind) = rest[end + 9..].split_at(usize::try_from(length).unwrap());
        rest = behind;
        let folders: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
        if let Some(folder) = folders.last() {
            disk.create_dir(folder).unwrap();
        }
        let file = disk.open(path, Mode::Create).unwrap();
        // Zeros at the end need no room in memory.
        let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        file.write_at(&bytes[..used], 0).unwrap();
        file.set_len(length).unwrap();
        // It was written long ago: no power cut takes any of it.
        file.sync(Site::Meta).unwrap();
        for folder in folders.into_iter().chain([""]) {
            disk.sync_dir(folder, Site::RootDir).unwrap();
        }
    }
    disk
}
