"""Reading a topic's window from the store in the form that the analysis wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.graph import Interactions
from analysis.influence.exclude import Exclusions
from analysis.influence.giveaway import is_giveaway
from config import Topic
from store import Store
from store.matching import account_key, keys_of
from store.records import Account, from_iso, iso


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
    rows = store.query(
        """SELECT i.kind, i.source_id, COALESCE(i.target_id, p.author_id) AS target,
             (COALESCE(unixepoch(i.time_low), unixepoch(i.time_high)) + unixepoch(i.time_high)) / 2.0 AS at,
             COALESCE(i.target_post_id, NULLIF(i.via_post_id, '')) AS item,
             (SELECT s.negative FROM sentiments s WHERE s.post_id = v.id AND s.text_hash = v.text_hash
              ORDER BY s.scored_at DESC LIMIT 1) AS negative
           FROM interactions i
           LEFT JOIN posts p ON p.id = i.target_post_id
           LEFT JOIN posts v ON v.id = i.via_post_id AND i.via_post_id <> ''
           WHERE i.time_high >= :start AND i.time_high < :end AND COALESCE(i.target_id, p.author_id) IS NOT NULL
             AND (EXISTS (SELECT 1 FROM matches m WHERE m.topic = :topic AND m.post_id = i.target_post_id)
               OR EXISTS (SELECT 1 FROM matches m WHERE m.topic = :topic AND m.post_id = i.via_post_id))""",
        {"topic": topic.slug, "start": iso(window.start), "end": iso(window.end)},
    )
    targets = {row["target"] for row in rows}
    followers = {
        row["id"]: float(row["followers"])
        for row in store.query("SELECT id, followers FROM accounts WHERE followers IS NOT NULL")
        if row["id"] in targets
    }
    return Interactions.build(
        [row["source_id"] for row in rows],
        [row["target"] for row in rows],
        [float(row["at"]) for row in rows],
        [row["kind"] for row in rows],
        item=[row["item"] for row in rows],
        negative=[row["negative"] for row in rows],
        followers=followers,
    )


def exclusions(store: Store, topic: Topic, coordinated: frozenset[str] = frozenset()) -> Exclusions:
    """What does not count for a topic: its own accounts, declared bots, giveaway posts, suspected coordination."""
    own = frozenset(account_key(a) for a in topic.own_accounts)
    accounts = store.query("SELECT id, network, handle, bot FROM accounts")
    mine = {r["id"] for r in accounts if own and keys_of(Account(*r[:3]), r["id"]) & own}
    return Exclusions(
        own=frozenset(mine),
        bots=frozenset(r["id"] for r in accounts if r["bot"]),
        coordinated=coordinated,
        giveaways=frozenset(post_id for post_id, text in _texts(store, topic) if is_giveaway(text)),
    )


def _texts(store: Store, topic: Topic) -> Iterator[tuple[str, str]]:
    for row in store.query(
        "SELECT p.id, p.text FROM matches m JOIN posts p ON p.id = m.post_id WHERE m.topic = ?", (topic.slug,)
    ):
        yield row["id"], row["text"]


def moment(text: str) -> datetime:
    """A time of the store."""
    return from_iso(text)
