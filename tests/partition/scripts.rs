//! The partition task alone: what becomes of inputs that nobody wants.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use saga::engine::{Event, Order};
use saga::journal::record::{Body, Cause, Record};
use saga::log::simulated::Random;
use saga::log::{DEAD, JOURNAL, Outcome, REPLIES, REQUESTS, Range, Report, Request, Stored, partition_of};
use saga::runtime::partition::{Defect, Do, Fact, Signed, Stop, Told};
use saga::time::Timestamp;
use saga::wire::{CloudEvent, EVENT_MAX, Message};

use super::rig::{CLIENT, Rig, running};
use super::saga::{COMMANDS, order, start, start_unheard};

#[test]
fn an_input_in_the_wrong_partition_is_forwarded_once() {
    let mut rig = Rig::new(2, |_| ());
    rig.log.assign(0, CLIENT);
    let id = ["a", "b", "c", "d"].into_iter().find(|id| partition_of(id, 2) == 1).unwrap();
    rig.log.put(REQUESTS, Some(0), start(id, "{}", "lost").into());
    rig.settle();
    let [forwarded] = &rig.read(REQUESTS, 1)[..] else { panic!("it is not there") };
    assert_eq!(forwarded.header("saga-forwarded"), Some("0/1"));

    rig.log.put(REQUESTS, Some(0), Arc::clone(forwarded));
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "forward", "reject"]);
    let [dead] = &rig.read(DEAD, 0)[..] else { panic!("no copy") };
    assert!(dead.header("saga-reason").unwrap().contains("forwarded once already"), "{dead:?}");
    assert_eq!(rig.read(REQUESTS, 1).len(), 1);
}

/// Clients without keys, and participants that answer with one of their own: what an input says decides where it belongs.
#[test]
fn an_input_by_any_key_goes_where_its_instance_is() {
    let mut rig = Rig::new(2, |_| ());
    rig.log.assign(0, CLIENT);
    let of = |partition| ["a", "b", "c", "d"].into_iter().find(|id| partition_of(id, 2) == partition).unwrap();
    let stray = |id: &str, key: &str| Arc::new(Message { key: Arc::from(key), ..start(id, "{}", id) });
    rig.log.put(REQUESTS, Some(0), stray(of(0), of(1)));
    rig.log.put(REQUESTS, Some(0), stray(of(1), of(0)));
    rig.log.put(REQUESTS, Some(0), stray(of(0), ""));
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "change", "forward"]);
    let [forwarded] = &rig.read(REQUESTS, 1)[..] else { panic!("it is not there") };
    assert_eq!((&*forwarded.key, forwarded.header("saga-forwarded")), (of(0), Some("0/2")));
    // And so do replies: what they answer decides.
    let mut random = Random::new(1);
    let commands: Vec<_> = (0..2).flat_map(|partition| rig.read(COMMANDS, partition)).collect();
    for command in &commands {
        let (reply, _) = rig.worker.handle(&Arc::from(COMMANDS), command, rig.log.now, &mut random).unwrap();
        rig.log.put(REPLIES, Some(0), Arc::new(Message { key: Arc::from(of(1)), ..reply }));
    }
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "change", "forward", "change", "change"]);
    assert!(rig.read(DEAD, 0).is_empty() && rig.read(REPLIES, 1).is_empty());
}

/// A URL cannot name it; whoever writes to the topic is told so, too.
#[test]
fn a_start_with_the_id_of_a_path_is_refused() {
    let mut rig = Rig::new(1, |_| ());
    rig.log.assign(0, CLIENT);
    for id in [".", ".."] {
        rig.log.put(REQUESTS, Some(0), start(id, "{}", "dots").into());
    }
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "reject", "reject"]);
}

/// As large as an event may be.
#[test]
fn the_largest_event_is_forwarded() {
    let mut rig = Rig::new(2, |_| ());
    rig.log.assign(0, CLIENT);
    let key = ["a", "b", "c", "d"].into_iter().find(|id| partition_of(id, 2) == 1).unwrap();
    let mut payload = br#"{"type":"saga.request.v1"}"#.to_vec();
    payload.resize(EVENT_MAX, b' ');
    let message = Message { key: Arc::from(key), payload: payload.into(), ..Message::default() };
    assert!(CloudEvent::read(&message).is_ok());
    rig.log.put(REQUESTS, Some(0), message.into());
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "forward"]);
}

