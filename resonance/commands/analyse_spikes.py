"""`resonance analyse spikes`: what the daemon's trend detection says about a series of your own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click

from resonance import tables
from resonance.errors import UsageError


class _Row(NamedTuple):
    moment: datetime
    value: float
    total: float | None


class _Series:
    """Reads the rows of one series: each must lie after the one before it, and all or none have a total."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.last: datetime | None = None
        self.shares: bool | None = None

    def __call__(self, fields: dict[str, Any]) -> _Row:
        row = _Row(
            tables.time(fields, "timestamp", self.zone),
            tables.number(fields, "value"),
            tables.optional_number(fields, "total"),
        )
        self._check(row)
        self.last, self.shares = row.moment, row.total is not None
        return row

    def _check(self, row: _Row) -> None:
        if row.value < 0:
            raise tables.BadField(f"value is negative: {row.value:g}")
        if row.total is not None and row.value > row.total:
            raise tables.BadField(f"value {row.value:g} is more than its total {row.total:g}")
        if self.shares is not None and self.shares != (row.total is not None):
            raise tables.BadField(f"total is {'missing' if self.shares else 'given'}, unlike on the lines before")
        if self.last is not None and row.moment <= self.last:
            raise tables.BadField("timestamp is not after that of the line before; sort the file by time")


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone of this name. Raises UsageError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"--timezone {name!r} is no IANA time zone. Examples: UTC, Asia/Tokyo, Europe/Berlin."
        ) from None


def holiday_dates(country: str | None, first: datetime, last: datetime) -> frozenset[date]:
    """The public holidays of a country in the years of a series; none without one. Raises UsageError."""
    if country is None:
        return frozenset()
    from analysis.trends import UnknownCountry, public_holidays

    try:
        return public_holidays(country, range(first.year - 1, last.year + 2))
    except UnknownCountry as error:
        raise UsageError(f"--holidays: {error}.") from None


@click.command(epilog="Example: resonance analyse spikes --timezone Asia/Tokyo --holidays JP mentions.csv")
@click.argument("file")
@click.option(
    "--timezone", default="UTC", show_default=True, help="IANA zone of the topic, and of times without a zone."
)
@click.option("--holidays", "country", help="Country whose public holidays count as days off, such as JP.")
@click.option(
    "--sensitivity",
    type=click.Choice(["low", "balanced", "high"]),
    default="balanced",
    show_default=True,
    help="How readily an alert is raised.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a line was skipped.")
def spikes(file: str, timezone: str, country: str | None, sensitivity: str, strict: bool) -> int:
    """Find spikes and dips of a count, or shifts of a share, each row judged by the rows before it.

    FILE (CSV or JSON lines, .gz too, - for standard input) has timestamp, value and optionally total: with it, value is
    the part of the total whose share is watched. Rows may be any regular time apart; a missing row is unknown, not
    zero.

    Out come JSON lines: timestamp, expected, low, high (95% of usual rows), surprise, score (0..1, from .5
    on an alert), alert (true on the row that opens an incident), active, direction, state (warming_up, ok,
    insufficient_data).
    """
    zone = zone_named(timezone)
    skipped = tables.Skipped(file)
    rows = list(tables.read_rows(file, ("timestamp", "value"), _Series(zone), skipped))
    code = skipped.finish(strict)
    if rows:
        tables.write_rows(_answers(rows, zone, holiday_dates(country, rows[0].moment, rows[-1].moment), sensitivity))
    return code


def _answers(rows: list[_Row], zone: ZoneInfo, off: frozenset[date], sensitivity: str) -> Iterator[dict[str, Any]]:
    from analysis import trends

    totals = [row.total for row in rows] if rows[0].total is not None else None
    found = trends.detect(
        [row.moment.timestamp() for row in rows],
        [row.value for row in rows],
        totals,  # type: ignore[arg-type]
        timezone=zone,
        holidays=off,
        sensitivity=sensitivity,
    )
    for row, trend in zip(rows, found, strict=True):
        yield {
            "timestamp": row.moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "expected": _rounded(trend.expected),
            "low": _rounded(trend.low),
            "high": _rounded(trend.high),
            "surprise": _rounded(trend.surprise),
            "score": _rounded(trend.score),
            "alert": trend.alert,
            "active": trend.active,
            "direction": trend.direction,
            "state": str(trend.state),
        }


def _rounded(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(f"{number:.6g}")
