//! The participants' own books, held against how instances ended.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Faults;
use super::runs::{End, Runs};

/// What the three stores say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// Of each booking: seats and rooms that are held, seats that are sold, rooms that are sold, charges.
    pub(crate) had: BTreeMap<String, Had>,
    /// What does not add up in a store by itself.
    pub(crate) missing: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Had {
    pub(crate) held: usize,
    pub(crate) seats: usize,
    pub(crate) rooms: usize,
    pub(crate) charges: usize,
}

impl Books {
    /// Reads the stores of a folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let open = |name: &str| {
            Connection::open_with_flags(folder.join(name), OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a store opens")
        };
        let (tickets, hotels, payments) = (open("tickets.db"), open("hotels.db"), open("payments.db"));
        let mut books = Self::default();
        for (name, store) in [("tickets", &tickets), ("hotels", &hotels)] {
            for (booking, state) in pairs(store, "SELECT booking, state FROM stock WHERE state != 'free'") {
                let had = books.had.entry(booking).or_default();
                match (state.as_str(), name) {
                    ("held", _) => had.held += 1,
                    (_, "tickets") => had.seats += 1,
                    _ => had.rooms += 1,
                }
            }
            let sql = "SELECT (SELECT coalesce(sum(things), 0) FROM houses) - (SELECT count(*) FROM stock)";
            books.balance(store, sql, &format!("things of {name}"));
        }
        for (booking, _) in pairs(&payments, "SELECT booking, receipt FROM charges") {
            books.had.entry(booking).or_default().charges += 1;
        }
        let sql = "SELECT (SELECT coalesce(sum(paid_in - cents), 0) FROM accounts) - (SELECT coalesce(sum(cents), 0) \
                   FROM charges)";
        books.balance(&payments, sql, "cents");
        for (name, store) in [("tickets", &tickets), ("hotels", &hotels), ("payments", &payments)] {
            books.balance(store, "SELECT count(*) FROM saga_guard WHERE state = 'doing'", &format!("works of {name}"));
        }
        books
    }

    fn balance(&mut self, store: &Connection, sql: &str, what: &str) {
        let difference: i64 = store.query_row(sql, (), |row| row.get(0)).expect("a store can be asked");
        if difference != 0 {
            self.missing.push(format!("{difference} {what}"));
        }
    }

    pub(super) fn audit(&self, runs: &Runs, faults: &mut Faults) {
        for what in &self.missing {
            faults.add("books that do not add up", what.as_str());
        }
        for booking in self.had.keys().filter(|booking| !runs.is_known(booking)) {
            faults.add("a booking of nobody", booking.as_str());
        }
        for instance in runs.instances() {
            let had = self.had.get(instance).copied().unwrap_or_default();
            let should = match runs.end(instance) {
                Some(End::Completed) => Had { held: 0, seats: 1, rooms: 1, charges: 1 },
                Some(End::Compensated) => Had::default(),
                None => continue,
            };
            if had != should {
                faults.add("books that say otherwise", format!("{instance}: {had:?} for {should:?}"));
            }
        }
    }
}

fn pairs(store: &Connection, sql: &str) -> Vec<(String, String)> {
    let mut statement = store.prepare(sql).expect("a store can be asked");
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).expect("it answers");
    rows.collect::<Result<_, _>>().expect("it holds text")
}
