"""Cascades of a topic's posts: how each spreads, how far it will go, and how closely it is to be watched.

Suspects of coordination and declared bots are left out where it is known who reacted; the size with them stands beside.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from analysis.cascades import ENOUGH, Cascade, Forecast, Forecaster, from_counts, from_events
from analysis.cascades.tree import Entry, Shape, Share, shape, shape_of_counts
from config import Settings, Topic
from resonance import __version__
from resonance.pipeline.reading import pieces
from store import Store
from store.records import from_iso, iso
from store.stages import mark_of, newest_change, set_mark
from store.suspects import suspects_of

WEEK = timedelta(days=7)
NEARLY_OVER = timedelta(days=3)  # what is this old counts as finished when the largest are looked for
LEAST = 3  # reshares and quotes from which a post is followed
REFERENCE = 20  # finished cascades of the topic below which the built-in reference answers
TOLD = 0.8  # share of the counted reshares that must be known by time, for the times to be used
REFIT = 50  # finished cascades by which the topic's own forecaster is fitted again
STAGE = "spread"
PIECE = 500  # posts read, or written in one transaction


@dataclass(frozen=True, slots=True)
class Spread:
    """One followed post."""

    post_id: str
    started: datetime
    known_until: datetime
    cascade: Cascade
    shape: Shape
    per_hour: float
    left_out: int


def follow_cascades(store: Store, settings: Settings, now: datetime) -> int:
    """Update the cascades that changed since the last call, with a new forecast each; returns how many."""
    count = 0
    for topic in settings.topics:
        upto, after = newest_change(store), mark_of(store, STAGE, topic.slug)
        roots = _changed(store, topic, after, upto, now)
        spreads = _read(store, topic, roots, now)
        young = [s for s in spreads if now - s.started < WEEK]
        for begin in range(0, len(spreads), PIECE):
            with store.write() as connection:
                for spread in spreads[begin : begin + PIECE]:
                    _write(connection, topic, spread, now)
        if young:
            _tell(store, topic, young, _forecast(store, topic, young, now), now)
        with store.write() as connection:
            connection.execute(
                "UPDATE cascades SET finished = 1 WHERE topic = ? AND finished = 0 AND started_at < ?",
                (topic.slug, iso(now - WEEK)),
            )
            set_mark(connection, STAGE, upto, topic.slug)
        count += len(spreads)
    return count


def _tell(store: Store, topic: Topic, young: Sequence[Spread], forecast: Forecast, now: datetime) -> None:
    """Write the forecasts of some cascades."""
    for begin in range(0, len(young), PIECE):
        with store.write() as connection:
            for i, spread in enumerate(young[begin : begin + PIECE], begin):
                _write_forecast(connection, topic, spread, forecast, i, now)


def _changed(store: Store, topic: Topic, after: int, upto: int, now: datetime) -> list[sqlite3.Row]:
    """Matched posts about which something changed, and which enough people have passed on."""
    return store.query(
        """SELECT p.id, p.author_id, p.created_at, p.network, a.followers,
             (SELECT MAX(COALESCE(reshares, 0) + COALESCE(quotes, 0)) FROM metrics WHERE post_id = p.id) AS counted,
             (SELECT COUNT(*) FROM interactions WHERE target_post_id = p.id AND kind IN ('reshare', 'quote')) AS known,
             (SELECT MAX(observed_at) FROM metrics WHERE post_id = p.id) AS counted_at,
             (SELECT deep_at FROM refresh_requests WHERE post_id = p.id) AS deep_at
           FROM matches m JOIN posts p ON p.id = m.post_id LEFT JOIN accounts a ON a.id = p.author_id
           WHERE m.topic = :topic AND p.removed_at IS NULL AND p.created_at <= :now AND m.post_id IN (
             SELECT subject FROM changes
             WHERE seq > :after AND seq <= :upto AND kind IN ('interaction', 'metrics', 'suspect'))
           GROUP BY p.id HAVING MAX(COALESCE(counted, 0), known) >= :least""",
        {"topic": topic.slug, "after": after, "upto": upto, "least": LEAST, "now": iso(now)},
    )


def _read(store: Store, topic: Topic, roots: Sequence[sqlite3.Row], now: datetime) -> list[Spread]:
    """The cascades of some posts, from timed reactions where they are known, else from their counts."""
    members, found = _members(store, topic), []
    for begin in range(0, len(roots), PIECE):
        some = roots[begin : begin + PIECE]
        evidence = _Evidence.of(store, topic, [row["id"] for row in some], now)
        found += [s for s in (_spread(row, evidence, members, now) for row in some) if s]
    return found


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is known of the spread of some posts, by post.

    `edges`: reshares and quotes; `counts`: when how many were seen, the maximum over observers; `onwards`: what was
    passed on from a quote. `left_out`: accounts that do not count.
    """

    edges: Mapping[str, Sequence[_Edge]]
    counts: Mapping[str, Sequence[tuple[Any, ...]]]
    onwards: Mapping[str, Sequence[_Edge]]
    left_out: frozenset[str]

    @classmethod
    def of(cls, store: Store, topic: Topic, posts: Sequence[str], now: datetime) -> _Evidence:
        edges = _edges(store, posts, now)
        quotes = [edge.via for mine in edges.values() for edge in mine if edge.via]
        onwards = _edges(store, quotes, now) if quotes else {}
        counts = _by_first(
            store,
            "SELECT post_id, observed_at, MAX(COALESCE(reshares, 0) + COALESCE(quotes, 0)) FROM metrics "
            "WHERE post_id IN (SELECT value FROM json_each(?)) GROUP BY post_id, observed_at ORDER BY 1, 2",
            (json.dumps(posts),),
        )
        sources = [edge.source for mine in (*edges.values(), *onwards.values()) for edge in mine]
        return cls(edges, counts, onwards, suspects_of(store.connection, topic.slug, sources))


