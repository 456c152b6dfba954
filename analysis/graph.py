"""Interactions as columns, and the graphs made of them.

An interaction is (source, target, time, kind): `source` reacted to something by `target`. A million of them are
held as five small arrays; accounts and items are numbers into lists of their names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, repeat
from typing import Any, TypeVar

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Name = TypeVar("Name", str, str | None)

KINDS = ("reshare", "quote", "reply", "mention")
RESHARE, QUOTE, REPLY, MENTION = range(4)
_CODES = {kind: code for code, kind in enumerate(KINDS)}
UNKNOWN = -1  # the code of an item that nobody told


def numbered() -> defaultdict[str, int]:
    """An empty table of codes that gives every new name the next number."""
    return defaultdict(count().__next__)


def encode(names: Iterable[Name], at: defaultdict[Name, int]) -> IntArray:
    """Codes of names by a table of `numbered`; new names are added to it."""
    return np.fromiter(map(at.__getitem__, names), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """n interactions among a accounts.

    Attributes
    ----------
    accounts : names of the accounts; position is the code.
    source, target : (n,) codes of who reacted and of who was reacted to.
    time : (n,) unix seconds, UTC.
    kind : (n,) position in KINDS.
    item : (n,) code of the post that was reacted to (position in `items`), UNKNOWN where not told.
    items : names of the posts.
    negative : (n,) probability that the text of a reply or quote is negative, NaN where unknown.
    followers : (a,) followers of each account, NaN where unknown.
    """

    accounts: list[str]
    source: IntArray
    target: IntArray
    time: FloatArray
    kind: IntArray
    item: IntArray
    items: list[str]
    negative: FloatArray
    followers: FloatArray
    _at: dict[str, int] = field(repr=False)

    @classmethod
    def build(
        cls,
        source: Sequence[str],
        target: Sequence[str],
        time: Sequence[float] | FloatArray,
        kind: Sequence[str | int],
        *,
        item: Sequence[str | None] | None = None,
        negative: Sequence[float | None] | None = None,
        followers: Mapping[str, float] | None = None,
    ) -> Interactions:
        """Columns from plain sequences of one length; kinds by name or position in KINDS.

        Raises ValueError for an unknown kind, a time that is not finite, or columns of different lengths.
        """
        size = len(source)
        columns = {"target": target, "time": time, "kind": kind, "item": item, "negative": negative}
        for name, column in columns.items():
            if column is not None and len(column) != size:
                raise ValueError(f"{name} has {len(column)} values for {size} interactions")
        builder = Builder()
        builder.add(source, target, time, kind, item, negative)
        return builder.finish(followers)

    def __len__(self) -> int:
        return len(self.source)

    def code(self, account: str) -> int | None:
        """The code of an account, None where it takes no part."""
        return self._at.get(account)

    def places(self, accounts: Sequence[str]) -> IntArray:
        """The code of each of some accounts, UNKNOWN where it takes no part."""
        return np.fromiter(map(self._at.get, accounts, repeat(UNKNOWN)), np.int64, len(accounts))

    def codes(self, accounts: Iterable[str]) -> IntArray:
        """Codes of those of these accounts that take part, ascending."""
        found = {self._at[name] for name in accounts if name in self._at}
        return np.array(sorted(found), np.int64)

    def select(self, keep: BoolArray) -> Interactions:
        """The interactions where `keep` is true, among the same accounts."""
        return replace(
            self,
            source=self.source[keep],
            target=self.target[keep],
            time=self.time[keep],
            kind=self.kind[keep],
            item=self.item[keep],
            negative=self.negative[keep],
        )

    def among(self, keep: BoolArray) -> Interactions:
        """The interactions where `keep` is true, among those accounts only that take part in them."""
        kept = self.select(keep)
        active = np.zeros(len(self.accounts), bool)
        active[kept.source] = active[kept.target] = True
        if active.all():
            return kept
        place = np.cumsum(active) - 1
        names = [self.accounts[i] for i in np.flatnonzero(active).tolist()]
        return replace(
            kept,
            accounts=names,
            source=place[kept.source],
            target=place[kept.target],
            followers=self.followers[active],
            _at={name: code for code, name in enumerate(names)},
        )

    def before(self, until: float) -> Interactions:
        """The interactions before a moment (unix seconds)."""
        return self.select(self.time < until)


class Builder:
    """Interactions from pieces of rows, so that a million of them never lie in memory as objects of Python."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._accounts = numbered()
        self._items: defaultdict[str | None, int] = defaultdict(count().__next__, {None: UNKNOWN})
        self._pieces: list[tuple[IntArray, FloatArray, IntArray, IntArray, FloatArray]] = []

    def add(
        self,
        source: Sequence[str],
        target: Sequence[str],
        time: Sequence[float] | FloatArray,
        kind: Sequence[str | int],
        item: Sequence[str | None] | None = None,
        negative: Sequence[float | None] | None = None,
    ) -> None:
        """Some more rows, as columns of one length; errors as in `Interactions.build`."""
        size = len(source)
        moments = np.asarray(time, float).reshape(size)
        if not np.isfinite(moments).all():
            raise ValueError("a time is not a finite number of seconds")
        both = chain.from_iterable(zip(source, target, strict=True))
        codes = np.full(size, UNKNOWN, np.int64) if item is None else encode(item, self._items)
        moods = np.full(size, np.nan) if negative is None else np.array(negative, float)  # None becomes NaN
        kinds = np.fromiter(map(_CODES.get, kind, repeat(UNKNOWN)), np.int64, size)  # type: ignore[arg-type]
        for place in np.flatnonzero(kinds == UNKNOWN).tolist():
            kinds[place] = _kind(kind[place])
        self._pieces.append((encode(both, self._accounts).reshape(-1, 2), moments, kinds, codes, moods))

    def finish(self, followers: Mapping[str, float] | None = None) -> Interactions:
        """All rows that were added."""
        if not self._pieces:
            self.add([], [], [], [])
        known, names = followers or {}, list(self._accounts)
        pairs, time, kind, item, negative = (np.concatenate(column) for column in zip(*self._pieces, strict=True))
        self._pieces.clear()
        self._accounts.default_factory = None
        source, target = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
        audience = np.fromiter(map(known.get, names, repeat(np.nan)), float, len(names))
        return Interactions(
            names,
            source,
            target,
            time,
            kind,
            item,
            [name for name in self._items if name is not None],
            negative,
            audience,
            self._accounts,
        )


