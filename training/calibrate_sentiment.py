"""Fit calibration.json of a model in an ONNX folder on labelled development posts.

    python -m training.calibrate_sentiment --model analysis/sentiment/model tweeteval.val.jsonl.gz \
        umsab.val.jsonl.gz:ar,de,es,fr,it,pt development.jsonl goemotions.dev.jsonl.gz%4

A file has JSON lines {text, lang, label, emotions}, gzipped or not, of which label or emotions may be missing
(development.jsonl: python -m training.sentiment.evaluate --write); `:ar,de` takes these languages only, `%4` every
fourth post. From where on an emotion is named is fitted where a file tells emotions, each file weighing the same.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from analysis.sentiment import LABELS, Scorer, fitting, load
from analysis.sentiment.calibration import FILE, softmax
from analysis.sentiment.onnx import model_file
from training.sentiment.data import to_eight

Post = dict[str, Any]


def read_posts(given: str) -> tuple[str, list[Post]]:
    """The name of a file and its posts."""
    path, languages, step = re.fullmatch(r"(.*?)(?::([a-z,]+))?(?:%(\d+))?", given).groups()
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines][:: int(step or 1)]
    return given.rpartition("/")[2], [p for p in posts if not languages or p["lang"] in languages.split(",")]


def emotion_bound(scorer: Scorer, sources: dict[str, list[Post]]) -> float:
    """From which probability on emotions are named best; the mean of the files that tell emotions, else one half."""
    found = []
    for posts in sources.values():
        felt = [post for post in posts if post.get("emotions") is not None]
        if felt:
            truth = np.array([to_eight(post["emotions"]) for post in felt]) > 0
            found.append(fitting.emotion_bound(scorer.logits([post["text"] for post in felt])[1], truth))
    return round(float(np.mean(found)), 3) if found else 0.5


def fit(folder: Path, sources: dict[str, list[Post]]) -> dict[str, object]:
    """What calibration.json holds."""
    posts = [post for found in sources.values() for post in found if "label" in post]
    scorer = load(str(folder))
    logits = scorer.logits([post["text"] for post in posts])[0]
    truth = np.array([LABELS.index(post["label"]) for post in posts])
    codes = np.array([post["lang"] for post in posts])
    of = {str(code): codes == code for code in sorted(set(codes))}
    biases = {code: fitting.biases(logits[here], truth[here]) for code, here in of.items()}
    moved = logits + np.array([biases[code] for code in codes])
    found = fitting.temperatures(moved, truth, list(codes))
    pooled, elsewhere = found.pop("pooled"), found.pop(fitting.ELSEWHERE)
    tables = {code: fitting.confusion(moved[here], truth[here]) for code, here in of.items()}
    return {
        "about": "Made by training/calibrate_sentiment.py; see docs/model-card.md.",
        "model_sha256": sha256(model_file(folder).read_bytes()).hexdigest(),
        "fitted_on": {name: len(rows) for name, rows in sources.items()},
        "temperatures": {code: round(value, 4) for code, value in found.items()},
        "biases": {code: [round(value, 4) for value in values] for code, values in biases.items() if any(values)},
        "pooled": round(pooled, 4),
        "elsewhere": round(elsewhere, 4),
        "threshold": 0.5,
        "emotion_bound": emotion_bound(scorer, sources),
        "confusions": {**tables, "pooled": np.sum(list(tables.values()), axis=0).tolist()},
        "calibration_error": {
            code: {
                "posts": int(here.sum()),
                "before": round(fitting.expected_calibration_error(softmax(logits[here]), truth[here]), 4),
                "after_5_fold": round(fitting.cross_validated(logits[here], truth[here], pooled), 4),
            }
            for code, here in of.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--model", type=Path, default=Path("analysis/sentiment/model"))
    given = parser.parse_args()
    found = fit(given.model, dict(map(read_posts, given.files)))
    (given.model / FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in found.items() if key != "confusions"}, indent=1))


if __name__ == "__main__":
    main()
