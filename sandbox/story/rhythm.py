"""When people are awake and talk: weights by local hour and weekday, and a clock that runs with their activity."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Day = Literal["general", "office", "robot"]
Floats = NDArray[np.float64]

_GENERAL = (4, 2, 1, 0.6, 0.5, 1, 2.5, 5, 6, 5, 5, 5.5, 8, 6.5, 5, 5.5, 5.5, 6, 7, 8.5, 10, 10.5, 9.5, 7)
_OFFICE = (2, 1, 0.5, 0.3, 0.3, 0.8, 3, 7, 8, 4, 3.5, 5, 13, 6, 3.5, 4, 3.5, 5, 9, 10, 9, 9, 7, 4)
_HOURS = {"general": _GENERAL, "office": _OFFICE, "robot": (1.0,) * 24}
_JST = ((9, 1.0),)
_WEST = ((1, 0.6), (-4, 0.4))  # British summer time and the US east coast
_ASLEEP = 0.12


def by_utc_hour(lang: str, day: Day = "general") -> Floats:
    """Weights of the 24 hours of a UTC day, mean 1, for people who write `lang`."""
    local = np.asarray(_HOURS[day], dtype=float)
    weights = np.zeros(24)
    for offset, share in _JST if lang == "ja" else _WEST:
        weights += share * np.roll(local, -offset)
    return np.asarray(weights / weights.mean(), dtype=float)


def on_weekday(moment: datetime, lang: str, weekend: float) -> float:
    """The factor of a weekday: `weekend` on Saturday and Sunday (local), 1 on other days, Friday a little more."""
    local = moment + timedelta(hours=_JST[0][0] if lang == "ja" else 0)
    if local.weekday() >= 5:
        return weekend
    return 1.1 if local.weekday() == 4 else 1.0


class Waking:
    """Time measured in people's activity: an hour at night is short, an evening hour long."""

    def __init__(self, lang: str, begins: datetime, ends: datetime) -> None:
        self.begins = begins
        minutes = int((ends - begins).total_seconds() // 60)
        hours = (begins.hour + (begins.minute + np.arange(minutes)) // 60) % 24
        speed = np.maximum(by_utc_hour(lang)[hours], _ASLEEP)
        self._active: list[float] = np.concatenate([[0.0], np.cumsum(speed)]).tolist()

    def after(self, moment: datetime, active: timedelta) -> datetime | None:
        """The moment when `active` more of activity has passed; None if the story ends before."""
        target = self._until(moment) + active.total_seconds() / 60
        if target >= self._active[-1]:
            return None
        minute = bisect_right(self._active, target) - 1
        low, high = self._active[minute], self._active[minute + 1]
        return self.begins + timedelta(milliseconds=round((minute + (target - low) / (high - low)) * 60_000))

    def between(self, earlier: datetime, later: datetime) -> timedelta:
        """How much activity lies between two moments."""
        return timedelta(minutes=self._until(later) - self._until(earlier))

    def _until(self, moment: datetime) -> float:
        minute, part = divmod(max((moment - self.begins).total_seconds() / 60, 0.0), 1.0)
        here = min(int(minute), len(self._active) - 2)
        return self._active[here] + part * (self._active[here + 1] - self._active[here])
