"""The step of a series and sums over trailing windows; gaps in the grid are unknown, not zero."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from analysis.trends.calendar import Floats, Ints

STEP_ROWS = 25  # the step is the median distance of the first rows; all of them lie in the warm-up


def infer_step(times: Floats) -> float:
    """Seconds between rows, from the first rows only, so that later rows never change an earlier answer."""
    return float(np.median(np.diff(times[:STEP_ROWS])))


def window_starts(times: Floats, seconds: float, step: float) -> Ints:
    """For each row the first row of the window (t - seconds, t]; half a step of tolerance for jittered rows."""
    return np.searchsorted(times, times - seconds + step / 2, side="left").astype(np.int64)


def trailing_sum(values: Floats, starts: Ints) -> Floats:
    """Sum of `values` from `starts[i]` to i, row i included."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(np.maximum(sums[1:] - sums[starts], 0.0), dtype=np.float64)


def trailing_smallest(values: Floats, rows: int, rank: int) -> Floats:
    """The value of ascending `rank` (0: the smallest) among the `rows` rows up to i; zeros before the first."""
    padded = np.concatenate([np.zeros(rows - 1), values])
    return np.asarray(np.partition(sliding_window_view(padded, rows), rank, axis=1)[:, rank], dtype=np.float64)


def soft_maximum(columns: list[Floats], sharpness: float = 1.0) -> Floats:
    """log(mean(exp(sharpness x))) / sharpness over columns of shape (n,): the mean for 0, the largest for infinity.

    Of log Bayes factors, with sharpness 1, it is the factor where each column's hypothesis is as likely as the others.
    """
    exponents = np.clip(sharpness * np.array(columns), -60.0, 60.0)
    return np.asarray(np.log(np.mean(np.exp(exponents), axis=0)) / sharpness, dtype=np.float64)


def scales(wanted: tuple[float, ...], step: float) -> list[float]:
    """The window lengths (s) that a grid of this step can resolve, at least one."""
    return [s for s in wanted if s >= step * 0.99] or [step]
