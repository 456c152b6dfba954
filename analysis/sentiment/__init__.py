"""Sentiment of posts: `load()` a model, `score()` texts; shares corrected for the model's known confusion."""

from __future__ import annotations

from analysis.sentiment.corrected import CorrectedShare, corrected_share, priors_by_em
from analysis.sentiment.result import EMOTIONS, LABELS, ModelError, Sentiment, TorchMissing
from analysis.sentiment.scorer import Scorer, load

__all__ = [
    "EMOTIONS",
    "LABELS",
    "CorrectedShare",
    "ModelError",
    "Scorer",
    "Sentiment",
    "TorchMissing",
    "corrected_share",
    "load",
    "priors_by_em",
]
