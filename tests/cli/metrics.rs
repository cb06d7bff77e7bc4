//! What a server tells machines that watch it: metrics, traces, logs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Desk;
use super::callback::{header, take};
use super::gap::lost;
use super::operating::night;
use super::running::desk;
use super::serving::Server;

const START: &str =
    r#"{"saga": "order", "id": "o-7", "input": {"customer": "ana", "sku": "lamp", "count": 1, "amount": 20.00}}"#;

/// The whole answer.
fn answer(server: &Server, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let length = body.len();
    let request = format!(
        "{head}host: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn metrics(server: &Server) -> Vec<String> {
    let answer = answer(server, "GET /metrics HTTP/1.1\r\n", "");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    body.lines().map(str::to_owned).collect()
}

fn has(metrics: &[String], line: &str) {
    let name = line.split(['{', ' ']).next().unwrap();
    let near: Vec<&String> = metrics.iter().filter(|metric| metric.starts_with(name)).collect();
    assert!(metrics.iter().any(|metric| metric == line), "{line} is not among {near:#?}");
}

#[test]
fn what_happened_is_counted() {
    let server = Server::with(&["--participants", "simulated"]);
    assert_eq!(server.ask("POST", "/instances", START).0, 202);
    server.until("o-7", "completed");
    let metrics = metrics(&server);
    assert_eq!(metrics.last().unwrap(), "# EOF");
    for line in [
        r#"saga_started_total{saga="order"} 1"#,
        r#"saga_ended_total{saga="order",outcome="completed"} 1"#,
        r#"saga_ended_total{saga="order",outcome="compensated"} 0"#,
        r#"saga_duration_seconds_count{saga="order",outcome="completed"} 1"#,
        r#"saga_calls_total{saga="order",step="reserve",work="do"} 1"#,
        r#"saga_calls_total{saga="order",step="reserve",work="undo"} 0"#,
        r#"saga_step_seconds_count{saga="order",step="charge",work="do"} 1"#,
        r#"saga_step_seconds_bucket{le="+Inf",saga="order",step="ship",work="do"} 1"#,
        r#"saga_retries_total{saga="order",step="charge",work="do"} 0"#,
        r#"saga_instances{state="running"} 0"#,
        r#"saga_partitions{state="recovering"} 0"#,
        r#"saga_dead_total{topic="replies"} 0"#,
        "saga_fences_total 0",
        "saga_log_up 1",
    ] {
        has(&metrics, line);
    }
    // Each metric says what it is, and each line is one.
    for metric in &metrics {
        let is_told = metric.starts_with("# ")
            || metric.starts_with("saga_") && metric.rsplit(' ').next().unwrap().parse::<f64>().is_ok();
        assert!(is_told, "{metric}");
    }
}

#[test]
fn how_far_behind_a_partition_is_that_stands_still_is_told() {
    let server = Server::at(lost(), &["order.saga"]);
    let metrics = metrics(&server);
    has(&metrics, r#"saga_partitions{state="stopped"} 2"#);
    for topic in ["requests", "replies"] {
        let lag = format!("saga_lag_records{{topic=\"{topic}\",partition=\"0\"}} ");
        assert!(metrics.iter().any(|metric| metric.starts_with(&lag)), "{metrics:#?}");
    }
}

#[test]
fn how_instances_stand_is_known_after_a_restart() {
    let server = Server::at(night(), &["order.saga", "--participants", "simulated"]);
    let before = metrics(&server);
    has(&before, r#"saga_instances{state="stuck"} 1"#);
    has(&before, r#"saga_instances{state="running"} 0"#);
    let partitions =
        before.iter().find_map(|metric| metric.strip_prefix(r#"saga_partitions{state="running"} "#)).unwrap();
    has(&before, &format!("saga_recovery_seconds_count {partitions}"));
    let taken = server.saga(&["resolve", "o-3", "reserve", "--undo", "--succeeded"]);
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    server.until("o-3", "compensated");
    let behind = metrics(&server);
    has(&behind, r#"saga_instances{state="stuck"} 0"#);
    has(&behind, r#"saga_ended_total{saga="order",outcome="compensated"} 1"#);
}

/// Nobody answers, and it is repeated for ever.
const HANGS: &str = "\
participant bank { command Pay {} }

saga order {
  version 1
  pivot step pay {
    call bank.Pay {}
    timeout 10ms
    retry 1 times every 10ms..10ms
  }
}
";

#[test]
fn a_point_of_no_return_that_is_called_beyond_its_retries_hangs_since_then() {
    let desk = Desk::with("order.saga", HANGS);
    desk.file("bank.sh", "cat > /dev/null");
    let server = Server::at(desk, &["order.saga", "--participant", "bank=process:sh bank.sh"]);
    let (status, _) = server.ask("POST", "/instances", r#"{"saga": "order", "id": "o-1", "input": {}}"#);
    assert_eq!(status, 202);
    let first = server.until("o-1", "stuck");
    let instance = &first["instance"];
    let (since, why) = (instance["since"].as_str().unwrap(), instance["why"].as_str().unwrap());
    assert!(why.starts_with(&format!("beyond its retries since {since}: ")), "{why}");
    let last = "; the last: no answer within the timeout";
    assert!(why.ends_with(last), "{why}");
    let pay = |shown: &Value| {
        let flow = shown["flow"].as_array().unwrap();
        flow.iter().find(|statement| statement["at"] == "pay").unwrap().clone()
    };
    let attempt = |shown: &Value| pay(shown)["attempt"].as_u64().unwrap();
    let later = loop {
        let (_, shown) = server.ask("GET", "/instances/o-1", "");
        if attempt(&shown) > attempt(&first) + 1 {
            break shown;
        }
        std::thread::yield_now();
    };
    assert_eq!(later["instance"]["since"], since, "not since the last attempt");
    assert_eq!(pay(&later)["since"], since);
    assert!(pay(&later)["message"].as_str().unwrap().contains(last), "{later}");
    has(&metrics(&server), r#"saga_stuck_total{saga="order",step="pay",work="do"} 1"#);
    let (_, said) = server.stop_and_hear();
    assert!(said.contains(&format!("it is called beyond its retries{last}")), "{said}");
}

#[test]
fn a_process_that_dies_leaves_its_last_words() {
    let desk = Desk::with("order.saga", HANGS);
    let dies = "echo 'opening' >&2\nprintf 'the vault is locked\\n\\tat Vault.java:7' >&2";
    desk.file("bank.sh", format!("read -r line\n{dies}\nexit 3\n"));
    let server = Server::at(desk, &["order.saga", "--participant", "bank=process:sh bank.sh"]);
    server.ask("POST", "/instances", r#"{"saga": "order", "id": "o-1", "input": {}}"#);
    server.until("o-1", "stuck");
    let (_, said) = server.stop_and_hear();
    let warned = said.lines().find(|line| line.contains("a participant's process died")).expect(&said);
    assert!(
        warned.contains("WARN") && warned.contains("exit status: 3") && warned.contains("the vault is locked"),
        "{warned}"
    );
}

#[test]
fn what_waits_in_the_log_is_counted_as_lag() {
    let server = Server::with(&["--participants", "simulated"]);
    assert_eq!(server.ask("POST", "/instances", START).0, 202);
    server.until("o-7", "completed");
    // What is decided is not behind.
    while !metrics(&server)
        .iter()
        .filter(|metric| metric.starts_with("saga_lag_records{"))
        .all(|metric| metric.ends_with(" 0"))
    {}
    let all = metrics(&server);
    assert!(all.iter().any(|metric| metric.starts_with(r#"saga_lag_records{topic="replies""#)), "{all:#?}");
}

#[test]
fn a_trace_goes_to_the_participants() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stock = format!("stock=http://{}/commands", listener.local_addr().unwrap());
    let server = Server::with(&["--participant", &stock]);
    let head = format!("POST /instances HTTP/1.1\r\ntraceparent: {trace}\r\n");
    assert!(answer(&server, &head, START).starts_with("HTTP/1.1 202"));
    let asked = take(&listener);
    assert_eq!(header(&asked, "traceparent"), trace, "{asked:?}");
}

#[test]
fn logs_are_text_or_json() {
    for (format, is_json) in [("text", false), ("json", true)] {
        let desk = desk();
        let mut run = desk.command(&["run", "order.saga", "--participants", "simulated", "--log-format", format]);
        let ran = run.env("SAGA_LOG", "info").stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        let line = said.lines().find(|line| line.contains("the partition runs")).unwrap_or_else(|| panic!("{said}"));
        let told: Option<Value> = serde_json::from_str(line).ok();
        assert_eq!(told.is_some(), is_json, "{line}");
        if let Some(told) = told {
            assert_eq!(told["fields"]["message"], "the partition runs");
        }
    }
}

#[test]
fn a_server_that_logs_json_says_nothing_else() {
    let messages = |said: &str| -> Vec<String> {
        let message = |line: &str| {
            let told: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            format!("{} {}", told["level"].as_str().unwrap(), told["fields"]["message"].as_str().unwrap())
        };
        said.lines().map(message).collect()
    };
    let desk = desk();
    let serve = |file: &str| {
        let arguments =
            ["serve", file, "--listen", "127.0.0.1:0", "--participants", "simulated", "--log-format", "json"];
        let mut serve = desk.command(&arguments);
        serve.env("SAGA_LOG", "error").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let refused = serve("nowhere.saga").wait_with_output().unwrap();
    let refused = messages(&String::from_utf8(refused.stderr).unwrap());
    assert!(matches!(&refused[..], [one] if one.starts_with("ERROR failed to read nowhere.saga")), "{refused:#?}");
    let mut server = serve("order.saga");
    let mut lines = BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("serving order from ") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "it ended before it served: {said}");
    }
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
    lines.read_to_string(&mut said).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0), "{said}");
    let said = messages(&said);
    assert!(said.iter().any(|line| line.starts_with("INFO serving order from ")), "{said:#?}");
    assert_eq!(said.last().unwrap(), "INFO stopping: what is under way goes to the log");
}
