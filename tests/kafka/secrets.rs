//! What nobody must read in a log, an error, or an answer.

use std::fs;

use super::broker::shared;
use super::house::{FILE, House, text};

const SECRET: &str = "hunter2";

#[test]
fn secrets_are_used_and_never_shown() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    // Nobody asks for a password here, so it does no harm.
    fs::write(house.folder.path().join("saga.toml"), format!("[kafka.config]\n\"sasl.password\" = \"{SECRET}\"\n"))
        .unwrap();
    let key = format!("ssl.key.password={SECRET}");
    let mut run = house.saga(&["run", FILE, "--participants", "simulated", "--id", "order-1"]);
    let ran = run.args(["--kafka-config", "sasl.username=ana", "--kafka-config", "debug=all"]).env("SAGA_LOG", "trace");
    let said = text(&ran.output().unwrap());
    assert!(said.contains("\"status\": \"completed\"") && said.contains("librdkafka"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    let server = house.serve(&["--participants", "simulated"]);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let (_, body) = server.get(path);
        assert!(!body.contains(SECRET), "{body}");
    }
    // A key's password means nothing without TLS, and is refused or passed over without being repeated.
    let said = text(&house.run(&["list", "--kafka-config", &key]));
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn a_slip_in_a_setting_is_told_without_its_value() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let refused = |settings: &[&str]| {
        let mut list = house.saga(&["list", "--json"]);
        list.args(settings.iter().flat_map(|setting| ["--kafka-config", setting]));
        let output = list.output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!said.contains(SECRET), "{said}");
        said
    };
    let said = refused(&["sasl.pasword=hunter2"]);
    assert!(said.contains("there is no such setting; did you mean `sasl.password`?"), "{said}");
    let said = refused(&["hunter2"]);
    assert!(said.contains("it has no `=`"), "{said}");
    let said = refused(&["=hunter2"]);
    assert!(said.contains("failed to read a setting of the Kafka client: it has a value and no name"), "{said}");
    let said = refused(&["acks=1"]);
    assert!(said.contains("it is fixed, since what is acknowledged must be on all replicas in sync"), "{said}");
    let file = house.folder.path().join("saga.toml");
    for (content, told) in [
        ("[kafka.config]\n\"sasl.password\" = \"hunter2\n", "line 2: "),
        ("[kafka.config]\n\"sasl.password\" = [\"hunter2\"]\n", "`sasl.password` of [kafka.config]"),
        ("[kafka.config]\nsasl.password = \"hunter2\"\n", "names with dots stand in quotes"),
        ("[kafka]\nsasl = \"hunter2\"\n", "unknown field `sasl`"),
    ] {
        fs::write(&file, content).unwrap();
        let said = refused(&[]);
        assert!(said.contains("saga.toml") && said.contains(told), "{told}: {said}");
    }
    // A number needs no quotes.
    fs::write(&file, "[kafka.config]\n\"linger.ms\" = 2\n\"socket.keepalive.enable\" = true\n").unwrap();
    assert!(house.run(&["list"]).status.success());
}
