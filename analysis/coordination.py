"""Pairs of accounts that share the same items within seconds of each other, again and again.

Fans share the same posts too, and the eager ones always within the first minutes. So each item shared together is
weighed by how surprising that is, given how crowded the moment was and how early each of the two usually shares; items
that both shared apart speak against the pair; and third accounts that are together with both speak for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from analysis.graph import QUOTE, RESHARE, UNKNOWN, FloatArray, IntArray, Interactions, encode, numbered

TOGETHER = 0.6  # share of their common items that two coordinated accounts share within the window
FLOOR = 1e-3  # smallest chance of sharing together by accident: data cannot tell smaller ones
LEAST = 2  # items shared together from which a pair is named
PARTNERS = 3  # accounts with which an account shares together LEAST times, from which it is no part of the crowd
CROWD = 2000  # shares within the window from which a moment is too crowded to tell anything
WINDOW = 60.0  # seconds within which two shares are together, for `suspected`
SUSPECT = 0.6  # score from which `suspects` names an account
PRIOR = 1.0  # shares at any time that an account is given before its habit is judged
PIECE = 200_000  # pairs looked at in one go, for memory
SHOWN = 5  # items named as evidence


@dataclass(frozen=True, slots=True)
class CoordinatedPair:
    """Two accounts that share together more often than chance explains.

    Attributes
    ----------
    source, target : the accounts, in the order of their names.
    score : 0..1; e / (e + 10), e the log likelihood ratio in nats with the support of third accounts.
    co_shares : items that both shared within the window.
    common : items that both shared at any time.
    items : some of the items shared together, the most surprising first.
    """

    source: str
    target: str
    score: float
    co_shares: int
    common: int
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Shares:
    """First shares of an item by an account, ordered by item and time."""

    account: IntArray
    item: IntArray
    time: FloatArray
    size: int

    @classmethod
    def of(cls, account: IntArray, item: IntArray, time: FloatArray, size: int) -> _Shares:
        order = np.lexsort((account, time, item))
        account, item, time = account[order], item[order], time[order]
        _, first = np.unique(item * np.int64(size) + account, return_index=True)
        first.sort()
        return cls(account[first], item[first], time[first], size)

    def eagerness(self) -> FloatArray:
        """Exponent of each share's account, from its other shares: 1 for any time, below 1 for always among the first.

        The quantile q of a share among those of its item is taken to have the density e q^(e - 1); e is its maximum
        likelihood estimate with PRIOR shares at any time added, and at most 1.
        """
        start = np.searchsorted(self.item, self.item)
        early = -np.log((np.arange(len(self.item)) - start + 1) / (np.bincount(self.item)[self.item] + 1))
        others = np.bincount(self.account, minlength=self.size)[self.account] - 1
        total = np.bincount(self.account, early, minlength=self.size)[self.account] - early
        result: FloatArray = np.minimum((others + PRIOR) / (total + PRIOR), 1)
        return result

    def chance(self, first: IntArray, second: IntArray, window: float, partners: IntArray) -> FloatArray:
        """Chance that the accounts of two shares (positions) of an item lie so near by accident, each by its habit.

        An account lands within the window of the other's share with the probability that its habit (`eagerness`)
        gives to the quantiles there; the geometric mean of both directions. Quantiles are those of all shares of the
        item, but where most of them are by accounts with PARTNERS `partners` (per account) or more, those of the others
        and the share itself: a ring that makes up the crowd must not vouch for itself.
        """
        key, eager = self.key(window), self.eagerness()
        others = partners[self.account] < PARTNERS
        every = np.bincount(self.item)
        swamped = np.bincount(self.item[others], minlength=len(every)) < every / 2
        crowd = others | ~swamped[self.item]
        itself = swamped[self.item]
        start = np.searchsorted(self.item[crowd], self.item)
        of = np.bincount(self.item[crowd], minlength=len(every))[self.item] + itself
        begin = (np.searchsorted(key[crowd], key - window, "left") - start) / of
        end = (np.searchsorted(key[crowd], key + window, "right") - start + itself) / of
        one = end[second] ** eager[first] - begin[second] ** eager[first]
        other = end[first] ** eager[second] - begin[first] ** eager[second]
        result: FloatArray = np.clip(np.sqrt(one * other), FLOOR, TOGETHER)
        return result

    def key(self, window: float) -> FloatArray:
        """Times moved so far apart by item that shares of different items never lie within a window."""
        if not len(self.time):
            return self.time
        begin = self.time.min()
        apart: FloatArray = self.item * (self.time.max() - begin + 4 * window + 1) + (self.time - begin)
        return apart


def coordinated_pairs(
    account: Sequence[str], item: Sequence[str], time: Sequence[float] | FloatArray, window: float
) -> list[CoordinatedPair]:
    """Suspected pairs, the most suspicious first.

    Parameters
    ----------
    account, item, time : one row per share; time in unix seconds. An account's first share of an item counts.
    window : seconds within which two shares are together.

    Returns
    -------
    Pairs with at least LEAST items together whose likelihood speaks for coordination.
    """
    if window < 0:
        raise ValueError("the window must not be negative")
    accounts, items = numbered(), numbered()
    codes = encode(account, accounts), encode(item, items)
    shares = _Shares.of(codes[0], codes[1], np.asarray(time, float), max(len(accounts), 1))
    return _named(shares, window, list(accounts), list(items))


def suspected(interactions: Interactions, window: float = WINDOW) -> frozenset[str]:
    """Accounts of some interactions that are suspected of coordination by their reshares and quotes of told posts."""
    told = (interactions.item != UNKNOWN) & ((interactions.kind == RESHARE) | (interactions.kind == QUOTE))
    found = interactions.select(told)
    shares = _Shares.of(found.source, found.item, found.time, max(len(found.accounts), 1))
    return suspects(_named(shares, window, found.accounts, found.items))


def _co_shares(shares: _Shares, window: float) -> tuple[IntArray, IntArray]:
    """Positions (first, second) of all pairs of shares of one item within the window, by accounts with LEAST items."""
    often = np.bincount(shares.account, minlength=shares.size) >= LEAST
    every = shares.key(window)
    calm = np.searchsorted(every, every + window, "right") - np.arange(len(every)) <= CROWD
    chosen = np.flatnonzero(often[shares.account] & calm)
    key = every[chosen]
    later = np.searchsorted(key, key + window, "right") - np.arange(len(key)) - 1
    first = np.repeat(np.arange(len(key)), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return chosen[first], chosen[second]


def _named(shares: _Shares, window: float, accounts: list[str], items: list[str]) -> list[CoordinatedPair]:
    first, second = _co_shares(shares, window)
    a, b = shares.account[first], shares.account[second]
    pair, position, count = np.unique(
        np.minimum(a, b) * np.int64(shares.size) + np.maximum(a, b), return_inverse=True, return_counts=True
    )
    enough = count >= LEAST
    partners = np.bincount(np.concatenate([pair[enough] // shares.size, pair[enough] % shares.size]))
    partners = np.pad(partners, (0, shares.size - len(partners)))
    chance = shares.chance(first, second, window, partners)
    together = np.bincount(position, np.log(TOGETHER / chance), minlength=len(pair))[enough]
    pair, count = pair[enough], count[enough]
    left, right = pair // shares.size, pair % shares.size
    common = _common(shares, left, right)
    evidence = together + (common - count) * np.log(1 - TOGETHER)
    score = _score(evidence + _support(left, right, evidence))
    order = np.lexsort((pair, -score))
    shown = order[evidence[order] > 0]
    examples = _examples(shares, first, position, chance, np.flatnonzero(enough)[shown], items)
    found = []
    for place, some in zip(shown.tolist(), examples, strict=True):
        source, target = sorted((accounts[left[place]], accounts[right[place]]))
        found.append(CoordinatedPair(source, target, float(score[place]), int(count[place]), int(common[place]), some))
    return found


def _common(shares: _Shares, left: IntArray, right: IntArray) -> IntArray:
    """Items that both accounts of each pair shared, at any time."""
    chosen = np.unique(np.concatenate([left, right]))
    place = np.full(shares.size, -1)
    place[chosen] = np.arange(len(chosen))
    rows = place[shares.account] >= 0
    table: Any = sparse.csr_matrix(
        (np.ones(int(rows.sum())), (place[shares.account[rows]], shares.item[rows])),
        shape=(len(chosen), int(shares.item.max(initial=0)) + 1),
    )
    out = np.zeros(len(left), np.int64)
    for begin in range(0, len(left), PIECE):
        end = begin + PIECE
        both = table[place[left[begin:end]]].multiply(table[place[right[begin:end]]])
        out[begin:end] = np.asarray(both.sum(axis=1)).ravel()
    return out


def _support(left: IntArray, right: IntArray, evidence: FloatArray) -> FloatArray:
    """What third accounts say for each pair: the root of the sum, over all of them, of the product of their evidence
    with the one and with the other. A pair within a ring has much of it, two accounts that met by accident none.
    """
    positive = np.maximum(evidence, 0)
    names, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    x, y = place[: len(left)], place[len(left) :]
    table: Any = sparse.csr_matrix(
        (np.concatenate([positive, positive]), (np.concatenate([x, y]), np.concatenate([y, x]))),
        shape=(len(names), len(names)),
    )
    out = np.zeros(len(left))
    for begin in range(0, len(left), PIECE):
        end = begin + PIECE
        out[begin:end] = np.asarray(table[x[begin:end]].multiply(table[y[begin:end]]).sum(axis=1)).ravel()
    return np.where(positive > 0, np.sqrt(out), 0.0)


def _score(evidence: FloatArray) -> FloatArray:
    """Evidence (a log likelihood ratio) on 0..1: e / (e + 10), so that ten nats are a half."""
    positive = np.maximum(evidence, 0)
    result: FloatArray = positive / (positive + 10)
    return result


def _examples(
    shares: _Shares, first: IntArray, position: IntArray, chance: FloatArray, wanted: IntArray, items: list[str]
) -> list[tuple[str, ...]]:
    """For each wanted pair, its most surprising items."""
    at = np.full(int(position.max(initial=-1)) + 1, -1)
    at[wanted] = np.arange(len(wanted))
    rows = np.flatnonzero(at[position] >= 0) if len(position) else position
    rows = rows[np.lexsort((chance[rows], at[position[rows]]))]
    found: list[list[str]] = [[] for _ in wanted]
    for row in rows.tolist():
        mine = found[at[position[row]]]
        if len(mine) < SHOWN:
            mine.append(items[shares.item[first[row]]])
    return [tuple(some) for some in found]


def suspects(pairs: Iterable[CoordinatedPair], threshold: float = SUSPECT) -> frozenset[str]:
    """Accounts of the pairs whose score reaches the threshold."""
    return frozenset(name for pair in pairs if pair.score >= threshold for name in (pair.source, pair.target))
