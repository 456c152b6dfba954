"""Cascades of a world whose laws are known, for tests."""

import numpy as np

from analysis.cascades import Cascade, from_events


def world(count: int, seed: int, smallest: int = 3) -> list[Cascade]:
    """Cascades with a size of their own and a pace of their own: delays are lognormal around the pace."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        pace = np.exp(rng.normal(8.0, 1.0))
        size = smallest + int(np.exp(rng.normal(4.5, 0.9)))
        delays = pace * np.exp(rng.normal(0.0, 1.2, size))
        made.append(from_events(np.minimum(delays, 6.9 * 86400)))
    return made
