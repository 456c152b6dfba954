"""What is moving: asks again for counts, reshares, quotes and replies of stored posts, when they are due."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event

from collector.base import Source, Target
from collector.errors import CollectorError, Deferred, NetworkDown, NotAuthorised
from collector.refresh_plan import Plan, plan
from config import Settings
from resonance.pipeline.collect import Collected
from store import Store
from store.ingest import save_page
from store.matching import Matchers
from store.records import from_iso, iso

WATCHED = timedelta(days=7)
MOST = 300  # targets a call


def enrol(store: Store, settings: Settings, now: datetime) -> int:
    """Put matched posts of the last seven days on the list, each once; returns how many were new."""
    added = 0
    for topic in settings.topics:
        with store.write() as connection:
            added += connection.execute(
                "INSERT INTO refresh_requests (post_id, due_at, priority, asked_by) "
                "SELECT m.post_id, ?, 0, 'age' FROM matches m JOIN posts p ON p.id = m.post_id "
                "WHERE m.topic = ? AND m.created_at >= ? AND p.removed_at IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM refresh_requests r WHERE r.post_id = m.post_id)",
                (iso(now), topic.slug, iso(now - WATCHED)),
            ).rowcount
    return added


def refresh(store: Store, settings: Settings, source: Source, now: datetime, stop: Event | None = None) -> Collected:
    """Ask one source again about the posts that are due, the most promising first."""
    done = Collected()
    due = _due(store, source, now)
    if not due:
        return done
    matchers = Matchers(settings.topics)
    answered: set[str] = set()
    try:
        targets = [_target(row, now) for row in due]
        deep = {target.post_id for target in targets if target.deep}
        for page in source.refresh(targets, now, stop):
            done.saved += save_page(store, page, matchers, now)
            done.pages += 1
            answered.update(page.refreshed)
            _remember_deep(store, deep.intersection(page.refreshed), now)
    except CollectorError as error:
        done.errors.append(error)
    broken_off = any(isinstance(error, Deferred | NetworkDown | NotAuthorised) for error in done.errors)
    # What could not be asked stays due, or an outage would hide a removal for as long as the interval.
    _reschedule(
        store,
        [row for row in due if row["post_id"] in answered] if broken_off or (stop and stop.is_set()) else due,
        now,
    )
    return done


def _remember_deep(store: Store, post_ids: set[str], now: datetime) -> None:
    with store.write() as connection:
        connection.executemany(
            "UPDATE refresh_requests SET deep_at = ? WHERE post_id = ?", [(iso(now), post_id) for post_id in post_ids]
        )


def _due(store: Store, source: Source, now: datetime) -> list[sqlite3.Row]:
    return store.query(
        """SELECT r.post_id, r.priority, r.deep_at, MAX(s.native_id) AS native_id, p.network, p.created_at, p.author_id,
             COALESCE((SELECT MAX(c.per_hour) FROM cascades c WHERE c.post_id = r.post_id), 0) AS per_hour
           FROM refresh_requests r
           JOIN posts p ON p.id = r.post_id AND p.removed_at IS NULL
           JOIN post_sources s ON s.post_id = r.post_id AND s.source = ?
           WHERE r.due_at <= ?
           GROUP BY r.post_id ORDER BY r.priority + per_hour DESC, p.created_at DESC LIMIT ?""",
        (source.name, iso(now), MOST),
    )


def _plan(row: sqlite3.Row, now: datetime) -> Plan:
    return plan(row["network"], from_iso(row["created_at"]), now, row["per_hour"], row["priority"])


def _target(row: sqlite3.Row, now: datetime) -> Target:
    return Target(
        row["post_id"],
        row["native_id"],
        from_iso(row["created_at"]),
        row["author_id"],
        deep=_plan(row, now).deep,
        deep_at=from_iso(row["deep_at"]) if row["deep_at"] else None,
    )


def _reschedule(store: Store, rows: Sequence[sqlite3.Row], now: datetime) -> None:
    """The next time by age and by how much is going on; what is old and still is no longer asked about."""
    with store.write() as connection:
        for row in rows:
            due = _plan(row, now).due
            if due is None:
                connection.execute("DELETE FROM refresh_requests WHERE post_id = ?", (row["post_id"],))
            else:
                connection.execute(
                    "UPDATE refresh_requests SET due_at = ? WHERE post_id = ?", (iso(due), row["post_id"])
                )
