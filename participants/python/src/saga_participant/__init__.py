"""A participant of sagas: commands from a topic of Kafka, the guard in the participant's own database.

The protocol is that of docs/participants.md; README.md beside this package has an example.
"""

from .message import Command, Unreadable
from .participant import Participant, Refused, Retry
from .store import PostgresStore, SqliteStore, Store, Transaction
from .topic import serve

__all__ = [
    "Command",
    "Participant",
    "PostgresStore",
    "Refused",
    "Retry",
    "SqliteStore",
    "Store",
    "Transaction",
    "Unreadable",
    "serve",
]
