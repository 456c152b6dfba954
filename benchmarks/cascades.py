"""Cascade forecasts against n_T x c: `python benchmarks/cascades.py --data DIR [--only NAME] [--refreshes]`.

DIR has `NAME.csv.gz` files of finished cascades (cascade, time, followers; seconds after the root, the root at 0),
in the order of their roots. The earlier half is learned from, the later half forecast. n_T x c multiplies the reshares
seen by the median growth of the earlier half (the median final size where none was seen); its interval is the
split-conformal one. `--refreshes` adds a line in which the product sees counts at refreshes only, as on Mastodon.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau

from analysis.cascades import Cascade, Forecaster, from_counts, from_events

HORIZONS = (600, 3600, 21600)
REFRESHES = (60, 120, 300, 600, 1200, 2400, 3600, 7200, 14400, 21600)


class Answer(NamedTuple):
    size: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read(path: Path) -> list[Cascade]:
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows[row["cascade"]].append((float(row["time"]), float(row.get("followers") or math.nan)))
    return [from_events([t for t, _ in r[1:]], [f for _, f in r[1:]], r[0][1]) for r in rows.values()]


def final(cascades: list[Cascade]) -> np.ndarray:
    return np.array([c.size() for c in cascades], float)


def multiplied(past: list[Cascade], now: list[Cascade], horizon: float) -> Answer:
    seen, end = np.array([c.size(horizon) for c in past]) - 1.0, final(past) - 1
    growth = np.sort(end[seen > 0] / seen[seen > 0])
    silent = np.sort(end[seen == 0] if (seen == 0).any() else end)
    count = np.array([c.size(horizon) for c in now]) - 1.0

    def at(level: float) -> np.ndarray:
        def pick(x: np.ndarray) -> float:
            rank = level * (len(x) + 1) - 1
            near = round(rank) if level == 0.5 else (math.ceil(rank) if level > 0.5 else math.floor(rank))
            return float(x[min(max(near, 0), len(x) - 1)])

        return 1 + np.where(count > 0, count * pick(growth), pick(silent))

    return Answer(at(0.5), at(0.05), at(0.95))


def product(past: list[Cascade], now: list[Cascade], horizon: float) -> Answer:
    found = Forecaster.around(past, horizon).forecast(now, horizon)
    return Answer(found.size, found.low, found.high)


def refreshed(cascades: list[Cascade]) -> list[Cascade]:
    return [from_counts(REFRESHES, [c.size(t) for t in REFRESHES]) for c in cascades]


def measures(answer: Answer, truth: np.ndarray) -> str:
    error = 100 * np.median(np.abs(answer.size - truth) / (truth - 1))
    k = max(1, round(0.05 * len(truth)))
    top = len(set(np.argsort(-truth, kind="stable")[:k]) & set(np.argsort(-answer.size, kind="stable")[:k])) / k
    covered = np.mean((answer.low <= truth) & (truth <= answer.high))
    margin = 1.96 * math.sqrt(max(covered * (1 - covered), 1e-9) / len(truth))
    width = np.median((answer.high - answer.low) / truth)
    return (
        f"{error:7.1f} {kendalltau(truth, answer.size)[0]:6.3f} {top:6.3f} {covered:9.3f} +-{margin:.3f} {width:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--refreshes", action="store_true")
    options = parser.parse_args()
    files = [p for p in sorted(options.data.glob("*.csv.gz")) if "_truth" not in p.name and options.only in p.name]
    if not files:
        print(f"{options.data}: no cascades (NAME.csv.gz) here; docs/cascades.md says where public sets come from.")
        sys.exit(0)
    for path in files:
        cascades = read(path)
        past, now = cascades[: len(cascades) // 2], cascades[len(cascades) // 2 :]
        for horizon in HORIZONS:
            print(f"\n{path.name} at {horizon} s, {len(past)} learned from, {len(now)} forecast")
            print(f"{'':22} mdAPE%    tau   P@5% coverage of 90%   width")
            began = time.perf_counter()
            print(f"{'product':20} {measures(product(past, now, horizon), final(now))}", end="")
            print(f"   ({time.perf_counter() - began:.1f} s)")
            if options.refreshes:
                print(f"{'product, counts only':20} {measures(product(past, refreshed(now), horizon), final(now))}")
            print(f"{'n_T x c':20} {measures(multiplied(past, now, horizon), final(now))}", flush=True)


if __name__ == "__main__":
    main()
