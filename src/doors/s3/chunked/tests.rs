//! AWS's printed example, every way a body can be wrong, and any way it can be cut.

use proptest::prelude::*;

use super::*;
use crate::doors::s3::sigv4::test_seed;

/// The example of AWS's documentation: 66,560 bytes of `a` in chunks of 64 KiB.
const EXAMPLE: [(usize, &str); 3] = [
    (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
];
const EXAMPLE_SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

fn example() -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in EXAMPLE {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        body.extend_from_slice(b"\r\n");
    }
    body
}

fn example_plan(length: u64) -> Plan {
    Plan { seed: Some(test_seed(EXAMPLE_SEED)), trailers: None, length }
}

/// A body signed here, chunk by chunk, with a trailer if there are any.
fn signed(chunks: &[&[u8]], trailers: Option<&[(&str, &str)]>) -> Vec<u8> {
    let seed = test_seed(EXAMPLE_SEED);
    let mut previous = seed.signature.clone();
    let mut body = Vec::new();
    let end: &[u8] = b"";
    for chunk in chunks.iter().chain([&end]) {
        let hash = crate::doors::s3::sigv4::hex_sha256(chunk);
        let empty = crate::doors::s3::sigv4::EMPTY_SHA256;
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{previous}\n{empty}\n{hash}", seed.lines);
        previous = seed.key.sign(&text).unwrap();
        body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        if !chunk.is_empty() {
            body.extend_from_slice(b"\r\n");
        }
    }
    if let Some(trailers) = trailers {
        let lines: String = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let hash = crate::doors::s3::sigv4::hex_sha256(lines.as_bytes());
        let signature =
            seed.key.sign(&format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{previous}\n{hash}", seed.lines));
        for (name, value) in trailers {
            body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        }
        body.extend_from_slice(format!("x-amz-trailer-signature:{}\r\n", signature.unwrap()).as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}

type Outcome = Result<(Vec<u8>, Vec<(String, String)>), Code>;

/// Feeds `body` in pieces of these sizes, over and over.
fn decode(plan: Plan, body: &[u8], sizes: &[usize]) -> Outcome {
    let mut decoder = Decoder::new(plan);
    let (mut content, mut rest) = (Vec::new(), Bytes::copy_from_slice(body));
    for size in sizes.iter().cycle() {
        let mut piece = rest.split_to((*size).clamp(1, rest.len().max(1)).min(rest.len()));
        while let Some(bytes) = decoder.next(&mut piece).map_err(|refusal| refusal.code)? {
            content.extend_from_slice(&bytes);
        }
        if rest.is_empty() {
            break;
        }
    }
    let trailers = decoder.finish().map_err(|refusal| refusal.code)?;
    Ok((content, trailers))
}

fn unsigned_plan(length: u64, trailers: &[&str]) -> Plan {
    let trailers = trailers.iter().map(|name| (*name).to_owned()).collect();
    Plan { seed: None, trailers: Some(trailers), length }
}

fn signed_plan(length: u64, trailers: Option<&[&str]>) -> Plan {
    let trailers = trailers.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Plan { seed: Some(test_seed(EXAMPLE_SEED)), trailers, length }
}

const CRC: &str = "x-amz-checksum-crc32";

#[test]
fn the_documented_example_is_decoded() {
    let (content, trailers) = decode(example_plan(66_560), &example(), &[usize::MAX]).unwrap();
    assert_eq!(content.len(), 66_560);
    assert!(content.iter().all(|byte| *byte == b'a') && trailers.is_empty());
}

#[test]
fn one_changed_byte_or_signature_fails_the_body() {
    for at in [100, 65_700, 66_600] {
        let mut body = example();
        body[at] ^= 1;
        assert!(decode(example_plan(66_560), &body, &[4096]).is_err(), "{at}");
    }
    let mut body = example();
    body[1000] = b'b';
    assert_eq!(decode(example_plan(66_560), &body, &[4096]), Err(Code::SignatureDoesNotMatch));
}

#[test]
fn a_body_that_ends_early_or_has_another_length_is_incomplete() {
    let body = example();
    for end in [0, 1, 50, 5000, 65_700, body.len() - 90] {
        assert_eq!(decode(example_plan(66_560), &body[..end], &[777]), Err(Code::IncompleteBody), "{end}");
    }
    assert_eq!(decode(example_plan(66_559), &body, &[777]), Err(Code::IncompleteBody));
    assert_eq!(decode(example_plan(66_561), &body, &[777]), Err(Code::IncompleteBody));
    let endless = b"5\r\nhello\r\n";
    assert_eq!(decode(unsigned_plan(5, &[]), endless, &[64]), Err(Code::IncompleteBody));
}

#[test]
fn signed_chunks_but_the_last_have_8192_bytes() {
    let (big, small) = (vec![b'x'; 8192], vec![b'y'; 8191]);
    let good = signed(&[&big, &small], None);
    assert!(decode(signed_plan(16_383, None), &good, &[1000]).is_ok());
    let bad = signed(&[&small, &big], None);
    assert_eq!(decode(signed_plan(16_383, None), &bad, &[1000]), Err(Code::InvalidChunkSizeError));
}

#[test]
fn trailers_are_found_unsigned_and_signed() {
    let expected = Ok((b"hello".to_vec(), vec![(CRC.to_owned(), "NhCmhg==".to_owned())]));
    let unsigned = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    assert_eq!(decode(unsigned_plan(5, &[CRC]), unsigned, &[3]), expected);
    let other_ends = b"5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32: NhCmhg==\n\r\n\r\n";
    assert_eq!(decode(unsigned_plan(5, &[CRC]), other_ends, &[3]), expected);
    let body = signed(&[b"hello"], Some(&[(CRC, "NhCmhg==")]));
    assert_eq!(decode(signed_plan(5, Some(&[CRC])), &body, &[3]), expected);
}

#[test]
fn trailers_missing_unknown_doubled_or_forged_are_refused() {
    let malformed = Err(Code::MalformedTrailerError);
    for (body, announced) in [
        ("5\r\nhello\r\n0\r\n\r\n", &[CRC] as &[&str]),
        ("5\r\nhello\r\n0\r\n", &[CRC]),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-sha1:x\r\n\r\n", &[CRC]),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:x\r\n\r\n", &[]),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:x\r\nx-amz-checksum-crc32:x\r\n\r\n", &[CRC]),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", &[CRC]),
        ("5\r\nhello\r\n0\r\nx-amz-trailer-signature:x\r\n\r\n", &[CRC]),
    ] {
        assert_eq!(decode(unsigned_plan(5, announced), body.as_bytes(), &[7]), malformed, "{body:?}");
    }
    let body = String::from_utf8(signed(&[b"hello"], Some(&[(CRC, "NhCmhg==")]))).unwrap();
    let forged = body.replace("NhCmhg==", "AAAAAA==");
    let plan = || signed_plan(5, Some(&[CRC]));
    assert_eq!(decode(plan(), forged.as_bytes(), &[9]), Err(Code::SignatureDoesNotMatch));
    let (unsigned, _) = body.split_once("x-amz-trailer-signature").unwrap();
    assert_eq!(decode(plan(), unsigned.as_bytes(), &[9]), malformed);
}

#[test]
fn heads_that_are_no_heads_are_refused() {
    for body in
        ["g\r\n", "\r\n", "-1\r\nx", "5 \r\nhello", "10000000000000000\r\n", "5;a=b\r\nhello", "+5\r\n"]
    {
        assert!(decode(unsigned_plan(5, &[]), body.as_bytes(), &[2]).is_err(), "{body:?}");
    }
    let huge = "ffffffffffffffff\r\n";
    assert_eq!(decode(unsigned_plan(5, &[]), huge.as_bytes(), &[5]), Err(Code::IncompleteBody));
    let long = vec![b'0'; 100_000];
    assert_eq!(decode(unsigned_plan(5, &[]), &long, &[99]), Err(Code::InvalidRequest));
    let behind = b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1";
    assert_eq!(decode(unsigned_plan(5, &[]), behind, &[99]), Err(Code::InvalidRequest));
    let overlong = b"5\r\nhello!\r\n0\r\n\r\n";
    assert_eq!(decode(unsigned_plan(5, &[]), overlong, &[99]), Err(Code::InvalidRequest));
}

proptest! {
    #[test]
    fn any_cutting_of_the_input_gives_the_same_result(
        sizes in proptest::collection::vec(1usize..9000, 1..8),
        flip in proptest::option::of(0usize..17_000),
    ) {
        let (first, second) = (vec![b'x'; 8192], vec![b'y'; 5000]);
        let mut body = signed(&[&first, &second], Some(&[(CRC, "NhCmhg==")]));
        if let Some(byte) = flip.and_then(|at| body.get_mut(at)) {
            *byte ^= 0x20;
        }
        let plan = || signed_plan(13_192, Some(&[CRC]));
        prop_assert_eq!(decode(plan(), &body, &sizes), decode(plan(), &body, &[usize::MAX]));
    }

    #[test]
    fn garbage_never_panics(
        body in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b';'), any::<u8>()], 0..200),
        sizes in proptest::collection::vec(1usize..50, 1..4),
    ) {
        let _ = decode(unsigned_plan(5, &[CRC]), &body, &sizes).is_ok();
        let _ = decode(signed_plan(5, Some(&[CRC])), &body, &sizes).is_ok();
    }
}
