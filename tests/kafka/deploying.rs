//! Definitions on Kafka: published once, known to every orchestrator, all versions that instances run by.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::broker::shared;
use super::house::{FILE, House, text};

const NEWER: &str = "newer.saga";

impl House<'_> {
    /// The same saga with another step, under a version number.
    fn write_newer(&self, version: u32) {
        let old = fs::read_to_string(self.folder.path().join(FILE)).unwrap();
        let newer = old.replace("version 1\n", &format!("version {version}\n"));
        let newer = newer.replace("receipt: charge.receipt }", "receipt: \"newer\" }");
        assert_ne!(old, newer);
        fs::write(self.folder.path().join(NEWER), newer).unwrap();
    }

    fn deploy(&self, file: &str) -> (Option<i32>, String) {
        let deployed = self.run(&["deploy", file]);
        (deployed.status.code(), text(&deployed))
    }
}

#[test]
fn a_server_without_a_file_runs_what_is_deployed_later() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let server = house.serve_with(&["--participants", "simulated"]);
    assert!(server.said.contains("serving what will be deployed"), "{}", server.said);
    let unknown = server.ask(&["start", "booking", "--id", "early"]);
    assert_eq!(unknown.status.code(), Some(6), "{}", text(&unknown));
    assert_eq!(house.deploy(FILE), (Some(0), "booking version 1: new\n".to_owned()));
    assert_eq!(house.deploy(FILE), (Some(0), "booking version 1: deployed before\n".to_owned()));
    server.start("order-1");
    server.until_completed(1);
}

#[test]
fn a_version_number_means_one_content() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    assert_eq!(house.deploy(FILE).0, Some(0));
    house.write_newer(1);
    let (code, said) = house.deploy(NEWER);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("write `version 2` for the new content"), "{said}");
    let ran = house.run(&["run", NEWER, "--participants", "simulated"]);
    assert_eq!(ran.status.code(), Some(6), "{}", text(&ran));
    house.write_newer(2);
    let (code, said) = house.deploy(NEWER);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "booking version 2: in place of version 1, by which goes on what runs\n")
    );
}

#[test]
fn what_runs_goes_on_by_its_own_version_whoever_owns_it() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    assert_eq!(house.deploy(FILE).0, Some(0));
    let mut first = house.serve_with(&["--participant", "tickets=simulated", "--participant", "hotels=simulated"]);
    first.start("old-1");
    house.write_newer(2);
    assert_eq!(house.deploy(NEWER).0, Some(0));
    first.start("new-1");
    // Nobody charges cards yet, so both are under way.
    for listed in [house.run(&["definitions"]), first.ask(&["definitions"])] {
        let listed = text(&listed);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = listed.lines().skip(1).map(words).collect();
        let [old, newer] = rows.as_slice() else { panic!("{listed}") };
        assert_eq!((&*old[1], &*old[3], old.len()), ("1", "1", 4), "{listed}");
        assert_eq!((&*newer[1], &*newer[3], &*newer[4]), ("2", "1", "since"), "{listed}");
    }
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let second = house.serve_with(&["--participants", "simulated"]);
    second.until_completed(2);
    for (id, version, receipt) in [("old-1", 1, "charge"), ("new-1", 2, "newer")] {
        let shown = text(&second.ask(&["show", id, "--json"]));
        assert!(shown.contains(&format!("\"version\": {version},")), "{shown}");
        assert!(shown.contains(&format!("\"receipt\":\"{receipt}\"")), "{shown}");
    }
}

#[test]
fn an_old_file_does_not_undo_what_was_deployed() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    house.write_newer(2);
    assert_eq!(house.deploy(FILE).0, Some(0));
    assert_eq!(house.deploy(NEWER).0, Some(0));
    let server = house.serve(&["--participants", "simulated"]);
    assert!(server.said.contains("not deployed: saga `booking` runs by version 2"), "{}", server.said);
    let ran = house.run(&["run", FILE, "--participants", "simulated"]);
    assert_eq!(ran.status.code(), Some(6), "{}", text(&ran));
    assert!(text(&ran).contains("saga `booking` runs by version 2, and booking.saga has version 1"), "{}", text(&ran));
    let (code, said) = house.deploy(FILE);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "booking version 1: in place of version 2, by which goes on what runs\n")
    );
    house.run_to_its_end("order-1");
}

