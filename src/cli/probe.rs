//! `saga probe`: tries a participant on Kafka, and says which rules of the protocol it breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::check;
use crate::definition::Program;
use crate::json::Json;
use crate::log::Topics;
use crate::log::kafka::{OpenError, Raw};
use crate::participant::probe::{
    self, Books, Finding, Left, Options, Outcome, Places, REPLIES_KEPT, REPLY_PARTITIONS, Report, Subject,
    SubjectError, Wishes,
};

use super::error::{Kind, near_miss};
use super::input::Expected;
use super::instance::runtime;
use super::kafka::{OnKafka, Place};
use super::settings::Settings;
use super::sources::check_file;
use super::table::Table;
use super::{CliError, Exit, Out, input};

/// Try a participant on Kafka: duplicates, undo before do, late commands, garbage; which rules does it break?
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The rules stand in docs/participants.md. The probe does real work under ids of its own (probe-…) and takes it back, so
give the participant data that it may be tried on. Commands that no saga takes back are tried only where --call names
them. Live sagas notice nothing: replies to the probe go to a topic of its own (PREFIX.probe, made if it is not there).

Exit codes: 0 all rules that could be tried are kept; 1 a rule is broken; 2 the arguments make no sense, or nothing
can be tried with what is given: a request is refused that should be done, or done that should be refused, or the books
cannot be read; 7 the broker cannot be reached, or the participant answers nothing.")]
pub(super) struct Arguments {
    /// The definition with the participant's contract [default: what is deployed]
    file: Option<String>,
    #[command(flatten)]
    kafka: OnKafka,
    /// The participant, by its name in the definition
    #[arg(long, value_name = "NAME")]
    participant: String,
    /// Commands to try [default: those that a saga takes back]; can be repeated
    #[arg(long, value_name = "COMMAND")]
    call: Vec<String>,
    /// A request that the participant does [default: that of the file's scenarios]: JSON or @FILE; can be repeated
    #[arg(long, value_name = "COMMAND=JSON")]
    request: Vec<String>,
    /// A request that it refuses with a code of its contract: JSON or @FILE; can be repeated
    #[arg(long, value_name = "COMMAND=JSON")]
    refused: Vec<String>,
    /// A shell command that prints what the participant has in its books: it must change with work alone
    #[arg(long, value_name = "SHELL COMMAND")]
    books: Option<String>,
    /// The rule to try [default: all]; can be repeated
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// How many seconds an answer may take; the first one 20 at least
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    within: u64,
    /// Where replies to the probe go [default: PREFIX.probe]
    #[arg(long, value_name = "TOPIC")]
    reply_to: Option<String>,
    #[arg(long, help = "Write a report for a build server, as JUnit's XML", value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn command(arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    let began = Instant::now();
    for wanted in &arguments.rule {
        let known = || probe::RULES.iter().map(|rule| rule.name);
        if !known().any(|name| name == wanted) {
            let error = CliError::usage(format!("no rule is called `{wanted}`"));
            return Err(match near_miss("there are", wanted, known()) {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
    }
    let Some(Place { settings, topics }) = arguments.kafka.place(&Settings::load()?)? else {
        return Err(CliError::usage("a participant is tried on Kafka, and no broker is named")
            .hint("name it: --kafka HOST:PORT, or `brokers` below `[kafka]` in saga.toml"));
    };
    let junit = arguments.junit.as_deref().map(Junit::begin).transpose()?;
    let raw = Raw::open(&settings).map_err(|error| unusable(&error))?;
    let program = match &arguments.file {
        Some(file) => check_file(file)?.accepted(out)?.program,
        None => deployed(&raw, &topics, &arguments.participant)?,
    };
    let subject =
        Subject::of(&program, &arguments.participant, &wishes(arguments)?).map_err(|error| refused_subject(&error))?;
    let places = places(arguments, &raw, &topics, &subject)?;
    let topic = &places.commands.0;
    out.remark(format_args!(
        "probing `{}` on `{topic}`: {}; replies on `{}`",
        subject.participant.name,
        subject.calls.iter().map(|call| call.command.name.as_str()).collect::<Vec<_>>().join(", "),
        places.replies.0,
    ));
    says_readers(&places, out);
    let options = Options {
        tag: uuid::Uuid::now_v7().simple().to_string(),
        within: Duration::from_secs(arguments.within),
        only: arguments.rule.clone(),
        books: arguments.books.clone().map(Books),
    };
    let report = probe::run(&raw, &places, &subject, options, |finding| {
        if finding.outcome == Outcome::Broken {
            out.dim(format_args!("{} {}", word(finding.outcome), finding.rule));
        }
    })
    .map_err(|error| unusable(&error))?;
    // What was found is shown, whatever becomes of the file.
    let written = junit.map(|junit| junit.write(&report, began.elapsed()));
    if arguments.json {
        out.json(&report)?;
    } else {
        out.data(text(&report))?;
    }
    written.transpose()?;
    verdict(&report, arguments, out)
}

/// The file for a build server, open before anything is tried: a probe takes minutes, and what cannot be written is to be
/// known before. What an earlier one left there is gone then, so nobody takes it for this one's; and where nothing comes of
/// this one, nothing is left, so nobody reads an empty file.
struct Junit<'a> {
    path: &'a Path,
    file: File,
    is_written: bool,
}

impl<'a> Junit<'a> {
    fn begin(path: &'a Path) -> Result<Self, CliError> {
        let failed = |error: io::Error| CliError::usage(format!("failed to write {}: {error}", path.display()));
        Ok(Self { path, file: File::create(path).map_err(failed)?, is_written: false })
    }

    fn write(mut self, report: &Report, took: Duration) -> Result<(), CliError> {
        let xml = report.junit(took).map_err(|error| CliError::new(Kind::Bug, error.to_string()))?;
        let failed = |error: io::Error| CliError::usage(format!("failed to write {}: {error}", self.path.display()));
        self.file.write_all(xml.as_bytes()).map_err(failed)?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for Junit<'_> {
    fn drop(&mut self) {
        // Not where it is a device.
        if !self.is_written && self.file.metadata().is_ok_and(|file| file.is_file()) {
            drop(std::fs::remove_file(self.path));
        }
    }
}

/// Says that others read the commands, too: they answer them, or do not, and it is laid to the participant.
fn says_readers(places: &Places, out: &mut Out) {
    if let Some(others) = others(&places.groups, &places.commands.0) {
        out.remark(format_args!("warning: {others}"));
    }
}

/// What several groups at one topic mean.
fn others(groups: &BTreeSet<String>, topic: &str) -> Option<String> {
    (groups.len() > 1).then(|| {
        let (count, names) = (groups.len(), groups.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
        format!(
            "{count} groups read `{topic}` ({names}), and each gets every command: if more than one answers, rules are \
             broken that the participant keeps; end all but its own"
        )
    })
}

fn unusable(error: &OpenError) -> CliError {
    CliError::failed_to(Kind::Unavailable, error)
}

fn by_command(option: &str, given: &[String]) -> Result<BTreeMap<String, Json>, CliError> {
    let mut all = BTreeMap::new();
    for argument in given {
        let Some((call, json)) = argument.split_once('=') else {
            return Err(CliError::usage(format!("failed to read `{option} {argument}`: it has no `=`"))
                .hint(format!("{option} 'ReserveRoom={{\"hotel\":\"Lux\",\"nights\":2}}'")));
        };
        let (what, before) = (format!("{option} {call}"), format!("{option} {call}="));
        all.insert(call.trim().to_owned(), input::json_of(&Expected { what: &what, before: &before }, json)?);
    }
    Ok(all)
}

fn wishes(arguments: &Arguments) -> Result<Wishes, CliError> {
    Ok(Wishes {
        calls: arguments.call.clone(),
        requests: by_command("--request", &arguments.request)?,
        refused: by_command("--refused", &arguments.refused)?,
    })
}

fn refused_subject(error: &SubjectError) -> CliError {
    let shown = CliError::failed_to(Kind::Usage, error);
    match error {
        SubjectError::Unknown { name: wanted, known } | SubjectError::UnknownCall { call: wanted, known, .. } => {
            match near_miss("there are", wanted, known.iter().map(String::as_str)) {
                Some(hint) => shown.hint(hint),
                None => shown,
            }
        }
        SubjectError::Nothing { known, .. } => {
            shown.hint(format!("name those that may be done for good by --call: {}", known.join(", ")))
        }
        SubjectError::Unfit { .. } => shown,
    }
}

/// The definition that is deployed and has the participant.
fn deployed(raw: &Raw, topics: &Topics, participant: &str) -> Result<Program, CliError> {
    let topic = &topics.definitions;
    let nowhere = |why: &str| {
        CliError::usage(format!("{why}, so nobody says what `{participant}` can be asked"))
            .hint(format!("name the file: saga probe … --participant {participant} workflows/booking.saga"))
    };
    if raw.partitions(topic).map_err(|error| unusable(&error))?.is_none() {
        return Err(nowhere(&format!("there is no topic `{topic}`")));
    }
    let records = raw.read_all(topic, 0).map_err(|error| unusable(&error))?;
    let mut latest: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for record in &records {
        latest.insert(&record.key, &record.payload);
    }
    for (key, hash) in &latest {
        let (Some(_), Ok(hash)) = (key.strip_prefix("current/"), str::from_utf8(hash)) else { continue };
        let Some(Ok(text)) = latest.get(format!("source/{hash}").as_str()).map(|text| str::from_utf8(text)) else {
            continue;
        };
        let program = check::check_text("deployed", text).program;
        if program.participants.contains_key(participant) {
            return Ok(program);
        }
    }
    Err(nowhere(&format!("no definition in `{topic}` has that participant")))
}

fn places(arguments: &Arguments, raw: &Raw, topics: &Topics, subject: &Subject) -> Result<Places, CliError> {
    let commands = subject.participant.commands_topic.to_string();
    let failed = |error: OpenError| unusable(&error);
    let Some(partitions) = raw.partitions(&commands).map_err(failed)? else {
        return Err(CliError::new(Kind::Unavailable, format!("there is no topic `{commands}`"))
            .hint("the definition's `commands \"…\"` names the topic; it is made by `saga init` or by you"));
    };
    let replies = arguments.reply_to.clone().unwrap_or_else(|| topics.probe());
    let made = runtime()?.block_on(raw.make(&replies, REPLY_PARTITIONS, REPLIES_KEPT));
    let reply_partitions = made.map_err(|error| {
        unusable(&error).hint(format!("make the topic `{replies}` yourself, or name another by --reply-to"))
    })?;
    // Whoever may not ask can probe all the same.
    let readers = raw.readers(&commands).unwrap_or_default();
    let groups = readers.into_iter().filter(|reader| reader.takes_from(topics)).map(|reader| reader.group).collect();
    let usual = topics.replies.to_string();
    let astray = raw.partitions(&usual).map_err(failed)?.filter(|_| usual != replies);
    Ok(Places {
        commands: (commands, partitions),
        groups,
        replies: (replies, reply_partitions),
        astray: astray.map(|count| (usual, count)).into_iter().collect(),
    })
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Kept => "kept",
        Outcome::Broken => "BROKEN",
        Outcome::Untried => "not tried",
    }
}

/// The table, and below it what is broken, in full.
fn text(report: &Report) -> String {
    let mut table = Table::new(&["RULE", "WITH", "", "SENT"]);
    for finding in &report.findings {
        let with = finding.call.as_deref().unwrap_or("all replies");
        let sent = match finding.outcome {
            Outcome::Untried => finding.how.clone().unwrap_or_default(),
            Outcome::Kept | Outcome::Broken => short(&counted(&finding.sent)),
        };
        table.row([finding.rule, with, word(finding.outcome), &sent]);
    }
    let mut text = table.text();
    for finding in report.findings.iter().filter(|finding| finding.outcome == Outcome::Broken) {
        let Finding { rule, call, sent, came, expected, page, why, how, .. } = finding;
        let with = call.as_deref().map(|call| format!(" ({call})")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\nBROKEN {rule}{with}\n  what:     {}\n  sent:     {}\n  came:     {}\n  expected: {expected}\n  why:      \
             {why}\n  see:      {page}\n",
            how.as_deref().unwrap_or_default(),
            counted(sent),
            counted(came),
        );
    }
    let (kept, broken, untried) =
        (report.count(Outcome::Kept), report.count(Outcome::Broken), report.count(Outcome::Untried));
    let _ = writeln!(text, "\n{kept} kept, {broken} broken, {untried} not tried");
    if let Some(others) = others(&report.groups, &report.topic) {
        let _ = writeln!(text, "{others}");
    }
    for remark in &report.remarks {
        let _ = writeln!(text, "remark: {remark}");
    }
    text
}

/// In a row; what comes several times in a row, once.
fn counted(words: &[String]) -> String {
    let mut parts: Vec<(usize, &str)> = Vec::new();
    for word in words {
        match parts.last_mut() {
            Some((count, last)) if last == word => *count += 1,
            _ => parts.push((1, word)),
        }
    }
    let shown =
        parts.into_iter().map(|(count, word)| if count > 1 { format!("{count} x {word}") } else { word.to_owned() });
    shown.collect::<Vec<_>>().join("; ")
}

/// As much as fits beside the other columns.
fn short(text: &str) -> String {
    const SHOWN: usize = 70;
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

fn verdict(report: &Report, arguments: &Arguments, out: &mut Out) -> Result<Exit, CliError> {
    for left in &report.left {
        let Left { call, command, is_undo_sent } = left;
        if *is_undo_sent {
            out.remark(format_args!(
                "perhaps left in effect: {call} `{command}`; what takes it back is sent, and nobody has answered it"
            ));
        } else {
            out.remark(format_args!("left in effect: {call} `{command}`"));
        }
    }
    if !report.is_answered {
        let (participant, topic) = (&report.participant, &report.topic);
        return Err(CliError::new(
            Kind::Unavailable,
            format!(
                "`{participant}` answers nothing: no reply to a command on `{topic}` within {} s",
                probe::first_within(Duration::from_secs(arguments.within)).as_secs()
            ),
        )
        .hint("is it running, does it read that topic, and has its consumer group no older commands to do first?")
        .hint("it must reply to the topic and partition that `replyto` and `replypartition` name"));
    }
    if report.count(Outcome::Broken) > 0 {
        return Ok(Exit::Findings);
    }
    // Nothing was found since nothing was tried, or not all for which something was given: that is no success.
    let error = match (report.refused.first(), report.in_vain.first()) {
        (Some(call), _) => CliError::usage(format!(
            "`{}` refuses the request for {call}, so nothing could be tried with it",
            report.participant
        ))
        .hint(format!("give one that it does: --request '{call}={{…}}'")),
        (None, Some(why)) => CliError::usage(why.clone()),
        (None, None) if report.count(Outcome::Kept) == 0 => {
            CliError::usage("nothing could be tried").hint("what is said behind each rule tells what it needs")
        }
        (None, None) => return Ok(Exit::Done),
    };
    Err(error)
}
