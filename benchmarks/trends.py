"""Trend detection on labelled windows, beside a simple baseline: python benchmarks/trends.py --data DIR.

DIR holds NAME.csv or NAME.csv.gz (timestamp, value; numenta/NAB, data/realTweets) and windows.json (name -> list of
first and last timestamp, from NAB's labels/combined_windows.json). Without DIR only synthetic shares are measured.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from analysis import trends

PROBATION = 750  # rows, as in NAB
DAY, STEP = 96, 900  # rows a day, s, of the synthetic shares
START = 1767571200.0  # a Monday, 2026-01-05T00:00:00Z


def seconds(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([seconds(r["timestamp"]) for r in rows]), np.array([float(r["value"]) for r in rows])


def rolling_z(values: np.ndarray, rows: int = 288 * 7, bound: float = 10.0) -> np.ndarray:
    """The baseline: z of a row against the seven days before it, and silence for 6 h after an alert."""
    sums, squares = (np.concatenate([[0], np.cumsum(v)]) for v in (values, values**2))
    ends = np.arange(len(values))
    starts = np.maximum(ends - rows, 0)
    n = np.maximum(ends - starts, 1)
    mean = (sums[ends] - sums[starts]) / n
    spread = np.sqrt(np.maximum((squares[ends] - squares[starts]) / n - mean**2, 1))
    alert, last = np.zeros(len(values), bool), -PROBATION
    for i in np.flatnonzero((values - mean) / spread > bound):
        if i - last >= 72:
            alert[i], last = True, i
    return alert


def measure(times: np.ndarray, alert: np.ndarray, windows: list[tuple[float, float]]) -> np.ndarray:
    """Windows, windows with an alert, alerts, alerts outside, days; only rows after the probation."""
    start = times[min(PROBATION, int(0.15 * len(times)))]
    judged = times[alert & (times >= start)]
    inside = [[a <= t <= b for t in judged] for a, b in windows if b >= start]
    hit = np.any(inside, axis=0) if inside and len(judged) else np.zeros(len(judged), bool)
    return np.array([len(inside), sum(map(any, inside)), len(judged), (~hit).sum(), (times[-1] - start) / 86400])


def show(name: str, total: np.ndarray) -> None:
    windows, caught, alerts, false, days = total
    error = np.sqrt(max(caught * (windows - caught), 1) / windows**3)
    print(f"{name:24} recall {caught / windows:.2f} +- {error:.2f} ({caught:.0f} of {windows:.0f})", end="  ")
    print(f"precision {1 - false / max(alerts, 1):.2f}  false alerts a day {false / days:.3f}")


def labelled(folder: Path) -> None:
    windows = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
    ours, simple = np.zeros(5), np.zeros(5)
    for name, spans in windows.items():
        path = next(folder.glob(f"{name}.csv*"))
        times, values = load(path)
        truth = [(seconds(a), seconds(b)) for a, b in spans]
        ours += measure(times, trends.detect(times, values).alert, truth)
        simple += measure(times, rolling_z(values), truth)
    show("trends.detect", ours)
    show("z > 10 of seven days", simple)


def shares(seeds: int, lift: float = 0.2) -> None:
    """A steady share of 60 posts an hour, shifted for 2 h every other day from the tenth on: easier than life."""
    total = np.zeros(5)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        times = START + np.arange(30 * DAY) * float(STEP)
        posts = rng.poisson(15, len(times))
        share = np.full(len(times), 0.3)
        begins = np.arange(10 * DAY, 29 * DAY, 2 * DAY) + rng.integers(0, DAY, 10)
        for begin in begins:
            share[begin : begin + 8] += lift
        found = trends.detect(times, rng.binomial(posts, share), posts)
        truth = [(times[b], times[b] + 11 * STEP) for b in begins]
        total += measure(times, found.alert, truth)
    show(f"share +{100 * lift:.0f} points, 2 h", total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the labelled series")
    parser.add_argument("--seeds", type=int, default=5, help="synthetic months of shares")
    args = parser.parse_args()
    if args.data and (args.data / "windows.json").exists():
        labelled(args.data)
    else:
        print(f"No labelled series: {args.data or 'no --data given'}. Get data/realTweets of numenta/NAB; see --help.")
    shares(args.seeds)


if __name__ == "__main__":
    main()
