"""The degree-corrected block model: improving groups node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.communities.spectral import degrees
from analysis.graph import IntArray

ROUNDS = 20
FEW = 10_000  # nodes of which one that still moves is not worth another round


def refine(matrix: Any, label: IntArray, groups: int) -> IntArray:
    """Groups after every node went where the block model makes its links likeliest, until hardly any moves.

    Half of the nodes move at a time, in turn, so that neighbours do not swap for ever. Poisson likelihood with one
    rate within groups and one between (the planted partition form: Newman, Phys. Rev. E 94, 2016).
    """
    size, degree = matrix.shape[0], degrees(matrix)
    total = degree.sum()
    label = label.copy()
    halves = np.arange(0, size, 2), np.arange(1, size, 2)
    ties = _ties(matrix, label, groups)
    for turn in range(ROUNDS):
        weight = np.bincount(label, degree, minlength=groups)
        inside = float(ties[np.arange(size), label].sum(dtype=float))
        chance_inside = float((weight**2).sum() / total)
        rate_in = inside / max(chance_inside, 1e-12)
        rate_out = (total - inside) / max(total - chance_inside, 1e-12)
        if rate_in <= rate_out or rate_out <= 0:
            return label
        half = halves[turn % 2]
        gain = ties[half] * np.float32(np.log(rate_in / rate_out))
        scale = (degree[half] / total * (rate_in - rate_out)).astype(np.float32)
        gain -= scale[:, None] * weight.astype(np.float32)[None, :]
        place = np.arange(len(half))
        gain[place, label[half]] += scale * degree[half].astype(np.float32)
        best = gain.argmax(axis=1)
        gained = gain[place, best] - gain[place, label[half]]
        leaves = gained > 1e-5 * np.abs(gain[place, best]) + 1e-9
        moving, new = half[leaves], best[leaves]
        if len(moving) * FEW <= len(half) and turn > 0:
            break
        _move(matrix, ties, moving, label[moving], new)
        label[moving] = new
    return label


def _ties(matrix: Any, label: IntArray, groups: int) -> NDArray[np.float32]:
    """Weight of the links of each node (n,) to each group (groups,)."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    cell = row * np.int64(groups) + label[matrix.indices]
    found = np.bincount(cell, matrix.data, minlength=matrix.shape[0] * groups)
    return found.astype(np.float32).reshape(-1, groups)


def _move(matrix: Any, ties: NDArray[np.float32], moving: IntArray, old: IntArray, new: IntArray) -> None:
    """Ties after some nodes went from their old groups to new ones."""
    part = matrix[moving]
    times = np.diff(part.indptr)
    np.add.at(ties, (part.indices, np.repeat(new, times)), part.data.astype(np.float32))
    np.subtract.at(ties, (part.indices, np.repeat(old, times)), part.data.astype(np.float32))
