//! Inputs that were deleted before they were read: their partition stands still until a person accepts the loss.

use serde_json::json;

use super::operating::night;
use super::serving::{Server, start};
use super::{Desk, in_form};

/// A desk at night on which retention has taken requests that nobody had read, in both partitions.
pub(super) fn lost() -> Desk {
    let desk = night();
    let file = rusqlite::Connection::open(desk.path().join(".saga/saga.db")).unwrap();
    file.execute_batch("UPDATE lane SET start = 100 WHERE topic = 'saga.requests'").unwrap();
    desk
}

/// How many records of the journals say that eva accepted a loss, and why.
fn accepted_by_eva(desk: &Desk) -> usize {
    let file = rusqlite::Connection::open(desk.path().join(".saga/saga.db")).unwrap();
    let mut rows = file.prepare("SELECT records FROM batch").unwrap();
    let blobs = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap().map(Result::unwrap);
    let said = r#"},"by":"eva","reason":"there is no backup"}"#;
    blobs.map(|blob| String::from_utf8_lossy(&blob).matches(said).count()).sum()
}

#[test]
fn it_is_seen_and_accepted() {
    let desk = lost();
    insta::assert_snapshot!(in_form(&desk.saga(&["list"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["show", "o-3", "--data", ".saga"])));
    // What the partitions' threads say is said in any order.
    let refused = desk.saga(&["retry", "o-3"]);
    let said: Vec<&str> = refused.lines().filter(|line| !line.contains(" ERROR ")).collect();
    insta::assert_snapshot!(in_form(&said.join("\n")));
    for partition in ["0", "1"] {
        let accepted = desk.saga(&["accept-gap", partition, "--by", "eva", "--reason", "there is no backup"]);
        assert!(accepted.ends_with("[exit status: 0]\n"), "{accepted}");
    }
    insta::assert_snapshot!(in_form(&desk.saga(&["accept-gap", "1"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["accept-gap", "7"])));
    assert_eq!(accepted_by_eva(&desk), 2);
    let listed = desk.saga(&["list"]);
    assert!(!listed.contains("stands still"), "{listed}");
    let resolved = desk.saga(&["resolve", "o-3", "reserve", "--undo", "--succeeded"]);
    assert!(resolved.ends_with("[exit status: 0]\n"), "{resolved}");
    assert!(desk.saga(&["show", "o-3"]).contains("compensated"));
}

#[test]
fn a_server_says_so_and_goes_on_when_it_is_accepted() {
    let server = Server::at(lost(), &["order.saga"]);
    let (_, alive) = server.ask("GET", "/healthz", "");
    assert_eq!(alive["status"], "alive");
    let stopped: Vec<_> = alive["stopped"].as_array().unwrap().iter().map(|one| one["partition"].clone()).collect();
    assert_eq!(stopped, [json!(0), json!(1)]);
    assert_eq!(alive["stopped"][0]["order"], "accept_gap");
    let (status, unready) = server.ask("GET", "/readyz", "");
    assert!(status == 503 && unready.to_string().contains("accept-gap"), "{unready}");
    let (status, refused) = server.ask("POST", "/instances", &start("o-4"));
    assert!(status == 503 && refused.to_string().contains("stands still"), "{refused}");
    for partition in [0, 1] {
        let path = format!("/partitions/{partition}/orders");
        let (status, accepted) = server.ask("POST", &path, r#"{"order":"accept_gap","by":"eva"}"#);
        assert_eq!((status, accepted), (200, json!({ "partition": partition, "order": "accept_gap" })));
    }
    let (status, again) = server.ask("POST", "/partitions/0/orders", r#"{"order":"accept_gap"}"#);
    assert_eq!((status, &again["error"]["code"]), (409, &json!("no_gap")));
    assert_eq!(server.ask("POST", "/partitions/x/orders", r#"{"order":"accept_gap"}"#).0, 400);
    assert_eq!(server.ask("GET", "/readyz", "").0, 200);
    server.ask("POST", "/instances", &start("o-4"));
    server.until("o-4", "completed");
    #[cfg(unix)]
    {
        let (_, said) = server.stop_and_hear();
        let lines = said.lines().filter(|line| line.contains("goes on behind inputs that are lost"));
        assert_eq!(lines.filter(|line| line.ends_with("by=\"eva\"")).count(), 2, "{said}");
    }
}
