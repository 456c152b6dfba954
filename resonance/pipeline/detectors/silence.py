"""Sources that have gone quiet: no complete reading for hours, or none with a post where posts were usual."""

from __future__ import annotations

from datetime import datetime, timedelta

from config import Settings
from resonance.jobs import BUDGET
from store import Store
from store.records import Signal, from_iso, iso

USUAL = timedelta(days=7)
FEWEST = 20  # posts a week below which quiet says nothing


def silence_signals(store: Store, settings: Settings, now: datetime) -> list[Signal]:
    """A signal for each network that was read in the last week: active when it has been silent for too long."""
    limit = timedelta(hours=settings.alerts.silence_hours)
    rows = store.query(
        "SELECT o.network, MAX(o.end_utc) AS read_until FROM observations o "
        "JOIN topics t ON t.slug = o.topic AND t.active = 1 WHERE o.end_utc >= ? GROUP BY o.network",
        (iso(now - USUAL),),
    )
    signals = []
    for row in rows:
        if row["network"] not in settings.networks:
            continue  # known from an archive only
        if _saves_money(store, row["network"], now):
            continue
        read = from_iso(row["read_until"])
        last = _last_post(store, row["network"], now)
        late = now - read > limit
        unread = late and _asked(store, row["network"], now - limit)
        empty = not late and last is not None and now - last > limit
        empty = empty and last is not None and now - last > limit + _usual_pause(store, row["network"], now)
        since = read if unread else last or read
        signals.append(
            Signal(
                rule="silent_source",
                topic=None,
                subject=row["network"],
                active=unread or empty,
                raised=True,
                began_at=since,
                observed=(now - since).total_seconds() / 3600,
                expected=limit.total_seconds() / 3600,
                severity="warning",
                facts={"source": row["network"], "last_seen": iso(since), "reason": _reason(store, row["network"])},
                evidence_at=now,
            )
        )
    return signals


def _last_post(store: Store, network: str, now: datetime) -> datetime | None:
    """The newest post of a network that usually brings some."""
    count, newest = store.query(
        "SELECT COUNT(*), MAX(created_at) FROM posts WHERE network = ? AND created_at >= ? AND created_at <= ?",
        (network, iso(now - USUAL), iso(now)),
    )[0]
    return from_iso(newest) if count >= FEWEST and newest else None


def _usual_pause(store: Store, network: str, now: datetime) -> timedelta:
    """The longest pause between two posts in the last week: nights and quiet topics are no silence."""
    seconds = store.one(
        "SELECT MAX(pause) FROM (SELECT unixepoch(created_at) - LAG(unixepoch(created_at)) OVER (ORDER BY created_at) "
        "AS pause FROM posts WHERE network = ? AND created_at >= ? AND created_at <= ?)",
        (network, iso(now - USUAL), iso(now)),
    )
    return timedelta(seconds=seconds or 0)


_JOBS = "FROM jobs WHERE name LIKE 'collect:%' AND (name = 'collect:' || :network OR :network <> 'x')"


def _saves_money(store: Store, network: str, now: datetime) -> bool:
    """Whether collection waits for tomorrow's budget: that is our own doing, and `status` says so."""
    waits = f"SELECT 1 {_JOBS} AND waits_for = :budget AND waits_until > :now"
    return store.one(waits, {"network": network, "budget": BUDGET, "now": iso(now)}) is not None


def _asked(store: Store, network: str, since: datetime) -> bool:
    """Whether the network was asked: a daemon that was off, and has only begun again, knows nothing of a silence."""
    ended = f"SELECT 1 {_JOBS} AND (finished_at >= :since OR (started_at < :since AND started_at > finished_at))"
    return store.one(ended, {"network": network, "since": iso(since)}) is not None


def _reason(store: Store, network: str) -> str | None:
    """What the collecting job said last."""
    error: str | None = store.one(
        "SELECT error FROM jobs WHERE name LIKE 'collect:%' AND error IS NOT NULL AND "
        "(name = 'collect:' || ? OR ? <> 'x') ORDER BY started_at DESC LIMIT 1",
        (network, network),
    )
    return error
