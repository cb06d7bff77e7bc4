//! `examples/booking/on-kafka`: one command starts a broker and three services in three languages, books, and audits.

use std::fs;
use std::process::{Command, Stdio};

use super::broker::jars;
use super::tools::folder;
use super::{java, python};
use crate::booking::booking;

#[test]
fn one_command_books_on_kafka_in_three_languages() {
    let (Some(jars), Some(python)) = (jars(), python::environment()) else { return };
    if !java::built() {
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let ran = Command::new(folder("examples/booking/on-kafka"))
            .arg(desk.path())
            .env("SAGA", env!("CARGO_BIN_EXE_saga"))
            .env("BOOKING", booking().get_program())
            .env("PAYMENTS", folder("target/java/payments/payments.jar"))
            .env("PYTHON", python)
            .env("KAFKA_JARS", jars)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        let logs = ["broker", "tickets", "rooms", "payments"];
        let said = |name: &&str| fs::read_to_string(desk.path().join(format!("{name}.log"))).unwrap_or_default();
        let logs: String = logs.iter().map(said).collect();
        assert!(ran.status.success(), "{out}{err}{logs}");
        assert!(out.contains("\"status\": \"completed\"") && out.contains("\"status\": \"compensated\""), "{out}");
        assert!(out.ends_with("1 bookings\nnothing is lost, doubled or left held\n"), "{out}");
        // By the services' own books: ana has a seat and a room and has paid, and ben has nothing.
        let number = |store: &str, sql: &str| {
            let books = rusqlite::Connection::open(desk.path().join(store)).unwrap();
            books.query_row::<i64, _, _>(sql, (), |row| row.get(0)).unwrap()
        };
        for (store, things) in [("tickets.db", 1_000), ("rooms.db", 1_000)] {
            assert_eq!(
                1,
                number(store, "SELECT count(*) FROM stock WHERE state = 'sold' AND booking LIKE 'order-%-ana'")
            );
            assert_eq!(things - 1, number(store, "SELECT count(*) FROM stock WHERE state = 'free'"));
        }
        assert_eq!(100_000_000 - 84_000, number("money.db", "SELECT cents FROM accounts WHERE name = 'ana'"));
        assert_eq!(10_000, number("money.db", "SELECT cents FROM accounts WHERE name = 'ben'"));
        // Nor is anything left for a next time: it is another broker then, with services that begin anew.
        let books = rusqlite::Connection::open(desk.path().join("money.db")).unwrap();
        books.execute("UPDATE accounts SET cents = 0, paid_in = 84000 WHERE name = 'ana'", ()).unwrap();
    }
}
