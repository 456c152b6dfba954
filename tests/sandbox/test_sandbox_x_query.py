"""X's query language, without HTTP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.index import NetworkIndex
from sandbox.x_index import XIndex
from sandbox.x_query import Document, QueryError, parse, words_of
from tests.sandbox.sandbox_tools import Builder, at


def document(text: str, lang: str = "en") -> Document:
    build = Builder()
    build.person("7", handle="Writer", verified=True)
    build.person("8", handle="Asker")
    parent = build.post("8", "what do you drink?", at(hours=-3))
    quoted = build.post("8", "quote me", at(hours=-2))
    post = build.post("7", text, at(hours=-1), lang=lang, reply_to=parent.id, quote_of=quoted.id)
    index = XIndex(NetworkIndex(build.world, "x"))
    return index._document(index.versions[post.id])


TEXT = "Coca-Cola with #IceCubes at https://Example.org/Bar?x=1, said @Friend 珈琲がおいしい #新発売 $ABC"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("coca", True),
        ("COLA", True),
        ("coc", False),
        ("coca-cola", True),
        ('"coca cola with"', True),
        ('"cola coca"', False),
        ("#icecubes", True),
        ("#ice", False),
        ("icecubes", True),
        ("@friend", True),
        ("@fri", False),
        ("$abc", True),
        ("珈琲", True),
        ('"珈琲がおいしい"', True),
        ("紅茶", False),
        ("#新発売", True),
        ("#新", False),
        ("＃新発売", True),
        ("from:writer", True),
        ("from:7", True),
        ("from:asker", False),
        ("to:ASKER", True),
        ("url:example.org", True),
        ('url:"https://example.org/bar"', True),
        ("url:example.com", False),
        ("cola lang:en", True),
        ("cola lang:ja", False),
        ("cola -tea", True),
        ("cola -#icecubes", False),
        ("tea OR cola", True),
        ("tea OR milk", False),
        ("tea cola OR with", True),
        ("(tea OR cola) @nobody", False),
        ("cola -(tea OR milk)", True),
        ("cola -(tea OR @friend)", False),
        ("cola is:reply is:quote", True),
        ("cola -is:reply", False),
        ("cola is:retweet", False),
        ("cola -is:retweet -is:nullcast", True),
        ("cola is:verified has:links has:hashtags", True),
        ("cola has:images", False),
        ('"Coca-Cola" lang:en -is:retweet', True),
    ],
)
def test_operators(query: str, expected: bool) -> None:
    assert parse(query).matches(document(TEXT)) is expected


@pytest.mark.parametrize("query", ["", "  ", "()", "(a", "a)", "is:green a", "has:legs a", "mood:good", '"open', "-a"])
def test_refused(query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)


def test_conversation_is_known_only_when_every_match_lies_in_it() -> None:
    assert parse("conversation_id:5 cola").conversation == "5"
    assert parse("conversation_id:5 OR cola").conversation is None
    assert parse("cola -conversation_id:5").conversation is None


WORDS = st.sampled_from(["cola", "tea", "with", "珈琲", "#icecubes", "@friend", "from:writer", '"coca cola"'])


@given(WORDS, WORDS)
def test_and_or_not_are_boolean(left: str, right: str) -> None:
    doc = DOCUMENT
    first, second = parse(left).matches(doc), parse(right).matches(doc)
    assert parse(f"{left} {right}").matches(doc) == (first and second)
    assert parse(f"{left} OR {right}").matches(doc) == (first or second)
    assert parse(f"{left} -{right}").matches(doc) == (first and not second)
    assert parse(f"{left} -({left} {right})").matches(doc) == (first and not (first and second))


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(query: str) -> None:
    try:
        parsed = parse(query)
    except QueryError as error:
        assert str(error)
    else:
        assert parsed.matches(DOCUMENT) in (True, False)


@given(st.text(max_size=40))
def test_words_are_between_spaces(text: str) -> None:
    words = words_of(text)
    assert words[0] == words[-1] == " "
    assert all(f" {word} " in words for word in words.split(" ") if word)


DOCUMENT = document(TEXT)
