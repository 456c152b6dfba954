"""An incident, as it stands now, becomes a message in the topic's language."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts import wording as w
from alerts.message import Kind, Message, Quote, Tone
from alerts.read import Evidence, Incident
from alerts.rules import JOY
from alerts.safe import defang, header, http_url, line, quote
from alerts.values import mood, values
from config.settings import Language, Settings

BADGES: dict[Tone, str] = {"risk": "🔴", "chance": "🟢", "fault": "⚪", "plain": "🔵", "over": "⚪"}
QUOTES = 5


def compose(
    settings: Settings,
    incident: Incident,
    kind: Kind,
    now: datetime,
    *,
    note_id: int = 0,
    language: Language | None = None,
) -> Message:
    """The message about `incident`: its beginning (`opened`), what the note `note_id` says (`update`), its end
    (`resolved`), or that nobody has taken it (`escalation`); in the topic's language if none is named.
    """
    topics, zone, title = reader_of(settings, incident)
    language = language or topics
    said = w.strings(language)
    tone = tone_of(incident)
    known = values(incident, language, zone, title, now)
    over = kind == "resolved" or incident.state == "resolved"
    badge = said["labels"]["over" if over else "chance" if tone == "chance" else incident.severity]
    heading = lasting = _title(said, incident, tone, known)
    if kind == "resolved":
        heading = w.fill(said["title_over"].get(incident.rule, ""), known) or lasting
    follows = kind in ("resolved", "update")
    news = _news(said, incident, kind, note_id, known, now)
    brief = bool(news) and kind == "update"
    return Message(
        kind=kind,
        language=language,
        tone="over" if over else tone,
        severity=incident.severity,
        badge=badge,
        title=news or heading,
        heading=heading,
        subject=_subject(said, incident, tone, lasting, kind),
        summary=tuple(([heading] if news else []) + _summary(said, incident, tone, known, over)),
        facts=() if brief else tuple(_facts(said, incident, known, over)),
        quotes=() if follows else tuple(quotes_of(incident.evidence[:QUOTES], language, zone, said)),
        advice=() if over or brief else tuple(_text(_pick(said["advice"], incident, tone))),
        related=() if brief else tuple(f"#{i} {said['rules'].get(rule, rule)}" for i, rule in incident.related),
        commands=() if follows else tuple(commands(said, incident.id)),
        footer=said["labels"]["footer"].format(id=f"#{incident.id}", zone=zone.key),
        chart_alt=said["labels"]["chart_alt"].format(title=heading, topic=known["topic"]),
        thread=thread(incident),
        note_id=note_id,
        incident_id=0 if follows else incident.id,
        taken=incident.state != "open",
    )


def compose_test(settings: Settings, language: Language | None = None) -> Message:
    """The sample that `resonance alerts test` sends."""
    language = language or default_language(settings)
    said = w.strings(language)
    return Message(
        kind="test",
        language=language,
        tone="plain",
        severity="info",
        badge=said["labels"]["test"],
        title=said["title"]["test"],
        subject=f"[{said['labels']['test']}] {said['title']['test']}",
        summary=tuple(w.sentences(said["summary"]["test"], {})),
        footer="resonance",
        thread="test",
    )


def compose_rollup(
    settings: Settings, incidents: Sequence[tuple[Incident, str]], delivery: int, *, held: bool = False
) -> Message:
    """One message that names many incidents (with the kind of each delivery), the gravest first.

    `held`: they waited for the end of quiet hours, and are not a storm.
    """
    language = _common_language(settings, [incident for incident, _ in incidents])
    said = w.strings(language)
    order = sorted(incidents, key=lambda pair: (-("info", "warning", "critical").index(pair[0].severity), pair[0].id))
    count = w.unit(language, "incidents", str(len(order))) or ""
    title = said["title"]["rollup"].format(count=count)
    worst = order[0][0].severity if order else "info"
    return Message(
        kind="rollup",
        language=language,
        tone="risk" if worst == "critical" else "plain",
        severity=worst,
        badge=said["labels"][worst],
        title=title,
        subject=f"[{said['labels'][worst]}] {title}",
        summary=tuple(w.sentences(said["summary"]["rollup_held" if held else "rollup"], {})),
        items=tuple(item(settings, incident, kind, language) for incident, kind in order),
        footer="resonance",
        thread=f"rollup-{delivery}",
    )


def default_language(settings: Settings) -> Language:
    """The language of messages that belong to no topic."""
    return settings.topics[0].alert_language if settings.topics else "ja"


def thread(incident: Incident) -> str:
    """Names the incident in Message-IDs; other databases' incidents of that number get other names."""
    own = f"{incident.opened_at.isoformat()} {incident.topic} {incident.rule} {incident.subject}"
    return f"incident-{incident.id}-{zlib.crc32(own.encode('utf-8', 'replace')):08x}"


