"""A topic as search queries of X: at most 512 characters each; what is too long becomes several."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from config import Topic

MAX_QUERY = 512
MAX_SUFFIX = 240
_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_TAG = re.compile(r"(?=\d*[^\W\d])\w+")
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")


def queries(topic: Topic) -> list[str]:
    """The queries that together find a topic's posts; matching proper is ours, on what they bring."""
    suffix = _suffix(topic)
    room = MAX_QUERY - len(suffix) - len("()")
    chunks: list[list[str]] = []
    for term in dict.fromkeys(_terms(topic)):
        if term == '""':
            continue
        if chunks and len(" OR ".join([*chunks[-1], term])) <= room:
            chunks[-1].append(term)
        else:
            chunks.append([term])
    return [f"({' OR '.join(chunk)}){suffix}" for chunk in chunks]


def handle_of(account: str) -> str | None:
    """`acme` for the configured `x:acme` or `x:@acme`; None when it is not an account of X."""
    network, colon, name = account.partition(":")
    name = name.lstrip("@")
    return name if colon and network.lower() == "x" and _HANDLE.fullmatch(name) else None


def _terms(topic: Topic) -> Iterator[str]:
    """How X tokenises Japanese is undocumented, so a Japanese word is asked for as a phrase and as a hashtag."""
    for keyword in topic.keywords:
        for form in dict.fromkeys((keyword, unicodedata.normalize("NFKC", keyword))):
            yield _quoted(form)
            if not form.isascii() and _TAG.fullmatch(form):
                yield f"#{form}"
    yield from (f'"{_inside(phrase)}"' for phrase in topic.phrases)
    yield from (f"#{tag}" if _TAG.fullmatch(tag) else _quoted(tag) for tag in topic.hashtags)
    yield from (f"@{handle}" for account in topic.accounts if (handle := handle_of(account)))


def _suffix(topic: Topic) -> str:
    """Conditions for all: no advertisements that nobody follows, the languages, exclusions as far as they fit."""
    suffix = " -is:nullcast"
    if topic.languages:  # `und`: X is not sure of short posts
        suffix += f" ({' OR '.join(f'lang:{code}' for code in dict.fromkeys([*topic.languages, 'und']))})"
    for excluded in topic.exclude:
        if len(suffix) + len(part := f" -{_quoted(excluded)}") <= MAX_SUFFIX:
            suffix += part
    return suffix


def _quoted(words: str) -> str:
    plain = _PLAIN.fullmatch(words) and words.lower() not in ("or", "and")
    return words if plain else f'"{_inside(words)}"'


def _inside(words: str) -> str:
    return " ".join(words.replace('"', " ").replace("\\", " ").split())
