//! Scenarios: clauses are texts in the words of the language; those with a payload are maps of one.

use super::keys::{Entry, Form};
use super::node::{Kind, Node};
use super::relocate::Relocate;
use super::{Reader, codes};
use crate::source::{FileId, Span};
use crate::syntax::build::lone::{self, Lone};
use crate::syntax::tree::{Answer, Expect, ExpectKind, Expr, Happening, HappeningKind, Scenario};

const SCENARIO: Form = Form { what: "a scenario", keys: &["scenario", "for", "given", "when", "expect"] };

/// What a clause without its braces is read as, until they are put into it.
const EMPTY: &str = " {}";

impl Reader<'_> {
    pub(super) fn scenario(&mut self, node: &Node) -> Option<Scenario> {
        let map = self.map(node, &SCENARIO)?;
        let lead = map.entries.first().map_or(node.span, |entry| entry.at);
        let title = map.get("scenario").map(|entry| self.text(entry.value, "what happens, in words"));
        let saga = map.get("for").map(|entry| self.name(entry.value, "the name of a saga"));
        for (lacks, key) in [(title.is_none(), "scenario"), (saga.is_none(), "for")] {
            if lacks {
                let hint = "write `- scenario: the card is declined` and `for: booking`";
                self.lacks(codes::MISSING_PART, lead, format!("a scenario without `{key}`"), "", hint);
            }
        }
        let given = map.get("given").and_then(|entry| self.object(entry.value));
        let mut happenings = Vec::new();
        if let Some(entry) = map.get("when") {
            for node in self.list(&entry, "what happens") {
                happenings.extend(self.happening(node));
            }
        }
        let mut expects = Vec::new();
        match map.get("expect") {
            Some(entry) => {
                let nodes = self.list(&entry, "what must come of it");
                if nodes.is_empty() && matches!(entry.value.kind, Kind::List(_)) {
                    self.expects_nothing(entry.at);
                }
                for node in nodes {
                    expects.extend(self.expect(node));
                }
            }
            None => self.expects_nothing(lead),
        }
        Some(Scenario { title: title??, saga: saga??, given, happenings, expects, span: node.span })
    }

    fn expects_nothing(&mut self, span: Span) {
        let hint = "add `expect: [ completed ]`, `[ compensated code ]` or `[ calls … ]`";
        self.lacks(codes::MISSING_PART, span, "this scenario expects nothing", "", hint);
    }

    fn happening(&mut self, node: &Node) -> Option<Happening> {
        const FORMS: &str = "write `step fails code`, `step times out`, `cancelled after 5s`, or `step replies: { … }`";
        let Kind::Map(_) = &node.kind else {
            let read = self.part(node, "what happens", lone::happening)?;
            return Some(Happening { span: node.span, ..read });
        };
        let (clause, payload, more) = self.clause(node, &["times", "after"], FORMS)?;
        let mut read = self.worded(&clause, lone::happening)?;
        read.span = node.span;
        let key = |wanted: &str| more.iter().find(|entry| entry.key == wanted).copied();
        let (count, later) = (key("times"), key("after"));
        match &mut read.kind {
            HappeningKind::Signal { payload: place, after, .. } => {
                *place = Some(payload);
                if let Some(entry) = later {
                    *after = self.duration(entry.value, "a duration, such as `2h`");
                }
                self.surplus(count);
            }
            HappeningKind::Answer { what: Answer::Replies(reply), times, .. } => {
                *reply = payload;
                if let Some(entry) = count {
                    *times = self.plain_part(entry.value, "a whole number", lone::count);
                }
                self.surplus(later);
            }
            HappeningKind::Answer { .. } | HappeningKind::Cancelled { .. } => {
                self.report(codes::YAML_SHAPE, clause.at, "this carries nothing", "", FORMS);
            }
        }
        Some(read)
    }

    fn expect(&mut self, node: &Node) -> Option<Expect> {
        const FORMS: &str =
            "write `completed`, `completed: { … }`, `compensated code`, `stuck step` or `calls a b undo a`";
        let Kind::Map(_) = &node.kind else {
            let read = self.part(node, "what must come of it", lone::expect)?;
            return Some(Expect { span: node.span, ..read });
        };
        let (clause, payload, _) = self.clause(node, &[], FORMS)?;
        let mut read = self.worded(&clause, lone::expect)?;
        read.span = node.span;
        if let ExpectKind::Completed(output) = &mut read.kind {
            *output = Some(payload);
        } else {
            self.report(codes::YAML_SHAPE, clause.at, "this carries nothing", "", FORMS);
        }
        Some(read)
    }

    fn surplus(&mut self, entry: Option<Entry<'_>>) {
        if let Some(entry) = entry {
            let title = format!("`{}` has no meaning here", entry.key);
            self.report(
                codes::YAML_UNKNOWN_KEY,
                entry.at,
                title,
                "",
                "`times` counts replies, `after` delays a signal",
            );
        }
    }

    /// A clause whose payload is the value of its words, and the keys beside it.
    fn clause<'n>(
        &mut self,
        node: &'n Node,
        others: &[&str],
        forms: &str,
    ) -> Option<(Entry<'n>, Expr, Vec<Entry<'n>>)> {
        let entries = self.entries(node, "a clause", forms)?;
        let (more, mut clauses): (Vec<Entry<'n>>, Vec<Entry<'n>>) =
            entries.into_iter().partition(|entry| others.contains(&entry.key));
        if clauses.len() != 1 {
            let span = clauses.get(1).map_or(node.span, |second| second.at);
            let title = if clauses.is_empty() { "expected a clause" } else { "two clauses in one map" };
            self.report(codes::YAML_SHAPE, span, title, "", forms);
            return None;
        }
        let clause = clauses.pop()?;
        let payload = self.object(clause.value)?;
        Some((clause, payload, more))
    }

    /// Reads the words of a clause that has a payload.
    fn worded<T: Relocate>(&mut self, clause: &Entry<'_>, read: impl FnOnce(FileId, &str) -> Lone<T>) -> Option<T> {
        let lone = read(self.file, &format!("{}{EMPTY}", clause.key));
        self.placed_key(clause, lone)
    }
}
