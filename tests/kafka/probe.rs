//! `saga probe` against participants on a real Kafka: the one by the page alone passes, and each that breaks a rule is
//! found out. The libraries are tried in `conformance.rs`.

use std::collections::BTreeSet;

use saga::participant::probe::{Outcome, RULES, Report};
use serde_json::{Value, json};

use super::conformance::rooms;
use super::culprits::{Bug, Culprit};
use super::rivals::reader;
use super::stage::{FOR_GOOD, ROOMS, Stage};
use crate::cli::Desk;

fn broken(report: &Report) -> BTreeSet<&'static str> {
    let findings = report.findings.iter().filter(|finding| finding.outcome == Outcome::Broken);
    findings.map(|finding| finding.rule).collect()
}

/// All that the probe has to say about a participant with this bug.
fn probe_culprit(bug: Option<Bug>, processes: u32, only: &[&str]) -> Option<Report> {
    let mut stage = Stage::of(&ROOMS)?;
    for number in 0..processes {
        let books = stage.folder.path().join(if number == 0 { "books".to_owned() } else { format!("books{number}") });
        stage.begin(Culprit::new(bug, books, number));
    }
    stage.wait_for_readers(usize::try_from(processes).unwrap());
    Some(stage.probe(&format!("cat {}", stage.books().display()), only))
}

fn keeps_every_rule(bug: Option<Bug>) {
    let Some(report) = probe_culprit(bug, 1, &[]) else { return };
    let not_kept: Vec<_> = report.findings.iter().filter(|finding| finding.outcome != Outcome::Kept).collect();
    assert!(not_kept.is_empty() && report.left.is_empty(), "{not_kept:#?} {:?}", report.left);
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
}

#[test]
fn a_participant_by_the_page_alone_keeps_every_rule() {
    keeps_every_rule(None);
}

#[test]
fn who_is_pending_before_each_answer_keeps_every_rule() {
    keeps_every_rule(Some(Bug::PendingFirst));
}

#[test]
fn who_says_retry_now_and_then_keeps_every_rule() {
    keeps_every_rule(Some(Bug::RetriesNowAndThen));
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
            assert_eq!(missing, ["answered", "committed-only"], "these have tests of their own");
        }
    };
}

