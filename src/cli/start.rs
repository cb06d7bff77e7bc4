//! `saga start`: begins an instance and does not wait for it.

use super::instance::{Access, Where};
use super::{CliError, Exit, Out, input};
use crate::http::api::{StartBody, StartOutcome};

/// Begin an instance of a saga that is deployed, and leave it to `saga serve`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The saga
    saga: String,
    /// Its input: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// A business key, such as an order's number: the same start with the same id is done once
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    place: Where,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let input = arguments.input.as_deref().map(|text| input::json("--input", text)).transpose()?;
    let body = StartBody { saga: arguments.saga.clone(), id: arguments.id.clone(), input };
    let started = Access::to(&arguments.place)?.start(body, out)?;
    if arguments.place.is_json() {
        out.json(&started)?;
        return Ok(Exit::Done);
    }
    let what = match started.start {
        StartOutcome::Accepted => "began: see it with",
        StartOutcome::Known => "had begun before, with the same input: see it with",
        StartOutcome::Waiting => "is in the log, and begins once an orchestrator takes it up; then it is seen with",
    };
    if let Some(why) = &started.why {
        out.remark(format_args!("nobody has looked at it yet: {why}"));
    }
    out.remark(format_args!("{} {what} `{}`", started.id, arguments.place.command_line("show", &started.id)));
    out.data(format!("{}\n", started.id))?;
    Ok(Exit::Done)
}
