"""One place that turns each expected error into what a person reads, and an exit code.

Rooms raise their own small exceptions; the ones that carry `exit_code` are expected:

    78  ConfigError (config), SchemaTooNew (store): wrong configuration, or a file of a newer version
    77  NotAuthorised (collector): only authorisation failed
     1  any other: something failed, or no line was usable
"""

from __future__ import annotations

from typing import NamedTuple


class Told(NamedTuple):
    """What is printed for an error, and how the process ends."""

    text: str
    exit_code: int


class UserError(Exception):
    """Something that the user can put right; the message says what happened and what to do."""

    exit_code = 1


class UsageError(UserError):
    """The call's words or a file's columns are off."""

    exit_code = 2


class NothingUsable(UserError):
    """Not one line of the input could be used."""


def explain(error: BaseException) -> Told | None:
    """What to tell the user about `error`, or None when it is a bug that deserves its traceback."""
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        return Told(str(error), code)
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return Told(f"{error.filename}: {error.strerror}. Check the path and its permissions.", 1)
    return None
