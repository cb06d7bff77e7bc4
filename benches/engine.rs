//! The engine alone: booking from start to end through `decide` and `apply`, its effects derived, no log.
//!
//! The baseline of the same run is the JSON of the same records written and read once more: what any engine with a
//! journal pays before it decides anything.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use saga::check;
use saga::definition::json::least;
use saga::definition::types::Type;
use saga::engine::{
    Change, Command, CommandKind, Decision, Effect, Input, Instance, InstanceId, Reply, ReplyKind, Run, Start, Status,
    caused, decide,
};
use saga::journal::record::{Body, Cause, Positions, Record, VERSION};
use saga::journal::{Ledger, Plans};
use saga::json::Json;
use saga::plan::Plan;
use saga::time::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const BOOKING: &str = include_str!("../workflows/booking.saga");
const INPUT: &str = r#"{"traveller":"ana","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}"#;
const NOW: Timestamp = Timestamp(1_700_000_000_000);
const SAGAS: u32 = 20_000;
const ROUNDS: usize = 5;

/// Where the third step goes.
#[derive(Clone, Copy)]
enum Card {
    Accepted,
    Declined,
}

fn main() {
    let checked = check::check_text("booking.saga", BOOKING);
    let saga = checked.program.sagas.get("booking").expect("the workflow defines it");
    let plan = Arc::new(Plan::new(saga.clone()));

    println!("| booking, in memory | sagas/s | allocations a saga | bytes a saga | x baseline |");
    println!("|---|---|---|---|---|");
    for (name, card) in [("completed", Card::Accepted), ("card declined, taken back", Card::Declined)] {
        let changes = one(&plan, 0, card);
        let texts: Vec<String> = changes.iter().filter_map(|change| serde_json::to_string(change).ok()).collect();
        let baseline = best(|| {
            for _ in 0..SAGAS {
                for (change, text) in changes.iter().zip(&texts) {
                    black_box(serde_json::to_string(black_box(change)).ok());
                    black_box(serde_json::from_str::<Change>(black_box(text)).ok());
                }
            }
        });
        let region = Region::new(ALLOCATOR);
        for number in 0..SAGAS {
            black_box(one(&plan, number, card));
        }
        let stats = region.change();
        let took = best(|| {
            for number in 0..SAGAS {
                black_box(one(&plan, number, card));
            }
        });
        println!(
            "| {name} | {:.0} | {} | {} | {:.2} |",
            f64::from(SAGAS) / took.as_secs_f64(),
            stats.allocations / SAGAS as usize,
            stats.bytes_allocated / SAGAS as usize,
            took.as_secs_f64() / baseline.as_secs_f64(),
        );
        println!(
            "| … JSON of its {} records, once each way | {:.0} | | | 1 |",
            texts.len(),
            f64::from(SAGAS) / baseline.as_secs_f64()
        );
    }
    waiting(&plan);
    loops();
}

