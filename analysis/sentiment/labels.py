"""Other models' labels, mapped to negative, neutral and positive."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from analysis.sentiment.result import Floats, ModelError

_NAMES = (
    ("negative", "neg", "bad", "very negative", "somewhat negative", "slightly negative", "ネガティブ", "否定的"),
    ("neutral", "neu", "mixed", "ニュートラル", "中立"),
    ("positive", "pos", "good", "very positive", "somewhat positive", "slightly positive", "ポジティブ", "肯定的"),
)
_STARS = re.compile(r"([1-5])(?: ?stars?)?")
_ANONYMOUS = re.compile(r"label[ ]?(\d+)")
_ORDERED = {2: (0, 2), 3: (0, 1, 2), 5: (0, 0, 1, 2, 2)}


def columns(labels: Sequence[str]) -> tuple[int, ...]:
    """For each label of a model the column (0 negative, 1 neutral, 2 positive) that it counts for.

    Understood are names (negative/neg/very negative ...), star ratings (1-2, 3, 4-5) and LABEL_0, LABEL_1, ... in
    rising order for 2, 3 or 5 labels. Raises ModelError for anything else, rather than guessing.
    """
    plain = [re.sub(r"[\s_-]+", " ", label).strip().lower() for label in labels]
    found: list[int | None] = [next((i for i, names in enumerate(_NAMES) if name in names), None) for name in plain]
    order = _ORDERED.get(len(labels))
    if order and all(_ANONYMOUS.fullmatch(name) for name in plain):
        found = [order[i] for i in range(len(plain))]
    elif len(labels) == 5 and all(_STARS.fullmatch(name) for name in plain):
        found = [_ORDERED[5][int(name[0]) - 1] for name in plain]
    known = tuple(i for i in found if i is not None)
    if len(known) < len(labels) or not {0, 2} <= set(known):
        raise ModelError(
            f"The model's labels are {', '.join(labels) or 'missing'}; they cannot be read as negative, neutral "
            "and positive without guessing. Use a sentiment model, or name its labels in id2label of its config.json."
        )
    return known


def to_three(labels: Sequence[str]) -> Callable[[Floats], Floats]:
    """A function from a model's probabilities (n, labels) to negative, neutral, positive (n, 3); rows sum to 1.

    A model without a neutral label says with p = .5 that it cannot tell: neutral is 1 - |2p - 1|, the rest goes to the
    side that p leans to.
    """
    onto = np.zeros((len(labels), 3))
    onto[np.arange(len(labels)), columns(labels)] = 1

    def three(probabilities: Floats) -> Floats:
        return np.asarray(probabilities @ onto)

    def two(probabilities: Floats) -> Floats:
        lean = 2 * (probabilities @ onto)[:, 2] - 1
        return np.column_stack([np.maximum(-lean, 0), 1 - np.abs(lean), np.maximum(lean, 0)])

    return three if onto[:, 1].any() else two