found_out! {
    no_guard: NoGuard breaks "same-reply", "at-once", "no-do-after-undo", "no-do-after-early-undo", "late-do", "late-repeat", "late-undo", "done-row-stays", "query-unknown", "query-done", "query-undone", "remembers-a-no", "failed-row-stays", "undo-of-a-no", "shuffled", "once-in-the-books", "unknown-call", "wrong-attributes";
    no_guard_and_constant_replies: NoGuardAndConstantReplies breaks "no-do-after-undo", "no-do-after-early-undo", "late-do", "late-undo", "done-row-stays", "query-unknown", "query-undone", "remembers-a-no", "failed-row-stays", "undo-of-a-no", "shuffled", "once-in-the-books", "unknown-call", "wrong-attributes";
    ignores_reply_partition: IgnoresReplyPartition breaks "answered-where-asked";
    ignores_reply_topic: IgnoresReplyTopic breaks "answered-where-asked";
    replies_as_first_attempt: RepliesAsFirstAttempt breaks "names-its-command";
    replies_without_kind: RepliesWithoutKind breaks "names-its-command";
    replies_without_type: RepliesWithoutType breaks "readable-reply";
    replies_in_another_shape: RepliesInAnotherShape breaks "keeps-the-contract";
    fails_with_an_undeclared_code: FailsWithAnUndeclaredCode breaks "keeps-the-contract";
    cuts_ids_at_spaces: CutsIdsAtSpaces breaks "names-its-command";
    drops_ids_beyond_ascii: DropsIdsBeyondAscii breaks "strange-ids";
    needs_optional_attributes: NeedsOptionalAttributes breaks "extra-attributes";
    has_a_small_buffer: HasASmallBuffer breaks "largest-request";
    makes_up_a_reply_for_repeats: MakesUpAReplyForRepeats breaks "same-reply", "at-once", "late-repeat", "done-row-stays";
    refuses_undo: RefusesUndo breaks "undo-takes-back", "undo-again", "no-do-after-undo", "late-undo", "done-row-stays", "query-undone", "shuffled", "once-in-the-books";
    refuses_second_undo: RefusesSecondUndo breaks "undo-again", "shuffled";
    forgets_undone: ForgetsUndone breaks "no-do-after-undo", "no-do-after-early-undo", "late-undo", "done-row-stays", "undo-of-a-no", "once-in-the-books";
    refuses_undo_without_row: RefusesUndoWithoutRow breaks "undo-before-do", "no-do-after-early-undo", "late-undo";
    leaves_no_row_of_early_undo: LeavesNoRowOfEarlyUndo breaks "no-do-after-early-undo", "late-undo";
    ignores_deadlines: IgnoresDeadlines breaks "late-do", "once-in-the-books";
    remembers_expired: RemembersExpired breaks "late-do";
    expires_repeats: ExpiresRepeats breaks "late-repeat", "remembers-a-no";
    expires_undo: ExpiresUndo breaks "late-undo";
    purges_done: PurgesDone breaks "done-row-stays";
    purges_failed: PurgesFailed breaks "failed-row-stays";
    fails_unknown_queries: FailsUnknownQueries breaks "late-do", "query-unknown", "unknown-call", "wrong-attributes";
    claims_for_queries: ClaimsForQueries breaks "late-do", "query-unknown";
    forgets_for_queries: ForgetsForQueries breaks "query-done", "remembers-a-no";
    answers_queries_of_undone_as_done: AnswersQueriesOfUndoneAsDone breaks "query-undone", "shuffled";
    forgets_refusals: ForgetsRefusals breaks "remembers-a-no", "failed-row-stays";
    refuses_undo_of_refused: RefusesUndoOfRefused breaks "undo-of-a-no";
    goes_by_the_instance: GoesByTheInstance breaks "one-id-one-command";
    works_again_and_replies_the_same: WorksAgainAndRepliesTheSame breaks "once-in-the-books";
    works_past_the_deadline: WorksPastTheDeadline breaks "once-in-the-books";
    does_unknown_calls: DoesUnknownCalls breaks "unknown-call";
    takes_any_request: TakesAnyRequest breaks "unfit-request";
    leaves_rows_of_unknown_calls: LeavesRowsOfUnknownCalls breaks "unknown-call";
    takes_the_last_of_two: TakesTheLastOfTwo breaks "wrong-attributes";
    guesses_missing_attributes: GuessesMissingAttributes breaks "wrong-attributes";
    dies_of_messages: DiesOfMessages breaks "unknown-message";
    dies_of_garbage: DiesOfGarbage breaks "garbage";
    dies_of_large_payloads: DiesOfLargePayloads breaks "oversized";
    pending_without_a_guard: PendingFirstWithoutGuard breaks "same-reply", "at-once", "no-do-after-undo", "no-do-after-early-undo", "late-do", "late-repeat", "late-undo", "done-row-stays", "query-unknown", "query-done", "query-undone", "remembers-a-no", "failed-row-stays", "undo-of-a-no", "shuffled", "once-in-the-books", "unknown-call", "wrong-attributes";
    cuts_keys_off: CutsKeysOff breaks "one-id-one-command";
    leaves_no_row_of_late_undo: LeavesNoRowOfLateUndo breaks "late-undo";
    expires_undone: ExpiresUndone breaks "no-do-after-undo";
    drops_repeats: DropsRepeats breaks "same-reply", "at-once", "late-repeat", "done-row-stays", "remembers-a-no", "failed-row-stays";
}

#[test]
fn a_guard_in_the_memory_of_each_process_is_found_out() {
    let Some(report) = probe_culprit(None, 3, &["at-once"]) else { return };
    assert!(broken(&report).contains("at-once"), "{:#?}", report.findings);
}

/// As one does whose processes change: it answers late, or not, but by the right numbers.
#[test]
fn who_leaves_some_unanswered_names_nothing_wrong() {
    let only = ["at-once", "names-its-command", "shuffled"];
    let Some(report) = probe_culprit(Some(Bug::LeavesSomeUnanswered), 1, &only) else { return };
    assert!(!broken(&report).contains("names-its-command") && !broken(&report).is_empty(), "{report:#?}");
}

