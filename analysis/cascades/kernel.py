"""How long people wait before they reshare: the memory kernel of SEISMIC, and the reproduction number on it.

Zhao, Erdogdu, He, Rajaraman, Leskovec: SEISMIC, KDD 2015 (arXiv 1506.02594): constant for 5 minutes, then a power law.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.cascades.series import Cascade, Floats, seen

CONSTANT = 300.0
DECAY = 0.242  # the density falls as time ** -(1 + DECAY)
LEVEL = 1 / (CONSTANT * (1 + 1 / DECAY))  # per second at first, 6.49e-4: the whole is one


def elapsed(age: Floats) -> Floats:
    """Share of the reactions to a share that have come `age` seconds after it (0 before it)."""
    since = np.clip(age, 0.0, None)
    tail = LEVEL * CONSTANT / DECAY * (np.maximum(since, CONSTANT) / CONSTANT) ** -DECAY
    return np.where(since <= CONSTANT, LEVEL * since, 1.0 - tail)


def reproduction(cascades: Sequence[Cascade], ages: Floats) -> Floats:
    """Reshares that each share causes at present: the instantaneous reproduction number, shape (cascades,).

    New reshares in the second half of the age, over those that the shares so far would bring in that time if each
    brought one in all (Cori et al., Am. J. Epidemiol. 2013, with the kernel as generation time). One reshare in one
    is added to both, which draws the number of a small cascade towards 1. Above 1 it grows, below 1 it dies out.
    """
    times, counts = seen(cascades, ages)
    row = np.repeat(np.arange(len(counts)), counts)
    age, half = ages[row], ages[row] / 2
    new = np.bincount(row, times > half, minlength=len(counts))
    pressure = np.bincount(row, elapsed(age - times) - elapsed(half - times), minlength=len(counts))
    result: Floats = (new + 1.0) / (pressure + elapsed(ages) - elapsed(ages / 2) + 1.0)
    return result
