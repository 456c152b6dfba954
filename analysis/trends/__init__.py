"""Trends of a topic: spikes and dips of its volume, shifts of a share. Pure functions on arrays; see docs/trends.md."""

from analysis.trends.calendar import UnknownCountry, public_holidays
from analysis.trends.detector import (
    COVERAGE_BOUND,
    Sensitivity,
    State,
    Trend,
    Trends,
    detect,
    hysteresis,
    stricter,
)

__all__ = [
    "COVERAGE_BOUND",
    "Sensitivity",
    "State",
    "Trend",
    "Trends",
    "UnknownCountry",
    "detect",
    "hysteresis",
    "public_holidays",
    "stricter",
]
