//! What processes take: processor time and memory, as Linux counts them; and children that end with this process.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often a server is asked for a metric, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS_MAX: usize = 60_000;

/// A child; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it. What it says on standard error goes to ours.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { child: command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the program is there") }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "it is there");
        self.child.wait().expect("it is a child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A `saga serve`, and where it answers.
pub(crate) struct Server {
    pub(crate) process: Process,
    address: String,
}

impl Server {
    /// Starts it, and waits until it serves.
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process { child: command.spawn().expect("the program is there") };
        let mut lines = BufReader::new(process.child.stderr.take().expect("it is piped")).lines();
        let served = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once(" on http://").filter(|_| line.starts_with("serving"))?;
            Some(address.to_owned())
        });
        // What else it says is read, so that it never waits for a reader: nobody reads these topics, for example.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address: served.expect("`saga serve` says where it answers") }
    }

    /// What a path of its API answers; `None` unless that is 200.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(answer)
    }

    /// Waits until all of its partitions run.
    pub(crate) fn until_ready(&self, partitions: u32) {
        self.until(r#"saga_partitions{state="running"}"#, f64::from(partitions));
    }

    /// Waits until a metric has a value, or more.
    pub(crate) fn until(&self, name: &str, least: f64) {
        let looks = std::iter::repeat_with(|| {
            std::thread::sleep(LOOK_EVERY);
            self.metric(name)
        });
        let reached = looks.take(LOOKS_MAX).flatten().any(|value| value >= least);
        assert!(reached, "{name} comes to {least}");
    }

    /// A metric's value.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics")?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// Processor time of a process so far, user and system.
pub(crate) fn processor_time(pid: u32) -> Duration {
    // Fields 14 and 15 in hundredths of a second; the name in field 2 may hold blanks, so count behind it.
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind = text.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|field| field.parse::<u64>().ok()).unwrap_or_default() * 1_024
}
