"""The parts of resonance, each a number per account, all from columns in linear time (sorting aside)."""

from __future__ import annotations

import numpy as np

from analysis.graph import QUOTE, REPLY, RESHARE, BoolArray, FloatArray, IntArray, Interactions, distinct_pairs

HOUR = 3600.0


def decay(interactions: Interactions, until: float, half_life: float) -> FloatArray:
    """Weight (n,) of each interaction: 1 at `until`, half of it `half_life` hours earlier."""
    weights: FloatArray = np.exp2(-(until - interactions.time) / (half_life * HOUR))
    return weights


def distinct_reactors(
    interactions: Interactions, weights: FloatArray, saturation: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Each (source, target) once, with (1 - exp(-c w)) / (1 - exp(-c)), w the pair's summed weights, c the saturation.

    A first fresh reaction counts 1. A second one makes it likelier that this member comes again, but it stays one
    member: whatever a single account does, it never counts more than 1 / (1 - exp(-c)).
    """
    size = len(interactions.accounts)
    source, target, position = distinct_pairs(interactions.source, interactions.target, size)
    total = np.bincount(position, weights, minlength=len(source))
    return source, target, -np.expm1(-saturation * total) / -np.expm1(-saturation)


def newest(interactions: Interactions, weights: FloatArray) -> FloatArray:
    """The largest weight of each distinct (source, target), in the order of `distinct_reactors`."""
    size = len(interactions.accounts)
    source, _, position = distinct_pairs(interactions.source, interactions.target, size)
    largest = np.zeros(len(source))
    np.maximum.at(largest, position, weights)
    return largest


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
