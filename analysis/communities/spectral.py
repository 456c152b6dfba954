"""Spectral kernels of community detection: how many groups a graph shows, and where its nodes lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from analysis.communities import eigen
from analysis.graph import FloatArray, IntArray

MOST = 64  # groups looked for at one level
DENSE = 150  # nodes up to which all eigenvalues are computed at once
SAMPLE = 5_000  # points from which the centres of groups are found
STEPS = 6  # of k-means until its starts are compared


def degrees(matrix: Any) -> FloatArray:
    """Sums of the rows, shape (n,)."""
    return np.asarray(matrix.sum(axis=1), float).ravel()


def standing_out(links: Any, most: int = MOST) -> tuple[int, FloatArray]:
    """Number of groups that stand out from chance, and vectors (n, any) that lie near theirs.

    As many as negative eigenvalues of the Bethe Hessian H = (r^2 - 1) I - r A + D with r^2 the mean excess degree
    (Saade, Krzakala and Zdeborova, NeurIPS 2014; Le and Levina, Electron. J. Statist. 16, 2022): one for a random
    graph, whatever its degrees. By Sylvester's law these are as many as the eigenvalues above 1 / r of the normalised
    adjacency regularised by r^2 - 1, which converge faster.

    Parameters
    ----------
    links : symmetric CSR matrix (n, n) of zeros and ones, without self loops.
    most : largest answer; the smallest is 1.
    """
    degree, size = degrees(links), links.shape[0]
    if size < 4 or not degree.any():
        return 1, np.ones((size, 1))
    square = max(float((degree**2).sum() / degree.sum()) - 1, 1.0)
    threshold = 1 / np.sqrt(square)
    values, vectors = leading(links, most, regularise=square - 1, above=threshold)
    groups = int((values > threshold).sum())
    return int(np.clip(groups, 1, most)), vectors[:, : groups + 1]


def count_groups(links: Any, most: int = MOST) -> int:
    """Number of groups that stand out from chance; see `standing_out`."""
    return standing_out(links, most)[0]


def leading(
    matrix: Any,
    dimensions: int,
    *,
    regularise: float | None = None,
    above: float | None = None,
    tolerance: float = 2e-2,
    first: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Largest eigenvalues of the regularised normalised adjacency and their vectors: `dimensions`, and some more.

    Regularised by the mean degree if nothing is given (Qin and Rohe, NeurIPS 2013), so that a few nodes at the edge
    are no group. `above`, `tolerance` and `first` as in `eigen.largest`.
    """
    regularise = float(degrees(matrix).mean()) if regularise is None else regularise
    normal = eigen.normalised(matrix, regularise)
    if matrix.shape[0] <= DENSE:
        values, vectors = np.linalg.eigh(normal.toarray().astype(float))
        return values[::-1].copy(), vectors[:, ::-1].copy()
    values, block = eigen.largest(
        normal, dimensions, above=above, tolerance=tolerance, first=None if first is None else first.astype(np.float32)
    )
    return values, block.astype(float)


def gap(values: FloatArray) -> int:
    """Position (at least 2) of the largest fall in descending eigenvalues: how many groups stand out most.

    All of them when there are fewer than four values.
    """
    if len(values) < 4:
        return len(values) - 1 if len(values) == 3 else len(values)
    falls = values[1:-1] - values[2:]
    return int(falls.argmax()) + 2


def directions(vectors: FloatArray) -> FloatArray:
    """Rows scaled to length one, which makes positions independent of the degrees."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: FloatArray = vectors / np.maximum(length, 1e-12)
    return result


def k_means(points: FloatArray, groups: int, seed: int, tries: int = 8) -> IntArray:
    """Groups (n,) of points by k-means with greedy k-means++ starts (Arthur and Vassilvitskii, 2007).

    Of more than SAMPLE points a random sample finds the centres. The best of `tries` starts after STEPS steps goes on.
    """
    rng = np.random.default_rng(seed)
    points = points.astype(np.float32)
    some = points if len(points) <= SAMPLE else points[np.sort(rng.choice(len(points), SAMPLE, replace=False))]
    starts = [_moved(some, _spread(some, groups, rng), STEPS) for _ in range(tries)]
    best = min(range(tries), key=lambda i: float(_distances(some, starts[i]).min(axis=1).sum(dtype=float)))
    centres = _moved(some, starts[best], 50)
    return np.asarray(_distances(points, centres).argmin(axis=1), np.int64)


def _moved(points: FloatArray, centres: FloatArray, steps: int) -> FloatArray:
    """The centres after some of Lloyd's steps, fewer if they stay where they are."""
    size, groups = len(points), len(centres)
    for _ in range(steps):
        label = _distances(points, centres).argmin(axis=1)
        ends = sparse.csr_matrix((np.ones(size, np.float32), label, np.arange(size + 1)), (size, groups))
        sums, counts = np.asarray(ends.T @ points), np.bincount(label, minlength=groups)[:, None]
        moved = np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(points.dtype)
        if np.allclose(moved, centres, atol=1e-6):
            break
        centres = moved
    return centres


def _distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """Squared distances (n, groups), less the squared length of each point."""
    table: FloatArray = points @ (-2 * centres.T)
    table += (centres**2).sum(1)
    return table


def _spread(points: FloatArray, groups: int, rng: np.random.Generator) -> FloatArray:
    """Centres to begin with: of some points, drawn by their squared distance, the one that leaves the least of it."""
    length = (points**2).sum(1)
    chosen = points[rng.integers(len(points), size=1)]
    near = np.maximum(_distances(points, chosen)[:, 0] + length, 0)
    for _ in range(groups - 1):
        sums = np.cumsum(near, dtype=float)
        picks = np.searchsorted(sums, rng.random(2 + int(np.log(groups))) * sums[-1]).clip(max=len(points) - 1)
        left = np.minimum(np.maximum(_distances(points, points[picks]) + length[:, None], 0), near[:, None])
        best = int(left.sum(axis=0, dtype=float).argmin())
        near, chosen = left[:, best], np.vstack([chosen, points[picks[best]]])
    return chosen
