"""Rooms in hotels, in Python: the same books as `hotels.rs` keeps, so that the audit reads either.

    python rooms.py 127.0.0.1:9092 rooms.db Lux=10
"""

import sqlite3
import sys
from typing import Any

from saga_participant import Command, Participant, Refused, Retry, SqliteStore, serve

brokers, file, *houses = sys.argv[1:]
store = SqliteStore(file)
store.connection.execute(
    """CREATE TABLE IF NOT EXISTS stock (
        house TEXT NOT NULL, thing TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'free' CHECK (state IN ('free', 'held', 'sold')),
        hold TEXT UNIQUE, booking TEXT,
        PRIMARY KEY (house, thing), CHECK ((state = 'free') = (hold IS NULL)))"""
)
store.connection.execute("CREATE TABLE IF NOT EXISTS houses (house TEXT PRIMARY KEY, things BIGINT NOT NULL)")
for house in houses:
    name, rooms = house.split("=")
    with store.transaction() as transaction:
        db = transaction.connection
        if db.execute("INSERT OR IGNORE INTO houses VALUES (?, ?)", (name, rooms)).rowcount == 1:
            numbers = [(name, str(number)) for number in range(1, int(rooms) + 1)]
            db.executemany("INSERT INTO stock (house, thing) VALUES (?, ?)", numbers)

hotels: Participant[sqlite3.Connection] = Participant("hotels", store)


@hotels.command("ReserveRoom")
def reserve(db: sqlite3.Connection, command: Command) -> dict[str, str]:
    held = db.execute(
        """UPDATE stock SET state = 'held', hold = ?, booking = ?
           WHERE rowid = (SELECT rowid FROM stock WHERE house = ? AND state = 'free' LIMIT 1)""",
        (command.id, command.instance, command.payload["hotel"]),
    )
    if held.rowcount == 0:
        raise Refused("sold_out")
    return {"hold": command.id}


@hotels.command("ConfirmRoom")
def confirm(db: sqlite3.Connection, command: Command) -> None:
    sold = db.execute("UPDATE stock SET state = 'sold' WHERE hold = ? AND state = 'held'", (command.payload["hold"],))
    if sold.rowcount == 0:
        raise Retry("no-such-hold")


@hotels.undo("CancelRoom")
def cancel(db: sqlite3.Connection, command: Command, reply: Any) -> None:
    # The saga may not know the hold: the reply may have been lost. The guard does.
    if reply is not None:
        db.execute("UPDATE stock SET state = 'free', hold = NULL, booking = NULL WHERE hold = ?", (reply["hold"],))


serve(hotels, brokers, "hotel.commands")