/// What an element of a loop costs, beside a plain step of a chain: forward, and with all taken back.
fn loops() {
    const ELEMENTS: usize = 1_000;
    const STEPS: usize = 20;
    let step = |name: &str, n: &str| {
        format!("step {name} {{ call shop.Do {{ n: {n} }}  compensate shop.Undo {{ n: {n} }} }}\n")
    };
    let last = "step last { call shop.Last { n: 1 }  compensate nothing }";
    let chain: String = (0..STEPS).map(|number| step(&format!("s{number}"), "input.items[0] ?? 1")).collect();
    let elements = |window: &str| format!("for each item in input.items{window} {{ {} }}", step("s", "item"));
    let shapes = [
        ("a chain of 20 steps", chain, STEPS),
        ("1,000 elements, 50 at once", elements(", at most 50 at once"), ELEMENTS),
        ("1,000 elements, one after the other", elements(""), ELEMENTS),
    ];
    println!();
    println!("| a step of | forward | ratio | forward, refused at the end, taken back | ratio |");
    println!("|---|---|---|---|---|");
    let mut baseline: Option<[Duration; 2]> = None;
    for (name, body, steps) in shapes {
        let text = format!(
            "participant shop {{ command Do {{ n: int }} returns {{ id: string }}  command Undo {{ n: int }}  command Last {{ n: int }} fails \"declined\" }}\nsaga shape {{ version 1 input {{ items: list<int> }} {body} {last} }}"
        );
        let checked = check::check_text("shape.saga", &text);
        let shape = Plan::new(checked.program.sagas.get("shape").expect("it has no findings").clone());
        let items: Vec<String> = (0..steps).map(|item| item.to_string()).collect();
        let input = format!(r#"{{"items":[{}]}}"#, items.join(","));
        let sagas = u32::try_from(ELEMENTS * 4 / steps).unwrap_or(1);
        let took = [Card::Accepted, Card::Declined].map(|card| {
            let all = best(|| {
                for number in 0..sagas {
                    black_box(played(&shape, begun(&shape, number), &input, card));
                }
            });
            all / sagas / u32::try_from(steps).unwrap_or(1)
        });
        let [step_there, step_back] = *baseline.get_or_insert(took);
        let [there, back] = took;
        println!(
            "| {name} | {:.2} µs | {:.2} | {:.2} µs | {:.2} |",
            there.as_secs_f64() * 1e6,
            there.as_secs_f64() / step_there.as_secs_f64(),
            back.as_secs_f64() * 1e6,
            back.as_secs_f64() / step_back.as_secs_f64(),
        );
    }
}

/// Net bytes of so many sagas that wait for their first answers, as the ledger of a partition keeps them.
fn waiting(plan: &Arc<Plan>) {
    const WAITING: u32 = 100_000;
    let mut plans = Plans::default();
    plans.deploy(plan);
    let region = Region::new(ALLOCATOR);
    let mut ledger = Ledger::default();
    for number in 0..WAITING {
        let instance = begun(plan, number);
        let input = Json::parse(INPUT).expect("the input is JSON");
        let start = Input::Start(Start { input, reply_to: None, traceparent: None });
        let decision = decide(plan, &instance, NOW, &start, &mut |_, _| true);
        let Decision::Change(change, _) = decision else { unreachable!("a start of a saga begins it") };
        let (definition, cause) = (Arc::clone(plan.saga.hash()), Cause::Request(0));
        let body = Body::Change { instance: instance.id, run: instance.run, definition, cause, change };
        let (read, at) = (Positions::default(), NOW);
        let record = Record { v: VERSION, epoch: 0, n: 1, read, sent: 0, checkpoint: 0, at, body };
        ledger.book(&plans, &record, INPUT.len(), None).expect("it is the first of its instance");
    }
    let stats = region.change();
    let bytes = stats.bytes_allocated.saturating_sub(stats.bytes_deallocated);
    println!();
    println!(
        "{WAITING} waiting sagas: {} bytes each, input of {} bytes included",
        bytes / WAITING as usize,
        INPUT.len()
    );
    black_box(ledger);
}

fn begun(plan: &Plan, number: u32) -> Instance {
    let id = InstanceId::try_from(format!("order-{number}").as_str()).expect("a short word is an id");
    Instance::new(id, Run(NOW.0), plan)
}

/// The least of several rounds: the machine's other work only ever adds.
fn best(mut run: impl FnMut()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

/// One saga from its start to its end; everybody answers at once.
fn one(plan: &Plan, number: u32, card: Card) -> Vec<Change> {
    played(plan, begun(plan, number), INPUT, card)
}

fn played(plan: &Plan, mut instance: Instance, input: &str, card: Card) -> Vec<Change> {
    let input = Json::parse(input).expect("the input is JSON");
    let mut inbox = vec![Input::Start(Start { input, reply_to: None, traceparent: None })];
    let mut changes = Vec::with_capacity(8);
    while let Some(input) = inbox.pop() {
        let Decision::Change(change, next) = decide(plan, &instance, NOW, &input, &mut |_, _| true) else { continue };
        instance = next;
        for effect in caused(plan, &instance, &change) {
            if let Effect::Command(command) = effect {
                inbox.push(Input::Reply(answer(plan, &command, card)));
            }
        }
        changes.push(change);
    }
    assert!(instance.has_ended(), "everybody has answered");
    changes
}

fn answer(plan: &Plan, command: &Command, card: Card) -> Reply {
    let kind = match command.kind {
        CommandKind::Do => ReplyKind::Do,
        CommandKind::Undo => ReplyKind::Undo,
        CommandKind::Query => ReplyKind::Query,
        CommandKind::Message => unreachable!("these sagas send no messages"),
    };
    let (status, payload) = match card {
        Card::Declined if command.wire == "Charge" || command.wire == "Last" => {
            (Status::Failed { code: "declined".into(), message: None }, None)
        }
        Card::Accepted | Card::Declined => (Status::Succeeded, reply(plan, command)),
    };
    Reply { command: command.id.clone(), kind, attempt: command.attempt, status, payload }
}

fn reply(plan: &Plan, command: &Command) -> Option<Json> {
    let action = plan.work(plan.find(&command.place)?.node())?.action()?;
    Json::parse(least(&Type::Record(action.command.reply.clone()), &command.place)).ok()
}
