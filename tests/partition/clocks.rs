//! Clocks that leap ahead and fall back between two owners, and under one.

use std::sync::Arc;
use std::time::Duration;

use saga::engine::{InstanceId, Order, ReplyKind, Status};
use saga::log::simulated::Simulated;
use saga::log::{REPLIES, REQUESTS};
use saga::runtime::partition::READ_CLOCK_EVERY;
use saga::wire::{self, About, CloudEvent, ReceivedCommand};

use super::rig::{CLIENT, Rig};
use super::saga::{COMMANDS, order, start};

/// So long ago: a day and a little more.
const BEHIND: i64 = -26 * 60 * 60 * 1_000;

fn claimed_by(skew: i64) -> Rig {
    let mut rig = Rig::new(1, |_| ());
    rig.log.now = saga::time::Timestamp(1_000_000_000);
    rig.log.skews.insert(CLIENT, skew);
    rig.log.assign(0, CLIENT);
    rig.settle();
    rig
}

fn commands(log: &Simulated) -> Vec<ReceivedCommand> {
    let records = log.shelf(COMMANDS, 0).map(|shelf| &shelf.records[..]).unwrap_or_default();
    records.iter().map(|stored| wire::read_command(&CloudEvent::read(&stored.message).unwrap()).unwrap()).collect()
}

fn claims(rig: &Rig) -> usize {
    rig.kinds().iter().filter(|kind| **kind == "claim").count()
}

/// A machine that began without the time, or slept: all that it asks for would be too late before it is sent.
#[test]
fn an_owner_whose_clock_is_behind_the_logs_reads_it_anew() {
    let mut rig = claimed_by(BEHIND);
    rig.log.skews.clear();
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "one").into());
    rig.settle();
    assert_eq!(claims(&rig), 2);
    let sent = commands(&rig.log);
    assert!(!sent.is_empty() && sent.iter().all(|command| command.deadline > rig.log.now), "{sent:?}");
}

/// Brokers whose clocks differ for long: claiming again does not help, and is not done for each input.
#[test]
fn clocks_that_stay_apart_cost_a_claim_now_and_then() {
    let mut rig = claimed_by(BEHIND);
    for number in 0..20 {
        rig.log.put(REQUESTS, Some(0), start(&format!("x-{number}"), "{}", &format!("start-{number}")).into());
        rig.settle();
    }
    assert_eq!(claims(&rig), 2);
    rig.now += u64::try_from(READ_CLOCK_EVERY.as_millis()).unwrap();
    rig.log.put(REQUESTS, Some(0), start("y", "{}", "later").into());
    rig.settle();
    assert_eq!(claims(&rig), 3);
}

/// A copy of the command that was sent by the clock that was ahead may come as long as it is in time.
#[test]
fn a_guards_row_outlasts_every_attempt_where_the_clock_falls_back() {
    let ahead = Duration::from_hours(3);
    let mut rig = claimed_by(i64::try_from(ahead.as_millis()).unwrap());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "one").into());
    rig.settle();
    rig.log.skews.clear();
    rig.restart(|_| ());
    rig.settle();
    rig.log.put(REQUESTS, Some(0), order("x", Order::Cancel, "cancel").into());
    rig.settle();
    for command in commands(&rig.log) {
        let about = About { participant: "worker", traceparent: None };
        let reply = wire::reply(&command.reply(Status::Retry { code: None }, None), &about);
        rig.log.put(REPLIES, Some(0), Arc::new(reply));
        rig.settle();
    }
    let sent = commands(&rig.log);
    let of = |kind: ReplyKind| sent.iter().filter(move |command| command.kind == kind);
    let latest = of(ReplyKind::Do).map(|command| command.deadline).max().unwrap();
    assert!(latest > rig.log.now.after(ahead), "{sent:?}");
    let mut undone = of(ReplyKind::Undo).peekable();
    assert!(undone.peek().is_some(), "{sent:?}");
    assert!(undone.all(|command| command.keep_until > latest), "{sent:?}");
}

/// Whoever is forgotten could begin a second life in the millisecond of the first, with its run.
#[test]
fn nobody_is_forgotten_at_once_where_the_clock_of_the_requests_is_ahead() {
    let mut rig = Rig::new(1, |config| config.checkpoint_bytes = 1);
    rig.log.skew = -BEHIND;
    rig.log.assign(0, CLIENT);
    rig.settle();
    // The first of them costs a claim: the clocks differ.
    let mut runs = Vec::new();
    for number in 0..3 {
        rig.log.put(REQUESTS, Some(0), order("y", Order::Cancel, &format!("cancel-{number}")).into());
        rig.settle();
        let id = InstanceId::try_from("y").unwrap();
        runs.extend(rig.task.ledger().and_then(|ledger| ledger.past(&id)).map(|past| past.run));
    }
    assert!(runs.len() == 3 && runs.is_sorted_by(|one, other| one < other), "{runs:?} {:?}", rig.kinds());
}
