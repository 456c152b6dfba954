"""What scoring gives, what a model must be able to do, and what can go wrong.

Exceptions:
    ModelError          a model cannot be loaded or used
      TorchMissing      it runs on PyTorch, which is not installed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LABELS = ("negative", "neutral", "positive")
EMOTIONS = ("joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation")

Floats = NDArray[np.float64]
Progress = Callable[[int], None]


class ModelError(Exception):
    """A model cannot be loaded or used; the message says what to do."""

    exit_code = 1


class TorchMissing(ModelError):
    """The model runs on PyTorch, which is not installed."""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """The answer for one text: calibrated probabilities that sum to 1, and the label of the largest.

    `uncertain`: the largest probability is below the threshold, or the model could not read the text; such posts go
    to the review queue. `emotions`: a score from 0 to 1 by name, each for itself, named from 0.5 on; None where the
    model has none or could not read the text. `language`: the one whose calibration was used.
    """

    label: str
    negative: float
    neutral: float
    positive: float
    uncertain: bool
    language: str
    emotions: dict[str, float] | None = None


class Model(Protocol):
    """What runs a network."""

    name: str
    version: str
    labels: tuple[str, ...]
    """Names of the sentiment outputs, in their order."""
    emotions: tuple[str, ...]
    """Names of the emotion outputs; empty where there are none."""

    def run(self, texts: Sequence[str], progress: Progress) -> NDArray[np.float32]:
        """One row per text: a logit per label, a logit per emotion, the share of tokens that the model cannot read.

        A row depends on its own text only. `progress` is called with the number of texts just done.
        """
