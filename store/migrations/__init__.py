"""The schema: one numbered SQL file per step, never edited once landed.

The comment behind a table, view or column is its documentation: SQLite keeps it, and docs/schema.md is made of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x5253_4F4E  # "RSON", shown by `file`
migrations = Migrations("resonance")


def scripts() -> list[tuple[str, str]]:
    """Name and SQL of every migration, in order."""
    folder = files(__package__)
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), folder.joinpath(name).read_text(encoding="utf-8")) for name in found]


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one, so that they can share a transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        if not statement and (not line.strip() or line.startswith("--")):
            continue
        statement += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _register(name: str, script: str) -> None:
    @migrations(name=name)  # type: ignore[untyped-decorator]
    def migrate(db: Database) -> None:
        for statement in statements(script):
            db.execute(statement)


SCHEMA_VERSION = len(scripts())
for _name, _script in scripts():
    _register(_name, _script)
