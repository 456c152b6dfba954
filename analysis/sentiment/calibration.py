"""Calibrated probabilities: a temperature and biases per language, fitted on development data, beside the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis.sentiment.result import Floats, ModelError

FILE = "calibration.json"
Confusion = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Calibration:
    """Temperatures by language; `pooled` for posts of no known language, `elsewhere` for languages without data.

    `biases`: by language, what is added to the logits of the labels beforehand; other languages have none.
    `threshold`: a largest probability below it is uncertain. `confusions`: by language, counts of development posts by
    [true label][label given], both in the order negative, neutral, positive; "pooled" is their sum. `emotion_bound`:
    the probability from which on naming an emotion errs least; it is moved to 0.5.
    """

    temperatures: Mapping[str, float] = field(default_factory=dict)
    biases: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    pooled: float = 1.0
    elsewhere: float = 1.0
    threshold: float = 0.5
    confusions: Mapping[str, Confusion] = field(default_factory=dict)
    emotion_bound: float = 0.5

    def temperature(self, language: str) -> float:
        """The temperature for a language code; `und` means unknown."""
        return self.temperatures.get(language, self.pooled if language == "und" else self.elsewhere)

    def probabilities(self, logits: Floats, languages: Sequence[str]) -> Floats:
        """Logits (n, labels) and a language code each to probabilities (n, labels); rows sum to 1."""
        none = (0.0,) * logits.shape[1]
        moved = logits + np.array([self.biases.get(code, none) for code in languages]).reshape(-1, logits.shape[1])
        return softmax(moved / np.array([self.temperature(code) for code in languages])[:, None])

    def emotions(self, logits: Floats) -> Floats:
        """Logits of emotions to scores between 0 and 1: an emotion is named from 0.5 on."""
        shift = np.log(self.emotion_bound / (1 - self.emotion_bound))
        return np.asarray(1 / (1 + np.exp(-np.clip(logits - shift, -60, 60))))

    def confusion(self, language: str | None = None) -> Confusion | None:
        """The confusion table of a language, else the pooled one, else None: the model's errors are not known."""
        return self.confusions.get(language or "pooled", self.confusions.get("pooled"))


def softmax(logits: Floats) -> Floats:
    """Rows of logits (n, k) to probabilities, safely for large values."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def read(folder: Path, labels: int = 3) -> Calibration:
    """The calibration in the folder of a model with so many labels; without one every temperature is 1.

    Raises ModelError on a damaged file and on one that is another model's.
    """
    path = folder / FILE
    if not path.exists():
        return Calibration()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration(
            temperatures={code: float(value) for code, value in found["temperatures"].items()},
            biases={code: tuple(map(float, values)) for code, values in found.get("biases", {}).items()},
            pooled=float(found["pooled"]),
            elsewhere=float(found["elsewhere"]),
            threshold=float(found["threshold"]),
            confusions={code: tuple(tuple(row) for row in table) for code, table in found["confusions"].items()},
            emotion_bound=float(found.get("emotion_bound", 0.5)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is damaged ({error!r}). Restore it, or delete it to go without calibration."
        ) from error
    if min(calibration.pooled, calibration.elsewhere, *calibration.temperatures.values(), 1.0) <= 0:
        raise ModelError(f"{path}: temperatures must be above 0. Restore it, or delete it to go without calibration.")
    if not 0 < calibration.emotion_bound < 1:
        raise ModelError(f"{path}: emotion_bound must lie between 0 and 1. Restore it, or delete the line.")
    uneven = [code for code, values in calibration.biases.items() if len(values) != labels]
    if uneven:
        raise ModelError(
            f"{path}: biases of {', '.join(uneven)} must have one number for each of the model's {labels} labels. "
            "Restore it, or delete it to go without calibration."
        )
    return calibration
