"""Keeping the file small and lawful: retention, thinning of old runs, changes that everybody has read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from config import Settings
from resonance.pipeline.graph import forget_runs
from store import Store
from store.records import iso
from store.removal import purge_posts
from store.stages import prune_changes

RECENT = timedelta(days=3)  # runs of these days are all kept; of older days the last one
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """What housekeeping took away."""

    posts: int
    runs: int
    changes: int
    log_bytes: int = 0
    """Of the WAL, which a reader that does not end keeps."""


def keep_house(store: Store, settings: Settings, now: datetime) -> Kept:
    """Purge what is older than its topics' retention, thin old runs, forget read changes, and shrink the WAL."""
    posts, runs, changes = _retention(store, settings, now), _thin_runs(store, now), prune_changes(store)
    log_bytes = store.checkpoint()
    with store.write() as connection:  # it reads before it writes: without BEGIN IMMEDIATE it may find the file locked
        connection.execute("PRAGMA optimize")
    return Kept(posts, runs, changes, log_bytes)


def _retention(store: Store, settings: Settings, now: datetime) -> int:
    """A post is kept as long as the longest retention of the topics that it belongs to; without a topic, of all."""
    days = {topic.slug: topic.retention_days for topic in settings.topics}
    if not days:
        return 0
    longest = max(days.values())
    limits = " ".join(f"WHEN '{slug}' THEN {count}" for slug, count in days.items())
    purged = 0
    while ids := [
        row[0]
        for row in store.query(
            f"""SELECT p.id FROM posts p WHERE p.removed_at IS NULL AND p.created_at < :shortest
                  AND julianday(:now) - julianday(p.created_at) > COALESCE(
                    (SELECT MAX(CASE m.topic {limits} ELSE 0 END) FROM matches m WHERE m.post_id = p.id), {longest})
                LIMIT {CHUNK}""",
            {"now": iso(now), "shortest": iso(now - timedelta(days=min(days.values())))},
        )
    ]:
        with store.write() as connection:
            purged += purge_posts(connection, ids, "retention", now)
            connection.executemany("UPDATE posts SET author_id = NULL WHERE id = ?", [(i,) for i in ids])
    return purged


def _thin_runs(store: Store, now: datetime) -> int:
    rows = store.query(
        "SELECT id FROM runs r WHERE started_at < :limit AND state <> 'running' AND EXISTS (SELECT 1 FROM runs n "
        "WHERE n.topic = r.topic AND n.kind = r.kind AND n.state = 'done' AND n.id > r.id "
        "AND substr(n.started_at, 1, 10) = substr(r.started_at, 1, 10))",
        {"limit": iso(now - RECENT)},
    )
    for row in rows:
        with store.write() as connection:
            forget_runs(connection, [row["id"]])
    return len(rows)
