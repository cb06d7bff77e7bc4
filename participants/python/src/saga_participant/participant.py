"""Handlers by the name of their command, behind the guard of docs/participants.md."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic

from .message import DATA_MAX, Command, Reply, Unreadable
from .store import Connection, Store

log = logging.getLogger("saga")


class Refused(Exception):
    """A business no, with a code of the contract. Nothing that the handler wrote stays."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code if message is None else f"{code}: {message}")
        self.code, self.message = code, message


class Retry(Exception):
    """A passing fault: it may work later. Nothing stays, the guard's row neither."""

    def __init__(self, code: str = "retry") -> None:
        super().__init__(code)
        self.code = code


Work = Callable[[Connection, Command], Any]
Undo = Callable[[Connection, Command, Any], None]
Outside = Callable[[Command], Any]
Tell = Callable[[Command, Reply], bool]
"""Tells a late reply; whether its row may end: it is told, or nobody can ever be told."""


class Participant(Generic[Connection]):
    """A participant: register handlers, then `handle` commands, or `serve` it on a topic.

    One thread at a time: the store has one connection. For more, start more processes.
    """

    def __init__(self, name: str, store: Store[Connection]) -> None:
        self.name, self.store = name, store
        self._works: dict[str, Work[Connection]] = {}
        self._undos: dict[str, Undo[Connection]] = {}
        self._outside: dict[str, Outside] = {}

    def command(self, call: str) -> Callable[[Work[Connection]], Work[Connection]]:
        """Registers what does a command: it works on the connection, in the guard's transaction, and returns the reply."""

        def register(work: Work[Connection]) -> Work[Connection]:
            self._works[call] = work
            return work

        return register

    def undo(self, call: str) -> Callable[[Undo[Connection]], Undo[Connection]]:
        """Registers what takes back. It is given the reply of what it takes back; None if that is told by the request."""

        def register(undo: Undo[Connection]) -> Undo[Connection]:
            self._undos[call] = undo
            return undo

        return register

    def outside(self, call: str) -> Callable[[Outside], Outside]:
        """Registers work that no transaction can hold. It must recognise `command.id`: after a crash it is called again."""

        def register(work: Outside) -> Outside:
            self._outside[call] = work
            return work

        return register

    def handle(self, command: Command) -> Reply:
        """Answers a command. What goes wrong in a handler or the database is answered `retry`, and nothing stays."""
        try:
            with self.store.transaction() as transaction:
                reply = self._guarded(transaction, command)
        except Retry as retry:
            return Reply("retry", retry.code)
        except _Stays as stays:
            return _failed(stays.refused)
        except Exception:
            log.exception("%s of %s failed and is answered `retry`", command.call, command.id)
            return Reply("retry", "fault")
        if reply is None:
            # Its begin is committed.
            return self._work_outside(command)
        return reply

    def resume(self, tell: Tell, stop: threading.Event | None = None) -> None:
        """Ends work outside the database that a crash or a passing fault interrupted, one row after the other, and tells each
        reply. What cannot be done, or told, for now stays for the next call. Behind `stop` no row is begun, and none is told.
        """
        stop = stop or threading.Event()
        for id, text in self.store.doing():
            if stop.is_set():
                return
            try:
                command = Command.from_text(text or "")
                reply = self._ask_outside(command)
                if reply.status == "pending" or stop.is_set():
                    continue
                with self.store.transaction() as transaction:
                    reply = _ended(transaction, command) or reply
                # Nobody asks behind a `pending`: were the row written first, a crash in between would lose the reply. So it
                # only has the work asked for again by the same key, and told twice, which changes nothing.
                if tell(command, reply):
                    self._end_outside(command, reply)
            except Unreadable as why:
                log.error("the row of %s is `doing` and does not hold its command: %s", id, why)
            except Exception:
                log.exception("%s is not ended yet, and is taken up again", id)

    def purge(self) -> int:
        """Removes rows of the guard that nobody can ask for; to be called now and then."""
        return self.store.purge(_now())

    def _guarded(self, transaction: Any, command: Command) -> Reply | None:
        """The table of the guard; None where the work goes on outside. A message is a `do` that is never late."""
        id, kind, keep_until = command.id, command.kind, command.keep_until
        is_late = kind == "do" and command.deadline < _now()
        is_new = kind != "query" and not is_late and transaction.claim(id, keep_until)
        row = None if is_new else transaction.find(id)
        state, kept = (None, None) if row is None else row

        def settled(state: str, reply: Reply) -> Reply:
            transaction.settle(id, state, reply.to_text(), keep_until)
            return reply

        if kind == "undo":
            if state == "doing":
                return Reply("retry", "still-doing")
            if state == "done":
                try:
                    self._take_back(transaction.connection, command, Reply.from_text("done", kept or "{}").payload)
                except Refused as refused:
                    # Nothing has changed: the saga is stuck, and a person has to look.
                    raise _Stays(refused) from None
            return settled("undone", Reply("succeeded", payload={}))
        if state is not None:
            transaction.settle(id, state, kept, keep_until)
            return _known(state, kept)
        if kind == "query":
            return Reply("unknown-command")
        if is_late:
            return Reply("retry", "expired")

        if command.call in self._outside:
            transaction.settle(id, "doing", command.to_text(), keep_until)
            return None
        transaction.mark()
        try:
            return settled("done", _succeeded(self._do(transaction.connection, command)))
        except Refused as refused:
            # What it wrote goes, and the row stays: a repeat must not find it otherwise.
            transaction.back()
            return settled("failed", _failed(refused))

    def _do(self, connection: Connection, command: Command) -> Any:
        if work := self._works.get(command.call):
            return work(connection, command)
        if undo := self._undos.get(command.call):
            # A compensation without a `do` of ours before it.
            undo(connection, command, None)
            return None
        raise Retry("unknown-call")

    def _take_back(self, connection: Connection, command: Command, reply: Any) -> None:
        if undo := self._undos.get(command.call):
            undo(connection, command, reply)
        elif work := self._works.get(command.call):
            work(connection, command)
        else:
            raise Retry("unknown-call")

    def _work_outside(self, command: Command) -> Reply:
        reply = self._ask_outside(command)
        if reply.status == "pending":
            return reply
        try:
            return self._end_outside(command, reply)
        except Exception:
            log.exception("the end of %s of %s could not be written", command.call, command.id)
            return Reply("pending")

    def _ask_outside(self, command: Command) -> Reply:
        """`pending` where nobody knows whether it worked: it stays `doing`, and is taken up again."""
        work = self._outside.get(command.call)
        if work is None:
            log.error("nobody does %s of %s any more", command.call, command.id)
            return Reply("pending")
        try:
            return _succeeded(work(command))
        except Refused as refused:
            return _failed(refused)
        except Exception:
            log.exception("%s of %s is not done yet", command.call, command.id)
            return Reply("pending")

    def _end_outside(self, command: Command, reply: Reply) -> Reply:
        """Writes the reply where the row is `doing` still; what stands then."""
        with self.store.transaction() as transaction:
            if stands := _ended(transaction, command):
                return stands
            state = "done" if reply.status == "succeeded" else "failed"
            transaction.settle(command.id, state, reply.to_text(), command.keep_until)
        return reply


