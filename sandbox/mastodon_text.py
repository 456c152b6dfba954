"""How Mastodon marks a plain text up: paragraphs, hashtags, mentions as h-cards, shortened links."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from sandbox.index import ADDRESS, HANDLE, HASHTAG
from sandbox.world import Person

MARK = re.compile(f"(?P<address>{ADDRESS.pattern})|(?P<tag>{HASHTAG.pattern})|(?P<mention>{HANDLE.pattern})")
PREFIX = re.compile(r"https?://(www\.)?|xmpp:")
SHORTCODE = re.compile(r"(?<![\w:]):([A-Za-z0-9_]{2,}):(?![\w:])")
ABROAD = ' rel="nofollow noopener" target="_blank"'
SHOWN = 30


def normalised_tag(name: str) -> str:
    """A hashtag as Mastodon compares it."""
    return unicodedata.normalize("NFKC", name).casefold()


@lru_cache(maxsize=20_000)
def tags_of(text: str) -> tuple[str, ...]:
    """The hashtags of a text, normalised, in order, each once."""
    outside = ADDRESS.sub(" ", text)
    return tuple(dict.fromkeys(normalised_tag(match.group(1)) for match in HASHTAG.finditer(outside)))


def profile_url(person: Person) -> str:
    """Where people look at an account."""
    return f"https://{person.instance}/@{person.handle}"


def escaped(text: str) -> str:
    """Text with the five characters that Mastodon escapes."""
    return html.escape(text).replace("&#x27;", "&#39;")


def link(address: str) -> str:
    """A link whose scheme and tail are hidden from the eye."""
    match = PREFIX.match(address)
    prefix = match.group(0) if match else ""
    shown, hidden = address[len(prefix) : len(prefix) + SHOWN], address[len(prefix) + SHOWN :]
    style = "ellipsis" if hidden else ""
    return (
        f'<a href="{escaped(address)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{escaped(prefix)}</span><span class="{style}">{escaped(shown)}</span>'
        f'<span class="invisible">{escaped(hidden)}</span></a>'
    )


def marked_up(text: str, home: str, local: bool, find: Callable[[str, str], Person | None]) -> str:
    """The HTML of a text by somebody on the instance `home`; another instance has cleaned it unless it is `local`."""

    def mark(match: re.Match[str]) -> str:
        if match["address"]:
            return link(match["address"])
        if match["tag"]:
            name = match["tag"][1:]
            rel = ' rel="tag"' if local else ABROAD
            address = f"https://{home}/tags/{escaped(name)}"
            return f'<a href="{address}" class="mention hashtag"{rel}>#<span>{escaped(name)}</span></a>'
        handle, _, host = match["mention"][1:].partition("@")
        person = find(handle, host or home)
        if person is None:
            return escaped(match[0])
        abroad = "" if local else ABROAD
        return (
            f'<span class="h-card" translate="no"><a href="{profile_url(person)}" class="u-url mention"{abroad}>'
            f"@<span>{escaped(person.handle)}</span></a></span>"
        )

    pieces: list[str] = []
    rest = 0
    for match in MARK.finditer(text):
        pieces += [escaped(text[rest : match.start()]), mark(match)]
        rest = match.end()
    body = "".join([*pieces, escaped(text[rest:])]).replace("\r\n", "\n").strip("\n")
    if not body:
        return ""
    paragraphs = re.split(r"\n{2,}", body)
    return "".join("<p>" + paragraph.replace("\n", "<br />") + "</p>" for paragraph in paragraphs)
