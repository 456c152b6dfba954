"""Shares of negative posts, corrected for the classifier's known confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from analysis.sentiment.result import LABELS, Floats

Z95 = 1.959963984540054
LEAST_INFORMATION = 0.05


class CorrectedShare(NamedTuple):
    """A share between 0 and 1 with its 95% interval; share is None where there are no posts."""

    share: float | None
    low: float
    high: float


def corrected_share(
    counts: Mapping[str, float], confusion: Sequence[Sequence[float]], label: str = "negative", z: float = Z95
) -> CorrectedShare:
    """The true share of `label` among posts of which the model called `counts`, with an interval.

    Parameters
    ----------
    counts : posts by the label that the model gave them.
    confusion : development posts by [true label][label given], 3 x 3 in the order of LABELS.
    label : the label whose share is wanted.
    z : standard normal quantile of the interval; 1.96 for 95%.

    Notes
    -----
    The share is Rogan and Gladen's (Am J Epidemiol 1978) adjusted count, cut to 0..1. The interval is Lang and
    Reiczigel's (Prev Vet Med 2014): it takes in that sensitivity and specificity were themselves measured on finitely
    many posts. Both assume that the model errs on these posts as on the development posts. Where it cannot tell the
    label from the rest at all, the interval is 0..1.

    Examples
    --------
    >>> corrected_share({"negative": 30, "neutral": 50, "positive": 20}, [[80, 15, 5], [10, 80, 10], [5, 15, 80]])[0]
    0.310...
    """
    total = float(sum(counts.get(name, 0) for name in LABELS))
    if total <= 0:
        return CorrectedShare(None, 0.0, 1.0)
    table, at = np.asarray(confusion, float), LABELS.index(label)
    yes, no = table[at].sum(), table.sum() - table[at].sum()
    given = counts.get(label, 0) / total
    if min(yes, no) <= 0:
        return CorrectedShare(given, 0.0, 1.0)
    sensitivity = table[at, at] / yes
    specificity = 1 - (table[:, at].sum() - table[at, at]) / no
    if sensitivity + specificity - 1 < LEAST_INFORMATION:
        return CorrectedShare(given, 0.0, 1.0)
    share = _unit((given + specificity - 1) / (sensitivity + specificity - 1))
    low, high = _lang_reiczigel(given, total, (sensitivity, yes), (specificity, no), z)
    return CorrectedShare(share, min(low, share), max(high, share))


def _unit(value: float) -> float:
    return min(1.0, max(0.0, float(value)))


def _lang_reiczigel(
    given: float, n: float, sensitivity: tuple[float, float], specificity: tuple[float, float], z: float
) -> tuple[float, float]:
    (se, yes), (sp, no) = sensitivity, specificity
    n_, yes_, no_ = n + z**2, yes + 2, no + 2
    given_, se_, sp_ = (n * given + z**2 / 2) / n_, (yes * se + 1) / yes_, (no * sp + 1) / no_
    told = se_ + sp_ - 1
    share = (given_ + sp_ - 1) / told
    of_se, of_sp = se_ * (1 - se_) / yes_, sp_ * (1 - sp_) / no_
    shift = 2 * z**2 * (share * of_se - (1 - share) * of_sp)
    spread = sqrt(given_ * (1 - given_) / n_ + share**2 * of_se + (1 - share) ** 2 * of_sp) / told
    return _unit(share + shift - z * spread), _unit(share + shift + z * spread)


def priors_by_em(probabilities: Floats, trained: Sequence[float], rounds: int = 200) -> Floats:
    """The labels' shares in a set of posts from calibrated probabilities (n, 3), by Saerens, Latinne and Decaestecker.

    `trained` are the labels' shares in the data on which the probabilities are calibrated. The alternative to
    `corrected_share` where probabilities are at hand; it gives no interval (Neural Computation 14, 2002).
    """
    before = np.asarray(trained, float) / np.sum(trained)
    shares = before
    for _ in range(rounds):
        weighted = probabilities * (shares / before)
        new = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(new - shares).max() < 1e-9:
            break
        shares = new
    return np.asarray(shares)
