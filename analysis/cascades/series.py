"""One cascade as its forecast sees it: reshare times, or counts seen at refreshes spread between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WEEK = 7 * 86400.0


class BadSeries(ValueError):
    """Times or counts that cannot be a cascade; the message says why."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """Reshares after a root at time 0.

    `times`: seconds after the root, sorted, the root left out. `followers`: of whoever made each reshare, nan where
    unknown, and `root_followers` of the root's author. `seen_until`: the age up to which `times` is known (None: for
    ever); a count series is known until its last count only. `kind` says how the times came about: events | counts.
    """

    times: Floats
    followers: Floats = field(default_factory=lambda: np.empty(0))
    root_followers: float = float("nan")
    seen_until: float | None = None
    kind: str = "events"

    def size(self, age: float = WEEK) -> int:
        """Root and reshares up to `age` seconds."""
        return 1 + int(np.searchsorted(self.times, age, side="right"))

    def known_age(self, age: float) -> float:
        """`age`, or the last moment at which anything is known of this cascade when that is earlier."""
        return age if self.seen_until is None else min(age, self.seen_until)


def from_events(
    times: Sequence[float] | Floats, followers: Sequence[float] | Floats | None = None, root_followers: float = np.nan
) -> Cascade:
    """A cascade from its reshares' times (seconds after the root, any order, the root left out)."""
    moments = np.asarray(times, float)
    if moments.ndim != 1 or not np.all(np.isfinite(moments)) or np.any(moments < 0):
        raise BadSeries("the times of a cascade must be finite numbers of seconds after its root")
    order = np.argsort(moments, kind="stable")
    known = np.full(len(moments), np.nan) if followers is None else np.asarray(followers, float)
    if len(known) != len(moments):
        raise BadSeries(f"{len(known)} follower counts for {len(moments)} reshares")
    return Cascade(moments[order], known[order], float(root_followers))


def from_counts(
    times: Sequence[float] | Floats, counts: Sequence[float] | Floats, root_followers: float = np.nan
) -> Cascade:
    """A cascade from sizes (root included) seen at some times: interval-censored.

    A reshare is known to lie between two refreshes only; those of an interval are spread evenly over it. A count
    that falls (reshares undone) keeps the largest size seen before.
    """
    moments, sizes = np.asarray(times, float), np.asarray(counts, float)
    if moments.shape != sizes.shape or moments.ndim != 1 or not len(moments):
        raise BadSeries("a count series needs as many counts as times, and at least one")
    if not (np.all(np.isfinite(moments)) and np.all(np.isfinite(sizes)) and np.all(moments >= 0)):
        raise BadSeries("times and counts must be finite, and no time before the root")
    order = np.argsort(moments, kind="stable")
    moments, sizes = moments[order], np.maximum.accumulate(np.maximum(sizes[order], 1.0))
    axis, level = np.concatenate([[0.0], moments]), np.concatenate([[1.0], sizes])
    reshares = np.arange(2, int(sizes[-1]) + 1, dtype=float)
    after = np.searchsorted(level, reshares, side="left")
    low, high = level[after - 1], level[after]
    spread = axis[after - 1] + (axis[after] - axis[after - 1]) * (reshares - low) / (high - low)
    spread = np.minimum(spread, axis[after])  # rounding
    return Cascade(spread, np.full(len(spread), np.nan), float(root_followers), float(moments[-1]), "counts")


def seen(cascades: Sequence[Cascade], ages: Floats) -> tuple[Floats, Ints]:
    """Times of the reshares of some cascades up to their ages, one cascade after the other, and how many each has."""
    size = np.fromiter((len(c.times) for c in cascades), np.int64, len(cascades))
    times = np.concatenate([c.times for c in cascades]) if len(cascades) else np.empty(0)
    row = np.repeat(np.arange(len(size)), size)
    known = times <= ages[row]
    return times[known], np.bincount(row[known], minlength=len(size))
