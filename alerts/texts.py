"""A message as plain text: the email's text part, and what a terminal shows."""

from __future__ import annotations

import re
from collections.abc import Iterable

from alerts.message import Message, Quote
from alerts.safe import terminal
from alerts.wording import strings


def plain(message: Message) -> str:
    """The whole message, one paragraph per part, ending with a line break."""
    text = re.sub("\n{3,}", "\n\n", "\n".join(_lines(message)).strip())
    return terminal(text + "\n")


def _lines(message: Message) -> Iterable[str]:
    said = strings(message.language)["labels"]
    colon = "：" if message.language == "ja" else ": "
    yield f"[{message.badge}] {message.title}"
    yield ""
    yield from message.summary
    yield ""
    for label, value in message.facts:
        yield f"{label}{colon}{value}"
    yield from (f"・{item}" for item in message.items)
    for section in message.sections:
        yield f"\n■ {section.title}"
        yield from (f"・{text}" for text in section.lines)
    if message.quotes:
        yield f"\n■ {message.quotes_title or said['evidence']}"
        for quote in message.quotes:
            yield from _quoted(quote)
    if message.advice:
        yield f"\n■ {said['suggestion']}"
        yield from (f"・{text}" for text in message.advice)
        yield said["suggestion_note"]
    if message.related:
        yield f"\n■ {said['related']}"
        yield from (f"・{text}" for text in message.related)
    if message.commands:
        yield f"\n■ {said['commands']}"
        for label, command in message.commands:
            yield f"{label}{colon}{command}"
    if message.links:
        yield f"\n■ {said['commands']}"
        for label, url in message.links:
            yield f"{label}{colon}\n{url}"
        yield said["links_note"]
    yield f"\n-- \n{message.footer}"


def _quoted(quote: Quote) -> Iterable[str]:
    yield "  ".join(part for part in (f"・{quote.author}", quote.when, quote.reshares) if part)
    yield f"  {quote.text}"
    if quote.url:
        yield f"  {quote.url}"
