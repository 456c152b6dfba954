"""Reading a topic's window from the store in the form that the analysis wants."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import compress, count
from operator import itemgetter
from typing import Any

import numpy as np

from analysis.graph import MENTION, UNKNOWN, BoolArray, Builder, FloatArray, Interactions
from analysis.influence.exclude import Exclusions, devoted
from analysis.influence.giveaway import giveaways
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
             CASE WHEN i.target_post_id IS NOT NULL THEN i.via_post_id ELSE '' END
           FROM interactions i
           WHERE i.time_high >= :start AND i.time_high < :end AND target IS NOT NULL""",
        {"start": iso(window.start), "end": iso(window.end)},
    )
    builder, via, size = Builder(), _Via(), 0
    for piece in rows:
        *told, posts = columns(piece, 6)
        builder.add(*told)
        via.add(size, posts)
        size += len(piece)
    found = builder.finish()
    chosen, negative = via.about(store, topic, found)
    return _followed(store, replace(found, negative=negative).among(chosen))


class _Via:
    """The posts by which people reacted to posts (quotes, replies), and in which rows."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.posts: list[str] = []

    def add(self, begin: int, posts: Sequence[str]) -> None:
        """Posts of the rows from `begin` on; empty where there is none."""
        self.rows += compress(count(begin), posts)
        self.posts += filter(None, posts)

    def about(self, store: Store, topic: Topic, found: Interactions) -> tuple[BoolArray, FloatArray]:
        """Which rows (n,) are about a topic, by either of their posts, and how negative their texts are (n,).

        Posts are looked up once each: looking up every row in the same question takes three times as long.
        """
        matched = np.append(_matched(store, topic, found.items), False)  # the last for UNKNOWN
        chosen: BoolArray = matched[found.item]
        rows = np.array(self.rows, np.int64)
        open_ = np.flatnonzero(~chosen[rows])
        chosen[rows[open_[_matched(store, topic, [self.posts[i] for i in open_.tolist()])]]] = True
        wanted = np.flatnonzero(chosen[rows])
        negative = np.full(len(found), np.nan)
        negative[rows[wanted]] = _negative(store, [self.posts[i] for i in wanted.tolist()])
        return chosen, negative


def _matched(store: Store, topic: Topic, posts: Sequence[str]) -> BoolArray:
    """Which of some posts belong to a topic."""
    sql = (
        "SELECT j.key FROM json_each(?) j "
        "WHERE EXISTS (SELECT 1 FROM matches m WHERE m.topic = ? AND m.post_id = j.value)"
    )
    found = np.zeros(len(posts), bool)
    for begin in range(0, len(posts), PIECE):
        part = json.dumps(posts[begin : begin + PIECE])
        for piece in pieces(store, sql, (part, topic.slug)):
            found[[begin + row[0] for row in piece]] = True
    return found


def _negative(store: Store, posts: Sequence[str]) -> FloatArray:
    """Probability that each of some texts is negative, by the newest scoring; NaN where it is not scored."""
    sql = (
        "SELECT j.key, s.negative FROM json_each(?) j JOIN posts p ON p.id = j.value "
        "JOIN sentiments s ON s.post_id = p.id AND s.text_hash = p.text_hash ORDER BY s.scored_at"
    )
    found = np.full(len(posts), np.nan)
    for begin in range(0, len(posts), PIECE):
        for piece in pieces(store, sql, (json.dumps(posts[begin : begin + PIECE]),)):
            for row, value in piece:
                found[begin + row] = value
    return found


def _followed(store: Store, found: Interactions) -> Interactions:
    """The same with the followers of its accounts."""
    for piece in pieces(store, "SELECT id, followers FROM accounts WHERE followers IS NOT NULL"):
        names, counts = columns(piece, 2)
        codes = found.places(names)
        known = codes != UNKNOWN
        found.followers[codes[known]] = np.array(counts, float)[known]
    return found


def pieces(store: Store, sql: str, parameters: Any = ()) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of a question as plain tuples, so many at a time that a large answer never lies in memory whole."""
    with store.translating():
        cursor = store.connection.cursor()
        cursor.row_factory = None
        cursor.execute(sql, parameters)
        while piece := cursor.fetchmany(PIECE):
            yield piece


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as so many columns; zip(*rows), which makes an iterator for each row, takes ten times as long."""
    return [list(map(itemgetter(place), rows)) for place in range(width)]


def exclusions(
    store: Store, topic: Topic, window: Window, found: Interactions, coordinated: frozenset[str] = frozenset()
) -> Exclusions:
    """What does not count among a topic's interactions: own accounts, bots, newcomers, giveaways, coordination."""
    own = frozenset(account_key(a) for a in topic.own_accounts)
    accounts = pieces(store, "SELECT id, network, handle FROM accounts") if own else ()
    bots = pieces(store, "SELECT id FROM accounts WHERE bot")
    ours = frozenset(row[0] for piece in accounts for row in piece if keys_of(Account(*row), row[0]) & own)
    return Exclusions(
        own=ours,
        newcomers=_newcomers(store, topic, window, devoted(found, ours)),
        bots=frozenset(row[0] for piece in bots for row in piece),
        coordinated=coordinated,
        giveaways=frozenset(post for piece in _texts(store, _posts(found)) for post in _giveaways(piece)),
    )


def _newcomers(store: Store, topic: Topic, window: Window, accounts: Sequence[str]) -> frozenset[str]:
    """Those of some accounts that nobody had seen before the window.

    None before the topic has been watched for longer than its window: until then everybody is new. An account that an
    import brought counts from its oldest post or reaction.
    """
    start = iso(window.start)
    watched = store.one("SELECT MIN(start_utc) FROM observations WHERE topic = ?", (topic.slug,))
    watched = watched or store.one("SELECT MIN(created_at) FROM matches WHERE topic = ?", (topic.slug,))
    if watched is None or watched >= start:
        return frozenset()
    sql = """SELECT a.id FROM json_each(:some) j JOIN accounts a ON a.id = j.value AND a.first_seen >= :start
             WHERE NOT EXISTS (SELECT 1 FROM posts WHERE author_id = a.id AND created_at < :start)
               AND NOT EXISTS (SELECT 1 FROM interactions WHERE kind IN ('reshare', 'quote', 'reply', 'mention')
                 AND source_id = a.id AND time_high < :start)"""
    parts = (json.dumps(accounts[begin : begin + PIECE]) for begin in range(0, len(accounts), PIECE))
    found = (pieces(store, sql, {"some": part, "start": start}) for part in parts)
    return frozenset(row[0] for answer in found for piece in answer for row in piece)


def _posts(found: Interactions) -> list[str]:
    """Posts that were reacted to; the item of a mention is the mention itself."""
    codes = np.unique(found.item[(found.item != UNKNOWN) & (found.kind != MENTION)])
    return [found.items[code] for code in codes.tolist()]


def _texts(store: Store, posts: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """Some posts with their texts, many at a time."""
    sql = "SELECT p.id, p.text FROM json_each(?) j JOIN posts p ON p.id = j.value"
    for begin in range(0, len(posts), PIECE):
        yield from pieces(store, sql, (json.dumps(posts[begin : begin + PIECE]),))


def _giveaways(posts: Sequence[tuple[str, str]]) -> list[str]:
    return [posts[place][0] for place in giveaways([text for _, text in posts])]
