//! What came of a probe: for programs as JSON, for build servers as XML. Tables for people are the command's.

use std::collections::BTreeSet;
use std::time::Duration;

use compact_str::CompactString;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::Places;
use super::rules::{Check, RULES, Rule};
use super::subject::{Call, Subject};
use super::talk::{Said, Talk, Wrong};

/// Where the rules stand.
const PAGE: &str = "docs/participants.md";

/// How a rule fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is kept.
    Kept,
    /// It is broken.
    Broken,
    /// It could not be tried.
    Untried,
}

/// One rule, tried on one command. The JSON is stable.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// The command with which it was tried; none of a rule on all replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CompactString>,
    /// How it fared.
    pub outcome: Outcome,
    /// What was sent, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<String>,
    /// What came, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub came: Vec<String>,
    /// What is expected.
    pub expected: &'static str,
    /// Where that is said.
    pub page: String,
    /// What goes wrong otherwise.
    pub why: &'static str,
    /// How it is broken, or why it could not be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

impl Finding {
    pub(super) fn of(rule: &Rule, call: Option<&Call>, outcome: Result<(), Wrong>, said: Said) -> Self {
        let (outcome, how) = match outcome {
            Ok(()) => (Outcome::Kept, None),
            Err(Wrong::Broken(how)) => (Outcome::Broken, Some(how)),
            Err(Wrong::Untried(why)) => (Outcome::Untried, Some(why)),
        };
        Self {
            rule: rule.name,
            call: call.map(|call| call.command.name.clone()),
            outcome,
            sent: said.sent,
            came: said.came,
            expected: rule.says,
            page: format!("{PAGE}#{}", rule.anchor),
            why: rule.why,
            how,
        }
    }
}

/// A command that the probe could not take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Its id.
    pub command: CompactString,
    /// What it did.
    pub call: CompactString,
    /// Whether what takes it back is sent, and nobody was there to answer it.
    #[serde(rename = "undo_sent")]
    pub is_undo_sent: bool,
}

/// What came of a probe. The JSON is stable.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The participant.
    pub participant: CompactString,
    /// Its topic.
    pub topic: String,
    /// The groups that read it, as far as the broker tells: with more than one, what was found is not of one participant.
    pub groups: BTreeSet<String>,
    /// Whether anything came back at all.
    #[serde(rename = "answered")]
    pub is_answered: bool,
    /// Rule by rule.
    pub findings: Vec<Finding>,
    /// Commands with which nothing could be tried, since the participant refuses the request.
    pub refused: Vec<CompactString>,
    /// Rules that were not tried though what they need was given, each with the reason.
    pub in_vain: Vec<String>,
    /// What may still be in effect.
    pub left: Vec<Left>,
    /// What no rule asks for, and people and tools miss.
    pub remarks: Vec<String>,
}

