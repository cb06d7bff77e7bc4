//! One suite for every library: `saga probe`, against two processes that share a topic and a database. Each must keep all
//! rules; what builds without a guard must not. The reports lie below `target/probe/`, for build servers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use saga::participant::probe::RULES;
use saga::participant::{Participant, Refusal, SqliteStore};
use serde_json::{Value, json};

use super::culprits::{Bug, Culprit};
use super::stage::{PAYMENTS, ROOMS, Stage};
use super::tools::{Process, folder, has_tools};
use super::{java, python, typescript};

/// What the probe says, by itself and as XML for build servers, and how it ended.
fn probed(stage: &Stage, library: &str, refused: (&str, &str), books: &str) -> (Value, String, Option<i32>) {
    fs::create_dir_all(folder("target/probe")).unwrap();
    let junit = folder(&format!("target/probe/{library}.xml"));
    let refused = format!("{}={}", refused.0, refused.1);
    // Whoever starts a virtual machine on a busy machine takes his time; nobody here is silent.
    let arguments = ["--within", "60", "--refused", &refused, "--books", books, "--json", "--junit"];
    let output = stage.run(&[&arguments[..], &[junit.to_str().unwrap()]].concat());
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    (report, fs::read_to_string(junit).unwrap(), output.status.code())
}

/// Every rule was tried, and is kept.
fn keeps_every_rule(stage: &Stage, library: &str, refused: (&str, &str), books: &str) {
    stage.wait_for_readers(2);
    let (report, xml, status) = probed(stage, library, refused, books);
    let findings = report["findings"].as_array().unwrap();
    let not_kept: Vec<_> = findings.iter().filter(|finding| finding["outcome"] != "kept").collect();
    assert!(not_kept.is_empty(), "{not_kept:#?}");
    let tried: BTreeSet<_> = findings.iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
    assert_eq!(tried, RULES.iter().map(|rule| rule.name).collect());
    assert_eq!((&report["left"], status), (&json!([]), Some(0)), "nothing is left in effect");
    assert_eq!(report["remarks"], json!([]));
    let counts = format!("tests=\"{}\" skipped=\"0\" errors=\"0\" failures=\"0\"", findings.len());
    assert!(xml.contains(&counts), "{xml}");
}

/// A command that prints what a query finds.
fn books(store: &Path, sql: &str) -> String {
    let print = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1], timeout=60).execute(sys.argv[2]).fetchall())";
    format!("python3 -c '{print}' '{}' '{sql}'", store.display())
}

/// Two processes of a library, each started so.
fn two(start: impl Fn() -> Command) -> [Process; 2] {
    [Process::start(&start()), Process::start(&start())]
}

fn has_python() -> bool {
    has_tools("the conformance of libraries", &[("python3", "--version")])
}

/// Rooms, by the library in Rust.
pub(super) fn rooms(store: &Path) -> Participant<SqliteStore> {
    let store = SqliteStore::open(store).unwrap();
    store.connection().execute_batch("CREATE TABLE IF NOT EXISTS rooms (hold TEXT PRIMARY KEY)").unwrap();
    Participant::new("rooms", store)
        .command("ReserveRoom", |tx, call| {
            #[derive(serde::Deserialize)]
            struct Reserve {
                hotel: String,
                #[serde(rename = "nights")]
                _nights: i64,
            }
            let request: Reserve = call.request()?;
            tx.execute("INSERT INTO rooms VALUES (?1)", [call.key().as_str()])?;
            if request.hotel == "Full" { Err(Refusal::failed("sold_out")) } else { Ok(json!({ "hold": call.key() })) }
        })
        .undo("CancelRoom", |tx, call, _| {
            Ok(tx.execute("DELETE FROM rooms WHERE hold = ?1", [call.key().as_str()]).map(drop)?)
        })
}

const HELD: &str = "SELECT count(*) FROM rooms";
const BOOKED: &str = "SELECT name, cents, (SELECT count(*) FROM charges) FROM accounts ORDER BY name";

#[test]
fn the_library_in_rust_keeps_every_rule() {
    let Some(mut stage) = Stage::of(&ROOMS).filter(|_| has_python()) else { return };
    let store = stage.folder.path().join("rooms.db");
    for _ in 0..2 {
        stage.begin_library(rooms(&store));
    }
    keeps_every_rule(&stage, "rust", ROOMS.refused, &books(&store, HELD));
}

#[test]
fn the_library_in_python_keeps_every_rule() {
    let (Some(python), Some(stage)) = (python::environment(), Stage::of(&ROOMS)) else { return };
    let store = stage.folder.path().join("rooms.db");
    let _two = two(|| {
        let mut rooms = python::command(python);
        rooms.arg(folder("participants/python/examples/rooms.py")).arg(&stage.address).arg(&stage.topic).arg(&store);
        rooms
    });
    keeps_every_rule(&stage, "python", ROOMS.refused, &books(&store, HELD));
}

#[test]
fn the_library_in_java_keeps_every_rule() {
    let Some(stage) = Stage::of(&PAYMENTS).filter(|_| has_python() && java::built()) else { return };
    let store = stage.folder.path().join("money.db");
    let _two = two(|| {
        let mut java = Command::new("java");
        java.arg("-jar").arg(folder("target/java/payments/payments.jar"));
        with_accounts(java, &stage, &store)
    });
    keeps_every_rule(&stage, "java", PAYMENTS.refused, &books(&store, BOOKED));
}

#[test]
fn the_library_in_typescript_keeps_every_rule() {
    let Some(stage) = Stage::of(&PAYMENTS).filter(|_| has_python()) else { return };
    let Some(desk) = typescript::built() else { return };
    let store = stage.folder.path().join("money.db");
    let _two = two(|| {
        let mut node = Command::new("node");
        node.arg(desk.join("dist/example/payments.js"));
        with_accounts(node, &stage, &store)
    });
    keeps_every_rule(&stage, "typescript", PAYMENTS.refused, &books(&store, BOOKED));
}

/// The payments take the same arguments in every language.
fn with_accounts(mut payments: Command, stage: &Stage, store: &Path) -> Command {
    payments
        .args(["--kafka", &stage.address, "--topic", &stage.topic, "--group", &stage.group(), "--store"])
        .arg(store);
    payments.args(["--account", "ana=5000.00", "--account", "ben=100.00"]);
    payments
}

#[test]
fn a_participant_without_a_guard_is_failed() {
    let Some(mut stage) = Stage::of(&ROOMS) else { return };
    let file = stage.books();
    stage.begin(Culprit::new(Some(Bug::NoGuardAndConstantReplies), file.clone(), 0));
    let (report, xml, status) = probed(&stage, "no-guard", ROOMS.refused, &format!("cat {}", file.display()));
    assert_eq!(status, Some(1), "a build that runs it is red");
    let broken = report["findings"].as_array().unwrap().iter().filter(|finding| finding["outcome"] == "broken");
    let broken: Vec<_> = broken.map(|finding| finding["rule"].as_str().unwrap()).collect();
    // Its replies are those of a guard; what it has in its books is not.
    for rule in ["no-do-after-undo", "no-do-after-early-undo", "late-do", "once-in-the-books"] {
        assert!(broken.contains(&rule), "{broken:?}");
        assert!(xml.contains(&format!("<testcase name=\"{rule} (ReserveRoom)\"")), "{xml}");
    }
    assert_eq!(xml.matches("<failure").count(), broken.len(), "{xml}");
}
