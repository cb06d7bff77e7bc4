//! `saga list` where there are more instances than anybody reads.

use rusqlite::{Connection, params};
use saga::engine::{Order, OrderRequest, Summary};
use saga::runtime::Row;

use super::{Desk, in_form};
use crate::orchestrator::house::{Cast, INPUT, Says, asked, instance, open_with, request, start};

/// So many are live: more than are explained.
const LIVE: usize = 250;

/// So many have ended.
const ENDED: usize = 100_000;

/// A desk where many wait, one got stuck again last of all, and a crowd has ended.
async fn crowd() -> Desk {
    let desk = Desk::new();
    let data = desk.path().join(".saga");
    let stuck = instance("stuck");
    let cast = Cast::new([("Charge", Says::Fails("declined")), ("CancelRoom", Says::Fails("odd"))]);
    let orchestrator = open_with(&data, &cast).await;
    let mut follow = orchestrator.follow(&stuck);
    start(&orchestrator, "stuck", INPUT).await;
    while orchestrator.row(&stuck).await.is_ok_and(|row| row.state != Summary::Stuck) {
        follow.next().await.unwrap();
    }
    orchestrator.close().await;
    let cast = Cast::new([("Charge", Says::Nothing), ("CancelRoom", Says::Fails("odd"))]);
    let orchestrator = open_with(&data, &cast).await;
    for number in 0..LIVE {
        start(&orchestrator, &format!("o-{number:03}"), INPUT).await;
    }
    asked(&cast, "Charge", LIVE).await;
    let before = orchestrator.row(&stuck).await.unwrap().seq;
    let order = OrderRequest { request: request("r"), order: Order::Retry { step: None }, by: None, reason: None };
    orchestrator.order(&stuck, order, None).await.unwrap().decision().await.unwrap();
    let is_again = |row: &Row| row.state == Summary::Stuck && row.seq > before;
    while !is_again(&orchestrator.row(&stuck).await.unwrap()) {
        tokio::task::yield_now().await;
    }
    orchestrator.close().await;
    // As a view that has seen them end: the journal is not read for them.
    let mut file = Connection::open(data.join("saga.db")).unwrap();
    let transaction = file.transaction().unwrap();
    let mut insert = transaction
        .prepare(
            "INSERT INTO instance VALUES (?1, 1, 'booking', 'hash', 'completed', NULL, 9, 1000, ?2, 0, 0, 1, NULL, ?3)",
        )
        .unwrap();
    for number in 1..=ENDED {
        let (id, changed) = (format!("e-{number}"), i64::try_from(1_000 + number).unwrap());
        insert.execute(params![id, changed, checksum(&id, changed)]).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
    desk
}

/// Of a row of the crowd, as it is written: each field with its kind, its length and its bytes.
fn checksum(id: &str, changed: i64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hasher.update(&[kind]);
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    let (null, integer, text) = (0, 1, 3);
    add(text, id.as_bytes());
    add(integer, &1i64.to_le_bytes());
    for word in ["booking", "hash", "completed"] {
        add(text, word.as_bytes());
    }
    add(null, &[]);
    for number in [9, 1_000, changed, 0, 0, 1] {
        add(integer, &i64::to_le_bytes(number));
    }
    add(null, &[]);
    hasher.finalize()
}

/// By its form, without the widths of columns: an age may be wider on a slow machine.
fn squeezed(text: &str) -> String {
    in_form(text).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_said() {
    let desk = crowd().await;
    let few = |arguments: &[&str]| squeezed(&desk.saga(&[arguments, &["--limit", "2"]].concat()));
    // What needs a person comes first, although it changed last.
    insta::assert_snapshot!(few(&["list"]));
    insta::assert_snapshot!(few(&["list", "--all"]));
    insta::assert_snapshot!(few(&["list", "--status", "completed"]));
    insta::assert_snapshot!(few(&["list", "--stuck"]));
    insta::assert_snapshot!(few(&["list", "--saga", "bookings"]));
    insta::assert_snapshot!(in_form(&desk.saga(&["list", "--limit", "10001"])));
    let usual = desk.saga(&["list"]);
    assert_eq!(usual.lines().filter(|line| line.contains("booking  ")).count(), 200, "{usual}");
    let more = desk.saga(&["list", "--limit", "220"]);
    let (shown, said) = more.split_once("[stderr]").unwrap();
    assert_eq!(shown.lines().filter(|line| line.contains("booking  ")).count(), 220);
    assert_eq!(shown.lines().filter(|line| line.contains("is not answered yet")).count(), 199);
    insta::assert_snapshot!(said);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_told_the_same() {
    let desk = crowd().await;
    let output = desk.command(&["list", "--all", "--limit", "201", "--json"]).output().unwrap();
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["instances"].as_array().unwrap().len(), 201);
    assert_eq!(list["explained"], 200);
    let counts = serde_json::json!([
        { "status": "stuck", "count": 1 },
        { "status": "running", "count": LIVE },
        { "status": "completed", "count": ENDED },
    ]);
    assert_eq!(list["counts"], counts);
}
