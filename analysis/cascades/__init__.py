"""Viral cascades: how one post's reshares spread, and how far they will go."""

from analysis.cascades.forecast import ENOUGH, Forecast, Forecaster, TooFewCascades
from analysis.cascades.series import BadSeries, Cascade, from_counts, from_events

__all__ = ["ENOUGH", "BadSeries", "Cascade", "Forecast", "Forecaster", "TooFewCascades", "from_counts", "from_events"]
