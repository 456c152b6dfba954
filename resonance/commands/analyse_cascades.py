"""`resonance analyse cascades`: forecasts of the final size from the first moments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from analysis.cascades import BadSeries, Cascade, Forecast, Forecaster, TooFewCascades, from_counts, from_events
from analysis.cascades.series import WEEK
from resonance.errors import NothingUsable, UsageError
from resonance.tables import BadField, Skipped, number, optional_number, read_rows, text, write_rows

EXAMPLE = """
\b
Example, reshares of two posts seen in their first hour, learning from finished cascades of the same network:
  $ cat now.csv
  cascade,time,followers
  a,0,1200
  a,35,80
  a,410,
  b,0,90
  b,1800,15
  $ resonance analyse cascades --observe 3600 --history finished.csv now.csv
Counts seen at refreshes (Mastodon) instead of reshares: columns cascade,time,count; count includes the root.
"""


@dataclass
class _Raw:
    """Rows of one cascade as they come: (time, followers) or (time, count)."""

    events: list[tuple[float, float]] = field(default_factory=list)
    counts: list[tuple[float, float]] = field(default_factory=list)


def _parse(row: dict[str, Any]) -> tuple[str, float, float | None, float | None]:
    moment = number(row, "time")
    if moment < 0:
        raise BadField(f"time is before the root: {moment:g}")
    count, followers = optional_number(row, "count"), optional_number(row, "followers")
    if count is not None and not (1 <= count <= 1e8 and count == int(count)):
        raise BadField(f"count is not a whole number from 1 on: {count:g}")
    if followers is not None and followers < 0:
        raise BadField(f"followers is negative: {followers:g}")
    return text(row, "cascade"), moment, count, followers


def _read(path: str, horizon: float, skipped: Skipped) -> dict[str, Cascade]:
    """Cascades of a file by name, in the order of their first row, with the rows up to the horizon only."""
    raw: dict[str, _Raw] = {}
    for name, moment, count, followers in read_rows(path, ("cascade", "time"), _parse, skipped):
        if moment > horizon:
            continue
        rows = raw.setdefault(name, _Raw())
        if count is None:
            rows.events.append((moment, math.nan if followers is None else followers))
        else:
            rows.counts.append((moment, count))
    return {name: _cascade(name, rows) for name, rows in raw.items()}


def _cascade(name: str, rows: _Raw) -> Cascade:
    if rows.events and rows.counts:
        raise UsageError(f"cascade {name!r} has rows with a count and rows without; give it one kind.")
    try:
        if rows.counts:
            return from_counts([t for t, _ in rows.counts], [n for _, n in rows.counts])
        ordered = sorted(rows.events, key=lambda event: event[0])
        root = ordered.pop(0)[1] if ordered[0][0] == 0 else math.nan
        return from_events([t for t, _ in ordered], [f for _, f in ordered], root)
    except BadSeries as error:
        raise UsageError(f"cascade {name!r}: {error}") from None


def _forecaster(history: str | None, observe: float, strict: bool) -> tuple[Forecaster, int]:
    if history is None:
        return Forecaster.default(), 0
    skipped = Skipped(history)
    past = list(_read(history, WEEK, skipped).values())
    code = skipped.finish(strict)
    try:
        return Forecaster.around(past, observe), code
    except TooFewCascades as error:
        raise NothingUsable(f"{history}: {error}. Leave --history out, and the built-in default answers.") from None


def _answers(names: Iterable[str], found: Forecast) -> Iterator[dict[str, Any]]:
    for i, name in enumerate(names):
        yield {
            "cascade": name,
            "observed": int(found.observed[i]),
            "forecast": round(float(found.size[i]), 2),
            "low": int(found.low[i]),
            "high": int(found.high[i]),
            "p_top5": round(float(found.p_top[i]), 5),
            "reproduction": round(float(found.reproduction[i]), 3),
        }


@click.command(epilog=EXAMPLE)
@click.option("--observe", type=float, required=True, help="Seconds after the root up to which rows are looked at.")
@click.option("--history", type=click.Path(), help="Finished cascades of the same network, whole, to learn from.")
@click.option("--strict", is_flag=True, help="End with 1 when a line had to be skipped.")
@click.argument("file")
def cascades(observe: float, history: str | None, strict: bool, file: str) -> int:
    """Forecast the size that each cascade of FILE (CSV or JSON lines; `-`: standard input) has after 7 days.

    Rows are {cascade, time, followers?}, time in seconds after the root, the root the row at 0; or counts
    {cascade, time, count}. Prints cascade, observed, forecast, low, high (90% interval), p_top5 (probability of
    ending among the largest 5% of the history, else of the file) and reproduction (above 1 it grows).
    """
    if not (math.isfinite(observe) and 0 < observe <= WEEK):
        raise UsageError(f"--observe {observe:g}: give seconds from 1 to {WEEK:g} (7 days).")
    skipped = Skipped(file)
    found = _read(file, observe, skipped)
    code = skipped.finish(strict)
    if not found:
        return code
    forecaster, other = _forecaster(history, observe, strict)
    reference = None if history else ()
    write_rows(_answers(found, forecaster.forecast(list(found.values()), observe, reference)))
    return max(code, other)
