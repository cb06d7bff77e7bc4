//! `saga.toml`: what one would otherwise repeat on every command line. Arguments win over it.
//!
//! ```toml
//! data = "/var/lib/saga"            # relative to the file
//! listen = "127.0.0.1:7117"
//!
//! [participants]
//! tickets = "http://127.0.0.1:8081/commands"
//! rooms = "process:python3 rooms.py"
//! payments = "simulated"
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::CliError;

/// The file's name; the nearest one upward from the working directory counts.
pub(super) const NAME: &str = "saga.toml";

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
    #[serde(default)]
    participants: BTreeMap<String, String>,
}

/// The settings of this run.
#[derive(Debug)]
pub(super) struct Settings {
    /// The data directory.
    pub(super) data: PathBuf,
    /// Where `saga serve` listens.
    pub(super) listen: SocketAddr,
    /// Addresses of participants by name.
    pub(super) participants: BTreeMap<String, String>,
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
            // The crate's text has the line with a mark below it.
            CliError::usage(format!("failed to read {shown}: {error}"))
                .hint("known settings: `data`, `listen`, and `[participants]` with name = \"address\"")
        })?;
        Ok(Self::of(file, path.parent().unwrap_or(Path::new(""))))
    }

    fn of(file: File, folder: &Path) -> Self {
        let listen = file.listen.unwrap_or_else(|| LISTEN.parse().expect("the default is an address"));
        let data = file.data.map_or_else(|| PathBuf::from(DATA), |data| folder.join(data));
        Self { data, listen, participants: file.participants }
    }
}
