"""Trends of a topic: spikes and dips of its volume, shifts of a share. Pure functions on arrays; see docs/trends.md."""

from analysis.trends.detect import COVERAGE_BOUND, Sensitivity, State, Trend, Trends, detect

__all__ = ["COVERAGE_BOUND", "Sensitivity", "State", "Trend", "Trends", "detect"]
