//! `saga serve`: the API as programs see it, and the command line against it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
#[cfg(feature = "kafka")]
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::running::desk;
use super::{Desk, in_form};

/// A server of its own, stopped with the test.
pub(super) struct Server {
    pub(super) desk: Desk,
    pub(super) child: Child,
    pub(super) address: String,
    /// What it said before it served.
    pub(super) said: String,
    /// What it says later, once it has ended.
    later: Option<JoinHandle<String>>,
}

impl Server {
    fn start() -> Self {
        Self::with(&[])
    }

    pub(super) fn with(more: &[&str]) -> Self {
        Self::at(desk(), &[&["order.saga"], more].concat())
    }

    /// On a desk where there may be data already.
    pub(super) fn at(desk: Desk, more: &[&str]) -> Self {
        Self::with_environment(desk, more, &[])
    }

    pub(super) fn with_environment(desk: Desk, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let listens: &[&str] = if more.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let arguments = [&["serve"], listens, more].concat();
        let mut command = desk.command(&arguments);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let (mut before, mut line) = (String::new(), String::new());
        while !line.starts_with("serving ") {
            before.push_str(&line);
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it served: {before}");
        }
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        // What it says later must not block it.
        let later = std::thread::spawn(move || {
            let mut later = String::new();
            drop(said.read_to_string(&mut later));
            later
        });
        Self { desk, child, address, said: before, later: Some(later) }
    }

    /// The status and the body.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let own = format!("host: {}\r\ncontent-type: application/json\r\n", self.address);
        self.ask_with(&own, (method, path), body)
    }

    /// The same, with headers of one's own.
    pub(super) fn ask_with(&self, headers: &str, (method, path): (&str, &str), body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // A body that is refused may not be read to its end.
        drop(stream.write_all(body.as_bytes()));
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// The instance, once it stands so.
    pub(super) fn until(&self, id: &str, status: &str) -> Value {
        loop {
            let (_, shown) = self.ask("GET", &format!("/instances/{id}"), "");
            if shown["instance"]["status"] == status {
                return shown;
            }
            std::thread::yield_now();
        }
    }

    pub(super) fn saga(&self, arguments: &[&str]) -> String {
        let server = format!("http://{}", self.address);
        self.desk.saga(&[arguments, &["--server", &server]].concat())
    }
}

impl Server {
    /// Stops it as a service manager does, and gives its desk.
    #[cfg(unix)]
    pub(super) fn stop(self) -> Desk {
        self.stop_and_hear().0
    }

    /// The same, with all that it said.
    #[cfg(unix)]
    pub(super) fn stop_and_hear(self) -> (Desk, String) {
        self.terminate();
        self.ended()
    }

