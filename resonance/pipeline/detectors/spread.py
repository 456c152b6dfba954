"""Posts on their way to the top: cascades whose forecast says so."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.influence.giveaway import is_giveaway
from config import Settings, Topic
from resonance.pipeline.detectors.explain import communities_of
from resonance.pipeline.detectors.strictness import strictness
from store import Store
from store.records import Signal, from_iso, iso

YOUNG = timedelta(days=2)
PAST = timedelta(days=60)
FEWEST = 20
ANSWERS = 5  # quotes and replies from which they tell how a post is received
POINTS = 48  # of the growth that a chart shows
Chart = tuple[tuple[str, float | None, float | None, float | None, float | None], ...]
LIVELY = timedelta(hours=3)  # a cascade without a reaction for so long is not going on


def viral_signals(store: Store, settings: Settings, topic: Topic, now: datetime) -> list[Signal]:
    """A signal for each young cascade that will probably end among the topic's largest, and already stands out.

    It stands out when it has been reshared more than nine in ten of the topic's posts ever were, or what the settings
    ask for, whichever is more: a forecast from a handful of reshares is not worth an alert. The topic's own posts are
    left out: whoever wrote them knows.
    """
    sizes = [
        row[0]
        for row in store.query(
            "SELECT size FROM cascades WHERE topic = ? AND started_at BETWEEN ? AND ?",
            (topic.slug, iso(now - PAST), iso(now - YOUNG)),
        )
    ]
    rows = store.query(
        "SELECT c.*, v.text, v.author_id, v.author AS handle, v.label FROM v_cascades_active c "
        "JOIN matches m ON m.topic = c.topic AND m.post_id = c.post_id AND m.own = 0 "
        "JOIN v_posts v ON v.id = c.post_id "
        "WHERE c.topic = ? AND c.started_at >= ? AND c.p_top5 >= ? AND c.size > ?",
        (topic.slug, iso(now - YOUNG), settings.alerts.viral_probability, enough(settings, topic, store, sizes)),
    )
    told = authors_told(store, store, topic, now)
    wanted = (
        row for row in rows if not is_giveaway(row["text"]) and not goes_on(row["post_id"], row["author_id"], told)
    )
    return [_signal(store, topic, row, now) for row in wanted]


def enough(settings: Settings, topic: Topic, store: Store, finished: Sequence[int]) -> float:
    """The size, root included, that a cascade must exceed; `finished` are the sizes of the topic's older ones."""
    usual = sorted(finished)[len(finished) * 9 // 10] - 1 if len(finished) >= FEWEST else 0
    return max(settings.alerts.viral_reshares, usual) * strictness(store, topic, "viral_cascade")


@dataclass(frozen=True, slots=True)
class AuthorsTold:
    """Posts told as spreading in the last days, with their authors; `live` ones are not over yet."""

    authors: dict[str, str]
    live: frozenset[str]


def authors_told(incidents: Store, store: Store, topic: Topic, now: datetime) -> AuthorsTold:
    """What was told of a topic, by the incidents of one store and the posts of another."""
    rows = incidents.query(
        "SELECT subject, state, historic, opened_at FROM incidents WHERE topic = ? AND rule = 'viral_cascade' "
        "AND (state <> 'resolved' OR (opened_at >= ? AND opened_at <= ?))",
        (topic.slug, iso(now - YOUNG), iso(now)),
    )
    lately = [r["subject"] for r in rows if not r["historic"] and iso(now - YOUNG) <= r["opened_at"] <= iso(now)]
    authors = {
        post_id: author
        for post_id in lately
        if (author := store.one("SELECT author_id FROM posts WHERE id = ?", (post_id,))) is not None
    }
    return AuthorsTold(authors, frozenset(r["subject"] for r in rows if r["state"] != "resolved"))


def goes_on(post_id: str, author: str | None, told: AuthorsTold) -> bool:
    """Whether the author of a post that was told as spreading only goes on about it."""
    return post_id not in told.live and any(a == author and p != post_id for p, a in told.authors.items())


def _signal(store: Store, topic: Topic, r: sqlite3.Row, now: datetime) -> Signal:
    last = store.one(
        "SELECT MAX(time_high) FROM interactions "
        "WHERE target_post_id = ? AND kind IN ('reshare', 'quote') AND time_high <= ?",
        (r["post_id"], iso(now)),
    )
    newest = from_iso(last) if last else from_iso(r["started_at"])
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
        series=_growth(store, topic, r["post_id"], started, now),
        facts={
            "direction": "up",
            "account": r["handle"] or r["author_id"],
            **_reception(store, r["post_id"], r["label"]),
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


def _growth(store: Store, topic: Topic, post_id: str, started: datetime, now: datetime) -> Chart:
    """Reshares and quotes by now at up to POINTS moments; from the forecasts' counts where no times are known."""
    times = [
        from_iso(row[0])
        for row in store.query(
            "SELECT time_high FROM interactions WHERE target_post_id = ? AND kind IN ('reshare', 'quote') "
            "AND time_low = time_high AND time_high <= ? ORDER BY time_high",
            (post_id, iso(now)),
        )
    ]
    if times:
        moments = [started + (now - started) * (i / POINTS) for i in range(POINTS + 1)]
        return tuple((iso(m), float(bisect_right(times, m)), None, None, None) for m in moments)
    rows = store.query(
        "SELECT made_at, observed FROM forecasts WHERE topic = ? AND post_id = ? ORDER BY made_at",
        (topic.slug, post_id),
    )
    return ((iso(started), 0.0, None, None, None), *((r[0], float(r[1] - 1), None, None, None) for r in rows))


def _reception(store: Store, post_id: str, label: str | None) -> dict[str, object]:
    """How it is received, by its quotes and replies where there are enough: one post's own label is easily wrong."""
    row = store.query(
        "SELECT COUNT(*), SUM(v.label = 'negative'), SUM(v.label = 'positive') FROM interactions i "
        "JOIN v_posts v ON v.id = i.via_post_id WHERE i.target_post_id = ? AND i.kind IN ('quote', 'reply') "
        "AND v.label IS NOT NULL",
        (post_id,),
    )[0]
    return mood_of(int(row[0]), int(row[1] or 0), int(row[2] or 0), label)


def mood_of(answers: int, negative: int, positive: int, label: str | None) -> dict[str, object]:
    """What a post's answers and its own label say about its reception."""
    if answers < ANSWERS:
        return {"post_label": label}
    mood = "negative" if negative > positive else "positive" if positive > negative else None
    told = {"mood": mood} if mood else {}
    return {"posts": answers, "negative": negative, "post_label": label, **told}


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
