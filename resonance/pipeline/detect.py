"""All detectors, then the rules: from what the store holds to incidents and queued deliveries."""

from __future__ import annotations

from datetime import datetime

from alerts.incidents import Change, apply
from config import Settings
from resonance.pipeline.detectors.people import rising_signals
from resonance.pipeline.detectors.silence import silence_signals
from resonance.pipeline.detectors.spread import viral_signals
from resonance.pipeline.detectors.trend import trend_signals
from store import Store
from store.records import Signal


def signals(store: Store, settings: Settings, now: datetime) -> list[Signal]:
    """What every detector says at this moment."""
    found = silence_signals(store, settings, now)
    for topic in settings.topics:
        trends, spreading = trend_signals(store, topic, now), viral_signals(store, settings, topic, now)
        found += trends + [s for s in spreading if not _is_part_of(s, trends, store)]
        found += rising_signals(store, topic, now)
    return found


def _is_part_of(spreading: Signal, trends: list[Signal], store: Store) -> bool:
    """A negative post that spreads while the negative share surges is the same event: the surge tells of it."""
    surge = any(t.rule == "negative_surge" and t.active for t in trends)
    if not surge or spreading.facts.get("mood") != "negative":
        return False
    return store.one("SELECT 1 FROM incidents WHERE subject = ? AND state <> 'resolved'", (spreading.subject,)) is None


def raise_alerts(store: Store, settings: Settings, now: datetime) -> list[Change]:
    """Turn the signals of this moment into incidents; returns what changed."""
    return apply(store, settings, signals(store, settings, now), now)
