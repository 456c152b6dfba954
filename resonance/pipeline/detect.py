"""All detectors, then the rules: from what the store holds to incidents and queued deliveries."""

from __future__ import annotations

from datetime import datetime

from alerts.incidents import Change, apply
from config import Settings
from resonance.pipeline.detectors.communities import community_signals
from resonance.pipeline.detectors.people import rising_signals
from resonance.pipeline.detectors.silence import silence_signals
from resonance.pipeline.detectors.spread import viral_signals
from resonance.pipeline.detectors.trend import emotion_signals, rules_on, trend_signals
from store import Store
from store.records import Signal, iso


def signals(store: Store, settings: Settings, now: datetime) -> list[Signal]:
    """What every detector says at this moment."""
    found = silence_signals(store, settings, now)
    for topic in settings.topics:
        trends = trend_signals(store, topic, now, rules_on(settings))
        spreading = viral_signals(store, settings, topic, now)
        found += trends + [s for s in spreading if not is_part_of(s, trends, store)]
        found += rising_signals(store, topic, now)
        found += community_signals(store, settings, topic, now)
        found += emotion_signals(store, settings, topic, now)
    return found


def is_part_of(spreading: Signal, trends: list[Signal], store: Store) -> bool:
    """A negative post that spreads during a surge of negative posts is the same event: the surge tells of it.

    `store` is the one with the incidents.
    """
    if "negative" not in (spreading.facts.get("mood"), spreading.facts.get("post_label")):
        return False
    if store.one("SELECT 1 FROM incidents WHERE subject = ? AND state <> 'resolved'", (spreading.subject,)):
        return False  # it was told before the surge was
    if any(t.rule == "negative_surge" and t.active for t in trends):
        return True
    return bool(
        store.one(
            "SELECT 1 FROM incidents WHERE topic = ? AND rule = 'negative_surge' AND historic = 0 "
            "AND unixepoch(began_at) - 7200 <= unixepoch(?) AND (resolved_at IS NULL OR resolved_at >= ?)",
            (spreading.topic, iso(spreading.began_at), iso(spreading.began_at)),
        )
    )


def raise_alerts(store: Store, settings: Settings, now: datetime) -> list[Change]:
    """Turn the signals of this moment into incidents; returns what changed."""
    return apply(store, settings, signals(store, settings, now), now)
