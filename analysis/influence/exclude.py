"""What does not count towards resonance, why, and how much it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analysis.graph import BoolArray, IntArray, Interactions

REASONS = ("self", "own", "bot", "coordinated", "newcomer", "giveaway")


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Accounts and posts whose interactions do not count.

    Attributes
    ----------
    own : the topic's own accounts; neither what they do nor what is done to them counts.
    bots : accounts that declare to be automatic; what they do does not count.
    coordinated : accounts suspected of coordination (`analysis.coordination.suspected`); the same.
    newcomers : accounts first seen within the window that react to one account only (`devoted`); the same.
    giveaways : posts that ask to be reposted for a prize (`is_giveaway`); reactions to them do not count.
    """

    own: frozenset[str] = field(default_factory=frozenset)
    bots: frozenset[str] = field(default_factory=frozenset)
    coordinated: frozenset[str] = field(default_factory=frozenset)
    newcomers: frozenset[str] = field(default_factory=frozenset)
    giveaways: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How much was left out: interactions by reason (one may have several), and the distinct total of all."""

    interactions: dict[str, int]
    total: int
    of: int


def reasons(interactions: Interactions, exclusions: Exclusions) -> dict[str, BoolArray]:
    """For each of REASONS, which of the n interactions it takes out: masks of shape (n,)."""
    by = _member(interactions)
    source, target = interactions.source, interactions.target
    prizes = np.zeros(len(interactions.items) + 1, bool)  # the last for UNKNOWN
    if exclusions.giveaways:
        prizes[:-1] = np.fromiter(map(exclusions.giveaways.__contains__, interactions.items), bool)
    return {
        "self": source == target,
        "own": by(exclusions.own, source) | by(exclusions.own, target),
        "bot": by(exclusions.bots, source),
        "coordinated": by(exclusions.coordinated, source),
        "newcomer": by(exclusions.newcomers, source),
        "giveaway": prizes[interactions.item],
    }


def _member(interactions: Interactions) -> Callable[[frozenset[str], IntArray], BoolArray]:
    def by(names: frozenset[str], codes: IntArray) -> BoolArray:
        member = np.zeros(len(interactions.accounts), bool)
        member[interactions.codes(names)] = True
        found: BoolArray = member[codes]
        return found

    return by


def counted(interactions: Interactions, exclusions: Exclusions) -> tuple[Interactions, LeftOut]:
    """The interactions that count, and how much was left out."""
    masks = reasons(interactions, exclusions)
    out = np.logical_or.reduce(list(masks.values()))
    left = LeftOut({why: int(mask.sum()) for why, mask in masks.items()}, int(out.sum()), len(interactions))
    return interactions.select(~out), left


def devoted(interactions: Interactions, ignoring: frozenset[str] = frozenset()) -> list[str]:
    """Accounts that react to exactly one other account; what goes to accounts to be ignored is not looked at."""
    ignored = np.zeros(len(interactions.accounts), bool)
    ignored[interactions.codes(ignoring)] = True
    told = (interactions.source != interactions.target) & ~ignored[interactions.target]
    source, target = interactions.source[told], interactions.target[told]
    lowest, highest = np.full(len(ignored), len(ignored)), np.full(len(ignored), -1)
    np.minimum.at(lowest, source, target)
    np.maximum.at(highest, source, target)
    return [interactions.accounts[i] for i in np.flatnonzero(lowest == highest).tolist()]


def flags(account: str, exclusions: Exclusions) -> tuple[str, ...]:
    """Why what this account does is not counted; empty for most."""
    named = {
        "own": exclusions.own,
        "bot": exclusions.bots,
        "coordinated": exclusions.coordinated,
        "newcomer": exclusions.newcomers,
    }
    return tuple(why for why, names in named.items() if account in names)
