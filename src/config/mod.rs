//! Settings: flags over environment over `.env` over `config.toml` over defaults, typed and checked
//! once, before anything is opened. Knows the names of settings, not what is done with them.

mod dotenv;
mod keys;
mod layers;
mod value;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::model::secret::Secret;
use layers::Layers;
use value::Value;

pub use layers::{Given, Source};

/// A setting that cannot be used; the sentence names it, where it stands and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// Whose bytes are compared when content is stored once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dedup {
    /// Those of one account.
    Account,
    /// Those of all: for people who trust each other.
    Store,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What the first account and its access key are to be, on the first start.
#[derive(Clone, Debug)]
pub struct FirstAdmin {
    /// Its name.
    pub user: String,
    /// Its password; a random one is made if it is not set.
    pub password: Option<Secret>,
    /// Its access key and secret; random ones are made if they are not set.
    pub key: Option<(String, Secret)>,
}

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// Where all doors listen.
    pub listen: SocketAddr,
    /// A proxy in front ends TLS.
    pub behind_proxy: bool,
    /// See [`Dedup`].
    pub dedup: Dedup,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The least important lines that are logged.
    pub log_level: String,
    /// See [`LogFormat`].
    pub log_format: LogFormat,
    /// A listener for S3 alone.
    pub s3_listen: Option<SocketAddr>,
    /// Host names that mean S3.
    pub s3_hosts: Vec<String>,
    /// The region of S3 signatures.
    pub s3_region: String,
    /// What a lifecycle rule takes for a day.
    pub s3_lifecycle_day: Duration,
    /// A listener for WebDAV alone.
    pub dav_listen: Option<SocketAddr>,
    /// Origins whose pages may call.
    pub cors_origins: Vec<String>,
    /// Anybody may read the metrics.
    pub public_metrics: bool,
    /// Connections at once.
    pub connections: usize,
    /// How long a connection may stay unused.
    pub idle: Duration,
    /// Bytes per second a body must move.
    pub body_min_rate: u64,
    /// Memory for documents and content in running requests, in bytes.
    pub memory: u64,
    /// How long running requests may take when the server stops.
    pub drain: Duration,
    /// Bytes put by for a full disk, else a share of it.
    pub disk_reserve: Option<u64>,
    /// New bodies are refused below this many free bytes, else a share of the disk.
    pub disk_full_below: Option<u64>,
    /// Bytes a second that compaction in the background copies.
    pub disk_compact_rate: u64,
    /// How often a snapshot of the metadata is taken; zero for never.
    pub disk_snapshot_every: Duration,
    /// Days from one reading of everything to the next; 0 for never.
    pub disk_scrub_days: u64,
    /// Bytes a second that is read with.
    pub disk_scrub_rate: u64,
    /// Memory for metadata, in bytes.
    pub cache_metadata: usize,
    /// See [`FirstAdmin`].
    pub admin: FirstAdmin,
    shown: Vec<(&'static str, String, Source)>,
}

impl Settings {
    /// Gathers and checks all settings.
    ///
    /// # Errors
    /// The first that is unknown or wrong, by name.
    pub fn load(given: Given) -> Result<Self, ConfigError> {
        let layers = Layers::gather(given)?;
        let text = |name| as_text(&layers, name);
        Ok(Self {
            data: PathBuf::from(required(&layers, "data")?),
            listen: as_address(&layers, "listen").ok_or_else(|| unset("listen"))?,
            behind_proxy: as_flag(&layers, "behind_proxy"),
            dedup: if text("dedup").as_deref() == Some("store") { Dedup::Store } else { Dedup::Account },
            tls: pair(&layers, "tls.cert", "tls.key")?.map(|(cert, key)| (cert.into(), key.into())),
            log_level: required(&layers, "log.level")?,
            log_format: match text("log.format").as_deref() {
                Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            s3_listen: as_address(&layers, "s3.listen"),
            s3_hosts: as_list(&layers, "s3.hosts"),
            s3_region: required(&layers, "s3.region")?,
            s3_lifecycle_day: as_duration(&layers, "s3.lifecycle_day"),
            dav_listen: as_address(&layers, "dav.listen"),
            cors_origins: as_list(&layers, "http.cors_origins"),
            public_metrics: as_flag(&layers, "http.public_metrics"),
            connections: as_size(&layers, "limits.connections"),
            idle: Duration::from_secs(as_number(&layers, "limits.idle_seconds").unwrap_or_default()),
            body_min_rate: as_number(&layers, "limits.body_min_rate").unwrap_or_default(),
            memory: as_number(&layers, "limits.memory").unwrap_or_default(),
            drain: Duration::from_secs(as_number(&layers, "limits.drain_seconds").unwrap_or_default()),
            disk_reserve: as_number(&layers, "disk.reserve"),
            disk_full_below: as_number(&layers, "disk.full_below"),
            disk_compact_rate: as_number(&layers, "disk.compact_rate").unwrap_or_default(),
            disk_snapshot_every: as_duration(&layers, "disk.snapshot_every"),
            disk_scrub_days: as_number(&layers, "disk.scrub_days").unwrap_or_default(),
            disk_scrub_rate: as_number(&layers, "disk.scrub_rate").unwrap_or_default(),
            cache_metadata: as_size(&layers, "cache.metadata"),
            admin: FirstAdmin {
                user: required(&layers, "admin.user")?,
                password: text("admin.password").map(Secret::new),
                key: pair(&layers, "admin.access_key", "admin.secret_key")?
                    .map(|(id, secret)| (id, Secret::new(secret))),
            },
            shown: layers.shown(),
        })
    }

    /// Every setting with its source; secrets are masked.
    #[must_use]
    pub fn shown(&self) -> &[(&'static str, String, Source)] {
        &self.shown
    }
}

fn unset(name: &str) -> ConfigError {
    ConfigError(format!("{name} must not be empty; take it out to get the default"))
}

fn required(layers: &Layers, name: &str) -> Result<String, ConfigError> {
    as_text(layers, name).ok_or_else(|| unset(name))
}

/// Two settings that make sense together only.
fn pair(layers: &Layers, one: &str, other: &str) -> Result<Option<(String, String)>, ConfigError> {
    match (as_text(layers, one), as_text(layers, other)) {
        (Some(first), Some(second)) => Ok(Some((first, second))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError(format!("{one} is set and {other} is not; set both or none"))),
        (None, Some(_)) => Err(ConfigError(format!("{other} is set and {one} is not; set both or none"))),
    }
}

fn as_text(layers: &Layers, name: &str) -> Option<String> {
    if let Value::Text(text) = layers.value(name) { Some(text.clone()) } else { None }
}

fn as_address(layers: &Layers, name: &str) -> Option<SocketAddr> {
    if let Value::Address(address) = layers.value(name) { Some(*address) } else { None }
}

fn as_flag(layers: &Layers, name: &str) -> bool {
    matches!(layers.value(name), Value::Flag(true))
}

fn as_number(layers: &Layers, name: &str) -> Option<u64> {
    if let Value::Number(number) = layers.value(name) { Some(*number) } else { None }
}

fn as_size(layers: &Layers, name: &str) -> usize {
    as_number(layers, name).and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX)
}

fn as_list(layers: &Layers, name: &str) -> Vec<String> {
    if let Value::List(list) = layers.value(name) { list.clone() } else { Vec::new() }
}

fn as_duration(layers: &Layers, name: &str) -> Duration {
    if let Value::Duration(time) = layers.value(name) { *time } else { Duration::ZERO }
}

#[cfg(test)]
mod tests;
