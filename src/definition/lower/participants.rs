//! Participants: addresses, limits, and the contracts of commands and messages.

use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use indexmap::IndexMap;

use super::Lowering;
use crate::definition::json::int_literal;
use crate::definition::types::Record;
use crate::definition::{Command, ENGINE_CODES, Limit, Participant, Per};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree;

impl<'t> Lowering<'t> {
    pub(super) fn participant(&mut self, item: &'t tree::Participant) -> Participant {
        let name = &item.name.text;
        let mut participant = Participant {
            name: name.clone(),
            commands_topic: format_compact!("{name}.commands"),
            events_topic: format_compact!("{name}.events"),
            answers_queries: false,
            limits: Vec::new(),
            commands: IndexMap::new(),
            messages: IndexMap::new(),
            docs: docs(&item.docs),
            span: item.name.span,
        };
        let (mut commands_at, mut events_at, mut queries_at) = (None, None, None);
        for part in &item.items {
            match part {
                tree::ParticipantItem::Commands(topic, span) => {
                    self.once("`commands`", &mut commands_at, *span);
                    participant.commands_topic = topic.value.as_str().into();
                }
                tree::ParticipantItem::Events(topic, span) => {
                    self.once("`events`", &mut events_at, *span);
                    participant.events_topic = topic.value.as_str().into();
                }
                tree::ParticipantItem::AnswersQueries(span) => {
                    self.once("`answers queries`", &mut queries_at, *span);
                    participant.answers_queries = true;
                }
                tree::ParticipantItem::AtMost(limit) => participant.limits.extend(self.limit(limit)),
                tree::ParticipantItem::Command(command) => self.command(command, &mut participant),
                tree::ParticipantItem::Message(message) => self.message(message, &mut participant),
            }
        }
        participant
    }

    /// Reports the second of what may stand once.
    pub(super) fn once(&mut self, what: &str, first: &mut Option<Span>, span: Span) {
        match first {
            Some(first) => self.said_twice(what, span, Some(*first)),
            None => *first = Some(span),
        }
    }

    fn limit(&mut self, written: &tree::AtMost) -> Option<Limit> {
        let count = int_literal(&written.count.text).and_then(|count| u32::try_from(count).ok());
        if count.is_none() {
            self.out_of_range(&written.count, "a limit", &u32::MAX.to_string());
        }
        if count == Some(0) {
            self.senseless(written.count.span, "`at most 0` lets nothing through", "write at least 1");
        }
        let per = match written.rate {
            tree::Rate::AtOnce => Per::Once,
            tree::Rate::PerSecond => Per::Time(Duration::from_secs(1)),
            tree::Rate::PerMinute => Per::Time(Duration::from_mins(1)),
            tree::Rate::PerHour => Per::Time(Duration::from_hours(1)),
        };
        count.filter(|count| *count > 0).map(|count| Limit { count, per })
    }

    pub(super) fn out_of_range(&mut self, literal: &tree::Literal, what: &str, largest: &str) {
        let title = format!("{what} of `{}` is too large", literal.text);
        self.report(
            Diagnostic::error(codes::OUT_OF_RANGE, literal.span, title).hint(format!("write at most {largest}")),
        );
    }

    pub(super) fn senseless(&mut self, span: Span, title: &str, hint: &str) {
        self.report(Diagnostic::error(codes::SENSELESS_NUMBER, span, title).hint(hint));
    }

