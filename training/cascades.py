"""Fit the built-in cascade forecaster: `python training/cascades.py --data DIR`.

DIR has `NAME.csv.gz` (cascade, time, followers; seconds after the root, the root at 0) of finished cascades, for
instance Twitter15/16 and Weibo CED. Only the trees' coefficients are written, to analysis/cascades/default.npz; no
cascade can be read back from them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from collections import defaultdict
from pathlib import Path

from analysis.cascades.boosting import Plan
from analysis.cascades.forecast import DEFAULT, GRID, Forecaster
from analysis.cascades.series import Cascade, from_events


def read(path: Path) -> list[Cascade]:
    """The cascades of one file, in its order."""
    times: dict[str, list[float]] = defaultdict(list)
    followers: dict[str, list[float]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            times[row["cascade"]].append(float(row["time"]))
            followers[row["cascade"]].append(float(row["followers"] or math.nan))
    return [from_events(times[k][1:], followers[k][1:], followers[k][0]) for k in times]


def interleaved(sets: list[list[Cascade]]) -> list[Cascade]:
    """All sets in one order in which each block has its share of each set, and each set keeps its order."""
    placed = [(i / len(one), cascade) for one in sets for i, cascade in enumerate(one)]
    return [cascade for _, cascade in sorted(placed, key=lambda pair: pair[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DEFAULT)
    options = parser.parse_args()
    files = sorted(p for p in options.data.glob("*.csv.gz") if "_truth" not in p.name)
    sets = [read(path) for path in files]
    for path, one in zip(files, sets, strict=True):
        print(f"{path.name}: {len(one)} cascades")
    Forecaster.fit(interleaved(sets), GRID, Plan(trees=250, depth=4, rows=0.2, smallest=60)).save(options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
