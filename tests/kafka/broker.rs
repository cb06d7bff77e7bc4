//! A real Apache Kafka for tests: fetched by Maven, formatted, started, killed, paused, started again.
//!
//! The broker dies with the process that started it, however that ends: a shell waits for the end of its input, which
//! this process holds open, and kills it then.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use super::jvm::{self, java};

/// Where this is set, a missing Java or Maven is an error and not a reason to skip.
const REQUIRED: &str = "SAGA_KAFKA_REQUIRED";

/// Starts that fail, since somebody took the port in between, before a test fails.
const STARTS_MAX: usize = 5;

/// Questions of a second each before a broker counts as dead: it takes three on an idle machine.
const QUESTIONS_MAX: usize = 120;

/// A broker.
pub(crate) struct Broker {
    port: u16,
    /// Where it asks who is there, if it does.
    guarded: Option<u16>,
    directory: PathBuf,
    running: Mutex<Running>,
    /// Removes the directory, unless the shell does since nobody drops a static.
    temporary: Option<TempDir>,
}

struct Running {
    shell: Child,
    /// Java's process id.
    pid: u32,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its input, and what the shell does behind it.
        drop(self.shell.stdin.take());
        let _gone = self.shell.wait();
    }
}

/// The broker that all tests of this run share; each uses topics of its own. `None`, said once, where it cannot be had.
pub(crate) fn shared() -> Option<&'static Broker> {
    static SHARED: LazyLock<Option<Broker>> =
        LazyLock::new(|| jars().map(|jars| Broker::start(jars, Directory::OfShell, None)));
    SHARED.as_ref()
}

/// A broker of a test's own, to be killed and paused; two at a time, since each takes a good part of a small machine.
pub(crate) struct Own {
    broker: Broker,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Own {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        &self.broker
    }
}

/// Waits for its turn, and starts one.
pub(crate) fn own() -> Option<Own> {
    start_own(None)
}

/// The same with a listener more that asks who is there.
pub(super) fn own_with(guard: &Guard<'_>) -> Option<Own> {
    start_own(Some(guard))
}

fn start_own(guard: Option<&Guard<'_>>) -> Option<Own> {
    static TURNS: [Mutex<()>; 2] = [const { Mutex::new(()) }; 2];
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let jars = jars()?;
    let [one, other] = &TURNS;
    let (first, second) =
        if COUNT.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { (one, other) } else { (other, one) };
    // A test that failed leaves the next one its turn.
    let turn = first.try_lock().or_else(|_| second.try_lock()).or_else(|_| first.lock());
    let turn = turn.unwrap_or_else(PoisonError::into_inner);
    Some(Own { broker: Broker::start(jars, Directory::OfTest, guard), _turn: turn })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directory {
    OfShell,
    OfTest,
}

/// The folder of jars, fetched if need be.
pub(crate) fn jars() -> Option<&'static Path> {
    static JARS: OnceLock<Option<PathBuf>> = OnceLock::new();
    JARS.get_or_init(|| {
        let missing = ["java", "mvn"].into_iter().find(|tool| {
            let asked = Command::new(tool).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            !asked.is_ok_and(|status| status.success())
        });
        let Some(missing) = missing else { return Some(fetch()) };
        assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and `{missing}` is missing");
        // Not captured: whoever runs the tests should know what was not run.
        let _seen = writeln!(std::io::stderr(), "\nSKIPPED: tests on Kafka, since `{missing}` is missing\n");
        None
    })
    .as_deref()
}

fn fetch() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pom = root.join("tests/kafka/pom.xml");
    let text = fs::read(&pom).expect("the pom can be read");
    // Another pom is another folder.
    let folder = root.join(format!("target/kafka/{:08x}", crc32fast::hash(&text)));
    if folder.is_dir() {
        return folder;
    }
    let beside = root.join(format!("target/kafka/fetching-{}", std::process::id()));
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", beside.display()))
        .stdin(Stdio::null())
        .output()
        .expect("mvn runs");
    assert!(
        fetched.status.success(),
        "Maven fetches Kafka: {}{}",
        String::from_utf8_lossy(&fetched.stdout),
        String::from_utf8_lossy(&fetched.stderr)
    );
    // Another run of the tests may have been faster: its folder is as good.
    if fs::rename(&beside, &folder).is_err() {
        assert!(folder.is_dir(), "the jars are in place");
        fs::remove_dir_all(&beside).expect("what is not needed can be removed");
    }
    folder
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// A listener that asks who is there; what they may do is asked of the broker's rules. Whoever comes by the other
/// listener may do all.
pub(super) struct Guard<'g> {
    /// `SASL_PLAINTEXT` or `SASL_SSL`.
    pub(super) protocol: &'g str,
    /// Settings of that listener, without what they begin with.
    pub(super) settings: &'g [(&'g str, String)],
    /// More arguments for making its storage.
    pub(super) format: &'g [String],
}