def _ended(transaction: Any, command: Command) -> Reply | None:
    """What its row says, where another process took it up too and ended it; it may have been taken back since."""
    row = transaction.find(command.id)
    return None if row is None or row[0] == "doing" else _known(*row)


def _known(state: str, kept: str | None) -> Reply:
    """What a row answers by itself, to a `do` and to a `query`."""
    if state == "doing":
        return Reply("pending")
    if state == "undone":
        return Reply("failed", "already-undone")
    return Reply.from_text(state, kept or "{}")


class _Stays(Exception):
    """Ends a transaction without a trace, with an answer."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused


def _succeeded(reply: Any) -> Reply:
    """One that cannot be sent is a defect of the participant: nothing of it stays, and it is seen."""
    try:
        if len(json.dumps(reply, allow_nan=False)) <= DATA_MAX:
            return Reply("succeeded", payload={} if reply is None else reply)
        log.error("a handler's reply has over %s bytes", DATA_MAX)
    except (TypeError, ValueError, RecursionError) as error:
        log.error("a handler's reply cannot be written as JSON: %s", error)
    raise Retry("unwritable-reply")


def _failed(refused: Refused) -> Reply:
    return Reply("failed", refused.code, None if refused.message is None else {"message": refused.message})


def _now() -> int:
    return time.time_ns() // 1_000_000
