"""The configured topics in the file; a changed query makes a new version and matches the stored posts again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from config import Topic
from store.db import Store
from store.matching import Matchers, query_of
from store.records import Account, Post, from_iso, iso

CHUNK = 500


def sync_topics(
    store: Store, topics: Sequence[Topic], now: datetime, progress: Callable[[int], None] | None = None
) -> list[str]:
    """Bring the table `topics` up to the configuration; returns the slugs that were matched again."""
    with store.write() as connection:
        slugs = [t.slug for t in topics]
        marks = ",".join("?" * len(slugs))
        connection.execute(f"UPDATE topics SET active = 0 WHERE slug NOT IN ({marks})", slugs)
        changed = [topic for topic in topics if _upsert(connection, topic, now)]
    for topic in changed:
        rematch(store, topic, now, progress)
    return [topic.slug for topic in changed]


def _upsert(connection: sqlite3.Connection, topic: Topic, now: datetime) -> bool:
    row = connection.execute("SELECT version, query FROM topics WHERE slug = ?", (topic.slug,)).fetchone()
    query = query_of(topic)
    if row is None:
        connection.execute(
            "INSERT INTO topics (slug, name, version, query, timezone, changed_at) VALUES (?, ?, 1, ?, ?, ?)",
            (topic.slug, topic.title, query, topic.timezone, iso(now)),
        )
        return connection.execute("SELECT 1 FROM posts LIMIT 1").fetchone() is not None
    connection.execute(
        "UPDATE topics SET name = ?, timezone = ?, active = 1 WHERE slug = ?", (topic.title, topic.timezone, topic.slug)
    )
    if row["query"] == query:
        return False
    connection.execute(
        "UPDATE topics SET query = ?, version = version + 1, changed_at = ? WHERE slug = ?",
        (query, iso(now), topic.slug),
    )
    return True


def rematch(store: Store, topic: Topic, now: datetime, progress: Callable[[int], None] | None = None) -> None:
    """Match every stored post with the topic's present query, in short transactions; can be killed and run again."""
    matchers = Matchers([topic])
    version = store.one("SELECT version FROM topics WHERE slug = ?", (topic.slug,))
    after = 0
    while rows := store.query(
        "SELECT p.*, a.handle FROM posts p LEFT JOIN accounts a ON a.id = p.author_id "
        "WHERE p.pk > ? AND p.removed_at IS NULL AND p.reference = 0 ORDER BY p.pk LIMIT ?",
        (after, CHUNK),
    ):
        after = rows[-1]["pk"]
        with store.write() as connection:
            for row in rows:
                _match_again(connection, matchers, topic.slug, version, row, now)
        if progress:
            progress(len(rows))
    with store.write() as connection:
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('topic', ?)", (topic.slug,))


def _match_again(
    connection: sqlite3.Connection, matchers: Matchers, slug: str, version: int, row: sqlite3.Row, now: datetime
) -> None:
    author = Account(row["author_id"], row["network"], row["handle"]) if row["author_id"] else None
    found = matchers.match(stored_post(row), author)
    if not found:
        connection.execute("DELETE FROM matches WHERE topic = ? AND post_id = ?", (slug, row["id"]))
        return
    connection.execute(
        "INSERT INTO matches (topic, post_id, created_at, own, version, matched_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (topic, post_id) DO UPDATE SET own = excluded.own, version = excluded.version",
        (slug, row["id"], row["created_at"], found[0].own, version, iso(now)),
    )


def stored_post(row: sqlite3.Row) -> Post:
    """A row of `posts` as the record; the mentions are taken from its text."""
    return Post(
        id=row["id"],
        network=row["network"],
        author_id=row["author_id"],
        text=row["text"],
        created_at=from_iso(row["created_at"]),
        source=row["network"],
        native_id=row["id"],
        lang=row["lang"],
        url=row["url"],
        reply_to_id=row["reply_to_id"],
        quote_of_id=row["quote_of_id"],
        conversation_id=row["conversation_id"],
        spoiler=row["spoiler"],
        hashtags=tuple(json.loads(row["hashtags"])),
        mentions=_mentions(row["text"], row["network"]),
        links=tuple(json.loads(row["links"])),
    )


def _mentions(text: str, network: str) -> tuple[str, ...]:
    words = (w.strip(".,:;!?)(」』、。") for w in text.split() if w.startswith(("@", "＠")))
    handles = [w.lstrip("@＠") for w in words]
    return tuple(f"x:{h}" if network == "x" else h for h in handles if h)
