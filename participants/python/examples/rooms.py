"""Rooms in hotels: a participant of workflows/booking.saga on Kafka.

    python rooms.py 127.0.0.1:9092 hotel.commands rooms.db
    python rooms.py 127.0.0.1:9092 hotel.commands postgresql://localhost/rooms
"""

import sys
from typing import Any

from saga_participant import Command, Participant, PostgresStore, Refused, SqliteStore, serve

ROOMS = 100

brokers, topic, database = sys.argv[1:4]
is_postgres = database.startswith("postgresql://")
store: Any = PostgresStore(database) if is_postgres else SqliteStore(database)
store.connection.execute("CREATE TABLE IF NOT EXISTS rooms (hold TEXT PRIMARY KEY, hotel TEXT NOT NULL, state TEXT NOT NULL)")
hotels: Participant[Any] = Participant("hotels", store)


def sql(text: str) -> str:
    return text.replace("?", "%s") if is_postgres else text


@hotels.command("ReserveRoom")
def reserve(db: Any, command: Command) -> dict[str, str]:
    match command.payload:
        case {"hotel": str(hotel), "nights": int(nights)}:
            pass
        case _:
            raise Refused("unfit-request", "a hotel and a number of nights")
    (taken,) = db.execute(sql("SELECT count(*) FROM rooms WHERE hotel = ?"), (hotel,)).fetchone()
    if hotel == "Full" or taken >= ROOMS:
        raise Refused("sold_out", f"no room at the {hotel} for {nights} nights")
    db.execute(sql("INSERT INTO rooms VALUES (?, ?, 'held')"), (command.id, hotel))
    return {"hold": command.id}


@hotels.command("ConfirmRoom")
def confirm(db: Any, command: Command) -> None:
    db.execute(sql("UPDATE rooms SET state = 'sold' WHERE hold = ?"), (command.payload["hold"],))


@hotels.undo("CancelRoom")
def cancel(db: Any, command: Command, reply: Any) -> None:
    hold = (reply or command.payload)["hold"]
    db.execute(sql("DELETE FROM rooms WHERE hold = ?"), (hold,))


serve(hotels, brokers, topic, group=f"{topic}.readers")
