//! Bodies that are longer than one batch.

use super::*;
use crate::store::{
    blobs::verify::Recount,
    meta::{rows::Rows, table::Table},
};

const BODY: usize = 7 << 20;

fn manifests(store: &Store) -> usize {
    let rows = store.snapshot().unwrap();
    let all = super::super::meta::rows::KeyRange::prefix(Vec::new());
    rows.scan(Table::Manifest, &all, super::super::meta::rows::Order::Forward, 100).unwrap().len()
}

fn assert_given_up(recount: &Recount) {
    assert_eq!(recount.findings, []);
    assert_eq!(recount.manifests, 1);
    assert!(recount.queued > 0 && recount.queued == recount.chunks);
}

#[test]
fn a_long_body_is_committed_piece_by_piece_and_appears_at_once() {
    let store = open(&SimDisk::new());
    let bytes = noise("long", BODY);
    let staged = stage(&store, &bytes, &account(1));
    assert_eq!(manifests(&store), 1, "it is there, open");
    assert!(recount(&store, &[]).queued > 0);
    let id = seal(&store, staged).unwrap();
    assert!(get(&store, id).unwrap() == bytes);
    let recount = recount(&store, &[id]);
    assert_eq!(recount.findings, []);
    assert_eq!(recount.chunks, recount.referenced);
}

#[test]
fn an_upload_finds_what_a_longer_one_has_committed_so_far() {
    let store = open(&SimDisk::new());
    let bytes = noise("so far", BODY);
    let long = stage(&store, &bytes, &account(1));
    let short = put(&store, &bytes[..3 << 20]);
    drop(long);
    store.step_all();
    assert!(get(&store, short).unwrap() == bytes[..3 << 20]);
    let recount = recount(&store, &[short]);
    assert_eq!(recount.findings, []);
    assert!(recount.queued > 0);
}

#[test]
fn an_aborted_long_body_is_queued() {
    let store = open(&SimDisk::new());
    let mut ingest = store.begin(&account(1)).unwrap();
    ingest.write(&noise("abort", BODY)).unwrap();
    drop(ingest);
    store.step_all();
    assert_given_up(&recount(&store, &[]));
}

#[test]
fn a_staged_long_body_whose_verb_is_refused_is_queued() {
    let store = open(&SimDisk::new());
    let staged = stage(&store, &noise("refused", BODY), &account(1));
    let sealed = Arc::clone(&staged);
    let refused = store.apply(Some(staged), move |tx| {
        sealed.seal(tx)?;
        Err::<(), _>(StoreError::Refused("precondition failed".into()))
    });
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    store.step_all();
    assert_given_up(&recount(&store, &[]));
}

#[test]
fn a_long_body_that_a_crash_cut_off_is_queued_at_the_next_opening() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let mut ingest = store.begin(&account(1)).unwrap();
    ingest.write(&noise("cut", BODY)).unwrap();
    assert_eq!(manifests(&store), 1);
    let store = open(&disk.crash(1));
    assert_given_up(&recount(&store, &[]));
    drop(ingest);
}

#[test]
fn holes_and_repetitions_make_long_bodies_too() {
    let store = open(&SimDisk::new());
    let bytes = noise("rows", 1 << 20);
    let first = put(&store, &bytes);
    // Holes alone fill pages, hits alone fill counts.
    let holes = put(&store, &vec![0; 100 << 20]);
    let hits = put(&store, &bytes.repeat(3));
    assert_eq!(recount(&store, &[first, holes, hits]).findings, []);
    assert_eq!(manifest::size(&store.snapshot().unwrap(), holes).unwrap(), 100 << 20);
}
