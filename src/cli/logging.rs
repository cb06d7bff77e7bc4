//! What the layers below have to say for whoever runs them: to standard error, from warnings on.
//!
//! `SAGA_LOG` says how much (`info`, `saga::runtime=debug`), `SAGA_LOG_FORMAT=json` in which form.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How much is said.
const VARIABLE: &str = "SAGA_LOG";

/// In which form: `json`, or text.
const FORMAT: &str = "SAGA_LOG_FORMAT";

/// Begins to listen to the layers below. What `SAGA_LOG` says that makes no sense is passed over with a word.
pub(super) fn begin() {
    let filter =
        EnvFilter::builder().with_env_var(VARIABLE).with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // A program that embeds us may listen already.
    let begun = match std::env::var(FORMAT).as_deref() {
        Ok("json") => lines.json().try_init(),
        Ok(_) | Err(_) => lines.with_target(false).try_init(),
    };
    drop(begun);
}
