//! Things that are held for a booking, then sold or given back: seats on flights, rooms in hotels.
//!
//! A thing is never made or destroyed after its house, so what an audit counts must be what there was.

use rusqlite::{Connection, OptionalExtension, params};
use saga::participant::Refusal;

use crate::Named;

/// Makes the table, and the things of houses that are new.
pub(crate) fn prepare(connection: &Connection, houses: &[Named<u32>]) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS stock (
            house TEXT NOT NULL, thing TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'free' CHECK (state IN ('free', 'held', 'sold')),
            hold TEXT UNIQUE, booking TEXT,
            PRIMARY KEY (house, thing), CHECK ((state = 'free') = (hold IS NULL)));
        CREATE TABLE IF NOT EXISTS houses (house TEXT PRIMARY KEY, things BIGINT NOT NULL);",
    )?;
    for Named { name, value } in houses {
        let transaction = connection.unchecked_transaction()?;
        let is_new = transaction.execute("INSERT OR IGNORE INTO houses VALUES (?1, ?2)", params![name, value])? == 1;
        if is_new {
            for number in 1..=*value {
                // Six abreast, as on an aeroplane: 1A … 1F, 2A …
                let letter = char::from_u32(u32::from('A') + (number - 1) % 6).unwrap_or('A');
                let thing = format!("{}{letter}", (number - 1) / 6 + 1);
                transaction.execute("INSERT INTO stock (house, thing) VALUES (?1, ?2)", params![name, thing])?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Holds a free thing of the house; none if there is none.
pub(crate) fn hold(connection: &Connection, house: &str, hold: &str, booking: &str) -> Result<Option<String>, Refusal> {
    let mut update = connection.prepare_cached(
        "UPDATE stock SET state = 'held', hold = ?2, booking = ?3
         WHERE rowid = (SELECT rowid FROM stock WHERE house = ?1 AND state = 'free' LIMIT 1) RETURNING thing",
    )?;
    Ok(update.query_row(params![house, hold, booking], |row| row.get(0)).optional()?)
}

/// Makes a hold a sale. The guard answers repeats, so a hold that is not there is none of this command's doing.
pub(crate) fn sell(connection: &Connection, hold: &str) -> Result<(), Refusal> {
    match connection.execute("UPDATE stock SET state = 'sold' WHERE hold = ?1 AND state = 'held'", [hold])? {
        1 => Ok(()),
        _ => Err(Refusal::retry("no-such-hold")),
    }
}

/// Gives back what is held.
pub(crate) fn give_back(connection: &Connection, hold: &str) -> Result<(), Refusal> {
    let sql = "UPDATE stock SET state = 'free', hold = NULL, booking = NULL WHERE hold = ?1 AND state = 'held'";
    match connection.execute(sql, [hold])? {
        1 => Ok(()),
        _ => Err(Refusal::retry("no-such-hold")),
    }
}
