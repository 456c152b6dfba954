"""Mutes: what people silence for a while, always with an end; incidents are recorded all the same."""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime, timedelta, tzinfo
from typing import Any

from alerts.errors import NotPossible
from alerts.safe import line
from store.db import Store
from store.records import iso

LONGEST = timedelta(days=90)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def mute(
    store: Store, topic: str | None, rule: str | None, until: datetime, by: str, reason: str, now: datetime
) -> int:
    """Silence a topic, a rule, both, or everything (None) until then; returns its number. Raises NotPossible."""
    if until <= now:
        raise NotPossible(f"{iso(until)} is over already; a mute ends in the future.")
    if until - now > LONGEST:
        raise NotPossible(f"A mute lasts at most {LONGEST.days} days; what is never wanted is turned off in the rules.")
    with store.write() as db:
        cursor = db.execute(
            "INSERT INTO mutes (topic, rule, until, created_at, by, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (topic, rule, iso(until), iso(now), line(by), line(reason, 500)),
        )
    return int(cursor.lastrowid or 0)


def unmute(store: Store, mute_id: int, now: datetime) -> None:
    """End a mute now; the row stays, with this end. Raises NotPossible."""
    with store.write() as db:
        ended = db.execute(
            "UPDATE mutes SET until = ? WHERE id = ? AND until > ?", (iso(now), mute_id, iso(now))
        ).rowcount
    if not ended:
        raise NotPossible(f"There is no mute {mute_id} to end. `resonance alerts mutes` lists those that hold.")


def muted_by(db: sqlite3.Connection, topic: str | None, rule: str, now: datetime) -> sqlite3.Row | None:
    """The mute that holds for a topic and rule, the one that lasts longest."""
    row: sqlite3.Row | None = db.execute(
        "SELECT id, until, by FROM mutes WHERE until > ? AND (topic IS NULL OR topic = ?) "
        "AND (rule IS NULL OR rule = ?) ORDER BY until DESC LIMIT 1",
        (iso(now), topic, rule),
    ).fetchone()
    return row


def listed(store: Store, now: datetime, *, everything: bool = False) -> list[dict[str, Any]]:
    """The mutes that hold (or all that ever were), each with how many incidents it kept silent."""
    rows = store.query(
        "SELECT m.id, m.topic, m.rule, m.created_at, m.until, m.by, m.reason, m.until > :now AS holds, "
        "(SELECT COUNT(*) FROM incidents i WHERE json_extract(i.facts, '$.muted') = 1 "
        "AND i.opened_at >= m.created_at AND i.opened_at < m.until AND (m.topic IS NULL OR i.topic = m.topic) "
        "AND (m.rule IS NULL OR i.rule = m.rule)) AS silenced "
        "FROM mutes m WHERE :everything OR m.until > :now ORDER BY m.id DESC",
        {"now": iso(now), "everything": everything},
    )
    return [{**dict(row), "holds": bool(row["holds"])} for row in rows]


def end_of(text: str, now: datetime, zone: tzinfo) -> datetime:
    """`90m`, `8h`, `3d`, `2w` from now, or a time (in the zone, unless it names one). Raises ValueError."""
    length = re.fullmatch(r"(\d{1,6})\s*([mhdw])", text.strip())
    if length:
        return now + timedelta(**{_UNITS[length[2]]: int(length[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is neither a length such as 8h or 3d nor a time such as 2026-11-23T09:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