@dataclass(frozen=True, slots=True)
class _Edge:
    """A reshare or quote; `time` in unix seconds, the latest possible; `via` the quote, empty for a reshare."""

    source: str
    via: str
    time: float
    exact: bool
    followers: float

    def share(self, parent: str, started: float) -> Share:
        """The same as part of a cascade that began at `started`."""
        return Share(self.via or f"{self.source}>{parent}", self.source, max(0.0, self.time - started), parent)


def _edges(store: Store, posts: Sequence[str], now: datetime) -> dict[str, list[_Edge]]:
    found = _by_first(
        store,
        """SELECT i.target_post_id, i.source_id, i.via_post_id, unixepoch(i.time_high), i.time_low IS i.time_high,
             a.followers
           FROM json_each(?) j JOIN interactions i ON i.target_post_id = j.value
           LEFT JOIN accounts a ON a.id = i.source_id
           WHERE i.kind IN ('reshare', 'quote') AND i.time_high <= ?""",
        (json.dumps(posts), iso(now)),
    )
    return {
        post: [_Edge(s, via, at, bool(exact), np.nan if n is None else float(n)) for s, via, at, exact, n in rows]
        for post, rows in found.items()
    }


def _by_first(store: Store, sql: str, parameters: Sequence[object]) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of a question without their first column, by it."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for piece in pieces(store, sql, parameters):
        for first, *rest in piece:
            found.setdefault(first, []).append(tuple(rest))
    return found


def _spread(row: sqlite3.Row, evidence: _Evidence, members: Mapping[str, str], now: datetime) -> Spread | None:
    began = from_iso(row["created_at"])
    started = began.timestamp()
    followers = float(row["followers"]) if row["followers"] is not None else float("nan")
    exact = [edge for edge in evidence.edges.get(row["id"], ()) if edge.exact and edge.time >= started]
    counts = evidence.counts.get(row["id"], ())
    gone = 0
    if len(exact) >= TOLD * (row["counted"] or 0):
        kept = [edge for edge in exact if edge.source not in evidence.left_out]
        onwards = [(via, e) for edge in exact if (via := edge.via) for e in evidence.onwards.get(via, ())]
        honest = [(via, e) for via, e in onwards if e.source not in evidence.left_out]
        gone = len(exact) - len(kept) + len(onwards) - len(honest)
        cascade = from_events([e.time - started for e in kept], [e.followers for e in kept], followers)
        shares = [e.share(row["id"], started) for e in kept] + [e.share(via, started) for via, e in honest]
        form = shape(Share(row["id"], row["author_id"] or "", 0.0), shares, members)
        until = max([began, *(from_iso(t) for t in (row["deep_at"], row["counted_at"]) if t)])
    elif counts:
        ages = [max(0.0, from_iso(at).timestamp() - started) for at, _ in counts]
        cascade = from_counts(ages, [size + 1.0 for _, size in counts], followers)
        form = shape_of_counts(cascade)
        until = from_iso(counts[-1][0])
    else:
        return None
    age = now.timestamp() - started
    recent = float(np.searchsorted(cascade.times, age, "right") - np.searchsorted(cascade.times, age - 3600, "right"))
    return Spread(row["id"], began, min(until, now), cascade, form, recent, gone)


def _members(store: Store, topic: Topic) -> Mapping[str, str]:
    run = store.one("SELECT run_id FROM v_runs_latest WHERE kind = 'graph' AND topic = ?", (topic.slug,))
    return _members_of(store, run) if run else {}


