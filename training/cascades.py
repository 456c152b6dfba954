"""Fit the built-in cascade forecaster: `python training/cascades.py --data DIR`.

DIR has `NAME.csv.gz` (cascade, time, followers; seconds after the root, the root at 0) of finished cascades, for
instance Twitter15/16 and Weibo CED. Only the trees' coefficients are written, to analysis/cascades/default.npz; no
cascade can be read back from them.

The public sets hold cascades of 50 reshares and more only; learned as they are, a post without any would be promised
hundreds. Thinned copies of them stand for the small ones, as many for each doubling of the size.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.cascades import forecast
from analysis.cascades.boosting import Plan
from analysis.cascades.forecast import DEFAULT, GRID, Forecaster
from analysis.cascades.series import Cascade, from_events

SMALL = 50.0  # expected reshares of the largest thinned copy
COPIES = 2


def read(path: Path) -> list[Cascade]:
    """The cascades of one file, in its order."""
    times: dict[str, list[float]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            times[row["cascade"]].append(float(row["time"]))
    return [from_events(moments[1:]) for moments in times.values()]


def thinned(cascade: Cascade, rng: np.random.Generator) -> Cascade:
    """The same course, smaller: reshares kept by chance, so that 1/2 to SMALL are expected, each octave alike."""
    wanted = math.exp(rng.uniform(math.log(0.5), math.log(SMALL)))
    return from_events(cascade.times[rng.random(len(cascade.times)) < wanted / max(len(cascade.times), 1)])


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
    rng = np.random.default_rng(1)
    sets = [read(path) for path in files]
    for path, one in zip(files, sets, strict=True):
        print(f"{path.name}: {len(one)} cascades")
    small = [[thinned(cascade, rng) for cascade in one] for one in sets for _ in range(COPIES)]
    forecast.MOST = 10**6
    history = interleaved([*sets, *small])
    forecaster = Forecaster.fit(history, GRID, Plan(trees=250, most=16_000))
    finals = np.quantile([cascade.size() for one in sets for cascade in one], np.linspace(0, 1, 101))
    replace(forecaster, finals=finals).save(options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
