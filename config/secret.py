"""Secrets in the configuration: written as `env:NAME` or `file:PATH`, never printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr


def _resolve(value: object) -> object:
    if not isinstance(value, str):
        return value
    scheme, colon, rest = value.partition(":")
    if not colon:
        return value or None
    if scheme == "env":
        return os.environ.get(rest) or None
    if scheme == "file":
        try:
            return Path(rest).expanduser().read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise ValueError(f"the file of this secret cannot be read: {error.strerror}") from None
    return value or None


Secret = Annotated[SecretStr | None, BeforeValidator(_resolve)]
