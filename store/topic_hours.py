"""The maintained sums by hour and by 15 minutes; only what was touched is computed again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from config import Topic
from store.db import Store
from store.records import from_iso, iso
from store.suspects import LEFT_OUT, suspects_of

HOUR = timedelta(hours=1)
BIN = timedelta(minutes=15)
Share = Callable[[int, int, int], tuple[float, float, float] | None]
"""(negative, neutral, positive) posts -> corrected share of negative, low, high; None: nothing to say."""

_LABELLED = """
SELECT m.created_at AS created_at, p.network AS network, p.author_id AS author_id, m.own AS own,
  p.removed_at IS NOT NULL AS removed,
  COALESCE((SELECT c.label FROM corrections c WHERE c.post_id = p.id ORDER BY c.id DESC LIMIT 1), s.label) AS label,
  CASE WHEN EXISTS (SELECT 1 FROM corrections c WHERE c.post_id = p.id) THEN 0 ELSE COALESCE(s.uncertain, 0) END
    AS uncertain
FROM matches m
JOIN posts p ON p.id = m.post_id
LEFT JOIN sentiments s ON s.post_id = p.id AND s.text_hash = p.text_hash AND s.model = :model AND s.version = :version
WHERE m.topic = :topic AND m.created_at >= :start AND m.created_at < :end
"""

_FIRST_SEEN = "SELECT MIN(start_utc), network FROM observations WHERE topic = ? GROUP BY network"


@dataclass(frozen=True, slots=True)
class ModelKey:
    """Which model's results are counted."""

    name: str
    version: str


