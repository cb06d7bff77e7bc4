//! Messages to a participant on a real broker, and signals without a server: what the log alone has to carry.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use saga::log::kafka::{Raw, Settings};
use saga::participant::kafka::serve;
use saga::participant::{Participant, Refusal, SqliteStore};
use saga::wire::CloudEvent;

use super::broker::shared;
use super::house::{FILE, House, text};

const SAGA: &str = r#"
participant mail {
  commands "TOPIC"
  message Asked { transfer: string }
  message Told { text: string }
}
saga transfer {
  version 1
  input { amount: decimal }
  signal approval { by: string, approved: bool }
  step ask { send mail.Asked { transfer: saga.id }  compensate send mail.Told { text: failure.code } }
  await approval where approval.approved within 1d otherwise { fail "not_approved" }
  pivot
  step tell { send mail.Told { text: approval.by } }
}
"#;

/// Writes into its books what it is told, at the second try.
fn mail(store: &Path, faults: &Arc<AtomicU32>) -> Participant<SqliteStore> {
    let store = SqliteStore::open(store).unwrap();
    store.connection().execute_batch("CREATE TABLE IF NOT EXISTS letters (text TEXT)").unwrap();
    let mut mail = Participant::new("mail", store);
    for name in ["Asked", "Told"] {
        let faults = Arc::clone(faults);
        mail = mail.command(name, move |tx, call| {
            let request: serde_json::Value = call.request()?;
            tx.execute("INSERT INTO letters VALUES (?1)", [request.to_string()])?;
            if faults.fetch_add(1, Ordering::Relaxed) == 0 { Err(Refusal::retry("busy")) } else { Ok(()) }
        });
    }
    mail
}

fn letters(store: &Path) -> Vec<String> {
    let books = rusqlite::Connection::open(store).unwrap();
    let mut all = books.prepare("SELECT text FROM letters ORDER BY rowid").unwrap();
    all.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_participant_is_told_once_and_a_signal_needs_no_server() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    let topic = format!("{}.mail", house.prefix);
    fs::write(house.folder.path().join("transfer.saga"), SAGA.replace("TOPIC", &topic)).unwrap();
    for arguments in [&["init", "--partitions", "3", FILE, "transfer.saga"][..], &["deploy", "transfer.saga"]] {
        let done = house.run(arguments);
        assert!(done.status.success(), "{}", text(&done));
    }
    let settings = Settings::new(broker.address(), []).unwrap();
    let store = house.folder.path().join("mail.db");
    let (stop, faults) = (Arc::new(AtomicBool::new(false)), Arc::default());
    // Opened here: whoever looks into the books finds them made.
    let mail = mail(&store, &faults);
    let (stops, reached, commands) = (Arc::clone(&stop), settings.clone(), topic.clone());
    let reads = std::thread::spawn(move || {
        serve(&mail, &reached, &commands, &format!("{commands}.readers"), &stops).unwrap();
    });
    let server = house.serve_with(&[]);
    for id in ["t-1", "t-2"] {
        let started = house.run(&["start", "transfer", "--id", id, "--input", r#"{"amount":"5.00"}"#]);
        assert!(started.status.success(), "{}", text(&started));
    }
    // Taken in the end, though not at first; its saga waits for something else by then.
    while letters(&store).len() < 2 {}
    while !text(&house.run(&["show", "t-1"])).contains("awaits the signal approval") {}
    let unfit = house.run(&["signal", "t-1", "approval", r#"{"by":7,"approved":true}"#]);
    assert_eq!(unfit.status.code(), Some(2), "{}", text(&unfit));
    let signal = |request| {
        let told = house.run(&["signal", "t-1", "approval", r#"{"by":"eva","approved":true}"#, "--request", request]);
        (told.status.code(), text(&told))
    };
    let told = signal("r-1");
    assert_eq!(told.0, Some(0), "{}", told.1);
    assert!(house.run(&["cancel", "t-2"]).status.success());
    for (id, end) in [("t-1", "completed"), ("t-2", "compensated")] {
        while !text(&house.run(&["show", id])).contains(end) {}
    }
    assert_eq!(signal("r-1"), told, "given again behind the end, it gets the answer of the first");
    let late = signal("r-2");
    assert!(late.0 == Some(6) && late.1.contains("has ended"), "{}", late.1);
    while letters(&store).len() < 4 {}
    stop.store(true, Ordering::Relaxed);
    reads.join().unwrap();
    drop(server);
    let mut told = letters(&store);
    told.sort();
    let wanted = [r#"{"text":"cancelled"}"#, r#"{"text":"eva"}"#, r#"{"transfer":"t-1"}"#, r#"{"transfer":"t-2"}"#];
    assert_eq!(told, wanted);
    // On the wire nobody is asked to answer.
    let raw = Raw::open(&settings).unwrap();
    let partitions = raw.partitions(&topic).unwrap().unwrap();
    let sent = (0..partitions).flat_map(|partition| raw.read_all(&topic, partition).unwrap());
    for message in sent {
        let event = CloudEvent::read(&message).unwrap();
        assert_eq!(event.get("kind"), Some("message"));
        assert_eq!((event.get("replyto"), event.get("deadline")), (None, None));
    }
}
