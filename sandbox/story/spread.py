"""How a post spreads: a branching process with power-law delays, as measured on Twitter.

The memory kernel is that of SEISMIC (Zhao et al., KDD 2015): constant for the first minutes, then a power law; its
infectiousness fades with the age of the post. The number of children of a share is over-dispersed
(gamma-Poisson), since few shares reach many.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sandbox.story.rhythm import Waking

PLATEAU_SECONDS = 600.0
DECAY = 0.6
DISPERSION = 0.8


@dataclass(frozen=True, slots=True, order=True)
class Share:
    """One share: when, and how many steps from the root."""

    at: datetime
    generation: int


def delay(rng: np.random.Generator, plateau: float = PLATEAU_SECONDS) -> timedelta:
    """A reaction time in activity: uniform up to the plateau, then a Pareto tail."""
    if rng.random() < DECAY / (1 + DECAY):
        return timedelta(seconds=float(rng.uniform(2, plateau)))
    tail = plateau * float(rng.random() + 1e-9) ** (-1 / DECAY)
    return timedelta(seconds=min(tail, 30 * 86_400.0))


@dataclass(frozen=True, slots=True)
class Pace:
    """How a post spreads: `first` direct shares on average, then `reproduction` shares for each share of a fresh post.

    Reproduction halves in every `half_life` of activity; above 1 a post grows for hours, then fades.
    """

    first: float
    reproduction: float
    half_life: timedelta = timedelta(hours=6)
    plateau: float = PLATEAU_SECONDS


def cascade(rng: np.random.Generator, begins: datetime, pace: Pace, waking: Waking, most: int = 700) -> list[Share]:
    """The shares of a post published at `begins`, oldest first, at most `most`."""
    queue = [Share(begins, 0)]
    shares: list[Share] = []
    while queue and len(shares) < most:
        parent = heapq.heappop(queue)
        mean = pace.first
        if parent.generation:
            shares.append(parent)
            age = waking.between(begins, parent.at) / pace.half_life
            mean = float(pace.reproduction * 0.5**age * rng.gamma(DISPERSION, 1 / DISPERSION))
        for _ in range(rng.poisson(mean)):
            at = waking.after(parent.at, delay(rng, pace.plateau))
            if at is not None:
                heapq.heappush(queue, Share(at, parent.generation + 1))
    return shares


def cascade_of_size(
    rng: np.random.Generator, begins: datetime, pace: Pace, waking: Waking, low: int, high: int
) -> list[Share]:
    """A cascade drawn until its size lies in low..high: the story is told of one that happened, not of all."""
    for _ in range(400):
        shares = cascade(rng, begins, pace, waking, most=high + 1)
        if low <= len(shares) <= high:
            return shares
    raise RuntimeError(f"No cascade of {low} to {high} shares in 400 draws with {pace}.")
