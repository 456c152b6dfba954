"""A message in a few hundred characters of plain text, for services that take little and parse what they get."""

from __future__ import annotations

import re

from alerts.message import Message
from alerts.safe import line, shorten, terminal
from alerts.wording import strings

LIMIT = 900
"""Teams takes 1,000 characters, Discord 2,000, LINE 5,000; the title counts too."""
QUOTED = 120
_HARMLESS = str.maketrans("@<>[]*`~|_\\", "＠＜＞［］＊｀～｜＿＼")
"""Services format, link or ping by these; nothing does by their full-width forms."""


def title(message: Message) -> str:
    """The heading, with the badge before it."""
    return harmless(shorten(f"[{message.badge}] {message.title}", 120))


def body(message: Message, limit: int = LIMIT) -> str:
    """What fits, the most important first; of a list as much as fits, and how much is left out."""
    room = limit - len(title(message)) - 1
    foot = _foot(message)
    room -= sum(len(text) + 1 for text in foot)
    told: list[str] = []
    for text in _lead(message):
        if len(text) + 1 <= room:
            told.append(text)
            room -= len(text) + 1
    told += _listed(message, room)
    return terminal("\n".join([*told, *foot]))


def harmless(text: str) -> str:
    """The same to the eye, but nothing in it pings, links or formats."""
    return text.translate(_HARMLESS)


def _lead(message: Message) -> list[str]:
    colon = "：" if message.language == "ja" else ": "
    told = [harmless(text) for text in message.summary]
    told += [harmless(f"{label}{colon}{value}") for label, value in message.facts[:2]]
    for quote in [] if message.items or message.sections else message.quotes[:1]:
        told.append(harmless(f"・{quote.author}{colon}{line(quote.text, QUOTED)}"))
        told += [quote.url] if quote.url else []
    return told


def _foot(message: Message) -> list[str]:
    """How to answer: one link, which asks for everything, or the command that shows the whole alert."""
    said = strings(message.language)["labels"]
    colon = "：" if message.language == "ja" else ": "
    if message.links:
        return [f"{said['commands']}{colon}{message.links[0][1]}"]
    number = next((found[0] for _, text in message.commands if (found := re.findall(r"\d+", text))), None)
    return [f"{said['details']}{colon}resonance alerts show {number}"] if number else []


def _listed(message: Message, room: int) -> list[str]:
    """Items of a roll-up, or sections of a digest, one line each."""
    lines = [f"・{text}" for text in message.items]
    for section in message.sections:
        lines += [f"■ {section.title}", *(f"・{text}" for text in section.lines)]
    lines = [harmless(line(text, 200)) for text in lines]
    more = strings(message.language)["digest"]["more"]
    told: list[str] = []
    for at, text in enumerate(lines):
        left = len(lines) - at
        needed = 0 if left == 1 else len(more.format(more=f"{left:,}")) + 1
        if len(text) + 1 + needed > room:
            return [*told, more.format(more=f"{left:,}")]
        told.append(text)
        room -= len(text) + 1
    return told
