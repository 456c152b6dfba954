"""Trends as they would have been told: a screen over each day, then the very detector of the daemon where it matters.

The detector is causal, so one run over a day's figures shows where nothing was near a bound. Elsewhere, and wherever
posts were still missing that became known later, it is run on exactly what was known at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from analysis.trends import COVERAGE_BOUND, Sensitivity, State, hysteresis, stricter
from analysis.trends.incidents import Hysteresis, incidents
from config import Topic
from resonance.pipeline.detectors.explain import severity
from resonance.pipeline.detectors.strictness import strictness
from resonance.pipeline.detectors.trend import (
    EMOTION,
    FALLS,
    HISTORY,
    RULES,
    Series,
    counted,
    judge,
    signals_of,
    subject_of,
)
from resonance.replay.known import STEP, Ledger, TopicHistory, read_history
from store import Store
from store.records import Rule, Signal
from store.topic_hours import Bins

MOST = Sensitivity.HIGH  # the most sensitive: where it is silent, the others are
NEAR = 0.9  # of its bounds
RECENT_ROWS = 8
LATE, FEW = 0.1, 2  # share, and number, of the last two hours' posts that may still be missing in a calm step
DAY = 86_400


class Judged(NamedTuple):
    """What is judged: a rule, of `emotion_surge` one emotion."""

    rule: Rule
    emotion: str = ""

    @property
    def share(self) -> bool:
        """A share, not a volume."""
        return self.rule != "volume_spike"


@dataclass(frozen=True, slots=True)
class _Screen:
    """A day's figures, and by row whether anything was near; `first` is the row of the history's first bin."""

    bins: Bins
    first: int
    near: dict[Judged, np.ndarray[tuple[int], np.dtype[np.bool_]]]
    state: dict[Judged, list[State]]


class TrendReplay:
    """The trend signals of one topic; ask for ascending moments only."""

    def __init__(
        self,
        store: Store,
        topic: Topic,
        since: datetime,
        until: datetime,
        rules: Sequence[Rule] = RULES,
        emotions: Sequence[str] = (),
        thorough: bool = False,
    ) -> None:
        """`rules` and `emotions` that are judged; `thorough`: at every step, for tests of the screen."""
        self.topic, self.thorough = topic, thorough
        self.judged = [*map(Judged, rules), *(Judged(EMOTION, emotion) for emotion in emotions)]
        self.history: TopicHistory = read_history(store, topic.slug, since, until, emotions)
        self.now, self.ahead = self.history.ledger(), self.history.ledger()
        self.strict: dict[Rule, float] = {rule: strictness(store, topic, rule) for rule, _ in self.judged}
        self.until = int(until.timestamp())
        self.day = -1
        self.screens: dict[tuple[int, ...], _Screen] = {}

    def at(self, moment: datetime, sensitivities: Sequence[str]) -> Mapping[str, list[Signal]]:
        """What the detectors would have said at `moment`, by sensitivity."""
        now = int(moment.timestamp())
        self.now.advance(now)
        networks = self.history.networks_at(now)
        found: dict[str, list[Signal]] = {name: [] for name in sensitivities}
        if not networks:
            return found
        screen = self._screen(networks, now)
        recent = self.history.bins(self.now, networks, now // STEP * STEP - RECENT_ROWS * STEP, now)
        bins: Bins | None = None
        for what in self.judged:
            if self.thorough or self._matters(screen, recent, what, now):
                bins = bins or self._window(self.now, networks, now)
                self._exactly(bins, what, found)
            elif self._known(screen, recent, what, now):
                for name in sensitivities:
                    found[name] += _calm(self.topic, what, moment)
        return found

    def _window(self, ledger: Ledger, networks: Sequence[int], now: int) -> Bins:
        start = now - int(HISTORY.total_seconds())
        return self.history.bins(ledger, networks, start // STEP * STEP, now)

    def _exactly(self, bins: Bins, what: Judged, found: dict[str, list[Signal]]) -> None:
        """The detector on what was known, once for all sensitivities."""
        series = self._judge(bins, what)
        for name in found:
            trends = stricter(series.trends, bins.coverage, self._bound(what, name))
            found[name] += [
                replace(s, severity=severity(s)) for s in signals_of(self.topic, replace(series, trends=trends))
            ]

    def _judge(self, bins: Bins, what: Judged) -> Series:
        most = self.topic.model_copy(update={"sensitivity": MOST})
        return judge(most, bins, what.rule, self.strict[what.rule], what.emotion)

    def _bound(self, what: Judged, sensitivity: str) -> Hysteresis:
        return hysteresis(sensitivity, share=what.share, strictness=self.strict[what.rule])

    def _screen(self, networks: tuple[int, ...], now: int) -> _Screen:
        """The figures of the day of `now` as they were known at its end."""
        if now // DAY != self.day:
            self.day = now // DAY
            self.screens = {}
            self.ahead.advance(min((self.day + 1) * DAY, self.until))
        if networks not in self.screens:
            self.screens[networks] = self._screened(networks)
        return self.screens[networks]

    def _screened(self, networks: tuple[int, ...]) -> _Screen:
        end = min((self.day + 1) * DAY, self.until)
        start = self.day * DAY - int(HISTORY.total_seconds())
        bins = self.history.bins(self.ahead, networks, start, end)
        first = int(bins.times[0].timestamp() - self.history.origin) // STEP if bins.times else 0
        near, state = {}, {}
        for what in self.judged:
            trends, bound = self._judge(bins, what).trends, self._bound(what, MOST)
            lower = Hysteresis(NEAR * bound.open, NEAR * bound.close, bound.calm + STEP, 0)
            near[what], state[what] = incidents(trends.time, trends.surprise, lower)[1], trends.state
        return _Screen(bins, first, near, state)

    def _row(self, screen: _Screen, now: int) -> int:
        """The row of the screen that is the last whole one before `now`."""
        return (now - self.history.origin) // STEP - 1 - screen.first

    def _matters(self, screen: _Screen, recent: Bins, what: Judged, now: int) -> bool:
        row = self._row(screen, now)
        if row < 0 or row >= len(screen.bins.times):
            return True
        if screen.near[what][row]:
            return True
        rows = slice(max(0, row - RECENT_ROWS + 1), row + 1)
        (later, later_of), (then, then_of) = (counted(bins, *what) for bins in (screen.bins, recent))
        pairs = [(later, then), (later_of or screen.bins.posts, then_of or recent.posts)]
        return any(_differ(sum(later[rows]), sum(then)) for later, then in pairs)

    def _known(self, screen: _Screen, recent: Bins, what: Judged, now: int) -> bool:
        row = self._row(screen, now)
        return recent.coverage[-1] >= COVERAGE_BOUND and screen.state[what][row] is State.OK


def _differ(later: int, then: int) -> bool:
    return abs(later - then) > max(FEW, LATE * later)


def _calm(topic: Topic, what: Judged, moment: datetime) -> list[Signal]:
    """The signals of a step at which nothing was near: judged, and not active."""
    subjects = [subject_of(topic, what.emotion, down) for down in ((False, True) if what.rule in FALLS else (False,))]
    return [
        Signal(what.rule, topic.slug, name, active=False, raised=False, began_at=moment.astimezone(UTC), observed=0.0)
        for name in subjects
    ]
