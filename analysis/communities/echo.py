"""How much of what a community hears comes from itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.graph import IntArray, Interactions


@dataclass(frozen=True, slots=True)
class EchoChamber:
    """One community's echo-chamber index.

    Attributes
    ----------
    community : its number.
    index : 0 when its members hear their own as often as chance gives, 1 when they hear nobody else; negative when they
        hear others more than chance gives.
    inside : share of what its members reacted to that came from members.
    chance : the share that chance gives: its part of all that was reacted to.
    reactions : how many reactions it rests on; below 30 the index says little.
    """

    community: int
    index: float
    inside: float
    chance: float
    reactions: int


def echo_chamber(interactions: Interactions, labels: IntArray) -> list[EchoChamber]:
    """Echo-chamber index of every community: (inside - chance) / (1 - chance).

    It is the assortativity of one community (Newman, Phys. Rev. E 67, 2003) in the direction of hearing: the
    source of an interaction has heard its target.

    Parameters
    ----------
    interactions : self-reactions are not looked at.
    labels : (a,) community of each account, negative for none.
    """
    source, target = labels[interactions.source], labels[interactions.target]
    told = (source >= 0) & (target >= 0) & (interactions.source != interactions.target)
    source, target = source[told], target[told]
    groups = int(labels.max(initial=-1)) + 1
    heard = np.bincount(source, minlength=groups)
    own = np.bincount(source[source == target], minlength=groups)
    heard_of = np.bincount(target, minlength=groups) / max(len(target), 1)
    found = []
    for c in np.flatnonzero(heard > 0).tolist():
        inside, chance = float(own[c] / heard[c]), float(heard_of[c])
        index = (inside - chance) / (1 - chance) if chance < 1 else 0.0
        found.append(EchoChamber(c, index, inside, chance, int(heard[c])))
    return found
