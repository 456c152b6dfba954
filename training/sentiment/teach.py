"""Soft targets for the public sets: what earlier models answer, as chances of the three labels.

    python -m training.sentiment.teach --data DIR --out soft.jsonl --labelled FOLDER --unlabelled FOLDER FOLDER

Posts that carry a label (SemEval, UMSAB) are asked of `--labelled`: a model that saw them about once, so that its
answers are not yet memories. Those that carry emotions only (GoEmotions, XED) are asked of all of `--unlabelled`, and
the mean counts. A model's answers are calibrated by its own calibration.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.sentiment import load
from analysis.sentiment.result import LABELS
from store.text import content_hash
from training.sentiment.data import CORPUS, Example, gather

LABELLED, UNLABELLED = ("semeval", "umsab"), ("goemotions", "xed")
AT_A_TIME = 2_000


def answers(folder: Path, examples: Sequence[Example]) -> NDArray[np.float64]:
    """(examples, 3) calibrated chances in the order of LABELS."""
    found = load(str(folder)).score([e.text for e in examples], [e.lang for e in examples])
    return np.array([[getattr(answer, label) for label in LABELS] for answer in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--unlabelled", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--most", type=int, default=20_000, help="posts of each set that carries emotions only")
    given = parser.parse_args()
    public = gather(given.data, CORPUS).public
    asked = [(name, public[name], given.labelled) for name in LABELLED]
    asked += [(name, public[name][: given.most], given.unlabelled) for name in UNLABELLED]
    with given.out.open("w", encoding="utf-8") as out:
        for name, examples, folders in (one for one in asked if one[2]):
            for start in range(0, len(examples), AT_A_TIME):
                part = examples[start : start + AT_A_TIME]
                mean = np.mean([answers(folder, part) for folder in folders], axis=0)
                for e, row in zip(part, mean, strict=True):
                    line = {"text_sha256": content_hash(e.text), "chances": [round(float(v), 4) for v in row]}
                    out.write(json.dumps(line) + "\n")
                print(f"{name}: {start + len(part)} of {len(examples)}", flush=True)


if __name__ == "__main__":
    main()
