//! `saga probe` against participants on a real Kafka: those in order pass, and each that breaks a rule is found out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use saga::check::check_files;
use saga::json::Json;
use saga::log::kafka::{Raw, Settings};
use saga::participant::kafka::{Answer, consume, serve};
use saga::participant::probe::{Books, Options, Outcome, Places, RULES, Report, Subject, Wishes, run};
use saga::participant::{Participant, Refusal, SqliteStore};
use saga::source::{SourceFile, Sources};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::adapter::{RUNTIME, prefix};
use super::broker::{Quiet, shared};
use super::culprits::{Bug, Culprit};
use crate::cli::Desk;

/// How long an answer may take: those who do not answer are waited for, and an answer takes milliseconds.
const WITHIN: Duration = Duration::from_secs(5);

/// How long one look at a group takes, and how many there are before a test fails.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS_MAX: usize = 6_000;

const KEPT: Duration = Duration::from_hours(1);

fn definition(participant: &str, topic: &str) -> String {
    include_str!("rooms.saga").replace("TOPIC", topic).replace("rooms", participant)
}

/// Topics of a test, and processes that read them.
pub(super) struct Stage {
    participant: &'static str,
    pub(super) address: String,
    settings: Settings,
    prefix: String,
    pub(super) topic: String,
    raw: Raw,
    pub(super) folder: TempDir,
    stop: Arc<AtomicBool>,
    processes: Vec<JoinHandle<()>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for process in self.processes.drain(..) {
            // A panic in there has been printed.
            drop(process.join());
        }
    }
}

impl Stage {
    pub(super) fn new() -> Option<Self> {
        Self::of("rooms")
    }

    /// For a participant of that name.
    pub(super) fn of(participant: &'static str) -> Option<Self> {
        let address = shared()?.address();
        let settings = Settings::new(&address, []).unwrap();
        let raw = Raw::open(&settings).unwrap();
        let prefix = prefix();
        let topic = format!("{prefix}.rooms.commands");
        for (name, partitions) in
            [(topic.clone(), 3), (format!("{prefix}.replies"), 3), (format!("{prefix}.definitions"), 1)]
        {
            RUNTIME.block_on(raw.make(&name, partitions, KEPT)).unwrap();
        }
        let (folder, stop) = (TempDir::new().unwrap(), Arc::default());
        Some(Self { participant, address, settings, prefix, topic, raw, folder, stop, processes: Vec::new() })
    }

    fn books(&self) -> PathBuf {
        self.folder.path().join("books")
    }

    fn begin(&mut self, mut answers: impl Answer + Send + 'static) {
        let (settings, topic, stop) = (self.settings.clone(), self.topic.clone(), Arc::clone(&self.stop));
        self.processes.push(std::thread::spawn(move || {
            consume(&mut answers, &settings, &topic, &format!("{topic}.readers"), &stop).unwrap();
        }));
    }

    /// The Rust library's participant, so often.
    fn begin_library(&mut self, processes: u32) {
        for _ in 0..processes {
            let participant = rooms(&self.folder.path().join("rooms.db"));
            let (settings, topic, stop) = (self.settings.clone(), self.topic.clone(), Arc::clone(&self.stop));
            self.processes.push(std::thread::spawn(move || {
                serve(&participant, &settings, &topic, &format!("{topic}.readers"), &stop).unwrap();
            }));
        }
    }

    /// Waits until so many processes share the topic. Before that one of them has all partitions, and there is nothing
    /// for the others to do wrong.
    pub(super) fn wait_for_readers(&self, processes: usize) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        let asking: BaseConsumer<Quiet> = config.create_with_context(Quiet).unwrap();
        let group = format!("{}.readers", self.topic);
        for _ in 0..LOOKS_MAX {
            // Nothing comes there: it is how long a look takes.
            assert!(asking.poll(LOOK).is_none());
            let Ok(found) = asking.fetch_group_list(Some(&group), WITHIN) else { continue };
            let shares = found.groups().iter().filter(|group| group.state() == "Stable").flat_map(GroupInfo::members);
            if shares.filter(|member| has_partitions(member)).count() == processes {
                return;
            }
        }
        panic!("{processes} processes never shared `{}`", self.topic);
    }

    pub(super) fn probe(&self, books: &str, only: &[&str]) -> Report {
        let mut sources = Sources::default();
        sources.add(SourceFile::new("rooms.saga", &*definition(self.participant, &self.topic)));
        let checked = check_files(&sources);
        assert!(checked.findings.is_empty(), "{:?}", checked.findings);
        let program = &checked.programs[0].1;
        let refused = Json::parse(r#"{"hotel":"Full","nights":1}"#).unwrap();
        let wishes = Wishes { refused: [("ReserveRoom".to_owned(), refused)].into(), ..Wishes::default() };
        let subject = Subject::of(program, self.participant, &wishes).unwrap();
        let replies = format!("{}.probe", self.prefix);
        RUNTIME.block_on(self.raw.make(&replies, 3, KEPT)).unwrap();
        let places = Places {
            commands: (self.topic.clone(), 3),
            replies: (replies, 3),
            astray: vec![(format!("{}.replies", self.prefix), 3)],
        };
        let options = Options {
            tag: format!("t{}", self.prefix),
            within: WITHIN,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            books: Some(Books(books.to_owned())),
        };
        run(&self.raw, &places, &subject, options, |_| {}).unwrap()
    }
}

