//! The guard's SQL of `docs/participants.md` on real servers of `PostgreSQL` and of `MySQL` or `MariaDB`, each in a folder of its
//! own and reached by a socket in it. Where no server is installed these tests are skipped, and say so.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::page::blocks;

/// Questions until a server counts as dead, and until nobody waits for a lock: each waits for its answer.
const QUESTIONS_MAX: usize = 20_000;

/// Where distributions put what is not for everybody's path.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/lib/postgresql"];

/// Ends what was written to a session.
const END: &str = "that is all";

/// The shell ends with its input; the server does not outlive it.
const SHELL: &str = r#""$@" </dev/null >>"$LOG" 2>&1 & cat >/dev/null; kill -QUIT $! 2>/dev/null; wait"#;

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for folder in FOLDERS {
        folders.push(folder.into());
        // Of each version.
        let versions = fs::read_dir(folder).into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn skipped(what: &str) {
    // Not captured: whoever runs the tests should know what was not run.
    let _seen = writeln!(std::io::stderr(), "\nSKIPPED: the guard's SQL on {what}, since no server is installed\n");
}

/// A server.
pub(crate) struct Server {
    kind: Kind,
    client: PathBuf,
    folder: TempDir,
    shell: Child,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Postgres,
    MySql,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _gone = self.shell.wait();
    }
}

