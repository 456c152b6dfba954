"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Command], Command]

config_option: Option[Any] = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file (default: $RESONANCE_CONFIG, else resonance.toml).",
)
json_option: Option[Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
