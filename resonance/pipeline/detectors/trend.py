"""Volume spikes and dips, surges of negative or positive posts or of an emotion, on the 15-minute sums of a topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import holidays as calendars
import numpy as np

from analysis.trends import State, Trends, detect
from config import Settings, Topic
from resonance.pipeline.detectors.explain import Bands, explained
from resonance.pipeline.detectors.strictness import strictness
from store import Store
from store.emotion_bins import read_emotion
from store.records import Rule, Signal, from_iso, iso
from store.topic_hours import BIN, Bins, networks_now, read_bins

HISTORY = timedelta(days=28)
RECENT = timedelta(hours=1)  # a network not read for so long is left aside: the others are judged without it
HOUR_ROWS, DAY_ROWS = 4, 96
RULES: tuple[Rule, ...] = ("volume_spike", "negative_surge")
EMOTION: Rule = "emotion_surge"
POSITIVE: Rule = "positive_surge"
PROVEN = 0.5  # score from which a row is beyond its bound
FALLEN = 0.5  # of what was expected: a row below it belongs to a dip
FALLS: frozenset[Rule] = frozenset(["volume_spike"])  # rules of which a fall is news; fewer negative posts are none
DOWN = ":down"  # a dip is another thing than a spike: in its cool-down a spike must be told


@dataclass(frozen=True, slots=True)
class Series:
    """A judged series: `values` is the numerator; `totals` its denominator for a share; `emotion`: of which."""

    rule: Rule
    bins: Bins
    values: Sequence[int]
    totals: Sequence[int] | None
    trends: Trends
    emotion: str = ""

    @property
    def bands(self) -> Bands:
        """What was expected, low and high by row."""
        return Bands(self.trends.expected, self.trends.low, self.trends.high)


def rules_on(settings: Settings) -> tuple[Rule, ...]:
    """The rules that judge counts of posts: those that always do, and what a team has switched on."""
    return (*RULES, POSITIVE) if POSITIVE in settings.alerts.rules else RULES


def trend_signals(store: Store, topic: Topic, now: datetime, rules: Sequence[Rule] = RULES) -> list[Signal]:
    """Signals for the volume (up, down) and for shares, active or not; none where the data says nothing."""
    networks = networks_now(store, topic.slug, now, RECENT)
    if not networks:
        return []
    bins = read_bins(store, topic.slug, now - HISTORY, now, networks)
    if not bins.times:
        return []
    found: list[Signal] = []
    for rule in rules:
        series = judge(topic, bins, rule, strictness(store, topic, rule))
        found += [_told(store, topic, series, s, now) if s.active else s for s in signals_of(topic, series)]
    return found


def emotion_signals(store: Store, settings: Settings, topic: Topic, now: datetime) -> list[Signal]:
    """A signal for the share of each watched emotion; none while the rule is off or the model has no emotions."""
    networks = networks_now(store, topic.slug, now, RECENT)
    if EMOTION not in settings.alerts.rules or not networks:
        return []
    bins = read_bins(store, topic.slug, now - HISTORY, now, networks)
    strict = strictness(store, topic, EMOTION)
    found: list[Signal] = []
    for emotion in settings.alerts.emotions:
        seen = read_emotion(store, topic.slug, emotion, bins.times, networks)
        if not any(seen.scored):
            continue
        bins.emotions[emotion] = (seen.posts, seen.scored)
        series = judge(topic, bins, EMOTION, strict, emotion)
        found += [_told(store, topic, series, s, now) if s.active else s for s in signals_of(topic, series)]
    return found


def counted(bins: Bins, rule: Rule, emotion: str = "") -> tuple[Sequence[int], Sequence[int] | None]:
    """What a rule judges: posts alone, or those of a kind among all of which the model said."""
    if rule == "volume_spike":
        return bins.posts, None
    if rule == EMOTION:
        return bins.emotions[emotion]
    return bins.positive if rule == POSITIVE else bins.negative, bins.scored


def judge(topic: Topic, bins: Bins, rule: Rule, strict: float = 1.0, emotion: str = "") -> Series:
    """The detector's answers on a topic's bins."""
    values, totals = counted(bins, rule, emotion)
    trends = detect(
        [t.timestamp() for t in bins.times],
        values,
        totals,
        timezone=topic.zone,
        holidays=_holidays(topic, bins.times[0], bins.times[-1]),
        coverage=bins.coverage,
        sensitivity=topic.sensitivity,
        strictness=strict,
    )
    return Series(rule, bins, values, totals, trends, emotion)


def _holidays(topic: Topic, start: datetime, end: datetime) -> frozenset[date]:
    if not topic.holidays:
        return frozenset()
    return frozenset(calendars.country_holidays(topic.holidays, years=range(start.year, end.year + 1)))


def signals_of(topic: Topic, series: Series) -> list[Signal]:
    """What the last row says: one signal for each direction that is told; none where it could not be judged."""
    trends, last = series.trends, len(series.trends) - 1
    if trends.state[last] is not State.OK and not trends.active[last]:
        return []
    opened = _opening(trends, last) if trends.active[last] else last
    clearest = opened + int(np.argmax(trends.score[opened : last + 1]))  # the tail of a spike may lie below the usual
    falls = trends.direction[clearest] < 0
    return [
        _signal(topic, series, opened, down, bool(trends.active[last]) and down == falls)
        for down in ((False, True) if series.rule in FALLS else (False,))
    ]


def subject_of(topic: Topic, emotion: str = "", down: bool = False) -> str:
    """What an incident is about: the topic, its fall, or an emotion in it."""
    return topic.slug + (f":{emotion}" if emotion else "") + (DOWN if down else "")


def _signal(topic: Topic, series: Series, opened: int, down: bool, active: bool) -> Signal:
    trends, last = series.trends, len(series.trends) - 1
    observed, expected, low, high = _against(series, opened, last)
    proving = np.flatnonzero(trends.score[opened : last + 1] >= PROVEN)
    newest = opened + int(proving[-1]) if len(proving) else last
    return Signal(
        rule=series.rule,
        topic=topic.slug,
        subject=subject_of(topic, series.emotion, down),
        active=active,
        raised=bool(trends.alert[max(0, last - DAY_ROWS) : last + 1].any()),
        began_at=series.bins.times[_onset(series, opened, down)],
        observed=observed,
        expected=expected,
        low=low,
        high=high,
        confidence=float(trends.score[opened : last + 1].max()),
        facts={
            "direction": "down" if down else "up",
            "timezone": topic.timezone,
            "coverage": round(series.bins.coverage[-1], 3),
            "surprise": round(float(trends.surprise[-1]), 2),
            **({"emotion": series.emotion} if series.emotion else {}),
        },
        evidence_at=series.bins.times[newest] + BIN,
    )


def _opening(trends: Trends, last: int) -> int:
    """The row on which the present incident was opened."""
    row = last
    while row > 0 and trends.active[row - 1] and not trends.alert[row]:
        row -= 1
    return row


def _onset(series: Series, opened: int, down: bool) -> int:
    """The first row of the unusual stretch: at most two hours before the row that proved it."""
    if series.totals is not None:
        return _clearest_start(series, opened)
    row, bands = opened, series.bands
    while row > max(0, opened - 2 * HOUR_ROWS):
        seen = series.values[row - 1]
        if not (seen < FALLEN * bands.expected[row - 1] if down else seen > bands.high[row - 1]):
            break
        row -= 1
    return row


def _clearest_start(series: Series, opened: int) -> int:
    """The first row of the window up to two hours, ending where it was proved, in which the share is most unusual."""
    assert series.totals is not None
    usual = float(series.trends.expected[max(0, opened - 1)])
    usual = min(max(usual, 0.01), 0.99) if np.isfinite(usual) else 0.5
    best, start, part, total = -np.inf, max(0, opened - 1), 0, 0
    for row in range(opened, max(-1, opened - 2 * HOUR_ROWS), -1):
        part, total = part + series.values[row], total + series.totals[row]
        unusual = (part - usual * total) / np.sqrt(usual * (1 - usual) * max(total, 1))
        if row < opened and unusual > best:
            best, start = unusual, row
    return start


def _against(series: Series, opened: int, last: int) -> tuple[float, float | None, float | None, float | None]:
    """What was seen against what was expected: posts of the last hour, or the share since it began."""
    expected, low, high = series.bands
    if series.totals is None:
        rows = [row for row in range(max(0, last - HOUR_ROWS + 1), last + 1) if np.isfinite(expected[row])]
        if not rows:  # what was not read is neither seen nor expected
            return float(series.values[last]), None, None, None
        seen = float(sum(series.values[row] for row in rows))
        return seen, float(expected[rows].sum()), float(low[rows].sum()), float(high[rows].sum())
    span = slice(_clearest_start(series, opened), last + 1)
    total = sum(series.totals[span])
    share = sum(series.values[span]) / total if total else 0.0
    usual = float(expected[max(0, opened - 1)])
    if not np.isfinite(usual):
        return share, None, None, None
    spread = 2 * np.sqrt(usual * (1 - usual) / max(total, 1))
    return share, usual, max(0.0, usual - spread), min(1.0, usual + spread)


def _told(store: Store, topic: Topic, series: Series, signal: Signal, now: datetime) -> Signal:
    """An active signal with its evidence, words, communities, chart and severity."""
    told = explained(store, topic, series.bins, series.values, series.totals, series.bands, signal, now)
    return replace(told, evidence_at=_evidence_at(store, topic, signal))


def _evidence_at(store: Store, topic: Topic, signal: Signal) -> datetime:
    """The newest imported post, where most of what proves the signal came from an archive."""
    end = signal.evidence_at or signal.began_at
    count, imported, newest = store.query(
        "SELECT COUNT(*), COALESCE(SUM(p.imported), 0), MAX(CASE WHEN p.imported THEN m.created_at END) "
        "FROM matches m JOIN posts p ON p.id = m.post_id "
        "WHERE m.topic = ? AND m.created_at >= ? AND m.created_at < ? AND m.own = 0",
        (topic.slug, iso(signal.began_at - timedelta(hours=1)), iso(end)),
    )[0]
    return min(end, from_iso(newest)) if 2 * imported > count else end
