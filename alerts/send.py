"""From a delivery's row to a call: the caller's thread reads and composes, so that the call needs no store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from alerts import by_apprise, email, slack, slack_bot
from alerts.answers import links
from alerts.answers.key import key_of
from alerts.compose import QUOTES, compose, compose_rollup, compose_test
from alerts.digest import digest
from alerts.errors import KeyUnusable
from alerts.message import Kind, Message
from alerts.outcome import Outcome, parts_done
from alerts.queueing import zone_of
from alerts.read import Incident, incident
from alerts.wording import strings
from config.settings import AppriseChannel, Channel, EmailChannel, Settings, SlackChannel
from store.db import Store
from store.records import from_iso

Call = Callable[[], Outcome]
Chart = Callable[[], bytes | None]
_log = structlog.get_logger()


def attempt_of(store: Store, settings: Settings, channel: Channel, delivery_id: int, now: datetime) -> Call:
    """What sends the delivery; to be called without any transaction."""
    row = _row(store, delivery_id)
    if row["kind"] in ("refresh", "chart"):
        return _follow(store, settings, channel, row, now)
    message, subject = _message(store, settings, channel, row, now)
    if isinstance(channel, SlackChannel):
        if channel.by_bot and subject is not None and message.quotes:
            _remember(store, row["id"], subject)
        return _slack(store, channel, row, message)
    if subject is not None and message.commands:
        message = _offered(settings, channel, message, subject, now)
    if isinstance(channel, AppriseChannel):
        return lambda: by_apprise.send(channel, message)
    drawn = subject if message.kind in ("opened", "escalation") else None
    return _mail(channel, message, lambda: chart_of(settings, drawn, message) if drawn else None, now)


def attempt_test(settings: Settings, channel: Channel, now: datetime) -> Call:
    """What sends the sample."""
    message = compose_test(settings)
    if isinstance(channel, EmailChannel):
        return _mail(channel, message, lambda: None, now)
    if isinstance(channel, AppriseChannel):
        return lambda: by_apprise.send(channel, message)
    bodies = slack.payloads(message)
    if channel.by_bot:
        return lambda: slack_bot.send(channel, bodies, f"test.{now.isoformat()}")
    return lambda: slack.send(channel, bodies)


def question_of(store: Store, settings: Settings, channel: Channel, delivery_id: int, now: datetime) -> Call:
    """What asks whether a delivery has arrived; only of a Slack channel by bot token."""
    assert isinstance(channel, SlackChannel)
    row = _row(store, delivery_id)
    since = from_iso(row["not_before"])
    root = _root(store, row)
    if row["kind"] == "chart":
        return lambda: slack_bot.arrived(channel, since, root=root, file=_picture(row))
    message, _ = _message(store, settings, channel, row, now)
    parts, key = len(slack.payloads(message)), _key(row)
    return lambda: slack_bot.arrived(channel, since, key=key, parts=parts, root=root)


def chart_of(settings: Settings, subject: Incident, message: Message) -> bytes | None:
    """The chart of an incident, or None; an alert never waits for a picture that cannot be drawn."""
    from alerts.charts import chart

    try:
        return chart(subject, message.language, zone_of(settings, subject.topic), message.heading)
    except Exception as error:
        _log.warning("chart_not_drawn", incident=subject.id, error=type(error).__name__)
        return None


# ------------------------------------------------------------------ reading
def _row(store: Store, delivery_id: int) -> dict[str, Any]:
    return dict(store.query("SELECT * FROM deliveries WHERE id = ?", (delivery_id,))[0])


def _message(
    store: Store, settings: Settings, channel: Channel, row: dict[str, Any], now: datetime
) -> tuple[Message, Incident | None]:
    """What the delivery says, and the incident that it is about, if it is about one."""
    if row["kind"] == "rollup":
        return compose_rollup(settings, _rolled(store, row["id"]), row["id"], held=_held(store, row["id"])), None
    if row["kind"] == "digest":
        return digest(store, settings, channel, row["about"]), None
    subject = incident(store, row["incident_id"])
    return compose(settings, subject, cast(Kind, row["kind"]), now, note_id=row["note_id"]), subject


def _rolled(store: Store, delivery_id: int) -> list[tuple[Incident, str]]:
    """The incidents of a roll-up, each once, with the kind of its newest delivery."""
    rows = store.query("SELECT incident_id, kind FROM deliveries WHERE rolled_into = ? ORDER BY id", (delivery_id,))
    kinds = {r["incident_id"]: r["kind"] for r in rows}
    return [(incident(store, incident_id, evidence=1), kind) for incident_id, kind in kinds.items()]


def _held(store: Store, delivery_id: int) -> bool:
    return bool(store.one("SELECT MIN(held) FROM deliveries WHERE rolled_into = ?", (delivery_id,)))


def _key(row: dict[str, Any]) -> str:
    """Names a delivery in Slack's metadata; asked for again by a person it has another one."""
    return f"{row['id']}.{row['incident_id'] or 0}.{row['created_at']}"


