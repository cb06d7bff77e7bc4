//! Seats on flights.

use rusqlite::Connection;
use saga::participant::{Participant, Refusal, SqliteStore};
use serde::{Deserialize, Serialize};

use crate::{Named, stock};

#[derive(Deserialize)]
struct ReserveTicket {
    flight: String,
}

#[derive(Serialize, Deserialize)]
struct Ticket {
    hold: String,
    seat: String,
}

#[derive(Deserialize)]
struct ConfirmTicket {
    hold: String,
}

pub(crate) fn prepare(connection: &Connection, flights: &[Named<u32>]) -> rusqlite::Result<()> {
    stock::prepare(connection, flights)
}

pub(crate) fn participant(store: SqliteStore) -> Participant<SqliteStore> {
    Participant::new("tickets", store)
        .command("ReserveTicket", |tx, call| {
            let ReserveTicket { flight } = call.request()?;
            let (hold, booking) = (call.key().to_string(), call.command.id.instance.as_str());
            let seat = stock::hold(tx, &flight, &hold, booking)?.ok_or_else(|| Refusal::failed("full"))?;
            Ok(Ticket { hold, seat })
        })
        .command("ConfirmTicket", |tx, call| {
            let ConfirmTicket { hold } = call.request()?;
            stock::sell(tx, &hold)?;
            Ok(serde_json::json!({}))
        })
        // The saga may not know the hold: the reply may have been lost. The guard does.
        .undo("CancelTicket", |tx, _, done| match done.and_then(|reply| serde_json::from_str(reply.get()).ok()) {
            Some(Ticket { hold, .. }) => stock::give_back(tx, &hold),
            None => Ok(()),
        })
}