    fn command(&mut self, written: &'t tree::Command, participant: &mut Participant) {
        let request = self.shape(written.request.as_ref(), "a request");
        let reply = self.shape(written.returns.as_ref(), "a reply");
        let mut fails: Vec<CompactString> = Vec::new();
        for code in &written.fails {
            if fails.iter().any(|known| *known == code.value.as_str()) {
                self.said_twice(&format!("the code \"{}\"", code.value), code.span, None);
            } else if self.may_be_given(code) {
                fails.push(code.value.as_str().into());
            }
        }
        if let Some(first) = defined_in(participant, &written.name.text) {
            return self.taken("command or message", &written.name, first);
        }
        let command = Command {
            name: written.name.text.clone(),
            wire: wire(written.wire.as_ref(), &written.name),
            request: request.unwrap_or_else(unknown_shape),
            reply: reply.unwrap_or_else(unknown_shape),
            fails,
            docs: docs(&written.docs),
            span: written.name.span,
        };
        self.wire_is_free(participant, &command.wire, written.wire.as_ref().map_or(command.span, |wire| wire.span));
        participant.commands.insert(written.name.text.clone(), Arc::new(command));
    }

    fn message(&mut self, written: &'t tree::Message, participant: &mut Participant) {
        let shape = self.shape(written.shape.as_ref(), "a message");
        if let Some(first) = defined_in(participant, &written.name.text) {
            return self.taken("command or message", &written.name, first);
        }
        let message = Command {
            name: written.name.text.clone(),
            wire: wire(written.wire.as_ref(), &written.name),
            request: shape.unwrap_or_else(unknown_shape),
            reply: Arc::default(),
            fails: Vec::new(),
            docs: docs(&written.docs),
            span: written.name.span,
        };
        self.wire_is_free(participant, &message.wire, written.wire.as_ref().map_or(message.span, |wire| wire.span));
        participant.messages.insert(written.name.text.clone(), Arc::new(message));
    }

    /// Two commands with one name on the wire could not be told apart.
    fn wire_is_free(&mut self, participant: &Participant, wire: &str, span: Span) {
        let commands = participant.commands.values().map(|command| (&command.wire, command.span));
        let messages = participant.messages.values().map(|message| (&message.wire, message.span));
        if let Some((_, first)) = commands.chain(messages).find(|(known, _)| *known == wire) {
            let title = format!("two commands of `{}` are \"{wire}\" on the wire", participant.name);
            self.report(
                Diagnostic::error(codes::NAME_TAKEN, span, title)
                    .also(first, "first given here")
                    .hint("give one of them another name behind `as`"),
            );
        }
    }

    /// The engine's codes are not for `fail` and `fails`.
    pub(super) fn may_be_given(&mut self, code: &tree::Text) -> bool {
        if code.value.is_empty() {
            self.report(
                Diagnostic::error(codes::ENGINE_CODE, code.span, "a failure code may not be empty")
                    .hint("say what went wrong in a word: `\"sold_out\"`"),
            );
            return false;
        }
        if !ENGINE_CODES.contains(&code.value.as_str()) {
            return true;
        }
        self.report(
            Diagnostic::error(
                codes::ENGINE_CODE,
                code.span,
                format!("the code \"{}\" is the engine's own", code.value),
            )
            .why("It says what the engine found out; given by anybody else it could not be told apart.")
            .hint(format!("choose another word, such as \"{}_at_the_service\"", code.value)),
        );
        false
    }
}

/// Stands for a shape that could not be resolved: nothing is known of it, and nothing is reported.
pub(super) fn unknown_shape() -> Arc<Record> {
    Arc::new(Record { name: Some(UNKNOWN_SHAPE), fields: Vec::new() })
}

/// No author can write such a name.
const UNKNOWN_SHAPE: CompactString = CompactString::const_new("?");

/// Whether a shape could not be resolved.
pub(super) fn is_unknown(shape: &Record) -> bool {
    shape.name.as_ref() == Some(&UNKNOWN_SHAPE)
}

fn wire(given: Option<&tree::Text>, name: &tree::Name) -> CompactString {
    given.map_or_else(|| name.text.clone(), |text| text.value.as_str().into())
}

fn defined_in(participant: &Participant, name: &str) -> Option<Span> {
    let command = participant.commands.get(name).map(|command| command.span);
    command.or_else(|| participant.messages.get(name).map(|message| message.span))
}

pub(super) fn docs(written: &tree::Docs) -> Option<String> {
    written.as_ref().map(|docs| docs.value.clone())
}
