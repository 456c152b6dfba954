"""Spreading posts as they would have been told: by the forecasts of those days, else by forecasts made now from then.

A stored forecast is used from `made_at` on. A post without one (imported, or from before the daemon) is forecast from
the reshares and quotes that were known: from `first_seen`, those of an archive from the time when they happened. Posts
of which only counts are known, and posts removed since, are left out.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from analysis.cascades import Forecaster, from_events
from analysis.influence.giveaway import is_giveaway
from config import Settings, Topic
from resonance.pipeline.detectors.spread import LIVELY, PAST, YOUNG, authors_told, enough, goes_on, mood_of
from resonance.pipeline.score import current_model
from resonance.pipeline.spread import LEAST, NEARLY_OVER, REFERENCE
from store import Store
from store.records import Signal, iso

DAY = 86_400
GROWN = 1.1  # times the reshares of the forecast before, from which another one is made
Ints = NDArray[np.int64]

_EDGES = """
SELECT m.post_id, unixepoch(m.created_at) AS started, unixepoch(i.time_high) AS at, i.time_low IS i.time_high AS exact,
  CASE WHEN i.first_seen IN (SELECT DISTINCT first_seen FROM posts WHERE imported = 1)
    THEN unixepoch(i.time_high) ELSE unixepoch(i.first_seen) END AS known, i.source_id
