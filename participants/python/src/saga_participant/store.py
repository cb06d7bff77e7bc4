"""The participant's own database: one transaction for the guard's row and the work."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, Protocol, TypeVar

Connection = TypeVar("Connection")
Given = TypeVar("Given", covariant=True)

DAY = 24 * 60 * 60 * 1000
KEEP_ANSWERS = 400 * DAY
"""How long a `done` or `failed` row outlives its `keep_until`, in milliseconds: its saga may be taken back weeks later, and an
orchestrator that was down may repeat a command before it reads that it was refused."""


class Transaction(Protocol[Given]):
    """One transaction: the guard's statements, and the connection for the work."""

    @property
    def connection(self) -> Given:
        """What handlers work on."""

    def claim(self, command: str, keep_until: int) -> bool:
        """Inserts a row that is `doing`; whether there was none."""

    def find(self, command: str) -> tuple[str, str | None] | None:
        """State and reply of the row, locked."""

    def settle(self, command: str, state: str, reply: str | None, keep_until: int) -> None:
        """Writes what became of a command that has a row."""

    def mark(self) -> None:
        """The place to which `back` returns."""

    def back(self) -> None:
        """Forgets what was written since `mark`."""


class Store(Protocol[Given]):
    """A database, whose transactions give handlers their connection."""

    def transaction(self) -> AbstractContextManager[Transaction[Given]]:
        """Gives a `Transaction`, commits at its end, and rolls back on any exception."""

    def doing(self) -> list[tuple[str, str | None]]:
        """Commands whose work outside the database was begun and not ended, with what the row holds."""

    def purge(self, now: int) -> int:
        """Removes rows that no delivery can ask for any more; how many."""


class _Statements(Generic[Connection]):
    """The guard in SQL; `?` stands for the database's own placeholder."""

    placeholder = "?"
    greatest = "max"
    lock = ""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _run(self, sql: str, values: tuple[Any, ...]) -> Any:
        connection: Any = self.connection
        return connection.execute(sql.replace("?", self.placeholder), values)

    def claim(self, command: str, keep_until: int) -> bool:
        inserted = self._run(
            "INSERT INTO saga_guard (command, state, reply, keep_until) VALUES (?, 'doing', NULL, ?) "
            "ON CONFLICT (command) DO NOTHING",
            (command, keep_until),
        )
        return bool(inserted.rowcount == 1)

    def find(self, command: str) -> tuple[str, str | None] | None:
        row = self._run(f"SELECT state, reply FROM saga_guard WHERE command = ?{self.lock}", (command,)).fetchone()
        return None if row is None else (row[0], row[1])

    def settle(self, command: str, state: str, reply: str | None, keep_until: int) -> None:
        self._run(
            f"UPDATE saga_guard SET state = ?, reply = ?, keep_until = {self.greatest}(keep_until, ?) WHERE command = ?",
            (state, reply, keep_until, command),
        )

    def mark(self) -> None:
        self._run("SAVEPOINT saga_work", ())

    def back(self) -> None:
        self._run("ROLLBACK TO SAVEPOINT saga_work", ())


CREATE = """CREATE TABLE IF NOT EXISTS saga_guard (
    command TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT, keep_until BIGINT NOT NULL)"""
DOING = "SELECT command, reply FROM saga_guard WHERE state = 'doing' ORDER BY command"
PURGE = """DELETE FROM saga_guard WHERE (state = 'undone' AND keep_until < ?)
    OR (state IN ('done', 'failed') AND keep_until < ?)"""


WRITE_AHEAD_TRIES = 500
WRITE_AHEAD_AGAIN = 0.01
"""How often a file is asked to write ahead while others open it too, and how long it is left alone in between, in seconds."""


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Lets the file write ahead, which it remembers. Of processes that begin so with a new file at once, SQLite refuses one
    without waiting for the other, whatever its timeout (https://sqlite.org/c3ref/busy_handler.html)."""
    for tried in range(1, WRITE_AHEAD_TRIES + 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Python 3.10 has no `sqlite_errorcode`.
            if "locked" not in str(error) or tried == WRITE_AHEAD_TRIES:
                raise
            time.sleep(WRITE_AHEAD_AGAIN)


class SqliteStore:
    """A file of SQLite. What is committed stays, a loss of power included."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        _write_ahead(self.connection)
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(CREATE)

    @contextmanager
    def transaction(self) -> Iterator[_Statements[sqlite3.Connection]]:
        # From the beginning for writing: so nobody else is between the look and the work.
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield _Statements(self.connection)
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def doing(self) -> list[tuple[str, str | None]]:
        return self.connection.execute(DOING).fetchall()

    def purge(self, now: int) -> int:
        return self.connection.execute(PURGE, (now, now - KEEP_ANSWERS)).rowcount


class _Postgres(_Statements[Any]):
    placeholder = "%s"
    greatest = "greatest"
    lock = " FOR UPDATE"


class PostgresStore:
    """A database of PostgreSQL, by psycopg 3. `READ COMMITTED` is enough."""

    def __init__(self, connection_string: str) -> None:
        import psycopg

        def connect() -> Any:
            return psycopg.connect(connection_string, autocommit=True)

        self._connect: Callable[[], Any] = connect
        self.connection: Any = self._connect()
        self.connection.execute(CREATE)

    def _connected(self) -> Any:
        # After a broken connection the next command finds a new one; what was open was rolled back.
        if self.connection.closed:
            self.connection = self._connect()
        return self.connection

    @contextmanager
    def transaction(self) -> Iterator[_Statements[Any]]:
        connection = self._connected()
        with connection.transaction():
            yield _Postgres(connection)

    def doing(self) -> list[tuple[str, str | None]]:
        rows: list[tuple[str, str | None]] = self._connected().execute(DOING).fetchall()
        return rows

    def purge(self, now: int) -> int:
        removed: int = self._connected().execute(PURGE.replace("?", "%s"), (now, now - KEEP_ANSWERS)).rowcount
        return removed
