"""Surprise of a share (part of a total): a state-space model of its log odds, binomial windows against it.

The log odds are a mean, a slow wandering (Ornstein-Uhlenbeck) and a daily cycle. A Kalman filter (Durbin & Koopman
2012, ch. 4) follows them on hourly counts, with innovations cut as Huber's so that an episode does not become the
baseline. How far the share wanders is learned from the series: several filters run side by side, and the one whose
predictions had the largest likelihood so far is believed (Magill 1965). Each trailing window is compared with the
prediction from before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.trends.calendar import Floats, Ints
from analysis.trends.windows import trailing_sum, window_starts

FEWEST = 8  # posts in a window below which a share says nothing
BLOCK = 3600.0  # s of counts that one update of the filter takes together
WANDERS = (0.1, 0.14, 0.2, 0.28, 0.4)  # standard deviations of the wandering (log odds) that are tried on each series
MEMORY = 86400.0  # s until the wandering is forgotten to 1/e
MEAN_PRIOR, CYCLE_PRIOR = 2.0, 0.1  # standard deviations of the mean and of each of cosine and sine
CUT = 2.0  # innovations beyond this many standard deviations are cut
SHIFT, SHIFT_SPREAD = 0.8, 0.3  # log odds that a shift worth telling moves: .3 becomes about .49
DISPERSION_BLOCKS, TOLERANCE = 336, 1.2  # blocks looked back on, and how far above binomial is still chance
CHI_MEDIAN = 0.455  # median of a chi-square variable with one degree of freedom
QUADRATURE = 7  # nodes of Gauss-Hermite
NO_EVIDENCE = -5.0  # floor of a log Bayes factor, so that no single window vetoes the others


@dataclass(frozen=True)
class Filtered:
    """The filter after each block: its end (`row`, exclusive), state means (b, 4), covariances (b, 4, 4).

    `wander` (b,) is the standard deviation of the wandering that foretold the blocks so far best. `dispersion` (b,) is
    at least 1: how much wider than binomial they scatter (threads, copied posts).
    """

    row: Ints
    time: Floats
    mean: Floats
    covariance: Floats
    wander: Floats
    dispersion: Floats


def _design(hour: Floats) -> Floats:
    angle = 2 * np.pi * hour / 24
    return np.stack([np.ones_like(hour), np.ones_like(hour), np.cos(angle), np.sin(angle)], axis=-1)


def _expit(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), dtype=np.float64)


def follow(times: Floats, parts: Floats, totals: Floats, hour: Floats) -> Filtered:
    """Run a filter for each of WANDERS over blocks of whole hours; `hour` is the local hour of each row.

    After each block the one with the largest likelihood so far (of one-step predictions) is kept.
    """
    block = (times // BLOCK).astype(np.int64)
    starts = np.flatnonzero(np.diff(block, prepend=block[:1] - 1))
    ends = np.append(starts[1:], len(times))
    x, n = np.add.reduceat(parts, starts), np.add.reduceat(totals, starts)
    when = np.add.reduceat(times, starts) / (ends - starts)
    design = _design(np.add.reduceat(hour, starts) / (ends - starts))
    models, wander = len(WANDERS), np.asarray(WANDERS)
    state, cov = np.zeros((models, 4)), np.zeros((models, 4, 4))
    cov[:, range(4), range(4)] = np.stack([np.array([MEAN_PRIOR, w, CYCLE_PRIOR, CYCLE_PRIOR]) ** 2 for w in WANDERS])
    fit, best = np.zeros(models), np.zeros(len(starts), np.int64)
    means, covariances, last = np.empty((len(starts), 4)), np.empty((len(starts), 4, 4)), when[0]
    dispersion, wider = np.ones(len(starts)), 1.0
    squares: list[float] = []
    for i in range(len(starts)):
        state, cov = _predict(state, cov, wander, when[i] - last)
        last = when[i]
        if n[i] > 0:
            state, cov, square, variance = _update(state, cov, design[i], float(x[i]), float(n[i]))
            fit -= (np.log(variance) + np.minimum(square / wider, CUT**2)) / 2
            squares.append(float(square[best[i - 1]]))
        if len(squares) % 24 == 0 and squares:
            typical = float(np.median(squares[-DISPERSION_BLOCKS:]))
            wider = max(1.0, typical / CHI_MEDIAN / TOLERANCE)
        best[i] = np.argmax(fit)
        dispersion[i] = wider
        means[i], covariances[i] = state[best[i]], cov[best[i]]
    return Filtered(ends.astype(np.int64), when, means, covariances, wander[best], dispersion)


def _predict(state: Floats, cov: Floats, wander: Floats, elapsed: float) -> tuple[Floats, Floats]:
    keep = np.exp(-elapsed / MEMORY)
    fade = np.array([1.0, keep, 1.0, 1.0])
    moved = cov * np.outer(fade, fade)
    moved[:, 1, 1] += wander**2 * (1 - keep**2)
    return state * fade, moved


def _update(state: Floats, cov: Floats, design: Floats, x: float, n: float) -> tuple[Floats, Floats, Floats, Floats]:
    """States and covariances after a block, its squared innovations in variances, and those variances."""
    p = _expit(state @ design)
    information = n * np.maximum(p * (1 - p), 0.01)
    gain = cov @ design
    variance = gain @ design + 1 / information
    innovation = (x - n * p) / information
    bound = CUT * np.sqrt(variance)
    state = state + gain * (np.clip(innovation, -bound, bound) / variance)[:, None]
    spent = gain[:, :, None] * gain[:, None, :] / variance[:, None, None]
    return state, cov - spent, innovation**2 / variance, variance


@dataclass(frozen=True)
class ShareWindow:
    """One trailing window per row: its parts and posts, the log odds expected before it, their error, dispersion."""

    parts: Floats
    posts: Floats
    odds: Floats
    error: Floats
    dispersion: Floats


def predict(filtered: Filtered, rows: Ints, times: Floats, hour: Floats) -> tuple[Floats, Floats]:
    """Log odds expected at `times` from the blocks that ended before row `rows[i]`, and their standard error."""
    index = np.searchsorted(filtered.row, rows, side="right") - 1
    known = index >= 0
    at = np.maximum(index, 0)
    keep = np.exp(-np.maximum(times - filtered.time[at], 0) / MEMORY)
    design = _design(hour)
    design[:, 1] *= keep
    mean = np.einsum("ij,ij->i", design, filtered.mean[at])
    variance = np.einsum("ij,ijk,ik->i", design, filtered.covariance[at], design)
    variance += filtered.wander[at] ** 2 * (1 - keep**2)
    return np.where(known, mean, np.nan), np.sqrt(np.maximum(variance, 0))


def share_window(
    times: Floats, parts: Floats, totals: Floats, hour: Floats, filtered: Filtered, seconds: float, step: float
) -> ShareWindow:
    """The counts of each window (t - seconds, t] and what the blocks before it expect at t; `odds` NaN when unknown."""
    starts = window_starts(times, seconds, step)
    odds, error = predict(filtered, starts, times, hour)
    block = np.maximum(np.searchsorted(filtered.row, starts, side="right") - 1, 0)
    return ShareWindow(
        trailing_sum(parts, starts), trailing_sum(totals, starts), odds, error, filtered.dispersion[block]
    )


def evidence(window: ShareWindow, side: int) -> Floats:
    """Log Bayes factor of a shift up (`side` 1) or down (-1) by SHIFT +- SHIFT_SPREAD log odds, against none.

    The binomial likelihood, averaged over the uncertain expectation with and without the shift (Gauss-Hermite).
    """
    odds = np.nan_to_num(window.odds)
    shifted = _marginal(window, odds + side * SHIFT, np.hypot(window.error, SHIFT_SPREAD))
    factor = (shifted - _marginal(window, odds, window.error)) / window.dispersion
    usable = (window.posts >= FEWEST) & ~np.isnan(window.odds)
    return np.where(usable, np.maximum(factor, NO_EVIDENCE), NO_EVIDENCE)


def _marginal(window: ShareWindow, mean: Floats, spread: Floats) -> Floats:
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE)
    odds = mean[:, None] + spread[:, None] * nodes
    terms = window.parts[:, None] * odds - window.posts[:, None] * np.logaddexp(0, odds) + np.log(weights)
    return np.asarray(np.logaddexp.reduce(terms, axis=1), dtype=np.float64)
