"""What librdkafka has to say, now and then: of a broker that is away it says the same some twenty times a second."""

from __future__ import annotations

import logging
import time

AGAIN = 30.0
"""Seconds until the same kind of words is passed on again."""


class Seldom(logging.Filter):
    """Lets each kind of librdkafka's words through once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # The client gives what it is about, such as FAIL, who says it and the words.
        kind = record.args[0] if isinstance(record.args, tuple) and record.args else record.msg
        now = time.monotonic()
        if now - self._last.get(kind, now - AGAIN) < AGAIN:
            return False
        self._last[kind] = now
        return True


client_log = logging.getLogger("saga.librdkafka")
"""Where librdkafka's words go."""
client_log.addFilter(Seldom())
