//! `saga serve` without a file: the definitions are in the log.

#![cfg(unix)]

use super::serving::{Server, start};
use super::{Desk, in_form};

/// Where an instance waits for its payment, and nobody runs; the file is gone.
fn left() -> Desk {
    let server = Server::with(&["--participant", "payments=process:sh till.sh"]);
    server.ask("POST", "/instances", &start("o-1"));
    while !server.saga(&["show", "o-1"]).contains("charge (pivot)  called") {
        std::thread::yield_now();
    }
    let desk = server.stop();
    std::fs::remove_file(desk.path().join("order.saga")).unwrap();
    desk
}

#[test]
fn what_is_live_goes_on_and_new_ones_begin() {
    let desk = left();
    desk.file("open", "");
    let server = Server::at(desk, &[]);
    insta::assert_snapshot!(server.said);
    // Its attempt of the payment was under way when the server stopped: asked again, it is answered now.
    server.until("o-1", "completed");
    let (status, _) = server.ask("POST", "/instances", &start("o-2"));
    assert_eq!(status, 202);
    assert_eq!(server.until("o-2", "completed")["output"]["receipt"], "r-1");
}

#[test]
fn nobody_plays_real_participants_even_if_asked() {
    let desk = left();
    let serve = |more: &[&str]| in_form(&desk.saga(&[&["serve", "--listen", "127.0.0.1:0"], more].concat()));
    insta::assert_snapshot!(serve(&["--participants", "simulated"]));
    insta::assert_snapshot!(serve(&["--participant", "payment=simulated"]));
}

#[test]
fn nothing_to_serve() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.saga(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(!desk.path().join(".saga").exists(), "nothing was made");
}
