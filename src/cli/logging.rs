//! What the layers below have to say for whoever runs them: to standard error, from warnings on.
//!
//! `SAGA_LOG` says how much (`info`, `saga::runtime=debug`), `--log-format` in which form. Traces go elsewhere, by the
//! variables of OpenTelemetry.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[cfg(feature = "otlp")]
use super::error::Kind;
use super::live::Above;
use super::{CliError, Exit};
#[cfg(feature = "otlp")]
use crate::runtime::traces;

/// How much is said.
const VARIABLE: &str = "SAGA_LOG";

/// What a command itself says is said, however little `SAGA_LOG` lets through.
const REMARKS: &str = "saga::cli::out=info";

/// Unless `SAGA_LOG` says how much is said, that instances wait for a person is said by servers alone.
const NO_CALLS: &str = "saga::runtime::on_call=off";

/// In which form the layers below speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Lines for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// Who reads what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// Whoever gave a command: it says itself how an instance stands.
    Caller,
    /// Whoever is on call for a server.
    OnCall,
}

/// Begins to listen to the layers below. What `SAGA_LOG` says that makes no sense is passed over with a word.
pub(super) fn begin(format: Format, reader: Reader) {
    let is_said = std::env::var(VARIABLE).is_ok_and(|said| !said.trim().is_empty());
    let filter =
        EnvFilter::builder().with_env_var(VARIABLE).with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let mut filter = filter.add_directive(REMARKS.parse().expect("the directive is fixed"));
    if reader == Reader::Caller && !is_said {
        filter = filter.add_directive(NO_CALLS.parse().expect("the directive is fixed"));
    }
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Above).with_ansi(false);
    // A program that embeds us may listen already.
    let begun = match format {
        Format::Json => lines.json().try_init(),
        Format::Text => lines.with_target(false).try_init(),
    };
    drop(begun);
}

/// Does what runs sagas, with a trace of each if the environment says where traces go.
#[cfg(feature = "otlp")]
pub(super) fn traced(work: impl FnOnce() -> Result<Exit, CliError>) -> Result<Exit, CliError> {
    let export = traces::begin().map_err(|error| CliError::failed_to(Kind::Usage, &error))?;
    let done = work();
    if let Some(export) = export {
        export.end();
    }
    done
}

#[cfg(not(feature = "otlp"))]
pub(super) fn traced(work: impl FnOnce() -> Result<Exit, CliError>) -> Result<Exit, CliError> {
    if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
        tracing::info!("no traces are exported: this saga was built without `--features otlp`");
    }
    work()
}
