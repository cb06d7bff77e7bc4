//! What the command line says of Kafka: it is heeded, or refused, and never for nothing.

use super::Desk;
use super::running::ORDER;

const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn what_is_said_of_kafka_beside_a_server_is_refused() {
    let desk = Desk::new();
    for said in [["--prefix", "t3"], ["--kafka-config", "security.protocol=ssl"]] {
        let beside = desk.saga(&["cancel", "o-1", "--server", NOBODY, said[0], said[1]]);
        assert!(beside.contains("cannot be used with") && beside.ends_with("[exit status: 2]\n"), "{beside}");
        let run = desk.command(&["cancel", "o-1", said[0], said[1]]).env("SAGA_SERVER", NOBODY).output().unwrap();
        let refused = String::from_utf8_lossy(&run.stderr);
        assert!(refused.contains("SAGA_SERVER names a server\nhint: name the brokers, too: --kafka"), "{refused}");
        assert_eq!(run.status.code(), Some(2));
        let beside = desk.saga(&["serve", "--data", "trips", said[0], said[1]]);
        assert!(beside.contains("cannot be used with") && beside.ends_with("[exit status: 2]\n"), "{beside}");
    }
    // What stands in saga.toml is for all commands, also for those that are given another place.
    desk.file("saga.toml", "[kafka]\nbrokers = \"127.0.0.1:1\"\nprefix = \"t3\"");
    let meant = desk.saga(&["list", "--server", NOBODY]);
    assert!(meant.ends_with("[exit status: 7]\n"), "{meant}");
}

#[test]
fn a_probe_goes_by_the_settings() {
    let desk = Desk::with("order.saga", ORDER);
    let probe = |more: &[&str]| desk.saga(&[&["probe", "order.saga", "--participant", "stok"], more].concat());
    let unnamed = probe(&[]);
    assert!(unnamed.contains("no broker is named") && unnamed.ends_with("[exit status: 2]\n"), "{unnamed}");
    desk.file("saga.toml", "[kafka]\nbrokers = \"127.0.0.1:1\"");
    let named = probe(&[]);
    assert!(named.contains("did you mean `stock`?"), "{named}");
    // Before anything is tried: it takes minutes.
    let unwritten = probe(&["--junit", "nowhere/probe.xml"]);
    assert!(unwritten.contains("failed to write nowhere/probe.xml"), "{unwritten}");
    // Nothing has come of it, so nothing is there to be read.
    desk.file("probe.xml", "an earlier one");
    let named = probe(&["--junit", "probe.xml"]);
    assert!(named.contains("did you mean `stock`?") && !desk.path().join("probe.xml").exists(), "{named}");
    desk.file("saga.toml", "[kafka]\nbrokers = \"127.0.0.1:1\"\nprefix = \"not one\"");
    let refused = probe(&[]);
    assert!(refused.contains("`not one` cannot begin the name of a topic"), "{refused}");
}
