//! Steps: actions, compensations, payloads, and times with the defaults filled in.

use std::sync::Arc;

use indexmap::IndexMap;

use super::expressions::unknown;
use super::objects::Shape;
use super::participants::is_unknown;
use super::scope::{Kind, Place};
use super::{Lowering, listed, near};
use crate::definition::expression::{Expr, Typed};
use crate::definition::json::int_literal;
use crate::definition::limits::{DEFAULT_COMPENSATION_RETRY, DEFAULT_RETRY, DEFAULT_TIMEOUT, MAX_RETRIES};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::definition::{Command, Compensation, Invocation, Participant, Retry, Step, Timing, Verb};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree;

/// Times where a step says nothing.
pub(super) struct Defaults {
    step: Timing,
    compensation: Timing,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            step: Timing { timeout: DEFAULT_TIMEOUT, within: None, retry: DEFAULT_RETRY },
            compensation: Timing { timeout: DEFAULT_TIMEOUT, within: None, retry: DEFAULT_COMPENSATION_RETRY },
        }
    }
}

impl Lowering<'_> {
    pub(super) fn defaults(&mut self, written: &tree::Defaults) -> Defaults {
        let built_in = Defaults::default();
        Defaults {
            step: self.timing(&written.timing, &built_in.step),
            compensation: self.timing(&written.compensate, &built_in.compensation),
        }
    }

    pub(super) fn step(&mut self, step: &tree::Step, defaults: &Defaults, span: Span) -> Step {
        let mut ty = Type::Record(Arc::default());
        let action = step.action.as_ref().and_then(called).map(|(action, called)| {
            self.no_times(called, &step.timing);
            let timing = self.timing(&step.timing, &defaults.step);
            let (invocation, reply) = self.invocation(action, called, timing);
            ty = reply;
            invocation
        });
        if action.is_none()
            && let Some(first) = step.timing.first()
        {
            let title = format!("`{}` does nothing that could take time", step.name.text);
            self.report(
                Diagnostic::error(codes::STEP_WITHOUT_WORK, timing_span(first), title)
                    .hint("write `call participant.Command { … }` above, or the times behind `compensate`"),
            );
        }
        let compensation = self.step_named(step, ty, defaults);
        if action.is_none() && step.compensate.is_none() {
            let title = format!("`{}` does nothing, neither forward nor back", step.name.text);
            self.report(
                Diagnostic::error(codes::STEP_WITHOUT_WORK, span, title)
                    .hint("write `call participant.Command { … }`, or `compensate …` for a step that only undoes"),
            );
        }
        Step { name: step.name.text.clone(), span: step.name.span, pivot: step.pivot.is_some(), action, compensation }
    }

    /// Gives the step its name, and lowers what takes it back.
    pub(super) fn step_named(&mut self, step: &tree::Step, ty: Type, defaults: &Defaults) -> Compensation {
        // In its own compensation a step may be there or not: the outcome can be unknown.
        let own = if ty == Type::Unknown { ty.clone() } else { ty.clone().optional() };
        self.declare(&step.name, own, Kind::Step);
        let compensation = match &step.compensate {
            None => Compensation::Unsaid,
            Some(tree::Compensate { action: None, .. }) => Compensation::Nothing,
            Some(tree::Compensate { action: Some(action), timing, .. }) => {
                self.scope.place = Place::Compensation;
                let compensation = match &action.kind {
                    tree::ActionKind::Call(target) => {
                        self.undo_called(action, (Verb::Call, target), timing, &defaults.compensation)
                    }
                    tree::ActionKind::Send(target) => {
                        self.undo_called(action, (Verb::Send, target), timing, &defaults.compensation)
                    }
                    tree::ActionKind::Run(saga) => self.undo_run(&step.name, (action, saga), timing),
                };
                self.scope.place = Place::Forward;
                compensation
            }
        };
        if let Some(binding) = self.scope.bindings.get_mut(&step.name.text)
            && binding.span == step.name.span
        {
            binding.ty = ty;
        }
        compensation
    }

    fn undo_called(
        &mut self,
        action: &tree::Action,
        called: (Verb, &tree::Target),
        times: &[tree::Timing],
        defaults: &Timing,
    ) -> Compensation {
        self.no_times(called, times);
        let timing = self.timing(times, defaults);
        Compensation::Call(Box::new(self.invocation(action, called, timing).0))
    }

    /// A message is done when the log has it: nothing about it could take a time that is said here.
    fn no_times(&mut self, (verb, target): (Verb, &tree::Target), times: &[tree::Timing]) {
        let Some(first) = times.first().filter(|_| verb == Verb::Send) else { return };
        let title = format!("`{}.{}` is sent, which takes no times", target.participant.text, target.command.text);
        self.report(
            Diagnostic::error(codes::TIMES_OF_SEND, timing_span(first), title)
                .why("A message is not answered and cannot fail: its step is done as soon as the log has acknowledged it.")
                .hint("remove the times; what must be answered is a `command`, and `call`ed"),
        );
    }

    /// A command or message with its payload, and the type of its reply.
    fn invocation(
        &mut self,
        action: &tree::Action,
        (verb, target): (Verb, &tree::Target),
        timing: Timing,
    ) -> (Invocation, Type) {
        let Some((participant, command)) = self.target(verb, target) else {
            let payload = action.payload.as_ref().map(|payload| self.expression(payload));
            let payload = payload.unwrap_or_else(|| unknown(action.span));
            return unresolved(verb, target, payload, timing);
        };
        let what = || format!("the payload of `{}.{}`", participant.name, command.name);
        let shape = Shape { record: &command.request, what: Some(&what), origin: Some(command.span) };
        let payload = self.payload(action.payload.as_ref(), &shape, action.span);
        let reply = Type::Record(Arc::clone(&command.reply));
        let reply = if is_unknown(&command.reply) { Type::Unknown } else { reply };
        (Invocation { verb, participant, command, payload, timing, span: action.span }, reply)
    }

    fn target(&mut self, verb: Verb, target: &tree::Target) -> Option<(Arc<Participant>, Arc<Command>)> {
        let Some(participant) = self.participants.get(&target.participant.text).cloned() else {
            self.unknown_participant(&target.participant);
            return None;
        };
        self.used_participants.insert(participant.name.clone());
        let name = &target.command;
        let (commands, messages) = (&participant.commands, &participant.messages);
        let (meant, other) = if verb == Verb::Call { (commands, messages) } else { (messages, commands) };
        if let Some(command) = meant.get(&name.text) {
            self.used_commands.insert((participant.name.clone(), name.text.clone()));
            return Some((Arc::clone(&participant), Arc::clone(command)));
        }
        if let Some(other) = other.get(&name.text) {
            self.used_commands.insert((participant.name.clone(), name.text.clone()));
            let called = format!("{}.{}", participant.name, name.text);
            let (code, title, hint) = match verb {
                Verb::Call => (
                    codes::CALL_OF_MESSAGE,
                    format!("`{called}` is a message, which is never answered"),
                    format!("write `send {called}`"),
                ),
                Verb::Send => (
                    codes::SEND_OF_COMMAND,
                    format!("`{called}` is a command, whose answer must be waited for"),
                    format!("write `call {called}`, or behind `compensate` the name alone"),
                ),
            };
            self.report(Diagnostic::error(code, name.span, title).also(other.span, "declared here").hint(hint));
            return None;
        }
        let kind = if verb == Verb::Call { "command" } else { "message" };
        let title = format!("participant `{}` has no {kind} `{}`", participant.name, name.text);
        let finding =
            Diagnostic::error(codes::UNKNOWN_COMMAND, name.span, title).also(participant.span, "declared here");
        let known = participant.commands.keys().chain(participant.messages.keys());
        let known: Vec<&str> = known.map(compact_str::CompactString::as_str).collect();
        let meant = near(&name.text, known.iter().copied());
        self.used_commands.extend(meant.map(|meant| (participant.name.clone(), meant.into())));
        self.report(match meant {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if known.is_empty() => finding.hint(format!("add to it: `{kind} {} {{ … }}`", name.text)),
            None => finding.hint(format!("it has {}", listed(known))),
        });
        None
    }

    fn unknown_participant(&mut self, name: &tree::Name) {
        if self.misses_files {
            return;
        }
        let title = format!("there is no participant `{}`", name.text);
        let finding = Diagnostic::error(codes::UNKNOWN_PARTICIPANT, name.span, title);
        let known = self.participants.keys().map(compact_str::CompactString::as_str);
        let meant = near(&name.text, known).map(compact_str::CompactString::from);
        self.report(match &meant {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint(format!("define it: `participant {} {{ command … }}`", name.text)),
        });
        if let Some(participant) = meant.and_then(|meant| self.participants.get(&meant).cloned()) {
            // Its commands may be what was meant: nothing here is unused for a slip in the name.
            self.used_participants.insert(participant.name.clone());
            for command in participant.commands.keys() {
                self.used_commands.insert((participant.name.clone(), command.clone()));
            }
        }
    }

    fn timing(&mut self, clauses: &[tree::Timing], base: &Timing) -> Timing {
        let mut timing = base.clone();
        let (mut timeout, mut within, mut retry) = (None, None, None);
        for clause in clauses {
            match clause {
                tree::Timing::Timeout(literal, span) => {
                    self.once("`timeout`", &mut timeout, *span);
                    timing.timeout = self.time(literal, "a timeout").unwrap_or(timing.timeout);
                }
                tree::Timing::Within(written, span) => {
                    self.once("`within`", &mut within, *span);
                    let duration = self.expression_of(written, &Type::Duration);
                    if matches!(duration.expr, Expr::Literal(Value::Duration(0))) {
                        let title = "a `within` of 0 leaves no time at all";
                        self.senseless(duration.span, title, "write how long it may take");
                    }
                    timing.within = Some(duration);
                }
                tree::Timing::Retry(written) => {
                    self.once("`retry`", &mut retry, written.span);
                    timing.retry = self.retry(written, timing.retry);
                }
            }
        }
        timing
    }

    fn retry(&mut self, written: &tree::Retry, base: Retry) -> Retry {
        let times = int_literal(&written.times.text).and_then(|times| u32::try_from(times).ok());
        let times = match times.filter(|times| *times <= MAX_RETRIES) {
            Some(0) => {
                self.senseless(
                    written.times.span,
                    "0 repetitions are no `retry`",
                    "remove the clause, or repeat at least once",
                );
                base.times
            }
            Some(times) => times,
            None => {
                self.out_of_range(&written.times, "a number of repetitions", &MAX_RETRIES.to_string());
                base.times
            }
        };
        let from = written.from.as_ref().map(|from| self.time(from, "a pause"));
        let to = written.to.as_ref().map(|to| self.time(to, "a pause"));
        let (from, to) = match (from, to) {
            (None, _) => (base.from, base.to),
            (Some(from), None) => (from.unwrap_or(base.from), from.unwrap_or(base.to)),
            (Some(from), Some(to)) => (from.unwrap_or(base.from), to.unwrap_or(base.to)),
        };
        if from > to && written.to.is_some() {
            let span = written.from.as_ref().map_or(written.span, |from| from.span);
            let title = "the first pause is longer than the longest";
            self.senseless(span, title, "write the shorter one first: `every 1s..5s`");
        }
        Retry { times, from, to: to.max(from) }
    }
}