/// It is told of its replies, and not of what is particular about the commands that happen to get none.
#[test]
fn who_loses_replies_is_told_of_them_and_of_nothing_else() {
    let only = ["answered", "strange-ids", "same-reply"];
    let Some(report) = probe_culprit(Some(Bug::LeavesSomeUnanswered), 1, &only) else { return };
    assert_eq!(broken(&report), BTreeSet::from(["answered"]), "{:#?}", report.findings);
    let how =
        |rule| report.findings.iter().find(|finding| finding.rule == rule).unwrap().how.clone().unwrap_or_default();
    assert_eq!(how("strange-ids"), "a reply got lost on the way: see `answered`");
    let lost = "a reply got lost: `do` got nothing within 5s, and the same command, sent again as it was, is answered";
    assert!(how("answered").contains(lost), "{}", how("answered"));
}

/// The engine does without, so no rule is broken.
#[test]
fn what_people_and_tools_miss_in_replies_is_a_remark() {
    for (bug, said) in [
        (Bug::AnswersByAnotherKey, "have another key than their command"),
        (Bug::EndsTraces, "do not hand on the `traceparent` of their command"),
    ] {
        let Some(report) = probe_culprit(Some(bug), 1, &["answered", "extra-attributes"]) else { return };
        assert_eq!(broken(&report), BTreeSet::new());
        let [remark] = &*report.remarks else { panic!("{:?}", report.remarks) };
        assert!(remark.contains(said), "{remark}");
    }
}

#[test]
fn who_takes_what_was_never_committed_is_found_out() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin_uncommitted(Culprit::new(None, books, 0));
    stage.wait_for_readers(1);
    let report = stage.probe("echo 0", &["answered", "committed-only", "garbage"]);
    assert_eq!(broken(&report), BTreeSet::from(["committed-only"]), "{:#?}", report.findings);
}

/// Nobody can be asked by a query there.
#[test]
fn a_row_of_an_unknown_call_shows_without_queries() {
    let Some(mut stage) = Stage::of(&FOR_GOOD) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::LeavesRowsOfUnknownCalls), books, 0));
    let output = stage.run(&["--call", "ReserveRoom", "--rule", "unknown-call"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let how = "a command that it has, by the same id behind it: it answers failed, unknown-call to ReserveRoom";
    assert!(output.status.code() == Some(1) && said.contains(how), "{said}");
}

#[test]
fn who_answers_new_commands_and_no_repeat_is_told_so() {
    let Some(report) = probe_culprit(Some(Bug::DropsRepeats), 1, &["same-reply", "undo-takes-back"]) else { return };
    let how = |rule| report.findings.iter().find(|finding| finding.rule == rule).map(|finding| finding.how.clone());
    let said = "a redelivered `do` gets nothing within 5s; it answers new commands, but not this one that came before: reply \
                again, since the reply may have been lost";
    assert_eq!(how("same-reply"), Some(Some(said.to_owned())));
    assert_eq!(how("undo-takes-back"), Some(None), "it is tried: {:#?}", report.findings);
}

#[test]
fn a_promise_that_is_never_kept_is_no_answer() {
    let Some(report) = probe_culprit(Some(Bug::StaysPending), 1, &["answered"]) else { return };
    assert_eq!(broken(&report), BTreeSet::from(["answered"]), "{:#?}", report.findings);
}

#[test]
fn who_answers_nothing_is_said_to() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::Silent), books, 0));
    let report = stage.probe("echo 0", &[]);
    assert!(!report.is_answered);
    assert_eq!(report.count(Outcome::Broken), 0);
    // Whoever comes up now does the command, and takes it back.
    let sent: Vec<_> = stage.sent().iter().map(|sent| (sent["command"].clone(), sent["kind"].clone())).collect();
    let [left] = &*report.left else { panic!("{:?}", report.left) };
    let id = json!(left.command);
    assert_eq!(sent, [(id.clone(), json!("do")), (id, json!("undo"))]);
}

