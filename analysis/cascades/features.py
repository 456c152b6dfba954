"""What a cascade's first moments say about its future, as numbers that do not depend on the clock's unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.cascades.kernel import elapsed
from analysis.cascades.series import Cascade, Floats

FRACTIONS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 15 / 16, 31 / 32)
RECENT = (1 / 2, 3 / 4, 7 / 8, 15 / 16)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
BINS = 16
CHUNK = 256  # cascades in memory at once
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
    parts = [_chunk(cascades[i : i + CHUNK], ages[i : i + CHUNK]) for i in range(0, len(cascades), CHUNK)]
    return np.concatenate(parts) if parts else np.empty((0, len(NAMES)))


def sizes(cascades: Sequence[Cascade], ages: Floats) -> Floats:
    """Size of each cascade at its age, the root included."""
    return np.array([c.size(a) for c, a in zip(cascades, ages, strict=True)], float)


def _chunk(cascades: Sequence[Cascade], ages: Floats) -> Floats:
    seen = [c.times[: c.size(a) - 1] for c, a in zip(cascades, ages, strict=True)]
    n = np.array([len(t) for t in seen])
    times = np.full((len(seen), max(1, int(n.max()))), np.inf)
    for row, t in zip(times, seen, strict=True):
        row[: len(t)] = t
    unit = times / ages[:, None]
    columns = [*_counts(unit, n), *_moments(unit, n), *_kernel(times, n, ages), *_texture(times, unit, n)]
    columns += [np.log(ages), *_audience(cascades, n)]
    return np.column_stack(columns)


def _counts(unit: Floats, n: Floats) -> list[Floats]:
    at = {f: (unit <= f).sum(1) for f in (*FRACTIONS, *RECENT)}
    return [*(np.log1p(at[f]) for f in FRACTIONS), np.log1p(n), *(np.log1p(n - at[f]) for f in RECENT)]


def _moments(unit: Floats, n: Floats) -> list[Floats]:
    def ranked(index: Floats) -> Floats:
        value = np.take_along_axis(unit, np.clip(index, 0, unit.shape[1] - 1).astype(int)[:, None], 1)[:, 0]
        return np.where(n > 0, value, 1.0)

    known = np.isfinite(unit)
    safe = np.where(known, unit, 0.0)
    mean = np.where(n > 0, safe.sum(1) / np.maximum(n, 1), 1.0)
    spread = np.sqrt(np.where(known, (safe - mean[:, None]) ** 2, 0.0).sum(1) / np.maximum(n, 1))
    last = ranked(n - 1)
    logs = [np.log(ranked(np.floor(q * (n - 1))) + 1e-3) for q in QUANTILES]
    silence = np.where(n > 0, 1 - last, 1.0)
    return [*logs, np.log(ranked(0 * n) + 1e-3), np.log(last + 1e-3), np.log(silence + 1e-3), mean, spread]


def _kernel(times: Floats, n: Floats, ages: Floats) -> list[Floats]:
    done = np.where(np.isfinite(times), elapsed(ages[:, None] - times), 0.0).sum(1) + elapsed(ages)
    ahead = n + 1 - done
    rate = np.minimum(n / (done + 0.1), 0.95)
    forecast = n + rate * ahead / (1 - np.minimum(rate, 0.9))
    return [np.log1p(n) - np.log(done + 0.5), np.log(ahead), np.log1p(forecast)]


def _texture(times: Floats, unit: Floats, n: Floats) -> list[Floats]:
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


def _audience(cascades: Sequence[Cascade], n: Floats) -> list[Floats]:
    root = np.array([c.root_followers for c in cascades], float)
    all_seen = [np.append(c.followers[:k], c.root_followers) for c, k in zip(cascades, n.astype(int), strict=True)]
    total = np.array([np.nansum(f) if np.isfinite(f).any() else np.nan for f in all_seen])
    return [np.where(np.isfinite(v), np.log1p(np.maximum(np.nan_to_num(v), 0.0)), -1.0) for v in (root, total)]
