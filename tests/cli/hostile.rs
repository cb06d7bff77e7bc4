//! Texts from elsewhere that speak to the terminal, and participants that are not there.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::running::{ORDER, TILL, desk};
use super::serving::{Server, start};
use super::{Desk, in_form};

/// Refuses everything in words that would set a title, clear the screen, and forge a line.
const RUDE: &str = r#"
while read -r line; do
  field() { printf '%s' "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  printf '{"command":"%s","kind":"%s","attempt":1,"status":"failed","code":"sold_out","data":{"message":"\\u001b]0;mine\\u0007\\u202e\\u001b[2Jgone \302\2332J\\n+0.000s  forged"}}\n' \
    "$(field command)" "$(field kind)"
done
"#;

/// What a terminal gets, and only colours in it are sequences.
fn on_a_terminal(desk: &Desk, arguments: &[&str]) -> String {
    let mut command = desk.command(arguments);
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("CLICOLOR_FORCE", "1");
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let mut rest = text.as_str();
    while let Some((_, behind)) = rest.split_once('\x1b') {
        let is_colour = behind.strip_prefix('[').is_some_and(|behind| {
            behind.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';').starts_with('m')
        });
        assert!(is_colour, "{arguments:?}: {text:?}");
        rest = behind;
    }
    let turns = |character: char| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let others = |character: char| turns(character) || character.is_control() && !"\n\t\x1b".contains(character);
    assert!(!text.contains(others), "{arguments:?}: {text:?}");
    text
}

#[test]
fn words_of_a_participant_do_nothing_to_a_terminal() {
    let desk = desk();
    desk.file("rude.sh", RUDE);
    let input = r#"{"customer": "ana", "sku": "lamp", "count": 1, "amount": "20.00"}"#;
    let participant = ["--participant", "stock=process:sh rude.sh", "--participant", "payments=simulated"];
    let run = [&["run", "order.saga", "--id", "o-1", "--input", input], &participant[..]].concat();
    let ran = on_a_terminal(&desk, &run);
    assert!(ran.contains("gone"), "{ran}");
    assert!(!ran.lines().any(|line| line.starts_with("+0.000s  forged")), "{ran}");
    for look in [&["list", "--all"][..], &["show", "o-1"], &["history", "o-1"], &["show", "o-1", "--json"]] {
        let seen = on_a_terminal(&desk, look);
        assert!(seen.contains("gone"), "{seen}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&desk.command(&["show", "o-1", "--json"]).output().unwrap().stdout).unwrap();
    let message = json["failure"]["message"].as_str().unwrap();
    assert!(
        ['\u{9b}', '\x1b', '\u{202e}'].iter().all(|character| message.contains(*character)),
        "a program is told all of it: {message:?}"
    );
}

#[test]
fn a_source_does_nothing_to_a_terminal() {
    let desk = desk();
    let rude = "// \x1b]0;mine\x07 \u{9b}2J\r gone\nsaga a { version 1  fail \"\x1b[2J\u{9b}\" \u{9d} } // \u{202e}}}\u{2066}\n";
    desk.file("rude.saga", rude);
    insta::assert_snapshot!(desk.saga(&["check", "rude.saga"]));
    for command in ["check", "run", "fmt", "test"] {
        on_a_terminal(&desk, &[command, "rude.saga"]);
    }
    on_a_terminal(&desk, &["check", "rude.saga", "--json"]);
}

#[test]
fn a_program_that_is_not_there_is_refused_at_once() {
    let desk = desk();
    desk.file("plain", "");
    let mut shown = String::new();
    for program in ["./nonexistent", "./plain", ".saga/..", "nonexistent-program"] {
        let mut command = desk.command(&["run", "order.saga", "--participant", &format!("stock=process:{program}")]);
        command.env("PATH", "/bin");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        shown.push_str(&String::from_utf8(output.stderr).unwrap());
    }
    insta::assert_snapshot!(shown);
    assert!(!desk.path().join(".saga").exists(), "nothing was made");
}

#[test]
fn what_http_said_is_told_in_words() {
    let hasty = "retry 1 times every 1ms..1ms";
    let order = ORDER.replace("retry 3 times every 10ms..50ms", &format!("{hasty}  compensate {hasty}"));
    let desk = Desk::with("order.saga", order);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/commands", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The whole request, so that the answer is not cut off by a reset.
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(b"HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let secret = url.replace("http://", "http://eva:secret@");
    let participant = format!("stock={secret}?token=secret");
    let ran = desk.saga(&["run", "order.saga", "--id", "o-1", "--participant", &participant]);
    assert!(ran.contains(&format!("reserve: HTTP 500 from {url}: again at")), "{ran}");
    let shown = desk.saga(&["show", "o-1"]);
    assert!(shown.contains(&format!("the last: HTTP 500 from {url}")), "{shown}");
    assert!(!desk.saga(&["history", "o-1"]).contains("secret"));
}

#[test]
fn an_answer_that_does_not_fit_is_shown_and_can_be_put_right_by_hand() {
    let desk = Desk::with("order.saga", ORDER.replace("timeout 10s", "timeout 1h"));
    desk.file("till.sh", TILL.replace(r#""h-1""#, "7"));
    desk.file("open", "");
    let server = Server::at(desk, &["order.saga", "--participant", "stock=process:sh till.sh"]);
    server.ask("POST", "/instances", &start("o-1"));
    while server.ask("GET", "/instances/o-1", "").1["flow"][0]["state"] != "unfit" {
        std::thread::yield_now();
    }
    insta::assert_snapshot!(in_form(&server.saga(&["show", "o-1"])).replace(&server.address, "SERVER"));
    let resolved = server.saga(&["resolve", "o-1", "reserve", "--succeeded", "--reply", r#"{"hold":"h-1"}"#]);
    assert!(resolved.ends_with("[exit status: 0]\n"), "{resolved}");
    server.until("o-1", "completed");
}
