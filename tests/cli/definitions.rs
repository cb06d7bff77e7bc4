//! `saga definitions`: what is deployed, in a data directory and of a server.

use super::operating::night;
use super::running::ORDER;
use super::serving::Server;
use super::{Desk, in_form};

/// One instance is stuck by version 1, and version 2 is current.
fn changed() -> Desk {
    let desk = night();
    desk.file("order.saga", ORDER.replace("version 1", "version 2").replace("timeout 10s", "timeout 9s"));
    desk.saga(&["run", "order.saga", "--scenario", "all goes well", "--id", "o-4"]);
    desk
}

#[test]
fn each_version_with_what_runs_by_it() {
    let desk = changed();
    insta::assert_snapshot!(in_form(&desk.saga(&["definitions"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["definitions", "--json"])));
    assert!(Desk::new().saga(&["definitions"]).ends_with("[exit status: 7]\n"));
}

#[test]
fn a_server_says_the_same() {
    let desk = changed();
    let beside = desk.saga(&["definitions", "--json"]);
    let server = Server::at(desk, &[]);
    let asked = server.saga(&["definitions", "--json"]);
    let below = |shown: &str| shown.split_once('\n').unwrap().1.to_owned();
    assert_eq!(below(&asked), below(&beside));
    let (status, answer) = server.ask("GET", "/definitions", "");
    let current = &answer["definitions"][1];
    assert_eq!((status, &current["version"], &current["live"]), (200, &2.into(), &0.into()), "{answer}");
}
