//! The saga of these tests: `a` and `b` in parallel, then the pivot step `p`, then `r`; in some worlds a message `m` before it.

use std::fmt::Write as _;
use std::sync::Arc;

use saga::check::check_text;
use saga::definition::Limit;
use saga::engine::{InstanceId, Order, OrderRequest, ReplyTo, RequestId, Start};
use saga::journal::Plans;
use saga::json::Json;
use saga::plan::Plan;
use saga::simulation::Cast;
use saga::wire::{self, Ask, Message, Request};

pub(crate) const NAME: &str = "toy";
/// The topic of its participant.
pub(crate) const COMMANDS: &str = "worker.commands";
/// Where answers go.
pub(crate) const ANSWERS: &str = "client.answers";

/// Of the short saga, for scripts that count records.
pub(crate) fn plans() -> Arc<Plans> {
    let mut plans = Plans::default();
    plans.deploy(&plan(false, &[]));
    Arc::new(plans)
}

/// Of a world, with limits of its participant: every eighth has the message too.
pub(crate) fn cast_of(seed: u64, limits: &[Limit]) -> Arc<Cast> {
    Arc::new(Cast::new(&plan(seed % 8 == 7, limits)))
}

fn plan(tells: bool, limits: &[Limit]) -> Arc<Plan> {
    let limits = limits.iter().fold(String::new(), |mut text, limit| {
        let _ = writeln!(text, "  {limit}");
        text
    });
    let (message, tell) = if tells { ("message Tell {}", "step m { send worker.Tell }") } else { ("", "") };
    let text = format!(
        r#"
        participant worker {{
          answers queries
          {limits}
          command Try {{}} fails "no"
          command Do {{}}
          command Undo {{}}
          {message}
        }}
        saga {NAME} {{
          version 1
          deadline 1m
          defaults {{ timeout 2s retry 3 times every 200ms..1s compensate timeout 2s retry 3 times every 200ms..1s }}
          parallel {{
            step a {{ call worker.Try compensate worker.Undo }}
            step b {{ call worker.Try compensate worker.Undo }}
          }}
          pivot step p {{ call worker.Try }}
          {tell}
          step r {{ call worker.Do }}
        }}
        "#
    );
    let checked = check_text("toy.saga", &text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    Arc::new(Plan::new(Arc::clone(&checked.program.sagas[NAME])))
}

/// A start as its client sends it.
pub(crate) fn start(id: &str, input: &str, request: &str) -> Message {
    start_answered_in(ANSWERS, (id, input, request))
}

/// The same, with its answer to be sent somewhere.
pub(crate) fn start_answered_in(topic: &str, (id, input, request): (&str, &str, &str)) -> Message {
    let to = ReplyTo { topic: topic.into(), ..answers_to(request) };
    let start = Start { input: Json::parse(input).unwrap(), reply_to: Some(to), traceparent: None };
    asked(id, request, Ask::Start { saga: NAME.into(), start })
}

/// A start without an address for its answer, and who makes it.
pub(crate) fn start_unheard(id: &str, input: &str, source: &str) -> Message {
    let start = Start { input: Json::parse(input).unwrap(), reply_to: None, traceparent: None };
    let (id, instance) = (RequestId::try_from("unheard").unwrap(), InstanceId::try_from(id).unwrap());
    wire::request(&Request { id, instance, ask: Ask::Start { saga: NAME.into(), start } }, source)
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
