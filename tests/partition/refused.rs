//! The partition task alone: a log that takes claims, and refuses a record for good.

use saga::journal::encode;
use saga::journal::record::{Body, Record};
use saga::log::{Outcome, REQUESTS, Report};
use saga::runtime::partition::{Fact, Stop, Told};

use super::rig::{Rig, running};
use super::saga::{ANSWERS, start, start_answered_in};

/// More than any of these scripts needs, and few enough that one that never rests is found out at once.
const STEPS_MAX: usize = 5_000;

/// Until nothing happens any more without time.
fn settle(rig: &mut Rig) {
    for _ in 0..STEPS_MAX {
        if rig.log.is_idle() {
            return;
        }
        if let Some(delivery) = rig.log.step() {
            rig.tell(Told::Log(delivery.report));
        }
    }
    panic!("it never rests: {:?}", rig.kinds());
}

fn largest(rig: &Rig, wanted: impl Fn(&Record) -> bool) -> usize {
    rig.journal().iter().filter(|record| wanted(record)).map(|record| encode(record).len()).max().unwrap()
}

/// What the log said, each time that it was told.
fn refusals(rig: &Rig) -> Vec<&str> {
    let whys = rig.facts.iter().filter_map(|fact| match fact {
        Fact::Refused { why } => Some(why.as_str()),
        _ => None,
    });
    whys.collect()
}

#[test]
fn a_record_that_the_log_never_takes_stops_the_partition_and_says_why() {
    let mut rig = running(|_| ());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "first").into());
    settle(&mut rig);
    rig.log.record_max = largest(&rig, |record| matches!(record.body, Body::Change { .. }));
    let claims = |rig: &Rig| rig.kinds().iter().filter(|kind| **kind == "claim").count();
    let before = claims(&rig);
    let id = "y".repeat(100);
    rig.log.put(REQUESTS, Some(0), start(&id, "{}", "second").into());
    settle(&mut rig);
    assert!(matches!(rig.stopped(), Stop::Refused { times: 3, .. }), "{}", rig.stopped());
    let said = rig.stopped().to_string();
    for part in ["a `change` record of instance `yyy", " bytes) to partition 0 of saga.journal: ", "too large"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(claims(&rig) - before, 2, "the claims that show that others are taken");
    assert_eq!(refusals(&rig).len(), 1, "{:?}", refusals(&rig));
}

/// The same refusal, and then none: a right that was taken away for a moment, for one.
#[test]
fn a_record_that_the_log_takes_after_all_stops_nobody() {
    let mut rig = running(|_| ());
    for round in 0..5 {
        rig.log.refusing.insert(saga::log::JOURNAL.into());
        rig.log.put(REQUESTS, Some(0), start(&format!("x{round}"), "{}", "r").into());
        // The claim behind it is refused as well, and waits.
        settle(&mut rig);
        rig.log.refusing.clear();
        rig.now += 1_000;
        rig.tell(Told::Tick);
        settle(&mut rig);
        assert_eq!(rig.task.ledger().map(saga::journal::Ledger::live_count), Some(round + 1), "{:?}", rig.facts.last());
    }
}

#[test]
fn a_checkpoint_that_the_log_never_takes_is_done_without() {
    let script = |record_max: Option<usize>| {
        let mut rig = running(|config| config.checkpoint_bytes = 1);
        rig.log.record_max = record_max.unwrap_or(rig.log.record_max);
        rig.log.put(REQUESTS, Some(0), start("x", "{}", "first").into());
        settle(&mut rig);
        rig
    };
    let is_snapshot = |record: &Record| matches!(record.body, Body::Snapshot { .. });
    let usual = script(None);
    let (snapshot, other) = (largest(&usual, is_snapshot), largest(&usual, |record| !is_snapshot(record)));
    assert!(snapshot > other + 20, "{snapshot}, {other}");

    let mut rig = script(Some(other + 20));
    assert!(refusals(&rig).iter().all(|why| why.contains("`snapshot` record")), "{:?}", refusals(&rig));
    assert!(!refusals(&rig).is_empty());
    let count = |rig: &Rig, wanted: &str| rig.kinds().iter().filter(|kind| **kind == wanted).count();
    assert!(count(&rig, "claim") <= 4, "{:?}", rig.kinds());
    let completed = count(&rig, "completed");
    assert_eq!(completed, 1, "the first, of nothing: {:?}", rig.kinds());
    rig.log.put(REQUESTS, Some(0), start("y", "{}", "second").into());
    settle(&mut rig);
    for _ in 0..8 {
        rig.work();
    }
    assert_eq!(rig.task.ledger().unwrap().ended_count(), 2, "it goes on");

    // Once it fits, one is taken again.
    rig.log.record_max = usize::MAX;
    for n in 0..40 {
        rig.log.put(REQUESTS, Some(0), start(&format!("z{n}"), "{}", "more").into());
        settle(&mut rig);
    }
    assert!(count(&rig, "completed") > completed && rig.kinds().contains(&"snapshot"), "{:?}", rig.kinds());
}

/// Kafka takes seconds to say that there is no such topic. What is done behind it counts for little, but not without end.
#[test]
fn an_answer_that_cannot_be_delivered_holds_up_nobody_else() {
    let mut rig = running(|config| config.owed_max = 3);
    rig.silent = Some("nowhere");
    let ends = |rig: &mut Rig, topic: &str, id: &str| {
        rig.log.put(REQUESTS, Some(0), start_answered_in(topic, (id, "{}", id)).into());
        rig.settle();
        rig.work();
    };
    ends(&mut rig, "nowhere", "bad");
    let ids: Vec<String> = (0..20).map(|number| format!("good-{number}")).collect();
    for id in &ids {
        ends(&mut rig, ANSWERS, id);
    }
    let answered = |rig: &Rig| rig.read(ANSWERS, 0).len();
    assert!((5..20).contains(&answered(&rig)), "{}", answered(&rig));
    let [ticket] = rig.unheard[..] else { panic!("once: {:?}", rig.unheard) };
    let outcome = Outcome::Refused("there is no such topic".into());
    rig.tell(Told::Log(Report::Appended { ticket, outcome }));
    for _ in &ids {
        rig.settle();
        rig.work();
    }
    assert_eq!((answered(&rig), rig.unheard.len()), (20, 1), "all others, and that one is not repeated");
    let lost = |fact: &&Fact| matches!(fact, Fact::Undeliverable { topic, key, .. } if **topic == *"nowhere" && **key == *"bad");
    assert_eq!(rig.facts.iter().filter(lost).count(), 1);
}
