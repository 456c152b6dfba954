"""Fit calibration.json of a model in an ONNX folder on labelled development posts.

    python training/calibrate_sentiment.py --model analysis/sentiment/model tweeteval.val.jsonl.gz \
        umsab.val.jsonl.gz:ar,de,es,fr,it,pt development.jsonl

A file has JSON lines {text, lang, label}, gzipped or not (development.jsonl: python -m training.sentiment.evaluate
--write); `:ar,de` takes these languages only, `%5` every fifth post.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np

from analysis.sentiment import LABELS, fitting, load
from analysis.sentiment.calibration import FILE, softmax
from analysis.sentiment.onnx import model_file

Post = dict[str, str]


def read_posts(given: str) -> tuple[str, list[Post]]:
    """The name of a file and its posts."""
    path, languages, step = re.fullmatch(r"(.*?)(?::([a-z,]+))?(?:%(\d+))?", given).groups()
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines][:: int(step or 1)]
    return given.rpartition("/")[2], [p for p in posts if not languages or p["lang"] in languages.split(",")]


def fit(folder: Path, sources: dict[str, list[Post]]) -> dict[str, object]:
    """What calibration.json holds."""
    posts = [post for found in sources.values() for post in found]
    logits = load(str(folder)).logits([post["text"] for post in posts]).astype(float)
    truth = np.array([LABELS.index(post["label"]) for post in posts])
    codes = np.array([post["lang"] for post in posts])
    found = fitting.temperatures(logits, truth, list(codes))
    pooled, elsewhere = found.pop("pooled"), found.pop(fitting.ELSEWHERE)
    of = {str(code): codes == code for code in sorted(set(codes))}
    tables = {code: fitting.confusion(logits[here], truth[here]) for code, here in of.items()}
    return {
        "about": "Made by training/calibrate_sentiment.py; see docs/model-card.md.",
        "model_sha256": sha256(model_file(folder).read_bytes()).hexdigest(),
        "fitted_on": {name: len(rows) for name, rows in sources.items()},
        "temperatures": {code: round(value, 4) for code, value in found.items()},
        "pooled": round(pooled, 4),
        "elsewhere": round(elsewhere, 4),
        "threshold": 0.5,
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