/// A server refuses to be root; then it is nobody.
fn as_nobody(program: &Path, folder: &Path) -> Command {
    let user = Command::new("id").arg("-u").output().unwrap();
    if user.stdout != b"0\n" {
        return Command::new(program);
    }
    let given = Command::new("chown").args(["-R", "nobody"]).arg(folder).status().unwrap();
    assert!(given.success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
    command
}

impl Server {
    pub(crate) fn postgres() -> Option<Self> {
        let (Some(init), Some(server), Some(client)) = (find("initdb"), find("postgres"), find("psql")) else {
            skipped("PostgreSQL");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let made =
            as_nobody(&init, folder.path()).args(["-A", "trust", "-U", "saga", "-D"]).arg(&data).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut program = as_nobody(&server, folder.path());
        program.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-c", "listen_addresses="]);
        Some(Self::start(Kind::Postgres, client, folder, &program))
    }

    fn mysql() -> Option<Self> {
        let server = find("mariadbd").or_else(|| find("mysqld"));
        let (Some(server), Some(client)) = (server, find("mariadb").or_else(|| find("mysql"))) else {
            skipped("MySQL");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut program = as_nobody(&server, folder.path());
        let at = |option: &str, path: PathBuf| format!("--{option}={}", path.display());
        // No users in there, so whoever can open the socket may do all: that is its folder's owner.
        program.args(["--no-defaults", "--skip-grant-tables", "--skip-networking"]);
        program.args([at("datadir", data), at("socket", folder.path().join("socket"))]);
        program.arg(at("pid-file", folder.path().join("pid")));
        let server = Self::start(Kind::MySql, client, folder, &program);
        let made = server.once("CREATE DATABASE saga").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(server)
    }

    fn start(kind: Kind, client: PathBuf, folder: TempDir, program: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(program.get_program()).args(program.get_args());
        shell.env("LOG", folder.path().join("log"));
        let shell = shell.stdin(Stdio::piped()).spawn().unwrap();
        let server = Self { kind, client, folder, shell };
        for _ in 0..QUESTIONS_MAX {
            if server.once("SELECT 1").output().unwrap().status.success() {
                return server;
            }
        }
        panic!("the server does not answer: {}", server.said());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What clients connect to.
    pub(crate) fn url(&self) -> String {
        format!("postgresql:///postgres?user=saga&host={}", self.folder.path().display())
    }

    fn client(&self) -> Command {
        let mut client = Command::new(&self.client);
        match self.kind {
            Kind::Postgres => client.args(["-X", "-At", "-v", "ON_ERROR_STOP=1", &self.url()]),
            Kind::MySql => {
                client.args(["--no-defaults", "-N", "-B", "--raw", "--unbuffered", "--default-character-set=utf8mb4"]);
                client.arg(format!("--socket={}", self.folder.path().join("socket").display()))
            }
        };
        client
    }

    fn once(&self, sql: &str) -> Command {
        let mut client = self.client();
        client.args([if self.kind == Kind::Postgres { "-c" } else { "-e" }, sql]);
        client
    }

    fn session(&self) -> Session {
        let mut client = self.client();
        if self.kind == Kind::MySql {
            client.arg("saga");
        }
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (client.stdin.take().unwrap(), BufReader::new(client.stdout.take().unwrap()).lines());
        Session { kind: self.kind, client, input, output }
    }

    /// Waits until a session waits for another.
    fn until_one_waits(&self) {
        let sql = match self.kind {
            Kind::Postgres => "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
            Kind::MySql => "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        };
        let mut looking = self.session();
        let found = (0..QUESTIONS_MAX).any(|_| looking.ask(&format!("{sql};")) == ["1"]);
        assert!(found, "nobody waits for a lock");
    }
}

/// A connection.
struct Session {
    kind: Kind,
    client: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.client.kill());
        let _gone = self.client.wait();
    }
}

impl Session {
    fn send(&mut self, sql: &str) {
        writeln!(self.input, "{sql}\nSELECT '{END}';").unwrap();
        self.input.flush().unwrap();
    }

    fn hear(&mut self) -> Vec<String> {
        let lines = self.output.by_ref().map(Result::unwrap);
        let heard: Vec<String> = lines.take_while(|line| line != END).collect();
        assert!(self.client.try_wait().unwrap().is_none(), "the session broke: {heard:?}");
        heard
    }

    fn ask(&mut self, sql: &str) -> Vec<String> {
        self.send(sql);
        self.hear()
    }

    fn prepare(&mut self, name: &str, sql: &str) {
        let sql = sql.trim_end_matches(';');
        let prepared = match self.kind {
            Kind::Postgres => self.ask(&format!("PREPARE {name} AS {sql};")),
            Kind::MySql => self.ask(&format!("PREPARE {name} FROM '{}';", sql.replace('\'', "''"))),
        };
        assert!(prepared.is_empty() || prepared == ["PREPARE"], "{prepared:?}");
    }

    fn execute(&self, name: &str, values: &[&str]) -> String {
        match self.kind {
            Kind::Postgres => format!("EXECUTE {name}({});", values.join(", ")),
            Kind::MySql => {
                let set: Vec<_> = values.iter().enumerate().map(|(n, value)| format!("@v{n} = {value}")).collect();
                let using: Vec<_> = (0..values.len()).map(|n| format!("@v{n}")).collect();
                format!("SET {}; EXECUTE {name} USING {};", set.join(", "), using.join(", "))
            }
        }
    }

    /// Claims a command, and says how many rows that made once it is told.
    fn claim(&mut self, command: &str) {
        let counted = if self.kind == Kind::MySql { " SELECT ROW_COUNT();" } else { "" };
        let claim = self.execute("claim", &[&format!("'{command}'"), "500"]);
        self.send(&format!("{claim}{counted}"));
    }

    fn claimed(&mut self) -> String {
        let heard = self.hear();
        let [count] = heard.as_slice() else { panic!("{heard:?}") };
        count.trim_start_matches("INSERT 0 ").to_owned()
    }

    fn settle(&mut self, command: &str, state: &str, reply: &str, keep_until: &str) {
        let (command, state, reply) = (format!("'{command}'"), format!("'{state}'"), format!("'{reply}'"));
        let settled = match self.kind {
            Kind::Postgres => self.execute("settle", &[&command, &state, &reply, keep_until]),
            Kind::MySql => self.execute("settle", &[&state, &reply, keep_until, &command]),
        };
        let settled = self.ask(&settled);
        assert!(settled.is_empty() || settled == ["UPDATE 1"], "{settled:?}");
    }

    fn find(&mut self, command: &str) -> Vec<String> {
        let find = self.execute("find", &[&format!("'{command}'")]);
        self.ask(&find).into_iter().map(|row| row.replace('\t', "|")).collect()
    }
}

/// Two deliveries at once on a server, by the statements of the page as they stand there.
fn the_second_delivery_waits(server: &Server, block: &str) {
    let blocks = blocks(block);
    let [create, begin, claim, find, settle, commit] =
        blocks[0].split_inclusive(';').map(str::trim).filter(|sql| !sql.is_empty()).collect::<Vec<_>>()[..]
    else {
        panic!("{blocks:?}")
    };
    let mut sessions = [server.session(), server.session()];
    sessions[0].ask(create);
    sessions[0].ask(create);
    for session in &mut sessions {
        session.prepare("claim", claim);
        session.prepare("find", find);
        session.prepare("settle", settle);
    }
    let [one, other] = &mut sessions;

    // The first commits: the second finds its row.
    one.ask(begin);
    one.claim("o/1/room/1");
    assert_eq!("1", one.claimed());
    other.ask(begin);
    other.claim("o/1/room/1");
    server.until_one_waits();
    one.settle("o/1/room/1", "done", r#"{"hold":"h-1"}"#, "900");
    one.ask(commit);
    assert_eq!("0", other.claimed());
    assert_eq!([r#"done|{"hold":"h-1"}"#], *other.find("o/1/room/1"));
    other.settle("o/1/room/1", "undone", "{}", "400");
    other.ask(commit);
    assert_eq!(["undone|{}"], *one.find("o/1/room/1"));
    assert_eq!(["900"], *one.ask("SELECT keep_until FROM saga_guard;"), "it never shrinks");

    // The first rolls back, as behind a fault: the second works.
    one.ask(begin);
    one.claim("o/1/room/2");
    assert_eq!("1", one.claimed());
    other.ask(begin);
    other.claim("o/1/room/2");
    server.until_one_waits();
    one.ask("ROLLBACK;");
    assert_eq!("1", other.claimed());
    assert_eq!(["doing"], *other.ask("SELECT state FROM saga_guard WHERE command = 'o/1/room/2';"));
    other.ask(commit);

    // Other ids are other commands: by the letter, and up to the longest.
    let long = "é".repeat(250);
    for id in ["O/1/room/1", "ö/1/room/1", &long] {
        one.ask(begin);
        one.claim(id);
        assert_eq!("1", one.claimed(), "{id}");
        one.ask(commit);
    }
}

#[test]
fn on_postgres_the_second_delivery_waits_for_the_first() {
    let Some(server) = Server::postgres() else { return };
    the_second_delivery_waits(&server, "CREATE TABLE IF NOT EXISTS saga_guard (\n    command TEXT PRIMARY KEY");
}

#[test]
fn on_mysql_the_second_delivery_waits_for_the_first() {
    let Some(server) = Server::mysql() else { return };
    the_second_delivery_waits(&server, "CREATE TABLE IF NOT EXISTS saga_guard (\n    command VARCHAR");
}
