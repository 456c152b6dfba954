"""`resonance analyse influence`: who moves whom, in a file of interactions."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click

from analysis.coordination import suspected
from analysis.graph import KINDS, Interactions
from analysis.influence import AccountResonance, Exclusions, counted, score_accounts
from resonance import tables
from resonance.errors import NothingUsable

EXAMPLE = """
Examples:

\b
  resonance analyse influence --until 2026-11-22T00:00:00Z interactions.csv
  resonance analyse influence --until 2026-11-22 --own @brand --seed 7 interactions.jsonl.gz > resonance.jsonl
"""
DIGITS = 4


class Row(NamedTuple):
    """One line of the file."""

    source: str
    target: str
    time: float
    kind: str
    followers: float | None
    item: str | None


class Moment(click.ParamType[datetime]):
    """A time on the command line, ISO 8601; UTC when it has no zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time in UTC; click reports what cannot be read."""
        try:
            return tables.time({"--until": value}, "--until")
        except tables.BadField as error:
            self.fail(str(error), param, ctx)


@click.command(epilog=EXAMPLE)
@click.argument("file")
@click.option("--until", type=Moment(), required=True, metavar="TIME", help="Rows before this time count (ISO 8601).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the search for communities.")
@click.option("--own", multiple=True, metavar="ACCOUNT", help="An account of your own; it does not count. Repeatable.")
@click.option("--bot", multiple=True, metavar="ACCOUNT", help="A declared bot; its reactions do not count. Repeatable.")
@click.option("--all", "everything", is_flag=True, help="Leave nothing out but reactions to oneself.")
@click.option("--strict", is_flag=True, help="End with 1 when a line was skipped.")
def influence(
    file: str, until: datetime, seed: int, own: tuple[str, ...], bot: tuple[str, ...], everything: bool, strict: bool
) -> int:
    """Resonance of every account: how much it moves others, its parts, its communities.

    FILE (CSV or JSON lines, .gz too, - for stdin) has the columns source (who reacted), target (who was reacted to),
    time, kind (reshare, quote, reply or mention) and, if known, followers (of the target) and item (the post that was
    reacted to). Prints one JSON line per account, the largest resonance first; docs/resonance.md explains the fields.
    Reactions to oneself, of --own and --bot accounts and, where items are told, of accounts that share the same items
    within a minute again and again are left out; how many is said on stderr, and resonance_all counts them.
    """
    skipped = tables.Skipped(file)
    rows = list(tables.read_rows(file, ("source", "target", "time", "kind"), _parse, skipped))
    code = skipped.finish(strict)
    end = until.astimezone(UTC).timestamp()
    interactions = _columns([row for row in rows if row.time < end])
    if not len(interactions):
        raise NothingUsable(f"{file}: no row lies before {until.isoformat()}. Is --until right?")
    exclusions = Exclusions() if everything else _exclusions(interactions, own, bot)
    _tell(file, interactions, exclusions)
    tables.write_rows(_plain(row) for row in score_accounts(interactions, end, seed=seed, exclusions=exclusions))
    return code


def _parse(row: dict[str, Any]) -> Row:
    kind = tables.text(row, "kind").strip().lower()
    if kind not in KINDS:
        raise tables.BadField(f"kind is none of {', '.join(KINDS)}: {ascii(kind)[:40]}")
    item = row.get("item")
    return Row(
        tables.text(row, "source"),
        tables.text(row, "target"),
        tables.time(row, "time").timestamp(),
        kind,
        tables.optional_number(row, "followers"),
        None if item in (None, "") else tables.text(row, "item"),
    )


def _columns(rows: list[Row]) -> Interactions:
    source, target, time, kind, _, item = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 6
    newest = {row.target: row.followers for row in sorted(rows, key=lambda r: r.time) if row.followers is not None}
    return Interactions.build(source, target, time, kind, item=item, followers=newest)


def _exclusions(interactions: Interactions, own: tuple[str, ...], bot: tuple[str, ...]) -> Exclusions:
    """What the caller named, and suspected coordination where items are told."""
    return Exclusions(own=frozenset(own), bots=frozenset(bot), coordinated=suspected(interactions))


def _tell(file: str, interactions: Interactions, exclusions: Exclusions) -> None:
    _, left = counted(interactions, exclusions)
    if left.total:
        why = ", ".join(f"{reason} {n}" for reason, n in left.interactions.items() if n)
        print(f"{file}: {left.total} of {left.of} interactions left out ({why})", file=sys.stderr)


def _plain(row: AccountResonance) -> dict[str, Any]:
    out = asdict(row)
    for name, value in out.items():
        if isinstance(value, float):
            out[name] = float(f"{value:.7g}") if name == "resonance" else round(value, DIGITS)
    out["flags"], out["items"], out["parts_missing"] = list(row.flags), list(row.items), list(row.parts_missing)
    return out
