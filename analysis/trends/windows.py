"""The step of a series and sums over trailing windows; gaps in the grid are unknown, not zero."""

from __future__ import annotations

import numpy as np

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


def scales(wanted: tuple[float, ...], step: float) -> list[float]:
    """The window lengths (s) that a grid of this step can resolve, at least one."""
    return [s for s in wanted if s >= step * 0.99] or [step]
