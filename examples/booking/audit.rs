//! Looks into the three stores once all sagas have ended: a booking has one seat, one room and one charge, or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rusqlite::{Connection, OpenFlags};

/// The stores of the three services
#[derive(Args)]
pub(crate) struct Stores {
    /// The store of tickets
    #[arg(long)]
    tickets: PathBuf,
    /// The store of hotels
    #[arg(long)]
    hotels: PathBuf,
    /// The store of payments
    #[arg(long)]
    payments: PathBuf,
}

/// What one booking has.
#[derive(Default)]
struct Had {
    seats: u32,
    rooms: u32,
    charges: u32,
}

/// Prints what there is and every fault; exit code 1 if there is a fault.
pub(crate) fn run(stores: &Stores) -> rusqlite::Result<ExitCode> {
    let (tickets, hotels, payments) = (open(&stores.tickets)?, open(&stores.hotels)?, open(&stores.payments)?);
    let mut faults = Vec::new();
    let mut bookings: BTreeMap<String, Had> = BTreeMap::new();
    count_stock(&tickets, "seat", &mut faults)?;
    count_stock(&hotels, "room", &mut faults)?;
    for booking in column(&tickets, "SELECT booking FROM stock WHERE state = 'sold'")? {
        bookings.entry(booking).or_default().seats += 1;
    }
    for booking in column(&hotels, "SELECT booking FROM stock WHERE state = 'sold'")? {
        bookings.entry(booking).or_default().rooms += 1;
    }
    for booking in column(&payments, "SELECT booking FROM charges")? {
        bookings.entry(booking).or_default().charges += 1;
    }
    for (booking, Had { seats, rooms, charges }) in &bookings {
        if (*seats, *rooms, *charges) != (1, 1, 1) {
            faults.push(format!("booking {booking} has {seats} seats, {rooms} rooms and {charges} charges"));
        }
    }
    let missing: i64 = payments.query_row(
        "SELECT (SELECT coalesce(sum(paid_in - cents), 0) FROM accounts) - (SELECT coalesce(sum(cents), 0) FROM charges)",
        (),
        |row| row.get(0),
    )?;
    if missing != 0 {
        faults.push(format!("{missing} cents left accounts without a charge"));
    }
    println!("{} bookings", bookings.len());
    for fault in &faults {
        println!("fault: {fault}");
    }
    println!(
        "{}",
        if faults.is_empty() { "nothing is lost, doubled or left held" } else { "the books do not balance" }
    );
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn count_stock(store: &Connection, what: &str, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    let missing: i64 = store.query_row(
        "SELECT (SELECT coalesce(sum(things), 0) FROM houses) - (SELECT count(*) FROM stock)",
        (),
        |row| row.get(0),
    )?;
    if missing != 0 {
        faults.push(format!("{missing} {what}s are missing"));
    }
    for hold in column(store, "SELECT hold FROM stock WHERE state = 'held'")? {
        faults.push(format!("a {what} is left held: {hold}"));
    }
    Ok(())
}

fn column(store: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    store.prepare(sql)?.query_map((), |row| row.get(0))?.collect()
}