impl Guard<'_> {
    /// The usual settings, and one listener more.
    fn over(&self, usual: &str, port: u16) -> String {
        let mut text = String::new();
        for line in usual.lines() {
            text.push_str(line);
            match line.split('=').next() {
                Some("listeners" | "advertised.listeners") => {
                    write!(text, ",GUARDED://127.0.0.1:{port}").expect("text can be written");
                }
                Some("listener.security.protocol.map") => {
                    write!(text, ",GUARDED:{}", self.protocol).expect("text can be written");
                }
                _ => {}
            }
            text.push('\n');
        }
        text.push_str("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n");
        text.push_str("super.users=User:ANONYMOUS\n");
        for (key, value) in self.settings {
            writeln!(text, "listener.name.guarded.{key}={value}").expect("text can be written");
        }
        text
    }
}

impl Broker {
    fn start(jars: &Path, directory: Directory, guard: Option<&Guard<'_>>) -> Self {
        for attempt in 1..=STARTS_MAX {
            let temporary = tempfile::Builder::new().prefix("saga-kafka-").tempdir().expect("a directory can be made");
            let [port, controller, guarded] = free_ports();
            let mut settings = properties(temporary.path(), port, controller);
            if let Some(guard) = guard {
                settings = guard.over(&settings, guarded);
            }
            fs::write(temporary.path().join("server.properties"), settings).expect("a file can be written");
            match guard {
                Some(guard) => format(java(jars), temporary.path(), guard.format),
                None => format_alike(jars, temporary.path()),
            }
            let (path, temporary) = match directory {
                Directory::OfShell => (temporary.keep(), None),
                Directory::OfTest => (temporary.path().to_owned(), Some(temporary)),
            };
            let mut running = launch(&java(jars), &path, directory, "KILL");
            if is_ready(port, &mut running) {
                let guarded = guard.map(|_| guarded);
                return Self { port, guarded, directory: path, running: Mutex::new(running), temporary };
            }
            let said = fs::read_to_string(path.join("output")).unwrap_or_default();
            assert!(attempt < STARTS_MAX, "the broker does not start:\n{said}");
        }
        unreachable!("the last attempt returns or fails");
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `HOST:PORT` where it asks who is there.
    pub(super) fn guarded(&self) -> String {
        format!("127.0.0.1:{}", self.guarded.expect("it was started with a guard"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.lock().pid
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills it as a loss of power does. What its operating system has not written is written: it lives on.
    pub(crate) fn kill(&self) {
        signal(self.pid(), "KILL");
    }

    /// Starts it again on what is on its disk, once it is gone.
    pub(crate) fn restart(&self) {
        let jars = jars().expect("it was started from them");
        let mut running = self.gone();
        *running = launch(&java(jars), &self.directory, Directory::OfTest, "KILL");
        assert!(is_ready(self.port, &mut running), "the broker starts again");
    }

    /// Waits until it is.
    fn gone(&self) -> MutexGuard<'_, Running> {
        assert!(self.temporary.is_some(), "the broker of all tests is nobody's to kill");
        let mut running = self.lock();
        // Its shell ends behind it.
        drop(running.shell.stdin.take());
        running.shell.wait().expect("the shell ends");
        running
    }

    /// Copies its directories, once it is gone.
    pub(super) fn snapshot(&self) -> TempDir {
        let copy = TempDir::new().expect("a directory can be made");
        drop(self.gone());
        copied(&self.directory.join("data"), &copy.path().join("data"));
        copy
    }

    /// Puts such a copy in the place of what it has, once it is gone.
    pub(super) fn restore(&self, snapshot: &TempDir) {
        drop(self.gone());
        let data = self.directory.join("data");
        fs::remove_dir_all(&data).expect("it can be removed");
        copied(&snapshot.path().join("data"), &data);
    }

    /// Lets it stand still.
    pub(crate) fn pause(&self) {
        signal(self.pid(), "STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        signal(self.pid(), "CONT");
    }
}

fn copied(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(copied.success(), "{} is copied", from.display());
}

/// Sends a signal.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().expect("kill runs");
    assert!(sent.success(), "process {pid} takes SIG{name}");
}

fn properties(directory: &Path, port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=200
log.segment.delete.delay.ms=1000
log.index.size.max.bytes=1048576
",
        directory.join("data").display()
    )
}

/// Makes the storage of a broker.
fn format(mut java: Command, directory: &Path, arguments: &[String]) {
    // Sixteen bytes in URL-safe base64; which, is all the same.
    let formatted = java
        .args(["kafka.tools.StorageTool", "format", "-t", "c2FnYS1rYWZrYS10ZXN0cw", "-c"])
        .arg(directory.join("server.properties"))
        .args(arguments)
        .output()
        .expect("java runs");
    assert!(formatted.status.success(), "the storage is formatted: {}", String::from_utf8_lossy(&formatted.stderr));
}

/// The same as the first one had it made: Java takes a second for it.
fn format_alike(jars: &Path, directory: &Path) {
    static FILES: OnceLock<Vec<(OsString, Vec<u8>)>> = OnceLock::new();
    let data = directory.join("data");
    let files = FILES.get_or_init(|| {
        format(java(jars), directory, &[]);
        let files = fs::read_dir(&data).expect("it is there").map(|file| file.expect("it can be listed"));
        files.map(|file| (file.file_name(), fs::read(file.path()).expect("there are files alone"))).collect()
    });
    fs::create_dir_all(&data).expect("a directory can be made");
    for (name, bytes) in files {
        fs::write(data.join(name), bytes).expect("a file can be written");
    }
}

/// The shell ends with its input; nothing in it outlives it.
const SHELL: &str = r#"directory=$1; removes=$2; ends=$3; shift 3
"$@" >>"$directory/output" 2>&1 </dev/null &
echo $!
cat >/dev/null
kill "-$ends" $! 2>/dev/null
wait
if [ "$removes" = yes ]; then rm -rf "$directory"; fi"#;

fn launch(java: &Command, path: &Path, directory: Directory, ends: &str) -> Running {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(SHELL).arg("sh").arg(path);
    shell.arg(if directory == Directory::OfShell { "yes" } else { "no" }).arg(ends);
    shell.arg(java.get_program()).args(java.get_args()).arg("kafka.Kafka").arg(path.join("server.properties"));
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh runs");
    let mut pid = String::new();
    BufReader::new(shell.stdout.take().expect("it is piped")).read_line(&mut pid).expect("the shell says the id");
    Running { shell, pid: pid.trim().parse().expect("an id is a number") }
}

/// Starts a broker and lets it end in peace.
pub(super) fn run_once(jars: &Path, java: &Command) {
    let directory = TempDir::new().expect("a directory can be made");
    let [port, controller, _] = free_ports();
    let settings = properties(directory.path(), port, controller);
    fs::write(directory.path().join("server.properties"), settings).expect("a file can be written");
    format(jvm::plain(jars), directory.path(), &[]);
    is_ready(port, &mut launch(java, directory.path(), Directory::OfTest, "TERM"));
}

/// Waits until it answers; false if it has ended instead.
fn is_ready(port: u16, running: &mut Running) -> bool {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}")).set("reconnect.backoff.max.ms", "500");
    let asking: BaseConsumer<Quiet> = config.create_with_context(Quiet).expect("the settings are right");
    for _ in 0..QUESTIONS_MAX {
        let metadata = asking.fetch_metadata(None, Duration::from_secs(1));
        if metadata.is_ok_and(|metadata| !metadata.brokers().is_empty()) {
            return true;
        }
        let lives = Command::new("kill").arg("-0").arg(running.pid.to_string()).stderr(Stdio::null()).status();
        if !lives.is_ok_and(|status| status.success()) {
            return false;
        }
    }
    false
}

/// Says nothing of a broker that is not there yet.
pub(crate) struct Quiet;

impl rdkafka::ClientContext for Quiet {
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: rdkafka::error::KafkaError, _: &str) {}
}

impl rdkafka::consumer::ConsumerContext for Quiet {}
