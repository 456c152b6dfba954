"""What a message may name: every value as text in the reader's language, None where it is not known.

Texts of strangers (handles, words, community labels) come out of here harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from alerts import wording as w
from alerts.read import Incident
from alerts.safe import defang, line
from config.settings import Language
from store.records import from_iso

POSITIVE_BELOW = 0.15
NEGATIVE_ABOVE = 0.4
ENOUGH_POSTS = 8
SAME_SHARE = 0.01
"""Counts that give another share than the rule's (another period) are not told in one sentence with it."""
SHARES = ("negative_surge", "emotion_surge", "positive_surge", "community_sour")
"""Rules that observe a share."""
SOURCES = {"x": "X", "mastodon": "Mastodon"}


def values(incident: Incident, language: Language, zone: ZoneInfo, topic: str, now: datetime) -> dict[str, str | None]:
    """Everything that the strings can name, by placeholder."""
    facts = incident.facts
    known: dict[str, str | None] = {"topic": topic, "ended": None}
    known |= _times(incident, language, zone, now)
    known |= _counts(facts, language)
    known |= _shares(facts, language)
    known |= _cascade(incident, language)
    known |= _linked(facts, language)
    known |= _height(incident, language)
    known |= {
        "account": _name(_account(incident)),
        "source": _source(incident),
        "reason": line(str(facts["reason"]), 300) if facts.get("reason") else None,
        "rank": w.unit(language, "rank", w.number(_number(facts, "rank"))),
        "follower_rank": w.unit(language, "rank", w.number(_number(facts, "follower_rank"))),
        "beyond": _beyond(facts),
        "resonance": w.number(_number(facts, "resonance")),
        "communities": _list(facts.get("communities"), language),
        "words": _list(facts.get("words"), language, 8),
        "emotion": w.strings(language)["emotions"].get(str(facts.get("emotion"))),
        "members": w.number(_number(facts, "members")),
        "acknowledged_by": line(incident.acknowledged_by, 60) if incident.acknowledged_by else None,
    }
    confidence = _number(facts, "confidence")
    known["confidence_words"] = w.confidence_words(language, confidence) if confidence else None
    coverage = _number(facts, "coverage")
    known["coverage"] = w.percent(coverage) if coverage is not None and coverage < 0.95 else None
    known["trend"] = w.sparkline([_float(row[1]) for row in rows(facts)]) or None
    return known


def mood(facts: Mapping[str, Any]) -> Literal["positive", "negative"] | None:
    """How the posts behind it sound, when there are enough of them to say."""
    if facts.get("mood") in ("positive", "negative"):
        return "positive" if facts["mood"] == "positive" else "negative"
    share, posts = negative_share(facts), _number(facts, "posts")
    if share is None or (posts is not None and posts < ENOUGH_POSTS):
        return None
    return "positive" if share <= POSITIVE_BELOW else "negative" if share >= NEGATIVE_ABOVE else None


def negative_share(facts: Mapping[str, Any]) -> float | None:
    """Negative posts among all, from counts or a share; None when not told."""
    negative, posts = _number(facts, "negative"), _number(facts, "posts")
    if negative is None:
        return None
    if isinstance(facts["negative"], int) or negative > 1:
        return negative / posts if posts else None
    return negative


def rows(facts: Mapping[str, Any]) -> list[list[Any]]:
    """The series of the chart: rows of (time, observed, expected, low, high); malformed ones are left out."""
    series = facts.get("series") or []
    return [list(row) for row in series if isinstance(row, list | tuple) and len(row) == 5 and isinstance(row[0], str)]


def step(facts: Mapping[str, Any]) -> timedelta | None:
    """The time from one row of the series to the next."""
    last = rows(facts)[-2:]
    if len(last) < 2:
        minutes = _number(facts, "step_minutes")
        return timedelta(minutes=minutes) if minutes else None
    length = from_iso(last[1][0]) - from_iso(last[0][0])
    return length if length > timedelta(0) else None


def _times(incident: Incident, language: Language, zone: ZoneInfo, now: datetime) -> dict[str, str | None]:
    said = w.strings(language)["units"]
    length = step(incident.facts)
    told: dict[str, str | None] = {
        "began": w.clock(language, incident.began_at, zone),
        "since": w.duration(language, max(now - incident.began_at, timedelta(minutes=1))),
        "period": said["last_period"].format(period=w.duration(language, length)) if length else said["latest"],
    }
    if incident.resolved_at is not None:
        told["since"] = None
        told["ended"] = w.clock(language, incident.resolved_at, zone)
        told["lasted"] = w.duration(language, incident.last_active_at - incident.began_at)
    last_seen = incident.facts.get("last_seen")
    if isinstance(last_seen, str):
        told["last_seen"] = w.clock(language, from_iso(last_seen), zone)
        told["silence"] = w.duration(language, now - from_iso(last_seen))
    return told


def _counts(facts: Mapping[str, Any], language: Language) -> dict[str, str | None]:
    observed, expected = _number(facts, "observed"), _number(facts, "expected")
    low, high = (_whole(_number(facts, key)) for key in ("low", "high"))
    ratio = observed / expected if observed is not None and expected and observed > expected else None
    band = w.span(language, w.number(low), w.number(high))
    return {
        "observed_posts": w.unit(language, "posts", w.number(observed)),
        "observed_shares": w.unit(language, "shares", w.number(observed)),
        "observed_people": w.unit(language, "people", w.number(observed)),
        "expected_people": w.unit(language, "people", w.number(None if expected is None else round(expected))),
        "expected_posts": w.unit(language, "posts", w.number(_whole(expected))),
        "band_posts": w.unit(language, "posts", band),
        "ratio": w.number(round(ratio, 1)) if ratio else None,
    }


