"""Shapes of many cascades whose reshares all hang on the root, which most do: what `tree.shape` says of each."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from analysis.cascades.series import Floats, Ints
from analysis.cascades.tree import HOUR, Entry, Shape


def stars(
    roots: Sequence[str],
    counts: Ints,
    accounts: Sequence[str],
    times: Floats,
    membership: Mapping[str, Hashable] | None = None,
) -> list[Shape]:
    """The shape of each cascade, from its reshares as columns.

    Parameters
    ----------
    roots : (c,) accounts that wrote the roots.
    counts : (c,) reshares of each cascade.
    accounts, times : (m,) who reshared and when, in seconds after the root, sorted by cascade, then time.
    membership : account -> community; accounts that it lacks enter none.
    """
    speed, middle = np.zeros(len(counts), np.int64), np.zeros(len(counts))
    ends, some = np.cumsum(counts), np.flatnonzero(counts)
    begins = ends - counts
    if len(some):
        speed[some] = np.maximum.reduceat(_within_hour(np.repeat(np.arange(len(counts)), counts), times), begins[some])
        middle[some] = times[begins[some] + (counts[some] - 1) // 2]
    moments, found = times.tolist(), []
    for root, begin, end, most, half in zip(
        roots, begins.tolist(), ends.tolist(), speed.tolist(), middle.tolist(), strict=True
    ):
        n = end - begin + 1
        entries = _entries(root, accounts[begin:end], moments[begin:end], membership) if membership else ()
        half_time = half if n > 1 else None
        found.append(Shape("star", n, most, half_time, min(n - 1, 1), max(n - 1, 1), 2.0 * (n - 1) / n, entries))
    return found


def _within_hour(row: Ints, times: Floats) -> Ints:
    """For each reshare, how many of its cascade come within an hour from it on, both ends included.

    One sorting of the times and of the ends of their hours by cascade, instead of a search in each cascade.
    """
    size = len(times)
    place = np.arange(2 * size)
    order = np.lexsort((place >= size, np.concatenate([times, times + HOUR]), np.concatenate([row, row])))
    upto = np.empty(2 * size, np.int64)
    upto[order] = np.cumsum(order < size)
    return upto[size:] - place[:size]


def _entries(
    root: str, accounts: Sequence[str], times: Sequence[float], membership: Mapping[str, Hashable]
) -> tuple[Entry, ...]:
    home = membership.get(root)
    first: dict[Hashable, int] = {} if home is None else {home: -1}
    count: dict[Hashable, int] = {} if home is None else {home: 1}
    for i, account in enumerate(accounts):
        community = membership.get(account)
        if community is not None:
            first.setdefault(community, i)
            count[community] = count.get(community, 0) + 1
    return tuple(
        Entry(community, times[i], accounts[i], root, home, count[community])
        if i >= 0
        else Entry(community, 0.0, root, None, None, count[community])
        for community, i in first.items()
    )
