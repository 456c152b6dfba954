"""Viral cascades: how one post's reshares spread, and how far they will go."""

from analysis.cascades.forecast import ENOUGH, Forecast, Forecaster, TooFewCascades
from analysis.cascades.series import BadSeries, Cascade, from_counts, from_events
from analysis.cascades.tree import Entry, Shape, Share, shape, shape_of_counts

__all__ = [
    "ENOUGH",
    "BadSeries",
    "Cascade",
    "Entry",
    "Forecast",
    "Forecaster",
    "Shape",
    "Share",
    "TooFewCascades",
    "from_counts",
    "from_events",
    "shape",
    "shape_of_counts",
]
