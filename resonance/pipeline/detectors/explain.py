"""What drives a trend: the posts that matter, the words that rose, the communities, a chart, how grave it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.words import rising
from config import Topic
from store import Store
from store.emotion_bins import posts_showing
from store.records import Rule, Severity, Signal, iso
from store.text import fold
from store.topic_hours import BIN, Bins

SHOWN = timedelta(hours=48)
HOUR_ROWS = 4
EVIDENCE = 8
COMPARED = 5_000  # posts of the day before with which words are compared
SHARED = 8  # posts that make a share worth drawing
BIG = 2.0  # times what was expected from which a surge is critical; a spike is a warning from twice that
CLEAR = 0.75  # certainty from which messages no longer say that it may be chance
LABELS: dict[Rule, str] = {
    "negative_surge": "negative",
    "positive_surge": "positive",
}
ChartRow = tuple[str, float | None, float | None, float | None, float | None]
Chart = tuple[ChartRow, ...]


class Bands(NamedTuple):
    """By row, NaN where nothing is known: what was expected, and the ends of what is usual; each of shape (n,)."""

    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Told(NamedTuple):
    """A post as evidence; `weight` counts the reactions to it."""

    id: str
    text: str
    label: str | None
    author: str | None
    weight: float


def explained(
    store: Store,
    topic: Topic,
    bins: Bins,
    values: Sequence[int],
    totals: Sequence[int] | None,
    bands: Bands,
    signal: Signal,
    now: datetime,
) -> Signal:
    """The signal with its evidence, facts, chart and severity. What is missing in a dip has no posts to show."""
    down = signal.facts["direction"] == "down"
    start = signal.began_at - BIN
    posts = posts_between(store, topic.slug, start, now)
    telling = _telling(store, topic, posts, signal, start, now)
    facts: dict[str, object] = {"posts": len(posts), "negative": sum(p.label == "negative" for p in posts)}
    if signal.rule == "positive_surge":
        facts |= {"positive": sum(p.label == "positive" for p in posts), "mood": "positive"}
    if not down:
        before = texts_between(store, topic.slug, start - timedelta(days=1), start)
        words = rising([p.text for p in telling], before)
        telling = about(telling, words)
        facts["communities"] = communities_of(store, topic.slug, [p.author for p in telling if p.author])
        facts["words"] = words
    return replace(
        signal,
        severity=severity(signal),
        evidence=() if down else tuple((p.id, p.weight) for p in telling[:EVIDENCE]),
        series=chart(bins, values, totals, bands),
        facts={**signal.facts, **facts},
    )


def _telling(
    store: Store, topic: Topic, posts: list[Told], signal: Signal, start: datetime, now: datetime
) -> list[Told]:
    """The posts that a rule counts."""
    if signal.rule in LABELS:
        return [p for p in posts if p.label == LABELS[signal.rule]]
    if signal.rule == "emotion_surge":
        showing = posts_showing(store, topic.slug, str(signal.facts["emotion"]), start, now)
        return [p for p in posts if p.id in showing]
    return posts


def about(posts: Sequence[Told], words: Sequence[str]) -> list[Told]:
    """The posts that tell most of what is new first: many reactions, and the words that rose."""

    def telling(post: Told) -> float:
        text = fold(post.text)
        return post.weight * (1 + sum(word in text for word in words))

    return sorted(posts, key=telling, reverse=True)


def severity(signal: Signal) -> Severity:
    """How grave it is, by how far it goes beyond what was expected; a joy or a fall is not grave, and what may be
    chance is not the gravest: it grows graver as soon as more posts say the same."""
    if signal.facts["direction"] == "down" or signal.rule == "positive_surge":
        return "info"
    times = BIG if signal.rule == "negative_surge" else 2 * BIG
    beyond = signal.observed > times * (signal.expected or np.inf) and signal.confidence >= CLEAR
    if signal.rule != "negative_surge":
        return "warning" if beyond else "info"
    return "critical" if beyond else "warning"


def posts_between(store: Store, topic: str, start: datetime, end: datetime) -> list[Told]:
    """Posts of a topic from `start` until before `end`, the most reacted to first; its own and removed ones left out.

    The label is the newest correction, else the newest result for the present text.
    """
    rows = store.query(
        """WITH wanted AS (
             SELECT m.post_id, m.created_at FROM matches m
             WHERE m.topic = :topic AND m.created_at >= :start AND m.created_at < :end AND m.own = 0),
           counts AS (
             SELECT w.post_id, w.created_at, 1.0 + COALESCE(MAX(c.reshares), 0) + COALESCE(MAX(c.quotes), 0)
               + 0.5 * COALESCE(MAX(c.replies), 0) + 0.1 * COALESCE(MAX(c.likes), 0) AS weight
             FROM wanted w LEFT JOIN metrics c ON c.post_id = w.post_id GROUP BY w.post_id)
           SELECT p.id, p.text,
             COALESCE(
               (SELECT c.label FROM corrections c WHERE c.post_id = p.id ORDER BY c.id DESC LIMIT 1),
               (SELECT s.label FROM sentiments s WHERE s.post_id = p.id AND s.text_hash = p.text_hash
                ORDER BY s.scored_at DESC LIMIT 1)) AS label,
             p.author_id, counts.weight
           FROM counts JOIN posts p ON p.id = counts.post_id AND p.removed_at IS NULL
           ORDER BY counts.weight DESC, counts.created_at DESC""",
        {"topic": topic, "start": iso(start), "end": iso(end)},
    )
    return [Told(*row) for row in rows]


def texts_between(store: Store, topic: str, start: datetime, end: datetime) -> list[str]:
    """The newest texts of a topic from `start` until before `end`, its own left out."""
    rows = store.query(
        "SELECT p.text FROM matches m JOIN posts p ON p.id = m.post_id AND p.removed_at IS NULL "
        "WHERE m.topic = ? AND m.created_at >= ? AND m.created_at < ? AND m.own = 0 "
        "ORDER BY m.created_at DESC LIMIT ?",
        (topic, iso(start), iso(end), COMPARED),
    )
    return [row[0] for row in rows]


def communities_of(store: Store, topic: str, authors: Sequence[str], most: int = 2) -> list[str]:
    """Labels of the communities that most of these authors belong to."""
    run = store.one("SELECT run_id FROM v_runs_latest WHERE kind = 'graph' AND topic = ?", (topic,))
    if run is None:
        return []
    rows = store.query("SELECT account_id, subcommunity FROM memberships WHERE run_id = ?", (run,))
    members = {row[0]: row[1] for row in rows}
    counts = Counter(members[a] for a in set(authors) if a in members)
    labels = {r[0]: r[1] for r in store.query("SELECT community, label FROM communities WHERE run_id = ?", (run,))}
    return [labels[c] for c, n in counts.most_common(most) if n >= 3 and c in labels]


def chart(bins: Bins, values: Sequence[int], totals: Sequence[int] | None, bands: Bands) -> Chart:
    """The last two days, in blocks of hours with enough posts to draw; a block that was not observed has no value."""
    count = len(values)
    first = max(0, count - int(SHOWN / BIN))
    size = HOUR_ROWS if totals is None else _block(totals[first:])
    blocks = [slice(max(0, end - size), end) for end in range(count, first, -size)]
    return tuple(_point(bins, values, totals, bands, rows) for rows in reversed(blocks))


def _block(totals: Sequence[int]) -> int:
    """Rows to draw as one point of a share: the shortest of 1, 2, 3, 6 hours in which most have SHARED posts."""
    for hours in (1, 2, 3):
        size = hours * HOUR_ROWS
        sums = [sum(totals[i : i + size]) for i in range(0, len(totals), size)]
        if sums and float(np.median(sums)) >= SHARED:
            return size
    return 6 * HOUR_ROWS


def _point(bins: Bins, values: Sequence[int], totals: Sequence[int] | None, bands: Bands, rows: slice) -> ChartRow:
    at = iso(bins.times[rows.start])
    covered = np.array(bins.coverage[rows])
    expected, low, high = (_mean(c[rows]) for c in bands)
    if totals is None:
        scale = float(len(covered))
        band = [None if v is None else round(v * scale, 2) for v in (expected, low, high)]
        if covered.mean() < 0.5:
            return at, None, band[0], None, None
        return at, round(sum(values[rows]) / covered.sum() * scale, 2), band[0], band[1], band[2]
    total = sum(totals[rows])
    if covered.mean() < 0.5 or total < SHARED // 2 or expected is None:
        return at, None, expected, None, None
    spread = 2 * float(np.sqrt(expected * (1 - expected) / total))
    share = round(sum(values[rows]) / total, 4)
    return at, share, round(expected, 4), round(max(0.0, expected - spread), 4), round(min(1.0, expected + spread), 4)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
