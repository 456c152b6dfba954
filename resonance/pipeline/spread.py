"""Cascades of a topic's posts: how each spreads, how far it will go, and how closely it is to be watched.

Suspects of coordination and declared bots are left out where it is known who reacted; the size with them stands beside.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from analysis.cascades import ENOUGH, Forecast, Forecaster
from analysis.cascades.forecast import MOST
from analysis.cascades.tree import Entry
from config import Settings, Topic
from resonance import __version__
from resonance.pipeline.spread_reading import Spread, read_spreads
from store import Store
from store.records import from_iso, iso
from store.stages import mark_of, newest_change, set_mark

WEEK = timedelta(days=7)
NEARLY_OVER = timedelta(days=3)  # what is this old counts as finished when the largest are looked for
LEAST = 3  # reshares and quotes from which a post is followed
REFERENCE = 20  # finished cascades of the topic below which the built-in reference answers
REFIT = 50  # finished cascades by which the topic's own forecaster is fitted again
STAGE = "spread"
PIECE = 500  # posts written in one transaction


def follow_cascades(store: Store, settings: Settings, now: datetime) -> int:
    """Update the cascades that changed since the last call, with a new forecast each; returns how many."""
    count = 0
    for topic in settings.topics:
        upto, after = newest_change(store), mark_of(store, STAGE, topic.slug)
        roots = _changed(store, topic, after, upto, now)
        spreads = read_spreads(store, topic, roots, _members(store, topic), now)
        young = [s for s in spreads if now - s.started < WEEK]
        for begin in range(0, len(spreads), PIECE):
            with store.write() as connection:
                _write(connection, topic, spreads[begin : begin + PIECE], now)
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


def _tell(store: Store, topic: Topic, young: Sequence[Spread], f: Forecast, now: datetime) -> None:
    """Write the forecasts of some cascades."""
    columns = (f.age, f.observed, f.size, f.low, f.high, f.p_top, f.reproduction)
    forecasts = list(zip(*(column.tolist() for column in columns), strict=True))
    for begin in range(0, len(young), PIECE):
        with store.write() as connection:
            some = slice(begin, begin + PIECE)
            _write_forecasts(connection, topic, young[some], forecasts[some], now)


def _changed(store: Store, topic: Topic, after: int, upto: int, now: datetime) -> list[sqlite3.Row]:
    """Matched posts about which something changed, and which enough people have passed on."""
    return store.query(
        """WITH touched AS (
             SELECT subject AS id FROM changes
             WHERE seq > :after AND seq <= :upto AND kind IN ('interaction', 'metrics', 'suspect') GROUP BY subject),
           sized AS MATERIALIZED (
             SELECT t.id,
               (SELECT MAX(COALESCE(reshares, 0) + COALESCE(quotes, 0)) FROM metrics WHERE post_id = t.id) AS counted,
               (SELECT COUNT(*) FROM interactions
                WHERE target_post_id = t.id AND kind IN ('reshare', 'quote')) AS known
             FROM touched t JOIN matches m ON m.topic = :topic AND m.post_id = t.id)
           SELECT p.id, p.author_id, p.created_at, a.followers, s.counted,
             (SELECT MAX(observed_at) FROM metrics WHERE post_id = p.id) AS counted_at,
             (SELECT deep_at FROM refresh_requests WHERE post_id = p.id) AS deep_at
           FROM sized s JOIN posts p ON p.id = s.id LEFT JOIN accounts a ON a.id = p.author_id
           WHERE MAX(COALESCE(s.counted, 0), s.known) >= :least AND p.removed_at IS NULL AND p.created_at <= :now
           ORDER BY p.id""",
        {"topic": topic.slug, "after": after, "upto": upto, "least": LEAST, "now": iso(now)},
    )


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
        "WHERE c.topic = ? AND c.finished = 1 AND c.kind <> 'counts' AND c.size > ? "
        "ORDER BY c.started_at LIMIT ? OFFSET ?",
        (topic.slug, LEAST, min(MOST, generation * REFIT), max(0, generation * REFIT - MOST)),
    )
    end = max(from_iso(row["created_at"]) for row in rows) + WEEK
    return Forecaster.fit([s.cascade for s in read_spreads(store, topic, rows, {}, end)])


def _write(connection: sqlite3.Connection, topic: Topic, spreads: Sequence[Spread], now: datetime) -> None:
    at = iso(now)
    connection.executemany(
        "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, depth, breadth, "
        "structural_virality, per_hour, communities, size_with_suspects) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (topic, post_id) DO UPDATE SET "
        "kind = excluded.kind, updated_at = excluded.updated_at, size = excluded.size, depth = excluded.depth, "
        "breadth = excluded.breadth, structural_virality = excluded.structural_virality, per_hour = excluded.per_hour, "
        "communities = excluded.communities, size_with_suspects = excluded.size_with_suspects",
        [
            (
                *(topic.slug, s.post_id, s.shape.kind, iso(s.started), at, s.shape.size, s.shape.depth),
                *(s.shape.breadth, s.shape.virality, s.per_hour),
                *(json.dumps([_entry(s, e) for e in s.shape.entries]), s.shape.size + s.left_out),
            )
            for s in spreads
        ],
    )


def _entry(spread: Spread, entry: Entry) -> dict[str, object]:
    return {
        "community": entry.community,
        "at": iso(spread.started + timedelta(seconds=entry.time)),
        "account": entry.account,
        "through": entry.through,
        "shares": entry.shares,
    }


def _write_forecasts(
    connection: sqlite3.Connection,
    topic: Topic,
    spreads: Sequence[Spread],
    forecasts: Sequence[tuple[float, ...]],
    now: datetime,
) -> None:
    at = iso(now)
    connection.executemany(
        "INSERT INTO forecasts (topic, post_id, made_at, age_seconds, observed, size, low, high, p_top5, reproduction, "
        "version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (
                *(topic.slug, spread.post_id, at, round(age), round(observed), round(size, 2)),
                *(round(low, 2), round(high, 2), round(p_top, 4), round(reproduction, 4), __version__),
            )
            for spread, (age, observed, size, low, high, p_top, reproduction) in zip(spreads, forecasts, strict=True)
        ],
    )
    connection.executemany(
        "UPDATE refresh_requests SET priority = ?, asked_by = 'forecast' WHERE post_id = ?",
        [
            (round(_stake(spread, size, high - low, p_top, now), 2), spread.post_id)
            for spread, (_, _, size, low, high, p_top, _) in zip(spreads, forecasts, strict=True)
        ],
    )


def _stake(spread: Spread, size: float, width: float, p_top: float, now: datetime) -> float:
    """How much it is worth to look again soon, 0..1: the chance of being large, while it moves."""
    if spread.per_hour < 1 and now - spread.started > timedelta(hours=2):
        return 0.0
    return p_top * min(1.0, width / max(size, 1.0))
