"""Commands and replies as messages: headers and JSON. Reading takes any bytes; nothing here knows Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PAYLOAD_MAX = 1 << 20
"""The largest payload, in bytes."""

ID_MAX = 500
"""The longest `saga-command`, in bytes."""

KINDS = ("do", "undo", "query", "message")

NEVER = 2**63 - 1
"""A message has no deadline: it is never late."""

RawHeaders = Iterable[tuple[str, bytes | str | None]]


class Unreadable(Exception):
    """A message is no command that can be read: it is passed over."""


@dataclass(frozen=True)
class Command:
    """A command, as it was read."""

    id: str
    """`saga-command`: one id for do, undo, query and all attempts. The key of the guard, and of work elsewhere."""
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
    headers: dict[str, str]
    """All that can be read as text."""
    key: bytes | None = None

    @property
    def instance(self) -> str:
        """The saga's instance, such as an order's number."""
        return self.headers.get("saga-instance", "")

    @property
    def reply_to(self) -> str | None:
        return self.headers.get("saga-reply-to")

    @property
    def reply_partition(self) -> int | None:
        text = self.headers.get("saga-reply-partition", "")
        return int(text) if _is_number(text) else None

    def to_text(self) -> str:
        """For the row of a command whose work goes on outside the database."""
        return json.dumps({"headers": self.headers, "payload": self.payload})

    @classmethod
    def from_text(cls, text: str) -> Command:
        kept = json.loads(text)
        instance = kept["headers"].get("saga-instance", "")
        return read_command(kept["headers"].items(), json.dumps(kept["payload"]).encode(), instance.encode())


@dataclass(frozen=True)
class Reply:
    """What a command is answered."""

    status: str
    code: str | None = None
    payload: Any = None

    def headers(self, command: Command, participant: str) -> list[tuple[str, bytes]]:
        told = {
            "ce_specversion": "1.0",
            "ce_type": "saga.reply.v1",
            "ce_id": f"{command.id}/{command.kind}/{command.attempt}/{self.status}",
            "ce_source": f"/participants/{participant}",
            "content-type": "application/json",
            "saga-command": command.id,
            "saga-kind": command.kind,
            "saga-attempt": str(command.attempt),
            "saga-status": self.status,
        }
        for name in ("saga-instance", "saga-name", "saga-step", "traceparent"):
            if name in command.headers:
                told[name] = command.headers[name]
        if self.code is not None:
            told["saga-code"] = self.code
        return [(name, value.encode()) for name, value in told.items()]

    def body(self) -> bytes:
        return b"" if self.payload is None else json.dumps(self.payload).encode()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def read_command(headers: RawHeaders, payload: bytes | None, key: bytes | None = None) -> Command:
    """Reads a command; raises `Unreadable`."""
    told: dict[str, str] = {}
    for name, value in headers:
        try:
            told.setdefault(name, value.decode() if isinstance(value, bytes) else value or "")
        except UnicodeDecodeError:
            # Somebody else's header may hold anything; one of ours is missed below.
            continue
    if told.get("ce_type") != "saga.command.v1":
        raise Unreadable(f"its `ce_type` is {told.get('ce_type')!r} and not 'saga.command.v1'")

    def word(name: str, longest: int) -> str:
        value = told.get(name, "")
        if not value or len(value.encode()) > longest:
            raise Unreadable(f"its header `{name}` is missing, or over {longest} bytes")
        return value

    def number(name: str) -> int:
        value = told.get(name, "")
        if not _is_number(value):
            raise Unreadable(f"its header `{name}` is no number: {value!r}")
        return int(value)

    kind = told.get("saga-kind", "")
    if kind not in KINDS:
        raise Unreadable(f"its `saga-kind` is {kind!r}")
    body = payload or b"{}"
    if len(body) > PAYLOAD_MAX:
        raise Unreadable(f"its payload has {len(body)} bytes")
    try:
        # JSON has no NaN; Python would take it.
        request = json.loads(body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"its payload is no JSON: {error}") from None
    return Command(
        id=word("saga-command", ID_MAX),
        call=word("saga-call", 200),
        kind=kind,
        attempt=number("saga-attempt"),
        deadline=NEVER if kind == "message" else number("saga-deadline"),
        keep_until=min(number("saga-keep-until"), 2**63 - 1),
        payload=request,
        headers=told,
        key=key,
    )


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
