"""Taking things out: a confirmed removal purges the text everywhere, and leaves a tombstone; counts stay."""

from __future__ import annotations

import json
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
    """Forget an account: its posts are purged, its names and its interactions are deleted; returns the posts purged.

    That its posts once matched a topic stays, without text and author, so that counts of the past do not move.
    """
    entomb(connection, account_id, "account", reason, now)
    ids = [r[0] for r in connection.execute("SELECT id FROM posts WHERE author_id = ?", (account_id,))]
    purged = purge_posts(connection, ids, reason, now)
    connection.execute("UPDATE posts SET author_id = NULL WHERE author_id = ?", (account_id,))
    connection.execute("DELETE FROM interactions WHERE source_id = ? OR target_id = ?", (account_id, account_id))
    connection.execute(
        "DELETE FROM evidence WHERE subject_kind = 'resonance' AND subject_id IN "
        "(SELECT run_id || ':' || account_id FROM resonance WHERE account_id = ?)",
        (account_id,),
    )
    _unname(connection, account_id, ids)
    for table in ("memberships", "resonance"):
        connection.execute(f"DELETE FROM {table} WHERE account_id = ?", (account_id,))
    connection.execute("DELETE FROM accounts WHERE id = ?", (account_id,))
    return purged


def _unname(connection: sqlite3.Connection, account_id: str, posts: Sequence[str]) -> None:
    """Take an account's names out of what was computed about others: communities, cascades, incidents."""
    row = connection.execute("SELECT handle, name FROM accounts WHERE id = ?", (account_id,)).fetchone()
    handle = row[0] if row else None
    connection.execute(
        "UPDATE communities SET central = (SELECT json_group_array(value) FROM json_each(central) WHERE value <> :id), "
        "label = CASE WHEN label IN ('@' || :handle, :id) THEN '-' ELSE label END "
        "WHERE run_id IN (SELECT run_id FROM memberships WHERE account_id = :id)",
        {"id": account_id, "handle": handle},
    )
    connection.execute(
        "UPDATE cascades SET communities = replace(communities, :quoted, 'null') WHERE instr(communities, :quoted)",
        {"quoted": json.dumps(account_id)},
    )
    marks = ",".join("?" * len(posts))
    connection.execute(
        f"UPDATE incidents SET facts = json_remove(facts, '$.account') WHERE subject = ? OR subject IN ({marks})",
        (account_id, *posts),
    )


def entomb(connection: sqlite3.Connection, subject_id: str, kind: str, reason: str, now: datetime) -> None:
    """Leave a tombstone, so that it never comes back, not even when its creation arrives after its removal."""
    connection.execute(
        "INSERT INTO tombstones (subject_id, kind, reason, at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET reason = excluded.reason, at = excluded.at WHERE reason = 'protected'",
        (subject_id, kind, reason, iso(now)),
    )