def tone_of(incident: Incident) -> Tone:
    """Is it a risk, a chance, a fault of collection, or neither?"""
    if incident.rule == "silent_source":
        return "fault"
    feeling = mood(incident.facts)
    if incident.rule == "negative_surge":
        return "chance" if incident.facts.get("direction") == "down" else "risk"
    if "negative_surge" in (incident.facts.get("linked") or {}) or feeling == "negative":
        return "risk"
    if (feeling == "positive" or incident.rule == JOY) and incident.facts.get("direction") != "down":
        return "chance"
    return "plain"


def commands(said: dict[str, Any], incident_id: int) -> list[tuple[str, str]]:
    """What to type, and when."""
    return [
        (said["labels"]["ack"], f"resonance alerts ack {incident_id}"),
        (said["labels"]["helpful"], f"resonance alerts feedback {incident_id} helpful"),
        (said["labels"]["false_alarm"], f"resonance alerts feedback {incident_id} false-alarm"),
    ]


def reader_of(settings: Settings, incident: Incident) -> tuple[Language, ZoneInfo, str]:
    """Language, zone and name of the topic."""
    for topic in settings.topics:
        if topic.slug == incident.topic:
            return topic.alert_language, topic.zone, line(topic.title, 80)
    language = default_language(settings)
    zone = ZoneInfo(settings.topics[0].timezone) if settings.topics else ZoneInfo("UTC")
    return language, zone, line(incident.topic or w.strings(language)["labels"]["topic_unknown"], 80)


def _common_language(settings: Settings, incidents: Sequence[Incident]) -> Language:
    languages = [reader_of(settings, incident)[0] for incident in incidents]
    return max(sorted(set(languages)), key=languages.count) if languages else default_language(settings)


def _pick(table: dict[str, Any], incident: Incident, tone: Tone) -> Any:
    """The entry for the rule in this tone, else in this direction, else upwards."""
    direction = incident.facts.get("direction", "up")
    return next(
        (
            table[key]
            for key in (f"{incident.rule}_{tone}", f"{incident.rule}_{direction}", f"{incident.rule}_up")
            if key in table
        ),
        [],
    )


def _text(lines: Sequence[str]) -> list[str]:
    return [text.replace("`", "") for text in lines]


def _title(said: dict[str, Any], incident: Incident, tone: Tone, known: dict[str, str | None]) -> str:
    return w.fill(_pick(said["title"], incident, tone), known) or said["rules"].get(incident.rule, incident.rule)


def _subject(said: dict[str, Any], incident: Incident, tone: Tone, title: str, kind: Kind) -> str:
    """Stays the same while an incident grows, so that mail programs keep one thread."""
    first = str(incident.facts.get("opened_severity", incident.severity))
    badge = said["labels"]["chance" if tone == "chance" else first]
    if kind == "escalation":
        return header(f"[{said['labels']['unclaimed']}][{badge}] {title} (#{incident.id})")
    return header(f"{'Re: ' if kind in ('resolved', 'update') else ''}[{badge}] {title} (#{incident.id})")


