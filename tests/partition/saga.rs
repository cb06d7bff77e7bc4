//! The saga of these tests: `a` and `b` in parallel, then the pivot step `p`, then `r`; in some worlds a message `m` before it.

use std::sync::Arc;
use std::time::Duration;

use compact_str::format_compact;
use indexmap::IndexMap;
use saga::definition::expression::{Expr, Typed};
use saga::definition::types::{Record, Type};
use saga::definition::{
    Command, Compensation, Invocation, Limit, Participant, Retry, Saga, Statement, StatementKind, Step, Timing, Verb,
};
use saga::engine::{InstanceId, Order, OrderRequest, ReplyTo, RequestId, Start};
use saga::journal::Plans;
use saga::json::Json;
use saga::plan::Plan;
use saga::source::Span;
use saga::wire::{self, Ask, Message, Request};

pub(crate) const NAME: &str = "toy";
/// The topic of its participant.
pub(crate) const COMMANDS: &str = "worker.commands";
/// Where answers go.
pub(crate) const ANSWERS: &str = "client.answers";

/// Of the short saga, for scripts that count records.
pub(crate) fn plans() -> Arc<Plans> {
    deployed(saga(Vec::new(), &[]))
}

/// Of a world, with limits of its participant: every eighth has the message too. Not by chance, so that the others stay
/// the worlds that they are, and the rare faults show where they were last seen.
pub(crate) fn plans_of(seed: u64, limits: &[Limit]) -> Arc<Plans> {
    if seed % 8 != 7 {
        return deployed(saga(Vec::new(), limits));
    }
    let action = Invocation { verb: Verb::Send, ..invocation("Tell", false, limits) };
    deployed(saga(vec![step_of("m", action, Compensation::Unsaid)], limits))
}

fn deployed(saga: Saga) -> Arc<Plans> {
    let mut plans = Plans::default();
    plans.deploy(&Arc::new(Plan::new(Arc::new(saga))));
    Arc::new(plans)
}

fn saga(messages: Vec<Statement>, limits: &[Limit]) -> Saga {
    let step = |name, compensation, fails| step(name, compensation, fails, limits);
    let compensated = || Compensation::Call(Box::new(invocation("Undo", false, limits)));
    let first = vec![step("a", compensated(), true), step("b", compensated(), true)];
    let mut pivot = step("p", Compensation::Unsaid, true);
    if let StatementKind::Step(step) = &mut pivot.kind {
        Arc::make_mut(step).pivot = true;
    }
    let mut body = vec![statement(StatementKind::Parallel(first)), pivot];
    body.extend(messages);
    body.push(step("r", Compensation::Unsaid, false));
    Saga {
        name: NAME.into(),
        version: 1,
        content: saga::definition::ContentHash::default(),
        input: Arc::new(Record { name: None, fields: Vec::new() }),
        signals: IndexMap::default(),
        deadline: Some(Duration::from_mins(1)),
        body,
        output: None,
        docs: None,
        span: Span::default(),
    }
}

fn step(name: &str, compensation: Compensation, fails: bool, limits: &[Limit]) -> Statement {
    step_of(name, invocation("Try", fails, limits), compensation)
}

fn step_of(name: &str, action: Invocation, compensation: Compensation) -> Statement {
    let action = Some(action);
    let step = Step { name: name.into(), span: Span::default(), pivot: false, action, compensation };
    statement(StatementKind::Step(Arc::new(step)))
}

fn statement(kind: StatementKind) -> Statement {
    Statement { kind, span: Span::default() }
}

fn invocation(command: &str, fails: bool, limits: &[Limit]) -> Invocation {
    let participant = Arc::new(Participant {
        name: "worker".into(),
        commands_topic: COMMANDS.into(),
        events_topic: format_compact!("worker.events"),
        answers_queries: true,
        limits: limits.to_vec(),
        commands: IndexMap::default(),
        messages: IndexMap::default(),
        docs: None,
        span: Span::default(),
    });
    let command = Arc::new(Command {
        name: command.into(),
        wire: command.into(),
        request: Arc::default(),
        reply: Arc::default(),
        fails: if fails { vec!["no".into()] } else { Vec::new() },
        docs: None,
        span: Span::default(),
    });
    let ty = Type::Record(Arc::default());
    Invocation {
        verb: Verb::Call,
        participant,
        command,
        payload: Typed { expr: Expr::Object(Vec::new()), ty, span: Span::default(), overflow: None },
        timing: Timing {
            timeout: Duration::from_secs(2),
            within: None,
            retry: Retry { times: 3, from: Duration::from_millis(200), to: Duration::from_secs(1) },
        },
        span: Span::default(),
    }
}

/// A start as its client sends it.
pub(crate) fn start(id: &str, input: &str, request: &str) -> Message {
    let start = Start { input: Json::parse(input).unwrap(), reply_to: Some(answers_to(request)), traceparent: None };
    asked(id, request, Ask::Start { saga: NAME.into(), start })
}

/// An operator's order.
pub(crate) fn order(id: &str, order: Order, request: &str) -> Message {
    let asked_by = RequestId::try_from(request).unwrap();
    let order = OrderRequest { request: asked_by, order, by: None, reason: None };
    asked(id, request, Ask::Order { order, reply_to: Some(answers_to(request)) })
}

fn asked(id: &str, request: &str, ask: Ask) -> Message {
    let request =
        Request { id: RequestId::try_from(request).unwrap(), instance: InstanceId::try_from(id).unwrap(), ask };
    wire::request(&request, "/tests")
}

fn answers_to(request: &str) -> ReplyTo {
    ReplyTo { topic: ANSWERS.into(), partition: Some(0), request: RequestId::try_from(request).unwrap() }
}
