"""People's answers move the threshold of a rule on a topic: shown, bounded, reversible.

A weighted staircase (Kaernbach 1991, Simple adaptive testing with the weighted up-down method): a false alarm raises
the factor by UP, a helpful alert lowers it by DOWN = UP / 3, both in logarithms, so that it settles where three of four
alerts help. Each incident counts once, by the newest word on it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Moved:
    """A threshold that an answer moved, as a factor on the bound of the topic's sensitivity."""

    topic: str
    rule: str
    before: float
    after: float


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
    earlier = db.execute(
        "SELECT before, after FROM threshold_changes WHERE topic = ? AND rule = ? AND reverted_at IS NULL "
        "AND reason LIKE ?",
        (topic, rule, f"incident {incident['id']}:%"),
    ).fetchall()
    answered = db.execute(
        "SELECT verdict FROM feedback WHERE incident_id = ? ORDER BY id DESC LIMIT 1", (incident["id"],)
    ).fetchone()
    if answered is not None and answered[0] == verdict:
        return None
    before = _current(db, topic, rule)
    step = STEPS[verdict] - sum(log(row["after"] / row["before"]) for row in earlier)
    after = round(min(max(before * exp(step), LOWEST), HIGHEST), 4)
    if after == before:
        return None
    db.execute(
        "INSERT INTO threshold_changes (topic, rule, at, before, after, reason) VALUES (?, ?, ?, ?, ?, ?)",
        (topic, rule, iso(now), before, after, f"incident {incident['id']}: {verdict} ({line(by, 60)})"),
    )
    return Moved(topic, rule, before, after)


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
        return Moved(row["topic"], row["rule"], current, _current(db, row["topic"], row["rule"]))


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
