"""The digest: what the last day or week brought, told once to each channel that wants it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from alerts import wording as w
from alerts.compose import default_language, item, quotes_of
from alerts.message import Message, Section
from alerts.read import Incident, evidence_of, incident
from alerts.safe import defang, line
from config.settings import Channel, Language, Settings, Topic
from store.db import Store
from store.records import iso

Period = Literal["daily", "weekly"]
LATE: dict[Period, timedelta] = {"daily": timedelta(hours=20), "weekly": timedelta(days=3)}
"""A digest that could not be queued for so long after its time is left out."""
USUAL_DAYS, USUAL_AT_LEAST = 28, 7
ENOUGH_SCORED = 8
MOST_INCIDENTS, MOST_PEOPLE, MOST_POSTS = 12, 3, 3


@dataclass(frozen=True, slots=True)
class Span:
    """The local days first..last of a digest."""

    period: Period
    first: date
    last: date
    zone: ZoneInfo

    @property
    def about(self) -> str:
        """As in `deliveries.about`."""
        return f"{self.period} {self.last.isoformat()}"

    @property
    def bounds(self) -> tuple[str, str]:
        """The same in UTC, the end not included."""
        ends = (self.first, self.last + timedelta(days=1))
        begin, end = (datetime.combine(day, time(), self.zone).astimezone(UTC) for day in ends)
        return iso(begin), iso(end)


def queue_digests(store: Store, settings: Settings, now: datetime) -> int:
    """Queue the digests that are due, each once; nothing where nothing is known of the period. Returns how many."""
    queued = 0
    for channel in settings.channels:
        span = _due(settings, channel, now)
        if span is None or not _anything(store, settings, channel, span):
            continue
        with store.write() as db:
            queued += db.execute(
                "INSERT INTO deliveries (channel, kind, about, state, created_at, not_before) "
                "VALUES (?, 'digest', ?, 'queued', ?, ?) ON CONFLICT DO NOTHING",
                (channel.name, span.about, iso(now), iso(now)),
            ).rowcount
    return queued


def digest(store: Store, settings: Settings, channel: Channel, about: str) -> Message:
    """The digest of a channel's topics for the period that `deliveries.about` names."""
    topics = topics_of(settings, channel)
    span = span_of(about, _zone(topics))
    language = channel.digest_language or (topics[0].alert_language if topics else default_language(settings))
    said = w.strings(language)
    told = _incidents(store, topics, span)
    title = said["digest"][f"title_{span.period}"].format(
        first=w.day(language, span.first), last=w.day(language, span.last)
    )
    sections = [_topic(store, topic, span, language) for topic in topics]
    sections.append(_told(settings, told, language))
    sections.append(_precision(store, topics, language))
    posts = [evidence for topic in topics for evidence in _posts(store, topic, span)][:MOST_POSTS]
    return Message(
        kind="digest",
        language=language,
        tone="plain",
        severity="info",
        badge=said["labels"]["digest"],
        title=title,
        subject=f"[{said['labels']['digest']}] {title}",
        summary=tuple(_summary(said, told, language)),
        sections=tuple(sections),
        quotes=tuple(quotes_of(posts, language, span.zone, said)),
        quotes_title=said["digest"]["posts"],
        footer=said["digest"]["footer"].format(zone=span.zone.key),
        thread=f"digest-{about.replace(' ', '-')}-{channel.name}",
    )


def topics_of(settings: Settings, channel: Channel) -> list[Topic]:
    """The topics that a channel hears of."""
    return [
        topic
        for topic in settings.topics
        if channel in settings.channels_of(topic) and (not channel.topics or topic.slug in channel.topics)
    ]


def span_of(about: str, zone: ZoneInfo) -> Span:
    """The days that `daily 2026-11-22` or `weekly 2026-11-22` speaks of."""
    period, _, day = about.partition(" ")
    last = date.fromisoformat(day)
    return Span(cast(Period, period), last - timedelta(days=6 if period == "weekly" else 0), last, zone)


# ------------------------------------------------------------------ when
def _zone(topics: Sequence[Topic]) -> ZoneInfo:
    return topics[0].zone if topics else ZoneInfo("UTC")


