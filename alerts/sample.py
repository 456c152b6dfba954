"""The sample that `resonance alerts test` sends, without the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from alerts.flight import Flight, Row, start
from alerts.send import attempt_test
from config.settings import Settings
from store.records import iso


@dataclass(frozen=True, slots=True)
class TestResult:
    """How the sample fared at one channel."""

    channel: str
    ok: bool
    detail: str


def send_test(settings: Settings, now: datetime, *, patience: float = 60.0) -> list[TestResult]:
    """Send a sample to every channel at once; in the order of the configuration."""
    flights = []
    for channel in settings.channels:
        flight = Flight(Row(0, None, channel.name, "test", 0, iso(now), None))
        start(flight, attempt_test(settings, channel, now))
        flights.append(flight)
    deadline = time.monotonic() + patience
    results = []
    for flight in flights:
        if flight.landed.wait(max(0.0, deadline - time.monotonic())):
            outcome = flight.outcome.get()
            results.append(TestResult(flight.row.channel, outcome.state == "sent", outcome.detail or outcome.state))
        else:
            results.append(TestResult(flight.row.channel, False, f"no answer within {patience:.0f} s"))
    return results
