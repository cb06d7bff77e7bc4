//! The content hash: what a saga means, written canonically, with all that it refers to.
//!
//! Comments, layout, docs, spans and names of types do not count; whatever changes what an instance does, does.
//! Each item is written with a tag and its length, so that no two meanings have one text. Contracts of participants
//! are written once, where they are first used.

use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};
use indexmap::IndexSet;
use sha2::{Digest, Sha256};

use super::expression::{Expr, Function, PathSegment, Read, Typed};
use super::types::{Record, Type};
use super::value::{Value, to_json};
use super::{Compensation, Invocation, Per, Run, Saga, Sleep, Statement, StatementKind, Step, Timing, Verb};
use crate::time::millis;

/// First in every hash: a change of this rendering is a change of every hash, and must be said in the changelog.
const FORMAT: &str = "saga definition 1";

/// So many digits of a definition's hash tell it from others, for people.
const SHOWN: usize = 12;

/// The beginning of a definition's hash, for people.
#[must_use]
pub fn short_hash(hash: &str) -> &str {
    hash.get(..SHOWN).unwrap_or(hash)
}

/// 64 hexadecimal digits of SHA-256.
pub(super) fn hash(saga: &Saga) -> Arc<str> {
    let mut canon = Canon { written: Vec::new(), contracts: IndexSet::new() };
    canon.text(FORMAT);
    canon.text(&saga.name);
    canon.number(saga.version);
    canon.record(&saga.input);
    canon.number(saga.deadline.map_or(u64::MAX, millis));
    canon.block(&saga.body);
    canon.maybe(saga.output.as_ref());
    // Last, and only where they are: a saga without has the hash that it had before there were such.
    for signal in saga.signals.values() {
        canon.text(&signal.name);
        canon.record(&signal.shape);
    }
    if saga.choreography.is_some() {
        canon.text("choreography");
    }
    let digits = Sha256::digest(&canon.written);
    let digits = digits.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<String>().into()
}

struct Canon {
    written: Vec<u8>,
    /// Participants and commands that were written before.
    contracts: IndexSet<(CompactString, CompactString)>,
}

