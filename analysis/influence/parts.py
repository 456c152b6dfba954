"""The parts of resonance, each a number per account, all from columns in linear time (sorting aside)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.graph import QUOTE, REPLY, RESHARE, BoolArray, FloatArray, IntArray, Interactions, distinct_pairs

HOUR = 3600.0


def decay(interactions: Interactions, until: float, half_life: float) -> FloatArray:
    """Weight (n,) of each interaction: 1 at `until`, half of it `half_life` hours earlier."""
    weights: FloatArray = np.exp2(-(until - interactions.time) / (half_life * HOUR))
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The distinct (source, target) of some interactions, ordered by target, then source: shape (p,) each.

    `order` sorts the n interactions by pair; `begins` (p,) is where each pair begins in that order.
    """

    source: IntArray
    target: IntArray
    order: IntArray
    begins: IntArray

    @classmethod
    def of(cls, interactions: Interactions) -> Pairs:
        """The pairs of some interactions."""
        keys = interactions.target * np.int64(len(interactions.accounts)) + interactions.source
        order = np.argsort(keys, kind="stable")
        return cls._of(keys[order], order, len(interactions.accounts))

    @classmethod
    def _of(cls, keys: IntArray, order: IntArray, size: int) -> Pairs:
        first = np.ones(len(keys), bool)
        first[1:] = keys[1:] != keys[:-1]
        begins = np.flatnonzero(first)
        return cls(keys[begins] % max(size, 1), keys[begins] // max(size, 1), order, begins)

    def among(self, chosen: BoolArray, size: int) -> Pairs:
        """The pairs of those of the n interactions that are `chosen`; positions remain those among all n."""
        counts = np.diff(self.begins, append=len(self.order))
        keys = np.repeat(self.target * np.int64(size) + self.source, counts)
        kept = chosen[self.order]
        return self._of(keys[kept], self.order[kept], size)

    def total(self, weights: FloatArray) -> FloatArray:
        """Sum (p,) of the weights (n,) of each pair's interactions."""
        return np.add.reduceat(weights[self.order], self.begins) if len(self.begins) else np.zeros(0)

    def largest(self, weights: FloatArray) -> FloatArray:
        """Largest (p,) of the weights (n,) of each pair's interactions."""
        return np.maximum.reduceat(weights[self.order], self.begins) if len(self.begins) else np.zeros(0)


def once(weights: FloatArray, saturation: float) -> FloatArray:
    """(1 - exp(-c w)) / (1 - exp(-c)) of the summed weights w of pairs, c the saturation.

    A first fresh reaction counts 1. A second one makes it likelier that this member comes again, but it stays one
    member: whatever a single account does, it never counts more than 1 / (1 - exp(-c)).
    """
    result: FloatArray = -np.expm1(-saturation * weights) / -np.expm1(-saturation)
    return result


def received(target: IntArray, weights: FloatArray, size: int) -> FloatArray:
    """Sum of weights by target, shape (size,)."""
    return np.bincount(target, weights, minlength=size).astype(float)


def not_negative(interactions: Interactions, prior: float = 5.0) -> tuple[FloatArray, bool]:
    """Share of each account's replies and quotes that are not negative, and whether any sentiment is known.

    Shrunk towards the share over all with the strength of `prior` texts.
    """
    texts = np.isin(interactions.kind, (REPLY, QUOTE)) & np.isfinite(interactions.negative)
    size = len(interactions.accounts)
    if not texts.any():
        return np.full(size, np.nan), False
    kind_words = 1 - interactions.negative[texts]
    good = np.bincount(interactions.target[texts], kind_words, minlength=size)
    every = np.bincount(interactions.target[texts], minlength=size)
    return (good + prior * kind_words.mean()) / (every + prior), True


def bridging(target: IntArray, groups: IntArray, size: int, prior: float = 5.0) -> FloatArray:
    """Probability that two different reactors of an account come from different communities (跳躍力), shape (size,).

    1 - sum n_c (n_c - 1) / (n (n - 1)), the unbiased Gini-Simpson form of the participation coefficient (Guimera and
    Amaral, Nature 433, 2005), shrunk towards 0 by n / (n + prior). `groups` is the community of each reactor.
    """
    told = groups >= 0
    wide = int(groups.max(initial=0)) + 1
    cells, counts = np.unique(target[told] * wide + groups[told], return_counts=True)
    n = np.bincount(target[told], minlength=size).astype(float)
    same = np.bincount(cells // wide, counts * (counts - 1.0), minlength=size)
    pairs = n * (n - 1)
    apart = np.where(pairs > 0, 1 - same / np.maximum(pairs, 1), 0.0)
    result: FloatArray = apart * n / (n + prior)
    return result


def posts_reacted_to(interactions: Interactions) -> FloatArray:
    """How many posts of each account were reacted to, shape (a,); zeros where posts are not told."""
    told = interactions.item >= 0
    size = len(interactions.accounts)
    _, target, _ = distinct_pairs(interactions.item[told], interactions.target[told], size)
    return np.bincount(target, minlength=size).astype(float)


def top_items(interactions: Interactions, wanted: BoolArray, most: int = 5) -> dict[int, list[str]]:
    """Account -> its posts with most distinct reactors, at most `most`; for the wanted accounts (a,)."""
    told = (interactions.item >= 0) & wanted[interactions.target]
    if not told.any():
        return {}
    size = len(interactions.accounts)
    source, target, item = interactions.source[told], interactions.target[told], interactions.item[told]
    post_of, _, position = distinct_pairs(item, target, size)
    pairs = np.unique(position * np.int64(size) + source) // size
    counts = np.bincount(pairs, minlength=len(post_of))
    _, owner, _ = distinct_pairs(item, target, size)
    found: dict[int, list[str]] = {}
    for place in np.lexsort((post_of, -counts, owner)).tolist():
        mine = found.setdefault(int(owner[place]), [])
        if len(mine) < most:
            mine.append(interactions.items[int(post_of[place])])
    return found


def passes_on(interactions: Interactions) -> BoolArray:
    """Which interactions are reshares or quotes, that is, pass a post on; shape (n,)."""
    found: BoolArray = np.isin(interactions.kind, (RESHARE, QUOTE))
    return found