/// The command, with what differs from run to run left out.
fn shown(stage: &Stage, arguments: &[&str]) -> String {
    let (desk, all) = stage.command(&[&["--within", "5"], arguments].concat());
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
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
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::ForgetsRefusals), books, 0));
    insta::assert_snapshot!(shown(&stage, &["--refused", r#"ReserveRoom={"hotel":"Full","nights":1}"#]));
}

#[test]
fn the_command_says_why_a_rule_was_not_tried() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    stage.begin_library(rooms(&stage.folder.path().join("rooms.db")));
    insta::assert_snapshot!(shown(&stage, &["--request", r#"ReserveRoom={"hotel":"Full","nights":1}"#]));
}

/// A bridge that was left running makes a participant that keeps every rule look as if it kept few.
#[test]
fn who_else_reads_the_topic_is_named_before_the_rules_and_behind_them() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(None, books, 0));
    stage.wait_for_readers(1);
    let alone = stage.run(&["--rule", "answered"]);
    assert!(!String::from_utf8_lossy(&alone.stderr).contains("groups read"), "{alone:?}");
    let _other = reader(&stage.address, &stage.topic);
    let output = stage.run(&["--rule", "answered"]);
    let topic = &stage.topic;
    let named = format!("2 groups read `{topic}` ({topic}.hotels, {topic}.readers), and each gets every command");
    for said in [&output.stderr, &output.stdout] {
        let said = String::from_utf8_lossy(said);
        assert!(said.contains(&named), "{said}");
    }
}

#[test]
fn programs_read_json_and_build_servers_xml() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(Some(Bug::IgnoresDeadlines), books, 0));
    let junit = stage.folder.path().join("probe.xml");
    let output = stage.run(&["--json", "--junit", &junit.display().to_string()]);
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
    let Some(stage) = Stage::of(&ROOMS) else { return };
    insta::assert_snapshot!(shown(&stage, &["--call", "ReserveRom"]));
    insta::assert_snapshot!(shown(&stage, &["--request", r#"ReserveRoom={"hotel":1}"#]));
    let request = shown(&stage, &["--request", "ReserveRoom={"]);
    let hint = r#"hint: JSON in single quotes for the shell: --request ReserveRoom='{"name": "ana"}'"#;
    assert!(request.contains(hint), "{request}");
    let desk = Desk::new();
    let arguments = ["probe", "--kafka", &stage.address, "--prefix", &stage.prefix, "--participant", "rooms"];
    let shown = desk.saga(&arguments).replace(&stage.address, "HOST:PORT").replace(&stage.prefix, "PREFIX");
    insta::assert_snapshot!(shown);
}

#[test]
fn where_nothing_could_be_tried_that_is_no_success() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(None, books, 0));
    let output = stage.run(&["--rule", "once-in-the-books"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("nothing could be tried"), "{said}");
}

#[test]
fn where_what_is_given_is_of_no_use_that_is_no_success() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(None, books, 0));
    let doable = r#"ReserveRoom={"hotel":"Lux","nights":1}"#;
    for (given, said) in [
        (["once-in-the-books", "--books", "exit 3"], "for which --books is given: its books cannot be read: `exit 3`"),
        (["remembers-a-no", "--refused", doable], "to what --refused says that it refuses"),
    ] {
        let output = stage.run(&[&["--rule", "answered", "--rule"][..], &given].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(said), "{error}");
    }
}

/// Of what no saga takes back, one rule on refusals can be tried, and the other cannot.
#[test]
fn what_one_rule_could_use_was_not_given_in_vain() {
    let Some(mut stage) = Stage::of(&FOR_GOOD) else { return };
    let books = stage.books();
    stage.begin(Culprit::new(None, books, 0));
    let refused = ["--call", "ReserveRoom", "--refused", r#"ReserveRoom={"hotel":"Full","nights":1}"#];
    for (rules, code) in [
        (&["--rule", "remembers-a-no", "--rule", "undo-of-a-no"][..], 0),
        (&["--rule", "answered", "--rule", "undo-of-a-no"][..], 2),
    ] {
        let output = stage.run(&[&refused, rules].concat());
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
