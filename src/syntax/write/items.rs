//! Items of the text form.

use std::fmt::Write as _;

use super::statements::condition;
use super::words::{called, limit, range, reference};
use super::{Writer, expr, heads, items, parts, quoted, type_expr};
use crate::syntax::tree::{
    Answer, Expect, ExpectKind, Expr, File, Happening, HappeningKind, Head, Item, Participant, ParticipantItem, Saga,
    Scenario, Text, Timing, Trigger, TypeExprKind,
};

impl Writer {
    pub(super) fn file(&mut self, file: &File) {
        for (index, item) in items(file).into_iter().enumerate() {
            if index > 0 {
                self.out.push('\n');
            }
            match item {
                Item::Use(item) => self.line(&format!("use {}", quoted(&item.path.value))),
                Item::Type(item) => {
                    self.docs(&item.docs);
                    let equals = if matches!(item.body.kind, TypeExprKind::Record(_)) { "" } else { "= " };
                    self.line(&format!("type {} {equals}{}", item.name.text, type_expr(&item.body)));
                }
                Item::Participant(item) => self.participant(item),
                Item::Saga(item) => self.saga(item),
                Item::Trigger(item) => self.trigger(item),
                Item::Scenario(item) => self.scenario(item),
            }
        }
    }

    fn participant(&mut self, participant: &Participant) {
        self.docs(&participant.docs);
        self.group(&format!("participant {}", participant.name.text), |writer| {
            for item in parts(&participant.items) {
                match item {
                    ParticipantItem::Commands(topic, _) => writer.line(&format!("commands {}", quoted(&topic.value))),
                    ParticipantItem::Events(topic, _) => writer.line(&format!("events {}", quoted(&topic.value))),
                    ParticipantItem::AnswersQueries(_) => writer.line("answers queries"),
                    ParticipantItem::AtMost(most) => {
                        writer.line(&format!("at most {}", limit(&most.count, most.rate)));
                    }
                    ParticipantItem::Command(command) => {
                        writer.docs(&command.docs);
                        let mut line = format!("command {}", command.name.text);
                        wire(&mut line, command.wire.as_ref());
                        for (word, shape) in [("", &command.request), ("returns ", &command.returns)] {
                            if let Some(shape) = shape {
                                let _ = write!(line, " {word}{}", type_expr(shape));
                            }
                        }
                        if !command.fails.is_empty() {
                            let _ = write!(line, " fails {}", codes(&command.fails));
                        }
                        writer.line(&line);
                    }
                    ParticipantItem::Message(message) => {
                        writer.docs(&message.docs);
                        let mut line = format!("message {}", message.name.text);
                        wire(&mut line, message.wire.as_ref());
                        if let Some(shape) = &message.shape {
                            let _ = write!(line, " {}", type_expr(shape));
                        }
                        writer.line(&line);
                    }
                }
            }
        });
    }

    fn saga(&mut self, saga: &Saga) {
        self.docs(&saga.docs);
        self.group(&format!("saga {}", saga.name.text), |writer| {
            for head in heads(&saga.heads) {
                match head {
                    Head::Version(number, _) => writer.line(&format!("version {}", number.text)),
                    Head::Coordination(word, _) => writer.line(&format!("coordination {}", word.text)),
                    Head::Input(shape, _) => writer.line(&format!("input {}", type_expr(shape))),
                    Head::Deadline(duration, _) => writer.line(&format!("deadline {}", duration.text)),
                    Head::Signal(signal) => {
                        writer.docs(&signal.docs);
                        let shape = signal.shape.as_ref().map(|shape| format!(" {}", type_expr(shape)));
                        writer.line(&format!("signal {}{}", signal.name.text, shape.unwrap_or_default()));
                    }
                    Head::Defaults(defaults) => {
                        let mut clauses = timings(&defaults.timing);
                        if !defaults.compensate.is_empty() {
                            clauses.push(format!("compensate {}", timings(&defaults.compensate).join(" ")));
                        }
                        writer.line(&format!("defaults {{ {} }}", clauses.join(" ")));
                    }
                }
            }
            for statement in &saga.body.statements {
                if !saga.heads.is_empty() || !std::ptr::eq(statement, saga.body.statements.first().unwrap_or(statement))
                {
                    writer.out.push('\n');
                }
                writer.statement(statement);
            }
            if let Some(output) = &saga.output {
                writer.out.push('\n');
                writer.line(&format!("output {}", expr(output)));
            }
        });
    }

