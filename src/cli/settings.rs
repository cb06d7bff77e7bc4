//! `saga.toml`: what one would otherwise repeat on every command line. Arguments win over it. `docs/tools.md` has all of its
//! keys.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::CliError;
use crate::runtime::Options;

/// The file's name; the nearest one upward from the working directory counts.
pub(super) const NAME: &str = crate::files::SETTINGS;

/// Where the data is if nobody says.
const DATA: &str = ".saga";

/// Where the API listens if nobody says: this machine alone, since it knows no users.
const LISTEN: &str = "127.0.0.1:7117";

/// Larger files are not read: settings are a few lines.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    callback: Option<String>,
    drain: Option<String>,
    #[serde(default)]
    participants: BTreeMap<String, String>,
    #[serde(default)]
    journal: Journal,
    #[serde(default)]
    kafka: Kafka,
}

/// How the journal is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    checkpoint_bytes: Option<u64>,
}

/// Where the log is, if it is on Kafka.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kafka {
    /// `HOST:PORT`, several with commas between.
    pub(super) brokers: Option<String>,
    /// What the names of the topics begin with.
    pub(super) prefix: Option<String>,
    /// Settings of librdkafka.
    #[serde(default)]
    config: BTreeMap<String, toml::Value>,
}

impl Kafka {
    /// Settings of librdkafka as it reads them: text.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "the file may serve a binary with Kafka, too"))]
    pub(super) fn config(&self) -> Result<Vec<(String, String)>, CliError> {
        let text = |(key, value): (&String, &toml::Value)| {
            let value = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(is_so) => is_so.to_string(),
                toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                    return Err(CliError::usage(format!(
                        "failed to read `{key}` of [kafka.config] in {NAME}: it is a text, a number, or true or false"
                    ))
                    .hint(format!("names with dots stand in quotes: \"{key}.…\" = \"…\"")));
                }
            };
            Ok((key.clone(), value))
        };
        self.config.iter().map(text).collect()
    }
}

/// Settings may be secrets.
impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, prefix, config } = self;
        let keys: Vec<&String> = config.keys().collect();
        f.debug_struct("Kafka").field("brokers", brokers).field("prefix", prefix).field("config", &keys).finish()
    }
}

/// What is wrong, with the line and a mark below it; behind addresses of participants and the settings of Kafka without
/// the line, which may hold a secret.
fn told(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    if before.contains("[participants") || before.contains("[kafka") {
        format!("line {}: {}", before.matches('\n').count() + 1, error.message())
    } else {
        error.to_string()
    }
}

/// The settings of this run.
#[derive(Debug)]
pub(super) struct Settings {
    /// The data directory.
    pub(super) data: PathBuf,
    /// Where `saga serve` listens.
    pub(super) listen: SocketAddr,
    /// Where participants reach `saga serve`, as it is written.
    pub(super) callback: Option<String>,
    /// How long `saga serve` waits for participants when it is stopped, as it is written.
    pub(super) drain: Option<String>,
    /// Addresses of participants by name.
    pub(super) participants: BTreeMap<String, String>,
    /// The least growth of a partition's journal, in bytes, after which a checkpoint is taken.
    checkpoint_bytes: Option<u64>,
    /// Where the log is, if it is on Kafka.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "the file may serve a binary with Kafka, too"))]
    pub(super) kafka: Kafka,
}

impl Settings {
    /// From the nearest `saga.toml`, or the defaults.
    pub(super) fn load() -> Result<Self, CliError> {
        let here = std::env::current_dir()
            .map_err(|error| CliError::usage(format!("failed to find the working directory: {error}")))?;
        match here.ancestors().map(|folder| folder.join(NAME)).find(|file| file.is_file()) {
            Some(path) => Self::read(&path),
            None => Ok(Self::of(File::default(), Path::new(""))),
        }
    }

    fn read(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let size = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default();
        if size > BYTES_MAX {
            return Err(CliError::usage(format!("{shown} has {size} bytes: settings are a few lines")));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| CliError::usage(format!("failed to read {shown}: {error}")))?;
        let file: File = toml::from_str(&text).map_err(|error| {
            CliError::usage(format!("failed to read {shown}: {}", told(&text, &error))).hint(
                "known settings: `data`, `listen`, `callback`, `drain`, `[participants]` with name = \"address\", `[journal]` with \
                 checkpoint_bytes, and `[kafka]`",
            )
        })?;
        Ok(Self::of(file, path.parent().unwrap_or(Path::new(""))))
    }

    fn of(file: File, folder: &Path) -> Self {
        let listen = file.listen.unwrap_or_else(|| LISTEN.parse().expect("the default is an address"));
        let data = file.data.map_or_else(|| PathBuf::from(DATA), |data| folder.join(data));
        let checkpoint_bytes = file.journal.checkpoint_bytes;
        let File { callback, drain, participants, kafka, .. } = file;
        Self { data, listen, callback, drain, participants, checkpoint_bytes, kafka }
    }

    /// What an argument says, or else the file under the same name; and which of them it was.
    pub(super) fn said<'a>(key: &str, argument: Option<&'a str>, own: Option<&'a str>) -> Option<(&'a str, String)> {
        let argument = argument.map(|text| (text, format!("`--{key}` says so")));
        argument.or_else(|| Some((own?, format!("`{key} = …` in {NAME} says so"))))
    }

    /// How an orchestrator of this run is opened.
    pub(super) fn options(&self, owner: impl Into<String>) -> Options {
        let usual = Options::default();
        let checkpoint_bytes = self.checkpoint_bytes.unwrap_or(usual.checkpoint_bytes);
        Options { owner: owner.into(), checkpoint_bytes, ..usual }
    }
}
