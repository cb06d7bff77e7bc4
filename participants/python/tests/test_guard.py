"""The guard's table, cell by cell, on each database: what is answered, and what is in the books."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from saga_participant import Command, Participant, PostgresStore, Refused, Retry, SqliteStore, Unreadable
from saga_participant.message import DATA_MAX, Message, Reply, read_command

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

    told = {name: text for name, text in GOOD.items() if name != "deadline"} | {"kind": "message"}

    class Record:
        def value(self) -> bytes:
            return Message(told, {}).write()

        def key(self) -> bytes:
            return b"order-7"

        def topic(self) -> str:
            return "mail.commands"

        def partition(self) -> int:
            return 0

        offset = partition

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
    other = read_command(Message(told | {"command": "order-8/1/room/1"}))
    assert not topic._take(rooms.participant, other, stop), "it ends before it is taken, and must come again"
    assert rooms.held == 1


def test_a_compensation_of_its_own(rooms: Rooms) -> None:
    assert rooms.ask("do", id="order-7/1/room~/1", call="CancelRoom") == ("succeeded", None, {})


def a_charge() -> Command:
    attributes = {
        "type": "saga.command.v1", "command": "o/1/charge/1", "call": "Charge", "kind": "do",
        "attempt": "1", "deadline": str(NEVER), "keepuntil": str(NEVER), "instance": "o",
    }
    return read_command(Message(attributes, {"sum": "840.00"}), b"o")


def resumed(participant: Participant[Any]) -> list[tuple[str, str, Any]]:
    """What was told, and all of it acknowledged."""
    told = []

    def tell(command: Command, reply: Reply) -> bool:
        told.append((command.id, reply.status, reply.payload))
        return True

    participant.resume(tell)
    return told


def begin(rooms: Rooms) -> tuple[str, str]:
    """Two rows that are `doing`; the first will be done, the second refused."""
    ids = ("o/1/charge/1", "o/2/charge/1")

    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        if command.id == ids[1]:
            raise Refused("no-funds")
        return {}

    for id in ids:
        command = replace(a_charge(), id=id, attributes=a_charge().attributes | {"command": id})
        with rooms.store.transaction() as transaction:
            transaction.claim(id, NEVER)
            transaction.settle(id, "doing", command.to_text(), NEVER)
    return ids


def test_work_outside_is_taken_up_again(rooms: Rooms) -> None:
    charged: list[str] = []
    is_away = True

    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        assert (command.payload, command.key) == ({"sum": "840.00"}, b"o"), "from the row too"
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
    assert resumed(rooms.participant) == []
    is_away = False
    assert resumed(rooms.participant) == [(command.id, "succeeded", {"receipt": "r-1"})]
    assert rooms.participant.handle(command).payload == {"receipt": "r-1"}
    assert resumed(rooms.participant) == []


def test_a_row_is_done_once_its_reply_is_told(rooms: Rooms) -> None:
    begun = begin(rooms)
    told: list[tuple[str, str]] = []

    def tell(command: Command, reply: Reply) -> bool:
        # What is committed by now, and that the row is not locked meanwhile.
        with rooms.store.transaction() as transaction:
            assert transaction.find(command.id)[0] == "doing"
        told.append((command.id, reply.status))
        if told == [(begun[0], "succeeded")]:
            raise OSError("one that goes wrong stops no other")
        return len(told) > 2

    for rows in (["doing", "doing"], ["done", "failed"]):
        rooms.participant.resume(tell)
        assert sorted(rooms.rows) == rows
    assert told == [(begun[0], "succeeded"), (begun[1], "failed")] * 2
    rooms.participant.resume(tell)
    assert len(told) == 4


@pytest.mark.parametrize("when", ["asked", "told"])
def test_at_the_end_no_further_row_is_begun(rooms: Rooms, when: str) -> None:
    begun = begin(rooms)
    stop = threading.Event()
    asked: list[str] = []

    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        asked.append(command.id)
        if when == "asked":
            stop.set()

    def tell(command: Command, reply: Reply) -> bool:
        assert when == "told"
        stop.set()
        return True

    rooms.participant.resume(tell, stop)
    assert asked == [begun[0]]
    assert sorted(rooms.rows) == (["doing", "doing"] if when == "asked" else ["doing", "done"])


def test_what_was_ended_before_it_was_told_is_told_as_it_stands(rooms: Rooms) -> None:
    (_, refused) = begin(rooms)
    other: Participant[Any] = Participant("rooms", rooms.store)
    other.outside("Charge")(lambda _: {"receipt": "r-1"})
    work = rooms.participant._outside["Charge"]

    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        other.resume(lambda command, _: command.id == refused)
        return work(command)

    assert resumed(rooms.participant)[1] == (refused, "succeeded", {"receipt": "r-1"})
    assert rooms.rows == ["done", "done"]


@pytest.mark.parametrize("is_undone", [False, True])
def test_what_another_process_ended_meanwhile_stands(rooms: Rooms, is_undone: bool) -> None:
    @rooms.participant.outside("Charge")
    def charge(command: Command) -> Any:
        # While the network thinks, another process takes the charge up, ends it, and perhaps takes it back.
        other: Participant[Any] = Participant("rooms", rooms.store)
        other.outside("Charge")(lambda _: {"receipt": "r-1"})
        other.undo("Refund")(lambda db, command, reply: None)
        assert len(resumed(other)) == 1
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
    "type": "saga.command.v1", "command": "order-7/1/room/1", "call": "ReserveRoom", "kind": "do",
    "attempt": "2", "deadline": "1700000010000", "keepuntil": "1700003610000",
}


def read(value: bytes | str | None) -> Command:
    return read_command(Message.read(value.encode() if isinstance(value, str) else value))


def written(**more: str) -> str:
    """A command, with these members written so."""
    members = {name: json.dumps(value) for name, value in GOOD.items()} | more
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


@pytest.mark.parametrize("attribute", GOOD)
@pytest.mark.parametrize("value", ["null", '""', '"soon"', '"\\ud800"', "true", "-1", "1.0", "2e3", "[]", "{}"])
def test_an_attribute_that_is_missing_or_wrong(attribute: str, value: str) -> None:
    if value in ('"soon"', "-1") and attribute in ("command", "call"):
        return  # as good a word as any
    with pytest.raises(Unreadable):
        read(written(**{attribute: value}))


@pytest.mark.parametrize("name", ["traceparent", "step", "status"])
def test_an_attribute_that_is_not_needed_is_text_too(name: str) -> None:
    read(written(**{name: '"x"'}))
    with pytest.raises(Unreadable):
        read(written(**{name: "{}"}))


def test_members_come_in_any_order_with_strangers_and_numbers() -> None:
    members = [(name, json.dumps(value)) for name, value in GOOD.items() if name not in ("attempt", "deadline")]
    members += [("data", '{ "a" : [1.0] }'), ("tomorrow", "[1,{}]"), ("attempt", "2"), ("deadline", "1700000010000")]
    members += [("traceparent", "null"), ("tomorrow", "2")]
    command = read("\n{ " + " ,\r\n".join(f'"{name}"\t: {value}' for name, value in reversed(members)) + " }\n")
    assert (command.attempt, command.deadline, command.payload) == (2, 1700000010000, {"a": [1.0]})
    assert command.attributes == GOOD, "what is null is absent"
    assert read(written()).payload == read(written(data=" null ")).payload == {}


@pytest.mark.parametrize("name", ["type", "command", "data", "traceparent", "c\\u006fmmand"])
@pytest.mark.parametrize("value", ["null", '"x"'])
def test_what_stands_twice_is_unreadable(name: str, value: str) -> None:
    text = written(data="{}", traceparent="null")
    with pytest.raises(Unreadable, match="twice"):
        read(f'{text[:-1]},"{name}":{value}}}')


@pytest.mark.parametrize("data", ["{", "<html>", "NaN", "[" * 200_000, '"\\x"', "1 2", "'a'", "", "1,"])
def test_data_that_is_no_json(data: str) -> None:
    with pytest.raises(Unreadable):
        read(written(data=data))


def test_a_name_is_text() -> None:
    for name in ("7", "[]", "null"):
        with pytest.raises(Unreadable):
            read(f"{written()[:-1]},{name}:1}}")


@pytest.mark.parametrize("value", [None, b"", b"\xff\x00", b"{}", b"[]", b"7", b"[" * 200_000, b"{1:2}", b'{"a" 1}', b'{"a":1,}'])
def test_a_value_that_is_no_message(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read(value)
    with pytest.raises(Unreadable):
        read(written()[:-1].encode() + (value or b""))
    with pytest.raises(Unreadable):
        read(written().encode() + (value or b"") + b"}")


def test_data_has_a_limit_and_so_has_what_is_around_it() -> None:
    read(written(data='{"a":1' + " " * (DATA_MAX - 7) + "}"))
    for data in ['{"a":1' + " " * (DATA_MAX - 6) + "}", '"' + "é" * (DATA_MAX // 2) + '"']:
        with pytest.raises(Unreadable, match="data has over"):
            read(written(data=data))
    with pytest.raises(Unreadable):
        read(written(tomorrow='"' + "x" * (DATA_MAX + (64 << 10)) + '"'))


def test_a_reply_names_its_command() -> None:
    more = {"traceparent": "00-a-b-01", "instance": "Gödel/7", "saga": "booking", "step": "room"}
    command = read_command(Message(GOOD | more | {"command": "Gödel/7/1/room/1"}))
    told = Message.read(Reply("failed", "sold_out", {"message": "no room"}).message(command, "rooms").write())
    assert told == Message(
        {
            "specversion": "1.0", "type": "saga.reply.v1", "id": "Gödel/7/1/room/1/do/2/failed",
            "source": "/participants/rooms", "traceparent": "00-a-b-01", "command": "Gödel/7/1/room/1", "kind": "do",
            "attempt": "2", "status": "failed", "code": "sold_out",
        },
        {"message": "no room"},
    )
    assert "data" not in json.loads(Reply("pending").message(command, "rooms").write())


def test_the_row_keeps_the_reply_and_a_repeat_names_its_own_attempt(rooms: Rooms) -> None:
    def answered(attempt: int) -> dict[str, Any]:
        command = read_command(Message(GOOD | {"attempt": str(attempt), "deadline": str(NEVER)}))
        return dict(json.loads(rooms.participant.handle(command).message(command, "rooms").write()))

    first, again = answered(1), answered(2)
    (kept,) = rooms.store.connection.execute("SELECT reply FROM saga_guard").fetchone()
    assert json.loads(kept) == first["data"]
    assert again == first | {"attempt": "2", "id": "order-7/1/room/1/do/2/succeeded"}


# As every library writes it, so that one table serves a participant that is rewritten in another language.
KEPT: list[tuple[str, str, tuple[str, str | None, Any]]] = [
    ("done", '{"hold":"h-1"}', ("succeeded", None, {"hold": "h-1"})),
    ("failed", '{"code":"sold_out"}', ("failed", "sold_out", None)),
    ("failed", '{"code":"sold_out","message":"no room"}', ("failed", "sold_out", {"message": "no room"})),
    ("undone", "{}", ("failed", "already-undone", None)),
]


@pytest.mark.parametrize(("state", "kept", "answer"), KEPT)
def test_a_row_of_another_library_is_answered(
    rooms: Rooms, state: str, kept: str, answer: tuple[str, str | None, Any]
) -> None:
    command = read_command(Message(GOOD | {"deadline": str(NEVER)}))
    sql = "INSERT INTO saga_guard (command, state, reply, keep_until) VALUES ('%s', '%s', '%s', 9)"
    rooms.store.connection.execute(sql % (command.id, state, kept))
    reply = rooms.participant.handle(command)
    assert (reply.status, reply.code, reply.payload) == answer


def test_a_refusal_is_kept_with_its_code_and_words(rooms: Rooms) -> None:
    @rooms.participant.command("Full")
    def full(db: Any, command: Command) -> Any:
        raise Refused("sold_out", "no room")

    assert rooms.ask("do", call="Full") == ("failed", "sold_out", {"message": "no room"})
    (kept,) = rooms.store.connection.execute("SELECT reply FROM saga_guard").fetchone()
    assert json.loads(kept) == {"code": "sold_out", "message": "no room"}


@pytest.mark.parametrize("reply", [{1, 2}, float("nan"), "x" * DATA_MAX])
def test_a_reply_that_cannot_be_sent_leaves_nothing(rooms: Rooms, reply: Any) -> None:
    @rooms.participant.command("Odd")
    def odd(db: Any, command: Command) -> Any:
        db.execute("INSERT INTO rooms VALUES ('held')")
        return reply

    assert rooms.ask("do", call="Odd") == ("retry", "unwritable-reply", None)
    assert (rooms.held, rooms.rows) == (0, [])


def test_a_row_that_does_not_hold_its_command_stops_no_other(rooms: Rooms) -> None:
    rooms.participant.outside("Charge")(lambda command: {"receipt": "r-1"})
    sql = "INSERT INTO saga_guard (command, state, reply, keep_until) VALUES ('%s', 'doing', %s, 9)"
    command = a_charge()
    for id, kept in [("a", "NULL"), ("b", "'{}'"), (command.id, f"'{command.to_text()}'")]:
        rooms.store.connection.execute(sql % (id, kept))
    assert [id for id, _, _ in resumed(rooms.participant)] == [command.id]
