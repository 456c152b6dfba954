"""The identity of communities from run to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

SAME = 0.3  # Jaccard overlap from which a community is the same as before
PART = 0.25  # share of a community's members from which it is a part of another


@dataclass(frozen=True, slots=True)
class CommunityEvent:
    """What happened to communities between two runs.

    Attributes
    ----------
    kind : continued, born, died, merged (several before, one after) or split (one before, several after).
    before, after : identities before, and after; empty where there are none.
    overlap : Jaccard overlap for continued, else the share of members that went along.
    """

    kind: Literal["continued", "born", "died", "merged", "split"]
    before: tuple[int, ...]
    after: tuple[int, ...]
    overlap: float


@dataclass(frozen=True, slots=True)
class Matching:
    """Lasting identities: `identity` maps each community of the new run to one, `events` say how that came about."""

    identity: dict[int, int]
    events: list[CommunityEvent]


def match_communities(
    before: Mapping[str, int], after: Mapping[str, int], *, next_identity: int | None = None
) -> Matching:
    """Which communities of a run are which of the run before.

    Parameters
    ----------
    before : account -> lasting identity, in the last run.
    after : account -> community as numbered by this run.
    next_identity : first free identity; one more than the largest of `before` when not given.

    Returns
    -------
    Matching
        Pairs are taken by Jaccard overlap over the accounts seen in both runs, the largest first (Greene, Doyle and
        Cunningham, ASONAM 2010); what has no counterpart gets a new identity.
    """
    cells, old, new = _overlaps(before, after)
    pairs = sorted(
        ((n / (old[b] + new[a] - n), b, a) for (b, a), n in cells.items()), key=lambda p: (-p[0], p[1], p[2])
    )
    taken: dict[int, int] = {}
    kept: dict[int, float] = {}
    gone: set[int] = set()
    for overlap, b, a in pairs:
        if overlap >= SAME and a not in taken and b not in gone:
            taken[a], kept[a] = b, overlap
            gone.add(b)
    free = next_identity if next_identity is not None else max(before.values(), default=-1) + 1
    sizes = Counter(after.values())
    for community in sorted(sizes, key=lambda c: (-sizes[c], c)):
        if community not in taken:
            taken[community], free = free, free + 1
    events = [CommunityEvent("continued", (taken[a],), (taken[a],), overlap) for a, overlap in sorted(kept.items())]
    return Matching(taken, events + _changes(before, after, cells, old, new, taken, set(kept)))


def _overlaps(
    before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[dict[tuple[int, int], int], dict[int, int], dict[int, int]]:
    """Accounts seen in both runs, counted by (before, after), by before and by after."""
    both = before.keys() & after.keys()
    table = np.array([list(map(run.__getitem__, both)) for run in (before, after)], np.int64)
    pairs, counts = np.unique(table, axis=1, return_counts=True)
    cells = {(b, a): n for b, a, n in zip(*pairs.tolist(), counts.tolist(), strict=True)}
    old, new = (np.unique(row, return_counts=True) for row in table)
    return (
        cells,
        dict(zip(old[0].tolist(), old[1].tolist(), strict=True)),
        dict(zip(new[0].tolist(), new[1].tolist(), strict=True)),
    )


def _changes(
    before: Mapping[str, int],
    after: Mapping[str, int],
    cells: Mapping[tuple[int, int], int],
    old: Mapping[int, int],
    new: Mapping[int, int],
    taken: Mapping[int, int],
    continued: set[int],
) -> list[CommunityEvent]:
    """Merges, splits, births and deaths."""
    events: list[CommunityEvent] = []
    into: dict[int, list[int]] = {}
    out_of: dict[int, list[int]] = {}
    for (b, a), n in sorted(cells.items()):
        if n >= 2 and n / old[b] >= 0.5:
            into.setdefault(a, []).append(b)
        if n >= 2 and n / old[b] >= PART and n / new[a] >= 0.5:
            out_of.setdefault(b, []).append(a)
    for a, sources in into.items():
        large = tuple(b for b in sources if cells[b, a] / new[a] >= PART / 2)
        if len(large) > 1:
            share = sum(cells[b, a] for b in large) / new[a]
            events.append(CommunityEvent("merged", large, (taken[a],), share))
    for b, parts in out_of.items():
        if len(parts) > 1:
            share = sum(cells[b, a] for a in parts) / old[b]
            events.append(CommunityEvent("split", (b,), tuple(taken[a] for a in parts), share))
    split_into = {identity for event in events if event.kind == "split" for identity in event.after}
    merged_from = {identity for event in events if event.kind == "merged" for identity in event.before}
    events += [
        CommunityEvent("born", (), (taken[a],), 0.0)
        for a in sorted(set(after.values()))
        if a not in continued and taken[a] not in split_into
    ]
    lasting = {taken[a] for a in continued}
    ended = {event.before[0] for event in events if event.kind == "split"} | merged_from
    events += [CommunityEvent("died", (b,), (), 0.0) for b in sorted(set(before.values())) if b not in lasting | ended]
    return events
