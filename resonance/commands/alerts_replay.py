"""`resonance alerts replay`: what each sensitivity would have raised, before anything is switched on."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alerts.safe import line
from config import Settings, Topic, load
from resonance.errors import UsageError
from resonance.progress import counting
from store import Store
from store.records import iso

LONGEST = timedelta(days=366)
SHARES = {
    "negative_surge": "negative",
    "community_sour": "negative",
    "positive_surge": "positive",
    "emotion_surge": "",  # named by the subject
}


@click.command(epilog="Example: resonance alerts replay --since 2026-10-01 --topic coffee")
@click.option("--since", required=True, metavar="TIME", help="From here: 2026-10-01, 2026-10-01T09:00+09:00, or 30d.")
@click.option("--until", metavar="TIME", help="Up to here; now when left out.")
@click.option("--topic", "slug", metavar="SLUG", help="Only this topic.")
@click.option(
    "--step", metavar="MINUTES", type=click.IntRange(1, 60), default=15, show_default=True, help="Between two looks."
)
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Configuration; ./resonance.toml if none."
)
@click.option(
    "--db", type=click.Path(path_type=Path, dir_okay=False), help="SQLite file, instead of the configured one."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object an incident; notes go to stderr.")
def replay(
    since: str, until: str | None, slug: str | None, step: int, config: Path | None, db: Path | None, as_json: bool
) -> None:
    """Which incidents each sensitivity (low, balanced, high) would have raised.

    At each moment only what was known then is used. Nothing is written, nothing is sent. A time without a zone is UTC.
    """
    from resonance.replay import LEAD
    from resonance.replay import replay as run

    settings = load(config)
    now = datetime.now(UTC)
    start, end = _moment(since, "--since", now), _moment(until, "--until", now) if until else now
    if start >= end:
        raise UsageError(f"--since {iso(start)} is not before --until {iso(end)}. Give an earlier --since.")
    if end - start > LONGEST:
        raise UsageError("A replay looks at one year at most. Give a later --since, or an earlier --until.")
    topics = _topics(settings, slug)
    store = Store.open(db or settings.database, create=False, read_only=True)
    try:
        with counting("Replaying", (end - start + LEAD) // timedelta(minutes=step)) as progress:
            found = run(store, settings, topics, start, min(end, now), timedelta(minutes=step), progress)
    finally:
        store.close()
    if as_json:
        for raised in found.raised:
            click.echo(json.dumps(_row(raised), ensure_ascii=False))
    else:
        _tables(found, sys.stdout.isatty())
    for note in found.notes:
        click.echo(note, err=True)


def _moment(text: str, option: str, now: datetime) -> datetime:
    if text.endswith("d") and text[:-1].isdigit() and 0 < int(text[:-1]) <= LONGEST.days:
        return now - timedelta(days=int(text[:-1]))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time. Write 2026-10-01, 2026-10-01T09:00+09:00, or 30d.") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _topics(settings: Settings, slug: str | None) -> tuple[Topic, ...]:
    chosen = tuple(topic for topic in settings.topics if slug in (None, topic.slug))
    if not chosen:
        known = ", ".join(topic.slug for topic in settings.topics) or "none"
        raise UsageError(
            "The configuration has no topic; [[topics]] names them."
            if slug is None
            else f"There is no topic {line(slug, 60)!r}. Topics: {known}."
        )
    return chosen


def _row(raised: Any) -> dict[str, Any]:
    return {k: iso(v) if isinstance(v, datetime) else v for k, v in asdict(raised).items()}


def _tables(found: Any, terminal: bool) -> None:
    from resonance.replay import SENSITIVITIES

    console = Console(width=None if terminal else 160, highlight=False)
    for sensitivity in SENSITIVITIES:
        rows = found.of(sensitivity)
        weeks = ", ".join(f"{count} from {begin:%d %b}" for begin, count in found.weeks(sensitivity))
        console.print(f"\n[bold]{sensitivity}[/bold]: {len(rows)} incidents; by week: {weeks}")
        if not rows:
            continue
        table = Table(
            "raised (UTC)", "began (UTC)", "topic", "rule", "about", "observed", "expected", "severity", "over (UTC)"
        )
        for r in rows:
            rule = " + ".join([r.rule + (" (fall)" if r.direction == "down" else ""), *dict.fromkeys(r.joined)])
            table.add_row(
                f"{r.raised_at:%Y-%m-%d %H:%M}",
                f"{r.began_at:%Y-%m-%d %H:%M}",
                escape(r.topic or "-"),
                rule,
                escape(_about(r)),
                *_numbers(r),
                r.severity,
                f"{r.ended_at:%Y-%m-%d %H:%M}" if r.ended_at else "-",
            )
        console.print(table)


def _about(r: Any) -> str:
    told = [f"@{line(r.account, 40)}"] if r.account else []
    if r.rule == "viral_cascade":
        told.append(line(r.subject, 60))
    return " ".join(told) or "the topic"


def _numbers(r: Any) -> tuple[str, str]:
    """What was observed and expected, in the rule's own unit."""
    if r.rule in SHARES:
        name = SHARES[r.rule] or r.subject.rpartition(":")[2]
        return f"{100 * r.observed:.0f}% {name}", "-" if r.expected is None else f"{100 * r.expected:.0f}%"
    if r.rule == "viral_cascade":
        return f"{r.observed:.0f} reshares", "-" if r.forecast is None else f"{r.forecast:.0f} in a week"
    if r.rule == "community_quiet":
        return f"{r.observed:.0f} regulars", "-" if r.expected is None else f"{r.expected:.0f}"
    if r.rule == "rising_user":
        return f"resonance {r.observed:.0f}", "-" if r.expected is None else f"at most {r.expected:.0f}"
    return f"{r.observed:.0f} posts an hour", "-" if r.expected is None else f"{r.expected:.1f}"
