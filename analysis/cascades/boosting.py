"""Gradient boosting of weighted absolute errors with histogram trees, in numpy.

Friedman, Greedy function approximation: a gradient boosting machine, Ann. Stat. 2001 (algorithm LAD_TreeBoost): trees
follow the sign of the residual, each leaf answers with the weighted median of its residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.cascades.series import Floats, Ints

BINS = 32
ROWS = 16_384  # answered at once: their columns stay in the processor's cache


@dataclass(frozen=True)
class Boosting:
    """Complete binary trees of one depth. Nodes are numbered as in a heap: the children of i are 2i+1 and 2i+2.

    `feature` and `threshold`: (trees, 2**depth - 1), go right where the feature is above the threshold;
    `leaf`: (trees, 2**depth); `start`: the answer before any tree.
    """

    feature: Ints
    threshold: Floats
    leaf: Floats
    start: float

    def predict(self, x: Floats) -> Floats:
        """The answer for each row of x, shape (rows, features) -> (rows,)."""
        answer = np.full(len(x), self.start)
        if not len(x):
            return answer
        codes, cuts = self._coded(x)
        for begin in range(0, len(x), ROWS):
            columns, some = codes[:, begin : begin + ROWS], answer[begin : begin + ROWS]
            for feature, cut, leaf in zip(self.feature, cuts, self.leaf, strict=True):
                some += leaf[_walked(columns[feature] > cut[:, None])]
        return answer

    def _coded(self, x: Floats) -> tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]:
        """How many of its thresholds each value lies above (features, rows), and each threshold's place among them.

        Small numbers instead of large ones: a value is above a threshold where its number is above the place.
        """
        edges = [np.unique(self.threshold[self.feature == f]) for f in range(x.shape[1])]
        kind = np.min_scalar_type(max(map(len, edges)))
        codes = np.stack(
            [np.searchsorted(e, column) for e, column in zip(edges, x.T, strict=True)], dtype=kind, casting="unsafe"
        )
        cuts = np.empty(self.threshold.shape, kind)
        for f, e in enumerate(edges):
            here = self.feature == f
            cuts[here] = np.searchsorted(e, self.threshold[here])
        return codes, cuts


def _walked(right: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The leaf of each row, from which way it would go at every node (nodes, rows): whole columns, no look-ups."""
    turns: list[NDArray[np.bool_]] = []
    begin, leaf = 0, np.zeros(right.shape[1], np.uint8)
    while begin < len(right):
        level = right[begin : 2 * begin + 1]
        for turn in turns:
            half = len(level) // 2
            left, other = level[:half], level[half:]
            level = left ^ ((left ^ other) & turn)  # np.where on truth values, ten times as fast
        turns.append(level[0])
        leaf = 2 * leaf + level[0]
        begin = 2 * begin + 1
    return leaf


@dataclass(frozen=True)
class Plan:
    """How to boost: few, small and different trees, since histories are short."""

    trees: int = 150
    depth: int = 4
    rate: float = 0.06
    rows: float = 0.5  # share of the rows that a tree sees
    columns: float = 0.5  # share of the features that a tree may split
    smallest: float = 30.0  # rows in a leaf
    most: int = 8000  # rows that a tree sees, whatever their share


def weighted_quantile(values: Floats, weights: Floats, level: float = 0.5) -> float:
    """The smallest value below or at which at least `level` of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(total, level * total[-1]), len(values) - 1)])


def fit(x: Floats, y: Floats, weights: Floats, plan: Plan, seed: int) -> Boosting:
    """Boost on rows x (rows, features) towards y with weights, both (rows,)."""
    rng = np.random.default_rng(seed)
    edges = np.quantile(x, np.linspace(0, 1, BINS + 1)[1:-1], axis=0).T
    codes = np.stack([np.searchsorted(e, column, side="left") for e, column in zip(edges, x.T, strict=True)], 1)
    start = weighted_quantile(y, weights)
    answer, trees, share = np.full(len(y), start), [], min(plan.rows, plan.most / len(y))
    for _ in range(plan.trees):
        rows = np.flatnonzero(rng.random(len(y)) < share)
        columns = np.sort(rng.permutation(x.shape[1])[: max(1, round(plan.columns * x.shape[1]))])
        feature, cut = _grow(codes[np.ix_(rows, columns)], np.sign(y - answer)[rows], weights[rows], plan)
        feature = columns[feature]
        node = _leaves(codes, feature, cut, plan.depth)
        leaf = plan.rate * _medians(node[rows], (y - answer)[rows], weights[rows], 2**plan.depth)
        answer += leaf[node]
        threshold = np.where(cut < BINS - 1, edges[feature, np.minimum(cut, BINS - 2)], np.inf)
        trees.append((feature, threshold, leaf))
    features, thresholds, leaves = (np.array(part) for part in zip(*trees, strict=True))
    return Boosting(features, thresholds, leaves, start)


def _grow(codes: Ints, sign: Floats, weights: Floats, plan: Plan) -> tuple[Ints, Ints]:
    """Feature and last bin on the left of each inner node; a node that is not split sends all to the left."""
    rows, columns = codes.shape
    inner = 2**plan.depth - 1
    feature, cut = np.zeros(inner, int), np.full(inner, BINS - 1)
    node, offset = np.zeros(rows, int), np.arange(columns) * BINS
    for level in range(plan.depth):
        width = 2**level
        flat = ((node * (columns * BINS))[:, None] + offset + codes).ravel()
        shape = (width, columns, BINS)

        def sums(values: Floats, flat: Ints = flat, shape: tuple[int, int, int] = shape) -> Floats:
            spread = np.repeat(values, columns)
            return np.bincount(flat, spread, int(np.prod(shape))).reshape(shape).cumsum(2)

        chosen, gain = _best(sums(sign * weights), sums(weights), sums(np.ones(rows)), plan.smallest)
        at = width - 1 + np.arange(width)
        split = gain > 0
        feature[at[split]], cut[at[split]] = chosen[split] // BINS, chosen[split] % BINS
        here = at[node]
        node = 2 * node + (codes[np.arange(rows), feature[here]] > cut[here])
    return feature, cut


def _best(pull: Floats, mass: Floats, count: Floats, smallest: float) -> tuple[Ints, Floats]:
    """The best split of each node from cumulative sums over bins, and what it gains."""

    def value(p: Floats, m: Floats) -> Floats:
        return p**2 / np.maximum(m, 1e-12)

    whole, heavy, all_rows = pull[:, :, -1:], mass[:, :, -1:], count[:, :, -1:]
    gain = value(pull, mass) + value(whole - pull, heavy - mass) - value(whole, heavy)
    gain = np.where((count >= smallest) & (all_rows - count >= smallest), gain, -1.0).reshape(len(pull), -1)
    chosen = gain.argmax(1)
    return chosen, gain[np.arange(len(gain)), chosen]


def _leaves(codes: Ints, feature: Ints, cut: Ints, depth: int) -> Ints:
    node: Ints = np.zeros(len(codes), np.int64)
    rows = np.arange(len(codes))
    for _ in range(depth):
        node = 2 * node + 1 + (codes[rows, feature[node]] > cut[node])
    leaf: Ints = node - (2**depth - 1)
    return leaf


def _medians(leaf: Ints, residual: Floats, weights: Floats, leaves: int) -> Floats:
    out = np.zeros(leaves)
    for k in np.unique(leaf):
        inside = leaf == k
        out[k] = weighted_quantile(residual[inside], weights[inside])
    return out