/// Whether a member of a group has partitions, by what the group's leader wrote for it: a version, a count of topics, and
/// for each its name and a count of partitions. Of [`Stage`] it is one topic.
fn has_partitions(member: &GroupMemberInfo) -> bool {
    let number = |at: usize, bytes: &[u8]| bytes.get(at..at + 4).map(|four| four.iter().any(|byte| *byte != 0));
    let Some(share) = member.assignment() else { return false };
    let Some(name) = share.get(6..8).map(|two| usize::from(two[0]) * 256 + usize::from(two[1])) else { return false };
    number(2, share) == Some(true) && number(8 + name, share) == Some(true)
}

/// Rooms, by the library.
fn rooms(store: &Path) -> Participant<SqliteStore> {
    let store = SqliteStore::open(store).unwrap();
    store.connection().execute_batch("CREATE TABLE IF NOT EXISTS rooms (hold TEXT PRIMARY KEY)").unwrap();
    Participant::new("rooms", store)
        .command("ReserveRoom", |tx, call| {
            #[derive(serde::Deserialize)]
            struct Reserve {
                hotel: String,
                #[serde(rename = "nights")]
                _nights: i64,
            }
            let request: Reserve = call.request()?;
            tx.execute("INSERT INTO rooms VALUES (?1)", [call.key().as_str()])?;
            if request.hotel == "Full" { Err(Refusal::failed("sold_out")) } else { Ok(json!({ "hold": call.key() })) }
        })
        .undo("CancelRoom", |tx, call, _| {
            Ok(tx.execute("DELETE FROM rooms WHERE hold = ?1", [call.key().as_str()]).map(drop)?)
        })
}

pub(super) fn sqlite_count(store: &Path) -> String {
    format!("sqlite3 {} 'SELECT count(*) FROM rooms'", store.display())
}

fn broken(report: &Report) -> BTreeSet<&'static str> {
    let findings = report.findings.iter().filter(|finding| finding.outcome == Outcome::Broken);
    findings.map(|finding| finding.rule).collect()
}

/// All that the probe has to say about a participant with this bug.
fn probe_culprit(bug: Option<Bug>, processes: u32, only: &[&str]) -> Option<Report> {
    let mut stage = Stage::new()?;
    for number in 0..processes {
        let books = stage.folder.path().join(if number == 0 { "books".to_owned() } else { format!("books{number}") });
        stage.begin(Culprit::new(bug, books, number));
    }
    stage.wait_for_readers(usize::try_from(processes).unwrap());
    Some(stage.probe(&format!("cat {}", stage.books().display()), only))
}

#[test]
fn the_library_keeps_every_rule() {
    let Some(mut stage) = Stage::new() else { return };
    stage.begin_library(2);
    stage.wait_for_readers(2);
    let report = stage.probe(&sqlite_count(&stage.folder.path().join("rooms.db")), &[]);
    let not_kept: Vec<_> = report.findings.iter().filter(|finding| finding.outcome != Outcome::Kept).collect();
    assert!(not_kept.is_empty(), "{not_kept:#?}");
    assert_eq!(report.findings.len(), RULES.len(), "every rule was tried");
    assert!(report.left.is_empty(), "{:?}", report.left);
}

#[test]
fn a_participant_by_the_page_alone_keeps_every_rule() {
    let Some(report) = probe_culprit(None, 1, &[]) else { return };
    let not_kept: Vec<_> = report.findings.iter().filter(|finding| finding.outcome != Outcome::Kept).collect();
    assert!(not_kept.is_empty(), "{not_kept:#?}");
}

