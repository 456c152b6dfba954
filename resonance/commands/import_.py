"""`resonance import`: archives of X and Mastodon into the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from config import Settings
from resonance.app import open_store, settings_from, utc_now
from resonance.commands.options import config_option, json_option


@click.command("import", epilog="Example: resonance import tweets.jsonl.gz statuses.jsonl && resonance run --once")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@config_option
@json_option
@click.option(
    "--sample", is_flag=True, help="The file is a sample: its quiet hours say nothing about how quiet it was."
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a line was skipped.")
def import_(files: tuple[str, ...], config: Path | None, as_json: bool, sample: bool, strict: bool) -> None:
    """Import archives: X API v2 pages or flattened posts as twarc writes them, Mastodon statuses; JSON lines, .gz too.

    `-` reads standard input. A bad line is named and skipped. Importing again changes nothing, and nothing that is
    imported raises an alert.
    """
    from resonance.errors import NothingUsable
    from resonance.importing import import_file
    from resonance.progress import counting
    from resonance.tables import Skipped
    from store.topics import sync_topics

    settings = settings_from(config, optional=True)
    store = open_store(settings)
    sync_topics(store, settings.topics, utc_now())
    code = 0
    for name in files:
        skipped = Skipped(name)
        with counting(f"Importing {name}") as progress:
            done = import_file(store, settings, name, utc_now(), skipped, complete=not sample, progress=progress)
        try:
            code = max(code, skipped.finish(strict))
        except NothingUsable as error:  # the other files are worth reading all the same
            click.echo(f"resonance: {error}", err=True)
            code = 1
        told = {
            "file": name,
            "lines": skipped.lines,
            "lines_skipped": skipped.bad,
            "posts": len(done.posts),
            "new_posts": done.saved.new_posts,
            "matched": done.saved.matched,
            "interactions": done.saved.interactions,
        }
        click.echo(json.dumps(told, ensure_ascii=False) if as_json else _sentence(told))
        if warning := _too_old(name, settings, [first for first, _ in done.spans.values()], utc_now()):
            click.echo(f"resonance: {warning}", err=True)
    if not as_json:
        click.echo(
            f"Database: {store.path}. Next: resonance run --once, which scores and analyses what is new.", err=True
        )
    sys.exit(code)


def _too_old(name: str, settings: Settings, firsts: Sequence[datetime], now: datetime) -> str:
    """What to say when posts of an archive will not be kept."""
    days = max((topic.retention_days for topic in settings.topics), default=None)
    if days is None or not firsts or now - min(firsts) <= timedelta(days=days):
        return ""
    return (
        f"{name} goes back to {min(firsts):%Y-%m-%d}, and posts are kept for {days} days: older ones are purged by the "
        "daemon's housekeeping. Raise retention_days of the topic before it runs, to keep them."
    )


def _sentence(told: dict[str, object]) -> str:
    return (
        f"{told['file']}: {told['posts']} posts in {told['lines']} lines, {told['new_posts']} of them new, "
        f"{told['matched']} new matches with your topics, {told['interactions']} new reactions"
    )
