"""Volume spikes and surges of the negative share, on the 15-minute sums of a topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import holidays as calendars
import numpy as np

from analysis.trends import State, Trends, detect
from analysis.words import rising
from config import Topic
from store import Store
from store.records import Rule, Severity, Signal, from_iso, iso
from store.topic_hours import BIN, Bins, networks_now, read_bins

HISTORY = timedelta(days=28)
SHOWN = timedelta(hours=48)
HOUR_ROWS, DAY_ROWS = 4, 96
EVIDENCE = 8
SHARED = 8  # posts that make a share worth drawing
ChartRow = tuple[str, float | None, float | None, float | None, float | None]
Chart = tuple[ChartRow, ...]
PROVEN = 0.5  # score from which a row is beyond its bound
BIG = 2.0  # times what was expected from which a spike is grave


@dataclass(frozen=True, slots=True)
class Series:
    """A judged series: `values` is the numerator; `totals` its denominator for a share."""

    rule: Rule
    bins: Bins
    values: list[int]
    totals: list[int] | None
    trends: Trends


def trend_signals(store: Store, topic: Topic, now: datetime) -> list[Signal]:
    """A signal for the volume and one for the negative share, active or not; none where the data says nothing."""
    networks = networks_now(store, topic.slug, now)
    if not networks:
        return []
    bins = read_bins(store, topic.slug, now - HISTORY, now, networks)
    if not bins.times:
        return []
    volume = Series("volume_spike", bins, bins.posts, None, _judge(topic, bins, bins.posts))
    share = Series("negative_surge", bins, bins.negative, bins.scored, _judge(topic, bins, bins.negative, bins.scored))
    found = (_signal(store, topic, series, now) for series in (volume, share))
    return [signal for signal in found if signal]


def _judge(topic: Topic, bins: Bins, values: Sequence[int], totals: Sequence[int] | None = None) -> Trends:
    return detect(
        [t.timestamp() for t in bins.times],
        values,
        totals,
        timezone=topic.zone,
        holidays=_holidays(topic, bins.times[0], bins.times[-1]),
        coverage=bins.coverage,
        sensitivity=topic.sensitivity,
    )


def _holidays(topic: Topic, start: datetime, end: datetime) -> frozenset[date]:
    if not topic.holidays:
        return frozenset()
    years = range(start.year, end.year + 1)
    return frozenset(calendars.country_holidays(topic.holidays, years=years))


def _signal(store: Store, topic: Topic, series: Series, now: datetime) -> Signal | None:
    trends, last = series.trends, len(series.trends) - 1
    if trends.state[last] is not State.OK and not trends.active[last]:
        return None
    opened = _opening(trends, last) if trends.active[last] else last
    clearest = opened + int(np.argmax(trends.score[opened : last + 1]))  # the tail of a spike may lie below the usual
    direction = "down" if trends.direction[clearest] < 0 else "up"
    active = bool(trends.active[last]) and not (series.rule == "negative_surge" and direction == "down")
    began = series.bins.times[_onset(series, opened)]
    observed, expected, low, high = _against(series, opened, last)
    signal = Signal(
        rule=series.rule,
        topic=topic.slug,
        subject=topic.slug,
        active=active,
        raised=bool(trends.alert[max(0, last - DAY_ROWS) : last + 1].any()),
        began_at=began,
        observed=observed,
        expected=expected,
        low=low,
        high=high,
        confidence=_confidence(float(trends.score[opened : last + 1].max())),
        evidence_at=_evidence_at(store, topic, series, opened, last),
    )
    return _explained(store, topic, series, signal, direction, now) if active else signal


def _evidence_at(store: Store, topic: Topic, series: Series, opened: int, last: int) -> datetime:
    """The end of the last row that proves something; the newest imported post, where most came from an archive."""
    proving = np.flatnonzero(series.trends.score[opened : last + 1] >= PROVEN)
    end = series.bins.times[opened + int(proving[-1]) if len(proving) else last] + BIN
    count, imported, newest = store.query(
        "SELECT COUNT(*), COALESCE(SUM(p.imported), 0), MAX(CASE WHEN p.imported THEN m.created_at END) "
        "FROM matches m JOIN posts p ON p.id = m.post_id "
        "WHERE m.topic = ? AND m.created_at >= ? AND m.created_at < ? AND m.own = 0",
        (topic.slug, iso(series.bins.times[opened] - timedelta(hours=1)), iso(end)),
    )[0]
    return min(end, from_iso(newest)) if 2 * imported > count else end


def _confidence(score: float) -> float:
    """A detector's score as the chance that an alert is right: 3 in 4 at its bound (0.5), as on development data."""
    return 1 - (1 - score) ** 2


def _opening(trends: Trends, last: int) -> int:
    """The row on which the present incident was opened."""
    row = last
    while row > 0 and trends.active[row - 1] and not trends.alert[row]:
        row -= 1
    return row


def _onset(series: Series, opened: int) -> int:
    """The first row of the unusual stretch: at most two hours before the row that proved it."""
    if series.totals is not None:
        return max(0, opened - HOUR_ROWS)
    row = opened
    high = series.trends.high
    while row > max(0, opened - 2 * HOUR_ROWS) and series.values[row - 1] > high[row - 1]:
        row -= 1
    return row


