//! Looking after instances of a data directory that another process holds, or held.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::task::Poll;

use saga::http::service::{ORDERING, Service};
use saga::log::embedded::{self, Embedded};
use saga::runtime::Options;

use super::running::desk;
use super::serving::{Server, start};
use super::{Desk, in_form};

const SILENT: &[&str] = &["--participant", "payments=process:sh till.sh"];
const INPUT: &str = r#"{"customer": "ana", "sku": "lamp", "count": 1, "amount": "20.00"}"#;

/// A run, with what differs from run to run by its form.
fn shown(desk: &Desk, pid: u32, arguments: &[&str]) -> String {
    in_form(&desk.saga(arguments).replace(&format!("process {pid}"), "process PID"))
}

/// A `saga run` that waits at a silent participant, stopped with the test.
pub(super) struct Run {
    pub(super) desk: Desk,
    child: Child,
}

impl Run {
    pub(super) fn begin() -> Self {
        let desk = desk();
        let mut command = desk.command(&[&["run", "order.saga", "--id", "o-1"], SILENT].concat());
        command.env("PATH", std::env::var_os("PATH").unwrap()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("call payments.Charge") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it called");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { desk, child }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The files of a data directory that hold data.
fn files(data: &Path) -> BTreeMap<&'static str, Option<Vec<u8>>> {
    ["saga.db", "saga.db-wal", "saga.lock"].into_iter().map(|name| (name, fs::read(data.join(name)).ok())).collect()
}

#[test]
fn a_server_that_holds_the_data_is_asked() {
    let server = Server::with(SILENT);
    let pid = server.child.id();
    insta::assert_snapshot!(shown(&server.desk, pid, &["start", "order", "--id", "o-1", "--input", INPUT]));
    while !server.desk.saga(&["show", "o-1"]).contains("charge (pivot)  called") {
        std::thread::yield_now();
    }
    insta::assert_snapshot!(shown(&server.desk, pid, &["list", "--data", ".saga"]));
    assert!(server.desk.saga(&["history", "o-1"]).contains("call payments.Charge"));
    insta::assert_snapshot!(shown(&server.desk, pid, &["cancel", "o-1"]));
    let json = server.desk.command(&["list", "--json"]).output().unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&json.stdout).is_ok(), "the remark is not among the data");
    // A server in the environment is for those who name no data.
    let named = server.desk.command(&["list", "--data", ".saga"]).env("SAGA_SERVER", "http://127.0.0.1:1").output();
    assert_eq!(named.unwrap().status.code(), Some(0));
    let meant = server.desk.command(&["list"]).env("SAGA_SERVER", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(meant.status.code(), Some(7));
}

#[test]
fn what_a_killed_server_left_behind_leads_nobody_astray() {
    let mut server = Server::with(&["--participant", "stock=process:sleep 600"]);
    server.ask("POST", "/instances", &start("o-1"));
    server.until("o-1", "running");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let listed = server.desk.saga(&["list"]);
    assert!(listed.contains("o-1") && listed.contains("nobody works on .saga now"), "{listed}");
    let cancelled = server.desk.saga(&["cancel", "o-1"]);
    assert!(cancelled.ends_with("[exit status: 0]\n"), "{cancelled}");
    let shown = server.desk.saga(&["show", "o-1"]);
    assert!(shown.contains("cancelled"), "{shown}");
}

#[test]
fn a_run_is_asked_and_takes_orders() {
    let run = Run::begin();
    let pid = run.child.id();
    insta::assert_snapshot!(shown(&run.desk, pid, &["list"]));
    insta::assert_snapshot!(shown(&run.desk, pid, &["show", "o-1"]));
    insta::assert_snapshot!(shown(&run.desk, pid, &["history", "o-1"]));
    insta::assert_snapshot!(shown(&run.desk, pid, &["cancel", "o-1"]));
    insta::assert_snapshot!(shown(&run.desk, pid, &["run", "order.saga", "--id", "o-2"]));
}

/// `saga serve` and `saga run` open by this; polled once, it has found the directory held.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_sagas_waits_for_one_who_only_gives_an_order() {
    let data = tempfile::tempdir().unwrap();
    let hold = |owner: &str| {
        let options = embedded::Options { owner: owner.to_owned(), ..embedded::Options::default() };
        Embedded::open(data.path(), &options).unwrap()
    };
    let options = Options::default();
    let order = hold(ORDERING);
    let mut opening = std::pin::pin!(Service::open(data.path(), &options));
    let waits = std::future::poll_fn(|context| Poll::Ready(opening.as_mut().poll(context).is_pending()));
    assert!(waits.await, "it did not wait");
    drop(order);
    opening.await.unwrap().close().await;
    // Whoever stays is not waited for.
    let _other = hold("saga run order.saga");
    let refused = Service::open(data.path(), &options).await.err().unwrap();
    assert!(refused.message.contains("`saga run order.saga`"), "{}", refused.message);
}

