//! Where something was not answered: whether its reply got lost, whether the participant has stopped, or what else is to be
//! said of it.

use std::time::Instant;

use super::rules::{ANSWERED, Rule};
use super::subject::Call;
use super::talk::{Key, Talk, Wrong};
use crate::engine::ReplyKind;

/// How many new commands show whether one who was silent has stopped: the first may be lost as well.
const PINGS_MAX: u32 = 2;

/// What a silence was.
pub(super) enum Silence {
    /// The same command, sent again as it was, was answered: nothing about the command is wrong.
    Lost(String),
    /// It goes on answering others, and this is to be said of it.
    GoesOn(&'static str),
}

impl Talk<'_> {
    /// Where something was not answered: sends that again, and asks something new, in that partition, to learn whether the
    /// participant has stopped. If it has not, what the silence was.
    pub(super) fn why_silent(&mut self, call: &Call) -> Option<Silence> {
        let silent = self.silent.take()?;
        let is_same = |(other, _): &(&Key, &u32)| other.0 == silent.0 && other.1 == silent.1;
        let asked: u32 = self.asked.iter().filter(is_same).map(|(_, times)| times).sum();
        // Behind an `undo` the same command is another question.
        let is_undone = self.asked.keys().any(|other| other.0 == silent.0 && other.1 == ReplyKind::Undo);
        let said = self.end();
        let lost = (!is_undone || silent.1 == ReplyKind::Undo) && self.is_answered_again(&silent);
        let is_heard = lost || self.is_answering(call, &silent);
        self.said = said;
        self.silent = None;
        self.is_mute = !is_heard;
        match (lost, is_heard, asked) {
            (true, ..) => Some(Silence::Lost(format!(
                "a reply got lost: `{}` got {}, and the same command, sent again as it was, is answered",
                silent.1.as_str(),
                self.nothing()
            ))),
            (false, false, _) => None,
            (false, true, ..2) => Some(Silence::GoesOn("it goes on answering other commands")),
            (false, true, 2..) => Some(Silence::GoesOn(
                "it answers new commands, but not this one that came before: reply again, since the reply may have been lost",
            )),
        }
    }

    /// What is said of a rule at which a reply got lost. It is not this rule that is broken, and nobody is to look for what is
    /// particular about its command.
    pub(super) fn lost_a_reply(&mut self, rule: &Rule, why: String, is_answered_wanted: bool) -> Wrong {
        if rule.name == ANSWERED || !is_answered_wanted {
            return Wrong::Broken(why);
        }
        self.fault(ANSWERED, format!("while `{}` was tried, {why}", rule.name));
        Wrong::untried(format!("a reply got lost on the way: see `{ANSWERED}`"))
    }

    fn is_answered_again(&mut self, silent: &Key) -> bool {
        let Some(message) = self.sent.get(silent).cloned() else { return false };
        *self.asked.entry(silent.clone()).or_default() += 1;
        self.last = Some(silent.clone());
        let is_sent = self.send("the same again", &[message]).is_ok();
        is_sent && self.hear_next(silent, Instant::now() + self.options.within).is_some()
    }

    fn is_answering(&mut self, call: &Call, silent: &Key) -> bool {
        let partition = self.cases.get(&silent.0).map(|case| case.partition);
        (0..PINGS_MAX).any(|_| {
            let mut ping = self.case(call);
            ping.partition = partition.unwrap_or(ping.partition);
            self.ask(&mut ping, ReplyKind::Do).is_some() && self.put_back(&mut ping).is_ok()
        })
    }
}
