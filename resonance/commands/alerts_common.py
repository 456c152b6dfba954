"""What the verbs of `resonance alerts` share: their options, the store, and who types."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from config import Settings, load
from store.db import Store

Command = Callable[..., Any]


def example(text: str) -> str:
    """A verb's epilog."""
    return f"Example: {text}"


def places(command: Command) -> Command:
    """--config and --db, as every verb here takes them."""
    command = click.option(
        "--db", type=click.Path(path_type=Path, dir_okay=False), help="SQLite file, instead of the configured one."
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Configuration; ./resonance.toml when left out.",
    )(command)


def by_option(command: Command) -> Command:
    """--by, as every verb takes it that records who did it."""
    return click.option("--by", default=None, help="Who you are; your login name when left out.")(command)


def settings_of(config: Path | None, db: Path | None) -> Settings:
    """With --db a configuration is welcome, but not needed."""
    if db is not None and config is None and not Path("resonance.toml").exists():
        return Settings(database=db)
    settings = load(config)
    return settings if db is None else settings.model_copy(update={"database": db})


def opened(config: Path | None, db: Path | None) -> tuple[Store, Settings]:
    """The store and the settings."""
    settings = settings_of(config, db)
    return Store.open(settings.database, create=False), settings


def who(by: str | None) -> str:
    """The name given, or the login name."""
    return by or getpass.getuser()


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def print_json(rows: Iterable[Any]) -> None:
    """One JSON object a line."""
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False, default=str))


def change(config: Path | None, db: Path | None, work: Callable[[Store], None]) -> None:
    """Do one thing to the store."""
    store, _ = opened(config, db)
    try:
        work(store)
    finally:
        store.close()
