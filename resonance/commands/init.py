"""`resonance init`: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path

import click

from config import SAMPLE
from config.load import DEFAULT_PATH
from resonance.errors import UserError


@click.command(epilog="Example: resonance init && resonance check && resonance run")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_PATH)
def init(path: Path) -> None:
    """Write a commented configuration to PATH (default resonance.toml). An existing file is left alone."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(SAMPLE)
    except FileExistsError:
        raise UserError(f"{path} is there already and was left as it is. Name another path, or edit it.") from None
    click.echo(f"Wrote {path}. It watches one topic; edit it, then run: resonance check")
