//! What stands at the top of a document: `use`, types, participants, triggers; sagas and scenarios have files of their own.

use super::keys::{Entry, Form};
use super::node::{Kind, Node};
use super::relocate::Relocate;
use super::{Reader, codes};
use crate::source::Span;
use crate::syntax::build::lone;
use crate::syntax::build::words::Style;
use crate::syntax::tree::{
    AtMost, Command, Expr, Item, Message, Name, Participant, ParticipantItem, Text, Trigger, TypeExpr, TypeItem, Use,
};

const FILE: Form = Form { what: "a file", keys: &["use", "types", "participants", "sagas", "triggers", "scenarios"] };
const PARTICIPANT: Form =
    Form { what: "a participant", keys: &["commands", "events", "answers", "at most", "command", "message"] };
const COMMAND: Form = Form { what: "a command", keys: &["as", "with", "returns", "fails"] };
const MESSAGE: Form = Form { what: "a message", keys: &["as", "with"] };
const TRIGGER: Form = Form { what: "a trigger", keys: &["on", "event", "where", "start", "signal"] };

impl Reader<'_> {
    pub(super) fn file(&mut self, root: &Node) -> Vec<Item> {
        if root.scalar().is_some_and(|scalar| scalar.text.trim().is_empty()) {
            return Vec::new();
        }
        let Some(map) = self.map(root, &FILE) else { return Vec::new() };
        let mut items = Vec::new();
        for entry in &map.entries {
            match entry.key {
                "use" => {
                    for node in self.list(entry, "paths of files") {
                        let path = self.text(node, "the path of a file");
                        items.extend(path.map(|path| Item::Use(Use { path, span: node.span })));
                    }
                }
                "scenarios" => {
                    for node in self.list(entry, "scenarios") {
                        items.extend(self.scenario(node).map(Item::Scenario));
                    }
                }
                kind => {
                    let hint = format!("write each below its name: `{kind}: {{ name: … }}`");
                    for entry in self.entries(entry.value, "a map of names", &hint).unwrap_or_default() {
                        items.extend(match kind {
                            "types" => self.type_item(&entry).map(Item::Type),
                            "participants" => self.participant(&entry).map(Item::Participant),
                            "sagas" => self.saga(&entry).map(Item::Saga),
                            _ => self.trigger(&entry).map(Item::Trigger),
                        });
                    }
                }
            }
        }
        items
    }

    fn type_item(&mut self, entry: &Entry<'_>) -> Option<TypeItem> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Type);
        let body = self.type_expr(entry.value)?;
        Some(TypeItem { docs, name, body, span: entry.span() })
    }

    fn participant(&mut self, entry: &Entry<'_>) -> Option<Participant> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Snake);
        let map = self.map(entry.value, &PARTICIPANT)?;
        let mut items = Vec::new();
        for entry in &map.entries {
            let span = entry.span();
            match entry.key {
                "commands" => {
                    let topic = self.text(entry.value, "the name of a topic");
                    items.extend(topic.map(|topic| ParticipantItem::Commands(topic, span)));
                }
                "events" => {
                    let topic = self.text(entry.value, "the name of a topic");
                    items.extend(topic.map(|topic| ParticipantItem::Events(topic, span)));
                }
                "answers" => {
                    if self.word(entry, "queries") {
                        items.push(ParticipantItem::AnswersQueries(span));
                    }
                }
                "at most" => {
                    for node in self.list(entry, "limits") {
                        let limit = self.part(node, "a limit, such as `100 at once`", lone::at_most);
                        let limit = limit.map(|(count, rate)| AtMost { count, rate, span: node.span });
                        items.extend(limit.map(ParticipantItem::AtMost));
                    }
                }
                kind => {
                    let hint = format!("write each below its name: `{kind}: {{ DoIt: {{ with: … }} }}`");
                    for entry in self.entries(entry.value, "a map of names", &hint).unwrap_or_default() {
                        items.extend(if kind == "command" {
                            self.command(&entry).map(ParticipantItem::Command)
                        } else {
                            self.message(&entry).map(ParticipantItem::Message)
                        });
                    }
                }
            }
        }
        Some(Participant { docs, name, items, span: entry.span() })
    }

    /// A key that has one value only.
    fn word(&mut self, entry: &Entry<'_>, word: &str) -> bool {
        let is = entry.value.scalar().is_some_and(|scalar| scalar.text == word);
        if !is {
            self.expected(&format!("`{word}`"), entry.value, format!("write `{}: {word}`", entry.key));
        }
        is
    }

    fn command(&mut self, entry: &Entry<'_>) -> Option<Command> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Type);
        let map = self.map(entry.value, &COMMAND)?;
        let wire = map.get("as").and_then(|entry| self.text(entry.value, "a name on the wire"));
        let request = map.get("with").and_then(|entry| self.shape(entry.value));
        let returns = map.get("returns").and_then(|entry| self.shape(entry.value));
        let fails = map.get("fails").map(|entry| self.codes(&entry)).unwrap_or_default();
        Some(Command { docs, name, wire, request, returns, fails, span: entry.span() })
    }

    fn message(&mut self, entry: &Entry<'_>) -> Option<Message> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Type);
        let map = self.map(entry.value, &MESSAGE)?;
        let wire = map.get("as").and_then(|entry| self.text(entry.value, "a name on the wire"));
        let shape = map.get("with").and_then(|entry| self.shape(entry.value));
        Some(Message { docs, name, wire, shape, span: entry.span() })
    }

    /// Codes of failures; at least one.
    pub(super) fn codes(&mut self, entry: &Entry<'_>) -> Vec<Text> {
        if matches!(&entry.value.kind, Kind::List(nodes) if nodes.is_empty()) {
            let hint = "leave the key out where there are none, or write `[sold_out]`";
            self.report(codes::EXPECTED, entry.value.span, "expected a code", "an empty list", hint);
        }
        self.list(entry, "codes").into_iter().filter_map(|node| self.text(node, "a code")).collect()
    }

    fn trigger(&mut self, entry: &Entry<'_>) -> Option<Trigger> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Snake);
        let map = self.map(entry.value, &TRIGGER)?;
        let topic = map.get("on").map(|entry| self.text(entry.value, "the name of a topic"));
        let event: Option<Option<TypeExpr>> = map.get("event").map(|entry| self.shape(entry.value));
        for (lacks, key) in [(topic.is_none(), "on"), (event.is_none(), "event")] {
            if lacks {
                let title = format!("this trigger has no `{key}`");
                let hint = "a trigger says `on: topic`, `event: { … }`, and what it starts or signals";
                self.lacks(codes::MISSING_PART, entry.at, title, "", hint);
            }
        }
        let filter = map.get("where").and_then(|entry| self.expr(entry.value));
        let start = map.get("start").and_then(|entry| {
            let (target, payload) = self.addressed(&entry, "a saga")?;
            let name = Name { text: target.key.into(), span: target.at };
            Some((name, payload))
        });
        let signal = map.get("signal").and_then(|entry| {
            let (target, payload) = self.addressed(&entry, "a signal")?;
            let read = lone::reference(self.file, target.key);
            let reference = self.placed_key(&target, read)?;
            Some((reference, payload))
        });
        Some(Trigger { docs, name, topic: topic??, event: event??, filter, start, signal, span: entry.span() })
    }

    /// `start: { booking: { id: … } }`: whom, and what is given.
    fn addressed<'n>(&mut self, entry: &Entry<'n>, whom: &str) -> Option<(Entry<'n>, Option<Expr>)> {
        let hint = format!("write `{}: {{ name: {{ id: … }} }}`", entry.key);
        let mut entries = self.entries(entry.value, &format!("{whom} and what it is given, a map"), &hint)?.into_iter();
        let Some(target) = entries.next() else {
            self.report(codes::EXPECTED, entry.value.span, format!("expected {whom}"), "an empty map", hint);
            return None;
        };
        if let Some(second) = entries.next() {
            self.report(codes::YAML_SHAPE, second.at, format!("expected one name, {whom}"), "a second", hint);
        }
        let payload = self.object(target.value);
        Some((target, payload))
    }

    /// Moves what was read in a key to where that stands.
    pub(super) fn placed_key<T: Relocate>(&mut self, entry: &Entry<'_>, read: lone::Lone<T>) -> Option<T> {
        let start = entry.at.start + u32::from(entry.quoted);
        let place = |span: Span| Span {
            start: (start + span.start).min(entry.at.end),
            end: (start + span.end).min(entry.at.end),
            ..entry.at
        };
        let lone::Lone { mut value, problems, incomplete } = read;
        value.relocate(&place);
        self.incomplete |= incomplete;
        for mut finding in problems.sorted() {
            finding.labels.iter_mut().for_each(|label| label.span = place(label.span));
            self.problems.push(finding);
        }
        value
    }
}
