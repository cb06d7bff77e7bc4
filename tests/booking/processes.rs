//! The processes of a booking: three services and `saga serve`, each killed without warning and started again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// An address of a request may hang for as long as a fsync of a busy disk, not longer.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// The binary under test.
pub(super) fn saga() -> Command {
    Command::new(env!("CARGO_BIN_EXE_saga"))
}

/// The services' binary. Cargo gives tests no path to an example, and builds it only with all of them.
pub(crate) fn booking() -> Command {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let profile = Path::new(env!("CARGO_BIN_EXE_saga")).parent().expect("a binary is in a folder");
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", "booking"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the example is built");
        profile.join("examples/booking")
    });
    Command::new(&*BUILT)
}

pub(super) fn workflow() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows/booking.saga")
}

/// A program that says on standard error at which address it listens, and is told to listen there ever after.
pub(super) struct Server {
    name: &'static str,
    port: u16,
    child: Child,
    start: Box<dyn Fn(u16) -> Command>,
}

impl Server {
    /// Starts it at a port of its choice.
    pub(super) fn start(name: &'static str, start: impl Fn(u16) -> Command + 'static) -> Self {
        let start: Box<dyn Fn(u16) -> Command> = Box::new(start);
        let (child, port) = listening(name, &mut start(0));
        Self { name, port, child, start }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Where it takes commands, if it is a service.
    pub(super) fn commands(&self) -> String {
        format!("http://127.0.0.1:{}/commands", self.port)
    }

    /// Kills it as a loss of power does, and starts it again.
    pub(super) fn crash(&mut self) {
        self.child.kill().expect("a process can be killed");
        self.child.wait().expect("and is gone then");
        let (child, port) = listening(self.name, &mut (self.start)(self.port));
        assert_eq!(self.port, port, "{} listens where it did", self.name);
        self.child = child;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The child, once it listens, and its port. What else it says is thrown away, so that it never waits for a reader.
fn listening(name: &str, command: &mut Command) -> (Child, u16) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect(name);
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut said = String::new();
    let port = loop {
        let Some(Ok(line)) = lines.next() else { panic!("{name} does not start: {said}") };
        said.push_str(&line);
        let rest = line.split_once(" on http://127.0.0.1:").map(|(_, rest)| rest.to_owned());
        let port = rest.and_then(|rest| rest.split(|end: char| !end.is_ascii_digit()).next()?.parse().ok());
        if let Some(port) = port {
            break port;
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    (child, port)
}

/// One request: the status and the body. None if nobody answers, which says nothing about whether it was heard.
pub(super) fn request(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(ANSWER_WITHIN)).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
