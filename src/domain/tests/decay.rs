//! A disk that loses bits, blocks and ends of segments, and puts blocks where they do not belong:
//! no wrong byte is served, one scrub finds all of it, and the list of files is exact.
//!
//! Each trial is a copy of one filled store with some faults in its segments. What can be read is
//! compared with what was written, version by version, and what cannot with what is told.

use std::collections::BTreeSet;

use super::*;
use crate::{
    domain::{
        Hit, HitKind, Portion,
        check::page,
        nouns::{
            BucketChange, BucketOptions, ClaimedPart, CompleteOptions, HistoryPolicy, NewUpload, Versioning,
        },
    },
    model::ids::{ManifestId, VersionId},
    proof::{self, Dice},
    store::{
        Store,
        meta::{
            Snapshot,
            codec::Row as _,
            rows::{KeyRange, Order, Rows as _},
            table::Table,
        },
        rows::{bucket::BucketRow, upload::PartRow, version::VersionRow},
    },
};

const NOTHING: &[&str] = &[];

pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// A body: noise, text that is compressed, or both, small and large.
fn body(number: u64) -> Vec<u8> {
    match number % 4 {
        0 => noise(number, 100 + 37 * number as usize),
        1 => format!("line {number} of many\n").repeat(20 + number as usize).into_bytes(),
        2 => noise(number, 90_000 + 1000 * number as usize),
        _ => [noise(number, 30_000), b"holdall ".repeat(5_000), noise(number + 1, 40_000)].concat(),
    }
}