def _shares(facts: Mapping[str, Any], language: Language) -> dict[str, str | None]:
    observed = _number(facts, "observed")
    low, high = (w.percent(_number(facts, key)) for key in ("low", "high"))
    part, share = _part(facts, "negative", language), negative_share(facts)
    glad, posts = _number(facts, "positive"), _number(facts, "posts")
    positive = _part(facts, "positive", language)
    own, owned = (part, share) if glad is None else (positive, glad / posts if posts else None)
    return {
        "observed_share": w.percent(observed),
        "expected_share": w.percent(_number(facts, "expected")),
        "band_share": w.span(language, low, high),
        "negative_part": part or w.percent(share),
        "positive_part": positive,
        "observed_part": own if owned is not None and abs(owned - (observed or 0)) < SAME_SHARE else None,
    }


def _part(facts: Mapping[str, Any], name: str, language: Language) -> str | None:
    """So many of so many posts; None where it is no count."""
    counted, posts = _number(facts, name), _number(facts, "posts")
    if counted is None or not posts or not isinstance(facts[name], int):
        return None
    return str(
        w.strings(language)["units"]["part"].format(
            total=w.unit(language, "posts", w.number(posts)),
            part=w.unit(language, "posts", w.number(counted)) if language == "ja" else w.number(counted),
        )
    )


def _cascade(incident: Incident, language: Language) -> dict[str, str | None]:
    facts = incident.facts
    age = _number(facts, "age_minutes")
    low, high = (w.number(_whole(_number(facts, key))) for key in ("forecast_low", "forecast_high"))
    author = facts.get("author") or (facts.get("account") if incident.rule == "viral_cascade" else None)
    author = author or (incident.evidence[0].author if incident.evidence else None)
    return {
        "author": _name(f"@{str(author).lstrip('@')}") if author else None,
        "age": w.duration(language, timedelta(minutes=age)) if age else None,
        "forecast_shares": w.unit(language, "shares", w.number(_whole(_number(facts, "forecast")))),
        "forecast_band": w.unit(language, "shares", w.span(language, low, high)),
        "p_top5": w.percent(_number(facts, "p_top5")),
        "reproduction": w.number(_number(facts, "reproduction")),
    }


def _linked(facts: Mapping[str, Any], language: Language) -> dict[str, str | None]:
    linked = facts.get("linked") or {}
    volume, surge, joy = (linked.get(rule) or {} for rule in ("volume_spike", "negative_surge", "positive_surge"))
    return {
        "linked_posts": w.unit(language, "posts", w.number(_number(volume, "observed"))),
        "linked_expected_posts": w.unit(language, "posts", w.number(_whole(_number(volume, "expected")))),
        "linked_share": w.percent(_number(surge, "observed")),
        "linked_expected_share": w.percent(_number(surge, "expected")),
        "linked_positive_share": w.percent(_number(joy, "observed")),
        "linked_expected_positive_share": w.percent(_number(joy, "expected")),
    }


def _beyond(facts: Mapping[str, Any]) -> str | None:
    """Nothing to say, but known: somebody's influence ranks above the followers."""
    rank, follower_rank = _number(facts, "rank"), _number(facts, "follower_rank")
    return "" if rank is not None and follower_rank is not None and rank < follower_rank else None


def _height(incident: Incident, language: Language) -> dict[str, str | None]:
    """The value now and at its height, in the rule's unit."""
    facts = incident.facts
    observed, peak = _number(facts, "observed"), _number(facts, "peak")

    def said(value: float | None) -> str | None:
        if incident.rule in SHARES:
            return w.percent(value)
        unit = {"volume_spike": "posts", "viral_cascade": "shares"}.get(incident.rule)
        return w.unit(language, unit, w.number(value)) if unit else None

    return {
        "current": said(observed),
        "peak": said(peak) if peak is not None and peak != observed else None,
        "top": said(observed if peak is None else peak),
    }


def _number(facts: Mapping[str, Any], key: str) -> float | None:
    return _float(facts.get(key))


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return value if abs(value) != float("inf") else None


def _whole(value: float | None) -> float | None:
    """Counts of people and posts: no false precision from ten upwards, one decimal below."""
    return None if value is None else round(value) if abs(value) >= 3 else round(value, 1)


def _source(incident: Incident) -> str | None:
    told = incident.facts.get("source") or (incident.subject if incident.rule == "silent_source" else None)
    return SOURCES.get(str(told)) or _name(told)


def _account(incident: Incident) -> str | None:
    """Who it is about: what the rule calls the account, unless that is only its id."""
    told = incident.facts.get("account")
    name = told if isinstance(told, str) and told != incident.subject else incident.handle
    return f"@{name.lstrip('@')}" if name else None


def _name(value: Any) -> str | None:
    return defang(line(str(value), 60)) if value else None


def _list(items: Any, language: Language, limit: int = 5) -> str | None:
    if not isinstance(items, Iterable) or isinstance(items, str | Mapping):
        return None
    names = [defang(line(str(item), 40)) for item in items][:limit]
    return w.strings(language)["units"]["joiner"].join(name for name in names if name) or None
