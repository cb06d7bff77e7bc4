//! `saga deploy`: lets new instances of a deployment on Kafka run by the files' definitions.

use super::error::Kind;
use super::instance::runtime;
use super::kafka::{AWAY_PATIENCE, OnKafka, patiently};
use super::settings::Settings;
use super::sources::{Checked, check_file};
use super::{CliError, Exit, Out, contradictions};
use crate::definition::Program;
use crate::http::api::ApiError;
use crate::http::cast::Cast;
use crate::runtime::{Back, Deployed, NewTriggers, Published, Standing, publish};

/// Check definitions and let new instances run by them, on Kafka
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What runs goes on by what it was started with: every orchestrator knows all versions. A version number means one content
for good; other content needs another number. An older version can be deployed again, to go back. Of several versions of
one saga in these files, the last one given is current.")]
pub(super) struct Arguments {
    /// Files of the language
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    #[command(flatten)]
    kafka: OnKafka,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let settings = Settings::load()?;
    let Some(place) = arguments.kafka.place(&settings)? else {
        return Err(CliError::usage(
            "a data directory is given its definitions by `saga serve FILE` and `saga run FILE`",
        )
        .hint("for a deployment on Kafka: saga deploy FILE --kafka HOST:PORT"));
    };
    let mut files: Vec<Checked> = Vec::new();
    for file in &arguments.files {
        let file = check_file(file)?.runnable(out)?;
        file.keeps_off(&place.topics, out)?;
        files.push(file);
    }
    let mut casts: Vec<_> = files.iter().map(|file| (file.name.as_str(), Cast::of(&file.program))).collect();
    let mut cast = Cast::default();
    for (_, of_file) in &casts {
        cast.extend(of_file);
    }
    let deployable = files.iter().map(Checked::deployable).collect::<Result<Vec<_>, _>>()?;
    let programs: Vec<(&Program, &str)> = deployable.iter().map(|(_, text, program)| (program, &**text)).collect();
    let Published { deployed, before } = runtime()?.block_on(async {
        let opened = place.open(Some(AWAY_PATIENCE)).await?;
        opened.has_topics_of(&cast, &shell_words::join(&arguments.files)).await?;
        let published = patiently(&opened.site(), publish(&opened.site(), &programs, Back::Goes)).await;
        opened.site().close();
        published?.map_err(|error| CliError::from(ApiError::from(error)).at(&arguments.kafka.words()))
    })?;
    casts.insert(0, ("what is deployed", Cast::of_current(&before)));
    contradictions::warn(&casts, out);
    for deployed in &deployed {
        out.data(line(deployed))?;
    }
    if deployed.is_empty() {
        return Err(CliError::new(Kind::Usage, "there is no saga in these files"));
    }
    Ok(Exit::Done)
}

fn line(deployed: &Deployed) -> String {
    let Deployed { saga, version, standing, triggers, .. } = deployed;
    let how = match standing {
        Standing::New => "new".to_owned(),
        Standing::Unchanged => "deployed before".to_owned(),
        Standing::Replaces { version: before } => {
            format!("in place of version {before}, by which goes on what runs")
        }
        Standing::Older { version: current } => format!("not deployed, version {current} is newer"),
        Standing::Followed { version: current } => {
            format!("known, and nothing new runs by it: version {current} was given behind it")
        }
    };
    format!("{saga} version {version}: {how}{}\n", triggers.as_ref().map(said).unwrap_or_default())
}

/// Which triggers it has from now on, and which topics are read for it no more.
fn said(NewTriggers { has_some, gone }: &NewTriggers) -> String {
    let gone: Vec<String> = gone.iter().map(|(name, topic)| format!("`{name}` on {topic}")).collect();
    let gone = gone.join(", ");
    match (has_some, gone.is_empty()) {
        (true, true) => "; its triggers are those of this file now".to_owned(),
        (true, false) => format!("; its triggers are those of this file now: {gone} is read for it no more"),
        (false, _) => format!("; this file has no triggers, so {gone} is read for it no more"),
    }
}
