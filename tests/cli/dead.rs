//! `saga dead` and `GET /dead`: what was set aside, through a server and on a directory that nobody holds.

use serde_json::json;

use super::Desk;
use super::past::squeezed;
use super::serving::Server;

const SAGA: &str = r#"
saga order {
  version 1
  input { order: string, note: string }
  sleep 1ms
}
trigger ordered {
  on "shop.orders"
  event { order: string, note: string }
  start order { id: event.order, input: { order: event.order, note: event.note } }
}
"#;

/// A server that has set aside events without an id.
fn set_aside(saga: &str, events: u64) -> Server {
    let server = Server::at(Desk::with("order.saga", saga), &["order.saga"]);
    for number in 0..events {
        let event = json!({ "event": { "order": "", "note": format!("lamp\u{1b} {number}") }, "key": "k" });
        assert_eq!(server.ask("POST", "/topics/shop.orders", &event.to_string()).0, 202);
    }
    while server.ask("GET", "/dead", "").1["count"] != events {
        std::thread::yield_now();
    }
    server
}

#[test]
#[cfg(unix)]
fn what_was_set_aside_is_seen() {
    let server = set_aside(SAGA, 3);
    let (_, listed) = server.ask("GET", "/dead?limit=1", "");
    let newest = &listed["dead"][0];
    assert_eq!(
        (&newest["trigger"], &newest["topic"], &newest["key"]),
        (&json!("ordered"), &json!("shop.orders"), &json!("k"))
    );
    assert!(newest["payload"].as_str().unwrap().contains("lamp"), "{newest}");
    let at = format!("{}/{}", newest["partition"], newest["offset"]);
    assert_eq!(server.ask("GET", &format!("/dead/{at}"), ""), (200, newest.clone()));
    for (path, status) in
        [("/dead?limit=0", 400), ("/dead?all=1", 400), ("/dead/0/99", 404), ("/dead/99/0", 404), ("/dead/a/0", 400)]
    {
        assert_eq!(server.ask("GET", path, "").0, status, "{path}");
    }
    assert_eq!(server.saga(&["dead", "--json"]).matches("\"why\"").count(), 3);
    // It can be told to stop by now.
    assert_eq!(server.ask("GET", "/readyz", "").0, 200);
    let desk = server.stop();
    let mut shown = desk.saga(&["dead", "--limit", "2"]);
    for arguments in [&["dead", "--show", &at][..], &["dead", "--show", "0/99"], &["dead", "--show", "last"]] {
        shown.push_str(&desk.saga(arguments));
    }
    insta::assert_snapshot!(squeezed(&shown));
}

#[test]
fn where_anything_is_personal_a_list_says_nothing_of_what_stands_in_it() {
    let server = set_aside(&SAGA.replace("event { order: string, note", "event { order: string, personal note"), 1);
    let (_, listed) = server.ask("GET", "/dead", "");
    assert!(listed["dead"][0].get("payload").is_none(), "{listed}");
    assert!(!listed.to_string().contains("lamp"), "{listed}");
    let shown = server.saga(&["dead"]);
    assert!(shown.contains("bytes, may be personal)") && !shown.contains("lamp"), "{shown}");
    let at = format!("{}/{}", listed["dead"][0]["partition"], listed["dead"][0]["offset"]);
    assert!(server.saga(&["dead", "--show", &at]).contains("lamp"), "who asks for it is shown it");
}

#[test]
fn nothing_set_aside_is_said() {
    let server = set_aside(SAGA, 0);
    assert!(server.saga(&["dead"]).contains("none: nothing was set aside"));
}
