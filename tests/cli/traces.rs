//! Traces, as a collector hears of them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::Desk;
use super::callback::{header, take};
use super::running::desk;
use super::serving::{Server, start};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const STARTER: &str = "00f067aa0ba902b7";

/// Far longer than a span takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is looked at of a span.
#[derive(Clone, Debug, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    began: u64,
    ended: u64,
    /// 0: nothing said; 1: well; 2: an error.
    status: u64,
    message: String,
    attributes: BTreeMap<String, String>,
    events: Vec<String>,
}

/// One field of a message of protocol buffers: what is not a number is bytes.
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                fields.push((tag >> 3, Value::Number(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("no such type: {other}"),
        };
        let (taken, rest) = bytes.split_at(length);
        bytes = rest;
        let number = || taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        fields.push((tag >> 3, if tag & 7 == 2 { Value::Bytes(taken) } else { Value::Number(number()) }));
    }
    fields
}

/// The messages in a field of a message.
fn within(bytes: &[u8], wanted: u64) -> Vec<&[u8]> {
    let bytes = fields(bytes).into_iter().filter(|(number, _)| *number == wanted);
    bytes.filter_map(|(_, value)| if let Value::Bytes(bytes) = value { Some(bytes) } else { None }).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A key and a value.
fn attribute(bytes: &[u8]) -> (String, String) {
    let value = fields(within(bytes, 2)[0]).into_iter().next().map(|(_, value)| match value {
        Value::Number(number) => number.to_string(),
        Value::Bytes(bytes) => text(bytes),
    });
    (text(within(bytes, 1)[0]), value.unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// As `opentelemetry/proto/trace/v1/trace.proto` numbers them.
fn span(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    for (number, value) in fields(bytes) {
        match (number, value) {
            (1, Value::Bytes(id)) => span.trace = hex(id),
            (2, Value::Bytes(id)) => span.id = hex(id),
            (4, Value::Bytes(id)) => span.parent = hex(id),
            (5, Value::Bytes(name)) => span.name = text(name),
            (7, Value::Number(at)) => span.began = at,
            (8, Value::Number(at)) => span.ended = at,
            (9, Value::Bytes(bytes)) => span.attributes.extend([attribute(bytes)]),
            (11, Value::Bytes(event)) => span.events.push(text(within(event, 2)[0])),
            (15, Value::Bytes(status)) => {
                span.message = within(status, 2).first().map(|message| text(message)).unwrap_or_default();
                span.status = fields(status)
                    .iter()
                    .find_map(|(number, value)| match value {
                        Value::Number(code) if *number == 3 => Some(*code),
                        _ => None,
                    })
                    .unwrap_or_default();
            }
            _ => {}
        }
    }
    span
}

/// A collector: what was posted to it, as spans, and the attributes of the resource.
struct Collector {
    address: String,
    spans: Receiver<Span>,
    resources: Receiver<BTreeMap<String, String>>,
}

impl Collector {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let ((tell, spans), (of, resources)) = (channel(), channel());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, of) = (tell.clone(), of.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &tell, &of));
            }
        });
        Self { address, spans, resources }
    }

    /// Spans up to one with this name that ends an instance.
    fn until(&self, name: &str) -> Vec<Span> {
        let mut all = Vec::new();
        loop {
            let span = self.spans.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{all:#?}"));
            all.push(span);
            if all.last().unwrap().name == name {
                return all;
            }
        }
    }

    fn server(&self, desk: Desk, more: &[&str], environment: &[(&str, &str)]) -> Server {
        let usual = [("OTEL_EXPORTER_OTLP_ENDPOINT", self.address.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
        Server::with_environment(desk, &[&["order.saga"], more].concat(), &[&usual, environment].concat())
    }
}

fn serve(mut stream: TcpStream, tell: &Sender<Span>, of: &Sender<BTreeMap<String, String>>) {
    let mut request = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if request.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            assert!(!header.starts_with("post") || header.starts_with("post /v1/traces "), "{line}");
        }
        let mut body = vec![0; length];
        request.read_exact(&mut body).unwrap();
        // Before the spans: who has those may look at it.
        for resource in within(&body, 1).iter().flat_map(|traces| within(traces, 1)) {
            drop(of.send(within(resource, 1).into_iter().map(attribute).collect()));
        }
        for scope in within(&body, 1).iter().flat_map(|traces| within(traces, 2)) {
            for bytes in within(scope, 2) {
                // The test may be over.
                drop(tell.send(span(bytes)));
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
    }
}

/// Starts an instance, with the trace of whoever wants it.
fn begin(server: &Server, id: &str, traceparent: Option<&str>) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let body = start(id);
    let trace = traceparent.map(|trace| format!("traceparent: {trace}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "POST /instances HTTP/1.1\r\n{trace}host: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

fn sampled() -> String {
    format!("00-{TRACE}-{STARTER}-01")
}

#[test]
fn a_saga_goes_on_with_the_trace_of_its_start() {
    let collector = Collector::new();
    let server = collector.server(desk(), &["--participants", "simulated"], &[]);
    begin(&server, "o-1", Some(&sampled()));
    let spans = collector.until("order");
    let saga = spans.last().unwrap();
    assert_eq!((saga.trace.as_str(), saga.parent.as_str(), saga.status), (TRACE, STARTER, 1), "{saga:#?}");
    assert_eq!(
        (saga.attributes["saga.instance"].as_str(), saga.attributes["saga.outcome"].as_str()),
        ("o-1", "completed")
    );
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["reserve", "charge", "ship", "order"]);
    for step in &spans[..3] {
        assert_eq!((&step.trace, &step.parent, step.status), (&saga.trace, &saga.id, 1), "{step:#?}");
        assert!(saga.began <= step.began && step.began <= step.ended && step.ended <= saga.ended, "{step:#?}");
        assert_eq!((step.attributes["saga.work"].as_str(), step.attributes["saga.attempt"].as_str()), ("do", "1"));
    }
    assert_eq!(spans[0].attributes["saga.participant"], "stock");
    assert_eq!(spans[0].attributes["saga.call"], "Reserve");
    assert_eq!(collector.resources.recv_timeout(PATIENCE).unwrap()["service.name"], "saga");
    // What people keep to themselves is in no trace.
    assert!(!format!("{spans:?}").contains("ana"), "{spans:#?}");
}

#[test]
fn what_is_repeated_and_taken_back_has_a_span_each() {
    let collector = Collector::new();
    let named = [("OTEL_SERVICE_NAME", "orders")];
    let usual = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let desk = desk();
    let ran = desk
        .command(&["run", "order.saga", "--scenario", "the lamp cannot be put back", "--id", "o-1"])
        .envs(usual.into_iter().chain(named))
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(4), "{}", String::from_utf8_lossy(&ran.stderr));
    // The end of the command sends what it has: that of the instance is not over.
    let mut spans = collector.until("undo reserve");
    assert_eq!(collector.resources.recv_timeout(PATIENCE).unwrap()["service.name"], "orders");
    spans.sort_by_key(|span| span.began);
    let said: Vec<(&str, &str)> = spans.iter().map(|span| (span.name.as_str(), span.message.as_str())).collect();
    assert_eq!(said, [("reserve", ""), ("charge", "refused: declined"), ("undo reserve", "stuck: refused")]);
    // A person gives it up; another process knows the span of the whole.
    let server = collector.server(desk, &["--participants", "simulated"], &named);
    let resolved = server.saga(&["resolve", "o-1", "reserve", "--undo", "--succeeded"]);
    assert!(resolved.ends_with("[exit status: 0]\n"), "{resolved}");
    let saga = collector.until("order").pop().unwrap();
    assert_eq!((saga.attributes["saga.outcome"].as_str(), saga.status), ("compensated", 2), "{saga:#?}");
    assert_eq!(
        (saga.id.as_str(), saga.events.as_slice()),
        (spans[0].parent.as_str(), ["an operator's order".to_owned()].as_slice())
    );
}

#[test]
fn a_participant_is_told_the_span_of_its_attempt_also_behind_a_crash() {
    let collector = Collector::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stock = format!("stock=http://{}/commands", listener.local_addr().unwrap());
    let more = ["--participant", stock.as_str(), "--participant", "payments=simulated"];
    let mut server = collector.server(desk(), &more, &[]);
    begin(&server, "o-1", Some(&sampled()));
    let asked = take(&listener);
    let told = header(&asked, "traceparent").to_owned();
    let [_, trace, attempt, flags] = told.split('-').collect::<Vec<_>>()[..] else { panic!("{told}") };
    assert_eq!((trace, flags), (TRACE, "01"));
    assert!(attempt != STARTER && attempt.len() == 16, "{told}");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let folder = std::mem::replace(&mut server.desk, Desk::new());
    let server = collector.server(folder, &more, &[]);
    // The stock has said 202 and answers now.
    let reply = r#"{"hold": "h-1"}"#;
    let mut head = format!("POST /replies HTTP/1.1\r\nce-status: succeeded\r\ncontent-length: {}\r\n", reply.len());
    for name in ["ce-command", "ce-kind", "ce-attempt"] {
        head.extend([name, ": ", header(&asked, name), "\r\n"]);
    }
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(format!("{head}host: localhost\r\nconnection: close\r\n\r\n{reply}").as_bytes()).unwrap();
    let spans = collector.until("reserve");
    let reserve = spans.last().unwrap();
    assert_eq!((reserve.id.as_str(), reserve.trace.as_str()), (attempt, TRACE), "{reserve:#?}");
    assert_eq!(reserve.attributes["saga.taken_over"], "1", "{reserve:#?}");
    // Asked again in the meantime, or for what comes next: a span of the trace each.
    let next = take(&listener);
    assert!(header(&next, "traceparent").contains(TRACE), "{next:?}");
}

#[test]
fn what_is_not_to_be_traced_is_not() {
    let collector = Collector::new();
    let server = collector.server(desk(), &["--participants", "simulated"], &[]);
    begin(&server, "o-1", Some(&format!("00-{TRACE}-{STARTER}-00")));
    server.until("o-1", "completed");
    // One that nobody gave a trace has its own.
    begin(&server, "o-2", None);
    let spans = collector.until("order");
    assert!(spans.iter().all(|span| span.attributes["saga.instance"] == "o-2" && span.trace != TRACE), "{spans:#?}");
    assert_eq!(spans.last().unwrap().parent, "", "{spans:#?}");
    drop(server);
    let none = collector.server(desk(), &["--participants", "simulated"], &[("OTEL_TRACES_SAMPLER", "always_off")]);
    begin(&none, "o-3", Some(&sampled()));
    none.until("o-3", "completed");
    let _desk = none.stop();
    assert!(collector.spans.try_recv().is_err());
}

#[test]
fn a_collector_that_is_away_is_named_once_and_holds_nothing_up() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let desk = desk();
    let ran = desk
        .command(&["run", "order.saga", "--participants", "simulated"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{gone}"))
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{said}");
    assert_eq!(said.matches("the collector does not take spans for now").count(), 1, "{said}");
    let refused = desk
        .command(&["run", "order.saga", "--participants", "simulated"])
        .envs([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")])
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("`grpc`, as OTEL_EXPORTER_OTLP_PROTOCOL has it: only http/protobuf is built"), "{said}");
}
