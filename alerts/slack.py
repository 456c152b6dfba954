"""Slack's messages and the incoming webhook: Block Kit within the published limits, and what the answers mean.

Every text of ours and of strangers goes into plain_text and rich_text elements, which Slack never parses: no ping, no
link, no formatting can begin there. Only the fallback `text` is parsed, and it is escaped.
"""

from __future__ import annotations

import logging
import ssl
import urllib.error
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slack_sdk.webhook import WebhookClient

from alerts.compose import BADGES
from alerts.message import Message, Quote
from alerts.outcome import Outcome
from alerts.safe import defang, shorten, slack
from alerts.wording import strings
from config.settings import SlackChannel

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3000
"""Also kept for rich_text, of which Slack documents no limit of its own."""
MAX_MESSAGE = 12_000
"""Characters of text in one message; Slack refuses (`msg_blocks_too_long`) somewhat above."""

ACTIONS = ("ack", "helpful", "false_alarm")
Block = dict[str, Any]
silent = logging.getLogger("alerts.slack.sdk")
silent.setLevel(logging.CRITICAL + 1)
"""slack_sdk logs the webhook's secret address and the body at DEBUG, which it takes an unset level for."""


def payloads(message: Message, *, buttons: bool = False) -> list[dict[str, Any]]:
    """The message as one or more bodies; split where one would exceed Slack's limits.

    `buttons` instead of the commands to type: only where Socket Mode hears them.
    """
    groups = _packed(list(_blocks(message, buttons and bool(message.incident_id))))
    return [
        {
            "text": slack(defang(shorten(_fallback(message, n, len(groups)), 500))),
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
            "blocks": blocks,
        }
        for n, blocks in enumerate(groups, 1)
    ]


def _fallback(message: Message, part: int, parts: int) -> str:
    head = f"[{message.badge}] {message.title}"
    if parts > 1:
        head += f" ({part}/{parts})"
    return " ".join([head, *message.summary[:1]])


def _blocks(message: Message, buttons: bool) -> Iterable[Block]:
    said = strings(message.language)["labels"]
    yield {
        "type": "header",
        "text": _plain(shorten(f"{BADGES[message.tone]} {message.badge}｜{message.title}", MAX_HEADER)),
    }
    for chunk in _chunks(message.summary, 20, MAX_SECTION - 200):
        yield _rich(_section(_text("\n".join(chunk))))
    if message.facts:
        yield _rich(_section(*_facts(message.facts)))
    for section in message.sections:
        for n, chunk in enumerate(_chunks(section.lines, 30, MAX_SECTION - 200)):
            yield _rich(*([] if n else [_section(_text(section.title, bold=True))]), _list(chunk))
    if message.quotes:
        yield {"type": "divider"}
        yield _rich(_section(_text(message.quotes_title or said["evidence"], bold=True)))
        for quote in message.quotes:
            yield _rich(*_quoted(quote, said["open_post"]))
    for chunk in _chunks(message.items, 30, MAX_SECTION - 200):
        yield _rich(_list(chunk))
    if message.advice:
        yield {"type": "divider"}
        yield _rich(
            _section(_text(said["suggestion"], bold=True)),
            _list(message.advice),
            _section(_text(said["suggestion_note"], italic=True)),
        )
    if message.related:
        yield _rich(_section(_text(said["related"], bold=True)), _list(message.related))
    if buttons:
        yield {"type": "divider"}
        yield _buttons(message, said)
    elif message.commands:
        yield {"type": "divider"}
        yield _rich(*(_section(_text(f"{label}  "), _text(command, code=True)) for label, command in message.commands))
    if message.footer:
        yield {"type": "context", "elements": [_plain(message.footer)]}


def _buttons(message: Message, said: dict[str, Any]) -> Block:
    """What Socket Mode hears; the value names the incident and, against a mix-up of databases, its thread."""
    value = f"{message.incident_id} {message.thread}"
    return {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": f"resonance_{name}", "value": value, "text": _plain(said[f"button_{name}"])}
            for name in ACTIONS
            if name != "ack" or not message.taken
        ],
    }


def _facts(facts: Sequence[tuple[str, str]]) -> Iterable[Block]:
    for n, (label, value) in enumerate(facts):
        yield _text(("\n" if n else "") + label, bold=True)
        yield _text(f"  {value}")


def _quoted(quote: Quote, open_post: str) -> list[Block]:
    line = [_text(quote.author, bold=True)]
    line += [_text(f"  {part}") for part in (quote.when, quote.reshares) if part]
    if quote.url:
        line += [_text("  "), {"type": "link", "url": quote.url, "text": open_post}]
    return [_section(*line), {"type": "rich_text_quote", "elements": [_text(quote.text)]}]


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text or " ", "emoji": False}