impl Report {
    pub(super) fn new(subject: &Subject, places: &Places) -> Self {
        Self {
            participant: subject.participant.name.clone(),
            topic: places.commands.0.clone(),
            groups: places.groups.clone(),
            is_answered: false,
            findings: Vec::new(),
            refused: Vec::new(),
            in_vain: Vec::new(),
            left: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// How many rules fared so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }

    /// Adds the rules on all replies, and what came too late for its own.
    pub(super) fn add_faults(
        &mut self,
        talk: &Talk<'_>,
        wanted: &impl Fn(&&Rule) -> bool,
        tell: &mut impl FnMut(&Finding),
    ) {
        for rule in RULES.iter().filter(|rule| wanted(rule)) {
            let fault = talk.faults.get(rule.name);
            match rule.check {
                Check::OfAllReplies => {
                    let came = format!("{} replies", talk.heard);
                    let outcome = match fault {
                        Some(fault) => Err(Wrong::Broken(counted(fault))),
                        None if talk.heard == 0 => Err(Wrong::untried("there are none")),
                        None => Ok(()),
                    };
                    let said = Said { sent: vec!["all of the above".to_owned()], came: vec![came] };
                    let finding = Finding::of(rule, None, outcome, said);
                    tell(&finding);
                    self.findings.push(finding);
                }
                Check::Tried(_) => {
                    let Some(fault) = fault else { continue };
                    let unbroken = |known: &&mut Finding| known.rule == rule.name && known.outcome != Outcome::Broken;
                    for finding in self.findings.iter_mut().filter(unbroken) {
                        finding.outcome = Outcome::Broken;
                        finding.how = Some(format!("later, {}", counted(fault)));
                        tell(finding);
                    }
                }
            }
        }
    }

    /// As the XML of `JUnit`: a case for each rule and command, and an error for what kept rules from being tried at all.
    /// A build server looks at failures and errors alone, and would take a probe that learnt nothing for a success.
    ///
    /// # Errors
    /// It cannot be written as text.
    pub fn junit(&self, took: Duration) -> Result<String, quick_junit::SerializeError> {
        let mut suite = TestSuite::new(format!("saga probe {}", self.participant));
        suite.set_time(took);
        let classname = format!("{}.{}", self.topic, self.participant);
        for (name, why) in self.errors() {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(why).set_type("untried");
            let mut case = TestCase::new(name, status);
            case.set_classname(&classname);
            suite.add_test_case(case);
        }
        for finding in &self.findings {
            let how = finding.how.clone().unwrap_or_default();
            let status = match finding.outcome {
                Outcome::Kept => TestCaseStatus::success(),
                Outcome::Broken => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    let Finding { sent, came, expected, page, why, .. } = finding;
                    status.set_message(&how).set_type(finding.rule).set_description(format!(
                        "expected: {expected}\nsent:     {}\ncame:     {}\nwhy:      {why}\nsee {page}",
                        sent.join("; "),
                        came.join("; ")
                    ));
                    status
                }
                Outcome::Untried => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(&how);
                    status
                }
            };
            let name = match &finding.call {
                Some(call) => format!("{} ({call})", finding.rule),
                None => finding.rule.to_owned(),
            };
            let mut case = TestCase::new(name, status);
            case.set_classname(&classname);
            suite.add_test_case(case);
        }
        let mut report = quick_junit::Report::new("saga probe");
        report.set_time(took).add_test_suite(suite);
        report.to_string()
    }

    /// What kept rules from being tried, each with a name.
    fn errors(&self) -> Vec<(String, String)> {
        let Self { participant, topic, .. } = self;
        if !self.is_answered {
            let why = format!("`{participant}` answers nothing: no reply to a command on `{topic}` came in time");
            return vec![("somebody answers".to_owned(), why)];
        }
        let refused = |call| {
            let why = format!("`{participant}` refuses the request for {call}, so nothing could be tried with it");
            (format!("the request is taken ({call})"), why)
        };
        let in_vain = |why: &String| ("what is given is of use".to_owned(), why.clone());
        self.refused.iter().map(refused).chain(self.in_vain.iter().map(in_vain)).collect()
    }
}

/// A fault, and how many there were of it.
fn counted((how, count): &(String, u32)) -> String {
    match count.saturating_sub(1) {
        0 => how.clone(),
        more => format!("{how}; and {more} more like it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_server_takes_a_probe_that_learnt_nothing_for_no_success() {
        let xml = |is_answered, refused: &[&str], in_vain: &[&str]| {
            let untried = Finding::of(&RULES[0], None, Err(Wrong::untried("why")), Said::default());
            let report = Report {
                participant: "rooms".into(),
                topic: "rooms.commands".to_owned(),
                groups: BTreeSet::new(),
                is_answered,
                findings: vec![untried],
                refused: refused.iter().map(|call| CompactString::new(call)).collect(),
                in_vain: in_vain.iter().map(|why| (*why).to_owned()).collect(),
                left: Vec::new(),
                remarks: Vec::new(),
            };
            report.junit(Duration::ZERO).unwrap()
        };
        let (silent, refusing, tried) = (xml(false, &[], &[]), xml(true, &["ReserveRoom"], &[]), xml(true, &[], &[]));
        let blind = xml(true, &[], &["its books cannot be read"]);
        assert!(blind.contains(r#"errors="1""#) && blind.contains("its books cannot be read"), "{blind}");
        assert!(silent.contains(r#"tests="2" skipped="1" errors="1" failures="0""#), "{silent}");
        assert!(silent.contains("`rooms` answers nothing: no reply to a command on `rooms.commands`"), "{silent}");
        assert!(refusing.contains(r#"errors="1""#), "{refusing}");
        assert!(refusing.contains("`rooms` refuses the request for ReserveRoom"), "{refusing}");
        assert!(tried.contains(r#"errors="0""#), "{tried}");
    }
}
