"""Text as strangers write it: from HTML, made safe, folded for matching, cut for search, prepared for the model.

Every function is pure and takes any `str`, broken Unicode included.
"""

from __future__ import annotations

import html
import re
import unicodedata
from hashlib import sha256
from operator import add

from lxml import etree

MAX_CHARS = 100_000
MODEL_CHARS = 1_000
MAX_HTML = 1_000_000
MAX_QUERY = 1_000
MAX_QUERY_WORDS = 64
CUT = "… [cut]"

# ------------------------------------------------------------------ safe to store and to send on
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Text that is safe to store in SQLite and to send on; idempotent.

    Surrogate pairs are joined and lone surrogates become U+FFFD; line ends become newlines; control characters (null
    bytes included), bidirectional embeddings, overrides and isolates, and U+FFFE/FFFF are removed; newline and tab
    stay. At most MAX_CHARS (100,000) characters are kept; a text that was cut ends with `… [cut]`.
    """
    if not text.isprintable():  # which most posts of one line are; nothing below concerns them
        if _SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = _UNWANTED.sub("", _BREAKS.sub("\n", text))
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - len(CUT)] + CUT


# ------------------------------------------------------------------ HTML
_SPACES = re.compile(r"[ \t\n\r\f]+")
_AROUND_BREAK = re.compile(r"[ \t]*\n[ \t]*")
_MANY_BREAKS = re.compile(r"\n{3,}")
_HIDDEN_TAGS = frozenset(
    [
        "script",
        "style",
        "template",
        "noscript",
        "iframe",
        "object",
        "svg",
        "math",
        "head",
        "title",
        "textarea",
        "select",
    ]
)
_HIDDEN_CLASSES = frozenset(("invisible", "quote-inline"))
_PARAGRAPHS = frozenset(["p", "blockquote", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "table", "hr"])
_LINES = frozenset(["br", "div", "li", "tr", "dt", "dd"])
_EMPTY_TAGS = frozenset(
    ["br", "img", "hr", "wbr", "input", "meta", "link", "area", "base", "col", "embed", "source", "track"]
)


def _is_emoji(attributes: dict[str, str]) -> bool:
    return "emoji" in attributes.get("class", "") and len(attributes.get("alt", "")) <= 100


class _Plain:
    """Parser target (lxml's start/data/end/close protocol) that gathers plain text without building a tree."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.open: list[tuple[str, bool]] = []  # (tag, whether it hides its content)
        self.hidden = 0
        self.pre = 0
        self.href = ""
        self.link: list[str] | None = None  # the whole text of the open link, hidden parts included

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag == "img" and not self.hidden and _is_emoji(attributes):
            self.parts.append(attributes["alt"])
        hides = tag in _HIDDEN_TAGS or not _HIDDEN_CLASSES.isdisjoint(attributes.get("class", "").split())
        if tag not in _EMPTY_TAGS:
            self.open.append((tag, hides))
            self.hidden += hides
            self.pre += tag == "pre"
        if tag == "a" and self.link is None and not self.hidden:
            self.link, self.href = [], attributes.get("href", "").strip()

    def end(self, tag: str) -> None:
        if tag == "a" and self.link is not None:
            self._end_link("".join(self.link).strip())
        if self.open and self.open[-1][0] == tag:
            _, hides = self.open.pop()
            self.hidden -= hides
            self.pre -= tag == "pre"
        if tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag in _LINES and tag != "br":
            self.parts.append("\n")

    def _end_link(self, shown: str) -> None:
        self.link = None
        is_address = self.href.lower().startswith(("http://", "https://"))
        if shown.startswith(("@", "#", "＃", "＠")) or not is_address:
            self.parts.append(shown)
        elif shown.rstrip("…/") in self.href:
            self.parts.append(self.href)
        else:
            self.parts.append(f"{shown} {self.href}")

    def data(self, text: str) -> None:
        if self.link is not None:
            if not any(tag in _HIDDEN_TAGS for tag, hides in self.open if hides):
                self.link.append(_SPACES.sub(" ", text))
        elif not self.hidden:
            self.parts.append(text if self.pre else _SPACES.sub(" ", text))

    def comment(self, text: str) -> None:
        """Comments are not text."""

    def close(self) -> str:
        if self.link is not None:
            self._end_link("".join(self.link).strip())
        return "".join(self.parts)


def from_html(content: str) -> str:
    """A status as Mastodon and its kin send it (HTML) in plain text, cleaned.

    Paragraphs are an empty line apart, `<br>` is a newline. A link becomes its whole href (after its words, where they
    are not the address itself); mentions and hashtags stay `@user` and `#tag`; custom emoji stay `:name:`.
    `span.invisible` and the fallback `.quote-inline` outside of links, scripts, styles and comments are left out.
    At most MAX_HTML (1,000,000) characters of HTML are read.
    """
    source = content[:MAX_HTML]
    if "<" not in source and "&" not in source:
        return clean(source).strip()
    source = _UNWANTED.sub("", source).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    parser = etree.HTMLParser(target=_Plain(), encoding="utf-8", huge_tree=True, no_network=True)
    try:
        parser.feed(b"<div>" + source.encode())
        plain: str = parser.close()
    except etree.LxmlError:
        return ""
    plain = _MANY_BREAKS.sub("\n\n", _AROUND_BREAK.sub("\n", clean(plain).replace("\xa0", " ")))
    return plain.strip()


# ------------------------------------------------------------------ matching and search
_IGNORABLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u206f\ufeff\ufe00-\ufe0f\U000e0000-\U000e0fff]")
_WHITESPACE = re.compile(r"\s+")


