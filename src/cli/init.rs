//! `saga init`: makes the topics of a deployment on Kafka, and says how those differ that are there.

use super::error::Kind;
use super::instance::runtime;
use super::kafka::{OnKafka, listed};
use super::settings::Settings;
use super::sources::check_file;
use super::{CliError, Exit, Out};
use crate::http::api::ApiError;
use crate::http::cast::Cast;
use crate::log::kafka::{Founding, OpenError, Plan};
use crate::runtime::can_be_shared;

/// Make the topics of a deployment on Kafka
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Topics that are there stay as they are; how they differ from what they should be is said, and is an error.
The number of partitions is fixed for good: each instance lives in one of them.")]
pub(super) struct Arguments {
    /// Files of the language, for the topics of their participants' commands
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    kafka: OnKafka,
    /// Partitions of each topic: as many orchestrators can share the work [default: as many as there are already, else 12]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    partitions: Option<u32>,
    /// Replicas of each topic [default: 3, or as many as there are brokers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=15))]
    replication: Option<u32>,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let settings = Settings::load()?;
    let Some(place) = arguments.kafka.place(&settings)? else {
        return Err(CliError::usage("a data directory needs no `saga init`: the first run makes it")
            .hint("for a deployment on Kafka: saga init --kafka HOST:PORT"));
    };
    let mut files = Vec::new();
    for file in &arguments.files {
        let file = check_file(file)?.accepted(out)?;
        file.keeps_off(&place.topics, out)?;
        files.push(file);
    }
    // Before any topic is made: their number of partitions is for good.
    let failed = |error: OpenError| CliError::failed_to(Kind::Unavailable, &error);
    let founding = Founding::begin(&place.settings).map_err(failed)?;
    let partitions = founding.partitions(&place.topics, arguments.partitions).map_err(failed)?;
    let mut cast = Cast::default();
    for file in &files {
        can_be_shared(&file.program, partitions).map_err(|error| CliError::from(ApiError::from(error)))?;
        cast.extend(&Cast::of(&file.program));
    }
    let plan = Plan {
        topics: place.topics,
        partitions: arguments.partitions,
        replication: arguments.replication,
        commands: cast.topics(),
    };
    let made = runtime()?.block_on(founding.make(&plan)).map_err(failed)?;
    for (what, topics) in [("made", &made.made), ("there already", &made.known)] {
        if !topics.is_empty() {
            out.remark(format_args!("{what}: {}", topics.join(", ")));
        }
    }
    if !made.renewed.is_empty() {
        out.remark(format_args!(
            "made anew: {}. What nobody had read of it is lost. Each partition that had read of it stands still: `saga list` \
             says which, and `saga accept-gap N --server URL` lets it go on. Do that soon, and before anything else is \
             started anew",
            made.renewed.join(", ")
        ));
    }
    // Of one broker there cannot be more, but nobody should learn it from the loss.
    if made.replication == 1 && !made.made.is_empty() {
        out.remark(format_args!("one replica each: what that broker's disk loses is lost"));
    }
    if made.differences.is_empty() {
        if !arguments.files.is_empty() {
            let words = arguments.kafka.words().into_iter().map(str::to_owned);
            let next = ["saga".to_owned(), "deploy".to_owned()].into_iter().chain(arguments.files.clone()).chain(words);
            out.remark(format_args!("next: `{}`", shell_words::join(next)));
        }
        return Ok(Exit::Done);
    }
    let error = CliError::new(Kind::Unavailable, "topics are not as they should be; what was there is unchanged");
    Err(listed(error, &made.differences, &place.settings.brokers))
}
