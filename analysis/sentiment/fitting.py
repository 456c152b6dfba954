"""Fitting a calibration on labelled posts: temperatures, confusion tables, and how far off confidence is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from analysis.sentiment.calibration import softmax
from analysis.sentiment.result import Floats

Ints = NDArray[np.int64]
PRIOR = 0.25
"""Standard deviation of log temperatures around the pooled one: how different languages are taken to be."""
ELSEWHERE = "elsewhere"
BIAS_PRIOR = 0.3
"""Standard deviation of biases around 0, on scaled logits."""
BIASED_FROM = 1_000
"""Labelled posts of a language from which on biases are fitted: of 320 they gained nothing on posts left out."""


def expected_calibration_error(probabilities: Floats, truth: Ints, bins: int = 15) -> float:
    """Mean |confidence - accuracy| over equally wide bins of confidence, weighted by posts (Guo et al., ICML 2017)."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[which == b].mean() - right[which == b].mean()) * (which == b).mean() for b in np.unique(which)
    ]
    return float(np.sum(gaps))


def temperature(logits: Floats, truth: Ints, around: float | None = None) -> float:
    """The temperature with the least negative log likelihood (Guo et al., ICML 2017).

    With `around`, its logarithm has a normal prior there (standard deviation PRIOR), so that few posts move it little.
    """
    rows = np.arange(len(truth))

    def loss(log_t: float) -> float:
        likelihood = softmax(logits / np.exp(log_t))[rows, truth]
        pull = 0.0 if around is None else ((log_t - np.log(around)) / PRIOR) ** 2 / 2
        return float(-np.log(np.maximum(likelihood, 1e-12)).sum() + pull)

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.2), np.log(10)), method="bounded").x))


def biases(logits: Floats, truth: Ints) -> tuple[float, ...]:
    """What to add to the logits, mean 0, so that no label is given too rarely; each label weighs the same.

    Zeros for fewer than BIASED_FROM posts. Bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar, ICML
    2020) with classes balanced.
    """
    rows, count = np.arange(len(truth)), logits.shape[1]
    if len(truth) < BIASED_FROM:
        return tuple(0.0 for _ in range(count))
    weights = 1 / np.maximum(1, np.bincount(truth, minlength=count))[truth]
    weights *= len(truth) / weights.sum()

    def loss(values: Floats) -> float:
        likelihood = softmax(logits / np.exp(values[0]) + values[1:])[rows, truth]
        return float(
            -(weights * np.log(np.maximum(likelihood, 1e-12))).sum() + (values[1:] ** 2).sum() / 2 / BIAS_PRIOR**2
        )

    found = minimize(loss, np.zeros(count + 1)).x
    moved = (found[1:] - found[1:].mean()) * np.exp(found[0])
    return tuple(float(value) for value in moved)


def temperatures(logits: Floats, truth: Ints, languages: Sequence[str]) -> dict[str, float]:
    """Temperatures by language, with "pooled" (languages weigh the same) and "elsewhere", the highest of them."""
    codes = np.array(languages)
    single = {code: temperature(logits[codes == code], truth[codes == code]) for code in np.unique(codes)}
    pooled = float(np.exp(np.mean(np.log(list(single.values())))))
    found = {str(c): temperature(logits[codes == c], truth[codes == c], around=pooled) for c in single}
    return {**found, "pooled": pooled, ELSEWHERE: max(found.values())}


def confusion(logits: Floats, truth: Ints) -> list[list[int]]:
    """Posts by [true label][label given], 3 x 3."""
    table = np.zeros((3, 3), int)
    np.add.at(table, (truth, logits.argmax(axis=1)), 1)
    return [[int(n) for n in row] for row in table]


def micro_f1(truth: NDArray[np.bool_], named: NDArray[np.bool_]) -> float:
    """Micro F1 of several labels at once, both (posts, labels)."""
    return float(2 * (truth & named).sum() / max(1, truth.sum() + named.sum()))


def emotion_bound(logits: Floats, truth: NDArray[np.bool_]) -> float:
    """The probability from which on naming emotions has the best micro F1, one for all of them, to two digits."""
    chances = 1 / (1 + np.exp(-logits))
    return float(max(np.arange(5, 96) / 100, key=lambda bound: micro_f1(truth, chances >= bound)))


def cross_validated(logits: Floats, truth: Ints, around: float, folds: int = 5) -> float:
    """The calibration error of posts whose calibration was fitted on the other folds (every fifth post is a fold)."""
    fold, scaled = np.arange(len(truth)) % folds, np.empty_like(logits)
    for k in range(folds):
        here, there = fold == k, fold != k
        bias = biases(logits[there], truth[there])
        scaled[here] = (logits[here] + bias) / temperature(logits[there] + bias, truth[there], around)
    return expected_calibration_error(softmax(scaled), truth)
