"""Spectral kernels of community detection: how many groups a graph shows, and where its nodes lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from analysis.graph import FloatArray, IntArray

MOST = 64  # groups looked for at one level
DENSE = 150  # nodes up to which all eigenvalues are computed at once


def degrees(matrix: Any) -> FloatArray:
    """Sums of the rows, shape (n,)."""
    return np.asarray(matrix.sum(axis=1), float).ravel()


def _start(size: int) -> FloatArray:
    """A fixed starting vector for Lanczos iterations, so that answers do not vary between runs."""
    return np.random.default_rng(0).standard_normal(size)


def count_groups(links: Any, most: int = MOST) -> int:
    """Number of groups that stand out from chance: the negative eigenvalues of the Bethe Hessian.

    H = (r^2 - 1) I - r A + D with r^2 the mean excess degree (Saade, Krzakala and Zdeborova, NeurIPS 2014; Le and
    Levina, Electron. J. Statist. 16, 2022): one for a random graph, whatever its degrees. By Sylvester's law they are
    as many as the eigenvalues above 1 / r of the normalised adjacency regularised by r^2 - 1, which converge faster.

    Parameters
    ----------
    links : symmetric CSR matrix (n, n) of zeros and ones, without self loops.
    most : largest answer; the smallest is 1.
    """
    degree, size = degrees(links), links.shape[0]
    if size < 4 or not degree.any():
        return 1
    square = max(float((degree**2).sum() / degree.sum()) - 1, 1.0)
    wanted = 2
    while True:
        asked = min(wanted, most + 1, size - 2)
        values, _ = leading(links, asked, regularise=square - 1, tolerance=1e-2, restarts=5 if wanted == 2 else 30)
        groups = int((values > 1 / np.sqrt(square)).sum())
        if groups < asked or asked >= min(most + 1, size - 2):
            return int(np.clip(groups, 1, most))
        wanted *= 4


def leading(
    matrix: Any, dimensions: int, regularise: float | None = None, tolerance: float = 1e-3, restarts: int = 60
) -> tuple[FloatArray, FloatArray]:
    """Largest eigenvalues (dimensions,) of the regularised normalised adjacency and their vectors (n, dimensions).

    Regularised by the mean degree if nothing is given (Qin and Rohe, NeurIPS 2013), so that a few nodes at the edge
    are no group. What has not converged after `restarts` lies in the continuous bulk and tells nothing: fewer
    are returned then, but at least one.
    """
    degree, size = degrees(matrix), matrix.shape[0]
    scale = sparse.diags(1 / np.sqrt(degree + (degree.mean() if regularise is None else regularise)))
    normal = (scale @ matrix @ scale).tocsr()
    if size <= DENSE:
        values, vectors = np.linalg.eigh(normal.toarray())
    else:
        try:
            basis = min(size - 1, max(2 * dimensions + 1, 30))
            values, vectors = eigsh(
                normal, k=dimensions, which="LA", v0=_start(size), tol=tolerance, ncv=basis, maxiter=restarts
            )
        except ArpackNoConvergence as unfinished:
            values, vectors = unfinished.eigenvalues, unfinished.eigenvectors
        if not len(values):
            return np.ones(1), np.sqrt(degree / degree.sum())[:, None]
    order = np.argsort(-values)[:dimensions]
    return values[order], vectors[:, order]


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


def k_means(points: FloatArray, groups: int, seed: int, tries: int = 10) -> IntArray:
    """Groups (n,) of points by k-means with k-means++ starts (Arthur and Vassilvitskii, 2007), the best of `tries`."""
    rng = np.random.default_rng(seed)
    best, found = np.inf, np.zeros(len(points), np.int64)
    for _ in range(tries):
        centres = _spread(points, groups, rng)
        for _ in range(50):
            label = _distances(points, centres).argmin(axis=1)
            ends = sparse.csr_matrix((np.ones(len(points)), label, np.arange(len(points) + 1)), (len(points), groups))
            sums, counts = np.asarray(ends.T @ points), np.bincount(label, minlength=groups)[:, None]
            moved = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
            if np.allclose(moved, centres, atol=1e-6):
                break
            centres = moved
        distance = _distances(points, centres)
        label, cost = distance.argmin(axis=1), float(distance.min(axis=1).sum())
        if cost < best - 1e-9:
            best, found = cost, label
    return found


def _distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    squared: FloatArray = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)[None, :]
    return np.maximum(squared, 0)


def _spread(points: FloatArray, groups: int, rng: np.random.Generator) -> FloatArray:
    chosen = [points[rng.integers(len(points))]]
    near = ((points - chosen[0]) ** 2).sum(1)
    for _ in range(groups - 1):
        total = near.sum()
        pick = rng.choice(len(points), p=near / total) if total > 0 else rng.integers(len(points))
        chosen.append(points[pick])
        near = np.minimum(near, ((points - chosen[-1]) ** 2).sum(1))
    return np.array(chosen)
