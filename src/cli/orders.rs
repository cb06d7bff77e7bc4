//! `saga signal`, `saga cancel`, `saga retry`, `saga resolve`: what a person can tell or order.

use serde::Serialize;

use super::instance::{Access, Where};
use super::{CliError, Exit, Out, input};
use crate::engine::Direction;
use crate::http::api::{ApiError, OrderBody, OrderOutcome, OrderWord, OutcomeWord, Taken};
use crate::http::faults::named;

/// Tell an instance that something has happened which its saga awaits, or will
#[derive(Debug, clap::Args)]
pub(super) struct Signal {
    /// The instance
    id: String,
    /// The signal, as the saga declares it
    name: String,
    /// What it carries: JSON, @FILE, or - for standard input
    #[arg(value_name = "JSON")]
    with: Option<String>,
    #[command(flatten)]
    signed: Signed,
    #[command(flatten)]
    place: Where,
}

/// Take back everything that an instance did; refused behind its point of no return
#[derive(Debug, clap::Args)]
pub(super) struct Cancel {
    /// The instance
    id: String,
    #[command(flatten)]
    signed: Signed,
    #[command(flatten)]
    place: Where,
}

/// Try again now what is stuck or pauses, with all its retries anew
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(false))]
pub(super) struct Retry {
    /// The instance
    #[arg(group = "whom")]
    id: Option<String>,
    /// All that wait for a person, as `saga list --stuck` lists them: once their participant is there again
    #[arg(long, group = "whom")]
    stuck: bool,
    /// Of those only the instances of this saga
    #[arg(long, requires = "stuck", conflicts_with = "id", value_name = "NAME")]
    saga: Option<String>,
    /// Only this step: of the instance, or of all that are stuck at it; without an index in all elements and rounds
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    #[command(flatten)]
    signed: Signed,
    #[command(flatten)]
    place: Where,
}

/// Say what became of a step that is stuck, pauses or pends, having found out or done it by hand; or give a value that cannot be computed
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("outcome").required(true).multiple(false))]
pub(super) struct Resolve {
    /// The instance
    id: String,
    /// The step, or the place whose value cannot be computed
    step: String,
    /// It was done, or taken back
    #[arg(long, group = "outcome")]
    succeeded: bool,
    /// It was not done and never will be; with a code that the contract declares
    #[arg(long, value_name = "CODE", group = "outcome")]
    failed: Option<String>,
    /// The participant's reply to a step that was done, or a value that cannot be computed: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", requires = "succeeded", conflicts_with = "failed")]
    reply: Option<String>,
    /// Speak of the step's compensation, and not of the step itself
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    signed: Signed,
    #[command(flatten)]
    place: Where,
}

/// Who and why: kept in the history.
#[derive(Debug, clap::Args)]
pub(super) struct Author {
    /// Why; kept in the history
    #[arg(long)]
    pub(super) reason: Option<String>,
    /// Who gives the order; kept in the history
    #[arg(long, env = "SAGA_OPERATOR", value_name = "NAME")]
    pub(super) by: Option<String>,
}

/// An order is recognised by its id.
#[derive(Debug, clap::Args)]
struct Signed {
    #[command(flatten)]
    author: Author,
    /// An id for the order: the same one is carried out once
    #[arg(long, value_name = "ID")]
    request: Option<String>,
}

pub(super) fn signal(arguments: &Signal, out: &mut Out) -> Result<Exit, CliError> {
    let (id, name) = (named(&arguments.id), shell_words::quote(&arguments.name));
    let (what, before) = (format!("the value of signal {name}"), format!("saga signal {id} {name} "));
    let expected = input::Expected { what: &what, before: &before };
    let with = arguments.with.as_deref().map(|text| input::json_of(&expected, text)).transpose()?;
    let body = OrderBody { signal: Some(arguments.name.clone()), with, ..arguments.signed.sign(OrderWord::Signal) };
    give(&arguments.id, &arguments.place, body, out)
}

pub(super) fn cancel(arguments: &Cancel, out: &mut Out) -> Result<Exit, CliError> {
    give(&arguments.id, &arguments.place, arguments.signed.sign(OrderWord::Cancel), out)
}

pub(super) fn retry(arguments: &Retry, out: &mut Out) -> Result<Exit, CliError> {
    let body = OrderBody { step: arguments.step.clone(), ..arguments.signed.sign(OrderWord::Retry) };
    match &arguments.id {
        Some(id) => give(id, &arguments.place, body, out),
        None => retry_stuck(arguments, body, out),
    }
}

