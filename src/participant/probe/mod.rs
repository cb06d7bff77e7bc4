//! `saga probe`: asks a participant on its own topic what goes wrong in production, and says which rules of
//! `docs/participants.md` it breaks.
//!
//! ```text
//!   definition -> Subject (what can be asked, and how it is taken back)
//!                    |
//!   rules::RULES ----+--> Talk: commands by the public wire -> topic of commands -> … the participant …
//!                             judges what comes             <- a topic of replies of the probe's own
//!                    +--> Report
//! ```
//!
//! Live sagas are not disturbed: the instances have ids that no saga has, replies come on a topic that no orchestrator
//! reads, and the probe is in no group. The work itself is real; what can be taken back, is.

mod subject;
mod said;
mod talk;
mod hear;
mod silence;
mod rules;
mod guarded;
mod rough;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compact_str::CompactString;

use crate::log::kafka::{OpenError, Raw};

pub use report::{Finding, Left, Outcome, Report};
pub use rules::{RULES, Rule, Scope};
pub use said::Books;
pub use subject::{Call, Subject, SubjectError, Wishes};
pub use talk::first_within;

use rules::{ANSWERED, Check};
use silence::Silence;
use talk::{Talk, Wrong};

/// The partitions of the probe's own topic of replies: more than one, so that a participant which chooses by itself is seen.
pub const REPLY_PARTITIONS: u32 = 3;

/// How long what came there is kept: for a look at it.
pub const REPLIES_KEPT: Duration = Duration::from_hours(1);

/// The places between which messages go.
#[derive(Clone, Debug)]
pub struct Places {
    /// The participant's topic of commands, and its partitions.
    pub commands: (String, u32),
    /// The groups that read it, as far as the broker tells.
    pub groups: BTreeSet<String>,
    /// The probe's topic of replies, and its partitions.
    pub replies: (String, u32),
    /// Topics where replies come that go astray.
    pub astray: Vec<(String, u32)>,
}

/// How a probe goes about it.
pub struct Options {
    /// Stands in all ids of this probe, and nowhere else.
    pub tag: String,
    /// How long an answer may take.
    pub within: Duration,
    /// Names of the rules to try; all if there are none.
    pub only: Vec<String>,
    /// What shows what the participant has in its books.
    pub books: Option<Books>,
}

/// Tries all rules, one after the other; `tell` hears of each as soon as it is known.
///
/// # Errors
/// The broker cannot be used.
pub fn run(
    raw: &Raw,
    places: &Places,
    subject: &Subject,
    options: Options,
    mut tell: impl FnMut(&Finding),
) -> Result<Report, OpenError> {
    let mut followed = vec![places.replies.clone()];
    followed.extend(places.astray.iter().cloned());
    raw.follow(&followed)?;
    let only = options.only.clone();
    let is_wanted = |rule: &&Rule| only.is_empty() || only.iter().any(|name| *name == rule.name);
    let is_answered_wanted = RULES.iter().filter(is_wanted).any(|rule| rule.name == ANSWERED);
    let mut talk = Talk::new(raw, places, subject, options);
    let mut report = Report::new(subject, places);
    if let Some(first) = subject.calls.first() {
        report.is_answered = talk.is_answered(first);
        talk.end();
    }
    // Commands that it refuses to do with the request that there is: nothing can be learnt by them.
    let mut refused: BTreeMap<CompactString, Option<Wrong>> = BTreeMap::new();
    let mut is_first: BTreeSet<CompactString> = BTreeSet::new();
    // Of options that were given for a command: rules that could not be tried by them, until one can.
    let mut in_vain = InVain::new();
    for rule in RULES.iter().filter(is_wanted) {
        let Check::Tried(check) = rule.check else { continue };
        let calls: &[Call] = match rule.scope {
            Scope::Once => subject.calls.get(..1).unwrap_or_default(),
            Scope::EachCall => &subject.calls,
        };
        for call in calls {
            let name = &call.command.name;
            if report.is_answered && !refused.contains_key(name) {
                let mut case = talk.case(call);
                let done = talk.done(&mut case).and_then(|_| talk.put_back(&mut case));
                talk.end();
                talk.silent = None;
                refused.insert(name.clone(), done.err().filter(|wrong| matches!(wrong, Wrong::Untried(_))));
            }
            let outcome = if !report.is_answered {
                Err(Wrong::untried("it answers nothing"))
            } else if let Some(Some(untried)) = refused.get(name) {
                // In full the first time, which is what people read.
                if is_first.insert(name.clone()) {
                    Err(untried.clone())
                } else {
                    Err(Wrong::untried("its request is refused"))
                }
            } else if talk.is_mute() {
                Err(Wrong::untried("it has stopped answering"))
            } else {
                check(&mut talk, call)
            };
            if let Some(why) = talk.lost.take() {
                return Err(raw.refused("send commands to the participant", why));
            }
            let is_possible = report.is_answered && refused.get(name).is_some_and(Option::is_none) && !talk.is_mute();
            let said = talk.end();
            let silence = talk.why_silent(call);
            talk.sent.clear();
            // Not where it was silent on the way, and something else is broken.
            let is_of_silence = |how: &String, talk: &Talk<'_>| how.contains(&talk.nothing());
            let (outcome, is_lost) = match (outcome, silence) {
                (Err(Wrong::Broken(how)), Some(Silence::GoesOn(why))) if is_of_silence(&how, &talk) => {
                    (Err(Wrong::Broken(format!("{how}; {why}"))), false)
                }
                (Err(Wrong::Broken(how)), Some(Silence::Lost(why))) if is_of_silence(&how, &talk) => {
                    (Err(talk.lost_a_reply(rule, why, is_answered_wanted)), true)
                }
                (outcome, _) => (outcome, false),
            };
            if let (Some(option), true) = (rule.wanted_by(talk.options.books.as_ref(), call), is_possible) {
                let why = match &outcome {
                    Err(Wrong::Untried(why)) => Some(why),
                    _ => None,
                };
                note_use(&mut in_vain, (option, name.clone()), rule, why);
            }
            let finding = Finding::of(rule, Some(call), outcome, said);
            tell(&finding);
            if (finding.outcome == Outcome::Broken || is_lost) && !talk.is_mute() {
                // What it has left would be in the way of the next rule.
                report.left.extend(talk.tidy());
                talk.why_silent(call);
                talk.sent.clear();
                talk.end();
            }
            report.findings.push(finding);
        }
    }
    report.left.extend(talk.tidy());
    report.in_vain = in_vain.into_values().flatten().flatten().collect();
    report.refused = refused.into_iter().filter_map(|(name, wrong)| wrong.map(|_| name)).collect();
    talk.drain();
    report.add_faults(&talk, &is_wanted, &mut tell);
    report.remarks = talk.marks.remarks(talk.heard);
    Ok(report)
}

/// By option and command: rules that were not tried, each with the reason; nothing once one was.
type InVain = BTreeMap<(&'static str, CompactString), Option<Vec<String>>>;

/// Notes that a rule was tried by what was given for it, or why not. What one rule could use was not given in vain: of a command
/// that no saga takes back, `--refused` serves one rule and not the other.
fn note_use(in_vain: &mut InVain, (option, call): (&'static str, CompactString), rule: &Rule, why: Option<&String>) {
    let said = why.map(|why| format!("`{}` was not tried with {call}, for which {option} is given: {why}", rule.name));
    let known = in_vain.entry((option, call)).or_insert_with(|| Some(Vec::new()));
    match (known.as_mut(), said) {
        (Some(all), Some(said)) => all.push(said),
        (_, None) => *known = None,
        (None, Some(_)) => {}
    }
}
