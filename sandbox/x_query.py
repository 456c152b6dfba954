"""The query language of X's recent search: parsed into a predicate over documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

TOKEN = re.compile(
    r'\s*(?:(?P<open>\()|(?P<close>\))|(?P<minus>-)(?=\S)|(?P<phrase>"[^"]*")|(?P<word>[^\s()"]+(?:"[^"]*")?))'
)
WORD = re.compile(r"\w+")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\uac00-\ud7af]")
NEEDS_COMPANY = {"lang", "is", "has"}
MAX_LENGTH = 512


class QueryError(ValueError):
    """A query that X would refuse; the message is what X says about it."""


@dataclass(frozen=True, slots=True)
class Document:
    """What the operators look at, in lower case."""

    text: str
    words: str  # the words, with a space before and after each
    hashtags: frozenset[str]
    cashtags: frozenset[str]
    mentions: frozenset[str]
    urls: tuple[str, ...]
    lang: str
    author: frozenset[str]  # handle and id
    addressee: frozenset[str]  # handle and id of the account replied to
    conversation: str
    parent: str | None
    quoted: str | None
    verified: bool


Predicate = Callable[[Document], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; `conversation` is set when every match lies in that conversation."""

    matches: Predicate
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    test: Predicate
    positive: bool  # can stand alone, as X requires of at least one clause
    conversation: str | None = None


def words_of(text: str) -> str:
    """The words of a text in lower case, each between spaces."""
    return f" {' '.join(WORD.findall(text.casefold()))} "


def parse(source: str) -> Query:
    """Parse a query; raises QueryError with the words X would use."""
    if not source.strip():
        raise QueryError("The `query` query parameter can not be empty")
    if len(source) > MAX_LENGTH:
        raise QueryError(f"The `query` query parameter can not be longer than {MAX_LENGTH} characters")
    parser = _Parser(source)
    node = parser.either()
    if parser.kind is not None:
        raise QueryError(f"There were errors processing your request: extraneous input '{parser.value}'")
    if not node.positive:
        raise QueryError(
            "There were errors processing your request: Rules must contain at least one positive, non-stopword clause"
        )
    return Query(node.test, node.conversation)


class _Parser:
    def __init__(self, source: str) -> None:
        self.source, self.position = source, 0
        self.kind: str | None = None
        self.value = ""
        self.advance()

    def advance(self) -> None:
        match = TOKEN.match(self.source, self.position)
        if match is None:
            rest = self.source[self.position :].strip()
            if rest:
                raise QueryError(f"There were errors processing your request: token recognition error at: '{rest}'")
            self.kind, self.value = None, ""
            return
        self.position = match.end()
        self.kind, self.value = match.lastgroup, match.group(match.lastgroup or 0)

    def either(self) -> _Node:
        nodes = [self.every()]
        while self.kind == "word" and self.value == "OR":
            self.advance()
            nodes.append(self.every())
        if len(nodes) == 1:
            return nodes[0]
        tests = [node.test for node in nodes]
        return _Node(lambda doc: any(test(doc) for test in tests), all(node.positive for node in nodes))

    def every(self) -> _Node:
        nodes = []
        while self.kind not in (None, "close") and not (self.kind == "word" and self.value == "OR"):
            nodes.append(self.clause())
        if not nodes:
            raise QueryError("There were errors processing your request: missing a clause")
        if len(nodes) == 1:
            return nodes[0]
        tests = [node.test for node in nodes]
        conversation = next((node.conversation for node in nodes if node.conversation), None)
        return _Node(lambda doc: all(test(doc) for test in tests), any(node.positive for node in nodes), conversation)

    def clause(self) -> _Node:
        kind, value = self.kind, self.value
        self.advance()
        if kind == "minus":
            test = self.clause().test
            return _Node(lambda doc: not test(doc), False)
        if kind == "open":
            node = self.either()
            if self.kind != "close":
                raise QueryError("There were errors processing your request: missing ')'")
            self.advance()
            return node
        if kind == "phrase":
            return _Node(_text(value.strip('"')), True)
        return _term(value)


def _term(value: str) -> _Node:
    name, colon, argument = value.partition(":")
    argument = argument.strip('"')
    if colon and name in OPERATORS and argument:
        conversation = argument if name == "conversation_id" else None
        return _Node(OPERATORS[name](argument.casefold()), name not in NEEDS_COMPANY, conversation)
    if colon and name.isidentifier() and not argument.startswith("//"):
        raise QueryError(
            f"There were errors processing your request: Reference to invalid operator '{name}'. "
            "Operator is not available in current product or product packaging."
        )
    return _Node(_text(value), True)


def _text(value: str) -> Predicate:
    folded = value.casefold()
    if len(folded) > 1 and folded[0] in "#＃":
        return lambda doc: folded[1:] in doc.hashtags
    if len(folded) > 1 and folded[0] == "@":
        return lambda doc: folded[1:] in doc.mentions
    if len(folded) > 1 and folded[0] == "$":
        return lambda doc: folded[1:] in doc.cashtags
    words = words_of(folded)
    if WIDE.search(folded) or not words.strip():
        return lambda doc: folded in doc.text
    return lambda doc: words in doc.words


def _is(value: str) -> Predicate:
    tests: dict[str, Predicate] = {
        "reply": lambda doc: doc.parent is not None,
        "quote": lambda doc: doc.quoted is not None,
        "retweet": lambda doc: False,  # reposts are no longer searched
        "nullcast": lambda doc: False,
        "verified": lambda doc: doc.verified,
    }
    if value not in tests:
        raise QueryError(f"There were errors processing your request: '{value}' is not a valid value of 'is'")
    return tests[value]


def _has(value: str) -> Predicate:
    tests: dict[str, Predicate] = {
        "links": lambda doc: bool(doc.urls),
        "hashtags": lambda doc: bool(doc.hashtags),
        "cashtags": lambda doc: bool(doc.cashtags),
        "mentions": lambda doc: bool(doc.mentions),
        "media": lambda doc: False,
        "images": lambda doc: False,
        "videos": lambda doc: False,
    }
    if value not in tests:
        raise QueryError(f"There were errors processing your request: '{value}' is not a valid value of 'has'")
    return tests[value]


OPERATORS: dict[str, Callable[[str], Predicate]] = {
    "from": lambda value: lambda doc: value.lstrip("@") in doc.author,
    "to": lambda value: lambda doc: value.lstrip("@") in doc.addressee,
    "lang": lambda value: lambda doc: doc.lang == value,
    "conversation_id": lambda value: lambda doc: doc.conversation == value,
    "in_reply_to_tweet_id": lambda value: lambda doc: doc.parent == value,
    "quotes_of_tweet_id": lambda value: lambda doc: doc.quoted == value,
    "url": lambda value: lambda doc: any(value in url for url in doc.urls),
    "is": _is,
    "has": _has,
}