def _text(text: str, **style: bool) -> Block:
    element: Block = {"type": "text", "text": text or " "}
    return element | {"style": style} if style else element


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _list(lines: Iterable[str]) -> Block:
    return {"type": "rich_text_list", "style": "bullet", "elements": [_section(_text(text)) for text in lines]}


def _rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _chunks(lines: Sequence[str], most: int, characters: int) -> Iterable[list[str]]:
    chunk: list[str] = []
    for text in lines:
        if chunk and (len(chunk) >= most or sum(map(len, chunk)) + len(text) > characters):
            yield chunk
            chunk = []
        chunk.append(shorten(text, characters))
    if chunk:
        yield chunk


def weight(block: Any) -> int:
    """Characters of text in a block, however deep."""
    if isinstance(block, dict):
        return sum(len(v) if k in ("text", "url") and isinstance(v, str) else weight(v) for k, v in block.items())
    return sum(map(weight, block)) if isinstance(block, list) else 0


def _packed(blocks: list[Block]) -> list[list[Block]]:
    """The blocks in groups that each fit into one message."""
    groups: list[list[Block]] = [[]]
    size = 0
    for block in blocks:
        length = weight(block)
        if groups[-1] and (len(groups[-1]) >= MAX_BLOCKS or size + length > MAX_MESSAGE):
            groups.append([])
            size = 0
        groups[-1].append(block)
        size += length
    return groups


# ------------------------------------------------------------------ sending
def send(channel: SlackChannel, bodies: Sequence[dict[str, Any]], done: int = 0) -> Outcome:
    """Post the bodies in order, beginning after the `done` first ones. Never repeats, never sleeps, never raises."""
    if channel.webhook_url is None:
        return Outcome(
            "failed", f"Slack channel {channel.name!r} has no webhook_url; see `resonance check`.", parts=done
        )
    client = WebhookClient(
        channel.webhook_url.get_secret_value(),
        timeout=max(1, round(channel.timeout)),
        logger=silent,
        retry_handlers=[],
    )
    for number in range(done, len(bodies)):
        outcome = _post(client, bodies[number])
        if outcome.state != "sent":
            return Outcome(outcome.state, outcome.detail, outcome.retry_after, parts=number)
    return Outcome("sent", parts=len(bodies))


def _post(client: WebhookClient, body: dict[str, Any]) -> Outcome:
    try:
        answer = client.send_dict(body)
    except urllib.error.URLError as error:
        return not_reached(error)
    except ValueError:
        return Outcome("failed", "Slack: webhook_url is not an address. Copy it again from the Slack app.")
    except Exception as error:
        return Outcome("maybe_sent", f"Slack: the connection broke before the answer came ({type(error).__name__}).")
    return _read(answer.status_code, str(answer.body or ""), answer.headers)


def not_reached(error: urllib.error.URLError) -> Outcome:
    """No connection, or one that broke: urllib wraps only what went wrong before or while the request was sent."""
    reason = error.reason
    if isinstance(reason, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return Outcome("maybe_sent", "Slack: the connection broke while the message was sent.")
    if isinstance(reason, ssl.SSLError):
        return Outcome("retry", "Slack: no secure connection (certificate or protocol). Check proxy and clock.")
    if isinstance(reason, TimeoutError):
        return Outcome("retry", "Slack: no connection within the timeout.")
    return Outcome("retry", f"Slack: not reachable ({type(reason).__name__}).")


def _read(status: int, body: str, headers: dict[str, Any]) -> Outcome:
    if status == 200:
        return Outcome("sent")
    said = shorten(" ".join(body.split()), 80) or "no explanation"
    if status == 429:
        return Outcome("retry", "Slack: too many messages (429).", retry_after=seconds(headers))
    if status in (502, 504):
        return Outcome("maybe_sent", f"Slack: a gateway gave up waiting ({status}).")
    if status >= 500 or status == 408:
        return Outcome("retry", f"Slack: not available ({status}: {said}).", retry_after=seconds(headers))
    if status in (401, 403, 404, 410):
        return Outcome("failed", f"Slack refuses the webhook ({status}: {said}). Make a new one in the Slack app.")
    return Outcome("failed", f"Slack refuses the message ({status}: {said}).")


def seconds(headers: Mapping[str, Any]) -> float | None:
    """What Retry-After asks for, between 0 and an hour."""
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), None)
    try:
        return min(max(float(value), 0.0), 3600.0) if value is not None else None
    except (TypeError, ValueError):
        return None
