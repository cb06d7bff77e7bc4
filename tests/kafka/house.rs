//! A deployment of its own for `saga` itself: topics, servers, and what is asked of them.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::adapter::{RUNTIME, prefix};
use super::broker::{Broker, signal};

/// A deployment of its own: a prefix, and participants whose commands nobody else takes.
pub(crate) struct House<'b> {
    broker: &'b Broker,
    pub(crate) prefix: String,
    pub(crate) folder: tempfile::TempDir,
    /// Of the group: sessions that end soon, or that the broker says when they end.
    group: &'static [&'static str],
}

/// Lines of a server that are kept for a test that fails.
const LATEST: usize = 300;

/// Members that die are found out fast.
const FAST: &[&str] = &["session.timeout.ms=3000", "heartbeat.interval.ms=300"];

/// Far longer than anything here takes: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) const FILE: &str = "booking.saga";

/// What a booking wants.
pub(crate) const INPUT: &str =
    r#"{"traveller": "ana", "flight": "KE905", "hotel": "Lux", "nights": 2, "amount": 840.00}"#;

impl<'b> House<'b> {
    pub(crate) fn new(broker: &'b Broker) -> Self {
        let house = Self::unmade(broker);
        let made = house.run(&["init", "--partitions", "3", FILE]);
        assert!(made.status.success(), "{}", text(&made));
        house
    }

    pub(crate) fn unmade(broker: &'b Broker) -> Self {
        let prefix = prefix();
        let folder = tempfile::tempdir().unwrap();
        let workflow = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/booking.saga")).unwrap();
        let own = workflow.replace("commands \"", &format!("commands \"{prefix}."));
        fs::write(folder.path().join(FILE), own).unwrap();
        Self { broker, prefix, folder, group: FAST }
    }

    /// With groups by KIP-848, where the broker says how fast.
    pub(crate) fn with_new_groups(broker: &'b Broker) -> Self {
        Self { group: &["group.protocol=consumer"], ..Self::new(broker) }
    }

    /// The binary on this deployment.
    pub(crate) fn saga(&self, arguments: &[&str]) -> Command {
        let mut saga = Command::new(env!("CARGO_BIN_EXE_saga"));
        saga.current_dir(self.folder.path()).stdin(Stdio::null()).args(arguments);
        saga.args(["--kafka", &self.broker.address(), "--prefix", &self.prefix]);
        saga.args(self.group.iter().flat_map(|setting| ["--kafka-config", setting]));
        saga
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.saga(arguments).output().unwrap();
        let status = output.status;
        assert!(status.signal().is_none(), "{status}: {}{}", text(&output), autopsy(self.folder.path()));
        output
    }

    /// `desk.sh`, a participant that sells tickets by lines, in the house's folder.
    pub(crate) fn write_desk(&self) {
        let script = r#"while read -r line; do
  field() { printf '%s' "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  printf '{"command":"%s","kind":"%s","attempt":%s,"status":"succeeded","data":{"hold":"h-1","seat":"1A"}}\n' \
    "$(field command)" "$(field kind)" "$(field attempt)"
done"#;
        fs::write(self.folder.path().join("desk.sh"), script).unwrap();
    }

    pub(crate) fn serve(&self, participants: &[&str]) -> Server {
        self.serve_with(&[&[FILE], participants].concat())
    }

    /// As the arguments say, without a file but those among them.
    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut serve = self.saga(&["serve", "--listen", "127.0.0.1:0"]);
        serve.args(arguments);
        Server::begun(serve)
    }

    /// Deletes one of its topics. Its whole name.
    pub(crate) fn delete(&self, topic: &str) -> String {
        let topic = format!("{}.{topic}", self.prefix);
        let mut config = ClientConfig::new();
        let admin: AdminClient<_> = config.set("bootstrap.servers", self.broker.address()).create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = RUNTIME.block_on(admin.delete_topics(&[&topic], &options)).unwrap();
        assert_eq!(deleted, [Ok(topic.clone())]);
        topic
    }

    /// Deletes all records of a partition of one of its topics, and leaves where it ends.
    pub(crate) fn empty(&self, topic: &str, partition: u32) {
        let mut config = ClientConfig::new();
        let admin: AdminClient<_> = config.set("bootstrap.servers", self.broker.address()).create().unwrap();
        let mut list = TopicPartitionList::new();
        let number = i32::try_from(partition).unwrap();
        list.add_partition_offset(&format!("{}.{topic}", self.prefix), number, Offset::End).unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let emptied = RUNTIME.block_on(admin.delete_records(&list, &options)).unwrap();
        assert!(emptied.elements().iter().all(|element| element.error().is_ok()));
    }