def _against(series: Series, opened: int, last: int) -> tuple[float, float | None, float | None, float | None]:
    """What was seen against what was expected: posts of the last hour, or the share of the last two hours."""
    if series.totals is None:
        rows = slice(max(0, last - HOUR_ROWS + 1), last + 1)
        expected, low, high = (float(np.nansum(c[rows])) for c in _band(series))
        return float(sum(series.values[rows])), expected, low, high
    rows = slice(max(0, min(opened, last - 2 * HOUR_ROWS + 1)), last + 1)
    total = sum(series.totals[rows])
    share = sum(series.values[rows]) / total if total else 0.0
    before = max(0, opened - 1)
    expected, low, high = (float(c[before]) for c in _band(series))
    spread = 2 * np.sqrt(expected * (1 - expected) / max(total, 1)) if expected == expected else 0.0
    return share, expected, max(0.0, expected - spread), min(1.0, expected + spread)


def _band(series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return series.trends.expected, series.trends.low, series.trends.high


def _explained(store: Store, topic: Topic, series: Series, signal: Signal, direction: str, now: datetime) -> Signal:
    """The same signal with its evidence, words, communities, chart and severity."""
    start, end = signal.began_at - BIN, now
    negative = series.rule == "negative_surge"
    posts = posts_between(store, topic.slug, start, end, "negative" if negative else None)
    before = posts_between(store, topic.slug, start - timedelta(days=1), start, None)
    count = len(posts_between(store, topic.slug, start, end, None)) if negative else len(posts)
    facts = {
        "direction": direction,
        "posts": count,
        "negative": len(posts) if negative else sum(p[2] == "negative" for p in posts),
        "communities": communities_of(store, topic.slug, [p[3] for p in posts if p[3]]),
        "words": rising([p[1] for p in posts], [p[1] for p in before]),
        "timezone": topic.timezone,
        "coverage": round(series.bins.coverage[-1], 3),
        "surprise": round(float(series.trends.surprise[-1]), 2),
    }
    return Signal(
        **{name: getattr(signal, name) for name in Signal.__slots__ if name not in _REPLACED},
        severity=_severity(signal, negative, direction),
        evidence=tuple((p[0], float(p[4])) for p in posts[:EVIDENCE]),
        series=_chart(series),
        facts=facts,
    )


_REPLACED = ("severity", "evidence", "series", "facts")


def _severity(signal: Signal, negative: bool, direction: str) -> Severity:
    if direction == "down":
        return "info"
    if not negative:
        return "warning" if signal.expected and signal.observed > 2 * BIG * signal.expected else "info"
    return "critical" if signal.expected and signal.observed > BIG * signal.expected else "warning"


def posts_between(
    store: Store, topic: str, start: datetime, end: datetime, label: str | None
) -> list[tuple[str, str, str | None, str | None, float]]:
    """Posts of a topic as (id, text, label, author, weight), the most reacted to first; own ones are left out."""
    wanted = "AND v.label = :label" if label else ""
    rows = store.query(
        f"""SELECT v.id, v.text, v.label, v.author_id,
              1.0 + COALESCE(v.reshares, 0) + COALESCE(v.quotes, 0) + 0.5 * COALESCE(v.replies, 0)
                + 0.1 * COALESCE(v.likes, 0) AS weight
            FROM matches m JOIN v_posts v ON v.id = m.post_id
            WHERE m.topic = :topic AND m.created_at >= :start AND m.created_at < :end AND m.own = 0 {wanted}
            ORDER BY weight DESC, v.created_at DESC""",
        {"topic": topic, "start": iso(start), "end": iso(end), "label": label},
    )
    return [tuple(row) for row in rows]


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


def _chart(series: Series) -> Chart:
    """The last two days, in blocks of hours with enough posts to draw; a block that was not observed has no value."""
    count = len(series.values)
    first = max(0, count - int(SHOWN / BIN))
    size = HOUR_ROWS if series.totals is None else _block(series.totals[first:])
    blocks = [slice(max(0, end - size), end) for end in range(count, first, -size)]
    return tuple(_point(series, rows) for rows in reversed(blocks))


def _block(totals: Sequence[int]) -> int:
    """Rows to draw as one point of a share: the shortest of 1, 2, 3, 6 hours in which most have SHARED posts."""
    for hours in (1, 2, 3):
        size = hours * HOUR_ROWS
        sums = [sum(totals[i : i + size]) for i in range(0, len(totals), size)]
        if sums and float(np.median(sums)) >= SHARED:
            return size
    return 6 * HOUR_ROWS


def _point(series: Series, rows: slice) -> ChartRow:
    at = iso(series.bins.times[rows.start])
    covered = np.array(series.bins.coverage[rows])
    expected, low, high = (_mean(c[rows]) for c in _band(series))
    if covered.mean() < 0.5:
        return at, None, expected, None, None
    if series.totals is None:
        scale = float(len(covered))
        seen = round(sum(series.values[rows]) / covered.sum() * scale, 2)
        band = [None if v is None else round(v * scale, 2) for v in (expected, low, high)]
        return at, seen, band[0], band[1], band[2]
    total = sum(series.totals[rows])
    if not total or expected is None:
        return at, None, expected, None, None
    spread = 2 * float(np.sqrt(expected * (1 - expected) / total))
    share = round(sum(series.values[rows]) / total, 4)
    return at, share, round(expected, 4), round(max(0.0, expected - spread), 4), round(min(1.0, expected + spread), 4)


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
