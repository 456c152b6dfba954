"""How X writes a text: t.co addresses, HTML escapes, entities with their places, and the cut above 280."""

from __future__ import annotations

import hashlib
import html
import unicodedata
from typing import Any

from sandbox.index import ADDRESS, HANDLE, HASHTAG

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LIMIT = 280
URL_WEIGHT = 23


def short_url(address: str) -> str:
    """The t.co address that stands for an address."""
    number = int.from_bytes(hashlib.sha256(address.encode("utf-8", "replace")).digest()[:10], "big")
    digits = []
    for _ in range(10):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "https://t.co/" + "".join(digits)


def weight(text: str) -> int:
    """X's length of a text: wide characters and emoji count two, an address 23."""
    length, rest = 0, 0
    for match in ADDRESS.finditer(text):
        length += _plain_weight(text[rest : match.start()]) + URL_WEIGHT
        rest = match.end()
    return length + _plain_weight(text[rest:])


def _plain_weight(text: str) -> int:
    return sum(1 if ord(character) < 0x1100 else 2 for character in unicodedata.normalize("NFC", text))


def rendered(text: str, people: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The text as X sends it, and its entities; `people` maps handles in lower case to ids."""
    pieces: list[str] = []
    urls: list[dict[str, Any]] = []
    length = rest = 0
    for match in ADDRESS.finditer(text):
        pieces.append(html.escape(text[rest : match.start()], quote=False))
        length += len(pieces[-1])
        address, short = match.group(0), short_url(match.group(0))
        urls.append(
            {
                "start": length,
                "end": length + len(short),
                "url": short,
                "expanded_url": address,
                "display_url": _display(address),
            }
        )
        pieces.append(short)
        length += len(short)
        rest = match.end()
    pieces.append(html.escape(text[rest:], quote=False))
    sent = "".join(pieces)
    return sent, _entities(sent, urls, people)


def _entities(sent: str, urls: list[dict[str, Any]], people: dict[str, str]) -> dict[str, Any]:
    inside = [(url["start"], url["end"]) for url in urls]
    tags = [
        {"start": match.start(), "end": match.end(), "tag": match.group(1)}
        for match in HASHTAG.finditer(sent)
        if not any(start <= match.start() < end for start, end in inside)
    ]
    mentions = []
    for match in HANDLE.finditer(sent):
        known = people.get(match.group(1).casefold())
        end = match.start() + 1 + len(match.group(1))
        mention = {"start": match.start(), "end": end, "username": match.group(1)}
        mentions.append({**mention, "id": known} if known else mention)
    found = {"hashtags": tags, "mentions": mentions, "urls": urls}
    return {name: entities for name, entities in found.items() if entities}


def cut(text: str, address: str) -> str:
    """The beginning of a long text, as clients that know no long posts see it, with the post's own address."""
    room = LIMIT - URL_WEIGHT - 3
    used = 0
    for position, character in enumerate(text):
        used += _plain_weight(character)
        if used > room:
            return f"{text[:position].rstrip()}… {address}"
    return text


def _display(address: str) -> str:
    bare = address.split("://", 1)[1].removeprefix("www.")
    return bare if len(bare) <= 26 else bare[:26] + "…"
