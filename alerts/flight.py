"""A call to a peer in a thread of its own, with no transaction open."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from alerts.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """What the outbox needs of a delivery."""

    id: int
    incident_id: int | None
    channel: str
    kind: str
    attempts: int
    created_at: str
    peer_ref: str | None
    held: int = 0


@dataclass(slots=True)
class Flight:
    """A call under way; `asking`: whether a message has arrived."""

    row: Row
    asking: bool = False
    outcome: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)
    landed: threading.Event = field(default_factory=threading.Event)


def start(flight: Flight, call: Callable[[], Outcome], done: threading.Condition | None = None) -> None:
    """Begin the call; its outcome lands in the flight, and `done` is told."""

    def work() -> None:
        try:
            outcome = call()
        except Exception as error:
            outcome = Outcome("maybe_sent", f"unexpected {type(error).__name__}; please report it")
        flight.outcome.put(outcome)
        flight.landed.set()
        if done is not None:
            with done:
                done.notify_all()

    threading.Thread(target=work, name=f"deliver-{flight.row.channel}", daemon=True).start()
