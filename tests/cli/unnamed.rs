//! `saga serve` without a file: the definitions are in the log.

#![cfg(unix)]

use super::running::ORDER;
use super::serving::{Server, start};
use super::{Desk, in_form};

/// Where an instance waits for its payment, and nobody runs; the file is gone.
fn left() -> Desk {
    let server = Server::with(&["--participant", "payments=process:sleep 600"]);
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
    let server = Server::at(left(), &["--participants", "simulated"]);
    // Its attempt of the payment was under way when the server stopped: asked again, it is answered now.
    server.until("o-1", "completed");
    let (status, _) = server.ask("POST", "/instances", &start("o-2"));
    assert_eq!(status, 202);
    server.until("o-2", "completed");
}

#[test]
fn nobody_plays_real_participants_unasked() {
    let desk = left();
    insta::assert_snapshot!(in_form(&desk.saga(&["serve", "--listen", "127.0.0.1:0"])));
    let one = ["serve", "--listen", "127.0.0.1:0", "--participant", "payments=simulated"];
    insta::assert_snapshot!(in_form(&desk.saga(&one)));
    let typo = ["serve", "--listen", "127.0.0.1:0", "--participant", "payment=simulated"];
    insta::assert_snapshot!(in_form(&desk.saga(&typo)));
    // Another file beside them changes nothing for them, and says so.
    desk.file(
        "other.saga",
        ORDER.replace("payments", "cards").replace("saga order", "saga other").replace("for order", "for other"),
    );
    let server = Server::at(desk, &["other.saga", "--participant", "stock=simulated"]);
    let (_, shown) = server.ask("GET", "/instances/o-1", "");
    assert_eq!(shown["instance"]["status"], "running");
}

#[test]
fn nothing_to_serve() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.saga(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(!desk.path().join(".saga").exists(), "nothing was made");
}
