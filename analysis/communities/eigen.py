"""The largest eigenpairs of a large sparse symmetric matrix, by blocks.

Lanczos multiplies by one vector at a time and waits for the last of its values, which lie in the dense bulk of the
spectrum and tell nothing. A block under a Chebyshev filter multiplies by many at once, in single precision, and stops
as soon as the question is answered (Zhou, Saad, Tiago and Chelikowsky, J. Comput. Phys. 219, 2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from analysis.graph import FloatArray

Block = NDArray[np.float32]

GUARD = 4  # vectors beside the wanted ones; they take up what is next in the spectrum
DEGREE = 8  # of the filter: multiplications between two orthonormalisations
ROUNDS = 30
ROWS = 16_384  # summed at once in double precision


def normalised(matrix: Any, regularise: float) -> Any:
    """Adjacency (n, n) divided by the roots of degree + `regularise` on both sides, in single precision."""
    degree = np.asarray(matrix.sum(axis=1), float).ravel() + regularise
    scale = 1 / np.sqrt(degree)
    data = (matrix.data * np.repeat(scale, np.diff(matrix.indptr)) * scale[matrix.indices]).astype(np.float32)
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def start(size: int, width: int) -> Block:
    """A fixed random block, so that answers do not vary between runs."""
    block = np.random.default_rng(0).standard_normal((width, size), dtype=np.float32)
    return np.asfortranarray(block.T)


def times(matrix: Any, block: Block) -> Block:
    """matrix @ block, a column after the other: a column stays in the processor's cache, a block does not."""
    result = np.empty(block.shape, np.float32, order="F")
    for column in range(block.shape[1]):
        result[:, column] = matrix @ block[:, column]
    return result


def largest(
    matrix: Any, wanted: int, *, above: float | None = None, tolerance: float = 1e-3, first: Block | None = None
) -> tuple[FloatArray, Block]:
    """The largest eigenvalues (w,), descending, and their vectors (n, w); w is at most `wanted` + GUARD.

    Parameters
    ----------
    matrix : symmetric CSR matrix (n, n) of float32, n > 8, with eigenvalues in [-1, 1].
    wanted : how many have to converge; the rest are lower bounds.
    above : all above this have to converge instead, unless all w are above it.
    tolerance : largest residual of a value that has to converge.
    first : vectors (n, any) to begin with.
    """
    width = min(wanted + GUARD, matrix.shape[0] - 1)
    block = start(matrix.shape[0], width)
    if first is not None:
        block[:, : first.shape[1]] = first[:, :width]
    low, found = _lowest(matrix), -1
    values, vectors, residuals = _ritz(matrix, block)
    for _ in range(ROUNDS):
        high = max(values[-1], min(values[0] - 0.1 * (values[0] - low), -1.0 if above is None else above))
        values, vectors, residuals = _ritz(matrix, _filtered(matrix, vectors, low, high, values[0]))
        last, found = found, wanted if above is None else int((values > above).sum())
        settled = above is None or found == last
        if found == width or (settled and (residuals[:found] < tolerance).all()):
            break
    return values, vectors


def _lowest(matrix: Any) -> float:
    """About the smallest eigenvalue, or a little less; -1 where it does not converge."""
    begin = start(matrix.shape[0], 1)[:, 0]
    try:
        value = eigsh(matrix, k=1, which="SA", tol=0.1, ncv=12, maxiter=10, v0=begin, return_eigenvectors=False)[0]
    except ArpackNoConvergence:
        return -1.0
    return float(value) * 1.05


def _filtered(matrix: Any, block: Block, low: float, high: float, top: float) -> Block:
    """The block with what lies between low and high damped: a Chebyshev polynomial of the matrix, about 1 at top."""
    middle, half = (high + low) / 2, (high - low) / 2
    first = ratio = half / (top - middle)
    before, now = block, times(matrix, block)
    now -= np.float32(middle) * block
    now *= np.float32(ratio / half)
    for _ in range(DEGREE - 1):
        following = 1 / (2 / first - ratio)
        later = times(matrix, now)
        later -= np.float32(middle) * now
        later *= np.float32(2 * following / half)
        before *= np.float32(ratio * following)
        later -= before
        before, now, ratio = now, later, following
    return now


def _orthonormal(block: Block) -> Block:
    """The span of a block, orthonormalised by its singular vectors (Stathopoulos and Wu, SISC 23, 2002)."""
    for _ in range(2):
        products = _products(block, block)
        scale = 1 / np.sqrt(np.maximum(np.diag(products), 1e-300))
        values, turn = np.linalg.eigh(products * scale[:, None] * scale[None, :])
        turn = scale[:, None] * turn / np.sqrt(np.maximum(values, 1e-12 * values[-1]))
        block = _turned(block, turn)
    return block


def _turned(block: Block, turn: FloatArray) -> Block:
    """block @ turn with its columns in one piece."""
    result: Block = (turn.T.astype(np.float32) @ block.T).T
    return result


def _products(a: Block, b: Block) -> FloatArray:
    """a.T @ b, summed in double precision."""
    total = np.zeros((a.shape[1], b.shape[1]))
    for begin in range(0, len(a), ROWS):
        total += a[begin : begin + ROWS].T.astype(float) @ b[begin : begin + ROWS].astype(float)
    return total


def _ritz(matrix: Any, block: Block) -> tuple[FloatArray, Block, FloatArray]:
    """Best eigenvalues within the span of a block, descending, their vectors, and the lengths of the residuals."""
    basis = _orthonormal(block)
    image = times(matrix, basis)
    inner = _products(basis, image)
    values, turn = np.linalg.eigh((inner + inner.T) / 2)
    values, turn = values[::-1].copy(), turn[:, ::-1]
    vectors = _turned(basis, turn)
    rest = _turned(image, turn)
    rest -= vectors * values.astype(np.float32)
    return values, vectors, np.linalg.norm(rest, axis=0).astype(float)
