//! Every limit of Holdall that is not tuned in `config.toml`, with the error it leads to.
//!
//! Two kinds of numbers are elsewhere, where they act. What one connection may take is in
//! `doors::gate::limits`: most of it is tuned or shortened by tests, and who passes it gets no error
//! of a door but HTTP's own. And how much is done at once (rows of a batch, entries of a cache,
//! bytes of a buffer) is a constant beside the loop it paces: no client can pass it.

use std::ops::RangeInclusive;

/// Bytes of an S3 key, after percent-decoding. Longer: `KeyTooLongError`, WebDAV 414.
pub const KEY_BYTES: usize = 1024;
/// Segments of a key or path. More: as for [`KEY_BYTES`].
pub const KEY_SEGMENTS: usize = 128;
/// Bytes of one path segment created through WebDAV. Longer: 414. S3 keys are bound by
/// [`KEY_BYTES`] alone.
pub const DAV_SEGMENT_BYTES: usize = 255;
/// Bytes of an account's display name. Longer: bad name.
pub const DISPLAY_NAME_BYTES: usize = 256;
/// Bytes of an e-mail address (RFC 5321, with its brackets off). Longer: invalid.
pub const EMAIL_BYTES: usize = 254;
/// Bytes of a password taken in. Longer: unauthenticated, or bad name when it is set.
pub const PASSWORD_BYTES: usize = 1024;
/// Characters a new account password must have at least.
pub const PASSWORD_MIN_CHARS: usize = 8;
/// Different passwords being checked at once. More: `SlowDown`, elsewhere 503, with Retry-After.
pub const LOGINS_CHECKED: usize = 64;
/// Of these for one peer, so that a stranger leaves places for others. More: as above.
pub const LOGINS_CHECKED_OF_PEER: usize = 16;
/// Logins held up at once because others under their name failed before. More: as above.
pub const LOGINS_HELD_UP: usize = 256;
/// Of these for one peer. More: as above.
pub const LOGINS_HELD_UP_OF_PEER: usize = 16;
/// Names and peers whose failed logins are remembered. More: those that failed least, and longest
/// ago, are forgotten.
pub const LOGIN_FAILURES: usize = 10_000;
/// Bytes of user metadata, names and values together. More: `MetadataTooLarge`.
pub const USER_METADATA_BYTES: usize = 2048;
/// Bytes of a stored Content-Type, Content-Encoding and the like, each. Longer:
/// `MetadataTooLarge`, WebDAV 413.
pub const HEADER_VALUE_BYTES: usize = 1024;
/// Size of one object, as in S3: 5 TiB. Larger: `EntityTooLarge`, WebDAV 413.
pub const OBJECT_BYTES: u64 = 5 << 40;
/// Size of one PUT or part through S3: 5 GiB. Larger: `EntityTooLarge`. WebDAV has only
/// [`OBJECT_BYTES`].
pub const S3_PUT_BYTES: u64 = 5 << 30;
/// Smallest part of a multipart upload but the last. Smaller: `EntityTooSmall` at Complete.
pub const PART_MIN_BYTES: u64 = 5 << 20;
/// Highest part number. Beyond: `InvalidArgument`.
pub const PARTS: u32 = 10_000;
/// Rows of one listing page. More are clamped.
pub const LIST_PAGE: usize = 1000;
/// Keys in one DeleteObjects. More: `MalformedXML`.
pub const DELETE_BATCH: usize = 1000;
/// Buckets of one account. More: `TooManyBuckets`.
pub const BUCKETS_PER_ACCOUNT: usize = 1000;
/// Access keys of one account, and app passwords of one account. More: too many.
pub const CREDENTIALS_PER_ACCOUNT: usize = 100;
/// Characters of an access key that somebody brings along. Else: invalid.
pub const ACCESS_KEY_CHARS: RangeInclusive<usize> = 3..=128;
/// Characters of its secret. Else: invalid.
pub const SECRET_KEY_CHARS: RangeInclusive<usize> = 8..=128;
/// Dead properties of one node. More: insufficient storage.
pub const PROPS_PER_NODE: usize = 256;
/// Bytes of one dead property. More: insufficient storage.
pub const PROP_BYTES: usize = 64 << 10;
/// Bytes of all dead properties of one node. More: insufficient storage.
pub const PROPS_BYTES: usize = 256 << 10;
/// Locks one account may hold; they are counted when one is taken. More: insufficient storage.
pub const LOCKS_PER_ACCOUNT: usize = 10_000;
/// Shared locks on one file or folder, all of which every write to it reads. More: insufficient
/// storage.
pub const LOCKS_PER_NODE: usize = 64;
/// Bytes of what the holder of a lock says about itself. More: too large.
pub const LOCK_OWNER_BYTES: usize = 4096;
/// Longest lock granted, seconds. Longer requests are cut.
pub const LOCK_SECONDS: u64 = 86_400;
/// Lock granted when none is asked for, seconds.
pub const LOCK_DEFAULT_SECONDS: u64 = 600;
/// Buckets one ListBuckets may ask for, as in S3. Else: `InvalidArgument`.
pub const S3_MAX_BUCKETS: i32 = 10_000;
/// Bytes of a line of a body in chunks: a chunk's head or a trailer. Longer: refused as malformed.
pub const S3_CHUNK_LINE_BYTES: usize = 1024;
/// Bytes of a signed chunk but the last, at least. Fewer: `InvalidChunkSizeError`.
pub const S3_CHUNK_MIN_BYTES: u64 = 8192;
/// Bytes of an XML body of S3. More: `MalformedXML`.
pub const S3_XML_BYTES: usize = 8 << 20;
/// Bytes of an XML body of WebDAV. More: 413.
pub const DAV_XML_BYTES: usize = 1 << 20;
/// A write that the quota refuses waits this long for what the owner removed to be released, seconds.
/// Longer: `SlowDown`, elsewhere 503, with Retry-After.
pub const QUOTA_WAIT_SECONDS: u64 = 30;
/// Least memory for requests (`limits.memory`), bytes: with less, a single upload or document could
/// never get its share. Less: the setting is refused.
pub const REQUEST_MEMORY_BYTES: u64 = 32 << 20;
/// A request waits this long for its share of the memory for requests (`limits.memory`), seconds.
/// Longer: `SlowDown`, elsewhere 503, with Retry-After.
pub const MEMORY_WAIT_SECONDS: u64 = 10;
/// One account's requests, and those of everybody without one together, take at most this part of
/// the memory for requests: half. More wait, as above, while the other half is others'.
pub const MEMORY_ACCOUNT_PART: u32 = 2;
/// What Retry-After says when a server that is busy sends a client away, seconds.
pub const RETRY_AFTER_SECONDS: u64 = 5;
/// Nested XML elements. More: `MalformedXML`, WebDAV 400.
pub const XML_DEPTH: usize = 32;
/// Attributes of one XML element. More: as for [`XML_DEPTH`].
pub const XML_ATTRIBUTES: usize = 256;
/// Elements of one WebDAV XML body, and their attributes. More: 400.
pub const DAV_XML_ELEMENTS: usize = 4096;
/// Properties one PROPFIND or PROPPATCH may name. More: 400.
pub const DAV_PROPS_ASKED: usize = 256;
/// Bytes of one XML name or namespace in a WebDAV body. Longer: 400.
pub const DAV_XML_NAME_BYTES: usize = 1024;
/// Bytes of a refused request's body that are read so that the client sees the refusal.
pub const DAV_DRAIN_BYTES: u64 = 256 << 10;
/// And milliseconds that it is waited for: who stalls may miss the refusal, and holds nothing up.
pub const DAV_DRAIN_MILLIS: u64 = 1000;
/// Seconds in which a document that is held whole has to be there. Slower: 400 `RequestTimeout`.
pub const DOCUMENT_SECONDS: u64 = 60;
/// Signed requests may be this old or this far ahead, seconds. Else `RequestTimeTooSkewed`.
pub const CLOCK_SKEW_SECONDS: i64 = 15 * 60;
/// Longest life of a presigned URL, seconds. Longer: `AuthorizationQueryParametersError`.
pub const PRESIGN_SECONDS: i64 = 7 * 24 * 3600;
/// Folder verbs under way file by file, of one account. More: busy.
pub const BATCHES_PER_ACCOUNT: usize = 16;
/// Folder verbs under way file by file, of everybody. More: busy.
pub const BATCHES: usize = 1000;
/// Files that the answer to a folder verb names as not done. More are only counted.
pub const BATCH_REFUSALS: usize = 100;
/// Rows one transaction may write; the transaction asserts it. Verbs that need more work in
/// batches.
pub const TX_ROWS: usize = 1000;
/// Versions of one file that people's history keeps. More: the oldest go.
pub const PEOPLE_VERSIONS: usize = 100;
/// Days that people's history and trash are kept where a bucket says no other number.
pub const HISTORY_DAYS: u32 = 30;
/// Days that a change stays in its bucket's journal. A sync client that was away for longer may
/// have to list the bucket again.
pub const JOURNAL_DAYS: i64 = 90;
/// Newest changes of a bucket that stay in its journal, however old they are.
pub const JOURNAL_ROWS: u64 = 1_000_000;
/// Parts that a scrub divides the store into (`--part N/T`). More: `bad_part`.
pub const SCRUB_PARTS: u32 = 1000;
/// Segments in one backup: 244 TiB, if they are full. Its list is held in memory whole, and is refused
/// when it is longer than so many can make it. More: the backup is refused before anything is copied.
pub const BACKUP_SEGMENTS: usize = 1_000_000;
/// Open files that connections leave to the store, whatever the system allows.
pub const STORE_FILES: u64 = 256;
/// Connections that are let in even where the system allows hardly more files than those.
pub const LEAST_CONNECTIONS: usize = 16;