    /// Asks it to stop.
    #[cfg(unix)]
    pub(super) fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Its desk once it has stopped, and all that it said.
    #[cfg(unix)]
    pub(super) fn ended(mut self) -> (Desk, String) {
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let later = self.later.take().and_then(|later| later.join().ok()).unwrap_or_default();
        (std::mem::replace(&mut self.desk, Desk::new()), std::mem::take(&mut self.said) + &later)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(super) fn start(id: &str) -> String {
    let input = json!({ "customer": "ana", "sku": "lamp", "count": 1, "amount": "20.00" });
    json!({ "saga": "order", "id": id, "input": input }).to_string()
}

#[test]
fn a_start_is_taken_once() {
    let server = Server::start();
    let (status, started) = server.ask("POST", "/instances", &start("o-1"));
    assert_eq!((status, &started), (202, &json!({ "id": "o-1", "saga": "order", "start": "accepted" })));
    assert_eq!(server.until("o-1", "completed")["output"], json!({ "receipt": "charge" }));
    let (status, started) = server.ask("POST", "/instances", &start("o-1"));
    assert_eq!((status, &started["start"]), (200, &json!("known")));
    let (status, refused) = server.ask("POST", "/instances", &start("o-1").replace("lamp", "sofa"));
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")));
    let (_, history) = server.ask("GET", "/instances/o-1/history", "");
    assert_eq!(history["entries"][0]["events"][0]["event"], "started");
}

#[test]
fn an_id_may_hold_what_a_path_may_not() {
    let server = Server::start();
    let id = "a/b ?#%.. ü";
    server.ask("POST", "/instances", &start(id));
    let shown = server.saga(&["show", id]);
    assert!(shown.contains(id), "{shown}");
}

#[test]
fn requests_that_make_no_sense() {
    let server = Server::start();
    let large = format!("{{\"saga\": \"{}\"}}", "x".repeat(2 << 20));
    let mut answers = String::new();
    for (method, path, body) in [
        ("POST", "/instances", "no json"),
        ("POST", "/instances", ""),
        ("POST", "/instances", "[1]"),
        ("POST", "/instances", "{\"sga\": \"order\"}"),
        ("POST", "/instances", "{\"id\": \"o-1\"}"),
        ("POST", "/instances", "{\"saga\": 7}"),
        ("POST", "/instances", "{\"saga\": \"order\"}"),
        ("POST", "/instances", "{\"saga\": \"order\", \"input\": {\"count\": 1, \"count\": 2}}"),
        ("POST", "/instances", "{\"saga\": \"oder\"}"),
        ("POST", "/instances", "{\"saga\": \"order\", \"input\": {\"count\": \"many\"}}"),
        ("POST", "/instances", "{\"saga\": \"order\", \"id\": \"\"}"),
        ("POST", "/instances", "{\"saga\": \"order\", \"id\": \"..\"}"),
        ("POST", "/instances", "{\"saga\": \"order\", \"id\": \"o-\u{202e}17\"}"),
        ("POST", "/instances", &large),
        ("DELETE", "/instances", ""),
        ("GET", "/instances?status=odd", ""),
        ("GET", "/instances?limit=many", ""),
        ("GET", "/instances?state=stuck", ""),
        ("GET", "/instances/none", ""),
        ("GET", "/nowhere", ""),
        ("POST", "/instances/none/orders", "{\"order\": \"cancel\"}"),
        ("POST", "/instances/none/orders", "{\"order\": \"stop\"}"),
        ("POST", "/partitions/0/orders", "{}"),
        ("POST", "/topics/shop.orders", "{}"),
        ("POST", "/topics/shop.orders", "{\"event\": {}}"),
        ("POST", "/replies", "{}"),
    ] {
        let (status, answer) = server.ask(method, path, body);
        let shown: String = body.chars().take(60).collect();
        let answer = serde_json::to_string_pretty(&answer).unwrap();
        answers.extend([method, " ", path, " ", &shown, "\n", &status.to_string(), " ", &answer, "\n\n"]);
    }
    insta::assert_snapshot!(answers);
    assert_eq!(server.ask("GET", "/healthz", "").0, 200);
    assert_eq!(server.ask("GET", "/readyz", "").0, 200);
}

#[test]
fn web_pages_are_kept_away() {
    let server = Server::start();
    let (address, json) = (&server.address, "content-type: application/json\r\n");
    let order = r#"{"order":"cancel"}"#;
    let mut answers = String::new();
    let mut note = |headers: String, (method, path), body| {
        let (status, answer) = server.ask_with(&headers, (method, path), body);
        let shown = headers.replace(address.as_str(), "SERVER").replace("\r\n", "\n");
        answers.extend([method, " ", path, "\n", &shown, &format!("{status} {answer:#}\n\n")]);
    };
    // What a page may send without asking the server first.
    note(format!("host: {address}\r\ncontent-type: text/plain\r\n"), ("POST", "/instances/o-1/orders"), order);
    note(format!("host: {address}\r\n"), ("POST", "/instances"), "{}");
    note(format!("host: {address}\r\norigin: http://evil.example\r\n{json}"), ("POST", "/replies"), "{}");
    // A page whose name is made to point here.
    let own = "host: evil.example:7117\r\norigin: http://evil.example:7117\r\n";
    note(format!("{own}{json}"), ("POST", "/instances/o-1/orders"), order);
    note(own.to_owned(), ("GET", "/instances/o-1"), "");
    insta::assert_snapshot!(answers.replace(address.as_str(), "SERVER"));
    let of_ours = format!("host: {address}\r\norigin: http://{address}\r\n{json}");
    assert_eq!(server.ask_with(&of_ours, ("POST", "/instances"), &start("o-1")).0, 202);
    // Prometheus in a container has a name of its own for this machine.
    assert_eq!(server.ask_with("host: host.docker.internal:7117\r\n", ("GET", "/readyz"), "").0, 200);
}

/// The list is what the help and the README show.
#[test]
fn everything_that_is_listed_is_there() {
    let server = Server::start();
    for route in saga::http::routes::ROUTES {
        let path = route.path.replace("{id}", "none").replace("{number}", "0").replace("{topic}", "shop.orders");
        let (_, answer) = server.ask(route.method, &path, "");
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        assert!(!code.starts_with("no_such"), "{} {path}: {answer}", route.method);
        assert_eq!(server.ask("DELETE", &path, "").0, 405, "{path}");
    }
    let help = server.desk.saga(&["help", "serve"]);
    insta::assert_snapshot!(help.split_once("The API:").unwrap().1);
}

#[test]
fn a_start_that_does_not_fit_reads_as_that_of_run() {
    let server = Server::start();
    let below = |shown: &str| shown.split_once("error: ").unwrap().1.to_owned();
    insta::assert_snapshot!(below(&server.desk.saga(&["start", "order"])));
    let input = r#"{"customer": "ana", "sku": 7, "count": 1, "count": 2}"#;
    let (start, run) = (["start", "order", "--input", input], ["run", "order.saga", "--input", input]);
    let (started, ran) = (server.desk.saga(&start), server.desk.saga(&run));
    insta::assert_snapshot!(below(&started));
    assert_eq!(below(&started), below(&ran));
}

#[test]
fn the_command_line_against_a_server() {
    let server = Server::with(&["--participant", "payments=process:sleep 600"]);
    let input = r#"{"customer": "ana", "sku": "lamp", "count": 1, "amount": "20.00"}"#;
    insta::assert_snapshot!(
        in_form(&server.saga(&["start", "order", "--id", "o-1", "--input", input])).replace(&server.address, "SERVER")
    );
    // Waits at the silent participant.
    while !server.saga(&["show", "o-1"]).contains("charge (pivot)  called") {
        std::thread::yield_now();
    }
    let listed = in_form(&server.saga(&["list"]));
    assert!(listed.contains("payments.Charge is not answered yet"), "{listed}");
    insta::assert_snapshot!(in_form(&server.saga(&["cancel", "o-1"])).replace(&server.address, "SERVER"));
    insta::assert_snapshot!(in_form(&server.saga(&["show", "o-2"])).replace(&server.address, "SERVER"));
}

#[test]
#[cfg(unix)]
fn it_stops_when_it_is_told_and_goes_on_when_it_is_started_again() {
    let mut server = Server::with(&["--participant", "payments=process:sh till.sh"]);
    server.ask("POST", "/instances", &start("o-1"));
    assert!(Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap().success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    server.desk.file("open", "");
    let run = server.desk.saga(&["run", "order.saga", "--id", "o-1"]);
    assert!(run.contains("\"completed\""), "{run}");
}

/// Who cannot serve must not take partitions from those who do.
#[cfg(feature = "kafka")]
#[test]
fn a_port_that_is_taken_is_said_before_the_log_is_looked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // No broker is there, so whoever looks for one waits.
    let shown = Desk::new().saga(&["serve", "--listen", &address, "--kafka", "127.0.0.1:1"]);
    assert!(shown.contains(&format!("failed to listen on {address}")), "{shown}");
}
