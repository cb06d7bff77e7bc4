//! `saga publish` and `POST /topics/{topic}`: events for triggers, through a server and on a directory that nobody holds.

use serde_json::json;

use super::serving::Server;
use super::{Desk, in_form};

const SAGA: &str = r#"
participant shop { command Pack { order: string } }
saga order {
  version 1
  input { order: string }
  pivot
  step pack { call shop.Pack { order: input.order } }
}
trigger ordered {
  on "shop.orders"
  event { order: string }
  start order { id: "order-" + event.order, input: { order: event.order } }
}
"#;

const ARGUMENTS: [&str; 3] = ["order.saga", "--participants", "simulated"];

#[test]
fn an_event_starts_a_saga() {
    let server = Server::at(Desk::with("order.saga", SAGA), &ARGUMENTS);
    let (status, published) = server.ask("POST", "/topics/shop.orders", r#"{"event":{"order":"7"},"key":"7"}"#);
    assert_eq!(status, 202, "{published}");
    assert_eq!((&published["topic"], &published["offset"]), (&json!("shop.orders"), &json!(0)));
    server.until("order-7", "completed");
    let shown = server.saga(&["publish", "shop.orders", r#"{"order":"8"}"#, "--key", "8", "--json"]);
    assert!(shown.ends_with("[exit status: 0]\n"), "{shown}");
    server.until("order-8", "completed");
    let mut shown = server.saga(&["publish", "shop.order", r#"{"order":"8"}"#]);
    shown.push_str(&server.saga(&["publish", "shop.orders", "{order: 8}"]));
    insta::assert_snapshot!(in_form(&shown).replace(&server.address, "SERVER"));
}

#[test]
#[cfg(unix)]
fn an_event_waits_for_somebody_who_runs_sagas() {
    let server = Server::at(Desk::with("order.saga", SAGA), &ARGUMENTS);
    // It can be told to stop by now.
    assert_eq!(server.ask("GET", "/readyz", "").0, 200);
    let desk = server.stop();
    let shown = desk.saga(&["publish", "shop.orders", r#"{"order":"7"}"#]);
    insta::assert_snapshot!(in_form(&shown));
    Server::at(desk, &["--participants", "simulated"]).until("order-7", "completed");
}

/// Killed at once behind each of its events, it has dealt with all of them, and once.
#[test]
fn nothing_is_lost_and_nothing_is_done_twice_where_a_server_is_killed() {
    let mut desk = Desk::with("order.saga", SAGA);
    for round in 0..5 {
        let mut server = Server::at(desk, &ARGUMENTS);
        for number in 0..20 {
            let event = json!({ "event": { "order": format!("{round}-{number}") } });
            assert_eq!(server.ask("POST", "/topics/shop.orders", &event.to_string()).0, 202);
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        desk = std::mem::replace(&mut server.desk, Desk::new());
    }
    let server = Server::at(desk, &ARGUMENTS);
    for round in 0..5 {
        for number in 0..20 {
            server.until(&format!("order-{round}-{number}"), "completed");
        }
    }
    let (_, listed) = server.ask("GET", "/instances?ended=too", "");
    assert_eq!(listed["instances"].as_array().unwrap().len(), 100, "{}", listed["counts"]);
}
