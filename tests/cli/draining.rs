//! A server that is stopped lets participants answer what is under way.

use std::net::TcpStream;

use super::Desk;
use super::serving::Server;

const NAP: &str = "participant bank { command Pay {} }\n\nsaga nap { version 1  step pay { call bank.Pay {}  compensate nothing } }\n";

/// Answers once it may.
const SLOW: &str = r#"while read -r line; do
  field() { printf '%s' "${line%%\"data\":*}" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  : > asked
  while [ ! -e go ]; do sleep 0.02; done
  printf '{"command":"%s","kind":"do","attempt":"%s","status":"succeeded"}\n' "$(field command)" "$(field attempt)"
done
"#;

const LEFT: &str = "participants have not answered everything";

/// A server that waits so long, and whose participant has been asked.
fn asked(drain: &[&str]) -> Server {
    let desk = Desk::with("nap.saga", NAP);
    desk.file("slow.sh", SLOW);
    let server = Server::at(desk, &[&["nap.saga", "--participant", "bank=process:sh slow.sh"], drain].concat());
    assert_eq!(server.ask("POST", "/instances", r#"{"saga": "nap", "id": "n-1", "input": {}}"#).0, 202);
    while !server.desk.path().join("asked").exists() {
        std::thread::yield_now();
    }
    server
}

/// Stopped, it does not listen any more.
fn stops(server: &Server) {
    server.terminate();
    while TcpStream::connect(&server.address).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn what_is_under_way_is_answered_before_it_ends() {
    let server = asked(&["--drain", "1h"]);
    stops(&server);
    server.desk.file("go", "");
    let (desk, said) = server.ended();
    assert!(!said.contains(LEFT), "{said}");
    let history = desk.saga(&["history", "n-1"]);
    assert!(history.contains("  done {}") && history.matches("call bank.Pay").count() == 1, "{history}");
}

#[test]
fn a_second_signal_waits_no_longer() {
    let server = asked(&["--drain", "1h"]);
    stops(&server);
    server.terminate();
    let (desk, said) = server.ended();
    assert!(said.contains(LEFT), "{said}");
    let shown = desk.saga(&["show", "n-1"]);
    assert!(shown.contains("running"), "{shown}");
}

#[test]
fn how_long_stands_in_saga_toml_too() {
    let desk = Desk::with("saga.toml", "drain = \"soon\"\n");
    desk.file("nap.saga", NAP);
    let serve = ["serve", "nap.saga", "--participants", "simulated", "--listen", "127.0.0.1:0"];
    insta::assert_snapshot!(desk.saga(&serve));
    insta::assert_snapshot!(desk.saga(&[&serve[..], &["--drain", "2h"]].concat()));
}