    /// Runs an instance to its end with everybody played from here: another orchestrator for the time.
    pub(crate) fn run_to_its_end(&self, id: &str) {
        let ended = self.run(&["run", FILE, "--id", id, "--participants", "simulated"]);
        assert!(ended.status.success(), "{}: {}", ended.status, text(&ended));
        assert!(text(&ended).contains("\"status\": \"completed\""), "{}", text(&ended));
    }
}

/// A `saga serve`.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// Until it served.
    pub(crate) said: String,
    /// What it said last.
    latest: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    /// Once it serves.
    pub(crate) fn begun(mut serve: Command) -> Self {
        serve.env("SAGA_LOG", "warn,saga=debug");
        let mut child = serve.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let url = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:#?}")).unwrap();
            if let Some((_, url)) = line.split_once(" on http://").filter(|_| line.starts_with("serving")) {
                let url = format!("http://{url}");
                said.push(line);
                break url;
            }
            said.push(line);
        };
        // What else it says is read at once, so that it never waits for a reader.
        let latest: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let keep = Arc::clone(&latest);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = keep.lock().unwrap();
                kept.push_back(line);
                if kept.len() > LATEST {
                    kept.pop_front();
                }
            }
        });
        Self { child, url, said: said.join("\n"), latest }
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let mut saga = Command::new(env!("CARGO_BIN_EXE_saga"));
        saga.stdin(Stdio::null()).args(arguments).args(["--server", &self.url]).output().unwrap()
    }

    /// The status and the body.
    pub(crate) fn http(&self, head: &str, body: &str) -> (u16, String) {
        self.answered(head, body).unwrap()
    }

    fn answered(&self, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        let length = body.len();
        let request = format!(
            "{head}host: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        Ok((status.ok_or_else(|| std::io::Error::other(answer.clone()))?, body.to_owned()))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.http(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    /// What it answers, once that is as it should be.
    pub(crate) fn until(&self, path: &str, is_so: impl Fn(u16, &str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let (status, body) = self.get(path);
            if is_so(status, &body) {
                return body;
            }
            assert!(began.elapsed() < PATIENCE, "{status} {body}");
        }
    }

    /// The lines with these words of those that it said last, once there are some.
    pub(crate) fn until_said(&self, words: &str) -> Vec<String> {
        let began = Instant::now();
        loop {
            // It answers also while it waits for its log.
            let (_status, _body) = self.get("/healthz");
            let latest = self.latest.lock().unwrap();
            let said: Vec<String> = latest.iter().filter(|line| line.contains(words)).cloned().collect();
            if !said.is_empty() {
                return said;
            }
            assert!(began.elapsed() < PATIENCE, "never said: {words}");
        }
    }

    /// Stops it as a service manager does.
    pub(crate) fn stop(mut self) {
        signal(self.child.id(), "TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    pub(crate) fn start(&self, id: &str) {
        // Again, while nobody can say whether it was taken.
        let begun = (0..100).map(|_| self.ask(&["start", "booking", "--id", id, "--input", INPUT]));
        let begun: Vec<Output> = begun
            .scan(false, |done, output| {
                if *done {
                    return None;
                }
                *done = output.status.success();
                Some(output)
            })
            .collect();
        let last = begun.last().unwrap();
        assert!(last.status.success(), "{}", text(last));
    }

    /// Waits until so many have completed, and nothing else is left.
    pub(crate) fn until_completed(&self, count: usize) {
        let mut last = String::new();
        for _ in 0..2_000 {
            let listed = self.ask(&["list", "--json", "--status", "completed", "--limit", "1000"]);
            last = text(&listed);
            let completed = last.matches("\"status\": \"completed\"").count();
            if listed.status.success() && completed >= count {
                return;
            }
        }
        panic!("{last}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("{} said last: {:#?}\nand measures:", self.url, latest);
            drop(latest);
            let metrics = self.answered("GET /metrics HTTP/1.1\r\n", "");
            eprintln!("{}", metrics.map_or_else(|error| error.to_string(), |(_, body)| body));
        }
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Where a program died that leaves a core in this folder, which `.ci/run` has it do: of a fault in one of librdkafka's
/// threads, which block all signals, nothing else tells.
fn autopsy(folder: &Path) -> String {
    let is_core = |name: &OsStr| name.to_string_lossy().starts_with("core");
    let mut files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let Some(core) = files.find(|file| is_core(&file.file_name())) else { return "(there is no core)".to_owned() };
    let asked = ["-batch", "-nx", "-ex", "bt", "-ex", "thread apply all bt", env!("CARGO_BIN_EXE_saga")];
    let gdb = Command::new("gdb").args(asked).arg(core.path()).output();
    gdb.map_or_else(|error| format!("({} is not looked at: {error})", core.path().display()), |output| text(&output))
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
