"""`resonance alerts mute|unmute|mutes|thresholds`: what is told more rarely, for how long, and why."""

from __future__ import annotations

from pathlib import Path

import click

from alerts import mutes as silence
from alerts import thresholds as learning
from alerts.queueing import zone_of
from alerts.rules import HABITS
from alerts.safe import terminal
from alerts.thresholds import Moved
from resonance.commands.alerts_common import by_option, change, example, now, opened, places, print_json, who
from store.records import iso


def moved_words(moved: Moved) -> str:
    """A threshold before and after."""
    return f"Threshold of {moved.rule} on {moved.topic}: ×{moved.before:.2f} → ×{moved.after:.2f};"


@click.command(epilog=example('resonance alerts mute --topic coffee --for 8h --reason "sale day"'))
@places
@by_option
@click.option("--topic", default=None, help="Only this topic; all when left out.")
@click.option("--rule", type=click.Choice(sorted(HABITS)), default=None, help="Only this rule; all when left out.")
@click.option("--for", "length", default=None, metavar="DURATION", help="How long: 90m, 8h, 3d, 2w.")
@click.option("--until", default=None, metavar="TIME", help="Until when, in the topic's zone: 2026-11-23T09:00.")
@click.option("--reason", required=True, help="Why, for those who wonder about the silence.")
def mute(
    config: Path | None,
    db: Path | None,
    by: str | None,
    topic: str | None,
    rule: str | None,
    length: str | None,
    until: str | None,
    reason: str,
) -> None:
    """Silence alerts for a while; incidents are recorded all the same."""
    if (length is None) == (until is None):
        raise click.UsageError("A mute has an end: give one of --for and --until.")
    store, settings = opened(config, db)
    try:
        known = {row[0] for row in store.query("SELECT slug FROM topics")} | {t.slug for t in settings.topics}
        if topic is not None and topic not in known:
            raise click.BadParameter(f"there is no topic {topic!r}", param_hint="--topic")
        try:
            end = silence.end_of(length or until or "", now(), zone_of(settings, topic))
        except ValueError as error:
            raise click.UsageError(f"{error}.") from None
        number = silence.mute(store, topic, rule, end, who(by), reason, now())
    finally:
        store.close()
    click.echo(f"Mute {number}: {topic or 'every topic'}, {rule or 'every rule'}, until {iso(end)}.")


@click.command(epilog=example("resonance alerts unmute 3"))
@places
@click.argument("mute_id", metavar="MUTE", type=int)
def unmute(config: Path | None, db: Path | None, mute_id: int) -> None:
    """End a mute now."""
    change(config, db, lambda store: silence.unmute(store, mute_id, now()))
    click.echo(f"Mute {mute_id} is over.")


@click.command(epilog=example("resonance alerts mutes --all"))
@places
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def mutes(config: Path | None, db: Path | None, everything: bool, as_json: bool) -> None:
    """What is silenced, until when, by whom and why, and how many incidents it kept silent."""
    store, _ = opened(config, db)
    try:
        rows = silence.listed(store, now(), everything=everything)
    finally:
        store.close()
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nothing is muted.", err=True)
    for row in [] if as_json else rows:
        what = f"{row['topic'] or 'every topic'}, {row['rule'] or 'every rule'}"
        end = "until" if row["holds"] else "ended"
        told = f"{row['id']:>4}  {what}  {end} {row['until']}  {row['by']}: {row['reason']}"
        click.echo(terminal(f"{told}  ({row['silenced']} incidents silenced)"))


@click.command(epilog=example("resonance alerts thresholds --revert 4"))
@places
@click.option("--all", "everything", is_flag=True, help="Also what was taken back.")
@click.option("--revert", metavar="CHANGE", type=int, default=None, help="Take back this change and those after it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def thresholds(config: Path | None, db: Path | None, everything: bool, revert: int | None, as_json: bool) -> None:
    """How people's answers moved the thresholds (0.8 to 1.5 times the sensitivity's), and taking it back."""
    store, _ = opened(config, db)
    try:
        if revert is not None:
            moved = learning.revert(store, revert, now())
            click.echo(f"{moved_words(moved)} taken back.", err=True)
        rows = learning.listed(store, everything=everything)
    finally:
        store.close()
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("Every threshold is as the sensitivity sets it.", err=True)
    for row in rows:
        told = f"{row['id']:>4}  {row['at']}  {row['topic']}  {row['rule']}  ×{row['before']:.2f} → ×{row['after']:.2f}"
        state = f"taken back {row['reverted_at']}" if row["reverted_at"] else f"now ×{row['factor']:.2f}"
        click.echo(terminal(f"{told}  {row['reason']}  ({state})"))
