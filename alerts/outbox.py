"""The outbox: queued → sending (committed before the call) → sent, failed or maybe_sent; nothing is told twice.

All database work happens in the caller's thread; a call to a peer happens in a thread of its channel, with no
transaction open. A channel that hangs is left behind after `patience` and looked at again in the next pass; meanwhile
the others go on. What a killed process left as `sending` becomes maybe_sent, and is repeated only when a person asks
(`resend`), or when the peer, asked for it, does not have it (Slack by bot token).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from weakref import WeakKeyDictionary

from alerts.errors import UnknownDelivery
from alerts.escalation import escalate
from alerts.flight import Flight, Row, start
from alerts.outcome import Outcome
from alerts.queueing import enqueue, refresh_removed
from alerts.send import attempt_of, question_of
from config.settings import Channel, EmailChannel, Settings
from store.db import Store
from store.records import from_iso, iso

HOUR = timedelta(hours=1)
GIVE_UP = timedelta(hours=24)
"""What could not be delivered for so long is no news any more."""
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=30), timedelta(minutes=30)
DRAIN_SECONDS = 8.0
COUNTED = ("opened", "resolved", "escalation")
"""Kinds that `max_per_hour` counts; the others follow a message into its thread, or come once a day."""
ASK_AFTER, ASKED_AT_MOST = timedelta(minutes=1), 5
"""A peer is asked whether a message arrived one minute after the attempt, then after 4, 16, ... minutes."""


class Stop(Protocol):
    """A threading.Event, or anything that says whether to stop."""

    def is_set(self) -> bool:
        """True once the work should end."""


@dataclass(slots=True)
class Delivered:
    """What a pass did, in deliveries; `waiting` are those still queued, `busy` the channels still in a call."""

    sent: int = 0
    failed: int = 0
    maybe_sent: int = 0
    rolled_up: int = 0
    waiting: int = 0
    busy: list[str] = field(default_factory=list)


_flights: WeakKeyDictionary[Store, dict[str, Flight]] = WeakKeyDictionary()
_one_pass = threading.Lock()


def deliver(
    store: Store, settings: Settings, now: datetime, *, stop: Stop | None = None, patience: float = 30.0
) -> Delivered:
    """Send what is due. Returns when every channel is done or waits; a call that takes longer goes on behind."""
    with _one_pass:
        escalate(store, settings, now)
        refresh_removed(store, now)
        return _Pass(store, settings, now, stop).run(patience)


def resend(store: Store, delivery_id: int, now: datetime) -> None:
    """Queue a delivery that failed, or of which nobody knows, once more. Raises UnknownDelivery."""
    with store.write() as db:
        changed = db.execute(
            "UPDATE deliveries SET state = 'queued', attempts = 0, asked = 0, created_at = ?, not_before = ?, "
            "peer_ref = NULL, error = NULL WHERE id = ? AND state IN ('failed', 'maybe_sent')",
            (iso(now), iso(now), delivery_id),
        ).rowcount
    if not changed:
        raise UnknownDelivery(
            f"Delivery {delivery_id} is neither failed nor maybe_sent. "
            "`resonance alerts list --maybe-sent` names those."
        )


class _Pass:
    """One pass over the outbox."""

    def __init__(self, store: Store, settings: Settings, now: datetime, stop: Stop | None) -> None:
        self.store = store
        self.settings = settings
        self.now = now
        self.stop = stop
        self.flights = _flights.setdefault(store, {})
        self.done = Delivered()
        self.landing = threading.Condition()

    def run(self, patience: float) -> Delivered:
        self._settle()
        for channel in self.settings.channels:
            self._next(channel)
        deadline = time.monotonic() + patience
        while self.flights:
            if not self._harvest():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                with self.landing:
                    self.landing.wait(min(left, 0.05))
                if self._stopping():
                    deadline = min(deadline, time.monotonic() + DRAIN_SECONDS)
        self.done.busy = sorted(self.flights)
        self.done.waiting = self.store.one("SELECT COUNT(*) FROM deliveries WHERE state = 'queued'")
        return self.done

    def _stopping(self) -> bool:
        return self.stop is not None and self.stop.is_set()

    def _harvest(self) -> bool:
        """Record the calls that came back, and begin the next of their channels; False when there was none."""
        landed = [name for name, flight in self.flights.items() if flight.landed.is_set()]
        for name in landed:
            flight = self.flights.pop(name)
            outcome = flight.outcome.get()
            if flight.asking:
                self._settled(flight.row, outcome)
            else:
                self._record(flight.row, outcome)
            channel = next((c for c in self.settings.channels if c.name == name), None)
            if channel is not None:
                self._next(channel)
        return bool(landed)

    # -------------------------------------------------------------- before a call
    def _settle(self) -> None:
        """What a dead process left, what is too old, and what has no channel any more."""
        flying = [flight.row.id for flight in self.flights.values()]
        marks = ",".join("?" * len(flying))
        channels = [channel.name for channel in self.settings.channels]
        with self.store.write() as db:
            self.done.maybe_sent += db.execute(
                "UPDATE deliveries SET state = 'maybe_sent', "
                "error = 'the process ended before the answer was recorded' "
                f"WHERE state = 'sending' AND id NOT IN ({marks})",
                flying,
            ).rowcount
            self.done.failed += db.execute(
                "UPDATE deliveries SET state = 'failed', "
                "error = COALESCE(error || ' ', '') || '(given up after 24 hours)' "
                "WHERE state = 'queued' AND created_at < ?",
                (iso(self.now - GIVE_UP),),
            ).rowcount
            self.done.failed += db.execute(
                "UPDATE deliveries SET state = 'failed', error = 'the configuration has no such channel any more' "
                f"WHERE state = 'queued' AND channel NOT IN ({','.join('?' * len(channels))})",
                channels,
            ).rowcount

    def _next(self, channel: Channel) -> None:
        """Begin the channel's next due delivery, if there is one."""
        if channel.name in self.flights or self._stopping():
            return
        row = self._unsettled(channel)
        asking = row is not None
        row = row or self._take(channel)
        if row is None:
            return
        flight = Flight(row, asking)
        self.flights[channel.name] = flight
        prepare = question_of if asking else attempt_of
        try:
            call = prepare(self.store, self.settings, channel, row.id, self.now)
        except Exception as error:
            outcome = Outcome(
                "maybe_sent" if asking else "failed", f"the message could not be made: {type(error).__name__}"
            )
            call = _returning(outcome)
        start(flight, call, self.landing)

    def _unsettled(self, channel: Channel) -> Row | None:
        """A delivery of which nobody knows, if the channel's peer can be asked about it and it is time to."""
        if isinstance(channel, EmailChannel) or not channel.by_bot:
            return None
        for row in self.store.query(
            "SELECT id, incident_id, channel, kind, attempts, created_at, peer_ref, asked, not_before FROM deliveries "
            "WHERE channel = ? AND state = 'maybe_sent' AND asked < ? AND created_at >= ? ORDER BY id",
            (channel.name, ASKED_AT_MOST, iso(self.now - GIVE_UP)),
        ):
            if from_iso(row["not_before"]) + ASK_AFTER * 4 ** row["asked"] <= self.now:
                with self.store.write() as db:
                    db.execute("UPDATE deliveries SET asked = asked + 1 WHERE id = ?", (row["id"],))
                return Row(*tuple(row)[:7])
        return None

    def _take(self, channel: Channel) -> Row | None:
        """Mark the next due delivery as `sending`, and commit; roll a storm up first."""
        with self.store.write() as db:
            due = [
                Row(*row)
                for row in db.execute(
                    "SELECT id, incident_id, channel, kind, attempts, created_at, peer_ref, held FROM deliveries "
                    "WHERE channel = ? AND state = 'queued' AND not_before <= ? ORDER BY (kind = 'rollup') DESC, id",
                    (channel.name, iso(self.now)),
                )
            ]
            row = self._within_limit(channel, due)
            if row is not None:
                db.execute(
                    "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, not_before = ? WHERE id = ?",
                    (iso(self.now), row.id),
                )
        return row

    def _within_limit(self, channel: Channel, due: Sequence[Row]) -> Row | None:
        """The delivery to send now: the next one, or a new roll-up of all that exceed the limit of the hour."""
        if not due or due[0].kind == "rollup" or due[0].peer_ref:
            return due[0] if due else None
        held = [row for row in due if row.held]
        if len(held) > 1 and not self._recent(channel, "rollup"):
            return self._roll_up(channel, held)
        free = next((row for row in due if row.kind not in COUNTED), None)
        if free is not None:
            return free
        recent = self._recent(channel, *COUNTED)
        if recent + len(due) <= self.settings.alerts.max_per_hour:
            return due[0]
        if recent < self.settings.alerts.max_per_hour - 1:
            return self._gravest(due)
        if self._recent(channel, "rollup"):
            return None
        return self._roll_up(channel, due)

    def _gravest(self, due: Sequence[Row]) -> Row:
        """In a storm the gravest incidents keep a message of their own; the oldest first among equals."""
        marks = ",".join("?" * len(due))
        best = self.store.one(
            "SELECT d.id FROM deliveries d LEFT JOIN incidents i ON i.id = d.incident_id "
            f"WHERE d.id IN ({marks}) ORDER BY d.kind = 'resolved', CASE i.severity WHEN 'critical' THEN 0 "
            "WHEN 'warning' THEN 1 ELSE 2 END, d.id LIMIT 1",
            [row.id for row in due],
        )
        return next(row for row in due if row.id == best)

    def _recent(self, channel: Channel, *kinds: str) -> int:
        """Messages that went, or may have gone, to the channel in the last hour."""
        marks = ",".join("?" * len(kinds))
        count: int = self.store.one(
            f"SELECT COUNT(*) FROM deliveries WHERE channel = ? AND kind IN ({marks}) "
            "AND state IN ('sent', 'maybe_sent', 'sending') AND COALESCE(sent_at, not_before) > ?",
            (channel.name, *kinds, iso(self.now - HOUR)),
        )
        return count

    def _roll_up(self, channel: Channel, due: Sequence[Row]) -> Row:
        with self.store.write() as db:
            cursor = db.execute(
                "INSERT INTO deliveries (channel, kind, state, created_at, not_before) "
                "VALUES (?, 'rollup', 'queued', ?, ?)",
                (channel.name, iso(self.now), iso(self.now)),
            )
            summary = int(cursor.lastrowid or 0)
            db.executemany(
                "UPDATE deliveries SET state = 'rolled_up', rolled_into = ? WHERE id = ?",
                [(summary, r.id) for r in due],
            )
        self.done.rolled_up += len(due)
        return Row(summary, None, channel.name, "rollup", 0, iso(self.now), None)

    # -------------------------------------------------------------- after a call
    def _record(self, row: Row, outcome: Outcome) -> None:
        if outcome.state == "retry":
            self._later(row, outcome)
            return
        sent_at = iso(self.now) if outcome.state == "sent" else None
        with self.store.write() as db:
            db.execute(
                "UPDATE deliveries SET state = ?, sent_at = ?, error = ?, peer_ref = ? WHERE id = ?",
                (
                    outcome.state,
                    sent_at,
                    outcome.detail or None,
                    outcome.ref if outcome.state == "sent" else outcome.kept,
                    row.id,
                ),
            )
            if outcome.state == "sent":
                self._chart(db, row, outcome)
        setattr(self.done, outcome.state, getattr(self.done, outcome.state) + 1)

    def _chart(self, db: sqlite3.Connection, row: Row, outcome: Outcome) -> None:
        """The chart follows its message into the thread, as a delivery of its own."""
        if row.kind != "opened" or row.incident_id is None or not (outcome.ref or "").startswith("slack:"):
            return
        rows = db.execute(
            "SELECT json_array_length(facts, '$.series') FROM incidents WHERE id = ?", (row.incident_id,)
        ).fetchone()
        if rows and rows[0]:
            enqueue(db, row.incident_id, row.channel, "chart", self.now)

    def _settled(self, row: Row, outcome: Outcome) -> None:
        """The peer was asked for the message: it has it, or it has not (then it is sent again), or it is unsure."""
        with self.store.write() as db:
            if outcome.state == "sent":
                db.execute(
                    "UPDATE deliveries SET state = 'sent', sent_at = ?, error = NULL, peer_ref = ? WHERE id = ?",
                    (iso(self.now), outcome.ref, row.id),
                )
                self._chart(db, row, outcome)
                self.done.sent += 1
            elif outcome.state == "retry":
                db.execute(
                    "UPDATE deliveries SET state = 'queued', not_before = ?, error = NULL, peer_ref = ? WHERE id = ?",
                    (iso(self.now), outcome.kept, row.id),
                )
            else:
                db.execute("UPDATE deliveries SET error = ? WHERE id = ?", (outcome.detail, row.id))

    def _later(self, row: Row, outcome: Outcome) -> None:
        """Back into the queue; the whole channel waits, for it is the channel that is out of reach."""
        wait = min(FIRST_RETRY * 2 ** min(row.attempts, 10), LONGEST_RETRY)
        if outcome.retry_after is not None:
            wait = timedelta(seconds=outcome.retry_after + 1)
        until = iso(self.now + wait)
        with self.store.write() as db:
            db.execute(
                "UPDATE deliveries SET state = 'queued', error = ?, peer_ref = ? WHERE id = ?",
                (outcome.detail, outcome.kept, row.id),
            )
            db.execute(
                "UPDATE deliveries SET not_before = MAX(not_before, ?) WHERE channel = ? AND state = 'queued'",
                (until, row.channel),
            )


def _returning(outcome: Outcome) -> Callable[[], Outcome]:
    return lambda: outcome
