//! Gathers settings from where they may stand and lets the nearest win: flags, environment,
//! `.env`, `config.toml`, defaults. Whatever looks like a setting and is none is refused by name.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    ConfigError, dotenv,
    keys::{KEYS, Key, find, nearest},
    value::Value,
};

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// Holdall itself.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// `.env` in the working directory.
    DotEnv,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::DotEnv => f.write_str(".env"),
            Self::Environment => f.write_str("environment"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// What the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Settings given as flags.
    pub flags: Vec<(&'static str, String)>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Where `.env` and `config.toml` are looked for.
    pub folder: PathBuf,
}

/// The variable that names the configuration file.
const CONFIG: &str = "HOLDALL_CONFIG";

/// Every setting with its value and source.
pub(super) struct Layers(BTreeMap<&'static str, (String, Value, Source)>);

impl Layers {
    /// Reads all layers.
    pub(super) fn gather(given: Given) -> Result<Self, ConfigError> {
        let mut layers = Self(BTreeMap::new());
        for key in &KEYS {
            layers.set(key, key.default.to_owned(), &Source::Default, key.name)?;
        }
        let dotenv = read(&given.folder.join(".env"))?;
        let dotenv = dotenv.map(|text| dotenv::parse(&text)).transpose();
        let dotenv = dotenv.map_err(|line| {
            ConfigError(format!(".env: line {line} is broken; write NAME=value, quotes in pairs"))
        })?;
        let variables =
            [(Source::DotEnv, dotenv.unwrap_or_default()), (Source::Environment, given.environment)];
        let named = variables.iter().rev().flat_map(|(_, pairs)| pairs).find(|(name, _)| name == CONFIG);
        let named = given.file.or_else(|| named.map(|(_, value)| PathBuf::from(value)));
        let path = named.clone().unwrap_or_else(|| given.folder.join("config.toml"));
        match read(&path)? {
            Some(text) => layers.file(&path, &text)?,
            None if named.is_some() => {
                return Err(ConfigError(format!(
                    "{}: there is no such file; correct --config",
                    path.display()
                )));
            }
            None => {}
        }
        for (source, pairs) in variables {
            for (name, value) in pairs.into_iter().filter(|(name, _)| name != CONFIG) {
                layers.variable(&name, value, &source)?;
            }
        }
        for (name, value) in given.flags {
            if let Some(key) = find(name) {
                layers.set(key, value, &Source::Flag, &format!("--{name}"))?;
            }
        }
        Ok(layers)
    }

    fn set(&mut self, key: &Key, text: String, source: &Source, shown: &str) -> Result<(), ConfigError> {
        let value = key.kind.read(&text).map_err(|wanted| {
            let text = if key.secret { "***" } else { &text };
            ConfigError(format!("{source}: {shown} is {text:?}; it must be {wanted}"))
        })?;
        let name = find(key.name).map_or(key.name, |key| key.name);
        self.0.insert(name, (text, value, source.clone()));
        Ok(())
    }

    fn variable(&mut self, name: &str, value: String, source: &Source) -> Result<(), ConfigError> {
        if !name.starts_with("HOLDALL_") {
            return Ok(());
        }
        match KEYS.iter().find(|key| key.variable() == name) {
            Some(key) => self.set(key, value, source, name),
            None => {
                let near = nearest(name, KEYS.iter().map(Key::variable));
                Err(unknown(source, name, near, "take it out"))
            }
        }
    }

    fn file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let source = Source::File(path.to_owned());
        let table: toml::Table = text.parse().map_err(|error| broken(&source, text, &error))?;
        for (name, value) in flat("", table) {
            match find(&name) {
                Some(key) => {
                    let text = plain(value).ok_or_else(|| {
                        ConfigError(format!(
                            "{source}: {name} must be a text, number, true, false or a list of texts"
                        ))
                    })?;
                    self.set(key, text, &source, &name)?;
                }
                None => {
                    let near = nearest(&name, KEYS.iter().map(|key| key.name.to_owned()));
                    return Err(unknown(
                        &source,
                        &name,
                        near,
                        "take it out, or name another file with --config",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The value of a setting.
    pub(super) fn value(&self, name: &str) -> &Value {
        self.0.get(name).map_or(&Value::Unset, |(_, value, _)| value)
    }

    /// Every setting as people may see it: name, text, source.
    pub(super) fn shown(&self) -> Vec<(&'static str, String, Source)> {
        let shown = KEYS.iter().filter_map(|key| {
            let (text, _, source) = self.0.get(key.name)?;
            let text = if key.secret && !text.is_empty() { "***".to_owned() } else { text.clone() };
            Some((key.name, text, source.clone()))
        });
        shown.collect()
    }
}

fn unknown(source: &Source, name: &str, near: Option<String>, otherwise: &str) -> ConfigError {
    let advice =
        near.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean {near}? If not, {otherwise}"));
    ConfigError(format!("{source}: there is no setting {name}; {advice}"))
}

/// Where TOML is broken, without the line itself: it may hold a secret.
fn broken(source: &Source, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    ConfigError(format!("{source}: line {}: {}", before.matches('\n').count() + 1, error.message()))
}

/// A file's text, or `None` if it is not there.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError(format!("{}: cannot be read: {error}", path.display()))),
    }
}

/// The settings of a table with dotted names.
fn flat(prefix: &str, table: toml::Table) -> Vec<(String, toml::Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => found.extend(flat(&format!("{name}."), inner)),
            value => found.push((name, value)),
        }
    }
    found
}

/// A value as it would stand in the environment.
fn plain(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(values) => {
            let texts: Option<Vec<_>> =
                values.into_iter().map(|value| value.as_str().map(str::to_owned)).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
