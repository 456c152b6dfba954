"""`resonance analyse sentiment`: the mood of each row of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import click

from analysis.sentiment.result import LABELS, Progress
from resonance.tables import BadField, Skipped, read_rows, write_rows

CHUNK = 2_048
EPILOG = """\b
Examples:
  resonance analyse sentiment posts.csv > moods.jsonl
  cat posts.jsonl | resonance analyse sentiment - | jq -r .label | sort | uniq -c"""


class Row(NamedTuple):
    """A row of the user's file."""

    id: Any
    text: str
    lang: str | None


@click.command(epilog=EPILOG)
@click.argument("file")
@click.option(
    "--model", default="embedded", show_default=True, metavar="NAME", help="embedded, a folder or a hub name."
)
@click.option("--strict", is_flag=True, help="End with 1 when a line could not be used.")
def sentiment(file: str, model: str, strict: bool) -> int:
    """Negative, neutral or positive, with calibrated probabilities, for each row {id, text, lang?} of FILE.

    FILE is CSV or JSON lines, .gz too; - is standard input. `uncertain` marks the rows that a person should look at.
    A --model from the Hugging Face hub needs the extra torch.
    """
    from analysis.sentiment.scorer import load

    skipped = Skipped(file)
    rows = read_rows(file, ("id", "text"), parse, skipped)
    first = list(islice(rows, CHUNK))  # a wrong file is told before a model is loaded
    scorer = load(model) if first else None
    with progress_bar() as progress:
        while scorer and first:
            found = scorer.score([row.text for row in first], [row.lang for row in first], progress)
            write_rows(answers(first, found, f"{scorer.name}@{scorer.version}"))
            sys.stdout.flush()
            first = list(islice(rows, CHUNK))
    return skipped.finish(strict)


def parse(row: dict[str, Any]) -> Row:
    """A line of the file; an empty text is a text, too."""
    text, lang = row.get("text"), row.get("lang")
    if not isinstance(text, str):
        raise BadField("text is not a text")
    return Row(row.get("id"), text, lang if isinstance(lang, str) and lang else None)


def answers(rows: Iterable[Row], found: Iterable[Any], model: str) -> Iterator[dict[str, Any]]:
    """What is printed for each row."""
    for row, mood in zip(rows, found, strict=True):
        line = {"id": row.id, "label": mood.label}
        line.update((label, round(getattr(mood, label), 6)) for label in LABELS)
        if mood.emotions:
            line["emotions"] = {name: round(p, 6) for name, p in mood.emotions.items()}
        yield {**line, "uncertain": mood.uncertain, "lang": mood.language, "model": model}


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Posts done and posts per second on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = "{task.completed:,.0f} posts, {task.fields[speed]:.0f}/s"
    with Bar(
        SpinnerColumn(), TextColumn(shown), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None, speed=0.0)

        def advance(done: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(task, advance=done, speed=(bar.tasks[0].completed + done) / elapsed if elapsed else 0.0)

        yield advance