impl Canon {
    fn number(&mut self, number: u64) {
        self.written.extend_from_slice(&number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.written.extend_from_slice(text.as_bytes());
    }

    fn time(&mut self, duration: Duration) {
        self.number(millis(duration));
    }

    fn block(&mut self, statements: &[Statement]) {
        self.count(statements.len());
        for statement in statements {
            match &statement.kind {
                StatementKind::Step(step) => {
                    self.text(if step.pivot { "pivot step" } else { "step" });
                    self.text(&step.name);
                    self.count(step.action.iter().count());
                    if let Some(action) = &step.action {
                        self.invocation(action);
                    }
                    self.compensation(step);
                }
                StatementKind::Pivot => self.text("pivot"),
                StatementKind::Parallel(inner) => {
                    self.text("parallel");
                    self.block(inner);
                }
                StatementKind::Sequence(inner) => {
                    self.text("sequence");
                    self.block(inner);
                }
                StatementKind::When { arms, otherwise } => {
                    self.text("when");
                    self.count(arms.len());
                    for (condition, block) in arms {
                        self.typed(condition);
                        self.block(block);
                    }
                    self.block(otherwise);
                }
                StatementKind::Sleep(Sleep::For(duration)) => {
                    self.text("sleep");
                    self.typed(duration);
                }
                StatementKind::Sleep(Sleep::Until(instant)) => {
                    self.text("sleep until");
                    self.typed(instant);
                }
                StatementKind::Try(written) => {
                    self.text("try");
                    self.maybe(written.within.as_ref());
                    self.block(&written.body);
                    self.count(written.catches.len());
                    for catch in &written.catches {
                        self.count(catch.codes.len());
                        catch.codes.iter().for_each(|code| self.text(code));
                        self.block(&catch.block);
                    }
                }
                StatementKind::ForEach(each) => {
                    self.text("for each");
                    self.text(&each.element);
                    self.typed(&each.list);
                    self.maybe(each.filter.as_ref());
                    self.number(u64::from(each.window));
                    self.block(&each.body);
                }
                StatementKind::Repeat(repeat) => {
                    self.text("repeat");
                    self.number(u64::from(repeat.times));
                    self.block(&repeat.body);
                    self.typed(&repeat.until);
                    self.block(&repeat.otherwise);
                }
                StatementKind::Run(run) => {
                    self.text(if run.step.pivot { "pivot run" } else { "run" });
                    self.run(run);
                }
                StatementKind::Await { wait, otherwise } => {
                    self.text("await");
                    self.text(&wait.name);
                    self.text(&wait.signal.name);
                    self.maybe(wait.filter.as_ref());
                    self.typed(&wait.within);
                    self.block(otherwise);
                }
                StatementKind::Let { name, value } => {
                    self.text("let");
                    self.text(name);
                    self.typed(value);
                }
                StatementKind::Fail { code, message } => {
                    self.text("fail");
                    self.text(code);
                    self.maybe(message.as_ref());
                }
            }
        }
    }

    fn run(&mut self, run: &Run) {
        self.text(&run.step.name);
        self.typed(&run.input);
        self.block(&run.body);
        self.typed(&run.output);
        self.compensation(&run.step);
    }

    fn compensation(&mut self, step: &Step) {
        match &step.compensation {
            Compensation::Unsaid => self.text("unsaid"),
            Compensation::Nothing => self.text("nothing"),
            Compensation::Call(undo) => {
                self.text("undo");
                self.invocation(undo);
            }
            Compensation::Run(run) => {
                self.text("undo run");
                self.run(run);
            }
        }
    }

    fn invocation(&mut self, invocation: &Invocation) {
        let (participant, command) = (&invocation.participant, &invocation.command);
        if invocation.verb == Verb::Send {
            self.text("send");
        }
        self.text(&participant.name);
        self.text(&command.name);
        if self.contracts.insert((participant.name.clone(), CompactString::default())) {
            self.text(&participant.commands_topic);
            self.text(&participant.events_topic);
            self.number(u64::from(participant.answers_queries));
            self.count(participant.limits.len());
            for limit in &participant.limits {
                self.number(u64::from(limit.count));
                self.number(match limit.per {
                    Per::Once => 0,
                    Per::Time(window) => millis(window),
                });
            }
        }
        if self.contracts.insert((participant.name.clone(), command.name.clone())) {
            self.text(&command.wire);
            self.record(&command.request);
            self.record(&command.reply);
            self.count(command.fails.len());
            for code in &command.fails {
                self.text(code);
            }
        }
        self.typed(&invocation.payload);
        // Nobody waits for the answer to a message: other defaults are no other definition.
        if invocation.verb == Verb::Call {
            self.timing(&invocation.timing);
        }
    }

    fn timing(&mut self, timing: &Timing) {
        self.time(timing.timeout);
        self.maybe(timing.within.as_ref());
        self.number(u64::from(timing.retry.times));
        self.time(timing.retry.from);
        self.time(timing.retry.to);
    }

    fn record(&mut self, record: &Record) {
        self.count(record.fields.len());
        for field in &record.fields {
            self.text(&field.key);
            self.number(u64::from(field.personal));
            self.ty(&field.ty);
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::List(inner) => {
                self.text("list");
                self.ty(inner);
            }
            Type::Map(inner) => {
                self.text("map");
                self.ty(inner);
            }
            Type::Optional(inner) => {
                self.text("optional");
                self.ty(inner);
            }
            Type::Choice(words) => {
                self.text("choice");
                self.count(words.len());
                for word in words.iter() {
                    self.text(word);
                }
            }
            Type::Record(record) => {
                self.text("record");
                self.record(record);
            }
            scalar => self.text(&format_compact!("{scalar}")),
        }
    }

    fn maybe(&mut self, typed: Option<&Typed>) {
        self.count(typed.iter().count());
        if let Some(typed) = typed {
            self.typed(typed);
        }
    }

    fn typed(&mut self, typed: &Typed) {
        self.expr(&typed.expr);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(value) => {
                self.text(kind(value));
                self.text(&to_json(value));
            }
            Expr::Read(read) => self.read(read),
            Expr::Every(list, path, ty) => {
                self.text("every");
                self.path(path);
                self.ty(ty);
                self.expr(list);
            }
            Expr::Into(base, segment, ty) => {
                self.text("into");
                self.path(std::slice::from_ref(segment));
                self.ty(ty);
                self.expr(base);
            }
            Expr::Index(operands, ty) => {
                self.text("index");
                self.ty(ty);
                self.expr(&operands.0);
                self.expr(&operands.1);
            }
            Expr::Not(inner) => {
                self.text("not");
                self.expr(inner);
            }
            Expr::Negate(inner) => {
                self.text("negate");
                self.expr(inner);
            }
            Expr::Binary(op, operands) => {
                self.text(op.symbol());
                self.expr(&operands.0);
                self.expr(&operands.1);
            }
            Expr::If(parts) => {
                self.text("if");
                self.expr(&parts.0);
                self.expr(&parts.1);
                self.expr(&parts.2);
            }
            Expr::Call(function, arguments) => {
                self.text(name(*function));
                self.count(arguments.len());
                for argument in arguments {
                    self.expr(argument);
                }
            }
            Expr::Object(fields) => {
                self.text("object");
                self.count(fields.len());
                for (key, value) in fields {
                    self.text(key);
                    self.expr(value);
                }
            }
            Expr::List(elements) => {
                self.text("elements");
                self.count(elements.len());
                for element in elements {
                    self.expr(element);
                }
            }
            Expr::ToDecimal(inner) => {
                self.text("to decimal");
                self.expr(inner);
            }
        }
    }

    fn read(&mut self, read: &Read) {
        self.text("read");
        self.text(&format_compact!("{}", read.root));
        self.path(&read.path);
        self.ty(&read.ty);
    }

    fn path(&mut self, path: &[PathSegment]) {
        self.count(path.len());
        for segment in path {
            match segment {
                PathSegment::Key(key) => {
                    self.text("key");
                    self.text(key);
                }
                PathSegment::Element(index) => {
                    self.text("element");
                    self.number(u64::from(*index));
                }
            }
        }
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Decimal(_) => "decimal",
        Value::String(_) => "string",
        Value::Timestamp(_) => "timestamp",
        Value::Duration(_) => "duration",
        Value::List(_) => "list",
        Value::Object(_) => "object",
        Value::Raw(_) => "json",
    }
}

const fn name(function: Function) -> &'static str {
    match function {
        Function::Id => "id",
        Function::Count => "count",
        Function::Sum => "sum",
        Function::Min => "min",
        Function::Max => "max",
        Function::Any => "any",
        Function::All => "all",
        Function::Contains => "contains",
        Function::Present => "present",
        Function::Rounded => "rounded",
        Function::Length => "length",
        Function::Text => "text",
    }
}
