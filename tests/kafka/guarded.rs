//! A broker that asks who is there and what they may do: the table of docs/kafka.md grants what each needs, and no more
//! is needed. With the feature `tls` over TLS and with SCRAM, otherwise with passwords as they are.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::adapter::prefix;
use super::broker::{Broker, Guard, jars, own_with};
use super::house::{FILE, INPUT, Server, text};
use super::jvm::java;

/// Everybody's, with the name behind it.
const PASSWORD: &str = "the-password-of-";

const USERS: [&str; 6] = ["maker", "deployer", "orchestrator", "auditor", "officer", "prober"];

/// Less than a command waits for a broker that is away, and far more than one takes that waits for nothing.
const LONG: Duration = Duration::from_secs(25);

/// Where this listens, certificates included.
struct Gate {
    folder: tempfile::TempDir,
    prefix: String,
}

fn protocol() -> &'static str {
    if cfg!(feature = "tls") { "SASL_SSL" } else { "SASL_PLAINTEXT" }
}

fn mechanism() -> &'static str {
    if cfg!(feature = "tls") { "SCRAM-SHA-512" } else { "PLAIN" }
}

impl Gate {
    fn new() -> Self {
        let gate = Self { folder: tempfile::tempdir().unwrap(), prefix: prefix() };
        let workflow = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/booking.saga")).unwrap();
        let own = workflow.replace("commands \"", &format!("commands \"shop-{}.", gate.prefix));
        fs::write(gate.path(FILE), own).unwrap();
        gate
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a broker that asks.
    fn broker(&self) -> Option<super::broker::Own> {
        jars()?;
        let login = |name| format!("user_{name}=\"{PASSWORD}{name}\"");
        let scram = |name| format!("SCRAM-SHA-512=[name={name},password={PASSWORD}{name}]");
        let mut settings = vec![("sasl.enabled.mechanisms", mechanism().to_owned())];
        let mut format = Vec::new();
        if cfg!(feature = "tls") {
            self.make_certificate();
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            settings.push(("scram-sha-512.sasl.jaas.config", module.to_owned()));
            settings.push(("ssl.keystore.type", "PKCS12".to_owned()));
            settings.push(("ssl.keystore.location", self.path("broker.p12").display().to_string()));
            settings.push(("ssl.keystore.password", "changeit".to_owned()));
            format.extend(USERS.into_iter().flat_map(|name| ["--add-scram".to_owned(), scram(name)]));
        } else {
            let logins: Vec<String> = USERS.into_iter().map(login).collect();
            let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
            settings.push(("plain.sasl.jaas.config", format!("{module} required {};", logins.join(" "))));
        }
        own_with(&Guard { protocol: protocol(), settings: &settings, format: &format })
    }

    fn make_certificate(&self) {
        let keytool = |arguments: &[&str]| {
            let keystore = self.path("broker.p12");
            let made = Command::new("keytool")
                .args(arguments)
                .args(["-storetype", "PKCS12", "-storepass", "changeit", "-alias", "broker", "-keystore"])
                .arg(keystore)
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", text(&made));
        };
        let san = ["-dname", "CN=broker", "-ext", "san=ip:127.0.0.1", "-keyalg", "EC", "-validity", "30"];
        keytool(&[&["-genkeypair"][..], &san].concat());
        let ca = self.path("ca.pem");
        keytool(&["-exportcert", "-rfc", "-file", ca.to_str().unwrap()]);
    }

    /// `saga` as this user, whose password stands in the file that the documentation names for it.
    fn saga(&self, broker: &Broker, user: &str, arguments: &[&str]) -> Command {
        self.saga_with(broker, (user, &format!("{PASSWORD}{user}")), arguments)
    }

    fn saga_with(&self, broker: &Broker, (user, password): (&str, &str), arguments: &[&str]) -> Command {
        let folder = self.path(user);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(self.path(FILE), folder.join(FILE)).unwrap();
        let mut config = format!(
            "[kafka]\nbrokers = \"{}\"\nprefix = \"{}\"\n[kafka.config]\n\"security.protocol\" = \"{}\"\n\
             \"sasl.mechanism\" = \"{}\"\n\"sasl.username\" = \"{user}\"\n\"sasl.password\" = \"{password}\"\n",
            broker.guarded(),
            self.prefix,
            protocol().to_lowercase(),
            mechanism()
        );
        if cfg!(feature = "tls") {
            writeln!(config, "\"ssl.ca.location\" = \"{}\"", self.path("ca.pem").display())
                .expect("text can be written");
        }
        fs::write(folder.join("saga.toml"), config).unwrap();
        let mut saga = Command::new(env!("CARGO_BIN_EXE_saga"));
        saga.current_dir(folder).stdin(Stdio::null()).args(arguments).arg("--kafka");
        saga.arg(broker.guarded());
        saga
    }
}

fn rule(broker: &Broker, arguments: &[&str]) {
    let ruled = java(jars().unwrap())
        .args(["org.apache.kafka.tools.AclCommand", "--bootstrap-server", &broker.address()])
        .args(arguments)
        .output()
        .unwrap();
    assert!(ruled.status.success(), "{}", text(&ruled));
}

fn grant(broker: &Broker, user: &str, arguments: &[&str]) {
    rule(broker, &[&["--add", "--allow-principal", &format!("User:{user}")], arguments].concat());
}

/// Takes a right on a topic away that was granted, or gives it back.
fn deny(broker: &Broker, how: &[&str], (user, right, topic): (&str, &str, &str)) {
    let of = format!("User:{user}");
    rule(broker, &[how, &["--deny-principal", &of, "--operation", right, "--topic", topic]].concat());
}

/// What stands in the table.
fn grant_all(broker: &Broker, gate: &Gate) {
    let (ours, theirs) = (format!("{}.", gate.prefix), format!("shop-{}.", gate.prefix));
    let journal = format!("{}.journal", gate.prefix);
    let definitions = format!("{}.definitions", gate.prefix);
    let requests = format!("{}.requests", gate.prefix);
    let orchestrators = format!("{}.orchestrators", gate.prefix);
    let bridges = format!("{}.bridge.", gate.prefix);
    let prefixed = ["--resource-pattern-type", "prefixed"];
    let on = |user, operations: &[&str], resources: &[&str]| {
        let operations: Vec<&str> = operations.iter().flat_map(|operation| ["--operation", operation]).collect();
        grant(broker, user, &[&operations[..], resources].concat());
    };
    on("maker", &["Create"], &["--cluster"]);
    on("maker", &["Describe", "DescribeConfigs"], &["--topic", "*"]);
    on(
        "orchestrator",
        &["Read", "Write", "Describe", "DescribeConfigs"],
        &[&["--topic", &ours][..], &prefixed].concat(),
    );
    on("orchestrator", &["Delete"], &["--topic", &journal]);
    on("orchestrator", &["Read", "Write", "Describe"], &[&["--topic", &theirs][..], &prefixed].concat());
    on("orchestrator", &["Read", "Describe"], &["--group", &orchestrators]);
    on("orchestrator", &["Read", "Describe"], &[&["--group", &bridges][..], &prefixed].concat());
    on("deployer", &["Read", "Write", "Describe"], &["--topic", &definitions]);
    on("deployer", &["Describe"], &[&["--topic", &ours][..], &prefixed].concat());
    on("deployer", &["Describe"], &[&["--topic", &theirs][..], &prefixed].concat());
    on("auditor", &["Read", "Describe"], &[&["--topic", &ours][..], &prefixed].concat());
    on("officer", &["Read", "Describe"], &[&["--topic", &ours][..], &prefixed].concat());
    on("officer", &["Write"], &["--topic", &requests]);
    let (probe, replies) = (format!("{}.probe", gate.prefix), format!("{}.replies", gate.prefix));
    on("prober", &["Write", "Describe"], &[&["--topic", &theirs][..], &prefixed].concat());
    on("prober", &["Create", "Read", "Describe"], &["--topic", &probe]);
    on("prober", &["Read", "Describe"], &["--topic", &replies]);
    on("prober", &["Write", "Describe"], &[&["--transactional-id", "saga-probe-"][..], &prefixed].concat());
}

#[test]
fn each_may_do_what_the_table_grants_and_hears_what_is_missing() {
    let gate = Gate::new();
    let Some(broker) = gate.broker() else { return };
    let as_user = |user: &str, arguments: &[&str], exit: i32, words: &str| {
        let ran = gate.saga(&broker, user, arguments).output().unwrap();
        let said = text(&ran);
        assert!(ran.status.code() == Some(exit) && said.contains(words), "{user} {arguments:?}: {said}");
    };
    let booking = ["booking", "--input", INPUT, "--id"];
    let start = |id: &'static str| [&["start"][..], &booking, &[id]].concat();

    // Neither a wrong password nor a missing right is a broker that is away: nobody waits for it.
    for arguments in [&["list"][..], &["serve", FILE], &["init", FILE]] {
        let ran = gate.saga_with(&broker, ("auditor", "another"), arguments).output().unwrap();
        let said = text(&ran);
        assert_eq!(ran.status.code(), Some(7), "{arguments:?}: {said}");
        assert!(said.contains("do not accept each other (sasl_") && !said.contains("WARN"), "{arguments:?}: {said}");
    }
    let requests = format!("this user may not Describe topic `{}.requests`", gate.prefix);
    as_user("auditor", &["list"], 7, &requests);
    as_user("orchestrator", &["serve", FILE], 7, &requests);
    as_user("maker", &["init", FILE], 7, "this user may not Create topic");

    grant_all(&broker, &gate);
    as_user("maker", &["init", FILE, "--partitions", "3"], 0, "made: ");
    as_user("deployer", &["deploy", FILE], 0, "booking version 1: new");
    as_user(
        "orchestrator",
        &["run", FILE, "--participants", "simulated", "--id", "o-1", "--input", INPUT],
        0,
        "completed",
    );
    as_user("auditor", &["list", "--all"], 0, "o-1");
    as_user("auditor", &["show", "o-1"], 0, "completed");
    as_user("auditor", &["history", "o-1"], 0, "completed");
    as_user("auditor", &start("o-2"), 7, "lets this user write nothing");
    as_user("officer", &start("o-2"), 0, "o-2");
    as_user("auditor", &["deploy", FILE], 7, "this user may not Describe the topic");
    as_user("auditor", &["run", FILE], 7, "this user may not DescribeConfigs on topic");
    as_user("maker", &["init", FILE], 0, "there already: ");
    hears_of_what_is_taken_away(&gate, &broker);

    let denied = [
        ("auditor", "Read", "journal", &["list"][..]),
        ("deployer", "Read", "definitions", &["deploy", FILE]),
        ("orchestrator", "Write", "requests", &start("o-3")),
        ("orchestrator", "Read", "definitions", &["serve", "--listen", "127.0.0.1:0"]),
    ];
    for (user, right, topic, arguments) in denied {
        let topic = format!("{}.{topic}", gate.prefix);
        deny(&broker, &["--add"], (user, right, &topic));
        let began = Instant::now();
        as_user(user, arguments, 7, &format!("this user may not {right} topic `{topic}` of Kafka at "));
        assert!(began.elapsed() < LONG, "{user} {arguments:?} waited for it");
    }
}

/// A server that runs tells of a right that is taken away, once, and goes on when it is given back.
fn hears_of_what_is_taken_away(gate: &Gate, broker: &Broker) {
    let serve = ["serve", FILE, "--participants", "simulated", "--listen", "127.0.0.1:0"];
    let server = Server::begun(gate.saga(broker, "orchestrator", &serve));
    server.until("/readyz", |status, body| status == 200 && body.contains("\"running\":3"));
    // One rule without a transaction, and the one that makes one.
    let rules = ["--participant", "hotels", "--rule", "answered", "--rule", "committed-only"];
    let probes = |words: &str| {
        let probed = gate.saga(broker, "prober", &[&["probe", FILE][..], &rules].concat()).output().unwrap();
        let said = text(&probed);
        assert!(probed.status.success() && said.contains(words), "{said}");
    };
    probes("2 kept, 0 broken, 0 not tried");
    let transactions = ["--transactional-id", "saga-probe-", "--resource-pattern-type", "prefixed"];
    rule(broker, &[&["--add", "--deny-principal", "User:prober", "--operation", "All"], &transactions[..]].concat());
    probes("1 kept, 0 broken, 1 not tried");
    for (number, (right, topic)) in [("Read", "replies"), ("Read", "requests"), ("Write", "journal")].iter().enumerate()
    {
        let topic = format!("{}.{topic}", gate.prefix);
        deny(broker, &["--add"], ("orchestrator", right, &topic));
        let why = format!("this user may not {right} topic `{topic}` of Kafka at ");
        let id = format!("taken-{number}");
        std::thread::scope(|scope| {
            // What is not in a journal yet may have to wait, or is refused: it is for something to be journaled.
            scope.spawn(|| drop(server.ask(&["start", "booking", "--input", INPUT, "--id", &id])));
            server.until("/readyz", |status, body| status == 503 && body.contains(&why));
            let (_, alive) = server.get("/healthz");
            assert!(alive.contains(&why) && alive.contains(", since 20"), "{alive}");
            let line = format!("{why}{}; what each needs stands in docs/kafka.md; it is tried again", broker.guarded());
            assert_eq!(server.until_said(&line).len(), 1, "{right} on {topic}");
            deny(broker, &["--remove", "--force"], ("orchestrator", right, &topic));
            server.until("/readyz", |status, _| status == 200);
        });
        server.until_said(&format!("this user may {right} topic `{topic}` again"));
        server.start(&format!("given-{number}"));
    }
    server.until_completed(3);
}
