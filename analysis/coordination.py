"""Pairs of accounts that share the same items within seconds of each other, again and again.

Two fans of one artist share the same posts too, but at their own times; two accounts that read the same feed share
crowded moments. So each shared item is weighed by how surprising it is that these two shares lie together, and the
items that both shared apart speak against the pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from analysis.graph import FloatArray, IntArray, encode

TOGETHER = 0.6  # share of their common items that two coordinated accounts share within the window
FLOOR = 1e-3  # smallest chance of sharing together by accident: data cannot tell smaller ones
LEAST = 2  # items shared together from which a pair is named
SUSPECT = 0.5  # score from which `suspects` names an account
SHOWN = 5  # items named as evidence


@dataclass(frozen=True, slots=True)
class CoordinatedPair:
    """Two accounts that share together more often than chance explains.

    Attributes
    ----------
    source, target : the accounts, in the order of their names.
    score : 0..1; evidence / (evidence + 10), evidence the log likelihood ratio; a half is ten nats.
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

    def chance(self, window: float) -> FloatArray:
        """For each share, the chance that another share of its item lies within the window of it."""
        key = self.key(window)
        near = np.searchsorted(key, key + window, "right") - np.searchsorted(key, key - window, "left") - 1
        of = np.bincount(self.item)[self.item]
        result: FloatArray = np.clip((near + 0.5) / of, FLOOR, TOGETHER)
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
    accounts: dict[str, int] = {}
    items: dict[str, int] = {}
    codes = encode(account, accounts), encode(item, items)
    shares = _Shares.of(codes[0], codes[1], np.asarray(time, float), max(len(accounts), 1))
    return _named(shares, window, list(accounts), list(items))


def _co_shares(shares: _Shares, window: float) -> tuple[IntArray, IntArray]:
    """Positions (first, second) of all pairs of shares of one item within the window, by accounts with LEAST items."""
    often = np.bincount(shares.account, minlength=shares.size) >= LEAST
    chosen = np.flatnonzero(often[shares.account])
    key = shares.key(window)[chosen]
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
    chance = shares.chance(window)
    chance = np.sqrt(chance[first] * chance[second])
    together = np.bincount(position, np.log(TOGETHER / chance), minlength=len(pair))[enough]
    pair, count = pair[enough], count[enough]
    left, right = pair // shares.size, pair % shares.size
    common = _common(shares, left, right)
    evidence = together + (common - count) * np.log(1 - TOGETHER)
    score = _score(evidence)
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
    for begin in range(0, len(left), 200_000):
        end = begin + 200_000
        both = table[place[left[begin:end]]].multiply(table[place[right[begin:end]]])
        out[begin:end] = np.asarray(both.sum(axis=1)).ravel()
    return out


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
