"""Which deliveries are queued: routing, quiet hours, and what follows a message into its thread."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.rules import SEVERITIES
from config.settings import Channel, EmailChannel, Settings
from store.db import Store
from store.records import iso

REFRESH_EVERY = timedelta(minutes=10)
"""How often a first message is brought up to date while its incident goes on."""
KEPT_CURRENT = timedelta(days=30)
"""How long a message follows the removal of a post that it shows."""


def channels_for(settings: Settings, topic: str | None, rule: str, severity: str) -> list[Channel]:
    """Who is told: the topic's channels, as far as they want this rule and severity. A source concerns every topic."""
    if topic is None:
        named: tuple[Channel, ...] = settings.channels
    else:
        try:
            named = settings.channels_of(settings.topic(topic))
        except KeyError:
            return []
    return [
        channel
        for channel in named
        if (topic is None or not channel.topics or topic in channel.topics)
        and (not channel.rules or rule in channel.rules)
        and SEVERITIES.index(severity) >= SEVERITIES.index(channel.min_severity)
    ]


def is_threaded(channel: Channel) -> bool:
    """Can a later message stand under the first one?"""
    return isinstance(channel, EmailChannel) or channel.by_bot


def zone_of(settings: Settings, topic: str | None) -> ZoneInfo:
    """The topic's zone, or that of the first topic for what belongs to none."""
    for known in settings.topics:
        if known.slug == topic:
            return known.zone
    return settings.topics[0].zone if settings.topics else ZoneInfo("UTC")


def quiet_until(channel: Channel, zone: ZoneInfo, now: datetime, severity: str) -> datetime | None:
    """The end of the quiet hours that `now` lies in; None when the channel may be told at once."""
    if severity == "critical" and channel.quiet_lets_critical_pass:
        return None
    local = now.astimezone(zone)
    ends = [end for span in channel.quiet_hours if (end := _end_of(span, local)) is not None]
    return max(ends, default=None)


def _end_of(span: str, local: datetime) -> datetime | None:
    """The end of today's or yesterday's span that covers the local moment."""
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in span.split("-"))
    minute = local.hour * 60 + local.minute
    inside = begin <= minute < end if begin < end else (minute >= begin or minute < end)
    if not inside or begin == end:
        return None
    day = local.date() + timedelta(days=1 if begin > end and minute >= begin else 0)
    moment = datetime(day.year, day.month, day.day, end // 60, end % 60, tzinfo=local.tzinfo)
    return moment.astimezone(ZoneInfo("UTC"))


def enqueue(
    db: sqlite3.Connection,
    incident_id: int,
    channel: str,
    kind: str,
    now: datetime,
    *,
    note_id: int = 0,
    until: datetime | None = None,
    held: bool = False,
) -> bool:
    """Put a delivery into the outbox, once; `until`: not earlier. False when it is there already."""
    return bool(
        db.execute(
            "INSERT INTO deliveries (incident_id, channel, kind, note_id, state, created_at, not_before, held) "
            "VALUES (?, ?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT DO NOTHING",
            (incident_id, channel, kind, note_id, iso(now), iso(until or now), int(held)),
        ).rowcount
    )


def enqueue_politely(
    db: sqlite3.Connection, settings: Settings, incident: sqlite3.Row, channel: Channel, kind: str, now: datetime,
    note_id: int = 0,
) -> bool:  # fmt: skip
    """The same, with regard to the channel's quiet hours."""
    until = quiet_until(channel, zone_of(settings, incident["topic"]), now, incident["severity"])
    return enqueue(db, incident["id"], channel.name, kind, now, note_id=note_id, until=until, held=until is not None)


def release(db: sqlite3.Connection, settings: Settings, incident: sqlite3.Row, now: datetime) -> None:
    """What grew graver during quiet hours need not wait any more."""
    for channel in settings.channels:
        if quiet_until(channel, zone_of(settings, incident["topic"]), now, incident["severity"]) is None:
            db.execute(
                "UPDATE deliveries SET held = 0, not_before = ? WHERE incident_id = ? AND channel = ? "
                "AND state = 'queued' AND held = 1",
                (iso(now), incident["id"], channel.name),
            )


def threads(db: sqlite3.Connection, incident_id: int) -> list[str]:
    """The channels where a Slack message of ours tells of the incident and can be brought up to date."""
    rows = db.execute(
        "SELECT channel FROM deliveries WHERE incident_id = ? AND kind = 'opened' AND state = 'sent' "
        "AND peer_ref LIKE '%slack:%'",
        (incident_id,),
    )
    return [row[0] for row in rows]


def follow(db: sqlite3.Connection, incident_id: int, note_id: int, now: datetime) -> None:
    """Tell what a person did: a line in the thread, and the first message brought up to date."""
    for channel in threads(db, incident_id):
        enqueue(db, incident_id, channel, "update", now, note_id=note_id)
        enqueue(db, incident_id, channel, "refresh", now, note_id=note_id)


def refresh(db: sqlite3.Connection, incident_id: int, now: datetime) -> None:
    """Bring first messages up to date while the incident goes on, not more often than REFRESH_EVERY."""
    for channel in threads(db, incident_id):
        _requeue(db, incident_id, channel, now, now + REFRESH_EVERY)


def refresh_removed(store: Store, now: datetime) -> int:
    """Bring messages up to date that show a post which is gone; returns how many.

    Of the last KEPT_CURRENT only, and where a bot token allows it.
    """
    gone = (
        "SELECT DISTINCT d.incident_id, d.channel FROM deliveries d JOIN json_each(d.about) j "
        "JOIN posts p ON p.id = j.value WHERE d.state = 'sent' AND d.kind IN ('opened', 'escalation') "
        "AND d.about <> '' AND d.created_at >= ? AND p.removed_at IS NOT NULL"
    )
    arguments = (iso(now - KEPT_CURRENT),)
    if not store.query(gone, arguments):
        return 0
    with store.write() as db:
        rows = db.execute(gone, arguments).fetchall()
        return sum(_requeue(db, row["incident_id"], row["channel"], now, now) for row in rows)


def _requeue(db: sqlite3.Connection, incident_id: int, channel: str, now: datetime, until: datetime) -> int:
    """Queue the refresh of a channel's first message, once."""
    if enqueue(db, incident_id, channel, "refresh", now, until=until):
        return 1
    return db.execute(
        "UPDATE deliveries SET state = 'queued', attempts = 0, created_at = ?, not_before = ?, error = NULL "
        "WHERE incident_id = ? AND channel = ? AND kind = 'refresh' AND note_id = 0 "
        "AND state NOT IN ('queued', 'sending')",
        (iso(now), iso(until), incident_id, channel),
    ).rowcount
