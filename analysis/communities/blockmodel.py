"""The degree-corrected block model: improving groups node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from analysis.communities.spectral import degrees
from analysis.graph import IntArray

ROUNDS = 20


def membership(label: IntArray, groups: int) -> Any:
    """CSR matrix (n, groups) with a one where a node belongs."""
    size = len(label)
    return sparse.csr_matrix((np.ones(size), (np.arange(size), label)), shape=(size, groups))


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
