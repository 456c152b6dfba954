"""The degree-corrected block model: improving groups node by node, and joining groups that belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from analysis.communities.spectral import degrees
from analysis.graph import FloatArray, IntArray

ROUNDS = 20


def membership(label: IntArray, groups: int) -> Any:
    """CSR matrix (n, groups) with a one where a node belongs."""
    size = len(label)
    return sparse.csr_matrix((np.ones(size), (np.arange(size), label)), shape=(size, groups))


def affinities(matrix: Any, label: IntArray, groups: int) -> FloatArray:
    """How much more two groups have to do with each other than chance would give, shape (groups, groups).

    Weight between them times the total over the product of their degrees, each with one link's weight more, so that
    empty cells stay finite (Karrer and Newman, Phys. Rev. E 83, 2011).
    """
    ends = membership(label, groups)
    between = (ends.T @ matrix @ ends).toarray()
    degree, total = between.sum(1), between.sum()
    chance = np.outer(degree, degree) / max(total, 1e-12)
    one = total / max(matrix.nnz, 1)
    result: FloatArray = (between + one * chance / max(chance.max(initial=0.0), 1e-12)) / np.maximum(
        chance + one * chance / max(chance.max(initial=0.0), 1e-12), 1e-12
    )
    return result


def refine(matrix: Any, label: IntArray, groups: int) -> IntArray:
    """Groups after every node went where the block model makes its links likeliest, until none moves.

    Half of the nodes move at a time, in turn, so that neighbours do not swap for ever. Poisson likelihood with one
    rate within groups and one between (the planted partition form: Newman, Phys. Rev. E 94, 2016).
    """
    size, degree = matrix.shape[0], degrees(matrix)
    total = degree.sum()
    label = label.copy()
    half = np.arange(size) % 2 == 0
    for turn in range(ROUNDS):
        weight = np.bincount(label, degree, minlength=groups)
        inside = float((matrix @ membership(label, groups))[np.arange(size), label].sum())
        chance_inside = float((weight**2).sum() / total)
        rate_in = inside / max(chance_inside, 1e-12)
        rate_out = (total - inside) / max(total - chance_inside, 1e-12)
        if rate_in <= rate_out or rate_out <= 0:
            return label
        ties = np.asarray((matrix @ membership(label, groups)).todense())
        own = weight[None, :] - (label[:, None] == np.arange(groups)[None, :]) * degree[:, None]
        gain = ties * np.log(rate_in / rate_out) - degree[:, None] * own / total * (rate_in - rate_out)
        best = gain.argmax(axis=1)
        stay = gain[np.arange(size), label] >= gain[np.arange(size), best] - 1e-9
        moving = ~stay & (half if turn % 2 == 0 else ~half)
        if not moving.any() and turn > 0:
            break
        label[moving] = best[moving]
    return label


def coarsen(matrix: Any, label: IntArray, groups: int) -> IntArray:
    """Coarse group (groups,) of every fine one: the level below which joining would cost most.

    The two groups with the largest affinity are joined again and again. Each join has its affinity, and so has the
    state before the first (the mean affinity inside groups). The joins stop before the largest fall of the logarithm:
    groups without any order among themselves are not joined at all.
    """
    if groups <= 2:
        return np.arange(groups)
    ends = membership(label, groups)
    between = (ends.T @ matrix @ ends).toarray()
    weight, total = between.sum(1), between.sum()
    inside = float(np.trace(between) / max((weight**2).sum() / total, 1e-12))
    heights, states = [inside], [np.arange(groups)]
    merged = np.arange(groups)
    for _ in range(groups - 1):
        chance = np.outer(weight, weight) / total
        ratio = np.where(chance > 0, (between + 1e-3) / np.maximum(chance + 1e-3, 1e-12), -np.inf)
        np.fill_diagonal(ratio, -np.inf)
        i, j = sorted(divmod(int(ratio.argmax()), groups))
        heights.append(min(float(ratio[i, j]), heights[-1]))
        between[i] += between[j]
        between[:, i] += between[:, j]
        weight[i] += weight[j]
        between[j], between[:, j], weight[j] = 0, 0, 0
        merged = np.where(merged == j, i, merged)
        states.append(merged)
    falls = -np.diff(np.log(np.maximum(heights, 1e-9)))
    chosen = states[int(falls.argmax())]
    return np.unique(chosen, return_inverse=True)[1]