/// What came of the orders for all that were stuck.
#[derive(Serialize)]
struct Retried {
    orders: Vec<Taken>,
    refused: Vec<NotTaken>,
    /// Stuck, and more than one command lists.
    left: u64,
}

#[derive(Serialize)]
struct NotTaken {
    id: String,
    error: ApiError,
}

fn retry_stuck(arguments: &Retry, body: OrderBody, out: &mut Out) -> Result<Exit, CliError> {
    let Retry { saga, step, place, .. } = arguments;
    let stuck = Access::to(place)?.order_stuck((saga.as_deref(), step.as_deref()), body, out)?;
    let count = |all: usize| u64::try_from(all).unwrap_or(u64::MAX);
    let (mut orders, mut refused) = (Vec::new(), Vec::new());
    for (id, came) in stuck.orders {
        match came {
            Ok(taken) => orders.push(taken),
            Err(error) => refused.push(NotTaken { id, error }),
        }
    }
    let left = stuck.all.saturating_sub(count(orders.len() + refused.len()));
    let exit = if refused.is_empty() { Exit::Done } else { Exit::Refused };
    if place.is_json() {
        out.json(&Retried { orders, refused, left })?;
        return Ok(exit);
    }
    for NotTaken { id, error } in &refused {
        out.remark(format_args!("{id}: {}", error.message));
    }
    let only = [("--saga", saga), ("--step", step)];
    let only = only.iter().filter_map(|(option, name)| Some([*option, name.as_deref()?])).flatten();
    let list = place.pasted(&["list", "--stuck"].into_iter().chain(only).collect::<Vec<_>>());
    match (orders.len(), refused.len()) {
        (0, 0) => out.remark(format_args!("nothing is stuck")),
        (taken, 0) => out.remark(format_args!("{taken} taken: see who is stuck again with `{list}`")),
        (taken, not) => out.remark(format_args!("{taken} taken, {not} refused: see who is stuck with `{list}`")),
    }
    let waiting = orders.iter().filter(|taken| taken.order == OrderOutcome::Waiting).count();
    if waiting > 0 {
        out.remark(format_args!("{waiting} of them nobody has decided yet: they may still be refused"));
    }
    if left > 0 {
        out.remark(format_args!("{left} more are stuck: give the same command once more"));
    }
    Ok(exit)
}

pub(super) fn resolve(arguments: &Resolve, out: &mut Out) -> Result<Exit, CliError> {
    let reply = arguments.reply.as_deref().map(|text| input::json("--reply", text)).transpose()?;
    let outcome = if arguments.succeeded { OutcomeWord::Succeeded } else { OutcomeWord::Failed };
    let body = OrderBody {
        step: Some(arguments.step.clone()),
        work: arguments.undo.then_some(Direction::Undo),
        outcome: Some(outcome),
        reply,
        code: arguments.failed.clone(),
        ..arguments.signed.sign(OrderWord::Resolve)
    };
    give(&arguments.id, &arguments.place, body, out)
}

impl Signed {
    fn sign(&self, order: OrderWord) -> OrderBody {
        let Author { reason, by } = &self.author;
        // An empty variable says as little as none.
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let (by, reason, request) = (said(by), said(reason), self.request.clone());
        OrderBody { by, reason, request, ..OrderBody::new(order) }
    }
}

fn give(id: &str, place: &Where, body: OrderBody, out: &mut Out) -> Result<Exit, CliError> {
    let taken = Access::to(place)?.order(id, body, out)?;
    if place.is_json() {
        out.json(&taken)?;
        return Ok(Exit::Done);
    }
    if let Some(why) = &taken.why {
        out.remark(format_args!("nobody has looked at it yet: {why}"));
    }
    match taken.order {
        OrderOutcome::Taken => {
            out.remark(format_args!("taken: see what comes of it with `{}`", place.command_line("show", id)));
        }
        // A refusal is in the history alone.
        OrderOutcome::Waiting => out.remark(format_args!(
            "the order is in the log, and nobody has decided it yet: it may still be refused once an orchestrator takes it up, \
             and what came of it is then seen with `{}`",
            place.command_line("history", id)
        )),
    }
    Ok(Exit::Done)
}
