//! What the command line says of Kafka: it is heeded, or refused, and never for nothing.

use super::Desk;

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
