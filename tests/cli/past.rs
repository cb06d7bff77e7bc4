//! `saga show --at`, `--run` and `saga history --run`: an instance as it stood, and the lives that its id had before.

use saga::time::Timestamp;
use serde_json::Value;

use super::serving::Server;
use super::{Desk, in_form};
use crate::orchestrator::past::lived_twice;

/// A desk where `order-1` had two lives; their runs, and the instants at which they began, which may be earlier by a moment.
async fn desk() -> (Desk, [String; 2], [String; 2]) {
    let desk = Desk::new();
    let lives = lived_twice(&desk.path().join(".saga")).await;
    let runs = [1, 0].map(|life: usize| Timestamp(lives[life].run.0).to_string());
    let began = [1, 0].map(|life: usize| lives[life].started.to_string());
    (desk, runs, began)
}

fn value(desk: &Desk, arguments: &[&str]) -> Value {
    let output = desk.command(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// By its form, without the widths of columns.
pub(super) fn squeezed(text: &str) -> String {
    in_form(text).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lives_of_an_id_are_told_apart() {
    let (desk, [first, second], _) = desk().await;
    for command in ["show", "history"] {
        let newest = desk.saga(&[command, "order-1"]);
        insta::assert_snapshot!(format!("{command}_of_the_newest"), squeezed(&newest));
        assert!(newest.contains(&format!("saga {command} order-1 --run {first}")), "to be pasted: {newest}");
        insta::assert_snapshot!(
            format!("{command}_of_an_earlier_one"),
            squeezed(&desk.saga(&[command, "order-1", "--run", &first]))
        );
    }
    let listed = value(&desk, &["list", "--all", "--json"]);
    let listed: Vec<&Value> = listed["instances"].as_array().unwrap().iter().map(|row| &row["status"]).collect();
    assert_eq!(listed, ["completed", "compensated"], "each as it ended");
    insta::assert_snapshot!("history_of_all", squeezed(&desk.saga(&["history", "order-1", "--run", "all"])));
    let shown = value(&desk, &["show", "order-1", "--run", &first, "--json"]);
    assert_eq!((&shown["run"], &shown["instance"]["status"]), (&first.as_str().into(), &"compensated".into()));
    let runs: Vec<&Value> = shown["runs"].as_array().unwrap().iter().map(|life| &life["run"]).collect();
    assert_eq!(runs, [second.as_str(), &first]);
    let all = value(&desk, &["history", "order-1", "--run", "all", "--json"]);
    let entries = all["entries"].as_array().unwrap();
    assert!(entries.first().unwrap()["run"] == first.as_str() && entries.last().unwrap()["run"] == second.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_shown_as_it_stood() {
    let (desk, [first, second], [first_began, began]) = desk().await;
    // Its room is asked for, and nothing is answered yet.
    let past = value(&desk, &["show", "order-1", "--at", &began, "--json"]);
    assert_eq!(past["as_of"], began.as_str());
    assert_eq!((&past["instance"]["started"], &past["orders"]), (&began.as_str().into(), &Value::Array(Vec::new())));
    let earlier = value(&desk, &["show", "order-1", "--at", &first_began, "--json"]);
    assert_eq!(earlier["run"], first.as_str());
    let now = value(&desk, &["show", "order-1", "--at", "0s", "--json"]);
    assert_eq!((&now["instance"]["status"], &now["run"]), (&"completed".into(), &second.as_str().into()));
    assert!(value(&desk, &["show", "order-1", "--json"]).get("as_of").is_none(), "that is now");
    let shown = squeezed(&desk.saga(&["show", "order-1", "--at", "0s"]));
    assert!(shown.contains("AS OF INSTANT (AGE ago): what came later is left out"), "{shown}");
    let mut refused = String::new();
    for at in ["1d", "9999-01-01T00:00:00Z", "noon"] {
        refused.push_str(&desk.saga(&["show", "order-1", "--at", at]));
    }
    for run in ["7", "first"] {
        refused.push_str(&desk.saga(&["history", "order-1", "--run", run]));
    }
    insta::assert_snapshot!(in_form(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_shows_the_same_past() {
    let (desk, [first, _], [began, _]) = desk().await;
    let looks: [&[&str]; 3] = [
        &["show", "order-1", "--at", &began, "--json"],
        &["show", "order-1", "--run", &first, "--json"],
        &["history", "order-1", "--run", "all", "--json"],
    ];
    let beside = looks.map(|look| value(&desk, look));
    let server = Server::at(desk, &["--participants", "simulated"]);
    let own = format!("http://{}", server.address);
    for (look, beside) in looks.iter().zip(&beside) {
        assert_eq!(value(&server.desk, &[look, &["--server", &own][..]].concat()), *beside, "{look:?}");
    }
    for (query, status, word) in [
        ("?at=0s", 200, ""),
        ("?at=1d", 404, "not_begun"),
        ("?run=7", 404, "unknown_run"),
        ("?at=noon", 400, "bad_request"),
        ("?at=0s&run=7", 400, "bad_request"),
        ("?when=0s", 400, "bad_request"),
    ] {
        let (answered, body) = server.ask("GET", &format!("/instances/order-1{query}"), "");
        assert_eq!((answered, body["error"]["code"].as_str().unwrap_or_default()), (status, word), "{query}");
    }
}
