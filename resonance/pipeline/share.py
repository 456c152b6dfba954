"""The share of negative posts, corrected for what is known of the model's errors."""

from __future__ import annotations

from analysis.sentiment.calibration import read
from analysis.sentiment.corrected import corrected_share
from analysis.sentiment.scorer import EMBEDDED, EMBEDDED_FOLDER
from config import Settings
from store.topic_hours import Share

# A model whose errors are not known is taken as it is: the interval is then that of the counts alone.
FAULTLESS = ((1e6, 0.0, 0.0), (0.0, 1e6, 0.0), (0.0, 0.0, 1e6))


def share_of(settings: Settings) -> Share:
    """The function that topic_hours asks, for the configured model."""
    confusion = None
    if settings.model.name == EMBEDDED:
        confusion = read(EMBEDDED_FOLDER).confusion()

    def share(negative: int, neutral: int, positive: int) -> tuple[float, float, float] | None:
        counts = {"negative": negative, "neutral": neutral, "positive": positive}
        told = corrected_share(counts, confusion or FAULTLESS)
        return None if told.share is None else (told.share, told.low, told.high)

    return share