def _due(settings: Settings, channel: Channel, now: datetime) -> Span | None:
    """The digest whose time has come and is not long gone."""
    if channel.digest == "off":
        return None
    zone = _zone(topics_of(settings, channel))
    local = now.astimezone(zone)
    day = local.date() - timedelta(days=local.weekday() if channel.digest == "weekly" else 0)
    moment = datetime.combine(day, time.fromisoformat(channel.digest_at), zone)
    if local < moment:
        moment -= timedelta(days=7 if channel.digest == "weekly" else 1)
    if now - moment.astimezone(UTC) > LATE[channel.digest]:
        return None
    return span_of(f"{channel.digest} {moment.date() - timedelta(days=1)}", zone)


def _anything(store: Store, settings: Settings, channel: Channel, span: Span) -> bool:
    slugs = [topic.slug for topic in topics_of(settings, channel)]
    marks = ",".join("?" * len(slugs))
    return bool(
        store.one(
            f"SELECT EXISTS (SELECT 1 FROM topic_hours WHERE topic IN ({marks}) AND coverage > 0 "
            f"AND hour_utc >= ? AND hour_utc < ?) OR EXISTS (SELECT 1 FROM incidents WHERE historic = 0 "
            f"AND (topic IS NULL OR topic IN ({marks})) AND opened_at >= ? AND opened_at < ?)",
            (*slugs, *span.bounds, *slugs, *span.bounds),
        )
    )


# ------------------------------------------------------------------ what
def _summary(said: dict[str, Any], told: Sequence[Incident], language: Language) -> list[str]:
    going_on = sum(incident.state != "resolved" for incident in told)
    known = {
        "count": w.unit(language, "incidents", str(len(told))) if told else None,
        "going_on": w.unit(language, "incidents", str(going_on)) if going_on else None,
    }
    return w.sentences(said["digest"]["summary"], known)


def _topic(store: Store, topic: Topic, span: Span, language: Language) -> Section:
    """What a topic's hours say: how much, how it sounds, who moved it."""
    said = w.strings(language)["digest"]
    known = _counts(store, topic, span, language) | {"people": _people(store, topic, language)}
    lines = w.sentences(said["topic"], known)
    return Section(line(topic.title, 80), tuple(lines or [said["nothing"]]))


def _counts(store: Store, topic: Topic, span: Span, language: Language) -> dict[str, str | None]:
    days = (span.last - span.first).days + 1
    now = _sums(store, topic, span.first, span.last)
    before = _sums(store, topic, span.first - timedelta(days=USUAL_DAYS), span.first - timedelta(days=1))
    usual = before["posts"] / before["days"] * days if before["days"] >= USUAL_AT_LEAST else None
    posts = now["posts"] if now["days"] else None
    covered = (now["coverage"] or 0.0) * now["days"] / days
    return {
        "posts": w.unit(language, "posts", w.number(posts)),
        f"usual_{span.period}": w.unit(language, "posts", w.number(usual)) if covered >= 0.95 else None,
        "change": w.change(language, posts / usual - 1) if usual and posts is not None else None,
        "negative": w.percent(_share(now, "negative")),
        "positive": w.percent(_share(now, "positive")),
        "usual_negative": w.percent(_share(before, "negative")) if before["days"] >= USUAL_AT_LEAST else None,
        "coverage": w.percent(covered) if now["days"] and covered < 0.95 else None,
        "trend": w.sparkline(_trend(store, topic, span)) or None,
    }


def _sums(store: Store, topic: Topic, first: date, last: date) -> dict[str, Any]:
    """Sums over the local days that were observed at all."""
    row = store.query(
        "SELECT COUNT(*) AS days, SUM(posts) AS posts, SUM(negative) AS negative, SUM(neutral) AS neutral, "
        "SUM(positive) AS positive, AVG(coverage) AS coverage FROM (SELECT SUM(posts) AS posts, "
        "SUM(negative) AS negative, SUM(neutral) AS neutral, SUM(positive) AS positive, SUM(coverage) / 24 AS coverage "
        "FROM topic_hours WHERE topic = ? AND substr(hour_local, 1, 10) BETWEEN ? AND ? AND coverage > 0 "
        "GROUP BY substr(hour_local, 1, 10))",
        (topic.slug, first.isoformat(), last.isoformat()),
    )[0]
    return dict(row)


