"""The guard's table, cell by cell, on each database: what is answered, and what is in the books."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from saga_participant import Command, Participant, PostgresStore, Refused, Retry, SqliteStore, Unreadable
from saga_participant.message import read_command

NEVER = 9_999_999_999_999


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: Any, tmp_path: Any) -> Any:
    if request.param == "sqlite":
        store: Any = SqliteStore(str(tmp_path / "rooms.db"))
    else:
        if "SAGA_POSTGRES" not in os.environ:
            pytest.skip("SAGA_POSTGRES names no database, such as postgresql://localhost/test")
        store = PostgresStore(os.environ["SAGA_POSTGRES"])
        store.connection.execute("DROP TABLE IF EXISTS rooms")
        store.connection.execute("DELETE FROM saga_guard")
    store.connection.execute("CREATE TABLE rooms (hold TEXT)")
    return store


class Rooms:
    def __init__(self, store: Any) -> None:
        self.store, self.fault = store, None
        self.participant: Participant[Any] = Participant("rooms", store)
        self.participant.command("ReserveRoom")(self.reserve)
        self.participant.undo("CancelRoom")(self.cancel)

    def reserve(self, db: Any, command: Command) -> Any:
        # The work first: what is refused must leave nothing of it.
        db.execute("INSERT INTO rooms VALUES ('held')")
        if self.fault:
            raise self.fault
        return {"hold": f"h-{time.monotonic_ns()}"}

    def cancel(self, db: Any, command: Command, reply: Any) -> None:
        if self.fault:
            raise self.fault
        assert reply is None or reply["hold"].startswith("h-")
        db.execute("DELETE FROM rooms")

    def ask(self, kind: str, id: str = "order-7/1/room/1", deadline: int = NEVER, call: str | None = None) -> Any:
        call = call or ("CancelRoom" if kind == "undo" else "ReserveRoom")
        reply = self.participant.handle(Command(id, call, kind, 1, deadline, NEVER, {}, {}))
        return reply.status, reply.code, reply.payload

    @property
    def held(self) -> int:
        return int(self.store.connection.execute("SELECT count(*) FROM rooms").fetchone()[0])

    @property
    def rows(self) -> list[Any]:
        return [row[0] for row in self.store.connection.execute("SELECT state FROM saga_guard").fetchall()]


@pytest.fixture
def rooms(store: Any) -> Rooms:
    return Rooms(store)


def test_without_a_row(rooms: Rooms) -> None:
    assert rooms.ask("query") == ("unknown-command", None, None)
    assert rooms.ask("do", deadline=1) == ("retry", "expired", None)
    assert rooms.rows == []
    assert rooms.ask("undo") == ("succeeded", None, {})
    assert rooms.rows == ["undone"]
    assert rooms.ask("do") == ("failed", "already-undone", None)
    assert rooms.held == 0


def test_done(rooms: Rooms) -> None:
    first = rooms.ask("do")
    assert first[0] == "succeeded"
    for kind, deadline in [("do", NEVER), ("do", 1), ("query", NEVER), ("query", 1)]:
        assert rooms.ask(kind, deadline=deadline) == first
    assert (rooms.held, rooms.rows) == (1, ["done"])
    assert rooms.ask("undo", deadline=1) == ("succeeded", None, {})
    assert (rooms.held, rooms.rows) == (0, ["undone"])
    for kind in ("do", "query"):
        assert rooms.ask(kind) == ("failed", "already-undone", None)
    assert rooms.ask("undo") == ("succeeded", None, {})


def test_failed(rooms: Rooms) -> None:
    rooms.fault = Refused("sold_out", "no room")
    refused = ("failed", "sold_out", {"message": "no room"})
    assert rooms.ask("do") == refused
    assert (rooms.held, rooms.rows) == (0, ["failed"])
    rooms.fault = None
    assert rooms.ask("do") == refused
    assert rooms.ask("query") == refused
    assert rooms.ask("undo") == ("succeeded", None, {})
    assert rooms.ask("do") == ("failed", "already-undone", None)
    assert rooms.held == 0


@pytest.mark.parametrize("fault", [Retry("locked"), RuntimeError("a defect")])
def test_a_passing_fault_leaves_nothing(rooms: Rooms, fault: Exception) -> None:
    rooms.fault = fault
    assert rooms.ask("do")[0] == "retry"
    assert (rooms.held, rooms.rows) == (0, [])
    rooms.fault = None
    assert rooms.ask("do")[0] == "succeeded"
    assert rooms.held == 1


@pytest.mark.parametrize("fault", [Refused("too-late"), Retry("locked")])
def test_an_undo_that_is_not_done_changes_nothing(rooms: Rooms, fault: Exception) -> None:
    rooms.ask("do")
    rooms.fault = fault
    assert rooms.ask("undo")[0] in ("failed", "retry")
    assert (rooms.held, rooms.rows) == (1, ["done"])
    rooms.fault = None
    assert rooms.ask("undo") == ("succeeded", None, {})
    assert rooms.held == 0


def test_a_call_that_nobody_does(rooms: Rooms) -> None:
    assert rooms.ask("do", call="Dance") == ("retry", "unknown-call", None)
    assert rooms.rows == []


def test_a_message_is_done_once_and_is_never_late(rooms: Rooms) -> None:
    for _ in range(2):
        assert rooms.ask("message", deadline=0)[0] == "succeeded"
    assert (rooms.held, rooms.rows) == (1, ["done"])


def test_a_message_waits_a_passing_fault_out(rooms: Rooms) -> None:
    from saga_participant import topic

    class Replies:
        def send(self, *_: Any) -> None:
            raise AssertionError("nobody waits for an answer")

    class Record:
        def headers(self) -> Any:
            told = {**GOOD, "saga-kind": "message"}
            del told["saga-deadline"]
            return [(name, text.encode()) for name, text in told.items()]

        def value(self) -> bytes:
            return b"{}"

        def key(self) -> bytes:
            return b"order-7"

    class Stop(threading.Event):
        """What is waited for has passed by then."""

        def wait(self, timeout: float | None = None) -> bool:
            rooms.fault = None
            return self.is_set()

    record: Any = Record()
    replies: Any = Replies()
    stop = Stop()
    rooms.fault = Retry("busy")
    assert topic._answer(rooms.participant, record, replies, stop)
    assert rooms.held == 1
    rooms.fault = Retry("busy")
    stop.set()
    told = read_command({**GOOD, "saga-kind": "message", "saga-command": "order-8/1/room/1"}.items(), b"{}")
    assert not topic._take(rooms.participant, told, stop), "it ends before it is taken, and must come again"
    assert rooms.held == 1


def test_a_compensation_of_its_own(rooms: Rooms) -> None:
    assert rooms.ask("do", id="order-7/1/room~/1", call="CancelRoom") == ("succeeded", None, {})


def a_charge() -> Command:
    headers = {
        "ce_type": "saga.command.v1", "saga-command": "o/1/charge/1", "saga-call": "Charge", "saga-kind": "do",
        "saga-attempt": "1", "saga-deadline": str(NEVER), "saga-keep-until": str(NEVER), "saga-instance": "o",
    }
    return read_command(headers.items(), b"{}")


def test_work_outside_is_taken_up_again(rooms: Rooms) -> None:
    charged: list[str] = []
    is_away = True

    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        charged.append(command.id)
        if is_away:
            raise ConnectionError("the card network does not answer")
        return {"receipt": "r-1"}

    command = a_charge()
    assert rooms.participant.handle(command).status == "pending"
    assert rooms.rows == ["doing"]
    assert rooms.participant.handle(command).status == "pending"
    assert rooms.ask("undo", id=command.id) == ("retry", "still-doing", None)
    assert len(charged) == 1, "a repeat asks nobody"
    assert rooms.participant.resume() == []
    is_away = False
    ((resumed, reply),) = rooms.participant.resume()
    assert (resumed.id, reply.status, reply.payload) == (command.id, "succeeded", {"receipt": "r-1"})
    assert rooms.participant.handle(command).payload == {"receipt": "r-1"}
    assert rooms.participant.resume() == []


@pytest.mark.parametrize("is_undone", [False, True])
def test_what_another_process_ended_meanwhile_stands(rooms: Rooms, is_undone: bool) -> None:
    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        # While the network thinks, another process takes the charge up, ends it, and perhaps takes it back.
        other: Participant[Any] = Participant("rooms", rooms.store)
        other.outside("Charge")(lambda _: {"receipt": "r-1"})
        other.undo("Refund")(lambda db, command, reply: None)
        assert len(other.resume()) == 1
        if is_undone:
            assert other.handle(Command(command.id, "Refund", "undo", 1, NEVER, NEVER, {}, {})).status == "succeeded"
        return {"receipt": "r-2"}

    stands = ("failed", "already-undone", None) if is_undone else ("succeeded", None, {"receipt": "r-1"})
    for _ in range(2):
        reply = rooms.participant.handle(a_charge())
        assert (reply.status, reply.code, reply.payload) == stands


def test_rows_go_when_nobody_can_ask(rooms: Rooms) -> None:
    over = time.time_ns() // 1_000_000 - 1000
    for id, kind in [("a", "do"), ("b", "undo"), ("c", "do")]:
        rooms.fault = Refused("sold_out") if id == "c" else None
        rooms.participant.handle(Command(id, "ReserveRoom", kind, 1, NEVER, over, {}, {}))
    assert rooms.participant.purge() == 1
    assert rooms.rows == ["done", "failed"], "the one an undo may still need, the other a late repeat"


GOOD = {
    "ce_type": "saga.command.v1", "saga-command": "order-7/1/room/1", "saga-call": "ReserveRoom", "saga-kind": "do",
    "saga-attempt": "2", "saga-deadline": "1700000010000", "saga-keep-until": "1700003610000",
}


@pytest.mark.parametrize("header", GOOD)
@pytest.mark.parametrize("value", [None, b"", b"\xff", b"soon"])
def test_a_header_that_is_missing_or_wrong(header: str, value: bytes | None) -> None:
    if value == b"soon" and header in ("saga-command", "saga-call"):
        return  # as good a word as any
    headers: list[Any] = [(name, text.encode()) for name, text in GOOD.items() if name != header]
    if value is not None:
        headers.append((header, value))
    with pytest.raises(Unreadable):
        read_command(headers, b"{}")


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"<html>", b"NaN", b"[" * 200_000, b" " * (1 << 20) + b"{}"])
def test_a_payload_that_is_no_json(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        read_command(GOOD.items(), payload)


def test_a_reply_copies_what_names_the_command() -> None:
    from saga_participant.message import Reply

    headers = dict(GOOD, **{"traceparent": "00-a-b-01", "saga-instance": "Gödel/7", "x-unknown": "1"})
    command = read_command(reversed(headers.items()), None)
    told = dict(Reply("failed", "sold_out").headers(command, "rooms"))
    assert told["saga-command"] == b"order-7/1/room/1"
    assert (told["saga-kind"], told["saga-attempt"], told["saga-code"]) == (b"do", b"2", b"sold_out")
    assert (told["ce_type"], told["traceparent"]) == (b"saga.reply.v1", b"00-a-b-01")
    assert told["saga-instance"].decode() == "Gödel/7"
    assert "x-unknown" not in told
