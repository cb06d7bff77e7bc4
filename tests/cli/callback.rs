//! A participant behind HTTP that answers 202 and later posts what became of it: where it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::Desk;
use super::running::desk;
use super::serving::{Server, start};

/// Takes one command; gives its headers.
pub(super) fn take(listener: &TcpListener) -> Vec<(String, String)> {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = BufReader::new(stream.try_clone().unwrap());
    let mut headers = Vec::new();
    for line in request.by_ref().lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    let mut body = vec![0; header(&headers, "content-length").parse().unwrap()];
    request.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    headers
}

pub(super) fn header<'h>(headers: &'h [(String, String)], wanted: &str) -> &'h str {
    headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// The status of the answer to a request.
fn status(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!("{head}host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // The run may end as soon as it has the answer that it waited for.
    drop(stream.read_to_string(&mut answer));
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn the_final_answer_comes_later() {
    let desk = desk();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let payments = format!("payments=http://{}/commands", listener.local_addr().unwrap());
    let participant = thread::spawn(move || {
        let headers = take(&listener);
        let callback = header(&headers, "ce-callback").strip_prefix("http://").unwrap().to_owned();
        let (address, path) = callback.split_once('/').unwrap();
        // Nothing else of the API is there.
        let other = status(address, "GET /instances HTTP/1.1\r\n", "");
        let mut head = format!("POST /{path} HTTP/1.1\r\nce-status: succeeded\r\n");
        for name in ["ce-command", "ce-kind", "ce-attempt"] {
            head.extend([name, ": ", header(&headers, name), "\r\n"]);
        }
        status(address, &head, r#"{"receipt": "later"}"#);
        other
    });
    let run = desk.saga(&["run", "order.saga", "--id", "o-1", "--participant", &payments]);
    assert!(run.contains(r#""output": {"receipt":"later"}"#), "{run}");
    assert_eq!(participant.join().unwrap(), "404");
}

/// Behind `pending` a final answer that does not fit counts as none: the step waits as before, and people see why.
#[test]
fn a_final_answer_that_does_not_fit_is_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let payments = format!("payments=http://{}/commands", listener.local_addr().unwrap());
    let server = Server::at(desk(), &["order.saga", "--participants", "simulated", "--participant", &payments]);
    server.ask("POST", "/instances", &start("o-1"));
    let headers = take(&listener);
    let mut head = "POST /replies HTTP/1.1\r\nce-status: succeeded\r\n".to_owned();
    for name in ["ce-command", "ce-kind", "ce-attempt"] {
        head.extend([name, ": ", header(&headers, name), "\r\n"]);
    }
    let pending = || server.ask("GET", "/instances/o-1", "").1;
    while !pending()["instance"]["why"].to_string().contains("works on") {
        thread::yield_now();
    }
    status(&server.address, &head, r#"{"receipt": 7}"#);
    let unfit =
        "payments answered payments.Charge, on which it worked, with what does not fit its contract; awaited until";
    while !pending()["instance"]["why"].to_string().contains(unfit) {
        thread::yield_now();
    }
    for words in [&["show", "o-1"][..], &["show", "o-1", "--json"], &["list"], &["list", "--json"]] {
        let said = server.saga(words);
        assert!(said.contains(unfit) && !said.contains("payments works on"), "{said}");
    }
    let said = server.saga(&["show", "o-1"]);
    assert!(said.contains("answers do not fit") && said.contains("last answers to charge"), "{said}");
    assert!(
        said.contains("counts as none: at receipt: expected string, found 7"),
        "what does not fit and where: {said}"
    );
    assert!(server.saga(&["show", "o-1", "--json"]).contains(r#""state": "unfit""#));
    // What is offered is to be filled in, and means nothing as it is.
    let offered = r#"{"receipt":"<string>"}"#;
    assert!(said.contains(&format!("charge --succeeded --reply '{offered}'")), "{said}");
    let pasted = server.saga(&["resolve", "o-1", "charge", "--succeeded", "--reply", offered]);
    let open = r#"put the real value in place of "<string>""#;
    assert!(pasted.contains(open) && pasted.ends_with("[exit status: 2]\n"), "{pasted}");
    let order = format!(r#"{{"order":"resolve","step":"charge","outcome":"succeeded","reply":{offered}}}"#);
    let (status, pasted) = server.ask("POST", "/instances/o-1/orders", &order);
    assert!(status == 400 && pasted["error"]["message"].to_string().contains("is not filled in"), "{pasted}");
}

/// Where a server sends its participant with a late answer, and what it said before it served.
fn sent_by(desk: Desk, arguments: &[&str]) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let payments = format!("payments=http://{}/commands", listener.local_addr().unwrap());
    let more = ["order.saga", "--listen", "0.0.0.0:0", "--participants", "simulated", "--participant", &payments];
    let server = Server::at(desk, &[&more, arguments].concat());
    server.ask("POST", "/instances", &start("o-1"));
    let told = header(&take(&listener), "ce-callback").to_owned();
    let port = server.address.rsplit(':').next().unwrap();
    (told.replace(port, "PORT"), server.said.replace(port, "PORT"))
}

#[test]
fn an_address_that_stands_for_all_is_none_to_post_to_and_that_is_said() {
    let (told, said) = sent_by(desk(), &[]);
    assert_eq!(told, "http://127.0.0.1:PORT/replies");
    assert!(said.contains("say so: --callback http://HOST:PORT, or `callback` in saga.toml"), "{said}");
}

#[test]
fn participants_are_told_where_they_reach_the_server() {
    let (told, said) = sent_by(desk(), &["--callback", "http://saga.internal:7117/"]);
    assert_eq!(told, "http://saga.internal:7117/replies");
    assert!(!said.contains("--callback"), "{said}");
    let as_commands_say_it = sent_by(desk(), &["--callback", "http://saga.internal:7117/replies"]).0;
    assert_eq!(as_commands_say_it, "http://saga.internal:7117/replies");
    let settled = desk();
    settled.file("saga.toml", "callback = \"https://gate.internal/saga\"");
    assert_eq!(sent_by(settled, &[]).0, "https://gate.internal/saga/replies");
    let desk = desk();
    for (wrong, why) in [("saga.internal:7117", "neither with http://"), ("http://a/?b=c", "nothing can be put behind")]
    {
        let refused = desk.saga(&["serve", "order.saga", "--callback", wrong]);
        assert!(refused.contains(why) && refused.ends_with("[exit status: 2]\n"), "{refused}");
    }
}
