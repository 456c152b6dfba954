"""`resonance demo`: two weeks of an invented brand, end to end, on this machine alone."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import datetime
from pathlib import Path

import click

from resonance.errors import UserError

MARK = ".resonance-demo"  # only a folder that holds it is ever emptied


@click.command(epilog="Example: resonance demo --language en --output /tmp/demo")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Folder for everything that is left; one of an earlier demo is emptied.",
)
@click.option("--language", type=click.Choice(["ja", "en"]), default="ja", show_default=True, help="Of the alerts.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed tells another story.")
def demo(output: Path, language: str, seed: int) -> None:
    """Play an invented brand's two weeks through the whole product: collect, score, analyse, alert.

    A small network on loopback speaks the X API and the Mastodon API; a Slack and a mail receiver take the alerts. No
    account, no network and no browser is needed. Everything that happens is left in the output folder.
    """
    from rich.console import Console

    from resonance.demo.artifacts import write_artifacts
    from resonance.demo.judge import judge
    from resonance.demo.play import play
    from resonance.demo.report import Report, local
    from sandbox.story import brand, build

    began = time.monotonic()
    _prepare(output)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    report = Report(console)
    world = build(seed)
    report.story(world)
    with _Progress(console, brand.LIVE_FROM, world.ends, local) as progress:
        played = play(world, output, language, progress.tell, progress.advance)
    judgement = judge(played.store, world)
    topic = played.settings.topics[0].slug
    report.verdicts(judgement)
    report.mood(played.store, topic)
    report.people(played.store, topic)
    report.cascades(played.store, topic, [r for v in judgement.verdicts for r in v.raised])
    report.files(write_artifacts(output), first=1)
    report.closing(played, output, time.monotonic() - began)
    played.store.close()


def _prepare(output: Path) -> None:
    """An empty folder; one of an earlier demo is emptied, anything else is left alone."""
    if output.exists() and any(output.iterdir()):
        if not (output / MARK).exists():
            raise UserError(f"{output} holds files that are not a demo's. Name another folder with --output.")
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / MARK).write_text("Made by `resonance demo`, which empties this folder when it runs again.\n")


class _Progress:
    """A bar on a terminal; elsewhere a line for each simulated half day."""

    def __init__(self, console: object, begin: datetime, end: datetime, local: object) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.begin, self.end = begin, end
        self.quiet = not sys.stderr.isatty()
        self.local = local
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"), TimeElapsedColumn(),
            transient=True, console=console, disable=self.quiet,  # type: ignore[arg-type]
        )  # fmt: skip
        self.task = self.bar.add_task("Collecting", total=(end - begin).total_seconds())

    def __enter__(self) -> _Progress:
        self.bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.bar.stop()

    def tell(self, text: str) -> None:
        """A line that stays."""
        self.bar.console.print(text, highlight=False)

    def advance(self, now: datetime) -> None:
        """The simulated time."""
        shown = f"{self.local(now)}"  # type: ignore[operator]
        self.bar.update(self.task, completed=(now - self.begin).total_seconds(), description=f"Tokyo {shown}")
        if self.quiet and now.hour % 12 == 0 and now.minute == 0:
            self.tell(f"  collected, scored and analysed up to {shown}")
