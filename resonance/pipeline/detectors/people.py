"""Accounts to which a community has begun to listen: a resonance that has clearly risen."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta

from config import Topic
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
    run = store.query(
        "SELECT id, finished_at FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done' "
        "ORDER BY id DESC LIMIT 1",
        (topic.slug,),
    )
    if not run:
        return []
    old = store.one(
        "SELECT MAX(id) FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done' AND finished_at <= ?",
        (topic.slug, iso(from_iso(run[0]["finished_at"]) - BEFORE)),
    )
    if old is None or not _comparable(store, topic, old):
        return []
    last_rank = store.one("SELECT COUNT(*) FROM resonance WHERE run_id = ?", (old,)) or 0
    rows = store.query(
        "SELECT s.*, a.handle, o.rank AS old_rank, o.high AS old_high FROM resonance s "
        "LEFT JOIN resonance o ON o.run_id = ? AND o.account_id = s.account_id "
        "LEFT JOIN accounts a ON a.id = s.account_id WHERE s.run_id = ? AND s.rank <= ? AND s.flags = '[]'",
        (old, run[0]["id"], TOP),
    )
    at = from_iso(run[0]["finished_at"])
    return [_signal(store, topic, row, at) for row in rows if _risen(store, topic, row, last_rank)]


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


def _risen(store: Store, topic: Topic, row: sqlite3.Row, last_rank: int) -> bool:
    if json.loads(row["parts"])["reactors"] < FEWEST:
        return False
    was = row["old_rank"] or last_rank + 1
    if was < PLACES * row["rank"] + TOP or row["low"] <= (row["old_high"] or 0.0):
        return False
    told = store.one(
        "SELECT 1 FROM evidence e JOIN incidents i ON i.rule = 'viral_cascade' AND i.subject = e.post_id "
        "WHERE e.subject_kind = 'resonance' AND e.subject_id = ? AND i.topic = ?",
        (f"{row['run_id']}:{row['account_id']}", topic.slug),
    )
    return told is None


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
        confidence=0.9,
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