/// Each bug, and the rules that it breaks: these and no other, but perhaps `shuffled`.
macro_rules! found_out {
    ($($name:ident: $bug:ident breaks $($rule:literal),+;)+) => {
        $(#[test]
        fn $name() {
            let Some(report) = probe_culprit(Some(Bug::$bug), 1, &[]) else { return };
            let (mut found, mut wanted) = (broken(&report), BTreeSet::from([$($rule),+]));
            assert!(found.is_superset(&wanted), "{found:?} {:#?}", report.findings);
            // Which answers come in which order is chance there.
            found.remove("shuffled");
            wanted.remove("shuffled");
            assert_eq!(found, wanted, "{:#?}", report.findings);
        })+
        #[test]
        fn every_rule_has_somebody_who_breaks_it() {
            let seen = BTreeSet::from([$($($rule),+),+]);
            let missing: Vec<_> = RULES.iter().map(|rule| rule.name).filter(|name| !seen.contains(name)).collect();
            assert_eq!(missing, ["answered"], "that one has a test of its own");
        }
    };
}

found_out! {
    no_guard: NoGuard breaks "same-reply", "at-once", "no-do-after-undo", "no-do-after-early-undo", "late-do", "late-repeat", "late-undo", "done-row-stays", "query-unknown", "query-done", "query-undone", "remembers-a-no", "undo-of-a-no", "shuffled", "once-in-the-books", "unknown-call", "wrong-headers";
    no_guard_and_constant_replies: NoGuardAndConstantReplies breaks "no-do-after-undo", "no-do-after-early-undo", "late-do", "late-undo", "done-row-stays", "query-unknown", "query-undone", "remembers-a-no", "undo-of-a-no", "shuffled", "once-in-the-books", "unknown-call", "wrong-headers";
    ignores_reply_partition: IgnoresReplyPartition breaks "answered-where-asked";
    ignores_reply_topic: IgnoresReplyTopic breaks "answered-where-asked";
    replies_as_first_attempt: RepliesAsFirstAttempt breaks "names-its-command";
    replies_without_kind: RepliesWithoutKind breaks "names-its-command";
    replies_without_type: RepliesWithoutType breaks "readable-reply";
    replies_in_another_shape: RepliesInAnotherShape breaks "keeps-the-contract";
    fails_with_an_undeclared_code: FailsWithAnUndeclaredCode breaks "keeps-the-contract";
    cuts_ids_at_spaces: CutsIdsAtSpaces breaks "names-its-command";
    drops_ids_beyond_ascii: DropsIdsBeyondAscii breaks "strange-ids";
    needs_optional_headers: NeedsOptionalHeaders breaks "extra-headers";
    has_a_small_buffer: HasASmallBuffer breaks "largest-request";
    makes_up_a_reply_for_repeats: MakesUpAReplyForRepeats breaks "same-reply", "at-once", "late-repeat", "done-row-stays";
    refuses_undo: RefusesUndo breaks "undo-takes-back", "undo-again", "no-do-after-undo", "late-undo", "done-row-stays", "query-undone", "shuffled", "once-in-the-books";
    refuses_second_undo: RefusesSecondUndo breaks "undo-again", "shuffled";
    forgets_undone: ForgetsUndone breaks "no-do-after-undo", "no-do-after-early-undo", "late-undo", "done-row-stays", "undo-of-a-no", "once-in-the-books";
    refuses_undo_without_row: RefusesUndoWithoutRow breaks "undo-before-do", "no-do-after-early-undo";
    leaves_no_row_of_early_undo: LeavesNoRowOfEarlyUndo breaks "no-do-after-early-undo";
    ignores_deadlines: IgnoresDeadlines breaks "late-do", "once-in-the-books";
    remembers_expired: RemembersExpired breaks "late-do";
    expires_repeats: ExpiresRepeats breaks "late-repeat";
    expires_undo: ExpiresUndo breaks "late-undo";
    purges_done: PurgesDone breaks "done-row-stays";
    fails_unknown_queries: FailsUnknownQueries breaks "late-do", "query-unknown", "unknown-call", "wrong-headers";
    claims_for_queries: ClaimsForQueries breaks "late-do", "query-unknown";
    forgets_for_queries: ForgetsForQueries breaks "query-done", "remembers-a-no";
    answers_queries_of_undone_as_done: AnswersQueriesOfUndoneAsDone breaks "query-undone", "shuffled";
    forgets_refusals: ForgetsRefusals breaks "remembers-a-no";
    refuses_undo_of_refused: RefusesUndoOfRefused breaks "undo-of-a-no";
    goes_by_the_instance: GoesByTheInstance breaks "one-id-one-command";
    works_again_and_replies_the_same: WorksAgainAndRepliesTheSame breaks "once-in-the-books";
    works_past_the_deadline: WorksPastTheDeadline breaks "once-in-the-books";
    does_unknown_calls: DoesUnknownCalls breaks "unknown-call";
    takes_any_request: TakesAnyRequest breaks "unfit-request";
    guesses_missing_headers: GuessesMissingHeaders breaks "wrong-headers";
    dies_of_garbage: DiesOfGarbage breaks "garbage";
    dies_of_large_payloads: DiesOfLargePayloads breaks "oversized";
}