def _share(sums: dict[str, Any], label: str) -> float | None:
    scored = sum(sums[name] or 0 for name in ("negative", "neutral", "positive"))
    return sums[label] / scored if scored >= ENOUGH_SCORED else None


def _trend(store: Store, topic: Topic, span: Span) -> list[float | None]:
    """Posts by hour of a day, or by day of a week; None where nothing was observed."""
    length = 10 if span.period == "weekly" else 13
    rows = store.query(
        "SELECT substr(hour_local, 1, ?) AS at, SUM(posts) AS posts FROM topic_hours WHERE topic = ? "
        "AND substr(hour_local, 1, 10) BETWEEN ? AND ? AND coverage > 0 GROUP BY 1 ORDER BY 1",
        (length, topic.slug, span.first.isoformat(), span.last.isoformat()),
    )
    known = {row["at"].replace(" ", "T"): float(row["posts"]) for row in rows}
    days = [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]
    if span.period == "weekly":
        return [known.get(day.isoformat()) for day in days]
    return [known.get(f"{span.first.isoformat()}T{hour:02}") for hour in range(24)]


def _people(store: Store, topic: Topic, language: Language) -> str | None:
    """Who moves the topic now, as the newest finished run says; nobody suspicious, nobody of our own."""
    rows = store.query(
        "SELECT COALESCE(handle, account_id) AS handle, resonance, flags FROM v_resonance_latest "
        "WHERE topic = ? ORDER BY rank LIMIT 20",
        (topic.slug,),
    )
    fair = [row for row in rows if not {"own", "bot", "coordinated", "giveaway"} & set(json.loads(row["flags"]))]
    told = [
        f"{defang('@' + line(str(row['handle']).lstrip('@'), 60))} ({row['resonance']:.0f})"
        for row in fair[:MOST_PEOPLE]
    ]
    return str(w.strings(language)["units"]["joiner"]).join(told) or None


def _posts(store: Store, topic: Topic, span: Span) -> Sequence[Any]:
    """The posts that spread most."""
    rows = store.query(
        "SELECT post_id FROM cascades WHERE topic = ? AND started_at >= ? AND started_at < ? AND size > 1 "
        "ORDER BY size DESC, post_id LIMIT ?",
        (topic.slug, *span.bounds, MOST_POSTS),
    )
    return evidence_of(store, [row["post_id"] for row in rows])


def _incidents(store: Store, topics: Sequence[Topic], span: Span) -> list[Incident]:
    marks = ",".join("?" * len(topics))
    rows = store.query(
        f"SELECT id FROM incidents WHERE historic = 0 AND (topic IS NULL OR topic IN ({marks})) "
        "AND opened_at >= ? AND opened_at < ? "
        "ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, opened_at",
        (*[topic.slug for topic in topics], *span.bounds),
    )
    return [incident(store, row["id"], evidence=1) for row in rows]


def _told(settings: Settings, told: Sequence[Incident], language: Language) -> Section:
    said = w.strings(language)
    lines = [item(settings, one, "opened", language) for one in told[:MOST_INCIDENTS]]
    if len(told) > MOST_INCIDENTS:
        more = w.unit(language, "incidents", str(len(told) - MOST_INCIDENTS))
        lines.append(said["digest"]["more"].format(more=more))
    return Section(said["digest"]["incidents"], tuple(lines or [said["labels"]["none"]]))


def _precision(store: Store, topics: Sequence[Topic], language: Language) -> Section:
    """What people said of the alerts so far, by rule."""
    said = w.strings(language)
    marks = ",".join("?" * len(topics))
    rows = store.query(
        "SELECT rule, SUM(helpful) AS helpful, SUM(false_alarms) AS false_alarms FROM v_rule_precision "
        f"WHERE topic IS NULL OR topic IN ({marks}) GROUP BY rule HAVING SUM(helpful + false_alarms) > 0 ORDER BY rule",
        [topic.slug for topic in topics],
    )
    lines = [
        said["digest"]["judged"].format(
            rule=said["rules"].get(row["rule"], row["rule"]),
            helpful=row["helpful"],
            false_alarms=row["false_alarms"],
            precision=w.percent(row["helpful"] / (row["helpful"] + row["false_alarms"])),
        )
        for row in rows
    ]
    return Section(said["digest"]["precision"], tuple(lines or [said["digest"]["not_judged"]]))