def floor_hour(moment: datetime) -> datetime:
    """The beginning of its hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def touched_hours(store: Store, topic: str, after: int, upto: int) -> set[datetime]:
    """The hours of a topic that the changes (after, upto] concern."""
    rows = store.query(
        """SELECT DISTINCT substr(m.created_at, 1, 13) FROM changes c JOIN matches m ON m.post_id = c.subject
             WHERE c.seq > :after AND c.seq <= :upto AND m.topic = :topic AND c.kind <> 'metrics'
           UNION
           SELECT DISTINCT substr(i.time_high, 1, 13) FROM changes c
             JOIN interactions i ON i.target_post_id = c.subject AND i.kind = 'reshare'
             JOIN matches m ON m.post_id = c.subject AND m.topic = :topic
             WHERE c.seq > :after AND c.seq <= :upto AND c.kind = 'interaction'""",
        {"after": after, "upto": upto, "topic": topic},
    )
    return {from_iso(f"{row[0]}:00:00Z") for row in rows}


def all_hours(store: Store, topic: str) -> set[datetime]:
    """Every hour that holds a match or a reshare of one, or a row from before."""
    rows = store.query(
        "SELECT DISTINCT substr(created_at, 1, 13) FROM matches WHERE topic = :topic "
        "UNION SELECT substr(i.time_high, 1, 13) FROM matches m JOIN interactions i ON i.target_post_id = m.post_id "
        "AND i.kind = 'reshare' WHERE m.topic = :topic "
        "UNION SELECT substr(hour_utc, 1, 13) FROM topic_hours WHERE topic = :topic",
        {"topic": topic},
    )
    return {from_iso(f"{row[0]}:00:00Z") for row in rows}


def unwritten_hours(store: Store, topic: str, now: datetime, days: int = 60) -> set[datetime]:
    """Observed hours without a row, incomplete ones of the last two days, and older ones read again since."""
    oldest, recent = floor_hour(now - timedelta(days=days)), now - timedelta(days=2)
    seconds: dict[datetime, float] = {}
    for row in store.query(
        "SELECT start_utc, end_utc FROM observations WHERE topic = ? AND end_utc >= ?", (topic, iso(oldest))
    ):
        start, end = max(from_iso(row[0]), oldest), from_iso(row[1])
        hour = floor_hour(start)
        while hour < end:
            seconds[hour] = seconds.get(hour, 0.0) + (min(end, hour + HOUR) - max(start, hour)).total_seconds()
            hour += HOUR
    firsts = [from_iso(row[0]) for row in store.query(_FIRST_SEEN, (topic,))]
    for row in store.query(
        "SELECT hour_utc, coverage, complete FROM topic_hours WHERE topic = ? AND hour_utc >= ?", (topic, iso(oldest))
    ):
        hour = from_iso(row[0])
        networks = max(1, sum(first < hour + HOUR for first in firsts))
        as_written = abs(seconds.get(hour, 0.0) / HOUR.total_seconds() / networks - row[1]) < 0.001
        if row[2] or (hour < recent and as_written):
            seconds.pop(hour, None)
    return set(seconds)


def recompute(
    store: Store, topic: Topic, hours: Iterable[datetime], model: ModelKey, share: Share, now: datetime
) -> int:
    """Write the rows of these hours anew, a day of hours in a transaction; returns how many hours were written."""
    ordered = sorted(hours)
    for begin in range(0, len(ordered), 24):
        with store.write() as connection:
            for hour in ordered[begin : begin + 24]:
                _hour(connection, topic, hour, model, share, now)
    return len(ordered)


def _hour(
    connection: sqlite3.Connection, topic: Topic, hour: datetime, model: ModelKey, share: Share, now: datetime
) -> None:
    parameters = {
        **{"topic": topic.slug, "start": iso(hour), "end": iso(hour + HOUR)},
        **{"model": model.name, "version": model.version},
    }
    rows = connection.execute(_LABELLED, parameters).fetchall()
    others = [row for row in rows if not row["own"]]
    suspected = suspects_of(connection, topic.slug, [row["author_id"] for row in others if row["author_id"]])
    counts = {label: sum(r["label"] == label for r in others) for label in ("negative", "neutral", "positive")}
    reshares = connection.execute(
        f"SELECT COUNT(*), COALESCE(SUM(i.source_id IN ({LEFT_OUT})), 0) "
        "FROM interactions i INDEXED BY interactions_time "  # the planner would read every reshare there is
        "CROSS JOIN matches m ON m.post_id = i.target_post_id AND m.topic = :topic "
        "WHERE i.kind = 'reshare' AND i.time_high >= :start AND i.time_high < :end",
        parameters,
    ).fetchone()
    told = share(counts["negative"], counts["neutral"], counts["positive"]) or (None, None, None)
    covered = coverage(connection, topic.slug, hour, hour + HOUR)
    unscored = sum(r["label"] is None and not r["removed"] for r in others)
    complete = covered > 0.99 and hour + HOUR <= now and not unscored
    connection.execute(
        "INSERT OR REPLACE INTO topic_hours (topic, hour_utc, hour_local, posts, own_posts, authors, reshares, "
        "negative, neutral, positive, uncertain, negative_share, negative_low, negative_high, coverage, complete, "
        "updated_at, suspect_posts, suspect_reshares) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(topic.slug, iso(hour), hour.astimezone(topic.zone).isoformat(), len(others), len(rows) - len(others)),
            *(len({r["author_id"] for r in others if r["author_id"]}), reshares[0], *counts.values()),
            *(sum(r["uncertain"] for r in others), *told, round(covered, 4), complete, iso(now)),
            *(sum(r["author_id"] in suspected for r in others), reshares[1]),
        ),
    )
    _bins(connection, topic.slug, hour, others, suspected)


def _bins(
    connection: sqlite3.Connection,
    topic: str,
    hour: datetime,
    rows: Sequence[sqlite3.Row],
    suspected: frozenset[str],
) -> None:
    connection.execute(
        "DELETE FROM topic_bins WHERE topic = ? AND bin_utc >= ? AND bin_utc < ?", (topic, iso(hour), iso(hour + HOUR))
    )
    bins: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        quarter = int(row["created_at"][14:16]) // 15
        counts = bins.setdefault((row["network"], iso(hour + quarter * BIN)), [0] * 9)
        counts[0] += 1
        if row["label"]:
            counts[1] += 1
            counts[("negative", "neutral", "positive").index(row["label"]) + 2] += 1
        if row["author_id"] in suspected:
            counts[5] += 1
            counts[6] += row["label"] is not None
            counts[7] += row["label"] == "negative"
            counts[8] += row["label"] == "positive"
    connection.executemany(
        "INSERT INTO topic_bins (topic, network, bin_utc, posts, scored, negative, neutral, positive, suspect_posts, "
        "suspect_scored, suspect_negative, suspect_positive) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(topic, network, at, *counts) for (network, at), counts in bins.items()],
    )


def coverage(connection: sqlite3.Connection, topic: str, start: datetime, end: datetime) -> float:
    """Share of a period that was really observed, 0..1, mean over the networks that were observed by its end.

    A network that is added later leaves the hours before as they were.
    """
    networks = [row[1] for row in connection.execute(_FIRST_SEEN, (topic,)) if row[0] < iso(end)]
    if not networks:
        return 0.0
    length = (end - start).total_seconds()
    return sum(_seconds(connection, topic, network, start, end) for network in networks) / length / len(networks)


def _seconds(connection: sqlite3.Connection, topic: str, network: str, start: datetime, end: datetime) -> float:
    rows = connection.execute(
        "SELECT start_utc, end_utc FROM observations WHERE topic = ? AND network = ? AND end_utc > ? AND start_utc < ?",
        (topic, network, iso(start), iso(end)),
    ).fetchall()
    periods = ((max(from_iso(r[0]), start), min(from_iso(r[1]), end)) for r in rows)
    return sum((b - a).total_seconds() for a, b in periods)


@dataclass(frozen=True, slots=True)
class Bins:
    """A topic by 15 minutes on a whole grid, without suspects of coordination and declared bots.

    `coverage` 0..1 says how much of each was observed, `left_out` how many posts by suspects and bots there were,
    `emotions` (those that were asked for) how many posts show it and of how many the model said.
    """

    times: list[datetime]
    posts: list[int]
    scored: list[int]
    negative: list[int]
    positive: list[int]
    coverage: list[float]
    left_out: list[int] = field(default_factory=list)
    emotions: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)


def read_bins(store: Store, topic: str, start: datetime, end: datetime, networks: Sequence[str]) -> Bins:
    """The 15 minutes from `start` to `end` summed over `networks`; covered is what all of them observed."""
    start = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    count = max(0, int((end - start) / BIN))
    sums: dict[str, list[int]] = {}
    marks = ",".join("?" * len(networks))
    for row in store.query(
        "SELECT bin_utc, SUM(posts - suspect_posts), SUM(scored - suspect_scored), "
        "SUM(negative - suspect_negative), SUM(positive - suspect_positive), SUM(suspect_posts) FROM topic_bins "
        f"WHERE topic = ? AND bin_utc >= ? AND bin_utc < ? AND network IN ({marks}) GROUP BY bin_utc",
        (topic, iso(start), iso(end), *networks),
    ):
        sums[row[0]] = list(row[1:])
    times = [start + i * BIN for i in range(count)]
    columns = zip(*(sums.get(iso(t), [0] * 5) for t in times), strict=True) if times else [()] * 5
    posts, scored, negative, positive, left_out = map(list, columns)
    covered = [1.0] * count
    for network in networks:
        covered = [min(a, b) for a, b in zip(covered, _covered(store, topic, network, start, count), strict=True)]
    return Bins(times, posts, scored, negative, positive, covered, left_out)


def _covered(store: Store, topic: str, network: str, start: datetime, count: int) -> list[float]:
    """Observed share of each of `count` bins from `start` on."""
    seconds = [0.0] * count
    end = start + count * BIN
    for row in store.query(
        "SELECT start_utc, end_utc FROM observations WHERE topic = ? AND network = ? AND end_utc > ? AND start_utc < ?",
        (topic, network, iso(start), iso(end)),
    ):
        first, last = max(from_iso(row[0]), start), min(from_iso(row[1]), end)
        for i in range(int((first - start) / BIN), min(count, -int((start - last) // BIN))):
            begins = start + i * BIN
            seconds[i] += max(0.0, (min(last, begins + BIN) - max(first, begins)).total_seconds())
    return [min(1.0, s / BIN.total_seconds()) for s in seconds]


def networks_now(store: Store, topic: str, now: datetime, within: timedelta = timedelta(days=1)) -> list[str]:
    """The networks observed for a topic lately: what detection may compare."""
    rows = store.query(
        "SELECT DISTINCT network FROM observations WHERE topic = ? AND end_utc >= ? ORDER BY network",
        (topic, iso(now - within)),
    )
    return [row[0] for row in rows]
