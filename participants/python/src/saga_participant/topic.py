"""A participant on a topic: one of the processes that share it."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka import Message as Record
from confluent_kafka.admin import AdminClient

from .message import CONTENT_TYPE, Command, Message, Reply, Unreadable, read_command
from .participant import Participant
from .seldom import client_log

log = logging.getLogger("saga")

RESUME_EVERY = 10.0
PURGE_EVERY = 600.0
POLL = 0.5
LOOK_EVERY = 30.0
"""Seconds between looks whether the topic is still the same."""
TAKE_AGAIN = 2.0
"""Seconds until a message that met a passing fault is tried again."""
BATCH = 500
"""Commands that are done before their replies are waited for, if so many are there."""
TELL_WITHIN = 5.0
"""Seconds that a late reply is waited for to be in the log, while nothing else is read; then it is told at the next look."""
FOR_GOOD = frozenset((
    KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION,
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD, KafkaError._INVALID_ARG,
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED,
))
"""Errors of a reply that another try would meet again."""
UNFIT = (OverflowError, ValueError)
"""What the client raises of a partition, or a topic's name, that is none."""


def serve(
    participant: Participant[Any],
    brokers: str,
    topic: str,
    *,
    group: str | None = None,
    settings: dict[str, Any] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Reads `topic` as a member of the consumer group `group` (the participant's name), until `stop` is set, or SIGTERM or
    Ctrl-C comes. `settings` are those of librdkafka, such as `security.protocol`.
    """
    stop = stop or _stop_at_signals()
    common = {"bootstrap.servers": brokers, **(settings or {})}
    consumer = Consumer({
        **_session(common),
        **common,
        "group.id": group or participant.name,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "enable.auto.offset.store": False,
        # Stored are offsets whose replies are in the log; they are committed by and by, and at the end.
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
        "fetch.queue.backoff.ms": 1,
    }, logger=client_log)
    # A topic that is not there is known not to be within seconds, while commands wait behind its reply.
    sending = {"topic.metadata.propagation.max.ms": 2000, **common, "enable.idempotence": True, "acks": "all", "message.max.bytes": 2 << 20}
    producer = Producer(sending, logger=client_log)
    replies = _Replies(producer)
    look = _Look(AdminClient(common, logger=client_log), topic)
    consumer.subscribe([topic])
    resume_at = purge_at = time.monotonic()
    try:
        while not stop.is_set():
            done = []
            for record in _next(consumer):
                if not _answer(participant, record, replies, stop):
                    # It ends, and what was not taken comes again.
                    break
                done.append(record)
            # Not before: a reply that is lost would be the end of its step.
            replies.wait()
            _store(consumer, done)
            if time.monotonic() >= resume_at:
                resume_at = time.monotonic() + RESUME_EVERY
                _upkeep("taking up interrupted work", lambda: _resume(participant, replies, stop))
            if time.monotonic() >= purge_at:
                purge_at = time.monotonic() + PURGE_EVERY
                _upkeep("removing old rows", participant.purge)
            _upkeep("looking at the topic", lambda: look.at(consumer))
    finally:
        consumer.close()


def _session(settings: dict[str, Any]) -> dict[str, Any]:
    """How long a process that was killed keeps its partitions, unless the settings say it: 10 s. By default it is 45 s, longer
    than all attempts of a command may take together. A group by KIP-848 has it from the broker.
    """
    return {} if settings.get("group.protocol") == "consumer" else {"session.timeout.ms": 10_000}


def _resume(participant: Participant[Any], replies: _Replies, stop: threading.Event) -> None:
    participant.resume(lambda command, reply: replies.tell(command, reply, participant.name), stop)


def _next(consumer: Consumer) -> list[Record]:
    first = consumer.poll(POLL)
    if first is None:
        return []
    # What is there already, and no more: a single command does not wait for others.
    more = consumer.consume(BATCH - 1, timeout=0)
    batch = []
    for record in [first, *more]:
        if record.error() is None:
            batch.append(record)
        else:
            log.warning("commands cannot be read for now: %s", record.error())
    return batch


def _answer(
    participant: Participant[Any], record: Record, replies: _Replies, stop: threading.Event
) -> bool:
    """Whether it is dealt with."""
    place = f"{record.topic()}/{record.partition()}/{record.offset()}"
    try:
        command = read_command(Message.read(record.value()), record.key())
    except Unreadable as why:
        log.warning("%s is passed over: %s", place, why)
        return True
    except Exception:
        log.exception("%s is passed over", place)
        return True
    if command.kind == "message":
        return _take(participant, command, stop)
    replies.send(command, participant.handle(command), participant.name, place)
    return True


def _take(participant: Participant[Any], command: Command, stop: threading.Event) -> bool:
    """Takes a message, which nobody repeats: while it meets a passing fault it is tried again, and what is behind it in
    the topic waits. False if the end came first.
    """
    while True:
        reply = participant.handle(command)
        if reply.status == "failed":
            log.warning("the message %s was refused, which its saga never hears: %s", command.id, reply.code)
        if reply.code == "unknown-call":
            log.error("nobody here takes the message %s, a %s: it is passed over", command.id, command.call)
        elif reply.status == "retry":
            log.warning("the message %s cannot be taken for now, and what is behind it waits", command.id)
            if stop.wait(TAKE_AGAIN):
                return False
            continue
        return True


def _store(consumer: Consumer, batch: list[Record]) -> None:
    after: dict[tuple[str, int], int] = {}
    for record in batch:
        place: Any = (record.topic(), record.partition())
        after[place] = (record.offset() or 0) + 1
    for (topic, partition), offset in after.items():
        try:
            consumer.store_offsets(offsets=[TopicPartition(topic, partition, offset)])
        except KafkaException as error:
            # It has gone to another process, which does them again.
            log.debug("an offset of %s/%s counts no more: %s", topic, partition, error)


class _Look:
    """Looks whether the topic was deleted and made again. The client goes on at the place that it had in the old one, which
    the broker refuses only until the new one has as many records: those before it would never be read.
    """

    def __init__(self, admin: AdminClient, topic: str) -> None:
        self.admin, self.topic = admin, topic
        self.id: str | None = None
        self.asked: Any = None
        self.ask_at = time.monotonic()

    def at(self, consumer: Consumer) -> None:
        """Asks now and then, and waits for nobody."""
        if self.asked is None and time.monotonic() >= self.ask_at:
            self.ask_at = time.monotonic() + LOOK_EVERY
            self.asked = self.admin.describe_topics(TopicCollection([self.topic]))[self.topic]
        if self.asked is None or not self.asked.done():
            return
        asked, self.asked = self.asked, None
        if asked.exception() is not None:
            # The topic is gone for now, the broker away, or this user may not ask.
            return
        id = str(asked.result().topic_id)
        if self.id not in (None, id):
            log.warning("%s was deleted and made again, and is read from its start", self.topic)
            for place in consumer.assignment():
                consumer.seek(TopicPartition(place.topic, place.partition, OFFSET_BEGINNING))
        self.id = id


class _Replies:
    """Replies on their way."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.failed: list[tuple[Command, Reply, str, str]] = []

    def send(self, command: Command, reply: Reply, participant: str, place: str) -> None:
        """Sends the reply to a command that came from this place."""
        if command.kind == "message":
            return
        if command.reply_to is None:
            log.error("%s: %s names no topic for its reply, which nobody hears", place, command.id)
            return

        def refused(error: Any) -> None:
            log.error(
                "%s: the reply to %s cannot be written to %s/%s, and its step hears nothing until it asks again: %s",
                place, command.id, command.reply_to, command.reply_partition, error,
            )

        def delivered(error: Any, _: Any) -> None:
            if error is None:
                return
            if error.code() in FOR_GOOD:
                refused(error)
                return
            log.warning("%s: the reply to %s is not in the log, and is sent again: %s", place, command.id, error)
            self.failed.append((command, reply, participant, place))

        while True:
            try:
                self._produce(command.reply_to, command, reply, participant, delivered)
                return
            except BufferError:
                self.producer.poll(POLL)
            except (KafkaException, *UNFIT) as error:
                refused(error)
                return

    def tell(self, command: Command, reply: Reply, participant: str) -> bool:
        """Sends a late reply, while no other is on its way, and waits until it is acknowledged. Whether its row may end: it is
        told, or refused for good.
        """
        if command.kind == "message":
            return True
        if command.reply_to is None:
            log.error("%s names no topic for its reply, which nobody hears", command.id)
            return True
        told: list[Any] = []
        try:
            self._produce(command.reply_to, command, reply, participant, lambda error, _: told.append(error))
        except KafkaException as error:
            told.append(error.args[0])
        except UNFIT as error:
            log.error("the late reply to %s cannot be sent: %s", command.id, error)
            return True
        end = time.monotonic() + TELL_WITHIN
        while not told and time.monotonic() < end:
            self.producer.poll(0.05)
        if not told:
            log.warning("the late reply to %s is not in the log in time, and is told again", command.id)
            # It is told anew: what is left of it would pile up, and hold up `wait`.
            self.producer.purge()
            return False
        (failure,) = told
        if failure is None:
            return True
        if failure.code() in FOR_GOOD:
            log.error("the late reply to %s is refused for good: %s", command.id, failure)
            return True
        log.warning("the late reply to %s is not in the log, and is told again: %s", command.id, failure)
        return False

    def _produce(
        self, to: str, command: Command, reply: Reply, participant: str, delivered: Callable[[Any, Any], None]
    ) -> None:
        where: dict[str, Any] = {"headers": [("content-type", CONTENT_TYPE.encode())]}
        if command.reply_partition is not None:
            where["partition"] = command.reply_partition
        self.producer.produce(
            to,
            key=command.key,
            value=reply.message(command, participant).write(),
            on_delivery=delivered,
            **where,
        )

    def wait(self) -> None:
        """Until all are acknowledged, or refused for good."""
        while len(self.producer) > 0 or self.failed:
            self.producer.poll(0.05)
            again, self.failed = self.failed, []
            for command, reply, participant, place in again:
                self.send(command, reply, participant, place)


def _upkeep(what: str, work: Any) -> None:
    try:
        work()
    except Exception:
        log.exception("%s failed and is tried again", what)


def _stop_at_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
