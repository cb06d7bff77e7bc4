//! Work that no transaction can hold: begun, interrupted, taken up again.

use std::path::Path;
use std::sync::{Arc, Mutex};

use saga::participant::{Participant, Refusal, SqliteStore, Told};

use saga::wire::CloudEvent;

use super::messages::{NOW, answered, command};

/// A card network: what it was asked, by key, and what it says next.
#[derive(Default)]
struct Network {
    asked: Vec<String>,
    says: Vec<Result<&'static str, Refusal>>,
}

fn payments(file: &Path, network: &Arc<Mutex<Network>>) -> Participant<SqliteStore> {
    let network = Arc::clone(network);
    Participant::new("payments", SqliteStore::open(file).unwrap())
        .outside("Charge", move |call| {
            let says = {
                let mut network = network.lock().unwrap();
                network.asked.push(call.key().to_string());
                network.says.pop()
            };
            says.expect("the process dies before the network answers")
        })
        .undo("Refund", |_, _, done| {
            assert_eq!(Some("\"r-1\""), done.map(saga::json::Json::get));
            Ok(())
        })
}

/// A participant whose process died in the middle of a charge.
fn interrupted(file: &Path, network: &Arc<Mutex<Network>>) {
    let participant = payments(file, network);
    let charge = command("a", "do", "Charge", r#"{"amount":"840.00"}"#);
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| participant.handle(&charge, NOW)));
    assert!(died.is_err());
}

fn answer(participant: &Participant<SqliteStore>, kind: &str, call: &str) -> String {
    answered(&participant.handle(&command("a", kind, call, "{}"), NOW).unwrap())
}

/// What is taken up: requests, and the replies that are told.
fn resumed(participant: &Participant<SqliteStore>, told: Told) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let tell = |asked: &CloudEvent<'_>, reply: CloudEvent<'static>| {
        all.push((asked.data.as_ref().map(|data| data.get().to_owned()).unwrap_or_default(), answered(&reply)));
        told
    };
    participant.resume(tell).unwrap();
    all
}

#[test]
fn interrupted_work_is_pending_and_is_taken_up_with_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let (file, network) = (folder.path().join("payments.db"), Arc::new(Mutex::new(Network::default())));
    interrupted(&file, &network);
    let participant = payments(&file, &network);
    assert_eq!("pending", answer(&participant, "do", "Charge"));
    assert_eq!("pending", answer(&participant, "query", "Charge"));
    assert_eq!("retry still-doing", answer(&participant, "undo", "Refund"));

    network.lock().unwrap().says = vec![Ok("r-1"), Err(Refusal::retry("busy"))];
    assert!(resumed(&participant, Told::Yes).is_empty(), "a passing fault: it stays");
    let told = [(r#"{"amount":"840.00"}"#.to_owned(), r#"succeeded "r-1""#.to_owned())];
    assert_eq!(resumed(&participant, Told::Yes), told);
    assert_eq!(vec!["a/1/reserve/1"; 3], network.lock().unwrap().asked, "always by the same key");

    assert!(resumed(&participant, Told::Yes).is_empty());
    assert_eq!(r#"succeeded "r-1""#, answer(&participant, "do", "Charge"));
    assert_eq!("succeeded {}", answer(&participant, "undo", "Refund"));
    assert_eq!("failed already-undone", answer(&participant, "do", "Charge"));
}

/// A row at which the handler panics, each time, holds up none that stands behind it.
#[test]
fn a_handler_that_panics_keeps_nothing_else_from_being_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payments.db");
    let died = Participant::new("payments", SqliteStore::open(&file).unwrap())
        .outside("Charge", |_| Err::<&str, _>(Refusal::retry("the process dies before the network answers")));
    for instance in ["a", "b", "c"] {
        assert_eq!("pending", answered(&died.handle(&command(instance, "do", "Charge", "{}"), NOW).unwrap()));
    }
    let again = Participant::new("payments", SqliteStore::open(&file).unwrap()).outside("Charge", |call| {
        assert!(!call.key().starts_with("b/"), "it panics at this one");
        Ok(call.key().to_string())
    });
    let replies = |told| resumed(&again, told).into_iter().map(|(_, reply)| reply).collect::<Vec<_>>();
    assert_eq!(replies(Told::NotNow), [r#"succeeded "a/1/reserve/1""#, r#"succeeded "c/1/reserve/1""#]);
    assert_eq!(replies(Told::Yes).len(), 2);
    let state = |instance| answered(&again.handle(&command(instance, "query", "Charge", "{}"), NOW).unwrap());
    assert_eq!(["a", "b", "c"].map(state), [r#"succeeded "a/1/reserve/1""#, "pending", r#"succeeded "c/1/reserve/1""#]);
}

/// Nobody asks behind a `pending`: a row that is done before its reply is in the log would lose it with the process.
#[test]
fn it_is_done_once_its_reply_is_told() {
    for (says, reply) in [(Ok("r-1"), r#"succeeded "r-1""#), (Err(Refusal::failed("declined")), "failed declined")] {
        let folder = tempfile::tempdir().unwrap();
        let (file, network) = (folder.path().join("payments.db"), Arc::new(Mutex::new(Network::default())));
        interrupted(&file, &network);
        network.lock().unwrap().says = vec![says.clone(), says];
        assert_eq!(resumed(&payments(&file, &network), Told::NotNow)[0].1, reply);
        assert_eq!("pending", answer(&payments(&file, &network), "do", "Charge"), "it died as it told it");
        assert_eq!(resumed(&payments(&file, &network), Told::Yes)[0].1, reply);
        assert_eq!(reply, answer(&payments(&file, &network), "do", "Charge"));
        assert!(resumed(&payments(&file, &network), Told::Yes).is_empty());
    }
}

#[test]
fn a_refusal_outside_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (file, network) = (folder.path().join("payments.db"), Arc::new(Mutex::new(Network::default())));
    let participant = payments(&file, &network);
    network.lock().unwrap().says = vec![Err(Refusal::failed("declined"))];
    assert_eq!("failed declined", answer(&participant, "do", "Charge"));
    assert_eq!("failed declined", answer(&participant, "do", "Charge"));
    assert_eq!("succeeded {}", answer(&participant, "undo", "Refund"));
    assert_eq!(1, network.lock().unwrap().asked.len());
}

#[test]
fn what_another_process_ended_meanwhile_stands() {
    for (undone, answered, kept) in
        [(false, r#"succeeded "r-1""#, r#"succeeded "r-1""#), (true, "failed already-undone", "failed already-undone")]
    {
        let folder = tempfile::tempdir().unwrap();
        let (file, network) = (folder.path().join("payments.db"), Arc::new(Mutex::new(Network::default())));
        network.lock().unwrap().says = vec![Ok("r-1")];
        let other = payments(&file, &network);
        // While the network thinks, another process takes the charge up, ends it, and perhaps takes it back.
        let slow = Participant::new("payments", SqliteStore::open(&file).unwrap()).outside("Charge", move |_| {
            assert_eq!(resumed(&other, Told::Yes).len(), 1);
            if undone {
                assert_eq!("succeeded {}", answer(&other, "undo", "Refund"));
            }
            Ok("r-2")
        });
        assert_eq!(answered, answer(&slow, "do", "Charge"));
        assert_eq!(kept, answer(&payments(&file, &network), "do", "Charge"));
    }
}