#[test]
fn a_guard_in_the_memory_of_each_process_is_found_out() {
    let Some(report) = probe_culprit(None, 3, &["at-once"]) else { return };
    assert!(broken(&report).contains("at-once"), "{:#?}", report.findings);
}

#[test]
fn a_promise_that_is_never_kept_is_no_answer() {
    let Some(report) = probe_culprit(Some(Bug::StaysPending), 1, &["answered"]) else { return };
    assert_eq!(broken(&report), BTreeSet::from(["answered"]), "{:#?}", report.findings);
}

#[test]
fn who_answers_nothing_is_said_to() {
    let Some(mut stage) = Stage::new() else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::Silent), books, 0));
    let report = stage.probe("echo 0", &[]);
    assert!(!report.is_answered);
    assert_eq!(report.count(Outcome::Broken), 0);
}

/// The command, with what differs from run to run left out.
fn shown(stage: &Stage, arguments: &[&str]) -> String {
    let desk = Desk::with("rooms.saga", definition(stage.participant, &stage.topic));
    let mut all = vec!["probe", "rooms.saga", "--kafka", &stage.address, "--prefix", &stage.prefix];
    all.extend(["--participant", "rooms", "--within", "5"]);
    all.extend(arguments);
    let run = desk.saga(&all).replace(&stage.address, "HOST:PORT").replace(&stage.prefix, "PREFIX");
    // Ids of this one probe, to their end or where they are cut.
    let mut pieces = run.split("probe-");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |shown, piece| {
        let end = piece.find(['"', '…', '`']).unwrap_or_default();
        shown + "ID" + piece.split_at(end).1
    })
}

#[test]
fn the_command_shows_what_is_broken() {
    let Some(mut stage) = Stage::new() else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::ForgetsRefusals), books, 0));
    insta::assert_snapshot!(shown(&stage, &["--refused", r#"ReserveRoom={"hotel":"Full","nights":1}"#]));
}

#[test]
fn the_command_says_why_a_rule_was_not_tried() {
    let Some(mut stage) = Stage::new() else { return };
    stage.begin_library(1);
    insta::assert_snapshot!(shown(&stage, &["--request", r#"ReserveRoom={"hotel":"Full","nights":1}"#]));
}

#[test]
fn programs_read_json_and_build_servers_xml() {
    let Some(mut stage) = Stage::new() else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::IgnoresDeadlines), books, 0));
    let junit = stage.folder.path().join("probe.xml");
    let desk = Desk::with("rooms.saga", definition(stage.participant, &stage.topic));
    let file = junit.display().to_string();
    let mut arguments = vec!["probe", "rooms.saga", "--kafka", &stage.address, "--prefix", &stage.prefix];
    arguments.extend(["--participant", "rooms", "--json", "--junit", &file]);
    let output = desk.command(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let late = report["findings"].as_array().unwrap().iter().find(|finding| finding["rule"] == "late-do").unwrap();
    assert_eq!(late["outcome"], "broken");
    assert_eq!(late["page"], "docs/participants.md#the-guard");
    assert_eq!(late["sent"], json!(["do past its deadline"]));
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("<testsuite name=\"saga probe rooms\""), "{xml}");
    assert!(xml.contains("<testcase name=\"late-do (ReserveRoom)\""), "{xml}");
    assert_eq!(xml.matches("<failure").count(), 1, "{xml}"); // the books were not asked for
}

#[test]
fn arguments_that_make_no_sense() {
    let Some(stage) = Stage::new() else { return };
    insta::assert_snapshot!(shown(&stage, &["--call", "ReserveRom"]));
    insta::assert_snapshot!(shown(&stage, &["--request", r#"ReserveRoom={"hotel":1}"#]));
    let desk = Desk::new();
    let arguments = ["probe", "--kafka", &stage.address, "--prefix", &stage.prefix, "--participant", "rooms"];
    let shown = desk.saga(&arguments).replace(&stage.address, "HOST:PORT").replace(&stage.prefix, "PREFIX");
    insta::assert_snapshot!(shown);
}
