"""Final size of cascades from their first moments, with an interval that is calibrated on cascades not learned from.

Growth from now to the end is learned by boosted trees (`boosting`) on `features`, weighted so that the error relative
to the final number of reshares is what counts. The finished cascades are cut into blocks in their given order (that
of time, where the source keeps it); each block is forecast by trees that never saw it. These errors, in units of
their expected spread, give an interval that holds in every block (cross-conformal prediction: Vovk, Ann. Math. Artif.
Intell. 2015; normalised residuals: Papadopoulos, Gammerman, Vovk 2008), and the probability of ending large (logistic
in the forecast's distance from the threshold: Platt 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from analysis.cascades import boosting, features, kernel
from analysis.cascades.boosting import Boosting, Plan
from analysis.cascades.series import WEEK, Cascade, Floats

DEFAULT = Path(__file__).with_name("default.npz")
BLOCKS = 5
ENOUGH = 100  # finished cascades from which an installation's own forecaster is fitted: 50 beat another network's 700
LEAST = 20  # fewer cannot be cut into blocks
NEARBY = (0.7, 0.85, 1.0, 1.2, 1.4)  # horizons learned beside the one that is asked for
GRID = tuple(120.0 * 2**k for k in range(12))  # 2 minutes to 2.8 days, for any age
LEVELS = np.concatenate([[0.005, 0.015], np.arange(0.025, 0.9751, 0.025), [0.985, 0.995]])
COVERAGE = 0.9
ENDS = np.array([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
BEYOND = 1.25  # no forecast lies above the largest size learned from times this, or twice the present size
MOST = 5000  # the latest finished cascades that are learned from
TOP = 0.05
DRAWS = 400
RIDGE = 1.0
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

    `errors`: (ages, levels), one row per age of `ages` (seconds), at the probabilities LEVELS; `band`: (ages, 2), the
    ends of the interval in the same unit; `top`: (ages, 2), logistic coefficients of ending large. `finals`: final
    sizes learned from, at the probabilities 0, 0.01 ... 1.
    """

    growth: tuple[Boosting, ...]
    spread: Boosting
    ages: Floats
    errors: Floats
    band: Floats
    top: Floats
    finals: Floats

    @classmethod
    def fit(
        cls, history: Sequence[Cascade], ages: Sequence[float] = GRID, plan: Plan | None = None, seed: int = 1
    ) -> Forecaster:
        """Learn from finished cascades (the latest MOST of them) how they grow from `ages` (seconds) to a week.

        Raises TooFewCascades below LEAST. About 5 s for 1,000 cascades and 5 ages on one core.
        """
        plan, kept = plan or Plan(), history[-MOST:]
        rows = _Rows.of(kept, np.asarray(ages, float))
        block = (np.arange(len(kept)) * BLOCKS // len(kept))[rows.cascade]
        trees, outside = [], np.zeros(len(rows.y))
        for b in range(BLOCKS):
            held = block == b
            model = boosting.fit(rows.x[~held], rows.y[~held], rows.weight[~held], plan, seed + b)
            outside[held] = model.predict(rows.x[held])
            trees.append(model)
        error = rows.y - np.maximum(outside, 0.0)
        calm = replace(plan, trees=min(plan.trees, 60), depth=3, smallest=2 * plan.smallest)
        spread = boosting.fit(rows.x, np.log(np.abs(error) + SMALLEST_SPREAD), np.ones(len(error)), calm, seed)
        ratio = error / _spread(spread, rows.x)
        at = [rows.age == k for k in range(len(ages))]
        errors = np.stack([_conformal(ratio[here], LEVELS) for here in at])
        band = np.stack([_widest([ratio[here & (block == b)] for b in range(BLOCKS)]) for here in at])
        large = np.log(np.quantile(rows.final, 1 - TOP))
        end = np.log(np.tile(rows.final, len(ages)))
        top = np.stack([_logistic((end - error - large)[here], end[here] > large) for here in at])
        finals = np.quantile(rows.final, np.linspace(0, 1, 101))
        return cls(tuple(trees), spread, np.asarray(ages, float), errors, band, top, finals)

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
        parts: dict[str, Any] = {
            "ages": self.ages,
            "errors": self.errors,
            "band": self.band,
            "top": self.top,
            "finals": self.finals,
        }
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
        rest = (kept[part].astype(float) for part in ("ages", "errors", "band", "top", "finals"))
        return cls(tuple(trees[1:]), trees[0], *rest)

    def forecast(
        self, cascades: Sequence[Cascade], age: float | Floats, reference: Sequence[float] | Floats | None = None
    ) -> Forecast:
        """Forecast each cascade from what is known of it at `age` (seconds, one or per cascade).

        `reference`: final sizes whose largest 5% p_top asks for; None: those learned from; empty: the cascades asked.
        """
        asked = np.broadcast_to(np.asarray(age, float), (len(cascades),))
        if not len(cascades):
            none = np.empty(0)
            return Forecast(none, none, none, none, none, none, none, float(self.finals[0]))
        known = np.array([max(c.known_age(a), 1.0) for c, a in zip(cascades, asked, strict=True)])
        x, observed = features.matrix(cascades, known), features.sizes(cascades, known)
        growth = np.mean([np.maximum(trees.predict(x), 0.0) for trees in self.growth], axis=0)[:, None]
        spread, now = _spread(self.spread, x)[:, None], observed[:, None]
        ceiling = np.maximum(BEYOND * self.finals[-1], 2 * now)

        def reached(errors: Floats) -> Floats:
            sizes: Floats = np.clip(now * np.exp(growth + errors), now, ceiling)
            return sizes

        size = reached(np.zeros_like(growth))[:, 0]
        low, high = reached(self._at(known, self.band) * spread).T
        finals = self.finals if reference is None else np.asarray(reference, float)
        if len(finals):
            threshold = float(np.quantile(finals, 1 - TOP))
        else:
            threshold = _expected_threshold(reached(self._at(known, self.errors) * spread))
        a, b = self._at(known, self.top).T
        return Forecast(
            age=known,
            observed=observed,
            size=size,
            low=np.minimum(np.floor(low), size),
            high=np.maximum(np.ceil(high), size),
            p_top=expit(a + b * np.log(size / threshold)),
            reproduction=kernel.reproduction(cascades, known),
            floor=float(self.finals[0]),
        )

    def _at(self, ages: Floats, table: Floats) -> Floats:
        """Rows of a table by age, at any age: between those learned on a logarithmic scale."""
        order = np.argsort(self.ages)
        axis = np.log(self.ages[order])
        return np.stack([np.interp(np.log(ages), axis, column) for column in table[order].T], axis=1)


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


def _conformal(ratio: Floats, levels: Floats) -> Floats:
    """Quantiles of the errors, moved outwards by the one cascade that is not there yet (split-conformal ranks)."""
    n, ordered = len(ratio), np.sort(ratio)
    rank = np.where(levels > 0.5, np.ceil((n + 1) * levels), np.floor((n + 1) * levels)) - 1
    quantiles: Floats = ordered[np.clip(rank, 0, n - 1).astype(int)]
    return quantiles


def _widest(blocks: Sequence[Floats]) -> Floats:
    """Ends of an interval that holds in every block: what comes is a new period, not a draw from the old ones."""
    ends = np.stack([_conformal(ratio, ENDS) for ratio in blocks])
    return np.array([ends[:, 0].min(), ends[:, 1].max()])


def _logistic(x: Floats, happened: NDArray[np.bool_]) -> Floats:
    """Intercept and slope of P(happened) by penalised maximum likelihood (Newton); the slope is not negative."""
    design, coefficients = np.column_stack([np.ones(len(x)), x]), np.array([0.0, 1.0])
    for _ in range(25):
        p = expit(design @ coefficients)
        pull = design.T @ (happened - p) - RIDGE * (coefficients - [0.0, 1.0])
        bend = (design * (p * (1 - p))[:, None]).T @ design + RIDGE * np.eye(2)
        coefficients = coefficients + np.clip(np.linalg.solve(bend, pull), -1.0, 1.0)
    return np.array([coefficients[0], max(coefficients[1], 0.0)])


def _expected_threshold(sizes: Floats) -> float:
    """Where the largest 5% of cascades begin when each ends at one of its quantiles (cascades, levels) by chance."""
    rng = np.random.default_rng(0)
    draws = np.stack([np.interp(rng.random(DRAWS), LEVELS, row) for row in sizes])
    return float(np.median(np.quantile(draws, 1 - TOP, axis=0)))
