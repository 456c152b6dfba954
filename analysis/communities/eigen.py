"""The largest eigenpairs of a large sparse symmetric matrix, by block Lanczos.

ARPACK waits for the last of its values, which lie in the dense bulk of the spectrum and tell nothing. Here a small
block is multiplied again and again, in single precision, everything so far kept orthogonal, until the question is
answered (Golub and Underwood 1977; restarts keep the best vectors: Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 2000).
A block finds as many of some nearly equal eigenvalues as it is wide and then looks settled, so a fresh random block is
sent after it until one brings nothing new.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from analysis.graph import FloatArray

Block = NDArray[np.float32]

GUARD = 4  # vectors beside the wanted ones; they take up what is next in the spectrum
WIDTH = 4  # vectors of a fresh block
CHECK = 2  # multiplications between two looks at the values
PROOF = 6  # multiplications of a fresh block that bring nothing new: then there is nothing
AHEAD = 2  # looks for which a value below a threshold may go on rising as it did, and stay below
LOOKS = 300
EVEN = 0.1  # share of the longest direction from which the others are orthonormal after one step
LEAST = 1e-3  # length from which a new direction is one


def normalised(matrix: Any, regularise: float) -> Any:
    """Adjacency (n, n) divided by the roots of degree + `regularise` on both sides, in single precision."""
    degree = np.asarray(matrix.sum(axis=1), float).ravel() + regularise
    scale = 1 / np.sqrt(degree)
    data = (matrix.data * np.repeat(scale, np.diff(matrix.indptr)) * scale[matrix.indices]).astype(np.float32)
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def start(size: int, width: int, seed: int = 0) -> Block:
    """A fixed random block, so that answers do not vary between runs."""
    return np.random.default_rng(seed).standard_normal((size, width), dtype=np.float32)


def largest(
    matrix: Any, wanted: int, *, above: float | None = None, tolerance: float = 1e-3, first: Block | None = None
) -> tuple[FloatArray, Block]:
    """The largest eigenvalues (w,), descending, and their vectors (n, w); w is at most `wanted` + GUARD.

    Parameters
    ----------
    matrix : symmetric CSR matrix (n, n) of float32, n > 8, with eigenvalues in [-1, 1].
    wanted : how many have to converge; the rest are lower bounds.
    above : all above this have to converge instead, unless more than `wanted` are above it.
    tolerance : largest residual of a value that has to converge, as a share of the first value.
    first : vectors (n, any) whose span is a good beginning.
    """
    space = _Space(matrix, 2 * (wanted + GUARD) + 8 * WIDTH)
    space.follow(space.fresh() if first is None else first)
    known, before = -1, np.zeros(0)
    for _ in range(LOOKS):
        values, turn, residuals = space.look()
        found = wanted if above is None else int((values > above).sum())
        if space.full or found > wanted:
            break
        if _settled(values, residuals, before, max(found, 1), above, tolerance):
            if above is None or (found == known and space.since >= PROOF):
                break
            if found != known:
                known = found
                space.follow(space.fresh())
        before = values
        space.make_room(wanted + GUARD, values, turn)
    keep = min(min(wanted, found) + GUARD, len(values))
    return values[:keep], space.vectors(turn[:, :keep])


def _settled(
    values: FloatArray, residuals: FloatArray, before: FloatArray, found: int, above: float | None, tolerance: float
) -> bool:
    """Whether the first `found` values have converged, and the next does not look as if it would rise above `above`."""
    if len(values) <= found or residuals[:found].max() > tolerance * values[0]:
        return False
    if above is None:
        return True
    return len(before) > found and values[found] + AHEAD * (values[found] - before[found]) < above


class _Space:
    """A Krylov space: an orthonormal basis (rows), the matrix within it, and the block that comes next."""

    def __init__(self, matrix: Any, room: int) -> None:
        """Empty, with room for some vectors."""
        self.matrix, self.size = matrix, matrix.shape[0]
        self.basis = np.empty((min(room, self.size), self.size), np.float32)
        self.inner = np.zeros((len(self.basis), len(self.basis)))
        self.used = self.since = self.drawn = 0
        self.full = False

    def fresh(self, width: int = WIDTH) -> Block:
        """Random vectors of about length one."""
        self.drawn += 1
        return start(self.size, width, self.drawn) / np.float32(np.sqrt(self.size))

    def follow(self, block: Block) -> None:
        """Go on with a block instead of what comes next."""
        self.since = 0
        self.block, _ = self._orthonormal(block - self._within(block))

    def look(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Multiply; then the best eigenvalues, descending, their vectors in the basis, and the lengths of residuals."""
        self.full = self.used + self.block.shape[1] > len(self.basis)
        for _ in range(CHECK):
            if self.used + self.block.shape[1] <= len(self.basis):
                self.beside = self._multiply()
        values, turn = np.linalg.eigh(self.inner[: self.used, : self.used])
        values, turn = values[::-1].copy(), turn[:, ::-1]
        return values, turn, np.linalg.norm(self.beside @ turn[self.used - self.beside.shape[1] :], axis=0)

    def _multiply(self) -> FloatArray:
        begin, end = self.used, self.used + self.block.shape[1]
        self.basis[begin:end] = self.block.T
        self.used, self.since = end, self.since + 1
        image = self.matrix @ self.block
        inner = self.basis[:end] @ image
        self.inner[:end, begin:end] = inner
        self.inner[begin:end, :end] = inner.T
        image -= self.basis[:end].T @ inner
        self.block, beside = self._orthonormal(image)
        return beside

    def _within(self, block: Block) -> Block:
        """The part of a block that lies in the space."""
        basis = self.basis[: self.used]
        part: Block = basis.T @ (basis @ block)
        return part

    def _orthonormal(self, block: Block) -> tuple[Block, FloatArray]:
        """The span of a block, orthonormalised by its singular vectors, and the block in it.

        Directions that vanish become random ones (Stathopoulos and Wu, SISC 23, 2002).
        """
        values, turn = np.linalg.eigh((block.T @ block).astype(float))
        length = np.sqrt(np.maximum(values, 0))
        none = length < LEAST * (1 if self.used else length[-1])
        block = block @ (turn / np.where(none, 1, length)).astype(np.float32)
        if none.any():
            block[:, none] = self.fresh(int(none.sum()))
            block -= self._within(block)
        beside = length[:, None] * turn.T
        if not none.any() and length[0] > EVEN * length[-1]:
            return block, beside
        values, second = np.linalg.eigh((block.T @ block).astype(float))
        second = (second / np.sqrt(np.maximum(values, 1e-12))) @ second.T
        return block @ second.astype(np.float32), beside

    def make_room(self, keep: int, values: FloatArray, turn: FloatArray) -> None:
        """Restart from the best vectors where the next multiplication would not fit."""
        if self.used + self.block.shape[1] <= len(self.basis) or len(self.basis) == self.size:
            return
        self.basis[:keep] = self.vectors(turn[:, :keep]).T
        self.inner[:keep, :keep] = np.diag(values[:keep])
        self.used = keep

    def vectors(self, turn: FloatArray) -> Block:
        """Vectors of the basis turned."""
        result: Block = (turn.T.astype(np.float32) @ self.basis[: self.used]).T
        return result
