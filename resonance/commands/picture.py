"""`resonance picture`: a map of communities, or one post's spread, as PNG for a slide or a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from resonance.app import open_store, settings_from
from resonance.commands.options import config_option
from resonance.errors import UsageError

EXAMPLE = """Examples:

\b
  resonance picture communities --topic matcha --output communities.png
  resonance picture cascade --topic matcha --post x:1893456000000000000 --language en --output spread.png
"""


def _common(command: Any) -> Any:
    for option in (
        config_option,
        click.option("--language", type=click.Choice(["ja", "en"]), help="Default: the topic's alert language."),
        click.option(
            "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True, help="PNG file."
        ),
        click.option("--topic", help="Slug; may be left out where there is only one topic."),
    ):
        command = option(command)
    return command


@click.group(epilog=EXAMPLE)
def picture() -> None:
    """Draw a picture of what was analysed, readable in Japanese and with every common colour blindness."""


@picture.command(epilog="Example: resonance picture communities --topic matcha --output communities.png")
@_common
def communities(config: Path | None, language: str | None, output: Path, topic: str | None) -> None:
    """A map of the communities: their most resonant accounts, their words, and what passes between them."""
    _draw(config, language, output, topic, None, cascade=False)


@picture.command(epilog="Example: resonance picture cascade --topic matcha --output spread.png")
@click.option("--post", help="posts.id; the largest cascade of the topic when not given.")
@_common
def cascade(config: Path | None, language: str | None, output: Path, topic: str | None, post: str | None) -> None:
    """One post's spread: how many passed it on, the forecasts made on the way, and through whom it went."""
    _draw(config, language, output, topic, post, cascade=True)


def _draw(
    config: Path | None, language: Any, output: Path, slug: str | None, post: str | None, *, cascade: bool
) -> None:
    from alerts.charts import render
    from resonance.pictures.cascade import cascade_picture
    from resonance.pictures.communities import communities_map

    settings = settings_from(config)
    known = {topic.slug: topic for topic in settings.topics}
    if slug is None and len(known) == 1:
        slug = next(iter(known))
    if slug is None or slug not in known:
        told = "Name a topic with --topic" if slug is None else f"There is no topic {slug}"
        raise UsageError(f"{told}. Configured are: {', '.join(known) or 'none'}.")
    topic, store = known[slug], open_store(settings, create=False, read_only=True)
    language = language or topic.alert_language
    drawn = cascade_picture(store, topic, post, language) if cascade else communities_map(store, topic, language)
    output.write_bytes(render(drawn))
    click.echo(str(output))