/// Its copy would be larger than a topic of inputs takes.
#[test]
fn an_input_that_is_too_large_to_be_forwarded_is_copied() {
    let mut rig = Rig::new(2, |_| ());
    rig.log.assign(0, CLIENT);
    let key = ["a", "b", "c", "d"].into_iter().find(|id| partition_of(id, 2) == 1).unwrap();
    let payload = vec![b'x'; (1 << 20) + (64 << 10)].into_boxed_slice();
    let headers = [("ce_type", "é".repeat(10_000).as_str())].into_iter().collect();
    rig.log.put(REQUESTS, Some(0), Message { key: Arc::from(key), payload, headers }.into());
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "reject"]);
    let [dead] = &rig.read(DEAD, 0)[..] else { panic!("no copy") };
    assert!(dead.header("saga-reason").unwrap().contains("too large to be forwarded"), "{:?}", dead.headers);
}

/// A reason may quote what came: the copy must fit its topic all the same.
#[test]
fn the_reason_of_a_copy_has_a_limit() {
    let mut rig = running(|_| ());
    let payload = format!("\"{}\"", "é".repeat(30_000)).into_bytes().into_boxed_slice();
    rig.log.put(REQUESTS, Some(0), Message { payload, ..Message::default() }.into());
    rig.settle();
    let [dead] = &rig.read(DEAD, 0)[..] else { panic!("no copy") };
    assert!((100..=1_000).contains(&dead.header("saga-reason").unwrap().len()));
}

#[test]
fn an_unreadable_input_is_copied_and_blocks_nothing() {
    let mut rig = running(|_| ());
    let payload: Box<[u8]> = Box::from([0xff, 0x00, 0xfe]);
    rig.log.put(REQUESTS, Some(0), Message { payload: payload.clone(), ..Message::default() }.into());
    rig.log.put(REPLIES, Some(0), Message::default().into());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "after").into());
    rig.settle();
    rig.work();
    let dead = rig.read(DEAD, 0);
    assert_eq!(dead.len(), 2);
    assert!(dead.iter().any(|copy| copy.payload == payload));
    assert!(rig.kinds().contains(&"change"));
}

/// Of a start that is refused without an address for the answer nobody would hear, unless whoever made it watches.
#[test]
fn a_refused_start_that_nobody_hears_of_is_set_aside() {
    let mut rig = running(|_| ());
    let put = |rig: &mut Rig, id: &str, source: &str| {
        rig.log.put(REQUESTS, Some(0), start_unheard(id, "[]", source).into());
        rig.settle();
        rig.work();
        rig.read(DEAD, 0).len()
    };
    assert_eq!(put(&mut rig, "x", "/saga/orchestrator"), 0);
    assert_eq!(put(&mut rig, "x", "/shop"), 1);
    rig.log.put(REQUESTS, Some(0), start("x", "[]", "heard").into());
    rig.settle();
    rig.work();
    let dead = rig.read(DEAD, 0);
    let reason = |copy: &Message| copy.headers.get("saga-reason").map(ToOwned::to_owned).unwrap_or_default();
    assert_eq!(dead.len(), 1, "who is told needs no copy");
    assert!(!reason(&dead[0]).is_empty() && dead[0].payload.starts_with(b"{"), "{dead:?}");
}

#[test]
fn an_input_at_which_the_engine_panics_parks_its_instance_alone_until_it_is_resumed() {
    let mut rig = running(|config| config.panics_at_replies = true);
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "first").into());
    rig.settle();
    rig.work();
    rig.log.put(REQUESTS, Some(0), start("y", "{}", "second").into());
    rig.settle();
    let started = |rig: &Rig, id: &str| {
        let of = |record: &Record| matches!(&record.body, Body::Change { instance, .. } if instance.as_str() == id);
        rig.journal().iter().filter(|record| of(record)).count()
    };
    assert_eq!((started(&rig, "x"), started(&rig, "y")), (1, 1), "others go on");
    assert!(rig.kinds().iter().filter(|kind| **kind == "park").count() >= 2, "what follows is parked too");
    rig.pass(10_000);
    assert_eq!(started(&rig, "x"), 1, "its timers wait");

    // The engine is mended, and the parked inputs come through a checkpoint and a restart.
    rig.restart(|config| config.checkpoint_bytes = 1);
    rig.settle();
    rig.log.put(REQUESTS, Some(0), start("z", "{}", "third").into());
    rig.settle();
    assert!(rig.kinds().contains(&"waiting") && rig.kinds().contains(&"completed"), "{:?}", rig.kinds());
    rig.restart(|_| ());
    rig.settle();
    assert_eq!(started(&rig, "x"), 1, "nobody has resumed it");
    rig.log.put(REQUESTS, Some(0), order("x", Order::Retry { step: None }, "resume").into());
    rig.settle();
    for _ in 0..40 {
        rig.work();
        rig.pass(1_000);
    }
    assert!(rig.kinds().contains(&"resume"));
    let parked_first = |record: &Record| matches!(record.body, Body::Change { cause: Cause::Parked, .. });
    assert!(rig.journal().iter().any(parked_first));
    assert_eq!(rig.task.ledger().unwrap().live_count(), 0, "all have ended");
    assert_eq!(rig.task.ledger().unwrap().queues_behind(None).count(), 0);
}