pub(super) async fn write(trial: &Trial, who: &Caller, at: &Address, bytes: Vec<u8>) {
    let mut put = trial.holdall.begin_put(who, at, Expected::default()).await.unwrap();
    put.write(bytes.into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();
}

async fn part(
    trial: &Trial,
    who: &Caller,
    at: &Address,
    id: &str,
    number: u32,
    bytes: Vec<u8>,
) -> ClaimedPart {
    let mut put = trial.holdall.begin_part(who, at, id, number, Expected::default()).await.unwrap();
    put.write(bytes.into()).await.unwrap();
    let etag = put.commit(Default::default()).await.unwrap().etag;
    ClaimedPart { number, etag, checksums: Vec::new() }
}

/// Everything that can hold bytes: files, versions of both kinds, both kinds of trash, copies,
/// an object of parts, parts that wait, and what was deleted for good.
async fn filled() -> Trial {
    let trial = Trial::new().await;
    let holdall = &trial.holdall;
    let (ada, bob) = (&trial.caller("ada").await, &trial.caller("bob").await);
    for (name, who, days) in [("kept", ada, 0), ("plain", bob, 0)] {
        let history = if days == 0 { HistoryPolicy::Off } else { HistoryPolicy::Days(days) };
        let options = BucketOptions { history, ..BucketOptions::default() };
        holdall.create_bucket(who, &bucket(name), options).await.unwrap();
    }
    let change = BucketChange { versioning: Some(Versioning::Enabled), ..BucketChange::default() };
    holdall.change_bucket(ada, &bucket("kept"), change).await.unwrap();
    for number in 0..12 {
        write(&trial, ada, &key("ada", &format!("d{}/f{number}", number % 3)), body(number)).await;
        write(&trial, bob, &key("plain", &format!("g/{number}")), body(number + 40)).await;
    }
    // The same content again, as another account's it is stored twice; history; S3's versions.
    for number in 0..4 {
        write(&trial, ada, &key("kept", &format!("k/{number}")), body(number + 2)).await;
        write(&trial, ada, &key("kept", &format!("k/{number}")), body(number + 80)).await;
        write(&trial, bob, &key("bob", &format!("same {number}")), body(number)).await;
        write(&trial, ada, &key("ada", &format!("d0/f{}", number * 3)), body(number + 90)).await;
    }
    trial.transfer((ada, Transfer::Copy), &key("ada", "d1/f10"), &key("ada", "copy"), NOTHING).await.unwrap();
    trial.remove(ada, &key("kept", "k/1"), NOTHING).await.unwrap();
    trial.remove(ada, &path("ada", "d2"), NOTHING).await.unwrap();
    trial.remove(ada, &key("ada", "d1/f7"), NOTHING).await.unwrap();
    trial.remove(bob, &key("plain", "g/2"), NOTHING).await.unwrap();
    let at = key("kept", "parts");
    let id = holdall.begin_upload(ada, &at, NewUpload::default()).await.unwrap().id;
    let mut parts = Vec::new();
    for (number, bytes) in (1..).zip(of_parts()) {
        parts.push(part(&trial, ada, &at, &id, number, bytes).await);
    }
    let how = CompleteOptions { parts, ..CompleteOptions::default() };
    holdall.complete_upload(ada, &at, &id, how).await.unwrap();
    let at = key("ada", "waits");
    let id = holdall.begin_upload(ada, &at, NewUpload::default()).await.unwrap().id;
    for number in [1, 4] {
        part(&trial, ada, &at, &id, number, body(u64::from(number) + 70)).await;
    }
    holdall.work_off(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    trial
}

/// The parts of the one object that was sent so.
fn of_parts() -> [Vec<u8>; 2] {
    [noise(501, 5 << 20), noise(502, 100_000)]
}

/// A version, or a part of the one open upload, as its row names it: in which bucket, and which.
type Named = (String, Option<VersionId>, Option<u64>);

/// Everything that refers to bytes, with its bytes, or none where they cannot be read.
fn read_all(store: &Arc<Store>) -> Written {
    let rows = store.snapshot().unwrap();
    let scan = |table| rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, 10_000).unwrap();
    let versions = scan(Table::Versions).into_iter().filter_map(|(key, value)| {
        let (id, row) = (key[..8].to_vec(), VersionRow::decode(&value).unwrap());
        let bucket = BucketRow::decode(&rows.get(Table::Bucket, &id).unwrap().unwrap()).unwrap();
        row.manifest.map(|manifest| (manifest, (bucket.name.to_string(), Some(row.id), None)))
    });
    let parts = scan(Table::Part).into_iter().map(|(key, value)| {
        let number = u64::from_be_bytes(key[8..16].try_into().unwrap());
        (PartRow::decode(&value).unwrap().manifest, ("ada".to_owned(), None, Some(number)))
    });
    let named: Vec<_> = versions.chain(parts).collect();
    drop(rows);
    named.into_iter().map(|(manifest, name)| (manifest, name, read(store, manifest))).collect()
}

/// The bytes of a body, or none if any of them cannot be read.
fn read(store: &Arc<Store>, manifest: ManifestId) -> Option<Vec<u8>> {
    let mut reader = store.reader(manifest).unwrap();
    let (mut bytes, mut whole) = (Vec::new(), true);
    while (bytes.len() as u64) < reader.size() {
        match reader.read(bytes.len() as u64, 1 << 20) {
            Ok(read) => bytes.extend_from_slice(&read),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    whole.then_some(bytes)
}

/// The segment files with their lengths.
pub(super) fn segments(disk: &SimDisk) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for hi in disk.list("segments").unwrap() {
        for name in disk.list(&format!("segments/{hi}")).unwrap() {
            let path = format!("segments/{hi}/{name}");
            let length = disk.open(&path, crate::store::io::Mode::Read).unwrap().len().unwrap();
            files.push((path, length));
        }
    }
    files.sort();
    files
}

fn block(disk: &SimDisk, path: &str, at: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    disk.open(path, crate::store::io::Mode::Read).unwrap().read_at(&mut bytes, at).unwrap();
    bytes
}

/// Does one thing to a segment that disks do.
fn fault(disk: &SimDisk, dice: &mut Dice) -> String {
    let files = segments(disk);
    // Where most of the bytes are, most faults are.
    let all: u64 = files.iter().map(|(_, length)| length).sum();
    let mut at = dice.roll(all);
    let (path, length) = files
        .iter()
        .find(|(_, length)| {
            let here = at < *length;
            at -= if here { 0 } else { *length };
            here
        })
        .unwrap();
    let sector = at / 512 * 512;
    let whole = length.saturating_sub(sector).min(512) as usize;
    match dice.roll(20) {
        0..8 => disk.damage(path, at, 1 << dice.roll(8)).unwrap(),
        8..11 => disk.overwrite(path, sector, &vec![0; whole]).unwrap(),
        11..14 => disk.overwrite(path, sector, &noise(dice.next(), whole)).unwrap(),
        14..16 => {
            // Two blocks of a file change places.
            let other = dice.roll(length / 512) * 512;
            let size = whole.min(length.saturating_sub(other).min(512) as usize);
            let (one, two) = (block(disk, path, sector, size), block(disk, path, other, size));
            disk.overwrite(path, sector, &two).unwrap();
            disk.overwrite(path, other, &one).unwrap();
        }
        16..18 => {
            // A block of one file is written to another.
            let (from, length) = &files[dice.roll(files.len() as u64) as usize];
            let bytes = block(disk, from, dice.roll(length / 512) * 512, 512.min(*length as usize));
            disk.overwrite(path, sector, &bytes).unwrap();
        }
        18 => disk.unreadable(path, sector..sector + 512).unwrap(),
        _ => {
            // Near the end, so that not all of it goes at once.
            let lost = dice.roll(200_000).min(*length);
            if dice.roll(2) == 0 {
                disk.cut_off(path, length - lost).unwrap();
            } else {
                disk.overwrite(path, length - lost, &vec![0; lost as usize]).unwrap();
            }
        }
    }
    format!("{path} {at}")
}

/// What a hit names.
fn named(hit: &Hit) -> Named {
    (hit.bucket.clone(), hit.version, hit.part)
}

/// What was written: what is read from an undamaged copy.
type Written = Vec<(ManifestId, Named, Option<Vec<u8>>)>;

async fn trial(
    (sound, written): (&SimDisk, &Written),
    seed: u64,
    faults: u64,
) -> Result<(usize, usize), String> {
    let mut dice = Dice(seed);
    let disk = sound.crash(seed);
    let told: Vec<String> = (0..faults).map(|_| fault(&disk, &mut dice)).collect();
    let holdall = by_hand(&disk);
    // The scrub comes first: nobody has read anything that it could have learnt from.
    let scrubbed = holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
    let hits = holdall.damaged_files(&Caller::Operator, None).await.unwrap();
    let (damage, _) = holdall.damage(&Caller::Operator, None).await.unwrap();
    let found = read_all(&holdall.store);
    let mut lost = BTreeSet::new();
    for ((manifest, name, before), (id, same, now)) in written.iter().zip(&found) {
        if (manifest, name) != (id, same) || (now.is_some() && now != before) {
            return Err(format!("{told:?}: other bytes of {name:?}"));
        }
        if now.is_none() {
            lost.insert(name.clone());
        }
    }
    let hit: BTreeSet<Named> = hits.hits.iter().map(named).collect();
    if hit != lost || hit.len() != hits.hits.len() {
        return Err(format!("{told:?}: lost {lost:?}, told {:?}", hits.hits));
    }
    if scrubbed.damaged != damage.len() as u64 {
        return Err(format!("{told:?}: {scrubbed:?} {damage:?}"));
    }
    let report = holdall.check(&Caller::Operator).await.unwrap();
    if report.counts.hits != lost.len() as u64
        || report.unfinished.is_some()
        || (!lost.is_empty() && report.is_clean())
    {
        return Err(format!("{told:?}: {report:?}"));
    }
    kept(&holdall, written, &lost).await.map_err(|why| format!("{told:?}: {why}"))?;
    Ok((damage.len(), lost.len()))
}

/// The collector drops nothing of it, and the same content makes all of it whole.
async fn kept(holdall: &Arc<Holdall>, written: &Written, lost: &BTreeSet<Named>) -> Result<(), String> {
    let _ = holdall.collect(&Caller::Operator, true).await;
    let after = read_all(&holdall.store);
    for ((_, name, before), (_, _, now)) in written.iter().zip(&after) {
        if now.is_some() == lost.contains(name) || (now.is_some() && now != before) {
            return Err(format!("{name:?} is not as it was before collecting"));
        }
    }
    for who in [1, 2, 3].map(crate::model::ids::AccountId) {
        let bodies = written.iter().filter(|(_, name, _)| lost.contains(name));
        let bodies = bodies.filter_map(|(.., body)| body.clone());
        for body in bodies.chain(of_parts()) {
            let options = crate::store::blobs::IngestOptions { domain: Some(who), ..Default::default() };
            let mut ingest = holdall.store.begin(&options).unwrap();
            ingest.write(&body).unwrap();
            let staged = Arc::new(ingest.finish().unwrap());
            let sealed = Arc::clone(&staged);
            holdall
                .store
                .apply::<_, crate::store::error::StoreError>(Some(staged), move |tx| {
                    let id = sealed.seal(tx)?;
                    crate::store::blobs::manifest::release(tx, id)
                })
                .unwrap();
        }
    }
    for ((_, name, before), (.., now)) in written.iter().zip(read_all(&holdall.store)) {
        if now != *before {
            return Err(format!("{name:?} was not healed"));
        }
    }
    let hits = holdall.damaged_files(&Caller::Operator, None).await.unwrap();
    if hits.hits.is_empty() { Ok(()) } else { Err(format!("still told: {:?}", hits.hits)) }
}

/// `HOLDALL_DECAY_SEED` replays one trial.
#[tokio::test]
async fn decay_is_found_told_exactly_and_never_served() {
    let filled = filled().await;
    let sound = filled.disk.crash(0);
    filled.holdall.close().unwrap();
    let written = read_all(&by_hand(&sound.crash(0)).store);
    assert!(written.iter().all(|(.., body)| body.is_some()) && written.len() > 40);
    let run = async |seed: u64| {
        let faults = 1 + Dice(seed ^ 1).roll(12);
        let done = trial((&sound, &written), seed, faults).await;
        let replay = format!("HOLDALL_DECAY_SEED={seed} cargo test --lib decay_is_found");
        (faults, done.unwrap_or_else(|why| panic!("{why}\n{replay}")))
    };
    if let Ok(seed) = std::env::var("HOLDALL_DECAY_SEED") {
        run(seed.parse().unwrap()).await;
        return;
    }
    let (mut seeds, wanted) = (Dice(proof::seed("decay")), proof::size(300, 10_000));
    let (mut faults, mut damaged, mut lost) = (0, 0, 0);
    while faults < wanted {
        let (some, (found, hit)) = run(seeds.next()).await;
        faults += some;
        damaged += found;
        lost += hit;
    }
    println!("{faults} faults, {damaged} chunks and segments damaged, {lost} versions and parts hit");
    assert!(damaged > 0 && lost > 0);
}

/// What is told of each kind of thing that holds bytes.
#[tokio::test]
async fn every_kind_of_version_is_told_where_it_is() {
    let filled = filled().await;
    for (path, length) in segments(&filled.disk) {
        // Not the first block: segments stay what they are.
        for at in (4096..length).step_by(512) {
            filled.disk.overwrite(&path, at, &[0xff; 512]).unwrap();
        }
    }
    filled.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
    let hits = filled.holdall.damaged_files(&Caller::Operator, None).await.unwrap();
    let told: BTreeSet<(HitKind, String)> = hits
        .hits
        .iter()
        .map(|hit| (hit.kind, format!("{}/{} {}", hit.bucket, hit.path, hit.owner)))
        .collect();
    for (kind, what) in [
        (HitKind::Current, "ada/d0/f0 ada"),
        (HitKind::Current, "ada/copy ada"),
        (HitKind::Current, "kept/parts ada"),
        (HitKind::Current, "plain/g/3 bob"),
        (HitKind::Version, "kept/k/0 ada"),
        (HitKind::Version, "kept/k/1 ada"),
        (HitKind::History, "ada/d0/f0 ada"),
        (HitKind::Trash, "ada/d2/f2 ada"),
        (HitKind::Trash, "ada/d1/f7 ada"),
        (HitKind::Part, "ada/waits ada"),
    ] {
        assert!(told.contains(&(kind, what.to_owned())), "{kind:?} {what}: {told:?}");
    }
    assert!(!told.iter().any(|(_, what)| what.starts_with("plain/g/2 ")), "nobody can read it any more");
    assert!(told.iter().all(|(kind, what)| *kind != HitKind::Current || *what != "kept/k/1 ada"));
    let parts: Vec<_> = hits.hits.iter().filter_map(|hit| hit.part).collect();
    assert_eq!(parts, [1, 4]);
    // Told in pages it is the same, whatever the size of a page.
    let rows = filled.holdall.store.snapshot().unwrap();
    for size in [(1, u64::MAX), (2, u64::MAX), (7, u64::MAX), (1000, 1), (1000, 60), (3, 25)] {
        assert!(paged(&rows, size, &mut |page| assert!(page <= size.0)) == hits.hits, "{size:?}");
    }
}

/// All pages of damaged files, so many in each at most, each after about so many rows.
fn paged(rows: &Snapshot, size: (usize, u64), met: &mut dyn FnMut(usize)) -> Vec<Hit> {
    let (mut all, mut from) = (Vec::new(), Default::default());
    loop {
        let page = page(rows, from, size).unwrap();
        met(page.hits.len());
        all.extend(page.hits);
        match page.next {
            Some(next) => from = crate::domain::HitCursor::parse(&next.to_string()).unwrap(),
            None => return all,
        }
    }
}

/// The story: what was told of a file that was removed between two pages was taken for what was told
/// of the next. Files were left out, or versions of others were told under its name.
#[tokio::test]
async fn a_file_that_goes_between_two_pages_takes_no_other_with_it() {
    for (order, again) in [([0, 1, 2], false), ([2, 1, 0], false), ([0, 1, 2], true), ([2, 1, 0], true)] {
        let trial = Trial::new().await;
        let ada = trial.caller("ada").await;
        let at = |number: u64| key("ada", &format!("f{number}"));
        for number in order {
            for version in [0, 10] {
                write(&trial, &ada, &at(number), noise(number + version, 2_000)).await;
            }
        }
        for (path, length) in segments(&trial.disk) {
            for at in (4096..length).step_by(512) {
                trial.disk.overwrite(&path, at, &[0xff; 512]).unwrap();
            }
        }
        trial.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
        let first =
            page(&trial.holdall.store.snapshot().unwrap(), Default::default(), (1, u64::MAX)).unwrap();
        assert_eq!(first.hits[0].path, "f0");
        trial.remove(&ada, &at(0), NOTHING).await.unwrap();
        if again {
            write(&trial, &ada, &at(0), noise(20, 2_000)).await;
        }
        let rows = trial.holdall.store.snapshot().unwrap();
        let whole = page(&rows, Default::default(), (1000, u64::MAX)).unwrap().hits;
        let rest = page(&rows, first.next.unwrap(), (1000, u64::MAX)).unwrap().hits;
        let told =
            |hits: &[Hit]| hits.iter().map(|hit| format!("{:?} {}", hit.kind, hit.path)).collect::<Vec<_>>();
        assert_eq!(whole.len(), 6, "{:?}", told(&whole));
        assert!(rest == whole, "{order:?} {again}: {:?}, not {:?}", told(&rest), told(&whole));
    }
}

/// The story: each page walked all rows of the store anew.
#[tokio::test]
async fn a_page_of_damaged_files_reads_as_few_rows_wherever_it_begins() {
    const FILES: u64 = 300;
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    for number in 0..FILES {
        write(&trial, &ada, &key("ada", &format!("f{number:03}")), noise(number, 2_000)).await;
    }
    for (path, length) in segments(&trial.disk) {
        for at in (4096..length).step_by(512) {
            trial.disk.overwrite(&path, at, &[0xff; 512]).unwrap();
        }
    }
    trial.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
    let rows = trial.holdall.store.snapshot().unwrap();
    for (size, most) in [((20, u64::MAX), 20 * 8), ((1000, 100), 100 + 8)] {
        let mut before = rows.rows_read();
        let all = paged(&rows, size, &mut |_| {
            let now = rows.rows_read();
            // Names are read some ahead, here at most all of them.
            assert!(now - before <= FILES + most, "{} rows", now - before);
            before = now;
        });
        assert_eq!(all.len() as u64, FILES);
    }
}