#[test]
fn of_several_versions_in_one_command_the_last_one_given_is_current() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let deploy = |files: &[&str]| {
        let deployed = house.run(&[&["deploy"], files].concat());
        (deployed.status.code(), text(&deployed))
    };
    let followed = |version: u32, last: u32| {
        format!("booking version {version}: known, and nothing new runs by it: version {last} was given behind it\n")
    };
    house.write_newer(2);
    for _ in 0..2 {
        let (code, said) = deploy(&[NEWER, FILE]);
        assert!(code == Some(0) && said.starts_with(&followed(2, 1)), "{said}");
    }
    assert_eq!(house.deploy(FILE).1, "booking version 1: deployed before\n");
    let now = "booking version 2: in place of version 1, by which goes on what runs\n";
    assert_eq!(deploy(&[FILE, NEWER]), (Some(0), followed(1, 2) + now));
    let again = "booking version 2: deployed before\n";
    assert_eq!(deploy(&[FILE, NEWER]), (Some(0), followed(1, 2) + again), "nothing was current in between");
    // A number that was given first is taken, too.
    house.write_newer(1);
    let (code, said) = deploy(&[NEWER, FILE]);
    assert!(code == Some(6) && said.contains("version 1 was deployed before with another content"), "{said}");
}

/// One of them wins, and it alone is told so.
#[test]
fn of_two_contents_of_one_version_at_once_one_is_deployed() {
    let Some(broker) = shared() else { return };
    let house = House::unmade(broker);
    assert!(house.run(&["init", "--partitions", "1", FILE]).status.success());
    let text_of = fs::read_to_string(house.folder.path().join(FILE)).unwrap();
    for version in 2..6 {
        let begin = |name: &str, deadline: &str| {
            let text = text_of.replace("version 1", &format!("version {version}")).replace("deadline 15m", deadline);
            assert!(text.contains(deadline), "{text}");
            fs::write(house.folder.path().join(name), text).unwrap();
            house.saga(&["deploy", name]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = [begin("one.saga", "deadline 16m"), begin("other.saga", "deadline 17m")];
        let both = both.map(|deploy| deploy.wait_with_output().unwrap());
        let mut codes = both.each_ref().map(|output| output.status.code());
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(6)], "{}", both.each_ref().map(text).join("\n"));
        // Whichever it was: it is current, and the other one is refused for good.
        let again = ["one.saga", "other.saga"].map(|name| house.deploy(name).0);
        assert_eq!(again.iter().filter(|code| **code == Some(0)).count(), 1, "{again:?}");
    }
}

/// A participant that is simulated has no contract of its own: each saga is answered as it asks.
#[test]
fn who_is_simulated_answers_each_saga_by_its_newest_contract() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let looking = |saga: &str, version: u32, reply: &str| {
        let text = format!(
            "participant hotels {{ commands \"{}.hotel.commands\" command Look {{ }} returns {{ {reply}: string }} }}
             saga {saga} {{ version {version} deadline 1m step look {{ call hotels.Look {{ }} compensate nothing }} \
             output {{ found: look.{reply} }} }}",
            house.prefix
        );
        fs::write(house.folder.path().join(NEWER), text).unwrap();
        let (code, said) = house.deploy(NEWER);
        assert_eq!(code, Some(0), "{said}");
        let why = format!(
            "warning: what is deployed and {NEWER} give `Look` on {}.hotel.commands different replies: ",
            house.prefix
        );
        assert_eq!(said.contains(&why), (saga, version) != ("near", 1), "{said}");
    };
    let server = house.serve_with(&["--participants", "simulated"]);
    let is_current = |saga: &str, version: u32| {
        let listed = server.ask(&["definitions", "--json"]).stdout;
        let listed: Value = serde_json::from_slice(&listed).unwrap();
        let mut all = listed["definitions"].as_array().unwrap().iter();
        all.any(|one| one["saga"] == saga && one["version"] == version && !one["current"].is_null())
    };
    let deployed = [("near", 1, "room"), ("far", 1, "view"), ("near", 2, "floor"), ("far", 2, "garden")];
    for (count, (saga, version, reply)) in (1..).zip(deployed) {
        looking(saga, version, reply);
        while !is_current(saga, version) {}
        let id = format!("{saga}-{version}");
        let began = server.ask(&["start", saga, "--id", &id]);
        assert!(began.status.success(), "{}", text(&began));
        server.until_completed(count);
    }
}