#[test]
fn inputs_that_retention_took_stop_the_partition_until_the_loss_is_accepted() {
    let mut rig = running(|_| ());
    for number in 0..3 {
        rig.log.put(REQUESTS, Some(0), start(&format!("x{number}"), "{}", &format!("r{number}")).into());
    }
    rig.log.expire(REQUESTS, 0, 2);
    rig.restart(|_| ());
    rig.settle();
    let said = rig.stopped().to_string();
    assert!(said.contains("2 inputs were deleted unread"), "{said}");
    rig.tell(Told::AcceptGap(Signed::default()));
    rig.settle();
    assert!(rig.kinds().contains(&"gap"));
    assert_eq!(rig.task.ledger().unwrap().live_count(), 1);
}

#[test]
fn consent_to_one_loss_is_not_consent_to_the_next() {
    let mut rig = running(|_| ());
    let lose = |rig: &mut Rig, from: u64| {
        for number in from..from + 2 {
            rig.log.put(REQUESTS, Some(0), start(&format!("x{number}"), "{}", &format!("r{number}")).into());
        }
        rig.log.expire(REQUESTS, 0, from + 2);
        rig.settle();
    };
    lose(&mut rig, 0);
    assert!(matches!(rig.stopped(), Stop::InputsLost { read: 0, start: 2, .. }), "{:?}", rig.stopped());
    rig.tell(Told::AcceptGap(Signed::default()));
    rig.settle();
    assert_eq!(rig.kinds().iter().filter(|kind| **kind == "gap").count(), 1);
    lose(&mut rig, 2);
    assert!(matches!(rig.stopped(), Stop::InputsLost { read: 2, start: 4, .. }), "{:?}", rig.stopped());
}

#[test]
fn consent_goes_with_the_partition() {
    let mut rig = running(|_| ());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.log.expire(REQUESTS, 0, 1);
    rig.settle();
    assert!(matches!(rig.stopped(), Stop::InputsLost { .. }), "{:?}", rig.stopped());
    rig.tell(Told::AcceptGap(Signed::default()));
    rig.tell(Told::Log(Report::Revoked));
    rig.tell(Told::Log(Report::Assigned));
    rig.settle();
    assert!(!rig.kinds().contains(&"gap"));
    rig.tell(Told::AcceptGap(Signed::default()));
    rig.settle();
    assert!(rig.kinds().contains(&"gap"));
}

#[test]
fn every_order_to_resume_is_recorded() {
    let mut rig = running(|config| config.panics_at_replies = true);
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "first").into());
    rig.settle();
    rig.work();
    // In one breath: the second is read while the parked input is still to be tried, and would fail again.
    for request in ["one", "two"] {
        rig.log.put(REQUESTS, Some(0), order("x", Order::Retry { step: None }, request).into());
    }
    rig.settle();
    assert_eq!(rig.kinds().iter().filter(|kind| **kind == "resume").count(), 2, "{:?}", rig.kinds());
    assert!(!rig.facts.iter().any(|fact| matches!(fact, Fact::Known { .. })), "told known, it might happen after all");
}

#[test]
fn a_journal_whose_head_was_deleted_is_refused() {
    let mut rig = running(|_| ());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    rig.log.expire(JOURNAL, 0, 1);
    rig.restart(|_| ());
    rig.settle();
    let said = rig.stopped().to_string();
    assert!(said.contains("a checkpoint should start there, and there is a `change` record"), "{said}");
}

