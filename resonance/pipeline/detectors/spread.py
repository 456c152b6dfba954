"""Posts on their way to the top: cascades whose forecast says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from analysis.influence.giveaway import is_giveaway
from config import Settings, Topic
from resonance.pipeline.detectors.trend import communities_of
from store import Store
from store.records import Signal, from_iso, iso

YOUNG = timedelta(days=2)
LIVELY = timedelta(hours=3)  # a cascade without a reaction for so long is not going on


def viral_signals(store: Store, settings: Settings, topic: Topic, now: datetime) -> list[Signal]:
    """A signal for each young cascade that will probably end among the topic's largest."""
    rows = store.query(
        "SELECT c.*, p.text, p.author_id, a.handle FROM v_cascades_active c JOIN posts p ON p.id = c.post_id "
        "LEFT JOIN accounts a ON a.id = p.author_id "
        "WHERE c.topic = ? AND c.started_at >= ? AND c.p_top5 >= ? AND c.forecast >= ?",
        (topic.slug, iso(now - YOUNG), settings.alerts.viral_probability, settings.alerts.viral_reshares + 1),
    )
    return [_signal(store, topic, row, now) for row in rows if not is_giveaway(row["text"])]


def _signal(store: Store, topic: Topic, row: object, now: datetime) -> Signal:
    r = dict(row)  # type: ignore[call-overload]
    last = store.one(
        "SELECT MAX(time_high) FROM interactions "
        "WHERE target_post_id = ? AND kind IN ('reshare', 'quote') AND time_high <= ?",
        (r["post_id"], iso(now)),
    )
    newest = from_iso(last) if last else from_iso(r["started_at"])
    history = store.query(
        "SELECT made_at, observed, size, low, high FROM forecasts WHERE topic = ? AND post_id = ? ORDER BY made_at",
        (topic.slug, r["post_id"]),
    )
    started = from_iso(r["started_at"])
    return Signal(
        rule="viral_cascade",
        topic=topic.slug,
        subject=r["post_id"],
        active=now - newest < LIVELY,
        raised=True,
        began_at=started,
        observed=float(r["size"] - 1),
        expected=None,
        confidence=float(r["p_top5"]),
        severity="info",
        evidence=((r["post_id"], 1.0), *_answers(store, r["post_id"])),
        series=tuple((h["made_at"], float(h["observed"] - 1), None, None, None) for h in history),
        facts={
            "direction": "up",
            "account": r["handle"] or r["author_id"],
            "forecast": round(r["forecast"] - 1),
            "forecast_low": round(r["low"] - 1),
            "forecast_high": round(r["high"] - 1),
            "p_top5": round(r["p_top5"], 3),
            "reproduction": r["reproduction"],
            "age_minutes": round((now - started).total_seconds() / 60),
            "communities": communities_of(store, topic.slug, _reactors(store, r["post_id"])),
            "timezone": topic.timezone,
        },
        evidence_at=newest,
    )


def _answers(store: Store, post_id: str, most: int = 4) -> list[tuple[str, float]]:
    """Quotes and replies to a post, as evidence of how it is received."""
    rows = store.query(
        "SELECT via_post_id FROM interactions i JOIN posts p ON p.id = i.via_post_id AND p.removed_at IS NULL "
        "WHERE i.target_post_id = ? AND i.kind IN ('quote', 'reply') ORDER BY i.time_high DESC LIMIT ?",
        (post_id, most),
    )
    return [(row[0], 0.5) for row in rows]


def _reactors(store: Store, post_id: str) -> list[str]:
    return [r[0] for r in store.query("SELECT source_id FROM interactions WHERE target_post_id = ?", (post_id,))]