#[test]
fn looking_changes_nothing() {
    let mut run = Run::begin();
    let data = run.desk.path().join(".saga");
    run.kill();
    // What it left is not in the file alone, but in the write-ahead log.
    let before = files(&data);
    assert!(before["saga.db-wal"].as_ref().is_some_and(|wal| !wal.is_empty()), "a killed process leaves some");
    for arguments in [&["list"][..], &["list", "--all"], &["show", "o-1"], &["history", "o-1"]] {
        let seen = run.desk.saga(arguments);
        assert!(seen.contains("charge") && seen.ends_with("[exit status: 0]\n"), "{seen}");
        assert!(files(&data) == before, "{arguments:?} changed the data");
    }
    // Behind a clean end too.
    run.desk.file("open", "");
    let ended = run.desk.saga(&["run", "order.saga", "--id", "o-1"]);
    assert!(ended.contains("completed"), "{ended}");
    let before = files(&data);
    let seen = run.desk.saga(&["list", "--all"]);
    assert!(seen.contains("completed"), "{seen}");
    let after = files(&data);
    assert!(before["saga.db"] == after["saga.db"] && before["saga.lock"] == after["saga.lock"]);
}

/// Somebody who holds the data, in this process, and says where it answers.
struct Impostor {
    _lock: File,
    listener: TcpListener,
}

impl Impostor {
    fn hold(desk: &Desk, id: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let path = desk.path().join(".saga/saga.lock");
        let mut lock = File::options().read(true).write(true).truncate(true).open(path).unwrap();
        lock.try_lock().unwrap();
        let since = "2026-01-02T03:04:05Z";
        let holder = serde_json::json!({ "pid": 1, "owner": "saga serve", "since": since, "server": server, "id": id });
        writeln!(lock, "{holder}").unwrap();
        Self { _lock: lock, listener }
    }

    /// Answers one request, the body of which is of no interest.
    fn answer(&self, body: &str) {
        let (mut stream, _) = self.listener.accept().unwrap();
        let mut head = [0; 1_024];
        let _ = stream.read(&mut head).unwrap();
        respond(&mut stream, body);
    }
}

fn respond(stream: &mut TcpStream, body: &str) {
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).unwrap();
}

/// Where one instance has ended.
fn ended() -> Desk {
    let desk = desk();
    desk.saga(&["run", "order.saga", "--id", "o-1"]);
    desk
}

#[test]
fn an_address_at_which_somebody_else_listens_is_not_asked() {
    let desk = ended();
    let impostor = Impostor::hold(&desk, "the holder");
    let asked = std::thread::scope(|scope| {
        scope.spawn(|| (0..4).for_each(|_| impostor.answer(r#"{"status":"alive","holder":"another"}"#)));
        let seen = shown(&desk, 1, &["list", "--all"]);
        (seen, shown(&desk, 1, &["retry", "o-1"]))
    });
    insta::assert_snapshot!(asked.0);
    insta::assert_snapshot!(asked.1);
}

#[test]
fn a_server_that_ends_in_between_is_no_reason_to_fail() {
    let desk = ended();
    let impostor = Impostor::hold(&desk, "the holder");
    let ordered = std::thread::scope(|scope| {
        scope.spawn(move || {
            impostor.answer(r#"{"status":"alive","holder":"the holder"}"#);
            // It takes the request, and is gone before it has answered.
            drop(impostor.listener.accept().unwrap());
        });
        desk.saga(&["start", "order", "--id", "o-2", "--input", INPUT])
    });
    assert!(ordered.contains("o-2 began") && ordered.ends_with("[exit status: 0]\n"), "{ordered}");
}

#[test]
fn a_directory_that_is_locked_and_does_not_say_by_whom() {
    let desk = ended();
    let path = desk.path().join(".saga/saga.lock");
    let lock = File::options().write(true).truncate(true).open(path).unwrap();
    lock.try_lock().unwrap();
    insta::assert_snapshot!(in_form(&desk.saga(&["list", "--all"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["retry", "o-1"])));
}
