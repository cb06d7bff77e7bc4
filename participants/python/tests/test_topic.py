"""The topic, and late replies on their way: librdkafka's own broker takes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from saga_participant import Command, Participant, SqliteStore, serve, topic
from saga_participant.message import Reply

NEVER = "9999999999999"


@pytest.fixture
def broker() -> Iterator[str]:
    owner = Producer({"bootstrap.servers": "none:1", "test.mock.num.brokers": 1})
    (found,) = owner.list_topics(timeout=10).brokers.values()
    yield f"{found.host}:{found.port}"


@pytest.fixture
def cards(tmp_path: Any) -> Participant[Any]:
    cards: Participant[Any] = Participant("cards", SqliteStore(str(tmp_path / "cards.db")))
    cards.outside("Charge")(lambda _: {"receipt": "r-1"})
    return cards


def begin(cards: Participant[Any], order: int, **more: Any) -> Command:
    """A row that a crash left behind."""
    id = f"order-{order}/1/charge/1"
    told = {
        "type": "saga.command.v1", "command": id, "call": "Charge", "kind": "do", "attempt": "1", "deadline": NEVER,
        "keepuntil": NEVER, "replyto": "saga.replies", "replypartition": "1",
    }
    with cards.store.transaction() as transaction:
        transaction.claim(id, 9)
        transaction.settle(id, "doing", json.dumps(told | more), 9)
    return Command.from_text(json.dumps(told | more))


def rows(cards: Participant[Any]) -> list[str]:
    return [state for (state,) in cards.store.connection.execute("SELECT state FROM saga_guard ORDER BY command")]


def replies_by(broker: str) -> topic._Replies:
    return topic._Replies(Producer({"bootstrap.servers": broker, "enable.idempotence": True}, logger=topic.client_log))


def told(broker: str, count: int) -> list[str]:
    reader = Consumer({"bootstrap.servers": broker, "group.id": "test"})
    reader.assign([TopicPartition("saga.replies", 1, 0)])
    records = reader.consume(count, timeout=10)
    reader.close()
    return [json.loads(record.value())["command"] for record in records]


def test_a_reply_that_is_not_acknowledged_is_told_again(
    cards: Participant[Any], broker: str, monkeypatch: Any
) -> None:
    begin(cards, 1)
    monkeypatch.setattr(topic, "TELL_WITHIN", 0.2)
    replies = replies_by("127.0.0.1:1")
    topic._resume(cards, replies, threading.Event())
    assert rows(cards) == ["doing"]
    assert replies.producer.flush(1) == 0, "what is told again is not on its way still"
    monkeypatch.undo()
    topic._resume(cards, replies_by(broker), threading.Event())
    assert rows(cards) == ["done"]
    assert told(broker, 1) == ["order-1/1/charge/1"]


REFUSED: list[dict[str, str | None]] = [
    {"replypartition": "99"}, {"replypartition": str(2**40)}, {"replyto": "a\0b"}, {"replyto": "x" * 600}, {"replyto": None},
]


@pytest.mark.parametrize("place", REFUSED)
def test_a_reply_that_is_refused_for_good_stops_no_other(cards: Participant[Any], broker: str, place: dict[str, Any]) -> None:
    begin(cards, 1, **place)
    begin(cards, 2)
    topic._resume(cards, replies_by(broker), threading.Event())
    assert rows(cards) == ["done", "done"]
    assert told(broker, 1) == ["order-2/1/charge/1"]


@pytest.mark.parametrize("place", REFUSED)
def test_a_command_whose_reply_cannot_be_sent_ends_no_process(
    cards: Participant[Any], broker: str, place: dict[str, Any], caplog: Any
) -> None:
    replies = replies_by(broker)
    replies.send(begin(cards, 1, **place), Reply("pending"), "cards", "card.commands/0/17")
    replies.wait()
    (said,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said.startswith("card.commands/0/17: ") and "order-1/1/charge/1" in said


def test_serve_ends_behind_the_row_that_is_under_way(cards: Participant[Any], broker: str) -> None:
    stop = threading.Event()

    @cards.outside("Charge")
    def charge(command: Command) -> Any:
        if command.instance == "2":
            stop.set()
        return {}

    for order in (1, 2, 3):
        begin(cards, order, instance=str(order))
    serve(cards, broker, "card.commands", stop=stop)
    assert rows(cards) == ["done", "doing", "doing"]
    assert told(broker, 1) == ["order-1/1/charge/1"]


def test_a_topic_that_was_made_again_is_read_from_its_start(monkeypatch: Any) -> None:
    monkeypatch.setattr(topic, "LOOK_EVERY", 0.0)
    asked: list[Future[Any]] = []
    sought: list[tuple[int, int]] = []

    class Admin:
        def describe_topics(self, _: Any) -> dict[str, Future[Any]]:
            asked.append(Future())
            return {"card.commands": asked[-1]}

    class Reader:
        is_ready = False

        def assignment(self) -> list[TopicPartition]:
            return [TopicPartition("card.commands", partition, 7) for partition in (0, 2)]

        def seek(self, place: TopicPartition) -> None:
            if not self.is_ready:
                raise KafkaException("it has no partitions yet")
            sought.append((place.partition, place.offset))

    admin: Any = Admin()
    reader: Any = Reader()
    look = topic._Look(admin, "card.commands")

    def sees(id: str | None) -> None:
        look.at(reader)
        look.at(reader)
        if id is None:
            asked[-1].set_exception(KafkaException("the topic is gone"))
        else:
            asked[-1].set_result(SimpleNamespace(topic_id=id))
        look.at(reader)

    for id in ("a", "a", None):
        sees(id)
    assert (len(asked), sought) == (3, [])
    with pytest.raises(KafkaException):
        sees("b")
    reader.is_ready = True
    for id in ("b", "b"):
        sees(id)
    assert sought == [(0, OFFSET_BEGINNING), (2, OFFSET_BEGINNING)]
