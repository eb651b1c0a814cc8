//! What the checksum of an upload is over, and what its parts are copied from.

use super::*;
use crate::{
    domain::{
        error::{BadSumType, Large},
        nouns::{ClaimedPart, CompleteOptions, CopyPart, Declared, Item, NewUpload},
    },
    model::checksum::ChecksumKind,
};

async fn begin(
    trial: &Trial,
    ada: &Caller,
    checksum: (ChecksumKind, Option<bool>),
) -> Result<crate::domain::nouns::Upload, Error> {
    let new = NewUpload { checksum: Some(checksum), ..NewUpload::default() };
    trial.holdall.begin_upload(ada, &key("ada", "u"), new).await
}

#[tokio::test]
async fn a_checksum_is_over_what_its_kind_can_be_over() {
    let (trial, ada) = Trial::with_files(&[]).await;
    for (kind, asked, begun) in [
        (ChecksumKind::Crc32, None, Ok(true)),
        (ChecksumKind::Crc32, Some(false), Ok(false)),
        (ChecksumKind::Crc32c, Some(true), Ok(true)),
        (ChecksumKind::Crc64Nvme, None, Ok(false)),
        (ChecksumKind::Crc64Nvme, Some(false), Ok(false)),
        (ChecksumKind::Crc64Nvme, Some(true), Err(BadSumType::NotOverParts(ChecksumKind::Crc64Nvme))),
        (ChecksumKind::Sha256, None, Ok(true)),
        (ChecksumKind::Sha1, Some(false), Err(BadSumType::OverPartsOnly(ChecksumKind::Sha1))),
        (ChecksumKind::Sha256, Some(false), Err(BadSumType::OverPartsOnly(ChecksumKind::Sha256))),
    ] {
        match (begin(&trial, &ada, (kind, asked)).await, begun) {
            (Ok(upload), Ok(over_parts)) => assert_eq!(upload.checksum, Some((kind, over_parts))),
            (Err(Error::BadSumType(why)), Err(expected)) => assert_eq!(why, expected),
            (answer, _) => panic!("{kind} {asked:?}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn an_upload_is_completed_with_the_checksum_it_was_begun_with() {
    let (trial, ada) = Trial::with_files(&[]).await;
    let at = key("ada", "u");
    for (over_parts, why) in [(true, BadSumType::BegunOverParts), (false, BadSumType::BegunOverWhole)] {
        let id = begin(&trial, &ada, (ChecksumKind::Crc32, Some(over_parts))).await.unwrap().id;
        let begun = trial.holdall.begin_part(&ada, &at, &id, 1, Expected::default()).await;
        let mut put = begun.unwrap();
        put.write("hello".into()).await.unwrap();
        let etag = put.commit(Declared::default()).await.unwrap().etag;
        let complete = |over_parts| {
            let parts = vec![ClaimedPart { number: 1, etag: etag.clone(), checksums: Vec::new() }];
            let how = CompleteOptions { parts, over_parts, ..CompleteOptions::default() };
            trial.holdall.complete_upload(&ada, &at, &id, how)
        };
        match complete(Some(!over_parts)).await {
            Err(Error::BadSumType(found)) => assert_eq!(found, why),
            other => panic!("{other:?}"),
        }
        let done = complete(Some(over_parts)).await.unwrap();
        assert_eq!(done.version.checksums.first().map(|sum| sum.parts.is_some()), Some(over_parts));
        // Done is done, whatever is asked when it is repeated.
        assert_eq!(complete(Some(!over_parts)).await.unwrap().version.id, done.version.id);
    }
}

/// The answer names the version whose bytes the part has, not the one that is there by then.
#[tokio::test]
async fn a_copied_part_is_of_the_version_it_names_and_no_larger_than_it_may_be() {
    let (trial, ada) = Trial::with_files(&["a"]).await;
    let (from, to) = (key("ada", "a"), key("ada", "u"));
    let id = trial.holdall.begin_upload(&ada, &to, NewUpload::default()).await.unwrap().id;
    let copy = |range, most_bytes| {
        let how = CopyPart { range, most_bytes, ..CopyPart::default() };
        trial.holdall.copy_part(&ada, (&to, &id, 1), &from, how)
    };
    let Item::File(file) = trial.holdall.stat(&ada, &from, None).await.unwrap() else { panic!() };
    let large = copy(None, Some(file.size - 1)).await;
    assert!(matches!(large, Err(Error::TooLarge { what: Large::Source, .. })), "{large:?}");
    assert!(matches!(copy(Some(1..file.size + 1), None).await, Err(Error::BadRange { .. })));
    let whole = copy(None, Some(file.size)).await.unwrap();
    assert_eq!((whole.part.size, &whole.source), (file.size, &file));
    let piece = copy(Some(1..file.size), Some(file.size - 1)).await.unwrap();
    assert_eq!((piece.part.size, &piece.source), (file.size - 1, &file));
}
