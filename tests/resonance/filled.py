"""A store filled with rows, as collection and scoring leave them: for detectors and replays, without any network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from config import Settings, Topic
from resonance.pipeline.hours import update_hours
from store import Store
from store.ingest import observe
from store.records import Observed, iso
from store.stages import set_mark
from store.topic_hours import ModelKey
from store.topics import sync_topics

START = datetime(2026, 9, 28, tzinfo=UTC)  # a Monday
MODEL = ModelKey("toy", "1")
RHYTHM = 0.5  # how much a day's height differs from its mean
LABELS = ("negative", "neutral", "positive")


def settings_for(path: Path, **topic: object) -> Settings:
    values: dict[str, object] = {"slug": "kopi", "keywords": ("kopi",), "timezone": "UTC", "holidays": ""}
    networks = {"x": {"bearer_token": "t"}, "mastodon": [{"url": "https://m.example"}]}
    return Settings(database=path, topics=(Topic(**(values | topic)),), **networks)  # type: ignore[arg-type]


class Filled:
    """One topic's store, with a clock of its own."""

    def __init__(self, path: Path, **topic: object) -> None:
        self.settings = settings_for(path, **topic)
        self.store = Store.open(path)
        self.count = int(self.store.one("SELECT COUNT(*) FROM posts"))
        sync_topics(self.store, self.settings.topics, START)

    @property
    def topic(self) -> Topic:
        return self.settings.topics[0]

    def posts(
        self,
        times: Sequence[datetime],
        labels: Sequence[str | None],
        *,
        network: str = "x",
        seen: Sequence[datetime] | None = None,
        own: bool = False,
        imported: bool = False,
        text: str = "kopi を飲んだ",
        author: str | None = None,
    ) -> list[str]:
        """Matched and scored posts; seen as soon as they are there if nothing else is said."""
        ids = [f"{network}:{self.count + i}" for i in range(len(times))]
        self.count += len(times)
        rows = list(zip(ids, times, labels, seen or times, strict=True))
        with self.store.write() as db:
            db.executemany(
                "INSERT INTO posts (id, network, author_id, text, text_hash, created_at, first_seen, imported) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (i, network, author or f"{network}:a{n % 97}", text, i, iso(t), iso(s), imported)
                    for n, (i, t, _, s) in enumerate(rows)
                ],
            )
            db.executemany(
                "INSERT INTO matches (topic, post_id, created_at, own, version, matched_at) VALUES (?, ?, ?, ?, 1, ?)",
                [(self.topic.slug, i, iso(t), own, iso(s)) for i, t, _, s in rows],
            )
            db.executemany(
                "INSERT INTO sentiments (post_id, text_hash, model, version, label, negative, neutral, positive, "
                "scored_at) VALUES (?, ?, 'toy', '1', ?, 0.3, 0.4, 0.3, ?)",
                [(i, i, label, iso(s)) for i, _, label, s in rows if label],
            )
            db.executemany("INSERT INTO changes (kind, subject) VALUES ('post', ?)", [(i,) for i in ids])
            set_mark(db, "score:toy:1", self.count)
        return ids

    def reshares(self, post_id: str, times: Sequence[datetime], seen: Sequence[datetime] | None = None) -> None:
        """Reshares by somebody else each, at known times."""
        known = self.store.one("SELECT COUNT(*) FROM interactions")
        with self.store.write() as db:
            db.executemany(
                "INSERT INTO interactions (kind, source_id, subject, target_post_id, time_low, time_high, first_seen) "
                "VALUES ('reshare', ?, ?, ?, ?, ?, ?)",
                [
                    (f"x:r{known + n}", post_id, post_id, iso(t), iso(t), iso(s))
                    for n, (t, s) in enumerate(zip(times, seen or times, strict=True))
                ],
            )
            db.execute("INSERT INTO changes (kind, subject) VALUES ('interaction', ?)", (post_id,))

    def observed(self, start: datetime, end: datetime, network: str = "x") -> None:
        """What was read."""
        with self.store.write() as db:
            observe(db, Observed(self.topic.slug, network, start, end))

    def hours(self, now: datetime) -> None:
        """Bring the sums up to date, as the daemon does."""
        update_hours(self.store, self.settings, MODEL, lambda *_: None, now)

    def close(self) -> None:
        self.store.close()


def usual(
    start: datetime, end: datetime, per_hour: float, seed: int = 1, negative: float = 0.25
) -> tuple[list[datetime], list[str | None]]:
    """Times and labels of posts at an ordinary pace, higher in the afternoon than at night."""
    rng = np.random.default_rng(seed)
    hours = int((end - start) / timedelta(hours=1))
    times: list[datetime] = []
    for hour in range(hours):
        at = start + timedelta(hours=hour)
        mean = per_hour * (1 + RHYTHM * np.sin(2 * np.pi * (at.hour - 9) / 24))
        times += [at + timedelta(seconds=float(s)) for s in np.sort(rng.uniform(0, 3600, rng.poisson(mean)))]
    shares = [negative, 0.4, 0.6 - negative]
    return times, [LABELS[i] for i in rng.choice(3, len(times), p=shares)]


def burst(
    start: datetime, minutes: float, count: int, label: str = "neutral"
) -> tuple[list[datetime], list[str | None]]:
    """Evenly spread posts with one label."""
    return [start + timedelta(minutes=minutes * i / count) for i in range(count)], [label] * count
