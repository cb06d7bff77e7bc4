//! Statements: each a map that one of its keys names, or `pivot` alone.

use super::keys::{Entry, Form, Map, habit, listed};
use super::node::{Kind, Node};
use super::{Reader, codes};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::build::lone;
use crate::syntax::build::words::{Style, near};
use crate::syntax::limits::MAX_STATEMENTS;
use crate::syntax::tree::{
    Action, ActionKind, Arm, Await, Block, Catch, Compensate, Expr, Fail, ForEach, Let, Repeat, Sleep, Statement,
    StatementKind, Step, Try, When,
};

/// For going on after a failure.
const TRY: &str = "write `catch: [ { do: [ … ] } ]` beside it: what was done is taken back, and the saga goes on there";

/// For waiting.
const AWAIT: &str = "write `await: approval`, `within: 8h`, `otherwise: [ … ]` for a signal, `sleep: 30m` for a time";

/// The keys that name a statement, and what stands beside each.
const STATEMENTS: [Form; 13] = [
    form("step", &["step", "call", "send", "run", "with", "timeout", "within", "retry", "compensate"]),
    form("pivot step", &["pivot step", "call", "send", "run", "with", "timeout", "within", "retry", "compensate"]),
    form("parallel", &["parallel"]),
    form("sequence", &["sequence"]),
    form("when", &["when", "do", "otherwise"]),
    form("for each", &["for each", "in", "where", "at most", "do"]),
    form("repeat", &["repeat", "do", "until", "otherwise"]),
    form("try", &["try", "within", "catch"]),
    form("await", &["await", "as", "where", "within", "otherwise"]),
    form("sleep", &["sleep"]),
    form("sleep until", &["sleep until"]),
    form("let", &["let", "be"]),
    form("fail", &["fail", "message"]),
];
const REPEAT: Form = form("repeat", &["at most"]);
const CATCH: Form = form("catch", &["codes", "do"]);
const COMPENSATE: Form = form("compensate", &["call", "send", "run", "with", "timeout", "within", "retry"]);

