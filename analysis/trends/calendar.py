"""Local days and hours of rows, with holidays counted as Sundays."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUARTER = 900  # s; every change of a zone's offset since 1970 falls on a quarter of an hour
SUNDAY = 6
DAY = 86400.0
_EPOCH = date(1970, 1, 1)


class UnknownCountry(ValueError):
    """No calendar of public holidays is known for a country code."""


def public_holidays(country: str, years: Iterable[int]) -> frozenset[date]:
    """Public holidays of a country (ISO 3166 code such as JP) in these years. Raises UnknownCountry."""
    import holidays  # here, because most callers bring dates of their own

    try:
        return frozenset(holidays.country_holidays(country.upper(), years=list(years)))
    except NotImplementedError:
        raise UnknownCountry(f"no public holidays are known for {country!r}; use a code such as JP, US or DE") from None


class Calendar(NamedTuple):
    """Local calendar of n rows: `day` counts from 1970-01-01, `hour` is in [0, 24), `weekday` 0 is Monday."""

    day: Ints
    hour: Floats
    weekday: Ints

    def day_edges(self) -> Ints:
        """Indices at which a local day begins, and n at the end; shape (days + 1,)."""
        starts = np.flatnonzero(np.diff(self.day, prepend=self.day[:1] - 1))
        return np.append(starts, len(self.day)).astype(np.int64)


def utc_offsets(times: Floats, zone: tzinfo) -> Floats:
    """Seconds to add to each UTC time (unix seconds) for the local time in `zone`."""
    quarters, which = np.unique(times // QUARTER, return_inverse=True)
    offsets = [_offset(int(q), zone) for q in quarters]
    return np.asarray(offsets, dtype=np.float64)[which]


@lru_cache(maxsize=65_536)
def _offset(quarter: int, zone: tzinfo) -> float:
    moment = datetime.fromtimestamp(quarter * QUARTER, UTC).astimezone(zone)
    return (moment.utcoffset() or timedelta()).total_seconds()


def local_calendar(times: Floats, zone: tzinfo, holidays: Collection[date] = ()) -> Calendar:
    """The local calendar of `times` (unix seconds, ascending).

    A holiday gets the weekday of Sunday: people post on it as on a day off. When a clock is set back across midnight,
    the repeated hour stays with the later day, so that days never go backwards.
    """
    local = times + utc_offsets(times, zone)
    day = np.maximum.accumulate((local // DAY).astype(np.int64)) if len(times) else np.zeros(0, np.int64)
    weekday = (day + 3) % 7
    off = [(d - _EPOCH).days for d in holidays]
    weekday[np.isin(day, off)] = SUNDAY
    return Calendar(day, local % DAY / 3600, weekday)
