//! Who takes part: a broker, orchestrators, and the processes of three services, all to be killed.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::time::Duration;

use saga::log::kafka::{Raw, Settings};
use tempfile::TempDir;

use super::super::adapter::RUNTIME;
use super::super::broker::{Own, signal};
use crate::booking::booking;

/// Partitions of each topic: more than there are orchestrators most of the time.
pub(super) const PARTITIONS: u32 = 4;

/// Of the usual ones, and of those that come and go.
const ORCHESTRATORS: usize = 3;
const VISITORS: usize = 2;

/// A checkpoint every few bookings, so that journals can be cut within a round.
const CHECKPOINT_BYTES: u32 = 12_000;

/// Members that die are found out fast.
const SESSIONS: [&str; 4] =
    ["--kafka-config", "session.timeout.ms=3000", "--kafka-config", "heartbeat.interval.ms=300"];

const SAGAS: &str = include_str!("trip.saga");

/// How long answers are kept.
const KEPT: Duration = Duration::from_hours(1);

/// Lines of a process's log that are shown when a round fails.
const LINES_SHOWN: usize = 12;

/// And so much of each.
const LINE_SHOWN: usize = 400;

/// A process that is started again and again.
pub(super) struct Process {
    name: String,
    log: PathBuf,
    start: Box<dyn Fn() -> Command>,
    child: Option<Child>,
    /// One that was asked to end.
    leaving: Option<Child>,
}

impl Process {
    fn new(folder: &Path, name: String, start: impl Fn() -> Command + 'static) -> Self {
        let log = folder.join(format!("{name}.log"));
        Self { name, log, start: Box::new(start), child: None, leaving: None }
    }

    pub(super) const fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub(super) fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = || OpenOptions::new().create(true).append(true).open(&self.log).expect("a log can be written");
        let mut command = (self.start)();
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        self.child = Some(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// Kills it as a loss of power does.
    pub(super) fn kill(&mut self) {
        for mut child in self.child.take().into_iter().chain(self.leaving.take()) {
            child.kill().expect("a process can be killed");
            child.wait().expect("and is gone then");
        }
    }

    /// Asks it to end. It has time until it is asked to end again.
    pub(super) fn end(&mut self) {
        let Some(child) = self.child.take() else { return };
        signal(child.id(), "TERM");
        if let Some(mut before) = self.leaving.replace(child) {
            before.kill().expect("a process can be killed");
            before.wait().expect("and is gone then");
        }
    }

    pub(super) fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            signal(child.id(), name);
        }
    }

    /// Why it is not there any more, if it ended by itself.
    fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().expect("a child can be asked after")?;
        Some(format!("{} ended by itself: {status}", self.name))
    }

    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(LINES_SHOWN));
        let last: Vec<String> = last.map(|line| line.chars().take(LINE_SHOWN).collect()).collect();
        format!("-- {}\n{}\n", self.name, last.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// All of them. They end before the broker and their folder go.
pub(super) struct Town {
    pub(super) orchestrators: Vec<Process>,
    /// Orchestrators that come and go.
    pub(super) visitors: Vec<Process>,
    pub(super) services: Vec<Process>,
    pub(super) broker: Own,
    pub(super) folder: TempDir,
}

/// `saga` on this deployment.
fn saga(folder: &Path, address: &str, arguments: &[&str]) -> Command {
    let mut saga = Command::new(env!("CARGO_BIN_EXE_saga"));
    saga.current_dir(folder).args(arguments).args(["--kafka", address]).args(SESSIONS);
    saga
}

impl Town {
    /// Everybody is started, with seats and rooms for some of the bookings.
    pub(super) fn new(broker: Own, bookings: u64, answers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().to_owned();
        fs::write(at.join("trip.saga"), SAGAS).expect("a file can be written");
        let settings = format!("[journal]\ncheckpoint_bytes = {CHECKPOINT_BYTES}\n");
        fs::write(at.join("saga.toml"), settings).expect("a file can be written");
        let address = broker.address();
        for arguments in [&["init", "--partitions", "4", "trip.saga"][..], &["deploy", "trip.saga"]] {
            let made = saga(&at, &address, arguments).output().expect("saga runs");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let raw = Raw::open(&Settings::new(&address, []).expect("there are none")).expect("a client");
        RUNTIME.block_on(raw.make(answers, PARTITIONS, KEPT)).expect("a topic can be made");
        let orchestrator = |name: String| {
            let (folder, address) = (at.clone(), address.clone());
            Process::new(&at, name, move || saga(&folder, &address, &["serve", "--listen", "127.0.0.1:0"]))
        };
        let service = |name: &str, number: u32, option: &'static str, value: String| {
            let (kind, address) = (name.to_owned(), address.clone());
            let store = at.join(format!("{name}.db"));
            Process::new(&at, format!("{name}-{number}"), move || {
                let mut command = booking();
                command.args([&kind, "--kafka", &address, option, &value]).args(SESSIONS);
                command.arg("--store").arg(&store);
                command
            })
        };
        let (seats, rooms) = (bookings * 3 / 4, bookings * 2 / 3);
        let mut town = Self {
            orchestrators: (1..=ORCHESTRATORS).map(|number| orchestrator(format!("orchestrator-{number}"))).collect(),
            visitors: (1..=VISITORS).map(|number| orchestrator(format!("visitor-{number}"))).collect(),
            services: vec![
                service("tickets", 1, "--flight", format!("KE905={seats}")),
                service("tickets", 2, "--flight", format!("KE905={seats}")),
                service("hotels", 1, "--hotel", format!("Lux={rooms}")),
                service("hotels", 2, "--hotel", format!("Lux={rooms}")),
                service("payments", 1, "--account", format!("ana={bookings}000.00")),
            ],
            broker,
            folder,
        };
        town.start_all();
        town
    }

    /// Whoever is not there comes; but for visitors.
    pub(super) fn start_all(&mut self) {
        self.orchestrators.iter_mut().chain(&mut self.services).for_each(Process::start);
    }

    fn everybody(&mut self) -> impl Iterator<Item = &mut Process> {
        self.orchestrators.iter_mut().chain(&mut self.visitors).chain(&mut self.services)
    }

    /// Nobody ends by itself, whatever happens around it.
    pub(super) fn check(&mut self) {
        let ended: Vec<String> = self.everybody().filter_map(Process::ended).collect();
        assert!(ended.is_empty(), "{ended:?}\n{}", self.said());
    }

    /// The last words of all.
    pub(super) fn said(&mut self) -> String {
        self.everybody().map(|process| process.said()).collect()
    }
}
