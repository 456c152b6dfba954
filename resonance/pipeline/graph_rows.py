"""The rows that a graph run writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analysis.communities.describe import CommunityProfile
from analysis.communities.identity import CommunityEvent
from analysis.influence.records import AccountResonance
from config import Topic
from store.records import iso

PARTS = (
    *("reactors", "reshares", "quotes", "replies", "mentions", "engaged", "second_order", "not_negative", "bridging"),
    *("efficiency_post", "efficiency_audience", "members", "members_low", "members_high"),
)
EVENT_KINDS = {"born": "birth", "died": "end", "merged": "merge", "split": "split"}


@dataclass(frozen=True, slots=True)
class Level:
    """One level of communities with lasting names."""

    names: dict[int, str]
    events: list[CommunityEvent]


def write_memberships(
    connection: sqlite3.Connection,
    run: int,
    memberships: Sequence[tuple[str, tuple[int, int]]],
    coarse: Level,
    fine: Level,
) -> None:
    """Who belongs where: accounts with their (community, subcommunity)."""
    connection.executemany(
        "INSERT INTO memberships (run_id, account_id, community, subcommunity) VALUES (?, ?, ?, ?)",
        [(run, account, coarse.names[c], fine.names[f]) for account, (c, f) in memberships],
    )


def write_profiles(
    connection: sqlite3.Connection,
    run: int,
    level: str,
    profiles: Sequence[CommunityProfile],
    names: Level,
    parents: Mapping[int, str],
    echo: Mapping[int, float],
) -> None:
    """What each community of one level is about."""
    for p in profiles:
        connection.execute(
            "INSERT INTO communities (run_id, community, level, parent, size, label, hashtags, words, languages, "
            "central, echo_chamber) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(run, names.names[p.community], level, parents.get(p.community), p.size, _label(connection, p)),
                *(_json(p.hashtags), _json(p.words), json.dumps(p.languages), _json(p.central)),
                echo.get(p.community),
            ),
        )


def _label(connection: sqlite3.Connection, profile: CommunityProfile) -> str:
    """What sets a community apart, in a few words."""
    terms = [*(f"#{tag}" for tag in profile.hashtags[:2]), *profile.words[:3]]
    if terms:
        return " ".join(terms[:3])
    if not profile.central:
        return "-"
    handle = connection.execute("SELECT handle FROM accounts WHERE id = ?", (profile.central[0],)).fetchone()
    return f"@{handle[0]}" if handle and handle[0] else profile.central[0]


def write_events(
    connection: sqlite3.Connection, run: int, topic: Topic, now: datetime, coarse: Level, fine: Level
) -> None:
    """What became of the communities of the run before."""
    for letter, level in (("c", coarse), ("f", fine)):
        for event in level.events:
            before, after = ([f"{letter}{i}" for i in ids] for ids in (event.before, event.after))
            one, others = (after[0], before) if event.kind in ("born", "merged") else (before[0], after)
            connection.execute(
                "INSERT INTO community_events (run_id, topic, kind, community, others, at) VALUES (?, ?, ?, ?, ?, ?)",
                (run, topic.slug, EVENT_KINDS[event.kind], one, json.dumps(others), iso(now)),
            )


def write_scores(
    connection: sqlite3.Connection, run: int, scores: Sequence[AccountResonance], coarse: Level, fine: Level
) -> None:
    """The scores of some accounts, with the posts behind them."""
    for s in scores:
        parts: dict[str, object] = {name: _rounded(getattr(s, name)) for name in PARTS}
        parts["by_community"] = {coarse.names[c]: _rounded(n) for c, n in s.by_community.items() if c in coarse.names}
        connection.execute(
            "INSERT INTO resonance (run_id, account_id, resonance, low, high, rank, follower_rank, followers, "
            "community, subcommunity, parts, parts_missing, flags, resonance_with_suspects) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(run, s.account, round(s.resonance, 3), round(s.low, 3), round(s.high, 3), s.rank, s.follower_rank),
                None if s.followers is None else int(s.followers),
                None if s.community is None else coarse.names.get(s.community),
                None if s.subcommunity is None else fine.names.get(s.subcommunity),
                *(json.dumps(parts), _json(s.parts_missing), _json(s.flags), round(s.resonance_all, 3)),
            ),
        )
        connection.executemany(
            "INSERT OR REPLACE INTO evidence (subject_kind, subject_id, post_id, weight) VALUES ('resonance', ?, ?, ?)",
            [(f"{run}:{s.account}", item, 1 / (i + 1)) for i, item in enumerate(s.items)],
        )


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def _json(values: Sequence[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)
