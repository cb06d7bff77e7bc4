//! Topics of inputs that somebody deleted and made anew, or that have lost their end.

use std::time::Duration;

use saga::log::simulated::Faults;
use saga::log::{REPLIES, REQUESTS};
use saga::runtime::partition::{Fact, Signed, Stop, Told};

use super::rig::{CLIENT, Rig, running};
use super::saga::start;

fn begin(rig: &mut Rig, ids: &[&str]) {
    for id in ids {
        rig.log.put(REQUESTS, Some(0), start(id, "{}", id).into());
        rig.settle();
    }
}

fn count(rig: &Rig, kind: &str) -> usize {
    rig.kinds().iter().filter(|known| **known == kind).count()
}

/// Instances that are live, and that ended and are remembered.
fn known(rig: &Rig) -> (usize, usize) {
    let ledger = rig.task.ledger().expect("it runs");
    (ledger.live_count(), ledger.ended_count())
}

fn accept(rig: &mut Rig) {
    rig.tell(Told::AcceptGap(Signed::default()));
    rig.settle();
}

/// What stands still names the topic, and ends there.
fn stands(rig: &Rig, of: &str) -> u64 {
    match rig.stopped() {
        Stop::OtherTopic { topic, end, .. } if **topic == *of => *end,
        other => panic!("{other}"),
    }
}

/// One instance has ended, and another waits for replies.
fn waiting() -> Rig {
    let mut rig = running(|_| ());
    begin(&mut rig, &["a"]);
    completes(&mut rig);
    begin(&mut rig, &["b"]);
    rig
}

fn completes(rig: &mut Rig) {
    for _ in 0..40 {
        rig.work();
        rig.pass(1_000);
    }
    assert_eq!(known(rig).0, 0, "all have ended");
}

#[test]
fn what_comes_to_a_topic_that_was_made_anew_is_read_once_the_loss_is_accepted() {
    let mut rig = running(|_| ());
    begin(&mut rig, &["a", "b"]);
    rig.log.renew(REQUESTS, 0);
    rig.settle();
    assert_eq!(stands(&rig, REQUESTS), 0);
    let said = rig.stopped().to_string();
    assert!(
        said.contains("from offset 2: it ends at 0, so it was made anew") && said.contains("`saga accept-gap`"),
        "{said}"
    );
    // Between the two, somebody asks again for what was lost, for what is known, and for what is new.
    begin(&mut rig, &["c", "a"]);
    accept(&mut rig);
    assert_eq!((count(&rig, "gap"), known(&rig)), (1, (3, 0)));
    assert!(rig.facts.iter().any(|fact| matches!(fact, Fact::Known { request: 1, .. })), "`a` is known");
    assert_eq!(count(&rig, "completed"), 1, "whoever begins to read does not meet the offsets of before");
    rig.restart(|_| ());
    rig.settle();
    assert_eq!((known(&rig), rig.task.read().map(|read| read.requests)), ((3, 0), Some(2)));
    completes(&mut rig);
}

/// Of what was read and is read again, the end may be forgotten: it would be done twice.
#[test]
fn a_topic_that_has_lost_its_end_is_not_read_again() {
    let mut rig = running(|config| config.remember = Duration::ZERO);
    begin(&mut rig, &["a", "b"]);
    completes(&mut rig);
    let first = rig.read(REQUESTS, 0)[0].clone();
    rig.log.renew(REQUESTS, 0);
    rig.log.put(REQUESTS, Some(0), first);
    rig.settle();
    assert_eq!(stands(&rig, REQUESTS), 1);
    let before = count(&rig, "change");
    begin(&mut rig, &["c"]);
    accept(&mut rig);
    assert_eq!(known(&rig).0, 1, "`c` alone");
    assert_eq!(count(&rig, "change"), before + 1);
    completes(&mut rig);
}

#[test]
fn replies_that_went_with_their_topic_are_asked_for_again() {
    let mut rig = waiting();
    rig.log.renew(REPLIES, 0);
    rig.settle();
    assert_eq!(stands(&rig, REPLIES), 0);
    // What is answered meanwhile goes with it, too.
    rig.work();
    rig.log.renew(REPLIES, 0);
    accept(&mut rig);
    assert_eq!(known(&rig), (1, 1));
    completes(&mut rig);
}

/// Each is told, and accepted, for itself.
#[test]
fn two_topics_that_were_made_anew_are_two_losses() {
    let mut rig = waiting();
    for topic in [REQUESTS, REPLIES] {
        rig.log.renew(topic, 0);
    }
    rig.settle();
    assert!(matches!(rig.stopped(), Stop::OtherTopic { .. }));
    accept(&mut rig);
    assert!(matches!(rig.stopped(), Stop::OtherTopic { .. }));
    assert_eq!(count(&rig, "gap"), 1);
    accept(&mut rig);
    assert_eq!(known(&rig).0, 1);
    assert_eq!(count(&rig, "gap"), 2);
    completes(&mut rig);
}

/// Consent to what was lost is none to what is lost later.
#[test]
fn a_topic_that_is_made_anew_again_is_told_again() {
    let mut rig = running(|_| ());
    begin(&mut rig, &["a"]);
    for _ in 0..2 {
        rig.log.renew(REQUESTS, 0);
        rig.settle();
        assert_eq!(stands(&rig, REQUESTS), 0);
        accept(&mut rig);
        begin(&mut rig, &["b"]);
    }
    assert_eq!(known(&rig), (2, 0));
}

/// By then the topic has as many records as were read of the old one, and nothing else would tell.
#[test]
fn it_stands_still_until_it_is_accepted_whatever_comes_to_the_topic() {
    let mut rig = running(|_| ());
    begin(&mut rig, &["a"]);
    rig.log.renew(REQUESTS, 0);
    rig.settle();
    begin(&mut rig, &["b", "c"]);
    rig.log.assign(0, CLIENT);
    rig.settle();
    assert_eq!(stands(&rig, REQUESTS), 0);
    // Whatever becomes of the first record that says where it goes on.
    rig.log.faults = Faults { lost: 100, ..Faults::default() };
    rig.tell(Told::AcceptGap(Signed::default()));
    while rig.log.happened.lost < 10 && rig.log.step().map(|delivery| rig.tell(Told::Log(delivery.report))).is_some() {}
    rig.log.heal();
    for _ in 0..20 {
        rig.pass(300);
    }
    assert_eq!(known(&rig), (3, 0));
}
