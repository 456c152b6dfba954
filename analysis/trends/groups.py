"""Changes of a whole group against the others of its topic: its regulars fall silent, or it turns sour.

Both compare the last week with the four weeks before, and the group with everybody else in the same weeks (difference
in differences; Angrist and Pischke, *Mostly Harmless Econometrics*, 2009, ch. 5): a holiday, a hole in the data and
news that everybody hears move both alike. Nothing here looks at one person: the answers are about groups of FEWEST or
more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

WEEKS = 4  # before the last one
FEWEST = 10  # people of a group, below which nothing is said of it
REGULAR = 3  # weeks of the four in which a regular was seen
DISPERSION = 2.0  # times the binomial variance: members move together
BOUND = 4.0  # standard errors
HALVED = 0.5  # of the regulars expected: no more than so many are left
POSTS = 30  # posts of a group in a week below which its mood says nothing
POINTS = 0.15  # by which a share of negative posts must exceed what was expected


@dataclass(frozen=True)
class Silence:
    """Regulars of a group: how many there are, were seen in the last week, and would have been expected."""

    regulars: int
    seen: int
    expected: float
    z: float

    def fallen(self, strict: float = 1.0) -> bool:
        """Whether that is worth telling; `strict` multiplies the bound."""
        return self.seen <= HALVED * self.expected and self.z >= BOUND * strict


@dataclass(frozen=True)
class Mood:
    """Posts of a group in a period: all with a label, the negative ones, and the people who wrote them."""

    posts: int
    negative: int
    people: int


@dataclass(frozen=True)
class Turn:
    """The share of negative posts of a group in the last week, and what its past and the others lead to expect."""

    share: float
    expected: float
    z: float

    def sour(self, strict: float = 1.0) -> bool:
        """Whether that is worth telling; `strict` multiplies the bound."""
        return self.share - self.expected >= POINTS and self.z >= BOUND * strict


def silence(weeks: Bools, members: Bools) -> Silence | None:
    """How the regulars among `members` kept coming, against the other regulars; None where it cannot be said.

    `weeks` (n, 1 + WEEKS) says who was seen in which week, the last week first; `members` (n,) who is of the group.
    """
    past = weeks[:, 1:].sum(axis=1)
    regular = past >= REGULAR
    group, others = regular & members, regular & ~members
    if group.sum() < FEWEST or others.sum() < FEWEST:
        return None
    chance = (past + 0.5) / (WEEKS + 1)
    usual = float(chance[others].sum())
    kept = min(1.0, float(weeks[others, 0].sum()) / usual)
    kept_variance = DISPERSION * float((chance * (1 - chance))[others].sum()) / usual**2
    p = chance[group] * kept
    expected, seen = float(p.sum()), int(weeks[group, 0].sum())
    variance = DISPERSION * float((p * (1 - p)).sum()) + float(chance[group].sum()) ** 2 * kept_variance
    return Silence(int(group.sum()), seen, expected, (expected - seen) / float(np.sqrt(variance)))


def turn(now: Mood, before: Mood, others_now: Mood, others_before: Mood) -> Turn | None:
    """How a group's share of negative posts moved, against everybody else's; None where it cannot be said."""
    periods = (now, before, others_now, others_before)
    if any(m.people < FEWEST or m.posts < POSTS for m in periods):
        return None
    odds = [float(np.log((m.negative + 0.5) / (m.posts - m.negative + 0.5))) for m in periods]
    errors = [DISPERSION * (1 / (m.negative + 0.5) + 1 / (m.posts - m.negative + 0.5)) for m in periods]
    expected = odds[1] + max(0.0, odds[2] - odds[3])
    z = (odds[0] - expected) / float(np.sqrt(sum(errors)))
    return Turn(now.negative / now.posts, float(1 / (1 + np.exp(-expected))), z)