#[test]
fn what_is_assigned_again_goes_on_as_it_is_and_what_is_others_says_so() {
    let mut rig = running(|_| ());
    let told = rig.facts.len();
    rig.tell(Told::Log(Report::Assigned));
    rig.settle();
    assert!(rig.facts[told..].is_empty(), "{:?}", &rig.facts[told..]);
    let mut other = Rig::new(1, |_| ());
    other.tell(Told::Log(Report::Assigned));
    other.settle();
    assert!(matches!(other.facts[..], [Fact::Recovering, Fact::Elsewhere]), "{:?}", other.facts);
}

/// The run stands in all command ids: one that is named by the clock alone can be that of the life before.
#[test]
fn a_second_life_in_the_same_moment_has_a_run_of_its_own() {
    let runs = |defect| {
        let mut rig = running(|config| {
            config.remember = Duration::ZERO;
            config.defect = defect;
        });
        for request in ["first", "second"] {
            rig.log.put(REQUESTS, Some(0), start("x", "{}", request).into());
            rig.settle();
            rig.work();
        }
        let started = |record: &Record| match &record.body {
            Body::Change { run, change, .. } => {
                change.events.iter().any(|event| matches!(event, Event::Started { .. })).then_some(*run)
            }
            _ => None,
        };
        rig.journal().iter().filter_map(started).collect::<Vec<_>>()
    };
    let [first, second] = runs(None)[..] else { panic!("it lives twice") };
    assert!(first < second);
    let [first, second] = runs(Some(Defect::RunByClock))[..] else { panic!("it lives twice") };
    assert_eq!(first, second);
}

#[test]
fn a_release_finishes_what_is_under_way_and_says_where_it_stands() {
    let mut rig = running(|_| ());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    rig.tell(Told::Log(Report::Revoked));
    rig.settle();
    assert!(matches!(rig.facts.last(), Some(Fact::Released)), "{:?}", rig.facts.last());
    let journal = rig.journal();
    let last = journal.last().unwrap();
    assert_eq!((last.body.name(), last.sent, last.read.requests), ("mark", 2, 1));
}

#[test]
fn a_mark_is_written_once_and_not_because_of_a_mark() {
    let mut rig = running(|_| ());
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    for _ in 0..3 {
        rig.pass(600);
    }
    assert_eq!(rig.kinds(), ["claim", "change", "mark"]);
}

#[test]
fn a_command_that_the_log_refuses_for_good_is_told_to_its_instance() {
    let mut rig = running(|_| ());
    rig.log.refusing.insert(Arc::from(COMMANDS));
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    let told = rig
        .journal()
        .iter()
        .filter(|record| matches!(record.body, Body::Change { cause: Cause::Undeliverable(1), .. }))
        .count();
    assert_eq!(told, 2, "{:?}", rig.kinds());
}

#[test]
fn a_repeated_start_is_known_and_another_payload_is_a_conflict() {
    let mut rig = running(|config| config.remember = Duration::from_secs(5));
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "one").into());
    rig.settle();
    for _ in 0..4 {
        rig.work();
    }
    assert_eq!(rig.task.ledger().unwrap().ended_count(), 1);
    rig.log.put(REQUESTS, Some(0), start("x", "{ }", "two").into());
    rig.log.put(REQUESTS, Some(0), start("x", "[]", "three").into());
    rig.settle();
    assert!(rig.facts.iter().any(|fact| matches!(fact, Fact::Known { request: 1, .. })));
    assert_eq!(rig.kinds().iter().filter(|kind| **kind == "reject").count(), 1);
    rig.pass(6_000);
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "four").into());
    rig.settle();
    assert_eq!(rig.task.ledger().unwrap().live_count(), 1, "a new life");
}

