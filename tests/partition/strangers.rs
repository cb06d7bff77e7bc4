//! What a stranger writes into a journal is a misfit by the rule of reading, and stops nobody.

use std::sync::Arc;
use std::time::Duration;

use saga::log::{JOURNAL, REQUESTS};
use saga::wire::Message;

use super::rig::running;
use super::saga::{ANSWERS, start, start_answered_in};

fn garbage(payload: &[u8]) -> Arc<Message> {
    Message { payload: Box::from(payload), ..Message::default() }.into()
}

#[test]
fn a_record_that_may_count_and_cannot_be_read_is_refused() {
    for (payload, why) in [
        (r#"{"v":2,"epoch":0,"n":2,"body":"rumour"}"#, "it is no journal record"),
        (r#"{"v":99,"epoch":0,"n":2,"body":"mark"}"#, "it has version 99"),
        // It may be a claim, whose place is anywhere.
        (r#"{"v":99,"epoch":0,"n":0,"body":{"claim":{"owner":"a newer one"}}}"#, "it has version 99"),
    ] {
        let mut rig = running(|_| ());
        rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
        rig.settle();
        rig.log.put(JOURNAL, Some(0), garbage(payload.as_bytes()));
        rig.restart(|_| ());
        rig.settle();
        let said = rig.stopped().to_string();
        assert!(said.starts_with(&format!("read partition 0 of saga.journal at offset 2: {why}")), "{said}");
    }
}

#[test]
fn what_a_stranger_wrote_is_a_misfit_and_stops_nobody() {
    for payload in
        [&b"\xff\x00"[..], b"", b"{}", br#"{"v":1"#, br#"{"v":99}"#, br#"{"v":1,"epoch":0,"n":9,"body":"mark"}"#]
    {
        let mut rig = running(|_| ());
        rig.log.put(REQUESTS, Some(0), start("x", "{}", "one").into());
        rig.settle();
        rig.log.put(JOURNAL, Some(0), garbage(payload));
        rig.log.put(REQUESTS, Some(0), start("y", "{}", "two").into());
        rig.settle();
        // Its record for `y` was not at its place: it claims, reads over what is not its own, and does it again.
        assert_eq!(rig.kinds(), ["claim", "change", "change", "claim", "change"]);
        // The same where it is the last record when somebody claims.
        rig.log.put(JOURNAL, Some(0), garbage(payload));
        rig.restart(|_| ());
        rig.settle();
        assert_eq!(rig.task.ledger().unwrap().live_count(), 2);
    }
}

/// A claim takes the pointer of the last record, whoever wrote it.
#[test]
fn a_pointer_that_leads_nowhere_leads_to_the_start_of_the_log() {
    // To no checkpoint, to one that was never complete, and to none at all, in a log that begins with one.
    for pointer in ["1", "3", "NONE"] {
        let mut rig = running(|_| ());
        for id in ["x", "y"] {
            rig.log.put(REQUESTS, Some(0), start(id, "{}", id).into());
        }
        rig.settle();
        let started = r#"{"v":1,"epoch":0,"n":3,"read":{"requests":2,"replies":0},"sent":3,"checkpoint":0,"at":0,"body":{"started":{"forgets":0}}}"#;
        rig.log.put(JOURNAL, Some(0), garbage(started.as_bytes()));
        rig.restart(|_| ());
        rig.settle();
        let last = started.replace(r#""checkpoint":0"#, &format!(r#""checkpoint":{pointer}"#));
        rig.log.put(JOURNAL, Some(0), garbage(last.as_bytes()));
        rig.restart(|_| ());
        rig.settle();
        assert_eq!(rig.task.ledger().unwrap().live_count(), 2, "{pointer}: {:?}", rig.kinds());
    }
    let mut rig = running(|config| (config.checkpoint_bytes, config.retain) = (1, Duration::ZERO));
    rig.log.put(REQUESTS, Some(0), start("x", "{}", "r").into());
    rig.settle();
    assert!(rig.log.shelf(JOURNAL, 0).is_some_and(|shelf| shelf.start > 0), "it was cut: {:?}", rig.kinds());
    rig.log.put(JOURNAL, Some(0), garbage(b"the last one"));
    rig.restart(|_| ());
    rig.settle();
    assert_eq!(rig.task.ledger().unwrap().live_count(), 1, "{:?}", rig.kinds());
}

/// An answer in the journal would fence its own writer, which would write it again, for ever.
#[test]
fn answers_do_not_go_to_the_deployment_s_own_topics() {
    for topic in [JOURNAL, REQUESTS, saga::log::REPLIES, saga::log::DEFINITIONS, saga::log::DEAD] {
        let mut rig = running(|_| ());
        rig.log.put(REQUESTS, Some(0), start_answered_in(topic, ("x", "{}", "first")).into());
        rig.log.put(REQUESTS, Some(0), start("y", "{}", "second").into());
        rig.settle();
        rig.work();
        rig.settle();
        let kinds = rig.kinds();
        assert_eq!(kinds.iter().filter(|kind| **kind == "claim").count(), 1, "{topic}: {kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "reject").count(), 1, "{topic}: {kinds:?}");
        assert!(rig.read(ANSWERS, 0).len() == 1, "only the other one is answered");
    }
}