def _widths_and_case(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def fold(text: str) -> str:
    """Text for matching: width and compatibility forms (NFKC), case folded, invisible characters dropped, one space.

    Hiragana and katakana stay apart, and so do 〜 and ー: they tell words apart. Idempotent.
    """
    text = clean(text)
    if text.isascii():
        return " ".join(text.lower().split())
    folded = _widths_and_case(_IGNORABLE.sub("", text))
    if folded != text:  # what NFKC brings forth may have to be folded again
        folded = _widths_and_case(_IGNORABLE.sub("", folded))
    return _WHITESPACE.sub(" ", folded).strip()


_CJK_RANGES = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_SYMBOL_RANGES = "#\u2190-\u2bff\U0001f000-\U0001faff"
_CJK = re.compile(f"[{_CJK_RANGES}]")
_SYMBOL = re.compile(f"[{_SYMBOL_RANGES}]")
_PIECES = re.compile(rf"([{_CJK_RANGES}]+)|([{_SYMBOL_RANGES}])|[^{_CJK_RANGES}{_SYMBOL_RANGES}]+")
_SINGLE_AT_END = re.compile(f"(?:^|[^{_CJK_RANGES}])([{_CJK_RANGES}])$")
_QUERY_WORD = re.compile(r'"([^"]*)"?|([^\s"]+)')


def bigrams(text: str) -> str:
    """Text for a column of an FTS5 table with `tokenize = 'unicode61'`, in which CJK words are found as phrases.

    The rule, character by character over fold(text):

    1. A CJK character becomes a word of its own: itself and, where the next character is CJK too, that one.
       日本酒 gives `日本 本酒 酒`. CJK are U+3005-3007, 3041-3096, 309D-309F, 30A1-30FA, 30FC-30FF, 31F0-31FF,
       3400-4DBF, 4E00-9FFF, AC00-D7A3, F900-FAFF, 20000-3FFFF.
    2. `#`, U+2190-2BFF and U+1F000-1FAFF (arrows, symbols, emoji) become the word `u` and the code point in five
       hexadecimal digits, in SQL `printf('u%05x', unicode(c))`: ☕ gives `u02615`, #日本 gives `u00023 日本 本`.
    3. Everything else stays as it is; unicode61 cuts it into words, whole and without regard to case.

    A search (see `match_query`) applies the same rule and looks for the words as a phrase, without the word of the
    last character where that one stands behind another CJK character; where it stands alone, as a prefix: `"日"*`.
    """
    return folded_bigrams(fold(text))


def folded_bigrams(folded: str) -> str:
    """`bigrams` of a text that `fold` has made already."""
    words: list[str] = []
    for word in folded.split():
        if word.isascii() and "#" not in word:
            words.append(word)
            continue
        for found in _PIECES.finditer(word):
            piece = found[0]
            if found.lastindex == 1:
                words += map(add, piece, piece[1:])
                words.append(piece[-1])
            else:
                words.append(f"u{ord(piece):05x}" if found.lastindex else piece)
    return " ".join(words)


def _phrase(words: str) -> str:
    folded = fold(words).strip()
    if not any(c.isalnum() or _SYMBOL.match(c) for c in folded):
        return ""
    found = folded_bigrams(folded).replace('"', '""')
    if _SINGLE_AT_END.search(folded):
        return f'"{found}"*'
    if _CJK.match(folded[-1]):
        found = found.rpartition(" ")[0]
    return f'"{found}"'


def match_query(words: str) -> str:
    """What a person typed into a search box, as an FTS5 MATCH expression over a column of `bigrams`.

    Words are all to be found (AND); "several words" in quotes are found together. Nothing else has a meaning, so that
    any input is safe; no word at all gives an expression that finds nothing. At most 1,000 characters and 64 words
    are looked at.
    """
    found = (quoted or word for quoted, word in _QUERY_WORD.findall(clean(words)[:MAX_QUERY]))
    phrases = [phrase for phrase in map(_phrase, found) if phrase]
    return " ".join(phrases[:MAX_QUERY_WORDS]) or '""'


# ------------------------------------------------------------------ the model
_LINK = re.compile(r"(?:https?://|\bwww\.)[!-~]+", re.IGNORECASE)
_MENTION = re.compile(
    r"(?<![A-Za-z0-9_/.@])@[A-Za-z0-9_]+(?:[.-]+[A-Za-z0-9_]+)*(?:@[A-Za-z0-9]+(?:[.-]+[A-Za-z0-9]+)*)?"
)
_LONG_VOWELS = re.compile(r"([ー~〜])\1+")
_REPEATED = re.compile(r"([^\d\s])\1{3,}")


def for_model(text: str) -> str:
    """Text as the sentiment model reads it, in training and at run time.

    Cleaned; HTML entities unescaped; links become `http`, mentions `@user`; NFKC; runs of ー, 〜 or ~ become one
    (すごーーい: すごーい), any other character but a digit stands at most three times in a row (sooooo: sooo,
    wwwwww: www); white space becomes one space; at most MODEL_CHARS (1,000) characters.
    """
    text = clean(text[: 8 * MODEL_CHARS])
    if "&" in text:
        text = clean(html.unescape(text))
    if "://" in text or "www." in text.lower():
        text = _LINK.sub("http", text)
    text = unicodedata.normalize("NFKC", text)
    if "@" in text:
        text = _MENTION.sub("@user", text)
    text = _REPEATED.sub(r"\1\1\1", _LONG_VOWELS.sub(r"\1", text))
    return " ".join(text.split())[:MODEL_CHARS].rstrip()


def content_hash(text: str) -> str:
    """32 hexadecimal digits that are equal for texts that the model reads alike."""
    return sha256(for_model(text).encode()).hexdigest()[:32]


# ------------------------------------------------------------------ language
_KANA = re.compile("[\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9d]")
_SCRIPTS = (
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("th", re.compile("[\u0e01-\u0e5b]")),
    ("he", re.compile("[\u05d0-\u05ea]")),
    ("el", re.compile("[\u0370-\u03ff]")),
)
_ENGLISH = frozenset(
    [
        "the",
        "and",
        "is",
        "are",
        "was",
        "you",
        "this",
        "that",
        "it",
        "to",
        "of",
        "for",
        "with",
        "not",
        "my",
        "have",
        "be",
        "on",
        "at",
        "i",
        "in",
    ]
)
_UNKNOWN = frozenset(("", "und", "zxx", "qam", "qct", "qht", "qme", "qst", "art", "mis", "mul"))
_WORDS = re.compile(r"[a-z']+")


def language(text: str, declared: str | None = None) -> str:
    """A guess at the language: a code such as `ja`, or `und`.

    Kana make it `ja` (a few of them only where no other language is declared); else what the network declared; else
    the script, where it says enough; else `en` where common English words stand in it; else `und`.
    """
    sample = text[:2_000]
    said = (declared or "").strip().lower().replace("_", "-").partition("-")[0]
    said = said if said.isalpha() and said not in _UNKNOWN else ""
    kana = len(_KANA.findall(sample))
    if kana and (not said or kana * 5 >= sum(c.isalpha() for c in sample)):
        return "ja"
    if said:
        return said
    for code, script in _SCRIPTS:
        if script.search(sample):
            return code
    words = _WORDS.findall(sample.lower())
    common = sum(word in _ENGLISH for word in words)
    return "en" if common >= 2 and common * 8 >= len(words) else "und"
