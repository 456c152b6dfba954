"""Reading a configuration file; what is wrong with it is said in one sentence per key."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.errors import ConfigError
from config.settings import Settings

DEFAULT_PATH = Path("resonance.toml")


def load(path: Path | None = None) -> Settings:
    """The settings in `path`, or in $RESONANCE_CONFIG, or in ./resonance.toml. Raises ConfigError."""
    path = path or Path(os.environ.get("RESONANCE_CONFIG") or DEFAULT_PATH)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there. `resonance init` writes one; --config names another place.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    settings = parse(text, str(path))
    database = settings.database.expanduser()  # an absolute one stays as it is
    return settings.model_copy(update={"database": path.parent / database})


def parse(text: str, name: str = "configuration") -> Settings:
    """The settings in a TOML text. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not valid TOML: {error}.") from None
    try:
        return Settings(**data)
    except ValidationError as error:
        raise ConfigError(
            "\n".join([f"{name} cannot be used:", *(f"  {_sentence(e)}" for e in error.errors())])
        ) from None


def _sentence(error: Any) -> str:
    """One problem as a sentence; the value is shown only where it cannot be a secret."""
    key = ""
    for part in error["loc"]:
        if part not in ("slack", "email", "apprise"):
            key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key; docs/configuration.md lists them all."
    message = error["msg"].removeprefix("Value error, ")
    secret = any(word in key for word in ("token", "password", "webhook", "secret", "apprise_url"))
    shown = error.get("input")
    if not key or secret or not isinstance(shown, str | int | float) or isinstance(shown, bool):
        return f"{key}: {message}." if key else f"{message}."
    return f"{key} = {shown!r}: {message}."
