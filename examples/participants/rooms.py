"""Rooms in a hotel: a participant of a saga on a pipe, with the guard of docs/participants.md.

    saga run workflows/booking.saga --participant "hotels=process:python3 examples/participants/rooms.py rooms.db"
"""

import json
import sqlite3
import sys
import time

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA synchronous = FULL")
db.execute("""CREATE TABLE IF NOT EXISTS saga_guard (
    command TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT, keep_until BIGINT NOT NULL)""")
db.execute("CREATE TABLE IF NOT EXISTS rooms (hold TEXT PRIMARY KEY, hotel TEXT NOT NULL, state TEXT NOT NULL)")
ROOMS = 10


class Refused(Exception):
    """A business no: its code."""


def reserve(command, request):
    (taken,) = db.execute("SELECT count(*) FROM rooms WHERE hotel = ?", [request["hotel"]]).fetchone()
    if taken >= ROOMS:
        raise Refused("sold_out")
    db.execute("INSERT INTO rooms VALUES (?, ?, 'held')", [command, request["hotel"]])
    return {"hold": command}


def confirm(command, request):
    db.execute("UPDATE rooms SET state = 'sold' WHERE hold = ?", [request["hold"]])
    return {}


def cancel(command, reply):
    """Takes back what is in the guard's row: the saga may never have seen it."""
    db.execute("DELETE FROM rooms WHERE hold = ?", [reply["hold"]])


WORK = {"ReserveRoom": reserve, "ConfirmRoom": confirm}
NAMES = ("command", "kind", "attempt")


def said(message, status, code=None, data=None):
    """A reply: what names its command, and what came of it."""
    reply = {"type": "saga.reply.v1"} | {name: message[name] for name in NAMES} | {"status": status}
    return reply | ({"code": code} if code else {}) | ({} if data is None else {"data": data})


def answer(message):
    """The guard's table: the reply, in one transaction with the work."""
    command, kind = message["command"], message["kind"]
    is_late = kind == "do" and int(message["deadline"]) < time.time() * 1000
    keep_until = min(int(message["keepuntil"]), 2**63 - 1)
    is_new = False
    if kind == "undo" or (kind == "do" and not is_late):
        is_new = db.execute("INSERT INTO saga_guard VALUES (?, 'doing', NULL, ?) ON CONFLICT DO NOTHING",
                            [command, keep_until]).rowcount == 1
    row = None if is_new else db.execute("SELECT state, reply FROM saga_guard WHERE command = ?", [command]).fetchone()
    state, kept = (row[0], json.loads(row[1])) if row else (None, None)

    def settle(state, kept):
        db.execute("UPDATE saga_guard SET state = ?, reply = ?, keep_until = max(keep_until, ?) WHERE command = ?",
                   [state, json.dumps(kept), keep_until, command])

    if kind == "undo":
        if state == "done":
            cancel(command, kept)
        settle("undone", {})
        return said(message, "succeeded", data={})
    if state == "done":
        return said(message, "succeeded", data=kept)
    if state == "failed":
        return said(message, "failed", kept["code"])
    if state == "undone":
        return said(message, "failed", "already-undone")
    if kind == "query":
        return said(message, "unknown-command")
    if is_late:
        return said(message, "retry", "expired")
    db.execute("SAVEPOINT work")
    try:
        reply = WORK[message["call"]](command, message.get("data", {})) or {}
        settle("done", reply)
        return said(message, "succeeded", data=reply)
    except Refused as refused:
        db.execute("ROLLBACK TO work")
        settle("failed", {"code": str(refused)})
        return said(message, "failed", str(refused))


for line in sys.stdin:
    message = json.loads(line)
    try:
        db.execute("BEGIN IMMEDIATE")
        reply = answer(message)
        db.execute("COMMIT")
    except Exception as fault:  # it passes, or a person reads of it: nothing of this command is left
        print(f"{message['command']}: {fault!r}", file=sys.stderr)
        if db.in_transaction:
            db.execute("ROLLBACK")
        reply = said(message, "retry", "fault")
    print(json.dumps(reply), flush=True)
