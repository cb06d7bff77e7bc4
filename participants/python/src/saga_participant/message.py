"""Commands and replies as messages, each a CloudEvent in JSON. Reading takes any bytes; nothing here knows Kafka."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/cloudevents+json"

DATA_MAX = 1 << 20
"""The largest data, in bytes of its JSON."""

MESSAGE_MAX = DATA_MAX + (64 << 10)
"""The largest message, in bytes: the largest data with its attributes."""

ID_MAX = 500
"""The longest `command`, in bytes."""

KINDS = ("do", "undo", "query", "message")

NEVER = 2**63 - 1
"""A message has no deadline: it is never late."""

ATTRIBUTES = frozenset((
    "specversion", "type", "id", "source", "traceparent", "instance", "saga", "step", "command", "call", "kind", "attempt",
    "replyto", "replypartition", "deadline", "keepuntil", "record", "status", "code", "request", "callback",
))
"""All that mean something here. Others may come, and are passed over."""


class Unreadable(Exception):
    """A message is no command that can be read: it is passed over."""


@dataclass(frozen=True)
class Message:
    """A CloudEvent: its attributes as text, and its data, if it has any."""

    attributes: dict[str, str]
    data: Any = None

    @classmethod
    def read(cls, value: bytes | None) -> Message:
        """Reads one JSON object; raises `Unreadable`."""
        if value is None or len(value) > MESSAGE_MAX:
            raise Unreadable("it is empty" if value is None else f"it has {len(value)} bytes")
        told: dict[str, Any] = {}
        try:
            for name, held, written in _members(value.decode()):
                if name not in ATTRIBUTES and name != "data":
                    continue
                if name in told:
                    raise Unreadable(f"its `{name}` stands twice, and nobody knows which counts")
                if name == "data" and len(written.encode()) > DATA_MAX:
                    raise Unreadable(f"its data has over {DATA_MAX} bytes")
                told[name] = held if name == "data" else _as_text(name, held, written)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"it is no JSON object: {error}") from None
        data = told.pop("data", None)
        return cls({name: text for name, text in told.items() if text is not None}, data)

    def write(self) -> bytes:
        """As one line."""
        told: dict[str, Any] = dict(self.attributes)
        if self.data is not None:
            told["data"] = self.data
        return json.dumps(told).encode()


@dataclass(frozen=True)
class Command:
    """A command, as it was read."""

    id: str
    """The attribute `command`: one id for do, undo, query and all attempts. The key of the guard, and of work elsewhere."""
    call: str
    """Which command of the contract."""
    kind: str
    """`do`, `undo` or `query`; or `message`, which is done like a `do`, and for whose answer nobody waits."""
    attempt: int
    deadline: int
    """After it nobody waits: milliseconds since 1970."""
    keep_until: int
    """The guard keeps its row so long."""
    payload: Any
    """The request. Of an `undo` do not rely on it: the row has the reply that is taken back."""
    attributes: dict[str, str]
    """All that are known."""
    key: bytes | None = None

    @property
    def instance(self) -> str:
        """The saga's instance, such as an order's number."""
        return self.attributes.get("instance", "")

    @property
    def reply_to(self) -> str | None:
        return self.attributes.get("replyto")

    @property
    def reply_partition(self) -> int | None:
        text = self.attributes.get("replypartition", "")
        return int(text) if _is_number(text) else None

    def to_text(self) -> str:
        """For the row of a command whose work goes on outside the database."""
        return Message(self.attributes, self.payload).write().decode()

    @classmethod
    def from_text(cls, text: str) -> Command:
        message = Message.read(text.encode())
        return read_command(message, message.attributes.get("instance", "").encode())


@dataclass(frozen=True)
class Reply:
    """What a command is answered."""

    status: str
    code: str | None = None
    payload: Any = None

    def message(self, command: Command, participant: str) -> Message:
        told = {
            "specversion": "1.0",
            "type": "saga.reply.v1",
            "id": f"{command.id}/{command.kind}/{command.attempt}/{self.status}",
            "source": f"/participants/{participant}",
            "traceparent": command.attributes.get("traceparent"),
            "command": command.id,
            "kind": command.kind,
            "attempt": str(command.attempt),
            "status": self.status,
            "code": self.code,
        }
        return Message({name: text for name, text in told.items() if text is not None}, self.payload)

    def to_text(self) -> str:
        """For the row that keeps it, in the form of all libraries: the data, and of a refusal its code and message."""
        if self.status == "failed":
            return json.dumps({"code": self.code, **(self.payload or {})})
        return json.dumps({} if self.payload is None else self.payload)

    @classmethod
    def from_text(cls, state: str, text: str) -> Reply:
        """Of the row that keeps it."""
        kept = json.loads(text)
        if state == "failed":
            code = kept.pop("code")
            return cls("failed", code, kept or None)
        return cls("succeeded", payload=kept)


def read_command(message: Message, key: bytes | None = None) -> Command:
    """Reads a command; raises `Unreadable`."""
    told = message.attributes
    if told.get("type") != "saga.command.v1":
        raise Unreadable(f"its `type` is {told.get('type')!r} and not 'saga.command.v1'")

    def word(name: str, longest: int) -> str:
        value = told.get(name, "")
        if not value or len(value.encode()) > longest:
            raise Unreadable(f"its attribute `{name}` is missing, or over {longest} bytes")
        return value

    def number(name: str) -> int:
        value = told.get(name, "")
        if not _is_number(value):
            raise Unreadable(f"its attribute `{name}` is no number: {value!r}")
        return int(value)

    kind = told.get("kind", "")
    if kind not in KINDS:
        raise Unreadable(f"its `kind` is {kind!r}")
    return Command(
        id=word("command", ID_MAX),
        call=word("call", 200),
        kind=kind,
        attempt=number("attempt"),
        deadline=NEVER if kind == "message" else number("deadline"),
        keep_until=min(number("keepuntil"), 2**63 - 1),
        payload={} if message.data is None else message.data,
        attributes=told,
        key=key,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _as_text(name: str, held: Any, written: str) -> str | None:
    if isinstance(held, str):
        # Half of a surrogate pair can be written in JSON and is no text.
        held.encode()
        return held
    if isinstance(held, int) and not isinstance(held, bool):
        return written
    if held is None:
        return None
    raise Unreadable(f"its attribute `{name}` is neither text nor a whole number")


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_no_number)  # JSON has no NaN; Python would take it
_begin, _colon, _next = (re.compile(rf"[ \t\n\r]*({mark})[ \t\n\r]*") for mark in (r"\{", ":", "[,}]"))


def _members(text: str) -> Iterator[tuple[str, Any, str]]:
    """The members of the object: name, value, and the value as it was written. `json.loads` keeps neither how long a value
    is, nor that a name stands twice."""

    def behind(mark: re.Pattern[str], at: int) -> tuple[str, int]:
        found = mark.match(text, at)
        if found is None:
            raise json.JSONDecodeError("it ends, or goes on otherwise", text, at)
        return found[1], found.end()

    mark, end = behind(_begin, 0)
    while mark != "}":
        name, end = _decoder.raw_decode(text, end)
        if not isinstance(name, str):
            raise json.JSONDecodeError("a name is missing", text, end)
        _, begin = behind(_colon, end)
        value, end = _decoder.raw_decode(text, begin)
        yield name, value, text[begin:end]
        mark, end = behind(_next, end)
    if end != len(text):
        raise json.JSONDecodeError("more than one value", text, end)
