//! From a tree to a document in its one layout: what `saga fmt --to yaml` prints.

use super::layout::{Key, Out, document, quoted, scalar};
use super::scalar::{Plain, escaped, plain};
use crate::syntax::tree::{
    Action, ActionKind, Answer, Block, Command, Compensate, Docs, Expect, ExpectKind, Expr, ExprKind, Field, File,
    Happening, HappeningKind, Head, Item, Literal, Message, Name, Participant, ParticipantItem, Record, Saga, Scenario,
    Statement, StatementKind, Step, Target, Text, Timing, Trigger, TypeExpr, TypeExprKind, When,
};
use crate::syntax::write::words::{called, code, limit, range, reference};
use crate::syntax::write::{expr as in_words, heads, items, parts, type_expr as type_in_words};

/// The document of a tree.
pub(in crate::syntax) fn yaml(file: &File) -> String {
    let (mut uses, mut types, mut participants) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sagas, mut triggers, mut scenarios) = (Vec::new(), Vec::new(), Vec::new());
    for item in items(file) {
        match item {
            Item::Use(item) => uses.push(text(&item.path)),
            Item::Type(item) => types.push(documented(&item.docs, &item.name.text, ty(&item.body))),
            Item::Participant(item) => participants.push(apart(participant(item))),
            Item::Saga(item) => sagas.push(apart(saga(item))),
            Item::Trigger(item) => triggers.push(apart(trigger(item))),
            Item::Scenario(item) => scenarios.push(lines(scenario(item))),
        }
    }
    let mut keys = Vec::new();
    if !uses.is_empty() {
        keys.push(Key::new("use", Out::List(uses)));
    }
    for (key, named) in [("types", types), ("participants", participants), ("sagas", sagas), ("triggers", triggers)] {
        if !named.is_empty() {
            keys.push(apart(Key::new(key, lines(Out::Map(named)))));
        }
    }
    if !scenarios.is_empty() {
        keys.push(apart(Key::new("scenarios", lines(Out::List(scenarios)))));
    }
    document(&keys)
}

fn apart(key: Key) -> Key {
    Key { apart: true, ..key }
}

fn lines(out: Out) -> Out {
    Out::Lines(Box::new(out))
}

fn documented(docs: &Docs, name: &str, value: Out) -> Key {
    let docs = docs.iter().flat_map(|docs| docs.value.split('\n')).map(str::to_owned).collect();
    Key { docs, ..Key::new(&scalar(name), value) }
}

/// Keys that are there.
#[derive(Default)]
struct Keys(Vec<Key>);

impl Keys {
    fn put(&mut self, key: &str, value: Out) {
        self.0.push(Key::new(key, value));
    }

    fn put_if(&mut self, key: &str, value: Option<Out>) {
        self.0.extend(value.map(|value| Key::new(key, value)));
    }

    fn map(self) -> Out {
        Out::Map(self.0)
    }
}

fn text(text: &Text) -> Out {
    Out::Scalar(scalar(&escaped(&text.value)))
}

fn literal(literal: &Literal) -> Out {
    Out::Scalar(literal.text.to_string())
}

