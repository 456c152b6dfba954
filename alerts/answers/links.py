"""A link that answers an alert: what it says stands readable in it, signed (HMAC-SHA-256), with an end.

    BASE/answer/1.12.8f3a09bc.helpful.1764633600.mail.<32 hex digits>

version, incident, which database's incident (`thread` of its Message-ID), the answer, the end (Unix time), the channel
that carried it, the signature. It holds no address of a person. Opening it says nothing yet: the page asks, and its
form carries a second signature that ends sooner (`form_key`), so that a link alone, or another site, cannot answer.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal, cast, get_args

from alerts.compose import thread
from alerts.read import Incident

Verb = Literal["ack", "helpful", "false_alarm"]
VERBS: tuple[Verb, ...] = get_args(Verb)
PATH = "answer"
VERSION = "1"
LINK, FORM = b"resonance link\0", b"resonance form\0"
DIGITS = 32
"""Of a signature, in hexadecimal: 128 bits."""
FORM_LASTS = timedelta(hours=1)
LONGEST = 300
_TOKEN = re.compile(
    rf"{VERSION}\.(?P<incident>[1-9]\d{{0,14}})\.(?P<named>[0-9a-f]{{8}})\.(?P<verb>{'|'.join(VERBS)})"
    rf"\.(?P<ends>\d{{1,11}})\.(?P<channel>[a-z0-9_-]{{1,63}})\.(?P<signature>[0-9a-f]{{{DIGITS}}})",
    re.ASCII,
)


class NotOurs(Exception):
    """The link is not one of ours, or was changed on the way."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says, once its signature was found true."""

    incident_id: int
    named: str
    verb: Verb
    ends: datetime
    channel: str

    def is_over(self, now: datetime) -> bool:
        """Has it expired?"""
        return now >= self.ends

    def is_about(self, incident: Incident) -> bool:
        """Is it this incident, and not another database's of that number?"""
        return incident.id == self.incident_id and hmac.compare_digest(name_of(incident), self.named)


def name_of(incident: Incident) -> str:
    """What tells an incident from that of another database with its number."""
    return thread(incident).rpartition("-")[2]


def token(key: bytes, incident: Incident, verb: Verb, channel: str, ends: datetime) -> str:
    """The signed part of a link."""
    said = f"{VERSION}.{incident.id}.{name_of(incident)}.{verb}.{int(ends.timestamp())}.{channel}"
    return f"{said}.{_sign(key, LINK, said)}"


def read(key: bytes, text: str) -> Link:
    """What a token says. Raises NotOurs; whether it is over is for the reader to ask."""
    found = _TOKEN.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise NotOurs
    said, _, signature = text.rpartition(".")
    if not hmac.compare_digest(_sign(key, LINK, said), signature):
        raise NotOurs
    ends = datetime.fromtimestamp(int(found["ends"]), UTC)
    return Link(int(found["incident"]), found["named"], cast(Verb, found["verb"]), ends, found["channel"])


def url(base_url: str, text: str) -> str:
    """Where a token's page is."""
    return f"{base_url}/{PATH}/{text}"


def form_key(key: bytes, text: str, now: datetime) -> str:
    """What the page's form carries besides the token: proof that the page was opened, lately."""
    at = str(int(now.timestamp()))
    return f"{at}.{_sign(key, FORM, f'{text}.{at}')}"


def form_holds(key: bytes, text: str, given: str, now: datetime) -> bool:
    """Was this form made by us for this token, and less than FORM_LASTS ago?"""
    at, _, signature = given.partition(".")
    if not re.fullmatch(r"\d{1,11}", at, re.ASCII) or not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", signature, re.ASCII):
        return False
    age = now - datetime.fromtimestamp(int(at), UTC)
    true = hmac.compare_digest(_sign(key, FORM, f"{text}.{at}"), signature)
    return true and timedelta(seconds=-1) <= age <= FORM_LASTS


def _sign(key: bytes, purpose: bytes, said: str) -> str:
    return hmac.new(key, purpose + said.encode(), sha256).hexdigest()[:DIGITS]
