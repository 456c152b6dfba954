"""Strangers' text on its way to people: nothing in it may ping, link, format, hide or run."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from store.text import clean

JOINER = "\u2060"
"""Word joiner: invisible; keeps mail programs and Slack from turning a name with a dot into a link."""

_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'、。（）「」]+", re.IGNORECASE)
_SCHEME = re.compile(r"\b(javascript|data|vbscript|mailto|tel|file)(\s*):", re.IGNORECASE)
_DOTTED = re.compile(r"(?<=[^\s.])\.(?=[^\s.\d])")
_AT = re.compile(r"@(?=\S)")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def line(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters: no control characters, no direction marks, no lone surrogates."""
    head = text[: limit * 4 + 200]
    plain = _CONTROL.sub(" ", _BIDI.sub("", clean(head)))
    plain = re.sub(r"\s+", " ", plain).strip()
    return shorten(plain, limit)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a space where there is one near, never inside an emoji sequence."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    while cut and (cut[-1] in "\u200d\ufe0f" or text[len(cut)] in "\u200d\ufe0f"):
        cut = cut[:-1]
    space = cut.rfind(" ")
    if space > limit * 2 // 3:
        cut = cut[:space]
    return cut.rstrip() + "…"


def quote(text: str, limit: int = 280) -> str:
    """A stranger's words to be shown: one line, addresses reduced to their host, nothing that becomes a link."""
    return defang(line(_URL.sub(_host_only, text[: limit * 8]), limit))


def defang(text: str) -> str:
    """The same text to the eye, but no dot or @ of it makes a link or an address."""
    text = _SCHEME.sub(lambda m: f"{m[1]}{JOINER}{m[2]}:", text)
    text = text.replace("://", f":{JOINER}//").replace("www.", f"www{JOINER}.")
    return _AT.sub(f"@{JOINER}", _DOTTED.sub(f"{JOINER}.{JOINER}", text))


def _host_only(match: re.Match[str]) -> str:
    try:
        host = urlsplit(match[0]).hostname or ""
    except ValueError:
        host = ""
    return f"[{host}]" if host else "[…]"


def http_url(url: str | None) -> str | None:
    """The address if a person may click on it: http or https, a host, no credentials, no blanks; else None."""
    if (
        not url
        or len(url) > 2000
        or re.search(r"[\s\x00-\x20\"'<>\\^`{}|\ud800-\udfff\u202a-\u202e\u2066-\u2069]", url)
    ):
        return None
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            return None
        _ = parts.port
    except ValueError:
        return None
    return url


def slack(text: str) -> str:
    """Text for a field that Slack parses: & < > as entities, so that no link, ping or date can begin."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def header(text: str, limit: int = 300) -> str:
    """Text for a mail header: one line without control characters."""
    return line(text, limit)


def csv_cell(text: str) -> str:
    """Text for a cell: a leading = + - @ or tab cannot become a formula."""
    plain = line(text, 32_000)
    return f"'{plain}" if plain[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "|") else plain


def terminal(text: str) -> str:
    """Text for a terminal: no escape sequences, line breaks kept."""
    return "\n".join(_CONTROL.sub("", _BIDI.sub("", part)) for part in text.split("\n"))
