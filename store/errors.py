"""What can go wrong with the file, and what to do about it.

StoreError
├── StoreBusy       another program holds the file
├── StoreFull       no room left on the disk
├── StoreReadOnly   the file or its folder cannot be written
├── StoreCorrupt    not a database, or a damaged one
├── StoreForeign    the database of another program (exit code 78)
└── SchemaTooNew    written by a newer version of resonance (exit code 78)
"""

from __future__ import annotations

import sqlite3


class StoreError(Exception):
    """The database cannot be used; the message says why and what to do."""

    exit_code = 1


class StoreBusy(StoreError):
    """Another program holds the file."""


class StoreFull(StoreError):
    """No room left on the disk."""


class StoreReadOnly(StoreError):
    """The file or its folder cannot be written."""


class StoreCorrupt(StoreError):
    """Not a database, or a damaged one."""


class StoreForeign(StoreError):
    """The database of another program."""

    exit_code = 78


class SchemaTooNew(StoreError):
    """Written by a newer version of resonance."""

    exit_code = 78


_REMEDIES: tuple[tuple[tuple[str, ...], type[StoreError], str], ...] = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        StoreBusy,
        "another program is writing to it. Close it (`fuser {path}` names it) and try again.",
    ),
    (("SQLITE_FULL",), StoreFull, "the disk is full. Nothing is damaged: make room and try again."),
    (
        ("SQLITE_READONLY", "SQLITE_PERM"),
        StoreReadOnly,
        "it cannot be written. Check the rights of the file and its folder.",
    ),
    (("SQLITE_CANTOPEN",), StoreReadOnly, "it cannot be opened. Check that its folder exists and may be written."),
    (
        ("SQLITE_IOERR",),
        StoreFull,
        "the disk refuses reading or writing. Check its space and its health; nothing half-written is kept.",
    ),
    (
        ("SQLITE_CORRUPT", "SQLITE_NOTADB"),
        StoreCorrupt,
        "it is not a sound SQLite file. Put it aside and restore the newest backup (*.backup-*), or start a new file.",
    ),
)


def translated(error: sqlite3.Error, path: object) -> StoreError | None:
    """The error of SQLite as one for people, or None when it is a bug of ours."""
    name = getattr(error, "sqlite_errorname", None) or ""
    for prefixes, kind, remedy in _REMEDIES:
        if name.startswith(prefixes):
            return kind(f"{path}: {remedy.format(path=path)} (SQLite: {error})")
    return None
