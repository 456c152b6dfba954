"""The key that signs links: from the configuration, or from a file beside the database that only its owner reads."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from alerts.errors import KeyUnusable
from config.settings import Settings

HEX_DIGITS = 64


def key_of(settings: Settings) -> bytes:
    """32 bytes. Makes the key file at first use. Raises KeyUnusable."""
    given = settings.dashboard.link_secret
    text = _from_file(key_file(settings)) if given is None else given.get_secret_value()
    return sha256(text.encode()).digest()


def key_file(settings: Settings) -> Path:
    """Where the key lies that no secret of the configuration replaces."""
    return settings.database.with_name(f"{settings.database.name}.key")


def _from_file(path: Path) -> str:
    try:
        if not path.exists():
            with suppress(FileExistsError):
                _make(path)
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(
            f"The key that signs links in emails cannot be read or made: {path} ({type(error).__name__}). "
            "Give the service the right to write there, or name a secret as `link_secret` in [dashboard]."
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise KeyUnusable(f"{path} signs links in emails and can be read by others. `chmod 600 {path}` mends that.")
    if len(text) != HEX_DIGITS:
        raise KeyUnusable(
            f"{path} is not a whole key. Delete it: a new one is made, and the links in emails sent so far end."
        )
    return text


def _make(path: Path) -> None:
    """Put a new key there, whole or not at all; of two processes one is first, and both read what it wrote."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(HEX_DIGITS // 2))
    try:
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
