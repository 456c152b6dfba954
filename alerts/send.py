"""From a delivery's row to a call: the caller's thread reads and composes, so that the call needs no store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

import structlog

from alerts import email, slack
from alerts.compose import compose, compose_rollup, compose_test
from alerts.message import Kind, Message
from alerts.outcome import Outcome
from alerts.read import Incident, incident
from config.settings import Channel, EmailChannel, Settings
from store.db import Store

Call = Callable[[], Outcome]
Chart = Callable[[], bytes | None]
_log = structlog.get_logger()


def attempt_of(store: Store, settings: Settings, channel: Channel, delivery_id: int, now: datetime) -> Call:
    """What sends the delivery; to be called without any transaction."""
    row = store.query("SELECT incident_id, kind, peer_ref FROM deliveries WHERE id = ?", (delivery_id,))[0]
    done = int(row["peer_ref"].removeprefix("parts:")) if (row["peer_ref"] or "").startswith("parts:") else 0
    if row["kind"] == "rollup":
        return _call(channel, compose_rollup(settings, _rolled(store, delivery_id), delivery_id), _no_chart, now, done)
    subject = incident(store, row["incident_id"])
    message = compose(settings, subject, cast(Kind, row["kind"]), now)
    drawn = message.kind == "opened"
    return _call(channel, message, lambda: chart_of(settings, subject, message) if drawn else None, now, done)


def attempt_test(settings: Settings, channel: Channel, now: datetime) -> Call:
    """What sends the sample."""
    return _call(channel, compose_test(settings), _no_chart, now, 0)


def chart_of(settings: Settings, subject: Incident, message: Message) -> bytes | None:
    """The chart of an incident, or None; an alert never waits for a picture that cannot be drawn."""
    from alerts.charts import chart

    zones = {topic.slug: topic.zone for topic in settings.topics}
    try:
        return chart(subject, message.language, zones.get(subject.topic or "", ZoneInfo("UTC")), message.title)
    except Exception as error:
        _log.warning("chart_not_drawn", incident=subject.id, error=type(error).__name__)
        return None


def _rolled(store: Store, delivery_id: int) -> list[tuple[Incident, str]]:
    rows = store.query("SELECT incident_id, kind FROM deliveries WHERE rolled_into = ? ORDER BY id", (delivery_id,))
    return [(incident(store, r["incident_id"], evidence=1), r["kind"]) for r in rows]


def _no_chart() -> None:
    return None


def _call(channel: Channel, message: Message, chart: Chart, now: datetime, done: int) -> Call:
    """Drawing and encoding happen in the channel's thread too: a slow chart delays no other channel."""

    def mail() -> Outcome:
        assert isinstance(channel, EmailChannel)
        try:
            raw = email.build(channel, message, chart(), now)
        except Exception as error:
            return Outcome("failed", f"the email could not be made: {type(error).__name__}")
        return email.send(channel, raw)

    if isinstance(channel, EmailChannel):
        return mail
    bodies = slack.payloads(message)
    return lambda: slack.send(channel, bodies, done)
