"""Matching: one query for both networks, on folded text, in Japanese and in languages with spaces."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import Topic
from store.matching import Matchers
from store.records import Account, Post
from tests.store.conftest import post


def matched(topic: Topic, text: str = "", handle: str | None = None, **more: object) -> bool:
    author = Account("x:9", "x", handle) if handle else None
    return bool(Matchers([topic]).match(post(1, text, **more), author))


def topic(**query: object) -> Topic:
    return Topic(slug="t", **query)  # type: ignore[arg-type]


FOUND = [
    ("latte", "A LATTE please", True),
    ("latte", "ＬＡＴＴＥ を一杯", True),
    ("latte", "抹茶latteがうまい", True),
    ("latte", "lattes all day", False),
    ("latte", "a flatlatte", False),
    ("latte", "oat-latte!", True),
    ("latte", "#latte", True),
    ("latte", "@latte_fan", True),
    ("コーヒー", "ｺｰﾋｰが好き", True),
    ("コーヒー", "アイスコーヒーゼリー", True),
    ("珈琲", "鳴海珈琲店", True),
    ("抹茶latte", "今日は抹茶LATTEだけ", True),
    ("flat white", "a flat\nwhite, please", True),
    ("flat white", "flat-white", False),
    ("café", "un CAFÉ noir", True),
    ("кофе", "Кофе утром", True),
    ("кофе", "кофейня", False),
    ("커피", "커피를 마신다", True),
    ("c++", "I write C++ daily", True),
    ("☕", "朝の☕", True),
]


@pytest.mark.parametrize(("keyword", "text", "found"), FOUND)
def test_words_are_found_as_each_script_writes_them(keyword: str, text: str, found: bool) -> None:
    assert matched(topic(keywords=(keyword,)), text) is found
    assert matched(topic(phrases=(keyword,)), text) is found
    assert matched(topic(keywords=("zzz", keyword)), text) is found


@pytest.mark.parametrize("tag", ["抹茶", "#抹茶", "＃抹茶"])
def test_hashtags_with_and_without_their_sign(tag: str) -> None:
    assert matched(topic(hashtags=(tag,)), "おいしい", hashtags=("抹茶",))
    assert not matched(topic(hashtags=(tag,)), "抹茶おいしい")
    assert matched(topic(hashtags=("Matcha",)), "x", hashtags=("ＭＡＴＣＨＡ",))


def test_an_exclusion_is_stronger_than_any_match() -> None:
    query = topic(keywords=("抹茶",), hashtags=("抹茶",), exclude=("懸賞", "give away"))
    assert matched(query, "抹茶おいしい", hashtags=("抹茶",))
    assert not matched(query, "抹茶の懸賞", hashtags=("抹茶",))
    assert not matched(query, "抹茶 GIVE  AWAY")
    assert not matched(query, "おいしい", hashtags=("抹茶",), spoiler="懸賞")


def test_languages_narrow() -> None:
    query = topic(keywords=("latte",), languages=("ja", "en"))
    assert matched(query, "latte", lang="ja") and not matched(query, "latte", lang="fr")
    assert matched(topic(keywords=("latte",)), "latte", lang=None)


def test_own_accounts_are_marked_and_whoever_addresses_them_belongs() -> None:
    query = topic(keywords=("kopi",), own_accounts=("x:Kopi_JP", "kopi@m.example"), exclude=("sale",))
    own = Matchers([query]).match(post(1, "good morning, sale!"), Account("x:9", "x", "kopi_jp"))
    assert [(m.topic, m.own) for m in own] == [("t", True)]
    toot = post(2, "hello", network="mastodon", author_id="acct:kopi@m.example")
    assert Matchers([query]).match(toot, None)[0].own
    addressed = Matchers([query]).match(post(3, "@kopi_jp 開いてますか", mentions=("x:kopi_jp",)), None)
    assert [m.own for m in addressed] == [False]
    assert not matched(query, "hello", mentions=("x:other",))


def test_watched_accounts_and_networks() -> None:
    query = topic(accounts=("x:@Taro", "hana@m.example"), sources=("x",))
    assert matched(query, "何でも", handle="taro")
    assert not matched(query, "hello", network="mastodon", author_id="acct:hana@m.example")
    assert not matched(query, "何でも", handle="taro", reference=True)


WORDS = st.text(st.characters(whitelist_categories=("Ll", "Lo", "Nd"), max_codepoint=0xFFFF), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS)
def test_a_word_is_found_in_every_width_and_case(word: str, other: str) -> None:
    query = topic(keywords=(word,))
    for form in (word, unicodedata.normalize("NFKC", word), word.upper() if word.upper().lower() == word else word):
        assert matched(query, f"{form} {other}") and matched(query, f"「{form}」")


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.text(max_size=40))
def test_more_words_never_find_less_and_exclusions_never_more(words: list[str], text: str) -> None:
    one, more = topic(keywords=words[:1]), topic(keywords=words)
    assert matched(more, text) or not matched(one, text)
    assert not matched(topic(keywords=words, exclude=words[:1]), text) or not matched(one, text)


def test_a_post_may_belong_to_several_topics() -> None:
    queries = [
        Topic(slug="a", keywords=("抹茶",)),
        Topic(slug="b", keywords=("ラテ",)),
        Topic(slug="c", keywords=("酒",)),
    ]
    found: list[str] = [m.topic for m in Matchers(queries).match(_latte(), None)]
    assert found == ["a", "b"]


def _latte() -> Post:
    return post(1, "抹茶ラテ")
