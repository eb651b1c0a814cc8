//! What may stand on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Over what every command knows: without it these would stand between its own.
const EVERYWHERE: &str = "Options of every command";

/// One store, every door: your files once, over WebDAV and S3.
#[derive(Parser, Debug)]
#[command(name = "holdall", version)]
pub(super) struct Arguments {
    /// The data directory [default: ./holdall-data].
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub(super) data: Option<PathBuf>,
    /// The configuration file [default: ./config.toml if there is one].
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub(super) config: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run the server; the first start creates everything.
    Serve(Serve),
    /// Manage accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage access keys for S3.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Manage app passwords for WebDAV and programs.
    #[command(subcommand)]
    AppPassword(AppPasswordCommand),
    /// Manage buckets.
    #[command(subcommand)]
    Bucket(BucketCommand),
    /// The key that opens backups, shown by the first start.
    #[command(subcommand)]
    RecoveryKey(RecoveryKeyCommand),
    /// Recount all references, whether the server runs or not.
    Check,
    /// Read everything stored again and note what is damaged; the server also does so by itself.
    Scrub(Scrub),
    /// Give back the room of what was deleted; the server also does so by itself.
    Gc(Gc),
    /// Do what gc does, and move what is needed out of segments that hold much that is not.
    Compact,
    /// Make lost or damaged metadata anew, from its snapshots and the stored bytes; without a server.
    Rebuild(Rebuild),
    /// Write current files into a folder; again, and only what is not there is written.
    ///
    /// Files and folders are made readable for whoever runs it alone (0600 and 0700).
    Export(Export),
    /// Put a folder's files into a bucket; again, and only what is not there is written.
    Import(Import),
    /// Keep copies somewhere else, and restore them.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Look whether everything is as it should be.
    Doctor(Doctor),
    /// Show how to mount the files on each system, and how S3 clients reach them.
    MountHelp(MountHelp),
    /// Show settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Tell the version.
    Version,
}

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Where to listen [default: 127.0.0.1:7070].
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(super) enum UserCommand {
    /// Make an account and its first bucket.
    Add {
        /// 3 to 63 lower-case letters, digits, `-` and `.`.
        name: String,
        /// Where mail to this person goes; no two accounts have the same.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// How people know the account; any text.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        display_name: String,
        /// May manage accounts.
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input; else one is made and shown once.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List accounts.
    List,
    /// Show one account.
    Show {
        /// Its name.
        name: String,
    },
    /// Change an account's password.
    Passwd {
        /// Its name.
        name: String,
        /// Read the password from standard input; else one is made and shown once.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lock an account out.
    Disable {
        /// Its name.
        name: String,
    },
    /// Let it in again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Remove an account.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    /// Make an access key; its secret is shown once.
    Add {
        /// The account.
        name: String,
        /// The key, if it is not to be random.
        #[arg(long, requires = "secret_key", value_name = "ID")]
        access_key: Option<String>,
        /// Its secret; `-` reads it from standard input.
        #[arg(long, requires = "access_key", value_name = "S")]
        secret_key: Option<String>,
    },
    /// List an account's access keys.
    List {
        /// The account.
        name: String,
    },
    /// Remove an access key.
    Remove {
        /// The key.
        id: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum AppPasswordCommand {
    /// Make an app password; it is shown once.
    Add {
        /// The account.
        name: String,
        /// Tells people what it is for, such as `phone`.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        label: String,
        /// `read` for reading only, or a bucket's name for that bucket only; may be repeated.
        #[arg(long)]
        scope: Vec<String>,
        /// When it ends, such as 2030-01-31T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// List an account's app passwords.
    List {
        /// The account.
        name: String,
    },
    /// Remove an app password.
    Remove {
        /// The account.
        name: String,
        /// The app password's id.
        id: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum BucketCommand {
    /// List buckets.
    List,
    /// Make a bucket.
    Create {
        /// 3 to 63 lower-case letters, digits, `-` and `.`.
        name: String,
        /// The account it will belong to.
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// Days that replaced and deleted files are kept for people.
        #[arg(long, default_value_t = 0, value_name = "DAYS")]
        history: u32,
    },
    /// Show one bucket.
    Show {
        /// Its name.
        name: String,
    },
    /// Remove an empty bucket.
    Remove {
        /// Its name.
        name: String,
    },
    /// Change a bucket.
    Set {
        /// Its name.
        name: String,
        /// Versions for S3: `enabled` or `suspended`.
        #[arg(long, value_parser = ["enabled", "suspended"])]
        versioning: Option<String>,
        /// Days that replaced and deleted files are kept for people; 0 for not at all.
        #[arg(long, value_name = "DAYS")]
        history: Option<u32>,
        /// How much it may hold, such as 500MB, 1.5GiB or a number of bytes, or `none`.
        #[arg(long, value_name = "SIZE")]
        quota: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum RecoveryKeyCommand {
    /// Show that you kept it: it is asked for, or read from standard input.
    Confirm,
}

#[derive(Args, Debug)]
pub(super) struct Scrub {
    /// Only a part of the store, such as 2/7: 1/7 to 7/7 are everything; 1000 parts at most.
    #[arg(long, value_name = "N/T")]
    pub(super) part: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Gc {
    /// Only tell how much would be given back.
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum BackupCommand {
    /// Copy what is new since the last backup there, whether the server runs or not.
    Create {
        /// A folder on another disk; an empty one, or the one of earlier backups.
        dest: PathBuf,
        /// Remove all but the newest N backups there afterwards.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        keep: Option<u64>,
    },
    /// List the backups in a folder.
    List {
        /// The folder.
        dest: PathBuf,
    },
    /// Read everything of a backup and hold it against what was written.
    Verify {
        /// The folder.
        dest: PathBuf,
        /// The number of the backup [default: the newest].
        #[arg(long, value_name = "P")]
        point: Option<u64>,
    },
    /// Make a data directory from a backup; asks for the recovery key, or reads it from standard input.
    Restore {
        /// The folder.
        dest: PathBuf,
        /// The data directory to make.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// The number of the backup [default: the newest].
        #[arg(long, value_name = "P")]
        point: Option<u64>,
        /// Even if copies of segments are damaged: all else is restored, and files that lost something
        /// are named.
        #[arg(long)]
        damaged: bool,
    },
}

#[derive(Args, Debug)]
pub(super) struct Rebuild {
    /// Even if nothing is wrong.
    #[arg(long)]
    pub(super) force: bool,
    /// Where names cannot be read, take those of the newest snapshot; what was changed since is gone.
    #[arg(long)]
    pub(super) from_snapshot: bool,
}

#[derive(Args, Debug)]
pub(super) struct Export {
    /// BUCKET or BUCKET/PATH, as many as are wanted [default: every bucket], and the folder to write
    /// into, last.
    #[arg(required = true, value_name = "PATH… DEST", hide_default_value = true)]
    pub(super) paths: Vec<String>,
    /// Only this bucket.
    #[arg(long, value_name = "NAME")]
    pub(super) bucket: Option<String>,
    /// Only the buckets of this account.
    #[arg(long, value_name = "NAME", conflicts_with = "bucket")]
    pub(super) user: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Import {
    /// The folder. Symbolic links in it are not followed.
    pub(super) folder: PathBuf,
    /// BUCKET, or BUCKET/PATH to put the files below that.
    #[arg(long, value_name = "BUCKET")]
    pub(super) into: String,
    /// Do it as this account [default: the bucket's owner].
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,
    /// How names are read, where the folder does not tell [default: as an export of one's own, or of the
    /// folder's owner, wrote them; else as they are].
    #[arg(long, value_name = "HOW")]
    pub(super) names: Option<Names>,
}

/// How an import reads names.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Names {
    /// As they are.
    Plain,
    /// As an export writes them, some of them escaped.
    Exported,
}

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Only ask the server whether it is healthy: for containers.
    #[arg(long)]
    pub(super) healthy: bool,
}

#[derive(Args, Debug)]
pub(super) struct MountHelp {
    /// The account [default: the first admin].
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The address people use, if a proxy stands in front.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    /// Tell every setting and where it comes from; secrets are masked.
    Show,
}
