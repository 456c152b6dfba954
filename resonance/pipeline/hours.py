"""The sums by hour: reads what changed, writes the rows of the hours touched."""

from __future__ import annotations

from datetime import datetime

from config import Settings
from store import Store
from store.emotion_bins import write_emotions
from store.stages import mark_of, newest_change, set_mark
from store.topic_hours import ModelKey, Share, all_hours, recompute, touched_hours, unwritten_hours

STAGE = "hours"


def update_hours(store: Store, settings: Settings, model: ModelKey, share: Share, now: datetime) -> int:
    """Bring the hours of every topic up to date; returns how many rows were written."""
    written = 0
    for topic in settings.topics:
        stage = f"{STAGE}:{model.name}:{model.version}"
        upto, after = newest_change(store), mark_of(store, stage, topic.slug)
        rebuilt = store.one(
            "SELECT 1 FROM changes WHERE seq > ? AND kind = 'topic' AND subject = ?", (after, topic.slug)
        )
        if after == 0 or rebuilt:
            hours = all_hours(store, topic.slug)
        else:
            hours = touched_hours(store, topic.slug, after, upto)
        hours |= unwritten_hours(store, topic.slug, now)
        written += recompute(store, topic, hours, model, share, now)
        write_emotions(store, topic.slug, hours, model)
        with store.write() as connection:
            set_mark(connection, stage, upto, topic.slug)
    return written
