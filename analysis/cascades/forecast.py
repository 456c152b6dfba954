"""Final size of cascades from their first moments, with an interval that is calibrated on cascades not learned from.

Growth from now to the end is learned by boosted trees (`boosting`) on `features`, weighted so that the error relative
to the final number of reshares is what counts. The finished cascades are cut into blocks in their given order (that
of time, where the source keeps it); each block is forecast by trees that never saw it, and these errors, in units of
their expected spread, give the interval and the probabilities (cross-conformal prediction: Vovk, Ann. Math. Artif.
Intell. 2015; normalised residuals: Papadopoulos, Gammerman, Vovk 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.cascades import boosting, features, kernel
from analysis.cascades.boosting import Boosting, Plan
from analysis.cascades.series import WEEK, Cascade, Floats

DEFAULT = Path(__file__).with_name("default.npz")
BLOCKS = 5
ENOUGH = 200  # finished cascades from which an installation's own forecaster is fitted
LEAST = 20  # fewer cannot be cut into blocks
NEARBY = (0.7, 0.85, 1.0, 1.2, 1.4)  # horizons learned beside the one that is asked for
GRID = tuple(120.0 * 2**k for k in range(12))  # 2 minutes to 2.8 days, for any age
LEVELS = np.concatenate([[0.005, 0.015], np.arange(0.025, 0.9751, 0.025), [0.985, 0.995]])
COVERAGE = 0.9
TOP = 0.05
DRAWS = 400
SMALLEST_SPREAD = 0.01  # of the logarithm of growth


class TooFewCascades(ValueError):
    """A history that is too short to learn from."""


@dataclass(frozen=True)
class Forecast:
    """One entry per cascade; sizes count the root. `low`..`high` holds the final size with probability COVERAGE.

    `p_top`: probability of ending among the largest 5% of the reference. `floor`: the smallest final size that the
    forecaster has learned from; the forecast supposes that the cascade is of that kind. `age`: seconds up to which
    the cascade is known.
    """

    age: Floats
    observed: Floats
    size: Floats
    low: Floats
    high: Floats
    p_top: Floats
    reproduction: Floats
    floor: float


@dataclass(frozen=True)
class Forecaster:
    """Trees of each block for log growth, trees for its expected error, and quantiles of error / expected error.

    `errors`: (ages, levels), one row per age of `ages` (seconds), at the probabilities LEVELS. `finals`: final sizes
    learned from, at the probabilities 0, 0.001 ... 1.
    """

    growth: tuple[Boosting, ...]
    spread: Boosting
    ages: Floats
    errors: Floats
    finals: Floats

    @classmethod
    def fit(
        cls, history: Sequence[Cascade], ages: Sequence[float] = GRID, plan: Plan | None = None, seed: int = 1
    ) -> Forecaster:
        """Learn from finished cascades how they grow from `ages` (seconds) to a week. Raises TooFewCascades."""
        plan = plan or Plan(smallest=30)
        rows = _Rows.of(history, np.asarray(ages, float))
        blocks = np.arange(len(history)) * BLOCKS // len(history)
        trees, outside = [], np.zeros(len(rows.y))
        for block in range(BLOCKS):
            held = blocks[rows.cascade] == block
            model = boosting.fit(rows.x[~held], rows.y[~held], rows.weight[~held], plan, seed + block)
            outside[held] = model.predict(rows.x[held])
            trees.append(model)
        error = rows.y - np.maximum(outside, 0.0)
        calm = Plan(trees=60, depth=plan.depth, smallest=2 * plan.smallest)
        size = np.log(np.abs(error) + SMALLEST_SPREAD)
        spread = boosting.fit(rows.x, size, np.ones(len(size)), calm, seed)
        ratio = error / _spread(spread, rows.x)
        by_age = np.stack([_conformal(ratio[rows.age == k]) for k in range(len(ages))])
        finals = np.quantile(rows.final, np.linspace(0, 1, 1001))
        return cls(tuple(trees), spread, np.asarray(ages, float), by_age, finals)

    @classmethod
    def around(cls, history: Sequence[Cascade], age: float, seed: int = 1) -> Forecaster:
        """The same for one age and its neighbourhood: sharper there than a forecaster for all ages."""
        return cls.fit(history, [min(age * k, WEEK) for k in NEARBY], seed=seed)

    @classmethod
    @cache
    def default(cls) -> Forecaster:
        """The built-in forecaster for any age, fitted offline on public cascades of two networks."""
        with np.load(DEFAULT) as kept:
            return cls._unpacked(kept)

    def save(self, path: Path) -> None:
        """Write the coefficients, nothing else, as .npz."""
        parts: dict[str, Any] = {"ages": self.ages, "errors": self.errors, "finals": self.finals}
        for i, trees in enumerate((self.spread, *self.growth)):
            parts |= {f"feature{i}": trees.feature.astype(np.int8), f"threshold{i}": trees.threshold}
            parts |= {f"leaf{i}": trees.leaf, f"start{i}": np.array(trees.start)}
        np.savez_compressed(path, **{k: v.astype(np.float32) if v.dtype == float else v for k, v in parts.items()})

    @classmethod
    def _unpacked(cls, kept: Any) -> Forecaster:
        count = sum(name.startswith("leaf") for name in kept)
        trees = [
            Boosting(
                kept[f"feature{i}"].astype(int),
                kept[f"threshold{i}"].astype(float),
                kept[f"leaf{i}"].astype(float),
                float(kept[f"start{i}"]),
            )
            for i in range(count)
        ]
        ages, errors, finals = (kept[part].astype(float) for part in ("ages", "errors", "finals"))
        return cls(tuple(trees[1:]), trees[0], ages, errors, finals)

    def forecast(
        self, cascades: Sequence[Cascade], age: float | Floats, reference: Sequence[float] | Floats | None = None
    ) -> Forecast:
        """Forecast each cascade from what is known of it at `age` (seconds, one or per cascade).

        `reference`: final sizes whose largest 5% p_top asks for; None: those learned from; empty: the cascades asked.
        """
        asked = np.broadcast_to(np.asarray(age, float), (len(cascades),))
        known = np.array([max(c.known_age(a), 1.0) for c, a in zip(cascades, asked, strict=True)])
        x, observed = features.matrix(cascades, known), features.sizes(cascades, known)
        middle = np.mean([np.maximum(trees.predict(x), 0.0) for trees in self.growth], axis=0)
        quantiles = self._errors_at(known) * _spread(self.spread, x)[:, None]
        sizes = np.maximum(observed[:, None] * np.exp(middle[:, None] + quantiles), observed[:, None])
        ceiling = np.maximum(1.25 * self.finals[-1], 2 * observed)[:, None]
        sizes = np.minimum(np.maximum.accumulate(sizes, axis=1), ceiling)
        size = np.minimum(observed * np.exp(middle), ceiling[:, 0])
        low, high = (_at(sizes, p) for p in ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2))
        finals = self.finals if reference is None else np.asarray(reference, float)
        return Forecast(
            known, observed, size, np.minimum(np.floor(low), size), np.maximum(np.ceil(high), size),
            _p_top(sizes, finals), kernel.reproduction(cascades, known), float(self.finals[0]),
        )  # fmt: skip

    def _errors_at(self, ages: Floats) -> Floats:
        """Error quantiles at any age, between those of `ages` on a logarithmic scale."""
        order = np.argsort(self.ages)
        axis, table = np.log(self.ages[order]), self.errors[order]
        return np.stack([np.interp(np.log(ages), axis, column) for column in table.T], axis=1)


@dataclass(frozen=True)
class _Rows:
    """One row per finished cascade and age: features, log growth, weight."""

    x: Floats
    y: Floats
    weight: Floats
    final: Floats
    cascade: Floats
    age: Floats

    @classmethod
    def of(cls, history: Sequence[Cascade], ages: Floats) -> _Rows:
        if len(history) < LEAST:
            raise TooFewCascades(f"{len(history)} finished cascades; at least {LEAST} are needed to learn from")
        n = len(history)
        final = features.sizes(history, np.full(n, WEEK))
        seen = [np.full(n, age) for age in ages]
        x = np.concatenate([features.matrix(history, a) for a in seen])
        y = np.concatenate([np.log(final / features.sizes(history, a)) for a in seen])
        weight = np.tile(1 / np.maximum(final - 1, 1.0), len(ages))
        return cls(
            x, y, weight / weight.mean(), final, np.tile(np.arange(n), len(ages)), np.repeat(np.arange(len(ages)), n)
        )


def _spread(trees: Boosting, x: Floats) -> Floats:
    spread: Floats = np.maximum(np.exp(trees.predict(x)), SMALLEST_SPREAD)
    return spread


def _conformal(ratio: Floats) -> Floats:
    """Quantiles of the errors at LEVELS, moved outwards by the one unseen cascade (split-conformal ranks)."""
    n, ordered = len(ratio), np.sort(ratio)
    above = np.ceil((n + 1) * LEVELS) - 1
    below = np.floor((n + 1) * LEVELS) - 1
    rank = np.where(LEVELS > 0.5, above, below)
    quantiles: Floats = ordered[np.clip(rank, 0, n - 1).astype(int)]
    return quantiles


def _at(sizes: Floats, level: float) -> Floats:
    return np.array([np.interp(level, LEVELS, row) for row in sizes]) if len(sizes) else np.empty(0)


def _p_top(sizes: Floats, finals: Floats) -> Floats:
    """Probability of each cascade to end above the 95% quantile of `finals`, or among the top 5% of those asked."""
    if len(finals):
        threshold = np.quantile(finals, 1 - TOP)
        return np.array([1 - _level_of(row, threshold) for row in sizes])
    if not len(sizes):
        return np.empty(0)
    rng = np.random.default_rng(0)
    draws = np.stack([np.interp(rng.random(DRAWS), LEVELS, row) for row in sizes])
    line = np.sort(draws, axis=0)[-max(1, round(TOP * len(sizes)))]
    share: Floats = np.mean(draws >= line, axis=1)
    return share


def _level_of(row: Floats, threshold: float) -> float:
    """Where the threshold lies in a row of quantiles: a probability, never quite 0 or 1."""
    distinct = np.maximum.accumulate(np.log(row)) + 1e-9 * np.arange(len(row))
    level = float(np.interp(np.log(threshold), distinct, LEVELS))
    if threshold > row[-1]:
        return 1 - float((1 - LEVELS[-1]) * row[-1] / threshold)
    return level * float(threshold / row[0]) if threshold < row[0] else level
