"""What nobody has taken is told to somebody else."""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.incidents import add_note
from alerts.mutes import muted_by
from alerts.queueing import enqueue_politely
from config.settings import Channel, Settings
from store.db import Store
from store.records import iso


def escalate(store: Store, settings: Settings, now: datetime) -> int:
    """Queue what a channel was told `escalate_after_minutes` ago and nobody has acknowledged; returns how many.

    The channel that is told is named outright, so that its own routing does not matter; its quiet hours do. Each
    incident is escalated to a channel once; a chain of channels is walked step by step.
    """
    return sum(_from(store, settings, channel, now) for channel in settings.channels if channel.escalate_after_minutes)


def _from(store: Store, settings: Settings, channel: Channel, now: datetime) -> int:
    target = next(c for c in settings.channels if c.name == channel.escalate_to)
    told_by = now - timedelta(minutes=channel.escalate_after_minutes or 0)
    waiting = (
        "SELECT i.* FROM incidents i WHERE i.state = 'open' AND i.historic = 0 AND EXISTS (SELECT 1 FROM deliveries d "
        "WHERE d.incident_id = i.id AND d.channel = ? AND d.kind IN ('opened', 'escalation') "
        "AND d.state IN ('sent', 'maybe_sent', 'rolled_up') AND COALESCE(d.sent_at, d.not_before) <= ?) "
        "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident_id = i.id AND d.channel = ? "
        "AND d.kind = 'escalation') ORDER BY i.id"
    )
    arguments = (channel.name, iso(told_by), target.name)
    if not store.query(waiting, arguments):
        return 0
    done = 0
    with store.write() as db:
        for row in db.execute(waiting, arguments).fetchall():
            if muted_by(db, row["topic"], row["rule"], now) is None:
                enqueue_politely(db, settings, row, target, "escalation", now)
                add_note(db, row["id"], "updated", None, f"nobody has taken it: {target.name} is told", now)
                done += 1
    return done