def _kind(kind: str | int) -> int:
    if isinstance(kind, str) or not 0 <= kind < len(KINDS):
        raise ValueError(f"unknown kind of interaction: {kind!r}; known are {', '.join(KINDS)}")
    return int(kind)


def adjacency(interactions: Interactions) -> Any:
    """Symmetric CSR matrix (a x a) of how much two accounts have to do with each other: log(1 + interactions).

    The logarithm keeps one talkative pair from outweighing many; self-reactions are left out.
    """
    size = len(interactions.accounts)
    kept = interactions.source != interactions.target
    ends = (interactions.source[kept], interactions.target[kept])
    one_way = sparse.coo_matrix((np.ones(int(kept.sum())), ends), shape=(size, size)).tocsr()
    both = (one_way + one_way.T).tocsr()
    both.data = np.log1p(both.data)
    both.sort_indices()
    return both


def to_networkx(interactions: Interactions) -> nx.DiGraph[str]:
    """A networkx graph, an edge from who reacted to who was reacted to; `weight` counts the interactions."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(interactions.accounts)
    names = interactions.accounts
    for s, t in zip(interactions.source.tolist(), interactions.target.tolist(), strict=True):
        if graph.has_edge(names[s], names[t]):
            graph[names[s]][names[t]]["weight"] += 1
        else:
            graph.add_edge(names[s], names[t], weight=1)
    return graph


def distinct_pairs(source: IntArray, target: IntArray, size: int) -> tuple[IntArray, IntArray, IntArray]:
    """The distinct (source, target) and, for each given pair, its position among them.

    Returns
    -------
    source, target : (p,) the distinct pairs, ordered by source, then target.
    position : (n,) which of them each given pair is.
    """
    keys, position = np.unique(source * np.int64(size) + target, return_inverse=True)
    return keys // size, keys % size, position
