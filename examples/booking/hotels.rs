//! Rooms in hotels.

use rusqlite::Connection;
use saga::participant::{Participant, Refusal, SqliteStore};
use serde::{Deserialize, Serialize};

use crate::{Named, stock};

#[derive(Deserialize)]
struct ReserveRoom {
    hotel: String,
}

#[derive(Serialize, Deserialize)]
struct Room {
    hold: String,
}

pub(crate) fn prepare(connection: &Connection, hotels: &[Named<u32>]) -> rusqlite::Result<()> {
    stock::prepare(connection, hotels)
}

pub(crate) fn participant(store: SqliteStore) -> Participant<SqliteStore> {
    Participant::new("hotels", store)
        .command("ReserveRoom", |tx, call| {
            let ReserveRoom { hotel } = call.request()?;
            let (hold, booking) = (call.key().to_string(), call.command.id.instance.as_str());
            stock::hold(tx, &hotel, &hold, booking)?.ok_or_else(|| Refusal::failed("sold_out"))?;
            Ok(Room { hold })
        })
        .command("ConfirmRoom", |tx, call| {
            let Room { hold } = call.request()?;
            stock::sell(tx, &hold)?;
            Ok(serde_json::json!({}))
        })
        .undo("CancelRoom", |tx, _, done| match done.and_then(|reply| serde_json::from_str(reply.get()).ok()) {
            Some(Room { hold }) => stock::give_back(tx, &hold),
            None => Ok(()),
        })
}
