"""Whether two periods of a topic may be compared: the same query, the same networks, nothing from an archive."""

from __future__ import annotations

from datetime import datetime

from config import Topic
from store import Store
from store.records import iso
from store.topic_hours import networks_now, read_bins

COVERED = 0.9  # share of the period that every network must have been read


def comparable(store: Store, topic: Topic, start: datetime, end: datetime) -> bool:
    """Whether a topic was watched in the same way from `start` to `end`, and nothing of it came from an archive."""
    if store.one("SELECT 1 FROM topics WHERE slug = ? AND changed_at > ?", (topic.slug, iso(start))):
        return False
    archived = store.one(
        "SELECT 1 FROM matches m JOIN posts p ON p.id = m.post_id WHERE m.topic = ? AND m.created_at >= ? "
        "AND m.created_at < ? AND p.imported = 1 LIMIT 1",
        (topic.slug, iso(start), iso(end)),
    )
    networks = networks_now(store, topic.slug, end)
    if archived or not networks:
        return False
    coverage = read_bins(store, topic.slug, start, end, networks).coverage
    return sum(coverage) >= COVERED * len(coverage)
