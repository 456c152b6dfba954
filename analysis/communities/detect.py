"""Finding communities at two levels, the same for the same graph whatever the order of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from analysis.communities import blockmodel, spectral
from analysis.graph import FloatArray, IntArray, Interactions, adjacency

NONE = -1
SPLINTER = 4  # nodes below which a piece is no group where it can join one


@dataclass(frozen=True, slots=True, eq=False)
class Communities:
    """Community of each account at two levels, shape (a,); NONE for accounts without interactions.

    Numbers go by size, the largest community is 0; every fine community lies within one coarse one.
    """

    accounts: list[str]
    coarse: IntArray
    fine: IntArray

    def memberships(self) -> dict[str, tuple[int, int]]:
        """Account -> (community, subcommunity), without those that have none."""
        pairs = zip(self.accounts, self.coarse.tolist(), self.fine.tolist(), strict=True)
        return {name: (c, f) for name, c, f in pairs if c != NONE}


def detect(interactions: Interactions, *, seed: int = 0) -> Communities:
    """Communities of the accounts of some interactions; see `detect_matrix`."""
    coarse, fine = detect_matrix(adjacency(interactions), seed=seed)
    return Communities(interactions.accounts, coarse, fine)


def detect_matrix(matrix: Any, *, seed: int = 0) -> tuple[IntArray, IntArray]:
    """Coarse and fine community (n,) of each node of an undirected weighted graph.

    Parameters
    ----------
    matrix : symmetric CSR matrix (n, n) of weights, without self loops.
    seed : of the starts of k-means.

    Notes
    -----
    Every component is taken for itself; nodes that hang on by one link follow their neighbour. How many groups can be
    told from chance is the Bethe Hessian's answer; the coarse ones are as many as stand before the largest fall of the
    eigenvalues among these. They come from regularised spectral clustering and a degree-corrected block model, the fine
    ones from the same inside each coarse one. A group that is not connected is split.
    """
    size = matrix.shape[0]
    coarse, fine = np.full(size, NONE), np.full(size, NONE)
    _, part = connected_components(matrix, directed=False)
    sizes = np.bincount(part)
    used = 0
    large = sizes[part] >= 8
    small = (sizes[part] >= 2) & ~large
    coarse[small] = fine[small] = part[small]
    used = len(sizes)
    for component in np.flatnonzero(sizes >= 8).tolist():
        nodes = np.flatnonzero(part == component)
        upper, lower = _component(matrix[nodes][:, nodes].tocsr(), seed)
        coarse[nodes], fine[nodes] = upper + used, lower + used
        used += int(max(upper.max(), lower.max())) + 1
    coarse = _settled(matrix, _connected(matrix, coarse))
    cells = coarse * (int(fine.max(initial=0)) + 2) + fine
    fine = np.where(coarse >= 0, np.unique(cells, return_inverse=True)[1], NONE)
    fine = _settled(matrix, _connected(matrix, fine), coarse)
    return _by_size(coarse), _by_size(fine)


def _component(matrix: Any, seed: int) -> tuple[IntArray, IntArray]:
    """Coarse and fine groups of one connected component."""
    core, leader = _core(matrix)
    core = core[np.argsort(-np.diff(matrix.indptr)[core], kind="stable")]  # what is used most lies together
    inner = matrix[core][:, core].tocsr()
    if len(core) < 8:
        return np.zeros(matrix.shape[0], np.int64), np.zeros(matrix.shape[0], np.int64)
    links = inner.copy()
    links.data = np.ones_like(links.data)
    groups, near = spectral.standing_out(links)
    upper = _outstanding(inner, groups, near, seed) if groups > 1 else np.zeros(len(core), np.int64)
    lower = _within(inner, upper, seed)
    place = np.zeros((matrix.shape[0], 2), np.int64)
    place[core] = np.column_stack([upper, lower])
    return place[leader, 0], place[leader, 1]


def _outstanding(inner: Any, groups: int, near: FloatArray, seed: int) -> IntArray:
    """The groups that stand out most among the first `groups` eigenvectors."""
    values, vectors = spectral.leading(inner, groups, first=near)
    chosen = spectral.gap(values[: groups + 1])
    label = spectral.k_means(spectral.directions(vectors[:, :chosen]), chosen, seed)
    return np.unique(blockmodel.refine(inner, label, chosen), return_inverse=True)[1]


def _within(inner: Any, upper: IntArray, seed: int) -> IntArray:
    """Groups inside each of the coarse ones, found in the same way."""
    lower = np.zeros(len(upper), np.int64)
    used = 0
    for group in range(int(upper.max()) + 1):
        nodes = np.flatnonzero(upper == group)
        part = inner[nodes][:, nodes].tocsr()
        links = part.copy()
        links.data = np.ones_like(links.data)
        groups, near = spectral.standing_out(links) if len(nodes) >= 8 else (1, None)
        if groups > 1:
            _, vectors = spectral.leading(part, groups, first=near)
            label = spectral.k_means(spectral.directions(vectors[:, :groups]), groups, seed)
            lower[nodes] = used + blockmodel.refine(part, label, groups)
        else:
            lower[nodes] = used
        used += groups
    return lower


def _core(matrix: Any) -> tuple[IntArray, IntArray]:
    """Nodes left when nodes with one link are taken away again and again, and the one that each hangs on.

    The graph is connected.
    """
    size, degree = matrix.shape[0], np.diff(matrix.indptr).astype(np.int64)
    around = np.bincount(np.repeat(np.arange(size), degree), matrix.indices, minlength=size).astype(np.int64)
    leader, alive, left = np.arange(size), np.ones(size, bool), size
    leaves = np.flatnonzero(degree == 1)
    while len(leaves) and left > 2:
        alive[leaves], left = False, left - len(leaves)
        near = leader[leaves] = around[leaves]  # the sum of the only neighbour left
        degree[leaves] = 0
        np.subtract.at(degree, near, 1)
        np.subtract.at(around, near, leaves)
        leaves = np.unique(near)
        leaves = leaves[degree[leaves] == 1]
    while True:
        further = leader[leader]
        if (further == leader).all():
            return np.flatnonzero(alive), leader
        leader = further


def _connected(matrix: Any, label: IntArray) -> IntArray:
    """Labels after every group that is not connected was split into its components."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    same = (label[row] == label[matrix.indices]) & (label[row] != NONE)
    begins = np.concatenate([[0], np.cumsum(same)])[matrix.indptr].astype(np.int32)
    inside = type(matrix)((matrix.data[same], matrix.indices[same], begins), shape=matrix.shape)
    _, part = connected_components(inside, connection="strong")  # links go both ways; faster than for one way
    return np.where(label == NONE, NONE, part)