const fn form(what: &'static str, keys: &'static [&'static str]) -> Form {
    Form { what, keys }
}

/// How loops are written.
const EACH_FORM: &str = "write `{ for each: item, in: \"${ input.items }\", do: [ … ] }`";
const REPEAT_FORM: &str = "write `{ repeat: { at most: 3 times }, do: [ … ], until: \"${ … }\", otherwise: [ … ] }`";

impl Reader<'_> {
    /// The statements of a list.
    pub(super) fn block(&mut self, entry: &Entry<'_>) -> Block {
        let span = entry.value.span;
        let nodes = self.list(entry, "statements");
        if !self.deeper(span) {
            return Block::default();
        }
        let statements = nodes.into_iter().filter_map(|node| self.statement(node)).collect();
        self.depth -= 1;
        Block { statements, span }
    }

    fn statement(&mut self, node: &Node) -> Option<Statement> {
        let span = node.span;
        self.statements += 1;
        if self.statements > MAX_STATEMENTS {
            if self.statements == MAX_STATEMENTS + 1 {
                let here = format!("statement {}; at most {MAX_STATEMENTS} are allowed", self.statements);
                let hint = "split it into several sagas, or loop over data";
                self.report(codes::TOO_MANY_STATEMENTS, span, "this file has too many statements", &here, hint);
            }
            return None;
        }
        let kind = match &node.kind {
            Kind::Scalar(scalar) if scalar.text == "pivot" => StatementKind::Pivot,
            Kind::Map(_) => self.named_statement(node)?,
            Kind::Scalar(_) | Kind::List(_) => {
                let hint = "a statement is a map, `- step: name`, or the word `pivot`";
                self.expected("a statement", node, hint);
                return None;
            }
        };
        Some(Statement { kind, span })
    }

    fn named_statement(&mut self, node: &Node) -> Option<StatementKind> {
        let entries = self.entries(node, "a statement", "")?;
        // Documentation of a statement is for its reader; the tree has no place for it.
        drop(entries.first().and_then(|entry| self.docs(entry.at)));
        let mut named = entries
            .iter()
            .filter_map(|entry| STATEMENTS.iter().find(|form| form.what == entry.key).map(|form| (*entry, form)));
        let Some((lead, form)) = named.next() else {
            self.no_statement(node, &entries);
            return None;
        };
        if let Some((second, _)) = named.next() {
            self.refuse(
                Diagnostic::error(codes::YAML_SHAPE, second.at, "two statements in one map")
                    .here("the second")
                    .also(lead.at, "the first")
                    .hint(format!("begin a line for each: `- {}: …`", second.key)),
            );
            return None;
        }
        let known = |entry: &Entry<'_>| form.keys.contains(&entry.key);
        for entry in entries.iter().filter(|entry| !known(entry)) {
            let shown = Form { what: quoted(form.what), keys: form.keys };
            self.unknown_key(entry, &shown);
        }
        let map = Map { entries: entries.into_iter().filter(|entry| known(entry)).collect() };
        self.statement_of(form.what, lead, &map)
    }

    /// A map of which no key begins a statement.
    fn no_statement(&mut self, node: &Node, entries: &[Entry<'_>]) {
        let words: Vec<&str> = STATEMENTS.iter().map(|form| form.what).collect();
        let meant = entries.iter().find_map(|entry| Some((entry, near(entry.key, &words)?)));
        if let Some((entry, meant)) = meant {
            let title = format!("`{}` begins no statement", entry.key);
            return self.report(
                codes::YAML_UNKNOWN_KEY,
                entry.at,
                title,
                "not known",
                format!("did you mean `{meant}`?"),
            );
        }
        if let Some((entry, meant)) = entries.iter().find_map(|entry| Some((entry, habit(entry.key, &words)?))) {
            let title = format!("`{}` is not a word of this language", entry.key);
            return self.report(codes::FOREIGN_WORD, entry.at, title, "", format!("write `{meant}`"));
        }
        let span = entries.first().map_or(node.span, |entry| entry.at);
        let hint = match entries.first() {
            Some(first) if first.key == "pivot" => "write `- pivot` alone, or `- pivot step: name`".to_owned(),
            _ => format!("one of its keys is {}", listed(&words).replace(" and ", " or ")),
        };
        self.report(codes::YAML_SHAPE, span, "expected a statement", "no key of this map begins one", hint);
    }

    fn statement_of(&mut self, word: &str, lead: Entry<'_>, map: &Map<'_>) -> Option<StatementKind> {
        Some(match word {
            "step" | "pivot step" => {
                let pivot = (word == "pivot step").then_some(Span { end: lead.at.start + 5, ..lead.at });
                StatementKind::Step(Box::new(self.step(lead, map, pivot)?))
            }
            "parallel" => StatementKind::Parallel(self.block(&lead)),
            "sequence" => StatementKind::Sequence(self.block(&lead)),
            "when" => {
                let mut when = When { arms: Vec::new(), otherwise: None };
                self.arm(lead, map, &mut when);
                StatementKind::When(Box::new(when))
            }
            "for each" => StatementKind::ForEach(Box::new(self.for_each(lead, map)?)),
            "repeat" => StatementKind::Repeat(Box::new(self.repeat(lead, map)?)),
            "try" => StatementKind::Try(Box::new(self.attempt(lead, map))),
            "await" => StatementKind::Await(Box::new(self.await_signal(lead, map)?)),
            "sleep" | "sleep until" => {
                StatementKind::Sleep(Sleep { until: word == "sleep until", expr: self.expr(lead.value)? })
            }
            "let" => {
                let name = self.new_name(lead.value, Style::Snake, "a name");
                let value = self.needed_expr(lead, map, "be", "write `- let: name` and `be: \"${ … }\"`");
                StatementKind::Let(Let { name: name?, value: value? })
            }
            _ => {
                let code = self.text(lead.value, "a code");
                let message = map.get("message").map(|entry| self.expr(entry.value));
                StatementKind::Fail(Fail { code: code?, message: message.unwrap_or_default() })
            }
        })
    }

    /// The value of a key that must be there.
    fn needed_expr(&mut self, lead: Entry<'_>, map: &Map<'_>, key: &str, hint: &str) -> Option<Expr> {
        let Some(entry) = map.get(key) else {
            self.lacks(codes::MISSING_PART, lead.at, format!("`{}` without `{key}`", lead.key), "", hint);
            return None;
        };
        self.expr(entry.value)
    }

    fn needed_block(&mut self, lead: Entry<'_>, map: &Map<'_>, key: &str, hint: &str) -> Option<Block> {
        let Some(entry) = map.get(key) else {
            let (code, here) = match (key, lead.key) {
                ("otherwise", "await") => (codes::MISSING_OTHERWISE, "and when nothing comes?"),
                ("otherwise", _) => (codes::MISSING_OTHERWISE, "and when the last round was not enough?"),
                _ => (codes::MISSING_PART, ""),
            };
            self.lacks(code, lead.at, format!("`{}` without `{key}`", lead.key), here, hint);
            return None;
        };
        Some(self.block(&entry))
    }

    /// A condition with its block; `otherwise` is a list, or a map that is the next `when`.
    fn arm(&mut self, lead: Entry<'_>, map: &Map<'_>, when: &mut When) {
        let condition = self.expr(lead.value);
        let block = self.needed_block(lead, map, "do", "write `do: [ … ]` beside the condition");
        when.arms.extend(condition.zip(block).map(|(condition, block)| Arm { condition, block }));
        let Some(other) = map.get("otherwise") else { return };
        if !matches!(other.value.kind, Kind::Map(_)) {
            when.otherwise = Some(self.block(&other));
            return;
        }
        let shown = Form { what: "`otherwise`", keys: &["when", "do", "otherwise"] };
        let Some(next) = self.map(other.value, &shown) else { return };
        let Some(lead) = next.get("when") else {
            let hint = "a list of statements, or a map with `when`, which is asked next";
            return self.lacks(codes::MISSING_PART, other.at, "`otherwise` without `when`", "", hint);
        };
        if self.deeper(other.value.span) {
            self.arm(lead, &next, when);
            self.depth -= 1;
        }
    }

    fn for_each(&mut self, lead: Entry<'_>, map: &Map<'_>) -> Option<ForEach> {
        let element = self.new_name(lead.value, Style::Snake, "a name for the element");
        let list = self.needed_expr(lead, map, "in", EACH_FORM);
        let filter = map.get("where").and_then(|entry| self.expr(entry.value));
        let window = map.get("at most").and_then(|entry| self.part(entry.value, "`5 at once`", lone::window));
        let block = self.needed_block(lead, map, "do", EACH_FORM);
        Some(ForEach { element: element?, list: list?, filter, window, block: block? })
    }

    fn repeat(&mut self, lead: Entry<'_>, map: &Map<'_>) -> Option<Repeat> {
        let limit = self.map(lead.value, &Form { what: "`repeat`", ..REPEAT });
        let times = limit.and_then(|limit| {
            let Some(entry) = limit.get("at most") else {
                self.lacks(codes::MISSING_PART, lead.at, "`repeat` without `at most`", "how often?", REPEAT_FORM);
                return None;
            };
            self.part(entry.value, "`3 times`", lone::times)
        });
        let block = self.needed_block(lead, map, "do", REPEAT_FORM);
        let until = self.needed_expr(lead, map, "until", REPEAT_FORM);
        let otherwise = self.needed_block(lead, map, "otherwise", REPEAT_FORM);
        Some(Repeat { times: times?, block: block?, until, otherwise })
    }

    fn attempt(&mut self, lead: Entry<'_>, map: &Map<'_>) -> Try {
        let within = map.get("within").and_then(|entry| self.expr(entry.value));
        let block = self.block(&lead);
        let mut catches = Vec::new();
        let handlers = map.get("catch");
        for node in handlers.map(|entry| self.list(&entry, "handlers")).unwrap_or_default() {
            let shown = Form { what: "`catch`", ..CATCH };
            let Some(handler) = self.map(node, &shown) else { continue };
            let codes = handler.get("codes").map(|entry| self.codes(&entry)).unwrap_or_default();
            let Some(run) = handler.get("do") else {
                let hint = "write `do: [ … ]`; `do: []` makes what is tried optional";
                self.lacks(codes::MISSING_PART, node.span, "`catch` without `do`", "", hint);
                continue;
            };
            catches.push(Catch { codes, block: self.block(&run), span: node.span });
        }
        if map.get("catch").is_none()
            || handlers.is_some_and(|entry| matches!(&entry.value.kind, Kind::List(l) if l.is_empty()))
        {
            let here = "nothing says what follows a failure";
            self.lacks(codes::MISSING_PART, lead.at, "`try` without `catch`", here, TRY);
        }
        Try { within, block, catches }
    }

    fn await_signal(&mut self, lead: Entry<'_>, map: &Map<'_>) -> Option<Await> {
        let signal = self.name(lead.value, "the name of a signal");
        let alias = map.get("as").and_then(|entry| self.new_name(entry.value, Style::Snake, "a name"));
        let filter = map.get("where").and_then(|entry| self.expr(entry.value));
        let within = self.needed_expr(lead, map, "within", AWAIT);
        let otherwise = self.needed_block(lead, map, "otherwise", AWAIT);
        Some(Await { signal: signal?, alias, filter, within, otherwise })
    }

    fn step(&mut self, lead: Entry<'_>, map: &Map<'_>, pivot: Option<Span>) -> Option<Step> {
        let name = self.new_name(lead.value, Style::Snake, "the name of a step");
        let action = self.action(map, "what the step does");
        let timing = self.timing(map);
        let compensate = map.get("compensate").and_then(|entry| self.compensate(&entry));
        Some(Step { pivot, name: name?, action, timing, compensate })
    }

    /// `call`, `send` or `run` with its payload.
    fn action(&mut self, map: &Map<'_>, what: &str) -> Option<Action> {
        let mut actions = map.entries.iter().filter(|entry| matches!(entry.key, "call" | "send" | "run"));
        let first = actions.next().copied();
        for second in actions {
            let origin = first.map_or(second.at, |first| first.at);
            self.refuse(
                Diagnostic::error(codes::CLAUSE_TWICE, second.at, format!("{what} is said twice"))
                    .here("and here again")
                    .also(origin, "said here first")
                    .hint("keep one of the two"),
            );
        }
        let with = map.get("with");
        let payload = with.and_then(|entry| self.object(entry.value));
        let Some(first) = first else {
            if let Some(with) = with {
                let hint = "write `call: participant.Command` beside it";
                self.lacks(
                    codes::MISSING_PART,
                    with.at,
                    "`with` without `call`, `send` or `run`",
                    "given to whom?",
                    hint,
                );
            }
            return None;
        };
        let kind = match first.key {
            "call" => self.part(first.value, "`participant.Command`", lone::target).map(ActionKind::Call),
            "send" => self.part(first.value, "`participant.Message`", lone::target).map(ActionKind::Send),
            _ => self.name(first.value, "the name of a saga").map(ActionKind::Run),
        };
        let span = first.span();
        let span = with.map_or(span, |with| span.to(with.span()));
        Some(Action { kind: kind?, payload, span })
    }

    fn compensate(&mut self, entry: &Entry<'_>) -> Option<Compensate> {
        let span = entry.span();
        if entry.value.scalar().is_some_and(|scalar| scalar.text == "nothing") {
            return Some(Compensate { action: None, timing: Vec::new(), span });
        }
        if let Some(scalar) = entry.value.scalar() {
            let hint = if scalar.text.contains('.') {
                format!("write `compensate: {{ call: {} }}`", scalar.text)
            } else {
                "write `compensate: { call: participant.Command, with: { … } }` or `compensate: nothing`".to_owned()
            };
            self.expected("what takes the step back, a map, or `nothing`", entry.value, hint);
            return None;
        }
        let map = self.map(entry.value, &Form { what: "`compensate`", ..COMPENSATE })?;
        let said = map.entries.iter().any(|entry| matches!(entry.key, "call" | "send" | "run" | "with"));
        let action = self.action(&map, "what takes the step back");
        let timing = self.timing(&map);
        if !said {
            let hint = "write `compensate: { call: participant.Command, with: { … } }` or `compensate: nothing`";
            self.lacks(codes::MISSING_PART, entry.at, "`compensate` without `call`, `send` or `run`", "", hint);
        }
        Some(Compensate { action: Some(action?), timing, span })
    }
}

/// The word of a statement in backquotes.
fn quoted(word: &str) -> &'static str {
    match word {
        "step" | "pivot step" => "a step",
        "parallel" => "`parallel`",
        "sequence" => "`sequence`",
        "when" => "`when`",
        "for each" => "`for each`",
        "repeat" => "`repeat`",
        "try" => "`try`",
        "await" => "`await`",
        "sleep" | "sleep until" => "`sleep`",
        "let" => "`let`",
        _ => "`fail`",
    }
}
