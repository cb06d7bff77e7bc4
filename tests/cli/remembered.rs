//! Where participants are reached stays as it was, until somebody says otherwise: nobody else answers what is under way.

#![cfg(unix)]

use super::running::{ORDER, desk, killed_at};
use super::serving::{Server, start};
use super::{Desk, in_form};

const REAL: &str = "payments=process:sh till.sh";

/// Where an instance waits for its payment at a real participant, and nobody runs.
fn left() -> Desk {
    let desk = desk();
    killed_at(&desk, &["run", "order.saga", "--id", "o-1", "--participant", REAL], "call payments.Charge");
    desk
}

/// A run without its steps, which the tests of runs have.
fn run(desk: &Desk, more: &[&str]) -> String {
    let run = in_form(&desk.saga(&[&["run", "order.saga"], more].concat()));
    run.lines().filter(|line| !line.starts_with('+')).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn what_is_under_way_goes_on_with_whom_it_began() {
    let desk = left();
    desk.file("open", "");
    insta::assert_snapshot!(run(&desk, &["--id", "o-2"]));
    insta::assert_snapshot!(run(&desk, &["--id", "o-1"]));
}

#[test]
fn nobody_else_answers_what_is_under_way() {
    let desk = left();
    insta::assert_snapshot!(run(&desk, &["--id", "o-2", "--participant", "payments=simulated"]));
    insta::assert_snapshot!(run(&desk, &["--id", "o-2", "--participants", "simulated"]));
    insta::assert_snapshot!(run(&desk, &["--id", "o-2", "--scenario", "all goes well"]));
    let list = desk.saga(&["list", "--all"]);
    assert!(list.contains("o-1") && !list.contains("o-2"), "{list}");
}

#[test]
fn settings_are_no_less_explicit() {
    let desk = left();
    desk.file("saga.toml", "[participants]\npayments = \"simulated\"\n");
    insta::assert_snapshot!(run(&desk, &["--id", "o-2"]));
    desk.file("saga.toml", "[participants]\npayments = \"process:sh till.sh\"\n");
    insta::assert_snapshot!(run(&desk, &["--id", "o-2", "--scenario", "all goes well"]));
}

#[test]
fn another_address_wins_and_is_remembered() {
    let desk = left();
    std::fs::rename(desk.path().join("till.sh"), desk.path().join("other.sh")).unwrap();
    desk.file("open", "");
    insta::assert_snapshot!(run(&desk, &["--id", "o-1", "--participant", "payments=process:sh other.sh"]));
    // Nothing is under way any more, so they may be played, and are from then on.
    insta::assert_snapshot!(run(&desk, &["--id", "o-2"]));
    insta::assert_snapshot!(run(&desk, &["--id", "o-3", "--participants", "simulated"]));
    insta::assert_snapshot!(run(&desk, &["--id", "o-4"]));
}

#[test]
fn one_name_with_two_topics_has_one_address() {
    let desk = left();
    desk.file("open", "");
    let other = ORDER.replace("saga order", "saga other").replace("for order", "for other");
    let topic = "participant payments {\n  commands \"tills.commands\"";
    desk.file("other.saga", other.replace("participant payments {", topic));
    let refused = desk.saga(&["run", "other.saga", "--participants", "simulated"]);
    assert!(refused.ends_with("[exit status: 2]\n"), "{refused}");
    let server = Server::at(desk, &["other.saga"]);
    insta::assert_snapshot!(server.said);
    server.ask("POST", "/instances", &start("o-2").replace("\"order\"", "\"other\""));
    for id in ["o-1", "o-2"] {
        assert_eq!(server.until(id, "completed")["output"]["receipt"], "r-1");
    }
}

#[test]
fn a_password_is_for_the_participant_alone() {
    let desk = desk();
    let secret = "payments=http://saga:secret@127.0.0.1:1/";
    killed_at(&desk, &["run", "order.saga", "--id", "o-1", "--participant", secret], "call payments.Charge");
    let refused = run(&desk, &["--participants", "simulated"]);
    assert!(refused.contains("http://saga:***@127.0.0.1:1/") && !refused.contains("secret"), "{refused}");
}

#[test]
fn a_slip_in_an_address_is_told_without_its_password() {
    let desk = desk();
    for argument in [
        "payments=ftp://saga:secret@shop",
        "payments=http://saga:secret@shop:99999/",
        "http://saga:secret@shop/",
        "http://saga:secret@shop/?a=http://shop",
    ] {
        let refused = run(&desk, &["--participant", argument]);
        let (_given, said) = refused.split_once("[stderr]").unwrap();
        assert!(said.contains("saga:***@shop") && !said.contains("secret"), "{said}");
    }
    desk.file("saga.toml", "[participants]\npayments = \"http://saga:secret@shop\n");
    let refused = run(&desk, &[]);
    assert!(refused.contains("saga.toml: line 2: ") && !refused.contains("secret"), "{refused}");
}

#[test]
fn a_slip_in_a_name_of_the_settings_is_pointed_out() {
    let desk = desk();
    // The file may serve other definitions, too.
    desk.file("saga.toml", "[participants]\npaymnets = \"simulated\"\nledger = \"simulated\"\n");
    let ran = run(&desk, &["--id", "o-1", "--participants", "simulated"]);
    let warnings: Vec<&str> = ran.lines().filter(|line| line.starts_with("warning")).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"warning: no participant is called `paymnets`, to which saga.toml gives an address: did you mean `payments`?");
    assert!(ran.contains("\"completed\""), "{ran}");
    desk.file("saga.toml", "[participants]\npaymnets = \"simulated\"\npayments = \"simulated\"\n");
    let ran = run(&desk, &["--id", "o-2"]);
    assert!(!ran.contains("warning"), "{ran}");
}

#[test]
fn workflows_that_share_a_participant_share_its_address() {
    let desk = left();
    desk.file("open", "");
    let other = ORDER.replace("stock", "shelf").replace("saga order", "saga other").replace("for order", "for other");
    desk.file("other.saga", other);
    let server = Server::at(desk, &["other.saga"]);
    insta::assert_snapshot!(server.said);
    server.ask("POST", "/instances", &start("o-2").replace("\"order\"", "\"other\""));
    for id in ["o-1", "o-2"] {
        assert_eq!(server.until(id, "completed")["output"]["receipt"], "r-1");
    }
}