def _settled(matrix: Any, label: IntArray, within: IntArray | None = None) -> IntArray:
    """Labels after every splinter joined the group that it has most to do with (of the same `within`, if given).

    A splinter is a group of fewer than SPLINTER nodes beside a larger one.
    """
    sizes = np.bincount(label[label != NONE], minlength=1)
    links = matrix.tocoo()
    place = np.flatnonzero((label[links.row] != NONE) & (sizes[label[links.row]] < SPLINTER))
    place = place[sizes[label[links.col[place]]] >= SPLINTER]
    if within is not None:
        place = place[within[links.row[place]] == within[links.col[place]]]
    pairs, position = np.unique(
        label[links.row[place]] * np.int64(len(sizes)) + label[links.col[place]], return_inverse=True
    )
    weight = np.bincount(position, links.data[place], minlength=len(pairs))
    order = np.argsort(weight, kind="stable")
    joins = np.arange(len(sizes))
    joins[pairs[order] // len(sizes)] = pairs[order] % len(sizes)
    return np.where(label == NONE, NONE, joins[label])


def _by_size(label: IntArray) -> IntArray:
    """Labels renumbered from the largest group down; equal ones by their first node."""
    known = label != NONE
    names, first, position, counts = np.unique(label[known], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(names))
    result = np.full(len(label), NONE)
    result[known] = rank[position]
    return result
