"""`resonance analyse coordination`: who shares the same things at the same moments."""

from __future__ import annotations

from typing import Any

import click

from analysis.coordination import coordinated_pairs
from resonance import tables

EXAMPLE = """
Examples:

\b
  resonance analyse coordination --window 60 shares.csv
  resonance analyse coordination --window 300 - < shares.jsonl | head
"""


@click.command(epilog=EXAMPLE)
@click.argument("file")
@click.option(
    "--window",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Within which two shares are together.",
)
@click.option("--strict", is_flag=True, help="End with 1 when a line was skipped.")
def coordination(file: str, window: float, strict: bool) -> int:
    """Pairs of accounts that share the same items within SECONDS of each other, again and again.

    FILE (CSV or JSON lines, .gz too, - for stdin) has the columns account, item, time. Prints one JSON line per
    suspected pair, the most suspicious first: source, target, score (0..1), co_shares (items shared together), common
    (items both shared at any time), items (some of those shared together). A score is a reason to look, no proof.
    """
    skipped = tables.Skipped(file)
    rows = list(tables.read_rows(file, ("account", "item", "time"), _parse, skipped))
    code = skipped.finish(strict)
    account, item, time = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    tables.write_rows(
        {
            "source": pair.source,
            "target": pair.target,
            "score": round(pair.score, 6),
            "co_shares": pair.co_shares,
            "common": pair.common,
            "items": list(pair.items),
        }
        for pair in coordinated_pairs(account, item, time, window)
    )
    return code


def _parse(row: dict[str, Any]) -> tuple[str, str, float]:
    return tables.text(row, "account"), tables.text(row, "item"), tables.time(row, "time").timestamp()
