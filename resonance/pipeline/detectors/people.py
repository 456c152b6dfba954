"""Accounts to which a community has begun to listen: a resonance that has clearly risen."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from config import Topic
from resonance.pipeline.detectors.strictness import strictness
from store import Store
from store.records import Signal, from_iso, iso
from store.topic_hours import networks_now, read_bins

BEFORE = timedelta(days=2)  # the run compared with is at least this old
TOP = 10  # ranks that are looked at
FEWEST = 12  # distinct accounts that reacted
PLACES = 3  # times better than its place before
COVERED = 0.9  # share of the days before the older run that must have been read


def rising_signals(store: Store, topic: Topic, now: datetime) -> list[Signal]:
    """A signal for each account among the first ten that stood far behind two days ago, intervals apart.

    An account whose score rests on a post that is being told as a viral cascade is not told again.
    """
    run = newest_run(store, topic, now)
    return [] if run is None else untold(store, topic, risen(store, topic, run))


def newest_run(store: Store, topic: Topic, now: datetime) -> int | None:
    """The newest analysis that was done by `now`."""
    run: int | None = store.one(
        "SELECT MAX(id) FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done' AND finished_at <= ?",
        (topic.slug, iso(now)),
    )
    return run


def untold(incidents: Store, topic: Topic, signals: Sequence[Signal]) -> list[Signal]:
    """Those that rest on no post that was told as spreading, by the incidents of a store."""
    rows = incidents.query("SELECT subject FROM incidents WHERE topic = ? AND rule = 'viral_cascade'", (topic.slug,))
    told = {row[0] for row in rows}
    return [signal for signal in signals if told.isdisjoint(post_id for post_id, _ in signal.evidence)]


def risen(store: Store, topic: Topic, run: int) -> list[Signal]:
    """A signal for each account that rose by that run, against the newest one from two days before."""
    at = from_iso(store.one("SELECT finished_at FROM runs WHERE id = ?", (run,)))
    old = newest_run(store, topic, at - BEFORE)
    if old is None or not _comparable(store, topic, old):
        return []
    last_rank = store.one("SELECT COUNT(*) FROM resonance WHERE run_id = ?", (old,)) or 0
    rows = store.query(
        "SELECT s.*, a.handle, o.rank AS old_rank, o.high AS old_high FROM resonance s "
        "LEFT JOIN resonance o ON o.run_id = ? AND o.account_id = s.account_id "
        "LEFT JOIN accounts a ON a.id = s.account_id WHERE s.run_id = ? AND s.rank <= ? AND s.flags = '[]'",
        (old, run, TOP),
    )
    places = PLACES * strictness(store, topic, "rising_user")
    return [_signal(store, topic, row, at) for row in rows if _has_risen(row, last_rank, places)]


def _comparable(store: Store, topic: Topic, old: int) -> bool:
    """Whether the older run saw the same: the same query and networks, no hole before it, nothing imported since."""
    at: str = store.one("SELECT finished_at FROM runs WHERE id = ?", (old,))
    changed = store.one("SELECT 1 FROM topics WHERE slug = ? AND changed_at > ?", (topic.slug, at))
    imported = store.one(
        "SELECT 1 FROM matches m JOIN posts p ON p.id = m.post_id WHERE m.topic = ? AND p.imported = 1 "
        "AND p.first_seen > ? LIMIT 1",
        (topic.slug, at),
    )
    if changed or imported:
        return False
    end = from_iso(at)
    networks = networks_now(store, topic.slug, end + BEFORE)
    bins = read_bins(store, topic.slug, end - BEFORE, end, networks)
    return bool(networks) and sum(bins.coverage) >= COVERED * len(bins.coverage)


def _has_risen(row: sqlite3.Row, last_rank: int, places: float) -> bool:
    if json.loads(row["parts"])["reactors"] < FEWEST:
        return False
    was = row["old_rank"] or last_rank + 1
    return bool(was >= places * row["rank"] + TOP and row["low"] > (row["old_high"] or 0.0))


def _signal(store: Store, topic: Topic, row: sqlite3.Row, at: datetime) -> Signal:
    evidence = store.query(
        "SELECT post_id, weight FROM evidence WHERE subject_kind = 'resonance' AND subject_id = ? ORDER BY weight DESC",
        (f"{row['run_id']}:{row['account_id']}",),
    )
    label = store.one(
        "SELECT label FROM communities WHERE run_id = ? AND community = ?", (row["run_id"], row["subcommunity"])
    )
    return Signal(
        rule="rising_user",
        topic=topic.slug,
        subject=row["account_id"],
        active=True,
        raised=True,
        began_at=at,
        observed=row["resonance"],
        expected=row["old_high"],
        low=row["low"],
        high=row["high"],
        severity="info",
        evidence=tuple((r["post_id"], r["weight"]) for r in evidence),
        facts={
            "account": row["handle"] or row["account_id"],
            "rank": row["rank"],
            "rank_before": row["old_rank"],
            "follower_rank": row["follower_rank"],
            "resonance": row["resonance"],
            "communities": [label] if label else [],
            "timezone": topic.timezone,
        },
        evidence_at=at,
    )