fn participant(participant: &Participant) -> Key {
    let mut keys = Keys::default();
    let (mut limits, mut commands, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for item in parts(&participant.items) {
        match item {
            ParticipantItem::Commands(topic, _) => keys.put("commands", text(topic)),
            ParticipantItem::Events(topic, _) => keys.put("events", text(topic)),
            ParticipantItem::AnswersQueries(_) => keys.put("answers", Out::Scalar("queries".into())),
            ParticipantItem::AtMost(most) => limits.push(Out::Scalar(limit(&most.count, most.rate))),
            ParticipantItem::Command(item) => commands.push(command(item)),
            ParticipantItem::Message(item) => messages.push(message(item)),
        }
    }
    if !limits.is_empty() {
        keys.put("at most", Out::List(limits));
    }
    for (key, named) in [("command", commands), ("message", messages)] {
        if !named.is_empty() {
            keys.put(key, lines(Out::Map(named)));
        }
    }
    documented(&participant.docs, &participant.name.text, lines(keys.map()))
}

fn command(command: &Command) -> Key {
    let mut keys = Keys::default();
    keys.put_if("as", command.wire.as_ref().map(text));
    keys.put_if("with", command.request.as_ref().map(ty));
    keys.put_if("returns", command.returns.as_ref().map(ty));
    if !command.fails.is_empty() {
        keys.put("fails", Out::List(command.fails.iter().map(text).collect()));
    }
    documented(&command.docs, &command.name.text, keys.map())
}

fn message(message: &Message) -> Key {
    let mut keys = Keys::default();
    keys.put_if("as", message.wire.as_ref().map(text));
    keys.put_if("with", message.shape.as_ref().map(ty));
    documented(&message.docs, &message.name.text, keys.map())
}

fn ty(ty: &TypeExpr) -> Out {
    match &ty.kind {
        TypeExprKind::Record(written) => record(written),
        _ => Out::Scalar(scalar(&type_in_words(ty))),
    }
}

fn record(record: &Record) -> Out {
    let field = |field: &Field| {
        let name = &field.key.text;
        let key = documented(&field.docs, name, ty(&field.ty));
        match field.personal {
            Some(_) => Key { name: format!("personal {name}"), ..key },
            None if name.starts_with("personal ") => Key { name: quoted(name), ..key },
            None => key,
        }
    };
    Out::Map(record.fields.iter().map(field).collect())
}

fn saga(saga: &Saga) -> Key {
    let mut keys = Keys::default();
    let mut signals = Vec::new();
    for head in heads(&saga.heads) {
        match head {
            Head::Version(number, _) => keys.put("version", literal(number)),
            Head::Coordination(word, _) => keys.put("coordination", Out::Scalar(scalar(&word.text))),
            Head::Input(shape, _) => keys.put("input", ty(shape)),
            Head::Signal(signal) => {
                let mut keys = Keys::default();
                keys.put_if("with", signal.shape.as_ref().map(ty));
                signals.push(documented(&signal.docs, &signal.name.text, keys.map()));
            }
            Head::Deadline(duration, _) => keys.put("deadline", literal(duration)),
            Head::Defaults(defaults) => {
                let mut inner = Keys::default();
                timing(&mut inner, &defaults.timing);
                if !defaults.compensate.is_empty() {
                    let mut undo = Keys::default();
                    timing(&mut undo, &defaults.compensate);
                    inner.put("compensate", undo.map());
                }
                keys.put("defaults", inner.map());
            }
        }
    }
    if !signals.is_empty() {
        keys.put("signal", lines(Out::Map(signals)));
    }
    if !saga.body.statements.is_empty() {
        keys.put("sequence", block(&saga.body));
    }
    keys.put_if("output", saga.output.as_ref().map(value));
    documented(&saga.docs, &saga.name.text, lines(keys.map()))
}

fn timing(keys: &mut Keys, clauses: &[Timing]) {
    for clause in clauses {
        match clause {
            Timing::Timeout(duration, _) => keys.put("timeout", literal(duration)),
            Timing::Within(within, _) => keys.put("within", value(within)),
            Timing::Retry(retry) => {
                let mut inner = Keys::default();
                inner.put("times", literal(&retry.times));
                let every = retry.from.as_ref().map(|from| Out::Scalar(range(from, retry.to.as_ref())));
                inner.put_if("every", every);
                keys.put("retry", inner.map());
            }
        }
    }
}

/// A value: a literal, a map, a list, or an expression.
fn value(expr: &Expr) -> Out {
    let literal = |text: &str, wanted: Plain| (plain(text) == wanted).then(|| text.to_owned());
    let of_sign = |of: &Expr| match &of.kind {
        ExprKind::Int(text) => literal(&format!("-{text}"), Plain::Int),
        ExprKind::Decimal(text) => literal(&format!("-{text}"), Plain::Decimal),
        _ => None,
    };
    let written = match &expr.kind {
        ExprKind::Text(text) => Some(scalar(&escaped(text))),
        ExprKind::Int(text) => literal(text, Plain::Int),
        ExprKind::Decimal(text) => literal(text, Plain::Decimal),
        ExprKind::Duration(text) => literal(text, Plain::Duration),
        ExprKind::Bool(value) => Some(value.to_string()),
        ExprKind::Null => Some("null".to_owned()),
        ExprKind::Negate(of) => of_sign(of),
        ExprKind::Object(entries) => {
            let key = |(name, inner): &(Name, Expr)| Key::new(&scalar(&name.text), value(inner));
            return Out::Map(entries.iter().map(key).collect());
        }
        ExprKind::List(elements) => return Out::List(elements.iter().map(value).collect()),
        _ => None,
    };
    Out::Scalar(written.unwrap_or_else(|| quoted(&format!("${{ {} }}", in_words(expr)))))
}

fn block(block: &Block) -> Out {
    lines(Out::List(block.statements.iter().map(statement).collect()))
}

fn statement(statement: &Statement) -> Out {
    let mut keys = Keys::default();
    match &statement.kind {
        StatementKind::Pivot => return Out::Scalar("pivot".into()),
        StatementKind::Step(written) => step(&mut keys, written),
        StatementKind::Parallel(inner) => keys.put("parallel", block(inner)),
        StatementKind::Sequence(inner) => keys.put("sequence", block(inner)),
        StatementKind::When(written) => when(&mut keys, written, 0),
        StatementKind::ForEach(each) => {
            keys.put("for each", Out::Scalar(each.element.text.to_string()));
            keys.put("in", value(&each.list));
            keys.put_if("where", each.filter.as_ref().map(value));
            keys.put_if("at most", each.window.as_ref().map(|count| Out::Scalar(format!("{} at once", count.text))));
            keys.put("do", block(&each.block));
        }
        StatementKind::Repeat(repeat) => {
            let limit = Key::new("at most", Out::Scalar(format!("{} times", repeat.times.text)));
            keys.put("repeat", Out::Map(vec![limit]));
            keys.put("do", block(&repeat.block));
            keys.put_if("until", repeat.until.as_ref().map(value));
            keys.put_if("otherwise", repeat.otherwise.as_ref().map(block));
        }
        StatementKind::Try(attempt) => {
            keys.put("try", block(&attempt.block));
            keys.put_if("within", attempt.within.as_ref().map(value));
            let handlers = attempt.catches.iter().map(|catch| {
                let mut keys = Keys::default();
                if !catch.codes.is_empty() {
                    keys.put("codes", Out::List(catch.codes.iter().map(text).collect()));
                }
                keys.put("do", block(&catch.block));
                lines(keys.map())
            });
            keys.put("catch", lines(Out::List(handlers.collect())));
        }
        StatementKind::Await(wait) => {
            keys.put("await", Out::Scalar(wait.signal.text.to_string()));
            keys.put_if("as", wait.alias.as_ref().map(|alias| Out::Scalar(alias.text.to_string())));
            keys.put_if("where", wait.filter.as_ref().map(value));
            keys.put_if("within", wait.within.as_ref().map(value));
            keys.put_if("otherwise", wait.otherwise.as_ref().map(block));
        }
        StatementKind::Sleep(sleep) => keys.put(if sleep.until { "sleep until" } else { "sleep" }, value(&sleep.expr)),
        StatementKind::Let(written) => {
            keys.put("let", Out::Scalar(scalar(&written.name.text)));
            keys.put("be", value(&written.value));
        }
        StatementKind::Fail(fail) => {
            keys.put("fail", text(&fail.code));
            keys.put_if("message", fail.message.as_ref().map(value));
        }
    }
    lines(keys.map())
}

/// The arm of that number, and in its `otherwise` the next.
fn when(keys: &mut Keys, written: &When, index: usize) {
    let Some(arm) = written.arms.get(index) else { return };
    keys.put("when", value(&arm.condition));
    keys.put("do", block(&arm.block));
    if index + 1 < written.arms.len() {
        let mut next = Keys::default();
        when(&mut next, written, index + 1);
        keys.put("otherwise", lines(next.map()));
    } else {
        keys.put_if("otherwise", written.otherwise.as_ref().map(block));
    }
}

fn step(keys: &mut Keys, step: &Step) {
    let word = if step.pivot.is_some() { "pivot step" } else { "step" };
    keys.put(word, Out::Scalar(scalar(&step.name.text)));
    if let Some(written) = &step.action {
        action(keys, written);
    }
    timing(keys, &step.timing);
    match &step.compensate {
        Some(Compensate { action: None, .. }) => keys.put("compensate", Out::Scalar("nothing".into())),
        Some(Compensate { action: Some(undo), timing: clauses, .. }) => {
            let mut inner = Keys::default();
            action(&mut inner, undo);
            timing(&mut inner, clauses);
            keys.put("compensate", inner.map());
        }
        None => {}
    }
}

fn action(keys: &mut Keys, action: &Action) {
    let target = |target: &Target| Out::Scalar(format!("{}.{}", target.participant.text, target.command.text));
    match &action.kind {
        ActionKind::Call(to) => keys.put("call", target(to)),
        ActionKind::Send(to) => keys.put("send", target(to)),
        ActionKind::Run(saga) => keys.put("run", Out::Scalar(scalar(&saga.text))),
    }
    keys.put_if("with", action.payload.as_ref().map(value));
}

fn trigger(trigger: &Trigger) -> Key {
    let mut keys = Keys::default();
    keys.put("on", text(&trigger.topic));
    keys.put("event", ty(&trigger.event));
    keys.put_if("where", trigger.filter.as_ref().map(value));
    let addressed = |name: &str, payload: Option<&Expr>| {
        Out::Map(vec![Key::new(&scalar(name), payload.map_or(Out::Map(Vec::new()), value))])
    };
    let start = trigger.start.as_ref();
    keys.put_if("start", start.map(|(saga, payload)| addressed(&saga.text, payload.as_ref())));
    let signal = trigger.signal.as_ref();
    keys.put_if("signal", signal.map(|(signal, payload)| addressed(&reference(signal), payload.as_ref())));
    documented(&trigger.docs, &trigger.name.text, lines(keys.map()))
}

fn scenario(scenario: &Scenario) -> Out {
    let mut keys = Keys::default();
    keys.put("scenario", text(&scenario.title));
    keys.put("for", Out::Scalar(scalar(&scenario.saga.text)));
    keys.put_if("given", scenario.given.as_ref().map(value));
    if !scenario.happenings.is_empty() {
        keys.put("when", Out::List(scenario.happenings.iter().map(happening).collect()));
    }
    keys.put("expect", Out::List(scenario.expects.iter().map(expect).collect()));
    keys.map()
}

/// A clause without a payload.
fn clause(words: &str) -> Out {
    Out::Scalar(scalar(words))
}

fn happening(happening: &Happening) -> Out {
    match &happening.kind {
        HappeningKind::Signal { signal, payload, after } => {
            let words = format!("signal {} arrives", reference(signal));
            match payload {
                None => clause(&format!("{words}{}", later(after.as_ref()))),
                Some(payload) => {
                    let mut keys = Keys::default();
                    keys.put(&scalar(&words), value(payload));
                    keys.put_if("after", after.as_ref().map(literal));
                    keys.map()
                }
            }
        }
        HappeningKind::Cancelled { after } => clause(&format!("cancelled{}", later(after.as_ref()))),
        HappeningKind::Answer { called: step, what, times } => {
            let step = called(step);
            let often = times.as_ref().map(|times| format!(" {} times", times.text)).unwrap_or_default();
            match what {
                Answer::Fails(None) => clause(&format!("{step} fails{often}")),
                Answer::Fails(Some(written)) => clause(&format!("{step} fails {}{often}", code(&written.value))),
                Answer::TimesOut => clause(&format!("{step} times out{often}")),
                Answer::StaysPending => clause(&format!("{step} stays pending{often}")),
                Answer::Replies(reply) => {
                    let mut keys = Keys::default();
                    keys.put(&scalar(&format!("{step} replies")), value(reply));
                    keys.put_if("times", times.as_ref().map(literal));
                    keys.map()
                }
            }
        }
    }
}

fn later(after: Option<&Literal>) -> String {
    after.map(|after| format!(" after {}", after.text)).unwrap_or_default()
}

fn expect(expect: &Expect) -> Out {
    match &expect.kind {
        ExpectKind::Completed(None) => clause("completed"),
        ExpectKind::Completed(Some(output)) => Out::Map(vec![Key::new("completed", value(output))]),
        ExpectKind::Compensated(None) => clause("compensated"),
        ExpectKind::Compensated(Some(written)) => clause(&format!("compensated {}", code(&written.value))),
        ExpectKind::Stuck(step) => clause(&format!("stuck {}", called(step))),
        ExpectKind::Calls(steps) if steps.is_empty() => clause("calls nothing"),
        ExpectKind::Calls(steps) => {
            clause(&format!("calls {}", steps.iter().map(called).collect::<Vec<_>>().join(" ")))
        }
    }
}
