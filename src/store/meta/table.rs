//! Every table of the metadata on one page: its name, its key, its value. In the file a sum follows
//! each value; see [`super::sums`].
//!
//! Numbers in keys are big-endian, so rows lie in order. A variable part that is not last is
//! escaped (see [`super::key`]). `!seq` is the seq with its bits turned, newest first. `?` marks
//! tables whose verbs come later; their keys are settled all the same.
//!
//! ```text
//! config        name                                   store-wide values: version, incarnation
//! blocks        kind                                   end of the id block that is in use
//! account       account                                Account
//! accountname   name, or e-mail in lower case           account id
//! accesskey     access key id                          AccessKey
//! accountkey    account, access key id                 –
//! apppassword   token hash                             AppPassword
//! accountapp    account, token id                      token hash
//! bucket        bucket                                 Bucket
//! bucketname    name                                   bucket id
//! bucketowner   account, name                          bucket id
//! node          node                                   Node: where it is
//! dent          bucket, parent, sortname               Dent: what a plain listing shows
//! dead          bucket, parent, sortname               Dent: newest version is a delete marker
//! litter ?      bucket, parent, sortname               Dent: files operating systems leave behind
//! alias         bucket, parent, NFC name, sortname     –
//! ctag          bucket, folder                         seq of the last change below
//! versions      bucket, history, class, !seq           Version
//! replaced      bucket, time, history, seq             –: when people's versions were replaced
//! vacated ?     bucket, parent, sortname               who left the name, and when
//! trash         bucket, seq                            TrashItem
//! upload        bucket, key, seq                       Upload
//! uploadid      upload                                 bucket, key, seq
//! part          upload, number                         Part
//! journal       bucket, seq                            Change
//! lock          bucket, node, token                    Lock
//! lockbelow     bucket, ancestor, token                node
//! lockowner     account, token                         bucket, node
//! prop          bucket, node, name                     the property's XML
//! grant         bucket, node, account                  Grant: a role
//! share ?       token hash                             share link
//! sharenode ?   bucket, node, token hash               –
//! usage         account, shard                         Usage
//! manifest      manifest                               Manifest
//! page          manifest, start offset                 refs of about 80 chunks or child manifests
//! chunk         chunk number                           Chunk: where it is, its digest and state
//! chunkrc       chunk number                           references, from the second on
//! chunkhash     domain, digest prefix                  chunk number (advisory)
//! segment       segment                                Segment
//! damage        kind, chunk or segment                 Damage: what is known not to be what was written
//! queue         kind, seq                              work for collector and jobs
//! batch         bucket, batch                          Batch: a folder verb that goes file by file
//! ```

macro_rules! tables {
    ($($variant:ident = $name:literal,)*) => {
        /// A table.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[expect(missing_docs, reason = "the module's head has them all on one page")]
        pub enum Table { $($variant,)* }

        impl Table {
            /// Every table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name on the disk.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

tables! {
    Config = "config",
    Blocks = "blocks",
    Account = "account",
    AccountName = "accountname",
    AccessKey = "accesskey",
    AccountKey = "accountkey",
    AppPassword = "apppassword",
    AccountApp = "accountapp",
    Bucket = "bucket",
    BucketName = "bucketname",
    BucketOwner = "bucketowner",
    Node = "node",
    Dent = "dent",
    Dead = "dead",
    Litter = "litter",
    Alias = "alias",
    Ctag = "ctag",
    Versions = "versions",
    Replaced = "replaced",
    Vacated = "vacated",
    Trash = "trash",
    Upload = "upload",
    UploadId = "uploadid",
    Part = "part",
    Journal = "journal",
    Lock = "lock",
    LockBelow = "lockbelow",
    LockOwner = "lockowner",
    Prop = "prop",
    Grant = "grant",
    Share = "share",
    ShareNode = "sharenode",
    Usage = "usage",
    Manifest = "manifest",
    Page = "page",
    Chunk = "chunk",
    ChunkRc = "chunkrc",
    ChunkHash = "chunkhash",
    Segment = "segment",
    Damage = "damage",
    Queue = "queue",
    Batch = "batch",
}