    fn trigger(&mut self, trigger: &Trigger) {
        self.docs(&trigger.docs);
        self.group(&format!("trigger {}", trigger.name.text), |writer| {
            writer.line(&format!("on {} event {}", quoted(&trigger.topic.value), type_expr(&trigger.event)));
            if let Some(filter) = &trigger.filter {
                writer.line(&format!("where {}", condition(filter)));
            }
            if let Some((saga, payload)) = &trigger.start {
                writer.line(&format!("start {}{}", saga.text, object(payload.as_ref())));
            }
            if let Some((signal, payload)) = &trigger.signal {
                writer.line(&format!("signal {}{}", reference(signal), object(payload.as_ref())));
            }
        });
    }

    fn scenario(&mut self, scenario: &Scenario) {
        let head = format!("scenario {} for {}", quoted(&scenario.title.value), scenario.saga.text);
        self.group(&head, |writer| {
            if let Some(given) = &scenario.given {
                writer.line(&format!("given {}", expr(given)));
            }
            for happening in &scenario.happenings {
                writer.line(&format!("when {}", happens(happening)));
            }
            for expect in &scenario.expects {
                writer.line(&format!("expect {}", expected(expect)));
            }
        });
    }
}

fn wire(line: &mut String, wire: Option<&Text>) {
    if let Some(wire) = wire {
        let _ = write!(line, " as {}", quoted(&wire.value));
    }
}

pub(super) fn codes(codes: &[Text]) -> String {
    codes.iter().map(|code| quoted(&code.value)).collect::<Vec<_>>().join(", ")
}

pub(super) fn object(payload: Option<&Expr>) -> String {
    payload.map(|payload| format!(" {}", expr(payload))).unwrap_or_default()
}

pub(super) fn timings(clauses: &[Timing]) -> Vec<String> {
    clauses
        .iter()
        .map(|clause| match clause {
            Timing::Timeout(duration, _) => format!("timeout {}", duration.text),
            Timing::Within(within, _) => format!("within {}", expr(within)),
            Timing::Retry(retry) => {
                let every = retry.from.as_ref().map(|from| format!(" every {}", range(from, retry.to.as_ref())));
                format!("retry {} times{}", retry.times.text, every.unwrap_or_default())
            }
        })
        .collect()
}

fn happens(happening: &Happening) -> String {
    match &happening.kind {
        HappeningKind::Signal { signal, payload, after } => {
            let after = after.as_ref().map(|after| format!(" after {}", after.text)).unwrap_or_default();
            format!("signal {} arrives{}{after}", reference(signal), object(payload.as_ref()))
        }
        HappeningKind::Cancelled { after } => {
            format!("cancelled{}", after.as_ref().map(|after| format!(" after {}", after.text)).unwrap_or_default())
        }
        HappeningKind::Answer { called: step, what, times } => {
            let what = match what {
                Answer::Fails(None) => "fails".to_owned(),
                Answer::Fails(Some(code)) => format!("fails {}", quoted(&code.value)),
                Answer::TimesOut => "times out".to_owned(),
                Answer::StaysPending => "stays pending".to_owned(),
                Answer::Replies(reply) => format!("replies {}", expr(reply)),
            };
            let times = times.as_ref().map(|times| format!(" {} times", times.text)).unwrap_or_default();
            format!("{} {what}{times}", called(step))
        }
    }
}

fn expected(expect: &Expect) -> String {
    match &expect.kind {
        ExpectKind::Completed(output) => format!("completed{}", object(output.as_ref())),
        ExpectKind::Compensated(None) => "compensated".to_owned(),
        ExpectKind::Compensated(Some(code)) => format!("compensated {}", quoted(&code.value)),
        ExpectKind::Stuck(step) => format!("stuck {}", called(step)),
        ExpectKind::Calls(steps) if steps.is_empty() => "calls nothing".to_owned(),
        ExpectKind::Calls(steps) => format!("calls {}", steps.iter().map(called).collect::<Vec<_>>().join(", ")),
    }
}
