"""Whose posts and reshares are left out of spikes and cascades: suspects of coordination and declared bots."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

LEFT_OUT = """
SELECT account_id FROM suspects
WHERE run_id = (SELECT MAX(id) FROM runs WHERE topic = :topic AND kind = 'graph' AND state = 'done')
UNION SELECT id FROM accounts WHERE bot = 1
"""


def suspects_of(connection: sqlite3.Connection, topic: str, among: Sequence[str]) -> frozenset[str]:
    """Those of some accounts that are left out of a topic's spikes and cascades."""
    rows = connection.execute(
        f"SELECT j.value FROM json_each(:among) j WHERE j.value IN ({LEFT_OUT})",
        {"among": json.dumps(sorted(set(among))), "topic": topic},
    )
    return frozenset(row[0] for row in rows)


def suspected_now(connection: sqlite3.Connection, topic: str) -> frozenset[str]:
    """The suspects that a topic's newest finished run named; declared bots are not among them."""
    rows = connection.execute(
        "SELECT account_id FROM suspects "
        "WHERE run_id = (SELECT MAX(id) FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done')",
        (topic,),
    )
    return frozenset(row[0] for row in rows)


def write_suspects(connection: sqlite3.Connection, run: int, accounts: Iterable[str]) -> None:
    """The suspects of a run."""
    connection.executemany(
        "INSERT INTO suspects (run_id, account_id) VALUES (?, ?)", [(run, account) for account in sorted(accounts)]
    )


def touch_changed(connection: sqlite3.Connection, topic: str, run: int, since: str) -> int:
    """Mark as changed, kind `suspect`, what accounts posted or passed on since a time if a run, about to be done,
    judges them otherwise than the one before; hours and cascades are then computed again. Returns how many posts.
    """
    before = connection.execute(
        "SELECT MAX(id) FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done' AND id < ?", (topic, run)
    ).fetchone()[0]
    return connection.execute(
        """WITH moved AS (
             SELECT account_id FROM suspects WHERE run_id IN (:run, :before)
             GROUP BY account_id HAVING COUNT(*) = 1)
           INSERT INTO changes (kind, subject)
           SELECT 'suspect', post_id FROM (
             SELECT m.post_id AS post_id FROM moved JOIN posts p ON p.author_id = moved.account_id
               JOIN matches m ON m.post_id = p.id AND m.topic = :topic WHERE p.created_at >= :since
             UNION SELECT i.target_post_id FROM moved JOIN interactions i ON i.source_id = moved.account_id
               AND i.kind IN ('reshare', 'quote') WHERE i.time_high >= :since AND i.target_post_id IS NOT NULL)""",
        {"run": run, "before": before, "topic": topic, "since": since},
    ).rowcount
