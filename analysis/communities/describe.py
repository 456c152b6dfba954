"""What a community is about, and who stands in its middle."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

import numpy as np

from analysis.graph import IntArray, Interactions, distinct_pairs

CENTRAL = 5  # accounts named as central


@dataclass(frozen=True, slots=True)
class CommunityProfile:
    """One community.

    Attributes
    ----------
    community : its number.
    size : accounts.
    hashtags, words : the most telling ones, at most ten each.
    languages : language -> share of its posts, largest first.
    central : accounts that most distinct members reacted to, at most five.
    """

    community: int
    size: int
    hashtags: tuple[str, ...]
    words: tuple[str, ...]
    languages: dict[str, float]
    central: tuple[str, ...]


def telling(inside: Mapping[str, int], outside: Mapping[str, int], most: int = 10) -> tuple[str, ...]:
    """Terms that are commoner inside than outside, by log odds with an informative prior over their standard error.

    Parameters
    ----------
    inside, outside : term -> distinct authors who used it, in the community and in the others.

    Returns
    -------
    At most `most` terms with z > 1.65 and two authors or more, the most telling first (Monroe, Colaresi and Quinn,
    Political Analysis 16, 2008).
    """
    every = {term: count + outside.get(term, 0) for term, count in inside.items()}
    return _telling(inside, every, sum(inside.values()) + sum(outside.values()), most)


def _telling(inside: Mapping[str, int], every: Mapping[str, int], total: int, most: int = 10) -> tuple[str, ...]:
    """`telling`, from the counts over all communities and their sum."""
    n_in, prior = sum(inside.values()), 10.0
    n_out = total - n_in
    found = []
    for term, count in inside.items():
        if count < 2:
            continue
        weight = prior * every[term] / total
        a, b = count + weight, every[term] - count + weight
        odds = math.log(a / max(n_in + prior - a, 1e-9)) - math.log(b / max(n_out + prior - b, 1e-9))
        z = odds / math.sqrt(1 / a + 1 / b)
        if z > 1.65 or not n_out:
            found.append((-z if n_out else -count, term))
    return tuple(term for _, term in sorted(found)[:most])


def describe(
    memberships: Mapping[str, int],
    *,
    hashtags: Iterable[tuple[str, str]] = (),
    words: Iterable[tuple[str, str]] = (),
    languages: Iterable[tuple[str, str]] = (),
    interactions: Interactions | None = None,
) -> list[CommunityProfile]:
    """Profiles of all communities, the largest first.

    Parameters
    ----------
    memberships : account -> community.
    hashtags, words : (author, term), one for each use; an author counts once for a term.
    languages : (author, language), one for each post.
    interactions : to find central accounts.
    """
    sizes = Counter(memberships.values())
    tags, terms = _of(_authors(memberships, hashtags)), _of(_authors(memberships, words))
    spoken: dict[int, Counter[str]] = defaultdict(Counter)
    for author, language in languages:
        if author in memberships:
            spoken[memberships[author]][language] += 1
    central = _central(memberships, interactions)
    return [
        CommunityProfile(
            community,
            sizes[community],
            tags.get(community, ()),
            terms.get(community, ()),
            _shares(spoken.get(community, Counter())),
            central.get(community, ()),
        )
        for community in sorted(sizes, key=lambda c: (-sizes[c], c))
    ]


def _authors(memberships: Mapping[str, int], uses: Iterable[tuple[str, str]]) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for author, term in uses if isinstance(uses, Set) else set(uses):
        if author in memberships:
            found[memberships[author]][term] += 1
    return found


def _of(counts: Mapping[int, Counter[str]]) -> dict[int, tuple[str, ...]]:
    """The telling terms of every community."""
    every: Counter[str] = Counter()
    for terms in counts.values():
        every.update(terms)
    total = sum(every.values())
    return {community: _telling(terms, every, total) for community, terms in counts.items()}


def _shares(counts: Counter[str]) -> dict[str, float]:
    total = sum(counts.values())
    return {language: n / total for language, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))}


def _central(memberships: Mapping[str, int], interactions: Interactions | None) -> dict[int, tuple[str, ...]]:
    if interactions is None:
        return {}
    names = interactions.accounts
    group = np.array([memberships.get(name, -1) for name in names], np.int64)
    source, target, _ = distinct_pairs(interactions.source, interactions.target, len(names))
    inside = (group[source] == group[target]) & (group[target] >= 0) & (source != target)
    counts = np.bincount(target[inside], minlength=len(names))
    found: dict[int, list[str]] = {}
    for i in sorted(_candidates(counts, group), key=lambda i: (-int(counts[i]), names[i])):
        if len(found.setdefault(int(group[i]), [])) < CENTRAL:
            found[int(group[i])].append(names[i])
    return {community: tuple(accounts) for community, accounts in found.items()}


def _candidates(counts: IntArray, group: IntArray) -> list[int]:
    """Accounts that have at least the CENTRAL-th largest count of their group."""
    some = np.flatnonzero(counts)
    some = some[np.lexsort((-counts[some], group[some]))]
    begins = np.flatnonzero(np.diff(group[some], prepend=-2))
    ends = np.append(begins[1:], len(some))
    last = np.minimum(begins + CENTRAL, ends) - 1
    least = np.repeat(counts[some][last], ends - begins)
    return [int(i) for i in some[counts[some] >= least]]