@lru_cache(maxsize=8)
def _members_of(store: Store, run: int) -> Mapping[str, str]:
    rows = store.query("SELECT account_id, subcommunity FROM memberships WHERE run_id = ?", (run,))
    return {row[0]: row[1] for row in rows}


def _forecast(store: Store, topic: Topic, spreads: Sequence[Spread], now: datetime) -> Forecast:
    ages = np.array([max(1.0, (s.known_until - s.started).total_seconds()) for s in spreads])
    finals = [float(r[0]) for r in _sizes(store, topic, now - NEARLY_OVER)]
    forecaster = _forecaster(store, topic, now)
    return forecaster.forecast([s.cascade for s in spreads], ages, finals if len(finals) >= REFERENCE else None)


def _sizes(store: Store, topic: Topic, before: datetime) -> list[sqlite3.Row]:
    return store.query(
        "SELECT size FROM cascades WHERE topic = ? AND started_at < ? AND size > ?", (topic.slug, iso(before), LEAST)
    )


def _forecaster(store: Store, topic: Topic, now: datetime) -> Forecaster:
    """The built-in one, until the topic has enough finished cascades of its own to learn from."""
    finished = store.one(
        "SELECT COUNT(*) FROM cascades WHERE topic = ? AND finished = 1 AND kind <> 'counts' AND size > ?",
        (topic.slug, LEAST),
    )
    if finished < ENOUGH:
        return Forecaster.default()
    return _own(store, topic, finished // REFIT)


@lru_cache(maxsize=8)
def _own(store: Store, topic: Topic, generation: int) -> Forecaster:
    rows = store.query(
        "SELECT p.id, p.author_id, p.created_at, a.followers, NULL AS counted, NULL AS deep_at, NULL AS counted_at "
        "FROM cascades c JOIN posts p ON p.id = c.post_id LEFT JOIN accounts a ON a.id = p.author_id "
        "WHERE c.topic = ? AND c.finished = 1 AND c.kind <> 'counts' AND c.size > ? ORDER BY c.started_at LIMIT ?",
        (topic.slug, LEAST, generation * REFIT),
    )
    end = max(from_iso(row["created_at"]) for row in rows) + WEEK
    return Forecaster.fit([s.cascade for s in _read(store, topic, rows, end)])


def _write(connection: sqlite3.Connection, topic: Topic, spread: Spread, now: datetime) -> None:
    form = spread.shape
    connection.execute(
        "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, depth, breadth, "
        "structural_virality, per_hour, communities, size_with_suspects) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (topic, post_id) DO UPDATE SET "
        "kind = excluded.kind, updated_at = excluded.updated_at, size = excluded.size, depth = excluded.depth, "
        "breadth = excluded.breadth, structural_virality = excluded.structural_virality, per_hour = excluded.per_hour, "
        "communities = excluded.communities, size_with_suspects = excluded.size_with_suspects",
        (
            *(
                topic.slug,
                spread.post_id,
                form.kind,
                iso(spread.started),
                iso(now),
                form.size,
                form.depth,
                form.breadth,
            ),
            *(form.virality, spread.per_hour, json.dumps([_entry(spread, e) for e in form.entries])),
            form.size + spread.left_out,
        ),
    )


def _entry(spread: Spread, entry: Entry) -> dict[str, object]:
    return {
        "community": entry.community,
        "at": iso(spread.started + timedelta(seconds=entry.time)),
        "account": entry.account,
        "through": entry.through,
        "shares": entry.shares,
    }


def _write_forecast(
    connection: sqlite3.Connection, topic: Topic, spread: Spread, f: Forecast, i: int, now: datetime
) -> None:
    connection.execute(
        "INSERT INTO forecasts (topic, post_id, made_at, age_seconds, observed, size, low, high, p_top5, reproduction, "
        "version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *(topic.slug, spread.post_id, iso(now), round(f.age[i]), round(f.observed[i]), round(float(f.size[i]), 2)),
            *(round(float(f.low[i]), 2), round(float(f.high[i]), 2), round(float(f.p_top[i]), 4)),
            *(round(float(f.reproduction[i]), 4), __version__),
        ),
    )
    connection.execute(
        "UPDATE refresh_requests SET priority = ?, asked_by = 'forecast' WHERE post_id = ?",
        (round(_stake(spread, f, i, now), 2), spread.post_id),
    )


def _stake(spread: Spread, f: Forecast, i: int, now: datetime) -> float:
    """How much it is worth to look again soon, 0..1: the chance of being large, while it moves."""
    if spread.per_hour < 1 and now - spread.started > timedelta(hours=2):
        return 0.0
    uncertain = min(1.0, float((f.high[i] - f.low[i]) / max(f.size[i], 1.0)))
    return float(f.p_top[i]) * uncertain
