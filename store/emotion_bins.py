"""The maintained sums of emotions by 15 minutes; written with the hours, read by the detector of emotion shares."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from store.db import Store
from store.records import iso
from store.suspects import LEFT_OUT
from store.topic_hours import BIN, HOUR, ModelKey

SHOWN = 0.5  # probability from which a post shows an emotion


class EmotionBins(NamedTuple):
    """By 15 minutes: posts that show an emotion, and all posts of which the model said."""

    posts: list[int]
    scored: list[int]


def write_emotions(store: Store, topic: str, hours: Iterable[datetime], model: ModelKey) -> None:
    """Write the emotions of these hours of a topic anew, a day of them in a transaction."""
    ordered = sorted(hours)
    for begin in range(0, len(ordered), 24):
        with store.write() as connection:
            for hour in ordered[begin : begin + 24]:
                _write_hour(connection, topic, hour, model)


def _write_hour(connection: sqlite3.Connection, topic: str, hour: datetime, model: ModelKey) -> None:
    asked = {"topic": topic, "start": iso(hour), "end": iso(hour + HOUR), "model": model.name, "version": model.version}
    connection.execute(
        "DELETE FROM topic_emotion_bins WHERE topic = :topic AND bin_utc >= :start AND bin_utc < :end", asked
    )
    connection.execute(
        f"""INSERT INTO topic_emotion_bins (topic, network, bin_utc, emotion, scored, posts)
        SELECT m.topic, p.network,
          substr(m.created_at, 1, 14) || printf('%02d', CAST(substr(m.created_at, 15, 2) AS INTEGER) / 15 * 15)
            || ':00Z' AS bin,
          e.key, COUNT(*), SUM(e.value >= {SHOWN})
        FROM matches m
        JOIN posts p ON p.id = m.post_id
        JOIN sentiments s ON s.post_id = p.id AND s.text_hash = p.text_hash AND s.model = :model
          AND s.version = :version AND s.emotions IS NOT NULL
        JOIN json_each(s.emotions) e
        WHERE m.topic = :topic AND m.created_at >= :start AND m.created_at < :end AND m.own = 0
          AND COALESCE(p.author_id, '') NOT IN ({LEFT_OUT})
        GROUP BY m.topic, p.network, bin, e.key""",
        asked,
    )


def read_emotion(
    store: Store, topic: str, emotion: str, times: Sequence[datetime], networks: Sequence[str]
) -> EmotionBins:
    """The sums of `networks` for each 15 minutes that begins at `times`, ascending and without holes."""
    if not times:
        return EmotionBins([], [])
    marks = ",".join("?" * len(networks))
    rows = store.query(
        f"SELECT bin_utc, SUM(posts), SUM(scored) FROM topic_emotion_bins "
        f"WHERE topic = ? AND emotion = ? AND bin_utc >= ? AND bin_utc < ? AND network IN ({marks}) GROUP BY bin_utc",
        (topic, emotion, iso(times[0]), iso(times[-1] + BIN), *networks),
    )
    sums = {row[0]: (row[1], row[2]) for row in rows}
    pairs = [sums.get(iso(t), (0, 0)) for t in times]
    return EmotionBins([p for p, _ in pairs], [s for _, s in pairs])


def posts_showing(store: Store, topic: str, emotion: str, start: datetime, end: datetime) -> frozenset[str]:
    """Posts of a topic from `start` until before `end` that show an emotion, by the newest result for their text."""
    rows = store.query(
        "SELECT m.post_id FROM matches m JOIN posts p ON p.id = m.post_id "
        "WHERE m.topic = :topic AND m.created_at >= :start AND m.created_at < :end AND m.own = 0 AND :shown <= "
        "(SELECT json_extract(s.emotions, '$.' || :emotion) FROM sentiments s WHERE s.post_id = p.id "
        "AND s.text_hash = p.text_hash AND s.emotions IS NOT NULL ORDER BY s.scored_at DESC LIMIT 1)",
        {"topic": topic, "emotion": emotion, "start": iso(start), "end": iso(end), "shown": SHOWN},
    )
    return frozenset(row[0] for row in rows)
