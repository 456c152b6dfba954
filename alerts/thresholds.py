"""People's answers move the threshold of a rule on a topic: shown, bounded, reversible.

A weighted staircase (Kaernbach 1991, Simple adaptive testing with the weighted up-down method): a false alarm raises
the factor by UP, a helpful alert lowers it by DOWN = UP / 3, both in logarithms, so that it settles where three of four
alerts help. Each incident counts once, by the newest word on it.

Only alerts that were raised can be judged, so a factor above 1 would keep itself where it is. What nobody has spoken
about for FADE_AFTER therefore fades: half of the way back (in logarithms) to what the sensitivity says, as a change of
its own that is shown and can be taken back.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log
from typing import Any

from alerts.errors import NotPossible
from alerts.safe import line
from store.db import Store
from store.records import iso

LOWEST, HIGHEST = 0.8, 1.5
UP = 0.09
DOWN = UP / 3
STEPS = {"false_alarm": UP, "helpful": -DOWN}
FADE_AFTER = timedelta(days=30)
FADE = 0.5
SETTLED = 0.01
"""In logarithms: what is nearer to 1 than this fades to 1."""
FADED = "faded: "


@dataclass(frozen=True, slots=True)
class Moved:
    """A threshold that an answer moved, as a factor on the bound of the topic's sensitivity."""

    topic: str
    rule: str
    before: float
    after: float
    change: int = 0
    """threshold_changes.id, by which it is taken back."""


def factor(store: Store, topic: str, rule: str) -> float:
    """What the bound of the topic's sensitivity is multiplied by, LOWEST..HIGHEST; above 1 alerts are rarer."""
    return _current(store.connection, topic, rule)


def learn(db: sqlite3.Connection, incident: sqlite3.Row, verdict: str, by: str, now: datetime) -> Moved | None:
    """Move the threshold by an answer, in the transaction that stores it; None when nothing moves.

    A changed mind takes the earlier answer's step back first. A source has no threshold; what is historic does not
    count.
    """
    topic, rule = incident["topic"], incident["rule"]
    if topic is None or incident["historic"]:
        return None
    answered = db.execute(
        "SELECT verdict FROM feedback WHERE incident_id = ? ORDER BY id DESC LIMIT 1", (incident["id"],)
    ).fetchone()
    if answered is not None and answered[0] == verdict:
        return None
    before = _current(db, topic, rule)
    step = STEPS[verdict] - _still_there(db, topic, rule, incident["id"])
    after = before * exp(step)
    return _change(db, topic, rule, before, after, f"incident {incident['id']}: {verdict} ({line(by, 60)})", now)


def _still_there(db: sqlite3.Connection, topic: str, rule: str, incident_id: int) -> float:
    """What the answers on this incident moved, in logarithms, as far as it has not faded since."""
    moved = 0.0
    for row in db.execute(
        "SELECT before, after, reason FROM threshold_changes WHERE topic = ? AND rule = ? AND reverted_at IS NULL "
        "ORDER BY id",
        (topic, rule),
    ):
        if row["reason"].startswith(f"incident {incident_id}:"):
            moved += log(row["after"] / row["before"])
        elif row["reason"].startswith(FADED) and row["before"] != 1:
            moved *= log(row["after"]) / log(row["before"])
    return moved


def fade(store: Store, now: datetime) -> list[Moved]:
    """Let what nobody has spoken about for FADE_AFTER go half of the way back to 1; returns what moved."""
    resting = (
        "SELECT topic, rule FROM threshold_changes GROUP BY topic, rule "
        "HAVING MAX(at) <= ? AND COALESCE(MAX(reverted_at), '') <= ?"
    )
    until = iso(now - FADE_AFTER)
    found = [(row["topic"], row["rule"]) for row in store.query(resting, (until, until))]
    if all(factor(store, topic, rule) == 1 for topic, rule in found):
        return []
    with store.write() as db:
        return [moved for topic, rule in found if (moved := _fade(db, topic, rule, now)) is not None]


def _fade(db: sqlite3.Connection, topic: str, rule: str, now: datetime) -> Moved | None:
    before = _current(db, topic, rule)
    distance = log(before) * FADE
    after = exp(distance) if abs(distance) > SETTLED else 1.0
    return _change(db, topic, rule, before, after, f"{FADED}no answer for {FADE_AFTER.days} days", now)


def _change(
    db: sqlite3.Connection, topic: str, rule: str, before: float, after: float, reason: str, now: datetime
) -> Moved | None:
    """Write a change within the bounds; None when it would change nothing."""
    after = round(min(max(after, LOWEST), HIGHEST), 4)
    if after == before:
        return None
    cursor = db.execute(
        "INSERT INTO threshold_changes (topic, rule, at, before, after, reason) VALUES (?, ?, ?, ?, ?, ?)",
        (topic, rule, iso(now), before, after, reason),
    )
    return Moved(topic, rule, before, after, int(cursor.lastrowid or 0))


def revert(store: Store, change_id: int, now: datetime) -> Moved:
    """Take a change back, and all that the same rule and topic saw since. Raises NotPossible."""
    with store.write() as db:
        row = db.execute(
            "SELECT topic, rule, before FROM threshold_changes WHERE id = ? AND reverted_at IS NULL", (change_id,)
        ).fetchone()
        if row is None:
            raise NotPossible(f"There is no change {change_id} to take back. `resonance alerts thresholds` lists them.")
        current = _current(db, row["topic"], row["rule"])
        db.execute(
            "UPDATE threshold_changes SET reverted_at = ? WHERE id >= ? AND topic = ? AND rule = ? "
            "AND reverted_at IS NULL",
            (iso(now), change_id, row["topic"], row["rule"]),
        )
        return Moved(row["topic"], row["rule"], current, _current(db, row["topic"], row["rule"]), change_id)


def listed(store: Store, *, everything: bool = False) -> list[dict[str, Any]]:
    """The changes that hold (or all there were), the newest first, each with the factor in force for its rule."""
    rows = store.query(
        "SELECT id, topic, rule, at, before, after, reason, reverted_at FROM threshold_changes "
        "WHERE ? OR reverted_at IS NULL ORDER BY id DESC",
        (everything,),
    )
    return [{**dict(row), "factor": factor(store, row["topic"], row["rule"])} for row in rows]


def _current(db: sqlite3.Connection, topic: str, rule: str) -> float:
    row = db.execute(
        "SELECT after FROM threshold_changes WHERE topic = ? AND rule = ? AND reverted_at IS NULL "
        "ORDER BY id DESC LIMIT 1",
        (topic, rule),
    ).fetchone()
    return 1.0 if row is None else min(max(float(row["after"]), LOWEST), HIGHEST)
