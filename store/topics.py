"""The configured topics in the file; a changed query makes a new version and matches the stored posts again."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from config import Topic
from store.db import Store
from store.matching import Matchers, query_of
from store.records import Account, Post, from_iso, iso

CHUNK = 500
_MENTION = re.compile(r"(?<![A-Za-z0-9_!#$%&*@＠])[@＠]([A-Za-z0-9_]+(?:@[A-Za-z0-9.-]*[A-Za-z0-9])?)")


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
    """Whether the stored posts are to be matched again; only the end of that writes the new query down."""
    row = connection.execute("SELECT query, timezone, active FROM topics WHERE slug = ?", (topic.slug,)).fetchone()
    if row is None:
        fresh = connection.execute("SELECT 1 FROM posts LIMIT 1").fetchone() is None
        connection.execute(
            "INSERT INTO topics (slug, name, version, query, timezone, changed_at) VALUES (?, ?, ?, ?, ?, ?)",
            (topic.slug, topic.title, int(fresh), query_of(topic) if fresh else "", topic.timezone, iso(now)),
        )
        return not fresh
    connection.execute(
        "UPDATE topics SET name = ?, timezone = ?, active = 1 WHERE slug = ?", (topic.title, topic.timezone, topic.slug)
    )
    if row["timezone"] != topic.timezone:  # the hours are written again, with their local time
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('topic', ?)", (topic.slug,))
    return not row["active"] or row["query"] != query_of(topic)


def rematch(store: Store, topic: Topic, now: datetime, progress: Callable[[int], None] | None = None) -> None:
    """Match every stored post with the topic's present query, in short transactions; can be killed and run again.

    What had been read was read for the old query. Unless the new one only finds less, the periods that were observed
    are forgotten: a word that is new in the query must not look like a rise.
    """
    matchers = Matchers([topic])
    before, known = store.query("SELECT query, version FROM topics WHERE slug = ?", (topic.slug,))[0]
    version = known + (before != query_of(topic))
    after = 0
    while rows := store.query(
        "SELECT p.*, a.handle FROM posts p LEFT JOIN accounts a ON a.id = p.author_id "
        "WHERE p.pk > ? AND p.removed_at IS NULL AND p.reference = 0 ORDER BY p.pk LIMIT ?",
        (after, CHUNK),
    ):
        after = rows[-1]["pk"]
        with store.write() as connection:
            mentioned = _mentioned(connection, [row["id"] for row in rows])
            for row in rows:
                _match_again(connection, matchers, topic.slug, version, row, mentioned.get(row["id"], ()), now)
        if progress:
            progress(len(rows))
    with store.write() as connection:
        if before and not narrower(json.loads(before), json.loads(query_of(topic))):
            connection.execute("DELETE FROM observations WHERE topic = ?", (topic.slug,))
        connection.execute(
            "UPDATE topics SET changed_at = CASE WHEN version = :version THEN changed_at ELSE :now END, "
            "query = :query, version = :version WHERE slug = :slug",
            {"query": query_of(topic), "version": version, "now": iso(now), "slug": topic.slug},
        )
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('topic', ?)", (topic.slug,))


def narrower(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> bool:
    """Whether every post that `after` finds had been found by `before` too; sources are observed one by one."""
    found = ("keywords", "phrases", "hashtags", "accounts", "own_accounts")
    if any(set(after[name]) - set(before[name]) for name in found) or set(before["exclude"]) - set(after["exclude"]):
        return False
    return not before["languages"] or bool(after["languages"] and set(after["languages"]) <= set(before["languages"]))


def _match_again(
    connection: sqlite3.Connection,
    matchers: Matchers,
    slug: str,
    version: int,
    row: sqlite3.Row,
    mentioned: Sequence[str],
    now: datetime,
) -> None:
    author = Account(row["author_id"], row["network"], row["handle"]) if row["author_id"] else None
    found = matchers.match(stored_post(row, mentioned), author)
    if not found:
        connection.execute("DELETE FROM matches WHERE topic = ? AND post_id = ?", (slug, row["id"]))
        return
    connection.execute(
        "INSERT INTO matches (topic, post_id, created_at, own, version, matched_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (topic, post_id) DO UPDATE SET own = excluded.own, version = excluded.version",
        (slug, row["id"], row["created_at"], found[0].own, version, iso(now)),
    )


def _mentioned(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Whom posts address, by the interactions that were stored with them: a text may name `@user` without its host."""
    found: dict[str, list[str]] = {}
    for post_id, target, handle in connection.execute(
        "SELECT i.via_post_id, i.target_id, a.handle FROM interactions i LEFT JOIN accounts a ON a.id = i.target_id "
        f"WHERE i.target_id IS NOT NULL AND i.kind <> 'quote' AND i.via_post_id IN ({','.join('?' * len(ids))})",
        ids,
    ):
        name = target.removeprefix("acct:") if target.startswith("acct:") else f"x:{handle}" if handle else None
        found.setdefault(post_id, []).extend([name] if name else [])
    return found


def stored_post(row: sqlite3.Row, mentioned: Sequence[str] = ()) -> Post:
    """A row of `posts` as the record; the mentions are those in its text, and `mentioned`."""
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
        mentions=(*_mentions(row["text"], row["network"]), *mentioned),
        links=tuple(json.loads(row["links"])),
    )


def _mentions(text: str, network: str) -> tuple[str, ...]:
    return tuple(f"x:{name}" if network == "x" else name for name in _MENTION.findall(text))