def _opened(store: Store, row: dict[str, Any]) -> dict[str, Any] | None:
    """The delivery that told the same channel first."""
    rows = store.query(
        "SELECT * FROM deliveries WHERE incident_id = ? AND channel = ? AND kind IN ('opened', 'escalation') "
        "AND peer_ref LIKE '%slack:%' ORDER BY kind = 'escalation', id LIMIT 1",
        (row["incident_id"], row["channel"]),
    )
    return dict(rows[0]) if rows else None


def _root(store: Store, row: dict[str, Any]) -> slack_bot.Ref | None:
    first = _opened(store, row) if row["kind"] in ("update", "resolved", "chart", "refresh") else None
    return slack_bot.ref_of(first["peer_ref"]) if first else None


def _remember(store: Store, delivery_id: int, subject: Incident) -> None:
    """Which posts a message shows, so that it can be brought up to date when one of them is removed."""
    shown = [evidence.post_id for evidence in subject.evidence[:QUOTES] if evidence.text]
    with store.write() as db:
        db.execute("UPDATE deliveries SET about = ? WHERE id = ?", (json.dumps(shown), delivery_id))


def _picture(row: dict[str, Any]) -> str:
    return f"resonance-{row['incident_id']}-{row['id']}.png"


def _offered(settings: Settings, channel: Channel, message: Message, subject: Incident, now: datetime) -> Message:
    """With links in place of commands, where people can reach our pages; an alert never waits for a key."""
    if not settings.dashboard.base_url:
        return message
    try:
        key = key_of(settings)
    except KeyUnusable as error:
        _log.warning("links_left_out", error=str(error))
        return message
    said = strings(message.language)["labels"]
    ends = now + timedelta(days=settings.dashboard.link_days)
    verbs = [verb for verb in links.VERBS if verb != "ack" or subject.state == "open"]
    offered = [
        (said[f"button_{verb}"],
         links.url(settings.dashboard.base_url, links.token(key, subject, verb, channel.name, ends)))
        for verb in verbs
    ]  # fmt: skip
    return replace(message, commands=(), links=tuple(offered))


# ------------------------------------------------------------------ calls
def _mail(channel: EmailChannel, message: Message, chart: Chart, now: datetime) -> Call:
    """Drawing and encoding happen in the channel's thread too: a slow chart delays no other channel."""

    def call() -> Outcome:
        try:
            raw = email.build(channel, message, chart(), now)
        except Exception as error:
            return Outcome("failed", f"the email could not be made: {type(error).__name__}")
        return email.send(channel, raw)

    return call


def _slack(store: Store, channel: SlackChannel, row: dict[str, Any], message: Message) -> Call:
    bodies = slack.payloads(message, buttons=channel.app_token is not None)
    done = parts_done(row["peer_ref"])
    if not channel.by_bot:
        return lambda: slack.send(channel, bodies, done)
    root = slack_bot.ref_of(row["peer_ref"]) or _root(store, row)
    return lambda: slack_bot.send(channel, bodies, _key(row), root=root, done=done)


def _follow(store: Store, settings: Settings, channel: Channel, row: dict[str, Any], now: datetime) -> Call:
    """What brings the first message up to date, or puts the chart under it."""
    first = _opened(store, row)
    root = slack_bot.ref_of(first["peer_ref"]) if first else None
    if first is None or root is None or not isinstance(channel, SlackChannel):
        return lambda: Outcome("failed", "the channel has no message of ours any more that it could follow")
    subject = incident(store, row["incident_id"])
    message = compose(settings, subject, "opened", now)
    if row["kind"] == "refresh":
        _remember(store, first["id"], subject)
        body = slack.payloads(message, buttons=channel.app_token is not None)[0]
        return lambda: slack_bot.update(channel, root, body, _key(first))

    def chart() -> Outcome:
        picture = chart_of(settings, subject, message)
        if picture is None:
            return Outcome("failed", "the chart could not be drawn; the message went out without it")
        return slack_bot.upload(channel, root, picture, _picture(row), message.chart_alt)

    return chart
