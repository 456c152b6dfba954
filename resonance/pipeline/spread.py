"""Cascades of a topic's posts: how each spreads, how far it will go, and how closely it is to be watched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from analysis.cascades import ENOUGH, Cascade, Forecast, Forecaster, from_counts, from_events
from analysis.cascades.tree import Entry, Shape, Share, shape, shape_of_counts
from config import Settings, Topic
from resonance import __version__
from store import Store
from store.records import from_iso, iso
from store.stages import mark_of, newest_change, set_mark

WEEK = timedelta(days=7)
NEARLY_OVER = timedelta(days=3)  # what is this old counts as finished when the largest are looked for
LEAST = 3  # reshares and quotes from which a post is followed
REFERENCE = 20  # finished cascades of the topic below which the built-in reference answers
TOLD = 0.8  # share of the counted reshares that must be known by time, for the times to be used
REFIT = 50  # finished cascades by which the topic's own forecaster is fitted again
STAGE = "spread"


@dataclass(frozen=True, slots=True)
class Spread:
    """One followed post."""

    post_id: str
    started: datetime
    known_until: datetime
    cascade: Cascade
    shape: Shape
    per_hour: float


def follow_cascades(store: Store, settings: Settings, now: datetime) -> int:
    """Update the cascades that changed since the last call, with a new forecast each; returns how many."""
    count = 0
    for topic in settings.topics:
        upto, after = newest_change(store), mark_of(store, STAGE, topic.slug)
        roots = _changed(store, topic, after, upto, now)
        spreads = [s for s in (_read(store, topic, row, now) for row in roots) if s]
        young = [s for s in spreads if now - s.started < WEEK]
        forecast = _forecast(store, topic, young, now) if young else None
        with store.write() as connection:
            for spread in spreads:
                _write(connection, topic, spread, now)
            for i, spread in enumerate(young):
                if forecast is not None:
                    _write_forecast(connection, topic, spread, forecast, i, now)
            connection.execute(
                "UPDATE cascades SET finished = 1 WHERE topic = ? AND finished = 0 AND started_at < ?",
                (topic.slug, iso(now - WEEK)),
            )
            set_mark(connection, STAGE, upto, topic.slug)
        count += len(spreads)
    return count


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
             SELECT subject FROM changes WHERE seq > :after AND seq <= :upto AND kind IN ('interaction', 'metrics'))
           GROUP BY p.id HAVING MAX(COALESCE(counted, 0), known) >= :least""",
        {"topic": topic.slug, "after": after, "upto": upto, "least": LEAST, "now": iso(now)},
    )


def _read(store: Store, topic: Topic, row: sqlite3.Row, now: datetime) -> Spread | None:
    """The cascade of one post, from timed reactions where they are known, else from its counts."""
    started = from_iso(row["created_at"])
    edges = store.query(
        """SELECT i.source_id, i.kind, i.via_post_id, i.time_low, i.time_high, a.followers FROM interactions i
           LEFT JOIN accounts a ON a.id = i.source_id
           WHERE i.target_post_id = ? AND i.kind IN ('reshare', 'quote') AND i.time_high <= ?""",
        (row["id"], iso(now)),
    )
    exact = [e for e in edges if e["time_low"] == e["time_high"] and e["time_high"] >= row["created_at"]]
    counts = _counts(store, row["id"])
    members = _members(store, topic)
    root = Share(row["id"], row["author_id"] or "", 0.0)
    followers = float(row["followers"]) if row["followers"] is not None else float("nan")
    if len(exact) >= TOLD * (row["counted"] or 0):
        times = [(from_iso(e["time_high"]) - started).total_seconds() for e in exact]
        known = [float("nan") if e["followers"] is None else float(e["followers"]) for e in exact]
        cascade = from_events(times, known, followers)
        form = shape(root, _shares(store, row["id"], exact, started), members)
        until = max([started, *(from_iso(t) for t in (row["deep_at"], row["counted_at"]) if t)])
    elif counts:
        ages = [max(0.0, (at - started).total_seconds()) for at, _ in counts]
        cascade = from_counts(ages, [size + 1.0 for _, size in counts], followers)
        form = shape_of_counts(cascade)
        until = counts[-1][0]
    else:
        return None
    age = (now - started).total_seconds()
    recent = float(np.count_nonzero((cascade.times > age - 3600) & (cascade.times <= age)))
    return Spread(row["id"], started, min(until, now), cascade, form, recent)


def _counts(store: Store, post_id: str) -> list[tuple[datetime, int]]:
    """Times and numbers of reshares and quotes seen, the maximum over observers."""
    rows = store.query(
        "SELECT observed_at, MAX(COALESCE(reshares, 0) + COALESCE(quotes, 0)) FROM metrics WHERE post_id = ? "
        "GROUP BY observed_at ORDER BY observed_at",
        (post_id,),
    )
    return [(from_iso(row[0]), int(row[1])) for row in rows]


def _shares(store: Store, root: str, edges: Sequence[sqlite3.Row], started: datetime) -> list[Share]:
    """Reshares and quotes of the root, and what was passed on from its quotes."""
    found = [_share(e, root, started) for e in edges]
    quotes = [e["via_post_id"] for e in edges if e["via_post_id"]]
    for begin in range(0, len(quotes), 400):
        part = quotes[begin : begin + 400]
        rows = store.query(
            "SELECT target_post_id, source_id, kind, via_post_id, time_low, time_high FROM interactions "
            f"WHERE kind IN ('reshare', 'quote') AND target_post_id IN ({','.join('?' * len(part))})",
            part,
        )
        found += [_share(r, r["target_post_id"], started) for r in rows]
    return found


def _share(edge: sqlite3.Row, parent: str, started: datetime) -> Share:
    after = max(0.0, (from_iso(edge["time_high"]) - started).total_seconds())
    return Share(edge["via_post_id"] or f"{edge['source_id']}>{parent}", edge["source_id"], after, parent)


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
    spreads = (_read(store, topic, row, end) for row in rows)
    return Forecaster.fit([s.cascade for s in spreads if s])


def _write(connection: sqlite3.Connection, topic: Topic, spread: Spread, now: datetime) -> None:
    form = spread.shape
    connection.execute(
        "INSERT INTO cascades (topic, post_id, kind, started_at, updated_at, size, depth, breadth, "
        "structural_virality, per_hour, communities) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (topic, post_id) DO UPDATE SET "
        "kind = excluded.kind, updated_at = excluded.updated_at, size = excluded.size, depth = excluded.depth, "
        "breadth = excluded.breadth, structural_virality = excluded.structural_virality, per_hour = excluded.per_hour, "
        "communities = excluded.communities",
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
