//! `saga publish`: an event for a topic that a trigger reads, where the log is a data directory.

use super::instance::{Access, Where};
use super::{CliError, Exit, Out, input};
use crate::http::api::{EventBody, Published};

/// Put an event on a topic that a trigger reads; on Kafka any client does that
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topic, as the trigger names it
    topic: String,
    /// The event: JSON, @FILE, or - for standard input
    #[arg(value_name = "JSON")]
    event: String,
    /// Events of one key stay in their order
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    place: Where,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let topic = shell_words::quote(&arguments.topic);
    let (what, before) = (format!("the event for {topic}"), format!("saga publish {topic} "));
    let event = input::json_of(&input::Expected { what: &what, before: &before }, &arguments.event)?;
    let body = EventBody { event, key: arguments.key.clone() };
    let published = Access::to(&arguments.place)?.publish(&arguments.topic, &body, out)?;
    if arguments.place.is_json() {
        out.json(&published)?;
        return Ok(Exit::Done);
    }
    let Published { topic, partition, offset } = published;
    out.remark(format_args!("in the log, {topic}/{partition}/{offset}: a running `saga serve` takes it up"));
    Ok(Exit::Done)
}