/// An action with what it calls or sends.
const fn called(action: &tree::Action) -> Option<(&tree::Action, (Verb, &tree::Target))> {
    match &action.kind {
        tree::ActionKind::Call(target) => Some((action, (Verb::Call, target))),
        tree::ActionKind::Send(target) => Some((action, (Verb::Send, target))),
        tree::ActionKind::Run(_) => None,
    }
}

pub(super) fn timing_span(timing: &tree::Timing) -> Span {
    match timing {
        tree::Timing::Timeout(_, span) | tree::Timing::Within(_, span) => *span,
        tree::Timing::Retry(retry) => retry.span,
    }
}

/// Stands for a command that could not be resolved: it has no codes, and nothing is known of its reply.
fn unresolved(verb: Verb, target: &tree::Target, payload: Typed, timing: Timing) -> (Invocation, Type) {
    let tree::Target { participant, command } = target;
    let span = payload.span;
    let topic = compact_str::CompactString::default();
    let participant = Participant {
        name: participant.text.clone(),
        commands_topic: topic.clone(),
        events_topic: topic,
        answers_queries: false,
        limits: Vec::new(),
        commands: IndexMap::new(),
        messages: IndexMap::new(),
        docs: None,
        span: participant.span,
    };
    let command = Command {
        name: command.text.clone(),
        wire: command.text.clone(),
        request: Arc::default(),
        reply: Arc::default(),
        fails: Vec::new(),
        docs: None,
        span: command.span,
    };
    let invocation =
        Invocation { verb, participant: Arc::new(participant), command: Arc::new(command), payload, timing, span };
    (invocation, Type::Unknown)
}
