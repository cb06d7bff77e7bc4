//! Copies of a data directory: how one is made while the directory is in use, and what a restored one does.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::Desk;
use super::running::desk;
use super::serving::{Server, start};

/// Writes down what it is asked, and answers once there is a file `open`.
const SHOP: &str = r#"
while read -r line; do
  field() { printf '%s' "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  printf '%s\n' "$(field command)" >> asked
  [ -e open ] || continue
  printf '{"command":"%s","kind":"%s","attempt":"%s","status":"succeeded","data":{"hold":"h-1","receipt":"r-1"}}\n' \
    "$(field command)" "$(field kind)" "$(field attempt)"
done
"#;

/// A server over a data directory of its desk, which asks the shop.
fn serving(desk: Desk, data: &str) -> Server {
    desk.file("shop.sh", SHOP);
    let shops = ["--participant", "stock=process:sh shop.sh", "--participant", "payments=process:sh shop.sh"];
    Server::at(desk, &[&["order.saga", "--data", data], &shops[..]].concat())
}

/// The instance, once its shop has been asked.
fn begun(server: &Server, id: &str) {
    server.ask("POST", "/instances", &start(id));
    while asked(&server.desk, id).is_empty() {
        std::thread::yield_now();
    }
}

/// The commands by which something was asked for an instance.
fn asked(desk: &Desk, id: &str) -> Vec<String> {
    let all = fs::read_to_string(desk.path().join("asked")).unwrap_or_default();
    all.lines().filter(|command| command.starts_with(&format!("{id}/"))).map(str::to_owned).collect()
}

/// A directory for a copy.
fn place(desk: &Desk) -> PathBuf {
    let copy = desk.path().join("copy");
    fs::create_dir(&copy).unwrap();
    copy.join("saga.db")
}

/// Copies its data, begins another instance behind that, and stops.
fn copied_in_between(server: Server) -> Desk {
    let file = Connection::open(server.desk.path().join("first/saga.db")).unwrap();
    file.execute("VACUUM INTO ?1", [place(&server.desk).to_str().unwrap()]).unwrap();
    begun(&server, "o-2");
    server.stop()
}

/// So many commands reserved something for an instance.
fn reserved(desk: &Desk, id: &str) -> usize {
    asked(desk, id).into_iter().filter(|command| command.contains("/reserve/")).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_copy_that_is_made_while_a_server_works_goes_on_from_its_instant() {
    let server = serving(desk(), "first");
    begun(&server, "o-1");
    let desk = copied_in_between(server);
    let listed = desk.saga(&["list", "--data", "copy"]);
    assert!(listed.contains("o-1") && !listed.contains("o-2"), "{listed}");
    desk.file("open", "");
    let server = serving(desk, "copy");
    server.until("o-1", "completed");
    assert_eq!(server.ask("GET", "/instances/o-2", "").0, 404);
    // It is asked again for what was under way, by the same command; what is started again is another run.
    let of_one = asked(&server.desk, "o-1");
    assert!(of_one.iter().filter(|command| **command == of_one[0]).count() > 1, "{of_one:?}");
    assert_eq!(reserved(&server.desk, "o-1"), 1);
    begun(&server, "o-2");
    server.until("o-2", "completed");
    assert_eq!(reserved(&server.desk, "o-2"), 2);
}

#[test]
fn a_journal_that_is_older_than_its_requests_has_them_done_again() {
    let server = serving(desk(), "first");
    begun(&server, "o-1");
    let desk = copied_in_between(server);
    let file = Connection::open(desk.path().join("first/saga.db")).unwrap();
    file.execute("ATTACH ?1 AS old", [desk.path().join("copy/saga.db").to_str().unwrap()]).unwrap();
    file.execute_batch(
        "DELETE FROM main.batch WHERE lane IN (SELECT id FROM main.lane WHERE topic = 'saga.journal') AND first > \
         coalesce((SELECT max(first) FROM old.batch AS kept WHERE kept.lane = main.batch.lane), -1);
         DELETE FROM main.instance; DELETE FROM main.viewed;",
    )
    .unwrap();
    drop(file);
    desk.file("open", "");
    let server = serving(desk, "first");
    server.until("o-1", "completed");
    server.until("o-2", "completed");
    assert_eq!((reserved(&server.desk, "o-1"), reserved(&server.desk, "o-2")), (1, 2));
}

#[test]
fn a_copy_of_the_file_alone_lacks_what_is_newer() {
    let server = serving(desk(), "first");
    begun(&server, "o-1");
    fs::copy(server.desk.path().join("first/saga.db"), place(&server.desk)).unwrap();
    let listed = server.desk.saga(&["list", "--data", "copy"]);
    assert!(!listed.contains("o-1"), "{listed}");
    // Once nobody writes it, all of it is in the directory.
    let desk = server.stop();
    fs::copy(desk.path().join("first/saga.db"), desk.path().join("copy/saga.db")).unwrap();
    let listed = desk.saga(&["list", "--data", "copy"]);
    assert!(listed.contains("o-1"), "{listed}");
}
