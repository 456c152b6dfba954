"""Surprise of a share (part of a total): a state-space model of its log odds, and binomial windows against it.

The log odds are a mean, a slow wandering (Ornstein-Uhlenbeck) and a daily cycle. A Kalman filter (Durbin & Koopman 2012,
ch. 4) follows them on hourly counts, with innovations cut as Huber's so that an episode does not become the baseline.
Each trailing window is compared with the prediction from before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.trends.calendar import Floats, Ints
from analysis.trends.windows import trailing_sum, window_starts

BLOCK = 3600.0  # s of counts that one update of the filter takes together
WANDER, MEMORY = 0.2, 86400.0  # standard deviation of the wandering (log odds) and seconds until it is forgotten to 1/e
MEAN_PRIOR, CYCLE_PRIOR = 2.0, 0.15  # standard deviations of the mean and of each of cosine and sine
CUT = 2.0  # innovations beyond this many standard deviations are cut


@dataclass(frozen=True)
class Filtered:
    """The filter after each block: its last row's end (`row`, exclusive), state means (b, 4) and covariances (b, 4, 4)."""

    row: Ints
    time: Floats
    mean: Floats
    covariance: Floats


def _design(hour: Floats) -> Floats:
    angle = 2 * np.pi * hour / 24
    return np.stack([np.ones_like(hour), np.ones_like(hour), np.cos(angle), np.sin(angle)], axis=-1)


def _expit(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), dtype=np.float64)


def follow(times: Floats, parts: Floats, totals: Floats, hour: Floats) -> Filtered:
    """Run the filter over blocks of whole hours; `hour` is the local hour of each row."""
    block = (times // BLOCK).astype(np.int64)
    starts = np.flatnonzero(np.diff(block, prepend=block[:1] - 1))
    ends = np.append(starts[1:], len(times))
    x, n = np.add.reduceat(parts, starts), np.add.reduceat(totals, starts)
    when = np.add.reduceat(times, starts) / (ends - starts)
    design = _design(np.add.reduceat(hour, starts) / (ends - starts))
    state, cov = np.zeros(4), np.diag([MEAN_PRIOR, WANDER, CYCLE_PRIOR, CYCLE_PRIOR]) ** 2
    means, covariances, last = np.empty((len(starts), 4)), np.empty((len(starts), 4, 4)), when[0]
    for i in range(len(starts)):
        state, cov = _predict(state, cov, when[i] - last)
        last = when[i]
        if n[i] > 0:
            state, cov = _update(state, cov, design[i], float(x[i]), float(n[i]))
        means[i], covariances[i] = state, cov
    return Filtered(ends.astype(np.int64), when, means, covariances)


def _predict(state: Floats, cov: Floats, elapsed: float) -> tuple[Floats, Floats]:
    keep = np.exp(-elapsed / MEMORY)
    fade = np.array([1.0, keep, 1.0, 1.0])
    moved = cov * np.outer(fade, fade)
    moved[1, 1] += WANDER**2 * (1 - keep**2)
    return state * fade, moved


def _update(state: Floats, cov: Floats, design: Floats, x: float, n: float) -> tuple[Floats, Floats]:
    p = float(_expit(np.asarray(design @ state)))
    information = n * max(p * (1 - p), 0.01)
    gain = cov @ design
    variance = float(design @ gain) + 1 / information
    innovation = (x - n * p) / information
    bound = CUT * np.sqrt(variance)
    state = state + gain * (min(max(innovation, -bound), bound) / variance)
    return state, cov - np.outer(gain, gain) / variance


@dataclass(frozen=True)
class ShareWindow:
    """One trailing window per row: the expected share, its standard error in log odds, posts, and the surprise (z)."""

    seconds: float
    expected: Floats
    error: Floats
    posts: Floats
    surprise: Floats


def predict(filtered: Filtered, rows: Ints, times: Floats, hour: Floats) -> tuple[Floats, Floats]:
    """Log odds expected at `times` from the blocks that ended before row `rows[i]`, and their standard error."""
    index = np.searchsorted(filtered.row, rows, side="right") - 1
    known = index >= 0
    at = np.maximum(index, 0)
    keep = np.exp(-np.maximum(times - filtered.time[at], 0) / MEMORY)
    design = _design(hour)
    design[:, 1] *= keep
    mean = np.einsum("ij,ij->i", design, filtered.mean[at])
    variance = np.einsum("ij,ijk,ik->i", design, filtered.covariance[at], design) + WANDER**2 * (1 - keep**2)
    return np.where(known, mean, np.nan), np.sqrt(np.maximum(variance, 0))


def share_window(
    times: Floats, parts: Floats, totals: Floats, hour: Floats, filtered: Filtered, seconds: float, step: float
) -> ShareWindow:
    """Signed root deviance of the window's binomial count, shrunk by the uncertainty of the expectation."""
    starts = window_starts(times, seconds, step)
    x, n = trailing_sum(parts, starts), trailing_sum(totals, starts)
    odds, error = predict(filtered, starts, times, hour)
    p = np.clip(_expit(odds), 1e-4, 1 - 1e-4)
    seen = np.divide(x, n, out=p.copy(), where=n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(seen > 0, seen * np.log(seen / p), 0) + np.where(
            seen < 1, (1 - seen) * np.log((1 - seen) / (1 - p)), 0
        )
    root = np.sign(seen - p) * np.sqrt(np.maximum(2 * n * deviance, 0))
    z = root / np.sqrt(1 + n * p * (1 - p) * error**2)
    return ShareWindow(seconds, p, error, n, np.where(np.isnan(odds), 0.0, z))
