"""The change sequence and the marks of the stages; a mark is committed with the stage's output."""

from __future__ import annotations

import sqlite3

from store.db import Store


def newest_change(store: Store) -> int:
    """The last number given in the change sequence, whether or not it has been pruned since."""
    return int(store.one("SELECT seq FROM sqlite_sequence WHERE name = 'changes'") or 0)


def mark_of(store: Store, stage: str, topic: str = "") -> int:
    """How far a stage has read."""
    return int(store.one("SELECT seq FROM marks WHERE stage = ? AND topic = ?", (stage, topic)) or 0)


def set_mark(connection: sqlite3.Connection, stage: str, seq: int, topic: str = "") -> None:
    """Move a stage's mark, within the transaction of its output."""
    connection.execute(
        "INSERT INTO marks (stage, topic, seq) VALUES (?, ?, ?) "
        "ON CONFLICT (stage, topic) DO UPDATE SET seq = excluded.seq",
        (stage, topic, seq),
    )


def prune_changes(store: Store) -> int:
    """Forget changes that every stage has read; returns how many.

    Marks of topics that are no longer watched, and of models that another one has replaced, would hold everything back:
    they are forgotten first, and who comes back begins anew.
    """
    with store.write() as connection:
        connection.execute("DELETE FROM marks WHERE topic IN (SELECT slug FROM topics WHERE active = 0)")
        connection.execute(
            "DELETE FROM marks WHERE (stage LIKE 'score:%' OR stage LIKE 'hours:%') AND substr(stage, 7) <> "
            "(SELECT substr(stage, 7) FROM marks WHERE stage LIKE 'score:%' ORDER BY seq DESC LIMIT 1)"
        )
        oldest = connection.execute("SELECT MIN(seq) FROM marks").fetchone()[0]
        if oldest is None:
            return 0
        return connection.execute("DELETE FROM changes WHERE seq <= ?", (oldest,)).rowcount
