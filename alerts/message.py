"""What an alert says, before any channel gives it a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.settings import Language

Tone = Literal["risk", "chance", "fault", "plain", "over"]
Kind = Literal["opened", "update", "resolved", "escalation", "digest", "test", "rollup"]


@dataclass(frozen=True, slots=True)
class Quote:
    """A post: `text` is a stranger's, already made harmless by alerts.safe; `url` is http(s) or None."""

    author: str
    when: str
    text: str
    url: str | None = None
    reshares: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with lines under it; of a digest."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """An alert in words. All texts are plain: no channel's markup is meant by any character of them."""

    kind: Kind
    language: Language
    tone: Tone
    severity: str
    badge: str
    """The severity in words, such as 注意."""
    title: str
    subject: str
    """Of the email; the same for every message about one incident."""
    summary: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    quotes: tuple[Quote, ...] = ()
    advice: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """What to press in an email, in place of the commands: a word and our own address."""
    items: tuple[str, ...] = ()
    """Lines of a roll-up."""
    sections: tuple[Section, ...] = ()
    quotes_title: str = ""
    """Above the posts, where it is not that they are the evidence."""
    footer: str = ""
    heading: str = ""
    """What the incident is called, where `title` tells what has happened to it."""
    chart_alt: str = ""
    thread: str = ""
    """Same for all messages about one incident; part of the Message-ID."""
    note_id: int = 0
    """The incident_notes.id that an update or an end tells; part of its Message-ID."""
    incident_id: int = 0
    """What buttons answer; 0: nothing to answer."""
    taken: bool = False
    """Somebody has taken it, or it is over: no button to take it."""
