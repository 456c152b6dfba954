"""Surprise of counts: a seasonal baseline and how far trailing windows lie from it.

Baseline: hour-of-day profile x day-of-week factor, refitted at each local midnight on the days before it, x the level
of the last day. Rows enter it winsorised, so that one burst does not teach the baseline that bursts are usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.trends.calendar import Calendar, Floats, Ints
from analysis.trends.windows import trailing_smallest, trailing_sum, window_starts

HISTORY_DAYS = 28  # days that a fit looks back
HALF_LIFE = 14.0  # days after which a row weighs half
HOUR_PRIOR = 3.0  # h of average volume added to each hour of the profile
WEEKDAY_PRIOR = 0.5  # days of usual volume added to each weekday
LEVEL_WINDOW, LEVEL_PRIOR = 24.0, 6.0  # h: the level's window and the usual volume added to it
WINSOR = 0.98  # quantile of row / baseline beyond which a row is cut
STABILISER = 4.0 / 300.0  # posts^2 per second of window added in the log ratio: sparse rows weigh little
TYPICAL = 0.6  # of the usual volume, added in the log ratio: twice a quiet hour is less news than twice a busy one


@dataclass(frozen=True)
class Baseline:
    """Per row: `season` (posts, NaN before the first fit) x `level` (around 1) is expected.

    `clipped` are winsorised posts, `typical` is the mean of the weeks before.
    """

    season: Floats
    level: Floats
    clipped: Floats
    typical: Floats


@dataclass(frozen=True)
class _Fit:
    profile: Floats  # (24,) posts a row by local hour
    weekday: Floats  # (7,) factors
    cap: float  # largest usual ratio of a row to its baseline
    mean: float  # posts a row

    def predict(self, hour: Floats, weekday: Ints) -> Floats:
        by_hour = np.interp(hour, np.arange(24) + 0.5, self.profile, period=24)
        return np.asarray(by_hour * self.weekday[weekday], dtype=np.float64)


def _fit(values: Floats, exposure: Floats, hour: Floats, weekday: Ints, age: Floats, per_hour: float) -> _Fit:
    weight = 0.5 ** (age / HALF_LIFE)
    slot = hour.astype(np.int64)
    posts, rows = np.bincount(slot, weight * values, 24), np.bincount(slot, weight * exposure, 24)
    mean = posts.sum() / max(rows.sum(), 1e-9)
    prior = HOUR_PRIOR * per_hour
    raw = (posts + prior * mean) / (rows + prior)
    profile = (np.roll(raw, 1) + 2 * raw + np.roll(raw, -1)) / 4
    usual = profile[slot] * exposure
    extra = WEEKDAY_PRIOR * 24 * per_hour * mean
    factors = np.bincount(weekday, weight * values, 7) + extra
    factors /= np.maximum(np.bincount(weekday, weight * usual, 7) + extra, 1e-9)
    if mean == 0:
        factors = np.ones(7)
    ratio = values / np.maximum(usual * factors[weekday], 1e-9)
    return _Fit(profile, factors, max(float(np.quantile(ratio, WINSOR)), 2.0) if mean else 2.0, float(mean))


def baseline(times: Floats, values: Floats, exposure: Floats, calendar: Calendar, step: float) -> Baseline:
    """Expected posts of each row from the rows of earlier local days (season) and of the last day (level)."""
    season, clipped, typical = np.full(len(times), np.nan), values.copy(), np.zeros(len(times))
    per_hour = max(3600.0 / step, 1.0)
    edges = calendar.day_edges()
    for begin, end in pairwise(edges[1:].tolist()):
        past = slice(int(np.searchsorted(calendar.day, calendar.day[begin] - HISTORY_DAYS)), int(begin))
        today = slice(int(begin), int(end))
        if past.stop == past.start:
            continue
        age = (calendar.day[begin] - calendar.day[past]).astype(np.float64)
        fit = _fit(clipped[past], exposure[past], calendar.hour[past], calendar.weekday[past], age, per_hour)
        season[today] = fit.predict(calendar.hour[today], calendar.weekday[today]) * exposure[today]
        typical[today] = fit.mean
        clipped[today] = np.minimum(values[today], fit.cap * season[today] + 3)
    known = ~np.isnan(season)
    usual = np.where(known, season, 0.0)
    starts = window_starts(times, LEVEL_WINDOW * 3600, step)
    prior = LEVEL_PRIOR * per_hour * usual
    seen = trailing_sum(np.where(known, clipped, 0.0), starts) + prior
    level = seen / np.maximum(trailing_sum(usual, starts) + prior, 1e-9)
    return Baseline(season, np.where(usual > 0, level, 1.0), clipped, typical)


@dataclass(frozen=True)
class WindowCounts:
    """One trailing window per row: posts seen, posts expected from before the window, their stabilised log ratio."""

    seconds: float
    seen: Floats
    expected: Floats
    log_ratio: Floats


def window_counts(
    times: Floats, values: Floats, base: Baseline, seconds: float, step: float, *, most_level: float = np.inf
) -> WindowCounts:
    """Compare each window (t - seconds, t] with the season x the level just before the window.

    `most_level` caps the level: a window after a burst is no dip because the burst is over.
    """
    starts = window_starts(times, seconds, step)
    seen = trailing_sum(values, starts)
    expected = _expected(base, starts, most_level)
    extra = np.sqrt(STABILISER * seconds) + TYPICAL * base.typical * seconds / step
    return WindowCounts(seconds, seen, expected, _log_ratio(base, starts, seen, expected, extra))


def sustained_counts(times: Floats, values: Floats, base: Baseline, seconds: float, step: float) -> WindowCounts:
    """Compare a row that five in six rows of each window reach with what a row is expected to hold.

    A few rows, however high, do not move it: what does has lasted through the window. Given as posts of a whole window.
    """
    rows = max(1, round(seconds / step))
    starts = window_starts(times, seconds, step)
    seen = trailing_smallest(values, rows, rows // 6)
    expected = _expected(base, starts) / rows
    extra = np.sqrt(STABILISER * step) + TYPICAL * base.typical
    return WindowCounts(seconds, rows * seen, rows * expected, _log_ratio(base, starts, seen, expected, extra))


def _expected(base: Baseline, starts: Ints, most_level: float = np.inf) -> Floats:
    level = np.minimum(base.level[np.maximum(starts - 1, 0)], most_level)
    return trailing_sum(np.nan_to_num(base.season), starts) * level


def _log_ratio(base: Baseline, starts: Ints, seen: Floats, expected: Floats, extra: Floats) -> Floats:
    return np.where(np.isnan(base.season[starts]), -np.inf, np.log((seen + extra) / (expected + extra)))
