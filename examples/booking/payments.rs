//! Money in accounts. What is charged is booked from the account in the same transaction, in cents.

use rusqlite::{Connection, OptionalExtension, params};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use saga::participant::{Participant, Refusal, SqliteStore};
use serde::{Deserialize, Serialize};

use crate::Named;

#[derive(Deserialize)]
struct Charge {
    traveller: String,
    amount: String,
}

#[derive(Serialize)]
struct Charged {
    receipt: String,
}

pub(crate) fn prepare(connection: &Connection, accounts: &[Named<Decimal>]) -> Result<(), Box<dyn std::error::Error>> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS accounts (
            name TEXT PRIMARY KEY, paid_in BIGINT NOT NULL, cents BIGINT NOT NULL CHECK (cents >= 0));
        CREATE TABLE IF NOT EXISTS charges (
            receipt TEXT PRIMARY KEY, account TEXT NOT NULL, cents BIGINT NOT NULL, booking TEXT NOT NULL);",
    )?;
    for Named { name, value } in accounts {
        let cents = cents(*value).ok_or_else(|| format!("{value} is not a whole number of cents"))?;
        connection.execute("INSERT OR IGNORE INTO accounts VALUES (?1, ?2, ?2)", params![name, cents])?;
    }
    Ok(())
}

pub(crate) fn participant(store: SqliteStore) -> Participant<SqliteStore> {
    Participant::new("payments", store).command("Charge", |tx, call| {
        let Charge { traveller, amount } = call.request()?;
        let cents = amount.parse().ok().and_then(cents).filter(|cents| *cents >= 0);
        let cents = cents.ok_or_else(|| Refusal::failed("declined"))?;
        let balance: Option<i64> =
            tx.query_row("SELECT cents FROM accounts WHERE name = ?1", [&traveller], |row| row.get(0)).optional()?;
        if balance.is_none_or(|balance| balance < cents) {
            return Err(Refusal::failed("declined"));
        }
        let (receipt, booking) = (call.key().to_string(), call.command.id.instance.as_str());
        tx.execute("UPDATE accounts SET cents = cents - ?2 WHERE name = ?1", params![traveller, cents])?;
        tx.execute("INSERT INTO charges VALUES (?1, ?2, ?3, ?4)", params![receipt, traveller, cents, booking])?;
        Ok(Charged { receipt })
    })
}

fn cents(amount: Decimal) -> Option<i64> {
    let cents = amount.checked_mul(Decimal::ONE_HUNDRED)?;
    cents.is_integer().then(|| cents.to_i64())?
}
