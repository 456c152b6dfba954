"""What people do with an incident: take it, end it, open it again, say whether it helped."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from alerts.errors import NotPossible
from alerts.incidents import add_note, resolve_row, state_of
from alerts.queueing import follow
from alerts.safe import line
from alerts.thresholds import Moved, learn
from store.db import Store
from store.records import iso

Verdict = Literal["helpful", "false_alarm"]


def acknowledge(store: Store, incident_id: int, by: str, now: datetime) -> None:
    """Somebody takes it. Taking it again changes nothing. Raises UnknownIncident, NotPossible."""
    with store.write() as db:
        row = state_of(db, incident_id)
        if row["state"] == "resolved":
            raise NotPossible(
                f"Incident {incident_id} is already over. `resonance alerts reopen {incident_id}` reopens it."
            )
        if row["state"] == "acknowledged":
            return
        db.execute(
            "UPDATE incidents SET state = 'acknowledged', acknowledged_at = ?, acknowledged_by = ?, updated_at = ? "
            "WHERE id = ?",
            (iso(now), line(by), iso(now), incident_id),
        )
        follow(db, incident_id, add_note(db, incident_id, "acknowledged", line(by), "", now), now)


def resolve(store: Store, incident_id: int, by: str, now: datetime, note: str = "") -> None:
    """Somebody ends it; it stays ended while its signal goes on. Again changes nothing. Raises UnknownIncident."""
    with store.write() as db:
        if state_of(db, incident_id)["state"] != "resolved":
            follow(db, incident_id, resolve_row(db, incident_id, line(by), line(note, 500), now), now)


def reopen(store: Store, incident_id: int, by: str, now: datetime) -> None:
    """Somebody opens it again, without a new message. Raises UnknownIncident, NotPossible."""
    with store.write() as db:
        row = state_of(db, incident_id)
        if row["state"] != "resolved":
            return
        other = db.execute(
            "SELECT id FROM incidents WHERE topic IS ? AND rule = ? AND subject = ? AND state <> 'resolved'",
            (row["topic"], row["rule"], row["subject"]),
        ).fetchone()
        if other is not None:
            raise NotPossible(f"Incident {other['id']} about the same thing is going on; see `resonance alerts show`.")
        db.execute(
            "UPDATE incidents SET state = 'open', resolved_at = NULL, updated_at = ?, last_active_at = ? WHERE id = ?",
            (iso(now), iso(now), incident_id),
        )
        follow(db, incident_id, add_note(db, incident_id, "reopened", line(by), "", now), now)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an answer: whether it was news, and the threshold that it moved."""

    noted: bool
    moved: Moved | None = None


def feedback(store: Store, incident_id: int, verdict: Verdict, by: str, note: str, now: datetime) -> Answer:
    """Somebody says whether it helped; the newest word counts, and moves the threshold of its rule on its topic.

    The same word of the same person again is no news, unless it brings a note. Raises UnknownIncident, ValueError.
    """
    if verdict not in ("helpful", "false_alarm"):
        raise ValueError("a verdict is helpful or false_alarm")
    by = line(by)
    with store.write() as db:
        subject = state_of(db, incident_id)
        if not note and _newest_word(db, incident_id, by) == verdict:
            return Answer(False)
        moved = learn(db, subject, verdict, by, now)
        db.execute(
            "INSERT INTO feedback (incident_id, at, by, verdict, note) VALUES (?, ?, ?, ?, ?)",
            (incident_id, iso(now), by, verdict, line(note, 1000)),
        )
        follow(db, incident_id, add_note(db, incident_id, "feedback", by, verdict, now), now)
    return Answer(True, moved)


def _newest_word(db: sqlite3.Connection, incident_id: int, by: str) -> str | None:
    row = db.execute(
        "SELECT verdict FROM feedback WHERE incident_id = ? AND by = ? ORDER BY id DESC LIMIT 1", (incident_id, by)
    ).fetchone()
    return None if row is None else str(row["verdict"])
