"""The embedded sentiment model on the held-out posts of training/corpus: by batch, and by what makes a post hard.

    python benchmarks/sentiment_corpus.py [--model embedded] [--part test|development|both] [--json]

Anybody can repeat it: the posts are CC0 and lie in this repository. Nothing was chosen or fitted on `test`; on
`development` the calibration was. Macro F1 with the range that holds 95% of 2,000 bootstrap samples of the posts (seed
1); ECE: expected calibration error, 15 equal bins; abstained: posts given to a person because the largest probability
is below the threshold, and the share right among the others; emotions: micro F1, named from 0.5 on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.sentiment import LABELS, fitting, load
from analysis.sentiment.result import EMOTIONS, Sentiment

CORPUS = Path(__file__).parent.parent / "training" / "corpus"
SAMPLES = 2_000
FEWEST = 15
"""Phenomena with fewer posts are left out of the table."""
Row = dict[str, Any]
Ints = NDArray[np.int64]


def posts(part: str) -> list[Row]:
    """The settled posts of the parts asked for."""
    split = json.loads((CORPUS / "split.json").read_text(encoding="utf-8"))
    held = {batch for name in ("development", "test") if part in (name, "both") for batch in split[name]}
    rows = map(json.loads, (CORPUS / "corpus.jsonl").read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["batch"] in held and row["label"]]


def macro_f1(truth: Ints, said: Ints) -> float:
    """Mean F1 of the labels that occur in truth."""
    table = np.zeros((3, 3))
    np.add.at(table, (truth, said), 1)
    there, named, hit = table.sum(1), table.sum(0), np.diag(table)
    return float(np.mean([2 * hit[k] / (there[k] + named[k]) for k in range(3) if there[k]]))


def interval(truth: Ints, said: Ints) -> tuple[float, float]:
    """Where 95% of bootstrap samples of the posts have their macro F1."""
    chance = np.random.default_rng(1)
    picks = (chance.integers(0, len(truth), len(truth)) for _ in range(SAMPLES))
    low, high = np.quantile([macro_f1(truth[pick], said[pick]) for pick in picks], [0.025, 0.975])
    return float(low), float(high)


def measure(rows: Sequence[Row], found: Sequence[Sentiment]) -> dict[str, Any]:
    """All figures of one set of posts."""
    truth = np.array([LABELS.index(row["label"]) for row in rows])
    chances = np.array([[getattr(mood, label) for label in LABELS] for mood in found])
    said, sure = chances.argmax(1), np.array([not mood.uncertain for mood in found])
    out: dict[str, Any] = {
        "posts": len(rows),
        "macro_f1": macro_f1(truth, said),
        "interval": interval(truth, said),
        "accuracy": float((truth == said).mean()),
        "ece": fitting.expected_calibration_error(chances, truth),
        "abstained": float(1 - sure.mean()),
        "accuracy_of_the_rest": float((truth == said)[sure].mean()) if sure.any() else None,
    }
    if found[0].emotions:
        felt = np.array([[emotion in row["emotions"] for emotion in EMOTIONS] for row in rows])
        named = np.array([[(mood.emotions or {}).get(emotion, 0) >= 0.5 for emotion in EMOTIONS] for mood in found])
        out["emotions"] = fitting.micro_f1(felt, named)
    return out


def line(name: str, f: dict[str, Any]) -> str:
    """A row of the table, in per cent."""
    low, high = f["interval"]
    emotions = f"{100 * f['emotions']:.0f}" if "emotions" in f else "-"
    return (
        f"| {name} | {f['posts']} | {100 * f['macro_f1']:.1f} ({100 * low:.0f}-{100 * high:.0f}) | "
        f"{100 * f['accuracy']:.1f} | {100 * f['ece']:.1f} | {100 * f['abstained']:.0f} | "
        f"{100 * (f['accuracy_of_the_rest'] or 0):.1f} | {emotions} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--part", choices=["test", "development", "both"], default="both")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    scorer, rows = load(given.model), posts(given.part)
    found = scorer.score([row["text"] for row in rows], [row["lang"] for row in rows])
    groups = {batch: [i for i, r in enumerate(rows) if r["batch"] == batch] for batch in {r["batch"]: 0 for r in rows}}
    for code in ("ja", "en"):
        for tag in sorted({tag for row in rows for tag in row["tags"]}):
            chosen = [i for i, r in enumerate(rows) if r["lang"] == code and tag in r["tags"]]
            if len(chosen) >= FEWEST:
                groups[f"{code} {tag}"] = chosen
    figures = {name: measure([rows[i] for i in at], [found[i] for i in at]) for name, at in groups.items()}
    if given.json:
        print(json.dumps({"model": f"{scorer.name}@{scorer.version}", **figures}, indent=1))
        return
    print(f"model {scorer.name}@{scorer.version}\n")
    print("| posts | n | macro F1 % | accuracy % | ECE % | abstained % | accuracy of the rest % | emotions F1 % |")
    print("|---|---|---|---|---|---|---|---|")
    for name, figure in figures.items():
        print(line(name, figure))


if __name__ == "__main__":
    main()
