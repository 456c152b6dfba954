"""What a cascade's first moments say about its future, as numbers that do not depend on the clock's unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.cascades.kernel import elapsed
from analysis.cascades.series import Cascade, Floats, Ints, seen

FRACTIONS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 15 / 16, 31 / 32)
RECENT = (1 / 2, 3 / 4, 7 / 8, 15 / 16)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
BINS = 16
CELLS = 32_768  # of a table of times, one row per cascade, looked at at once
NAMES = (
    *(f"log_count_{f:.3f}" for f in (*FRACTIONS, 1.0)),
    *(f"log_since_{f:.3f}" for f in RECENT),
    *(f"log_time_q{round(100 * q)}" for q in QUANTILES),
    "log_first", "log_last", "log_silence", "mean_time", "sd_time",
    "kernel_excess", "kernel_ahead", "kernel_forecast",
    "log_recent_gap", "log_median_gap", "mean_log_time", "sd_log_time", "distinct_times",
    "peak_share", "peak_position", "dispersion",
    "log_age", "log_root_followers", "log_followers",
)  # fmt: skip


def matrix(cascades: Sequence[Cascade], ages: Floats) -> Floats:
    """Features of each cascade at its age (seconds): shape (cascades, len(NAMES)); later reshares are not looked at."""
    times, n = seen(cascades, ages)
    begins, out = np.cumsum(n) - n, np.empty((len(n), len(NAMES)))
    for rows in _alike(n):
        out[rows, :-2] = _of_times(_table(times, begins[rows], n[rows]), n[rows], ages[rows])
    out[:, -2:] = np.column_stack(_audience(cascades, n))
    return out


def sizes(cascades: Sequence[Cascade], ages: Floats) -> Floats:
    """Size of each cascade at its age, the root included."""
    return 1 + seen(cascades, ages)[1].astype(float)


def _alike(n: Ints) -> Iterator[Ints]:
    """Positions of cascades in groups of about one size, so that a table of their times is not mostly empty."""
    order = np.argsort(n, kind="stable")
    while len(order):
        cells = np.maximum(n[order], 1) * np.arange(1, len(order) + 1)
        many = max(1, int(np.searchsorted(cells, CELLS, "right")))
        yield order[:many]
        order = order[many:]


def _table(times: Floats, begins: Ints, n: Ints) -> Floats:
    """Times of some cascades, a row each, filled up with infinity."""
    columns = np.arange(max(1, int(n.max())))
    inside = columns < n[:, None]
    table = np.full(inside.shape, np.inf)
    table[inside] = times[(begins[:, None] + columns)[inside]]
    return table


def _of_times(times: Floats, n: Ints, ages: Floats) -> Floats:
    unit = times / ages[:, None]
    columns = [*_counts(unit, n), *_moments(unit, n), *_kernel(times, n, ages), *_texture(times, unit, n)]
    return np.column_stack([*columns, np.log(ages)])


def _counts(unit: Floats, n: Ints) -> list[Floats]:
    at = {f: (unit <= f).sum(1) for f in (*FRACTIONS, *RECENT)}
    return [*(np.log1p(at[f]) for f in FRACTIONS), np.log1p(n), *(np.log1p(n - at[f]) for f in RECENT)]


def _moments(unit: Floats, n: Ints) -> list[Floats]:
    def ranked(index: Ints) -> Floats:
        value = np.take_along_axis(unit, np.clip(index, 0, unit.shape[1] - 1)[:, None], 1)[:, 0]
        return np.where(n > 0, value, 1.0)

    known = np.isfinite(unit)
    safe = np.where(known, unit, 0.0)
    mean = np.where(n > 0, safe.sum(1) / np.maximum(n, 1), 1.0)
    spread = np.sqrt(np.where(known, (safe - mean[:, None]) ** 2, 0.0).sum(1) / np.maximum(n, 1))
    last = ranked(n - 1)
    logs = [np.log(ranked(np.floor(q * (n - 1)).astype(int)) + 1e-3) for q in QUANTILES]
    silence = np.where(n > 0, 1 - last, 1.0)
    return [*logs, np.log(ranked(0 * n) + 1e-3), np.log(last + 1e-3), np.log(silence + 1e-3), mean, spread]


def _kernel(times: Floats, n: Ints, ages: Floats) -> list[Floats]:
    done = np.where(np.isfinite(times), elapsed(ages[:, None] - times), 0.0).sum(1) + elapsed(ages)
    ahead = n + 1 - done
    rate = np.minimum(n / (done + 0.1), 0.95)
    forecast = n + rate * ahead / (1 - np.minimum(rate, 0.9))
    return [np.log1p(n) - np.log(done + 0.5), np.log(ahead), np.log1p(forecast)]


def _texture(times: Floats, unit: Floats, n: Ints) -> list[Floats]:
    some, rows = n >= 3, np.arange(len(n))
    known = np.isfinite(times)
    with np.errstate(invalid="ignore"):
        gaps = np.diff(unit, axis=1, prepend=0.0)
    ordered = np.sort(np.where(known, gaps, np.inf), axis=1)
    middle = ordered[rows, np.maximum((n - 1) // 2, 0)]
    tenth = np.where(n > 10, unit[rows, np.clip(n - 11, 0, unit.shape[1] - 1)], 0.0)
    last = unit[rows, np.maximum(n - 1, 0)]
    recent = (last - tenth) / np.clip(n, 1, 10)
    logs = np.where(known, np.log1p(np.where(known, times, 0.0) / 60), 0.0)
    mean = logs.sum(1) / np.maximum(n, 1)
    spread = np.sqrt(np.where(known, (logs - mean[:, None]) ** 2, 0.0).sum(1) / np.maximum(n, 1))
    distinct = (known & ((gaps != 0) | (np.arange(times.shape[1]) == 0))).sum(1) / np.maximum(n, 1)
    inside = np.where(known, np.minimum(unit * BINS, BINS - 1), BINS).astype(int)
    flat = (rows[:, None] * (BINS + 1) + inside).ravel()
    bars = np.bincount(flat, minlength=len(n) * (BINS + 1)).reshape(len(n), BINS + 1)[:, :BINS]
    peak, position = bars.max(1) / np.maximum(n, 1), bars.argmax(1) / BINS
    dispersion = bars.var(1) / np.maximum(bars.mean(1), 1e-9)
    with np.errstate(invalid="ignore", over="ignore"):
        columns = [np.log(recent + 1e-4), np.log(middle + 1e-5), mean, spread, distinct, peak, position, dispersion]
    neutral = (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0)
    return [np.where(some, c, d) for c, d in zip(columns, neutral, strict=True)]


def _audience(cascades: Sequence[Cascade], n: Ints) -> list[Floats]:
    root = np.fromiter((c.root_followers for c in cascades), float, len(cascades))
    told = [c.followers[:k] for c, k in zip(cascades, n.tolist(), strict=True)]
    row = np.repeat(np.arange(len(n)), np.fromiter(map(len, told), np.int64, len(n)))
    each = np.concatenate(told) if told else np.empty(0)
    known = np.bincount(row, np.isfinite(each), minlength=len(n)) + np.isfinite(root)
    total = np.bincount(row, np.nan_to_num(each), minlength=len(n)) + np.nan_to_num(root)
    return [
        np.where(some, np.log1p(np.maximum(v, 0.0)), -1.0)
        for v, some in ((np.nan_to_num(root), np.isfinite(root)), (total, known > 0))
    ]
