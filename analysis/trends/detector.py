"""One answer per row: expected value, surprise, alert. Strictly causal and stateless: recompute on a longer series."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, tzinfo
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import pdtr, pdtrc

from analysis.trends.calendar import DAY, Calendar, Floats, local_calendar
from analysis.trends.calibrate import against_daily_maxima
from analysis.trends.incidents import Bools, Hysteresis, incidents
from analysis.trends.share import FEWEST, evidence, follow, predict, share_window
from analysis.trends.volume import STABILISER, Baseline, WindowCounts, baseline, sustained_counts, window_counts
from analysis.trends.windows import STEP_ROWS, infer_step, scales, soft_maximum

COVERAGE_BOUND = 0.8  # rows observed less than this are left out
WARM_UP = 3 * DAY  # s of history before a row is judged
UP_SCALES = (300.0, 900.0, 1800.0, 3600.0, 7200.0)
SUSTAINED_SCALES = {1800.0: 1.2, 3600.0: 1.1}  # seconds: what lasts so long is worth its surprise divided by this
DOWN_SCALES = (7200.0,)
SHARE_DIP_EXTRA = 3.0  # a share that falls is seldom urgent
SHARE_SCALES = (1800.0, 2700.0, 3600.0, 4500.0, 5400.0, 6300.0, 7200.0)
LOG_SPREAD, SUSTAINED_SPREAD = 0.2, 0.3  # prior spreads of daily maxima of the log ratio
SHARPNESS = 2.0  # of the soft maximum over windows: one that stands alone weighs less than several that agree
CHANCE = 1e-5  # a volume window must also be this unlikely as a Poisson count: sparse topics never cry wolf
DIP_POSTS, DIP_RATIO, DIP_EXTRA = 20.0, 0.3, 1.5  # a dip needs this many expected posts, so few seen, a higher bound


class Sensitivity(StrEnum):
    """How readily an alert is raised."""

    LOW = "low"
    BALANCED = "balanced"
    HIGH = "high"


class State(StrEnum):
    """Whether a row could be judged."""

    WARMING_UP = "warming_up"
    OK = "ok"
    INSUFFICIENT_DATA = "insufficient_data"


VOLUME_BOUNDS = {Sensitivity.LOW: 3.2, Sensitivity.BALANCED: 2.4, Sensitivity.HIGH: 1.8}
SHARE_BOUNDS = {Sensitivity.LOW: 3.5, Sensitivity.BALANCED: 2.4, Sensitivity.HIGH: 1.6}


class Trend(NamedTuple):
    """The answer for one row.

    `surprise` counts spreads above the series' own usual daily extreme (volume) or is a log Bayes factor (share).
    """

    time: float
    expected: float | None
    low: float | None
    high: float | None
    surprise: float
    score: float
    alert: bool
    active: bool
    direction: str | None
    state: State


@dataclass(frozen=True)
class Trends:
    """Columns of shape (n,): see Trend. NaN where nothing is expected; `direction` is 1, -1 or 0."""

    time: Floats
    expected: Floats
    low: Floats
    high: Floats
    surprise: Floats
    score: Floats
    alert: Bools
    active: Bools
    direction: NDArray[np.int64]
    state: list[State]

    def __len__(self) -> int:
        return len(self.time)

    def __iter__(self) -> Iterator[Trend]:
        names = {1: "up", -1: "down", 0: None}
        columns = zip(
            self.time.tolist(), self.expected.tolist(), self.low.tolist(), self.high.tolist(), self.surprise.tolist(),
            self.score.tolist(), self.alert.tolist(), self.active.tolist(), self.direction.tolist(), self.state,
            strict=True,
        )  # fmt: skip
        for time, expected, low, high, surprise, score, alert, active, direction, state in columns:
            band = (expected, low, high) if expected == expected else (None, None, None)
            yield Trend(time, band[0], band[1], band[2], surprise, score, alert, active, names[direction], state)


class _Judged(NamedTuple):
    """Up and down surprise and the band of the rows that were observed."""

    expected: Floats
    low: Floats
    high: Floats
    up: Floats
    down: Floats
    enough: Bools


def detect(
    times: ArrayLike,
    values: ArrayLike,
    totals: ArrayLike | None = None,
    *,
    timezone: tzinfo = UTC,
    holidays: Collection[date] = (),
    coverage: ArrayLike | None = None,
    sensitivity: Sensitivity | str = Sensitivity.BALANCED,
    strictness: float = 1.0,
) -> Trends:
    """Judge each row of a series by the rows before it.

    `times` (n,) are strictly ascending unix seconds, `values` (n,) posts a row, or with `totals` (n,) the part of them
    that a share counts. `coverage` (n,) in 0..1 is the observed share of each row (default 1): rows below
    COVERAGE_BOUND, and rows that are missing, are unknown, never zero. `strictness` multiplies the bound of the
    sensitivity: what people's answers to earlier alerts ask for. Raises ValueError for shapes that differ, times that
    do not ascend, negative or non-finite numbers, a part above its total, a strictness that is not positive.
    """
    sensitivity = Sensitivity(sensitivity)
    if not (np.isfinite(strictness) and strictness > 0):
        raise ValueError(f"strictness is {strictness}; it must be positive")
    t, x, n, seen = _checked(times, values, totals, coverage)
    out = _empty(t)
    kept = np.flatnonzero(seen >= COVERAGE_BOUND)
    for i in np.flatnonzero(seen < COVERAGE_BOUND):
        out.state[i] = State.INSUFFICIENT_DATA
    if len(kept) <= STEP_ROWS:
        return out
    step = infer_step(t[kept])
    calendar = local_calendar(t[kept], timezone, holidays)
    if n is None:
        judged = _judge_volume(t[kept], x[kept], seen[kept], calendar, step)
    else:
        judged = _judge_share(t[kept], x[kept], n[kept], calendar, step)
    _fill(out, kept, judged, hysteresis(sensitivity, share=n is not None, strictness=strictness))
    return out


def hysteresis(sensitivity: Sensitivity | str, *, share: bool, strictness: float = 1.0) -> Hysteresis:
    """When an incident opens and ends at a sensitivity, for volumes or for shares."""
    bound = (SHARE_BOUNDS if share else VOLUME_BOUNDS)[Sensitivity(sensitivity)] * strictness
    if share:
        return Hysteresis(bound, bound / 2, 900, 2 * 3600, memory=DAY)
    return Hysteresis(bound, bound / 2, 3600, 24 * 3600)


def stricter(trends: Trends, coverage: ArrayLike, rule: Hysteresis) -> Trends:
    """The same answers under a higher bound, as `detect` would give them, without judging the rows again.

    `trends` is from a lower bound, so that it knows the direction of every row that is active under a higher one;
    `coverage` (n,) is what `detect` was given.
    """
    kept = np.flatnonzero(np.minimum(np.asarray(coverage, np.float64), 1.0) >= COVERAGE_BOUND)
    alert, active = np.zeros(len(trends), bool), np.zeros(len(trends), bool)
    alert[kept], active[kept] = incidents(trends.time[kept], trends.surprise[kept], rule)
    score = 1 - 0.5 ** (trends.surprise / rule.open)
    return replace(trends, score=score, alert=alert, active=active, direction=np.where(active, trends.direction, 0))


def _checked(
    times: ArrayLike, values: ArrayLike, totals: ArrayLike | None, coverage: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None, Floats]:
    t, x = np.asarray(times, np.float64), np.asarray(values, np.float64)
    n = None if totals is None else np.asarray(totals, np.float64)
    seen = np.ones(len(t)) if coverage is None else np.asarray(coverage, np.float64)
    for name, column in (("values", x), ("totals", n), ("coverage", seen)):
        if column is None:
            continue
        if column.shape != t.shape or t.ndim != 1:
            raise ValueError(f"{name} has shape {column.shape}, times {t.shape}; both must be (n,)")
        if not np.all(np.isfinite(column)) or np.any(column < 0):
            raise ValueError(f"{name} must be finite and not negative")
    if not np.all(np.isfinite(t)) or np.any(np.diff(t) <= 0):
        raise ValueError("times must be finite and strictly ascending")
    if n is not None and np.any(x > n):
        raise ValueError("a value exceeds its total")
    return t, x, n, np.minimum(seen, 1.0)


def _empty(times: Floats) -> Trends:
    n = len(times)
    unknown = np.full(n, np.nan)
    return Trends(
        times, unknown, unknown.copy(), unknown.copy(), np.zeros(n), np.zeros(n), np.zeros(n, bool), np.zeros(n, bool),
        np.zeros(n, np.int64), [State.WARMING_UP] * n,
    )  # fmt: skip


def _judge_volume(t: Floats, x: Floats, seen: Floats, calendar: Calendar, step: float) -> _Judged:
    base = baseline(t, x, seen, calendar, step)
    up, down = _rise(t, x, base, calendar, step), _fall(t, x, base, calendar, step)
    expected = base.season * np.concatenate([[1.0], base.level[:-1]])
    extra = np.sqrt(STABILISER * step)
    factor = np.exp(2 * np.sqrt(1 / (expected + extra) + 0.05))
    low_band, high_band = np.maximum((expected + extra) / factor - extra, 0), (expected + extra) * factor - extra
    return _Judged(expected, low_band, high_band, up, down, np.ones(len(t), bool))


def _rise(t: Floats, x: Floats, base: Baseline, calendar: Calendar, step: float) -> Floats:
    """Surprise upwards: of sums over windows that agree, or of what lasts."""
    sums = [
        _calibrated(window_counts(t, x, base, seconds, step), calendar, LOG_SPREAD)
        for seconds in scales(UP_SCALES, step)
    ]
    lasting = [
        _calibrated(sustained_counts(t, x, base, seconds, step), calendar, SUSTAINED_SPREAD) / extra
        for seconds, extra in SUSTAINED_SCALES.items()
        if seconds >= 1.99 * step
    ]
    return np.asarray(np.max([soft_maximum(sums, SHARPNESS), *lasting], axis=0), dtype=np.float64)


def _calibrated(window: WindowCounts, calendar: Calendar, spread: float) -> Floats:
    """Spreads above the usual daily maximum; at most 1 where a Poisson count this high would be no wonder."""
    unlikely = pdtrc(np.maximum(window.seen - 1, 0), np.maximum(window.expected, 1e-9)) < CHANCE
    surprise = against_daily_maxima(window.log_ratio, calendar, spread)
    return np.where(unlikely, surprise, np.minimum(surprise, 1.0))


def _fall(t: Floats, x: Floats, base: Baseline, calendar: Calendar, step: float) -> Floats:
    """Surprise downwards, of long windows with enough to miss."""
    down = np.full(len(t), -np.inf)
    for seconds in scales(DOWN_SCALES, step):
        w = window_counts(t, x, base, seconds, step, most_level=1.0)
        low = (w.expected >= DIP_POSTS) & (w.seen <= DIP_RATIO * w.expected)
        low &= pdtr(w.seen, np.maximum(w.expected, 1e-9)) < CHANCE
        fallen = np.where(np.isfinite(w.log_ratio), -w.log_ratio, -np.inf)
        surprise = against_daily_maxima(fallen, calendar, LOG_SPREAD) / DIP_EXTRA
        down = np.maximum(down, np.where(low, surprise, np.minimum(surprise, 1.0)))
    return down


def _judge_share(t: Floats, x: Floats, n: Floats, calendar: Calendar, step: float) -> _Judged:
    filtered = follow(t, x, n, calendar.hour)
    windows = [share_window(t, x, n, calendar.hour, filtered, s, step) for s in scales(SHARE_SCALES, step)]
    up, down = (soft_maximum([evidence(w, side) for w in windows]) for side in (1, -1))
    enough = np.any([w.posts >= FEWEST for w in windows], axis=0)
    odds, error = predict(filtered, np.arange(len(t)), t, calendar.hour)
    spread = 2 * np.hypot(error, 1 / np.sqrt(np.maximum(n, 1) * 0.2))
    band = [1 / (1 + np.exp(-(odds + k * spread))) for k in (0, -1, 1)]
    return _Judged(band[0], band[1], band[2], up, down / SHARE_DIP_EXTRA, enough)


def _fill(out: Trends, kept: NDArray[np.int64], judged: _Judged, rule: Hysteresis) -> None:
    t = out.time[kept]
    warm = t - t[0] >= WARM_UP
    warm[:STEP_ROWS] = False
    for i in kept[warm]:
        out.state[i] = State.OK
    for i in kept[warm & ~judged.enough]:
        out.state[i] = State.INSUFFICIENT_DATA
    usable = warm & judged.enough
    surprise = np.where(usable, np.maximum(judged.up, judged.down), 0.0)
    surprise = np.maximum(np.where(np.isfinite(surprise), surprise, 0.0), 0.0)
    shown = np.arange(len(t)) >= STEP_ROWS
    for column, values in ((out.expected, judged.expected), (out.low, judged.low), (out.high, judged.high)):
        column[kept] = np.where(shown, values, np.nan)
    out.surprise[kept] = surprise
    out.score[kept] = 1 - 0.5 ** (surprise / rule.open)
    out.alert[kept], out.active[kept] = incidents(t, surprise, rule)
    side = np.where(judged.up >= judged.down, 1, -1)
    out.direction[kept] = np.where(out.active[kept], side, 0)
