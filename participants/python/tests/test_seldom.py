"""A broker that is away fills no log."""

from __future__ import annotations

import logging
from typing import Any

from saga_participant.seldom import AGAIN, Seldom


def test_each_kind_of_words_comes_once_in_a_while(monkeypatch: Any) -> None:
    seldom = Seldom()

    def passes(kind: str, at: float) -> bool:
        words = (kind, "rdkafka#consumer-1", "Connection refused")
        record = logging.LogRecord("saga.librdkafka", logging.ERROR, "", 0, "%s [%s] %s", words, None)
        monkeypatch.setattr("time.monotonic", lambda: at)
        return seldom.filter(record)

    assert passes("FAIL", 100.0)
    assert not passes("FAIL", 100.1)
    assert passes("ERROR", 100.1)
    assert not passes("FAIL", 99.9 + AGAIN)
    assert passes("FAIL", 100.0 + AGAIN)
