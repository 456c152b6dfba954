"""Measures model folders side by side on labelled posts.

python -m training.sentiment.evaluate --data DIR FOLDER [FOLDER ...]

With --write, also writes the corpus' own development rows and UMSAB's Hindi ones with our labels, for
training/calibrate_sentiment.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.sentiment import Scorer, fitting, load
from analysis.sentiment.result import EMOTIONS, LABELS
from training.sentiment.data import CORPUS, Row, corpus, hindi, read_rows, to_eight

FELT = 0.5
"""From here on an emotion counts as named; calibration.json has moved the best bound there."""


def macro(truth: Sequence[str], said: Sequence[str]) -> tuple[float, float]:
    """Macro recall and macro F1 over the labels that occur in truth."""
    y, p = np.array(truth), np.array(said)
    recalls, scores = [], []
    for label in sorted(set(truth)):
        hit, named, there = ((y == label) & (p == label)).sum(), (p == label).sum(), (y == label).sum()
        recalls.append(hit / there)
        scores.append(2 * hit / (named + there))
    return float(np.mean(recalls)), float(np.mean(scores))


def sets(data: Path, folder: Path) -> dict[str, list[Row]]:
    """Held-out posts by name; of GoEmotions' development part every fourth comment."""
    ours = corpus(folder, "development") + corpus(folder, "test")
    found = {
        **{name: [r for r in ours if r["batch"] == name] for name in sorted({r["batch"] for r in ours})},
        "goemotions.dev": list(read_rows(data / "emotion" / "goemotions.dev.jsonl.gz"))[::4],
        "tweeteval.val": list(read_rows(data / "sentiment" / "tweeteval.val.jsonl.gz")),
    }
    posts = list(read_rows(data / "sentiment" / "umsab.val.jsonl.gz"))
    codes = sorted({row["lang"] for row in posts})
    found |= {f"umsab.val {code}": [row for row in posts if row["lang"] == code] for code in codes}
    return found | {"hindi, our labels": hindi(data, "val")}


def hindi_agreement(data: Path) -> str:
    """How often UMSAB's Hindi labels are those that a reader gave who did not see them; by chance it is a third. The
    halves of the training part (in the order of the file) differ."""
    train, val = hindi(data, "train"), hindi(data, "val")
    middle = len(train) // 2
    parts = {"train, first half": train[:middle], "second half": train[middle:], "val": val}
    said = []
    for part, rows in parts.items():
        share = sum(row["label"] == row["given"] for row in rows) / max(1, len(rows))
        said.append(f"{part} {share:.0%} of {len(rows)}")
    return f"UMSAB's Hindi labels agree with ours: {', '.join(said)}"


def measure(scorer: Scorer, rows: Sequence[Row]) -> dict[str, float]:
    """Recall, F1, calibration error (in percent) and posts per second of one model on one set."""
    began = time.perf_counter()
    found = scorer.score([row["text"] for row in rows], [row["lang"] for row in rows])
    took = time.perf_counter() - began
    out = {"posts": len(rows), "posts/s": len(rows) / took}
    if "label" in rows[0]:
        truth, said = [row["label"] for row in rows], [answer.label for answer in found]
        recall, score = macro(truth, said)
        chances = np.array([[getattr(answer, label) for label in LABELS] for answer in found])
        error = fitting.expected_calibration_error(chances, np.array([LABELS.index(label) for label in truth]))
        out |= {"recall": 100 * recall, "F1": 100 * score, "ECE": 100 * error}
    if found[0].emotions and rows[0].get("emotions") is not None:
        felt = np.array([to_eight(row["emotions"]) for row in rows]) > 0
        named = np.array([[answer.emotions[e] >= FELT for e in EMOTIONS] for answer in found if answer.emotions])
        out["emotions"] = 100 * fitting.micro_f1(felt, named)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--only", default="", help="sets whose name begins so")
    parser.add_argument("--write", type=Path, help="where to write the development rows that have our labels")
    given = parser.parse_args()
    if given.write:
        rows = corpus(given.corpus, "development") + hindi(given.data, "val")
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        given.write.write_text("".join(lines), encoding="utf-8")
    print(hindi_agreement(given.data))
    for folder in given.folders:
        print(folder)
        shown, scorer = [], load(str(folder))
        for name, rows in sets(given.data, given.corpus).items():
            if name.startswith(given.only):
                found = measure(scorer, rows)
                shown.append((name, found))
                print(f"  {name:16}" + "".join(f"  {key} {value:.1f}" for key, value in found.items()), flush=True)
        means = [found["F1"] for name, found in shown if name.startswith("umsab")]
        if means:
            print(f"  umsab.val mean F1 {np.mean(means):.1f}")


if __name__ == "__main__":
    main()