def _news(
    said: dict[str, Any], incident: Incident, kind: Kind, note_id: int, known: dict[str, str | None], now: datetime
) -> str | None:
    """The heading of a message that follows another: what has happened since."""
    if kind == "escalation":
        waited = w.duration(said["language"], now - incident.opened_at)
        return str(said["news"]["escalation"]).format(waited=waited)
    note = next((n for n in incident.notes if n["id"] == note_id), None)
    if kind != "update" or note is None:
        return None
    name = note["kind"]
    if name == "updated":
        name = "joined" if "joined" in note["note"] else "graver"
    elif name == "feedback":
        name = f"feedback_{note['note']}"
    by = line(note["by"], 60) if note["by"] else None
    severity = said["labels"][incident.severity]
    return w.fill(said["news"].get(f"{name}_by" if by else name, ""), {**known, "by": by, "severity": severity})


def _summary(
    said: dict[str, Any], incident: Incident, tone: Tone, known: dict[str, str | None], over: bool
) -> list[str]:
    if over:
        return w.sentences(said["summary"]["over_silent" if incident.rule == "silent_source" else "over"], known)
    told = w.sentences(_pick(said["summary"], incident, tone), known)
    for rule in incident.facts.get("linked") or {}:
        told += w.sentences(said["summary"].get(f"linked_{rule}", []), known)
    return [text.replace("`", "") for text in told]


FACTS: dict[str, tuple[str, ...]] = {
    "volume_spike": ("began", "now", "confidence", "mood", "words", "communities", "coverage", "taken"),
    "negative_surge": ("began", "now", "confidence", "mood", "words", "communities", "coverage", "taken"),
    "viral_cascade": ("began", "forecast", "mood", "communities", "taken"),
    "rising_user": ("resonance", "communities", "taken"),
    "silent_source": ("reason", "taken"),
    "community_quiet": ("communities", "members", "taken"),
    "community_sour": ("communities", "mood", "taken"),
    "emotion_surge": ("began", "now", "confidence", "words", "communities", "coverage", "taken"),
    "positive_surge": ("began", "now", "confidence", "joy", "words", "communities", "coverage", "taken"),
}


def _facts(said: dict[str, Any], incident: Incident, known: dict[str, str | None], over: bool) -> list[tuple[str, str]]:
    told = []
    said_already = {"negative_surge": "negative_part", JOY: "positive_part"}.get(incident.rule)
    if said_already and known.get("observed_part"):
        known = known | {said_already: None}
    for name in FACTS.get(incident.rule, ("began", "confidence")):
        if over and name in ("now", "confidence", "coverage", "taken"):
            continue
        label, alternatives = said["facts"][name]
        told += [(label, text) for text in w.sentences(alternatives, known)]
    if known.get("trend") and not over:
        told.append((said["labels"]["trend"], known["trend"] or ""))
    return told


def quotes_of(evidence: Sequence[Evidence], language: Language, zone: ZoneInfo, said: dict[str, Any]) -> list[Quote]:
    """Strangers' posts, made harmless."""
    return [
        Quote(
            author=defang("@" + line(e.author.lstrip("@"), 60)) if e.author else said["labels"]["unknown_author"],
            when=w.clock(language, e.created_at, zone) if e.created_at else "",
            text=quote(e.text) if e.text else said["labels"]["removed_post"],
            url=http_url(e.url) if e.text else None,
            reshares=w.unit(language, "shares", w.number(e.reshares)) if e.reshares else None,
        )
        for e in evidence
    ]


def item(settings: Settings, incident: Incident, kind: str, language: Language) -> str:
    """The incident in one line."""
    _, zone, title = reader_of(settings, incident)
    said = w.strings(language)
    known = values(incident, language, zone, title, incident.opened_at + timedelta(minutes=1))
    tone = tone_of(incident)
    over = kind == "resolved" or incident.state == "resolved"
    badge = said["labels"]["over" if over else "chance" if tone == "chance" else incident.severity]
    what = _title(said, incident, tone, known)
    return f"#{incident.id} [{badge}] {what}｜{w.clock(language, incident.opened_at, zone)}"
