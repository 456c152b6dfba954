"""Taking things out: a confirmed removal purges the text everywhere, and leaves a tombstone; counts stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from store.records import iso


def purge_posts(connection: sqlite3.Connection, ids: Sequence[str], reason: str, now: datetime) -> int:
    """Purge the text of posts from every table, within the caller's transaction; returns how many were still there."""
    purged = 0
    for post_id in ids:
        entomb(connection, post_id, "post", reason, now)
        row = connection.execute("SELECT pk, removed_at FROM posts WHERE id = ?", (post_id,)).fetchone()
        if row is None or row[1] is not None:
            continue
        connection.execute(
            "UPDATE posts SET text = '', spoiler = '', hashtags = '[]', links = '[]', url = NULL, "
            "removed_at = ?, removed_reason = ? WHERE pk = ?",
            (iso(now), reason, row[0]),
        )
        connection.execute("DELETE FROM post_search WHERE rowid = ?", (row[0],))
        connection.execute("DELETE FROM evidence WHERE post_id = ?", (post_id,))
        connection.execute("DELETE FROM refresh_requests WHERE post_id = ?", (post_id,))
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('removal', ?)", (post_id,))
        purged += 1
    return purged


def purge_account(connection: sqlite3.Connection, account_id: str, reason: str, now: datetime) -> int:
    """Forget an account: its posts are purged, its name and its interactions are deleted; returns the posts purged."""
    entomb(connection, account_id, "account", reason, now)
    ids = [r[0] for r in connection.execute("SELECT id FROM posts WHERE author_id = ?", (account_id,))]
    purged = purge_posts(connection, ids, reason, now)
    connection.executemany("DELETE FROM matches WHERE post_id = ?", [(i,) for i in ids])
    connection.execute("UPDATE posts SET author_id = NULL WHERE author_id = ?", (account_id,))
    connection.execute("DELETE FROM interactions WHERE source_id = ? OR target_id = ?", (account_id, account_id))
    for table in ("memberships", "resonance"):
        connection.execute(f"DELETE FROM {table} WHERE account_id = ?", (account_id,))
    connection.execute("DELETE FROM accounts WHERE id = ?", (account_id,))
    return purged


def entomb(connection: sqlite3.Connection, subject_id: str, kind: str, reason: str, now: datetime) -> None:
    """Leave a tombstone, so that it never comes back, not even when its creation arrives after its removal."""
    connection.execute(
        "INSERT INTO tombstones (subject_id, kind, reason, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (subject_id, kind, reason, iso(now)),
    )
