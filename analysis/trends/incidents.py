"""From a surprise per row to incidents: hysteresis while one lasts, a cool-down before the next alert."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.trends.calendar import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Hysteresis:
    """An incident opens at `open`, lasts until `calm` s below `close`; for `cooldown` s then no new alert."""

    open: float
    close: float
    calm: float
    cooldown: float


def incidents(times: Floats, surprise: Floats, rule: Hysteresis) -> tuple[Bools, Bools]:
    """`alert` (the row opens an incident) and `active` (it lasts) per row; both shape (n,).

    A surprise that returns before the cool-down is over makes the incident active again without another alert.
    """
    alert, active = np.zeros(len(times), bool), np.zeros(len(times), bool)
    lasting, hot, last = False, -np.inf, -np.inf
    for i, (t, s) in enumerate(zip(times.tolist(), surprise.tolist(), strict=True)):
        if s >= rule.close and lasting:
            hot = t
        elif lasting and t - hot >= rule.calm:
            lasting = False
        if s >= rule.open and not lasting:
            alert[i] = t - last >= rule.cooldown
            lasting, hot = True, t
        if lasting:
            last = t
        active[i] = lasting
    return alert, active
