"""Reading a topic's window from the store in the form that the analysis wants."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analysis.graph import MENTION, UNKNOWN, Builder, Interactions
from analysis.influence.exclude import Exclusions
from analysis.influence.giveaway import is_giveaway
from config import Topic
from store import Store
from store.matching import account_key, keys_of
from store.records import Account, iso

PIECE = 10_000  # rows read at a time


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, topic: Topic, now: datetime) -> Window:
        """The topic's analysis window up to now."""
        return cls(now - timedelta(days=topic.window_days), now)


def interactions(store: Store, topic: Topic, window: Window) -> Interactions:
    """Who reacted to whom about a topic: edges to its posts, and edges made by its posts."""
    rows = pieces(
        store,
        """SELECT i.source_id,
             COALESCE(i.target_id, (SELECT author_id FROM posts WHERE id = i.target_post_id)) AS target,
             CASE WHEN i.time_low = i.time_high THEN unixepoch(i.time_high)
               ELSE (COALESCE(unixepoch(i.time_low), unixepoch(i.time_high)) + unixepoch(i.time_high)) / 2.0 END,
             i.kind, COALESCE(i.target_post_id, NULLIF(i.via_post_id, '')),
             CASE WHEN i.via_post_id <> '' THEN (
               SELECT s.negative FROM posts v JOIN sentiments s ON s.post_id = v.id AND s.text_hash = v.text_hash
               WHERE v.id = i.via_post_id ORDER BY s.scored_at DESC LIMIT 1) END
           FROM interactions i
           WHERE i.time_high >= :start AND i.time_high < :end AND target IS NOT NULL
             AND (EXISTS (SELECT 1 FROM matches m WHERE m.topic = :topic AND m.post_id = i.target_post_id)
               OR i.via_post_id <> ''
               AND EXISTS (SELECT 1 FROM matches m WHERE m.topic = :topic AND m.post_id = i.via_post_id))""",
        {"topic": topic.slug, "start": iso(window.start), "end": iso(window.end)},
    )
    builder = Builder()
    for piece in rows:
        builder.add(*zip(*piece, strict=True))
    known = pieces(store, "SELECT id, followers FROM accounts WHERE followers IS NOT NULL")
    followers = {name: float(count) for piece in known for name, count in piece if builder.knows(name)}
    return builder.finish(followers)


def pieces(store: Store, sql: str, parameters: Any = ()) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of a question as plain tuples, so many at a time that a large answer never lies in memory whole."""
    with store.translating():
        cursor = store.connection.cursor()
        cursor.row_factory = None
        cursor.execute(sql, parameters)
        while piece := cursor.fetchmany(PIECE):
            yield piece


def exclusions(
    store: Store, topic: Topic, found: Interactions, coordinated: frozenset[str] = frozenset()
) -> Exclusions:
    """What does not count among a topic's interactions: own accounts, declared bots, giveaways, coordination."""
    own = frozenset(account_key(a) for a in topic.own_accounts)
    accounts = pieces(store, "SELECT id, network, handle FROM accounts") if own else ()
    bots = pieces(store, "SELECT id FROM accounts WHERE bot")
    return Exclusions(
        own=frozenset(row[0] for piece in accounts for row in piece if keys_of(Account(*row), row[0]) & own),
        bots=frozenset(row[0] for piece in bots for row in piece),
        coordinated=coordinated,
        giveaways=frozenset(post for post, text in _texts(store, topic, _posts(found)) if is_giveaway(text)),
    )


def _posts(found: Interactions) -> list[str]:
    """Posts that were reacted to; the item of a mention is the mention itself."""
    codes = np.unique(found.item[(found.item != UNKNOWN) & (found.kind != MENTION)])
    return [found.items[code] for code in codes.tolist()]


def _texts(store: Store, topic: Topic, posts: Sequence[str]) -> Iterator[tuple[str, str]]:
    sql = (
        "SELECT p.id, p.text FROM posts p WHERE p.id IN (SELECT value FROM json_each(?)) "
        "AND EXISTS (SELECT 1 FROM matches m WHERE m.topic = ? AND m.post_id = p.id)"
    )
    for begin in range(0, len(posts), PIECE):
        for piece in pieces(store, sql, (json.dumps(posts[begin : begin + PIECE]), topic.slug)):
            yield from piece
