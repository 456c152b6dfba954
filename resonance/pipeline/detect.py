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
        found += trend_signals(store, topic, now)
        found += viral_signals(store, settings, topic, now)
        found += rising_signals(store, topic, now)
    return found


def raise_alerts(store: Store, settings: Settings, now: datetime) -> list[Change]:
    """Turn the signals of this moment into incidents; returns what changed."""
    return apply(store, settings, signals(store, settings, now), now)
