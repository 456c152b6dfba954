"""The shape of a cascade: who reshared through whom, how deep and wide, and which communities it entered.

Structural virality is the mean distance between two nodes of the tree (Goel, Anderson, Hofman, Watts: The structural
virality of online diffusion, Management Science 2016): 2 for a large star, more for chains of reshares.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.cascades.series import Cascade, Floats, Ints

Kind = Literal["tree", "star", "counts"]
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Share:
    """One post of a cascade: `time` in seconds after the root, `parent` the id it answers, None where unknown."""

    id: str
    account: str
    time: float
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A cascade's arrival in a community: when, with whose share, and whose post that account had reshared.

    `through` and `source` (the account and the community it came from) are None for the root's own community.
    `shares`: how many posts of the cascade came from the community in all.
    """

    community: Hashable
    time: float
    account: str
    through: str | None
    source: Hashable
    shares: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a cascade's form; a count series has no depth, breadth or virality.

    `kind`: tree (at least one reshare of a reshare is known), star (every reshare hangs on the root, for want of
    better knowledge) or counts. `size` counts the root. `breadth`: most nodes at one depth. `speed`: most reshares
    within an hour. `half_time`: seconds until half of the reshares had come, None without any.
    """

    kind: Kind
    size: int
    speed: int
    half_time: float | None
    depth: int | None = None
    breadth: int | None = None
    virality: float | None = None
    entries: tuple[Entry, ...] = ()


def shape(root: Share, shares: Sequence[Share], membership: Mapping[str, Hashable] | None = None) -> Shape:
    """Measure the cascade of `root` and its reshares (in any order) in linear time but for the sorting.

    A share whose parent is unknown, outside the cascade or not older than itself hangs on the root; of two shares
    with one id the earlier counts. `membership`: account -> community; accounts that it lacks enter none.
    """
    nodes, parents = _arrange(root, shares)
    times = np.array([node.time for node in nodes[1:]], float)
    tree, n = bool(np.any(parents[1:] > 0)), len(nodes)
    levels = depths(parents) if tree else np.array([0, int(n > 1)])
    return Shape(
        kind="tree" if tree else "star",
        size=n,
        speed=_speed(times),
        half_time=_half_time(times),
        depth=int(levels.max()),
        breadth=int(np.bincount(levels).max()) if tree else max(n - 1, 1),
        virality=structural_virality(parents) if tree else 2.0 * (n - 1) / n,
        entries=_entries(nodes, parents, membership or {}),
    )


def shape_of_counts(cascade: Cascade) -> Shape:
    """What counts seen at refreshes tell: size and speed, each as exact as the refreshes are frequent."""
    return Shape("counts", len(cascade.times) + 1, _speed(cascade.times), _half_time(cascade.times))


def _arrange(root: Share, shares: Sequence[Share]) -> tuple[list[Share], Ints]:
    """Nodes in order of time, the root first, and each node's parent as a position before its own (root: -1)."""
    nodes, place, parents = [root], {root.id: 0}, [-1]
    for share in sorted(shares, key=lambda s: s.time):
        if share.id in place:
            continue
        place[share.id] = len(nodes)
        nodes.append(share)
        parents.append(0 if share.parent is None else place.get(share.parent, 0))
        if parents[-1] == place[share.id]:
            parents[-1] = 0
    return nodes, np.array(parents)


def depths(parents: Ints) -> Ints:
    """Distance of each node from the root; `parents[i] < i`, and -1 for the root at 0."""
    out = [0] * len(parents)
    for node, parent in enumerate(parents.tolist()[1:], 1):
        out[node] = out[parent] + 1
    return np.array(out)


def structural_virality(parents: Ints) -> float:
    """Mean distance between two nodes of a tree, in linear time; 0 for a root alone.

    The sum of all distances (Wiener index) is the sum over edges of s (n - s), where s is the size of the subtree
    below the edge: that many pairs have the edge on their way. `parents[i] < i`, and -1 for the root at 0.
    """
    n = len(parents)
    if n < 2:
        return 0.0
    below = [1] * n
    for node, parent in zip(range(n - 1, 0, -1), reversed(parents.tolist()[1:]), strict=True):
        below[parent] += below[node]
    return 2.0 * sum(s * (n - s) for s in below[1:]) / (n * (n - 1))


def _entries(nodes: list[Share], parents: Ints, membership: Mapping[str, Hashable]) -> tuple[Entry, ...]:
    first: dict[Hashable, int] = {}
    count: dict[Hashable, int] = {}
    for i, node in enumerate(nodes):
        community = membership.get(node.account)
        if community is not None:
            first.setdefault(community, i)
            count[community] = count.get(community, 0) + 1
    return tuple(_entry(community, i, nodes, parents, membership, count[community]) for community, i in first.items())


def _entry(
    community: Hashable,
    i: int,
    nodes: list[Share],
    parents: Ints,
    membership: Mapping[str, Hashable],
    shares: int,
) -> Entry:
    through = nodes[parents[i]].account if i else None
    source = membership.get(through) if through is not None else None
    return Entry(community, nodes[i].time, nodes[i].account, through, source, shares)


def _speed(times: Floats) -> int:
    """Most reshares within any hour (both ends included); times sorted."""
    if not len(times):
        return 0
    return int((np.searchsorted(times, times + HOUR, side="right") - np.arange(len(times))).max())


def _half_time(times: Floats) -> float | None:
    return float(times[(len(times) - 1) // 2]) if len(times) else None