/// A log that leaves out every second offset, as transactions and compaction do.
#[test]
fn a_log_without_dense_offsets_is_found_out() {
    let mut task = Rig::task(1, |_| ());
    let request = Stored { offset: 0, timestamp: Timestamp(5), message: start("x", "{}", "r").into() };
    let mut journal: Vec<Stored> = Vec::new();
    let mut told: VecDeque<Report> = [Report::Assigned].into();
    let mut now = 0;
    while let Some(report) = told.pop_front() {
        now += 1;
        let mut out = Vec::new();
        task.handle([Told::Log(report)], Duration::from_millis(now), &mut out);
        let range = |journal: &[Stored]| Range { start: 0, end: journal.last().map_or(0, |last| last.offset + 1) };
        for doing in out {
            match doing {
                Do::Tell(Fact::Stopped(stop)) => {
                    assert!(matches!(*stop, Stop::NotDense { losses: 3, .. }), "{stop}");
                    return;
                }
                Do::Tell(_) | Do::Wake(_) | Do::Ask(Request::Truncate { .. }) => {}
                Do::Ask(Request::Confirm { ticket }) => told.push_back(Report::Confirmed { ticket }),
                Do::Ask(Request::Last { ticket, .. }) => {
                    told.push_back(Report::Last { ticket, last: journal.last().cloned(), range: range(&journal) });
                }
                Do::Ask(Request::End { .. }) => panic!("no timer is due"),
                Do::Ask(Request::Append(append)) => {
                    assert_eq!(*append.topic, *JOURNAL, "nothing is sent");
                    let offset = 2 * journal.len() as u64;
                    journal.push(Stored { offset, timestamp: Timestamp(5), message: append.message });
                    told.push_back(Report::Appended { ticket: append.ticket, outcome: Outcome::At(offset) });
                }
                Do::Ask(Request::Read { ticket, topic, from }) if *topic == *JOURNAL => {
                    let records = journal.iter().filter(|stored| stored.offset >= from).cloned().collect();
                    told.push_back(Report::Records { ticket, records, range: range(&journal) });
                }
                Do::Ask(Request::Read { ticket, topic, .. }) if *topic == *REQUESTS => {
                    let range = Range { start: 0, end: 1 };
                    told.push_back(Report::Records { ticket, records: vec![request.clone()], range });
                }
                Do::Ask(Request::Read { .. }) => {}
            }
        }
        assert!(now < 200, "it goes on for ever");
    }
    panic!("it waits");
}

/// An hour goes by in which replies come, and the owner sees neither.
fn miss_an_hour(rig: &mut Rig) {
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    let mut random = Random::new(1);
    for command in rig.read(COMMANDS, 0) {
        let (reply, _) = rig.worker.handle(&Arc::from(COMMANDS), &command, rig.log.now, &mut random).unwrap();
        rig.log.put(REPLIES, Some(0), reply.into());
    }
    rig.now += 3_600_000;
    rig.log.now = Timestamp(1_000_000 + rig.now);
}

/// How many of the replies were read before the first timer fired.
fn replies_before_timers(rig: &Rig) -> Option<u64> {
    let timer = |record: &&Record| matches!(record.body, Body::Change { cause: Cause::Timer(_), .. });
    rig.journal().iter().find(timer).map(|record| record.read.replies)
}

#[test]
fn a_new_owner_reads_the_replies_that_came_before_its_timers() {
    let mut rig = running(|_| ());
    miss_an_hour(&mut rig);
    rig.restart(|_| ());
    rig.settle();
    for _ in 0..3 {
        rig.pass(3_000); // what follows is not answered at all
    }
    assert_eq!(replies_before_timers(&rig), Some(2), "{:?}", rig.kinds());
}

#[test]
fn an_owner_that_stood_still_reads_the_replies_that_came_before_its_timers() {
    let mut rig = running(|_| ());
    miss_an_hour(&mut rig);
    rig.pass(0);
    for _ in 0..3 {
        rig.pass(3_000);
    }
    assert_eq!(replies_before_timers(&rig), Some(2), "{:?}", rig.kinds());
}

#[test]
fn a_hole_in_the_offsets_of_replies_holds_timers_up_for_a_moment_only() {
    let mut rig = running(|_| ());
    rig.has_marker = true;
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    rig.pass(2_000);
    for _ in 0..3 {
        assert_eq!(replies_before_timers(&rig), None, "measured {} times", rig.measured);
        rig.pass(500);
    }
    rig.pass(0);
    assert_eq!((replies_before_timers(&rig), rig.measured), (Some(0), 4), "{:?}", rig.kinds());
}

#[test]
fn a_claim_that_the_log_took_long_for_is_made_again() {
    let mut rig = Rig::new(1, |_| ());
    rig.log.assign(0, CLIENT);
    while rig.kinds().is_empty() {
        if let Some(delivery) = rig.log.step() {
            rig.tell(Told::Log(delivery.report));
        }
    }
    rig.now += 10_001; // the report of it has not come yet
    rig.log.now = Timestamp(1_000_000 + rig.now);
    rig.settle();
    assert_eq!(rig.kinds(), ["claim", "claim"]);
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    assert_eq!(rig.journal()[2].at, rig.log.now, "its clock is the log's");
}
