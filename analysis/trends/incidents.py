"""From a surprise per row to incidents: hysteresis while one lasts, a cool-down before the next alert."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.trends.calendar import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Hysteresis:
    """An incident opens at `open`, lasts until `calm` s below `close`; for `cooldown` s then no new alert.

    For `memory` s another incident must also outweigh the last one, see `needed`.
    """

    open: float
    close: float
    calm: float
    cooldown: float
    memory: float = 0.0
    doubt: float = 2.0

    def needed(self, peak: float) -> float:
        """What opens an incident after one that peaked at `peak`, both natural logs of odds.

        Two in a day are as likely as that the first was none, so the prior odds of the second fall by the chance of
        that: by log(1 + exp(peak - open - doubt)).
        """
        return self.open + math.log1p(math.exp(min(peak - self.open - self.doubt, 50.0)))


def incidents(times: Floats, surprise: Floats, rule: Hysteresis) -> tuple[Bools, Bools]:
    """`alert` (the row opens an incident) and `active` (it lasts) per row; both shape (n,).

    A surprise that returns before the cool-down is over makes the incident active again without another alert.
    """
    alert, active = np.zeros(len(times), bool), np.zeros(len(times), bool)
    lasting, hot, last, peak = False, -np.inf, -np.inf, -np.inf
    for i, (t, s) in enumerate(zip(times.tolist(), surprise.tolist(), strict=True)):
        if s >= rule.close and lasting:
            hot = t
        elif lasting and t - hot >= rule.calm:
            lasting = False
        if not lasting and t - last >= max(rule.memory, rule.cooldown):
            peak = -np.inf
        cooling = t - last < rule.cooldown
        if not lasting and s >= (rule.open if cooling or not rule.memory else rule.needed(peak)):
            alert[i] = not cooling
            lasting, hot = True, t
        if lasting:
            last, peak = t, max(peak, s)
        active[i] = lasting
    return alert, active
