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
    db.execute("DELETE FROM rooms WHERE hold = ?", [json.loads(reply)["hold"]])


WORK = {"ReserveRoom": reserve, "ConfirmRoom": confirm}


def answer(headers, request):
    """The guard's table: status, code and payload of the reply, in one transaction with the work."""
    command, kind = headers["saga-command"], headers["saga-kind"]
    is_late = kind == "do" and int(headers["saga-deadline"]) < time.time() * 1000
    keep_until = min(int(headers["saga-keep-until"]), 2**63 - 1)
    is_new = False
    if kind == "undo" or (kind == "do" and not is_late):
        is_new = db.execute("INSERT INTO saga_guard VALUES (?, 'doing', NULL, ?) ON CONFLICT DO NOTHING",
                            [command, keep_until]).rowcount == 1
    row = None if is_new else db.execute("SELECT state, reply FROM saga_guard WHERE command = ?", [command]).fetchone()
    state, reply = row or (None, None)

    def settle(state, reply):
        db.execute("UPDATE saga_guard SET state = ?, reply = ?, keep_until = max(keep_until, ?) WHERE command = ?",
                   [state, json.dumps(reply), keep_until, command])

    if kind == "undo":
        if state == "done":
            cancel(command, reply)
        settle("undone", {})
        return "succeeded", None, {}
    if state == "done":
        return "succeeded", None, json.loads(reply)
    if state == "failed":
        return "failed", json.loads(reply), None
    if state == "undone":
        return "failed", "already-undone", None
    if kind == "query":
        return "unknown-command", None, None
    if is_late:
        return "retry", "expired", None
    db.execute("SAVEPOINT work")
    try:
        reply = WORK[headers["saga-call"]](command, request)
        settle("done", reply)
        return "succeeded", None, reply
    except Refused as refused:
        db.execute("ROLLBACK TO work")
        settle("failed", str(refused))
        return "failed", str(refused), None


for line in sys.stdin:
    message = json.loads(line)
    headers = message["headers"]
    try:
        db.execute("BEGIN IMMEDIATE")
        status, code, payload = answer(headers, message["payload"])
        db.execute("COMMIT")
    except Exception as fault:  # it passes, or a person reads of it: nothing of this command is left
        print(f"{headers['saga-command']}: {fault!r}", file=sys.stderr)
        if db.in_transaction:
            db.execute("ROLLBACK")
        status, code, payload = "retry", "fault", None
    reply = {name: headers[name] for name in ("saga-command", "saga-kind", "saga-attempt")} | {"saga-status": status}
    if code:
        reply["saga-code"] = code
    print(json.dumps({"headers": reply, "payload": payload}), flush=True)