FROM matches m JOIN interactions i ON i.target_post_id = m.post_id AND i.kind IN ('reshare', 'quote')
WHERE m.topic = :topic AND m.created_at >= :start AND m.created_at < :end
ORDER BY m.post_id, known
"""


@dataclass(frozen=True, slots=True)
class _Forecast:
    made_at: int
    size: int
    forecast: float
    p_top5: float


@dataclass(slots=True)
class _Post:
    """One post that was passed on often enough; times in unix seconds, edges by when they became known."""

    id: str
    author: str | None
    handle: str | None
    text: str
    label: str | None
    started: int
    known: Ints
    at: Ints
    exact: NDArray[np.bool_]
    followers: NDArray[np.float64]
    root_followers: float
    answers: Sequence[tuple[int, str]] = ()
    stored: list[_Forecast] = field(default_factory=list)
    made: tuple[int, _Forecast] | None = None


class SpreadReplay:
    """The viral signals of one topic."""

    def __init__(self, store: Store, settings: Settings, topic: Topic, since: datetime, until: datetime) -> None:
        self.store, self.settings, self.topic = store, settings, topic
        rows = store.query(_EDGES, {"topic": topic.slug, "start": iso(since - PAST), "end": iso(until)})
        names: dict[str, int] = {}
        self.post = np.array([names.setdefault(row["post_id"], len(names)) for row in rows], np.int64)
        self.known = np.array([row["known"] for row in rows], np.int64)
        self.started = np.zeros(len(names), np.int64)
        for row in rows:
            self.started[names[row["post_id"]]] = row["started"]
        totals = np.bincount(self.post, minlength=len(names))
        wanted = {name for name, i in names.items() if totals[i] >= settings.alerts.viral_reshares}
        edges: dict[str, list[int]] = {}
        for i, row in enumerate(rows):
            if row["post_id"] in wanted:
                edges.setdefault(row["post_id"], []).append(i)
        self.posts = [p for name, part in edges.items() if (p := self._load(name, [rows[i] for i in part])) is not None]
        self.forecaster = Forecaster.default() if self.posts else None
        self.day, self.bound = -1, 0.0
        self.reference: list[float] = []

    def _load(self, post_id: str, edges: Sequence[sqlite3.Row]) -> _Post | None:
        found = self.store.query(
            "SELECT v.author_id, v.author, v.text, v.label, a.followers FROM v_posts v "
            "JOIN matches m ON m.post_id = v.id AND m.topic = ? AND m.own = 0 "
            "LEFT JOIN accounts a ON a.id = v.author_id WHERE v.id = ?",
            (self.topic.slug, post_id),
        )
        if not found or is_giveaway(found[0]["text"]):
            return None
        row = found[0]
        columns = list(zip(*edges, strict=True))
        followers = self._followers(columns[5])
        return _Post(
            post_id,
            row["author_id"],
            row["author"],
            row["text"],
            row["label"],
            int(columns[1][0]),
            np.array(columns[4], np.int64),
            np.array(columns[2], np.int64),
            np.array(columns[3], bool),
            followers,
            float("nan") if row["followers"] is None else float(row["followers"]),
            self._answers(post_id),
            self._stored(post_id),
        )

    def _followers(self, accounts: Sequence[str]) -> NDArray[np.float64]:
        known: dict[str, float] = {}
        for begin in range(0, len(accounts), 500):
            part = accounts[begin : begin + 500]
            marks = ",".join("?" * len(part))
            sql = f"SELECT id, followers FROM accounts WHERE followers IS NOT NULL AND id IN ({marks})"
            known |= {row[0]: float(row[1]) for row in self.store.query(sql, part)}
        return np.array([known.get(account, np.nan) for account in accounts])

    def _answers(self, post_id: str) -> list[tuple[int, str]]:
        """When each quote or reply was known, and its label."""
        model = current_model(self.store)
        rows = self.store.query(
            "SELECT CASE WHEN p.imported THEN unixepoch(p.created_at) ELSE unixepoch(i.first_seen) END AS known, "
            "s.label FROM interactions i JOIN posts p ON p.id = i.via_post_id AND p.removed_at IS NULL "
            "JOIN sentiments s ON s.post_id = p.id AND s.text_hash = p.text_hash AND s.model = ? AND s.version = ? "
            "WHERE i.target_post_id = ? AND i.kind IN ('quote', 'reply') ORDER BY known",
            (model.name if model else "", model.version if model else "", post_id),
        )
        return [(int(row[0]), row[1]) for row in rows]

    def _stored(self, post_id: str) -> list[_Forecast]:
        rows = self.store.query(
            "SELECT unixepoch(made_at), observed, size, p_top5 FROM forecasts WHERE topic = ? AND post_id = ? "
            "ORDER BY made_at",
            (self.topic.slug, post_id),
        )
        return [_Forecast(int(row[0]), int(row[1]), float(row[2]), float(row[3])) for row in rows]

    def at(self, moment: datetime) -> list[Signal]:
        """Posts that stood out at `moment`; whether an author only goes on about it is asked of the incidents."""
        now = int(moment.timestamp())
        young = [p for p in self.posts if 0 <= now - p.started <= YOUNG.total_seconds()]
        if not young:
            return []
        if now // DAY != self.day:
            self.day = now // DAY
            self.bound, self.reference = self._usual(now)
        found = []
        for post in young:
            forecast = self._forecast(post, now)
            if forecast is None or forecast.size <= self.bound:
                continue
            if forecast.p_top5 >= self.settings.alerts.viral_probability:
                found.append(self._signal(post, forecast, now))
        return found

    def _usual(self, now: int) -> tuple[float, list[float]]:
        """The bound of the size, and sizes of finished cascades, as they were known when the day began."""
        sizes = 1 + np.bincount(self.post[self.known <= now], minlength=len(self.started))
        age = now - self.started
        followed = sizes > LEAST
        past = (age >= YOUNG.total_seconds()) & (age <= PAST.total_seconds()) & followed
        over = (age > NEARLY_OVER.total_seconds()) & followed
        bound = enough(self.settings, self.topic, self.store, sizes[past].tolist())
        return bound, sizes[over].astype(float).tolist()

    def _forecast(self, post: _Post, now: int) -> _Forecast | None:
        """The newest forecast that was made by then, or one made from what was known."""
        stored = bisect_right(post.stored, now, key=lambda f: f.made_at)
        if stored:
            return post.stored[stored - 1]
        count = int(np.searchsorted(post.known, now, side="right"))
        if count < self.bound:
            return None
        if post.made is None or count > GROWN * post.made[0]:
            post.made = (count, self._made(post, count, now))
        return post.made[1]

    def _made(self, post: _Post, count: int, now: int) -> _Forecast:
        exact = post.exact[:count] & (post.at[:count] >= post.started)
        times = (post.at[:count] - post.started)[exact].astype(float)
        cascade = from_events(times, post.followers[:count][exact], post.root_followers)
        assert self.forecaster is not None
        reference = self.reference if len(self.reference) >= REFERENCE else None
        made = self.forecaster.forecast([cascade], float(max(1, now - post.started)), reference)
        return _Forecast(now, 1 + len(times), float(made.size[0]), float(made.p_top[0]))

    def _signal(self, post: _Post, forecast: _Forecast, now: int) -> Signal:
        count = int(np.searchsorted(post.known, now, side="right"))
        newest = int(post.at[:count].max()) if count else post.started
        labels = [label for known, label in post.answers if known <= now]
        mood = mood_of(len(labels), labels.count("negative"), labels.count("positive"), post.label)
        return Signal(
            rule="viral_cascade",
            topic=self.topic.slug,
            subject=post.id,
            active=timedelta(seconds=now - newest) < LIVELY,
            raised=True,
            began_at=datetime.fromtimestamp(post.started, UTC),
            observed=float(forecast.size - 1),
            confidence=forecast.p_top5,
            severity="info",
            evidence=((post.id, 1.0),),
            facts={
                "direction": "up",
                "account": post.handle or post.author,
                "forecast": round(forecast.forecast - 1),
                **mood,
            },
            evidence_at=datetime.fromtimestamp(min(newest, now), UTC),
        )

    def untold(self, incidents: Store, signals: Sequence[Signal], moment: datetime) -> list[Signal]:
        """Without the posts by whose author another one was told, by the incidents of a store."""
        if not signals:
            return []
        told = authors_told(incidents, self.store, self.topic, moment)
        authors = {post.id: post.author for post in self.posts}
        return [s for s in signals if not goes_on(s.subject, authors[s.subject], told)]
