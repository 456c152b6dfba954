"""The resonance of every account: one function for what is stored and what the command prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import nbinom, rankdata

from analysis.communities.detect import Communities, detect
from analysis.graph import MENTION, QUOTE, REPLY, RESHARE, BoolArray, FloatArray, IntArray, Interactions
from analysis.influence import parts
from analysis.influence.exclude import Exclusions, counted, flags
from analysis.influence.records import AccountResonance

# Half-lives in hours, and weights of the logarithms of the parts; how they were chosen: docs/resonance.md.
HALF_LIVES = {"slow": 12.0, "fast": 4.0}
WEIGHTS = {"slow": 1.0, "fast": 0.5, "mentions": 0.3, "replies": 0.4}
SATURATION = 0.1
HORIZON = 24.0  # hours ahead for which members are estimated
PRIOR = 0.25  # members that every account is given beforehand
DISPERSION = 0.2  # shape of the spread of what comes around what was expected; the smaller, the wider
LEVEL = 0.9


@dataclass(frozen=True, slots=True)
class _Columns:
    """Parts of all accounts, each of shape (a,)."""

    by_kind: dict[int, FloatArray]
    slow: FloatArray
    fast: FloatArray
    engaged: FloatArray
    distinct: FloatArray
    effective: FloatArray
    reactors: FloatArray
    pair_source: IntArray
    pair_target: IntArray
    pair_weight: FloatArray


def score_accounts(
    interactions: Interactions,
    until: float,
    *,
    seed: int = 0,
    exclusions: Exclusions | None = None,
    memberships: Mapping[str, tuple[int, int]] | None = None,
    most: int | None = None,
) -> list[AccountResonance]:
    """Resonance of every account that takes part before `until`, the largest first.

    Parameters
    ----------
    interactions : rows at or after `until` are not looked at.
    until : unix seconds.
    seed : of the communities, where they have to be found.
    exclusions : what does not count; `resonance_all` counts it nevertheless. `counted` tells how much it is.
    memberships : account -> (community, subcommunity) where they are known; found in the graph otherwise.
    most : how many records are wanted; the ranks are among all.

    Returns
    -------
    One record for each account of `interactions.accounts` with at least one row before `until`.
    """
    exclusions = exclusions or Exclusions()
    every = interactions.before(until)
    kept, _ = counted(every, exclusions)
    groups = _groups(kept, seed, memberships)
    columns = _columns(kept, until)
    whole, _ = counted(every, Exclusions())
    seen = np.zeros(len(every.accounts), bool)
    seen[every.source] = seen[every.target] = True
    everybody = _resonance(_columns(whole, until), _members(whole))
    return _records(kept, columns, groups, everybody, np.flatnonzero(seen), exclusions, most)


def _members(interactions: Interactions) -> int:
    size = len(interactions.accounts)
    active = np.bincount(interactions.source, minlength=size) + np.bincount(interactions.target, minlength=size)
    return int(np.count_nonzero(active))


def _groups(
    kept: Interactions, seed: int, memberships: Mapping[str, tuple[int, int]] | None
) -> tuple[IntArray, IntArray]:
    if memberships is None:
        found: Communities = detect(kept, seed=seed)
        return found.coarse, found.fine
    pairs = [memberships.get(name, (-1, -1)) for name in kept.accounts]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def _columns(kept: Interactions, until: float) -> _Columns:
    size = len(kept.accounts)
    slow, fast = (parts.decay(kept, until, HALF_LIVES[name]) for name in ("slow", "fast"))
    every = parts.Pairs.of(kept)
    pairs = every.among(parts.passes_on(kept), size)
    weight, newest = parts.once(pairs.total(slow), SATURATION), pairs.largest(slow)
    own_activity = parts.received(kept.source, slow, size)
    by_kind = {}
    for kind in (RESHARE, QUOTE, REPLY, MENTION):
        some = every.among(kept.kind == kind, size)
        by_kind[kind] = parts.received(some.target, parts.once(some.total(slow), SATURATION), size)
    return _Columns(
        by_kind,
        parts.received(pairs.target, weight, size),
        parts.received(pairs.target, parts.once(pairs.total(fast), SATURATION), size),
        parts.received(pairs.target, weight * np.log1p(own_activity[pairs.source]), size),
        parts.received(pairs.target, newest, size),
        _effective(pairs.target, newest, size),
        np.bincount(every.target, minlength=size).astype(float),
        pairs.source,
        pairs.target,
        weight,
    )


def _effective(target: IntArray, weight: FloatArray, size: int) -> FloatArray:
    """Number of equally weighted reactors that would be as certain: (sum w)^2 / sum w^2."""
    squares = parts.received(target, weight * weight, size)
    total = parts.received(target, weight, size)
    return np.divide(total * total, squares, out=np.zeros(size), where=squares > 0)


def _resonance(columns: _Columns, members: int, factor: FloatArray | float = 1.0) -> FloatArray:
    """100 times the weighted mean of log(1 + part) over log(1 + members); parts that nobody has are left out."""
    values = {
        "slow": columns.slow,
        "fast": columns.fast,
        "mentions": columns.by_kind[MENTION],
        "replies": columns.by_kind[REPLY],
    }
    used = {name: weight for name, weight in WEIGHTS.items() if values[name].any()}
    if not used:
        return np.zeros(len(columns.slow))
    mean = sum((weight * np.log1p(values[name] * factor) for name, weight in used.items()), np.zeros(()))
    scaled: FloatArray = 100 * mean / (sum(used.values()) * np.log1p(max(members, 1)))
    return np.clip(scaled, 0, 100)


def _expected(columns: _Columns) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distinct members in the next HORIZON hours if the decayed rate goes on, and the ends of the interval.

    Negative binomial: a gamma rate, known from so many effective reactors and drifting with the shape DISPERSION.
    """
    mean = columns.distinct * HORIZON * np.log(2) / HALF_LIVES["slow"] + PRIOR
    shape = 1 / (1 / (columns.effective + 0.5) + 1 / DISPERSION)
    cells, position = np.unique(np.round(np.column_stack([mean, shape]), 2), axis=0, return_inverse=True)
    chance = cells[:, 1] / (cells.sum(axis=1))
    low, high = (nbinom.ppf(q, cells[:, 1], chance) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    position = position.ravel()
    return mean, np.minimum(low[position], mean), np.maximum(high[position], mean)


def _by_community(columns: _Columns, coarse: IntArray, wanted: BoolArray) -> dict[int, dict[int, float]]:
    """Account -> community -> members expected from it, largest first, at most five; for the wanted (a,)."""
    group = coarse[columns.pair_source]
    told = (group >= 0) & wanted[columns.pair_target]
    wide = int(coarse.max(initial=0)) + 1
    cells, position = np.unique(columns.pair_target[told] * wide + group[told], return_inverse=True)
    totals = np.bincount(position, columns.pair_weight[told], minlength=len(cells))
    order = np.argsort(-totals, kind="stable")
    accounts, communities = np.divmod(cells[order], wide)
    members = np.round(totals[order] * (HORIZON * np.log(2) / HALF_LIVES["slow"]), 3)
    found: dict[int, dict[int, float]] = {}
    for account, community, count in zip(accounts.tolist(), communities.tolist(), members.tolist(), strict=True):
        mine = found.setdefault(account, {})
        if len(mine) < 5:
            mine[community] = count
    return found


def _missing(kept: Interactions, sentiment: bool) -> tuple[str, ...]:
    missing = []
    if not sentiment:
        missing.append("not_negative")
    if not (kept.item >= 0).any():
        missing.append("efficiency_post")
    if not np.isfinite(kept.followers).any():
        missing += ["efficiency_audience", "followers", "follower_rank"]
    return tuple(missing)


def _records(
    kept: Interactions,
    columns: _Columns,
    groups: tuple[IntArray, IntArray],
    everybody: FloatArray,
    seen: IntArray,
    exclusions: Exclusions,
    most: int | None,
) -> list[AccountResonance]:
    size, (coarse, fine) = len(kept.accounts), groups
    members = _members(kept)
    resonance = _resonance(columns, members)
    expected, fewest, highest = _expected(columns)
    low = np.minimum(_resonance(columns, members, fewest / expected), resonance)
    high = np.maximum(_resonance(columns, members, highest / expected), resonance)
    order = seen[np.lexsort((seen, -expected[seen], -resonance[seen]))][:most]
    wanted = np.zeros(size, bool)
    wanted[order] = True
    good, sentiment = parts.not_negative(kept)
    bridges = parts.bridging(columns.pair_target, coarse[columns.pair_source], size)
    second = parts.received(columns.pair_target, columns.pair_weight * columns.slow[columns.pair_source], size)
    per_community, items = _by_community(columns, coarse, wanted), parts.top_items(kept, wanted)
    flagged = {code: flags(kept.accounts[code], exclusions) for code in kept.codes(_named(exclusions)).tolist()}
    nobody: tuple[None, ...] = (None,) * len(order)

    def of(values: FloatArray | IntArray, known: BoolArray | None = None) -> list[Any]:
        found = values[order].tolist()
        return found if known is None else [v if k else None for v, k in zip(found, known[order].tolist(), strict=True)]

    fields: dict[str, Iterable[object]] = {
        "account": [kept.accounts[i] for i in order.tolist()],
        "resonance": of(resonance),
        "low": of(low),
        "high": of(high),
        "rank": of(_ranks(resonance, seen)),
        "members": of(expected),
        "members_low": of(fewest),
        "members_high": of(highest),
        "reactors": of(columns.reactors.astype(np.int64)),
        "reshares": of(columns.by_kind[RESHARE]),
        "quotes": of(columns.by_kind[QUOTE]),
        "replies": of(columns.by_kind[REPLY]),
        "mentions": of(columns.by_kind[MENTION]),
        "engaged": of(columns.engaged),
        "second_order": of(second),
        "not_negative": of(good) if sentiment else nobody,
        "bridging": of(bridges) if (coarse >= 0).any() else nobody,
        "efficiency_post": of(*_ratio(columns.reactors, parts.posts_reacted_to(kept))),
        "efficiency_audience": of(*_ratio(columns.reactors, kept.followers)),
        "followers": of(kept.followers, np.isfinite(kept.followers)),
        "follower_rank": of(_ranks(kept.followers, seen), np.isfinite(kept.followers)),
        "community": of(coarse, coarse >= 0),
        "subcommunity": of(fine, fine >= 0),
        "by_community": (per_community.get(i, {}) for i in order.tolist()),
        "resonance_all": of(everybody),
        "flags": (flagged.get(i, ()) for i in order.tolist()),
        "items": (tuple(items.get(i, ())) for i in order.tolist()),
        "parts_missing": (_missing(kept, sentiment),) * len(order),
    }
    names = tuple(fields)
    rows = zip(*fields.values(), strict=True)
    return [AccountResonance(**dict(zip(names, row, strict=True))) for row in rows]


def _ranks(values: FloatArray, seen: IntArray) -> IntArray:
    """Ranks (a,) from the largest down among those seen whose value is known; equals share the best one."""
    ranks = np.zeros(len(values), np.int64)
    known = seen[np.isfinite(values[seen])]
    ranks[known] = rankdata(-values[known], method="min")
    return ranks


def _ratio(above: FloatArray, below: FloatArray) -> tuple[FloatArray, BoolArray]:
    """above / below, and where it is known."""
    known = below > 0
    return np.divide(above, below, out=np.zeros(len(above)), where=known), known


def _named(exclusions: Exclusions) -> frozenset[str]:
    return exclusions.own | exclusions.bots | exclusions.coordinated | exclusions.newcomers
