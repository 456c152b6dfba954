"""Topics as queries of X."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.x.query import MAX_QUERY, handle_of, queries
from config import Topic


def only(**parts):
    (query,) = queries(Topic(slug="t", **parts))
    return query


def test_every_part_of_a_topic_is_asked_for():
    query = only(
        keywords=("kopi", "cold brew"),
        phrases=("flat white",),
        hashtags=("#Kopi", "抹茶"),
        accounts=("x:@Acme", "ann@mastodon.social"),
        exclude=("win a prize",),
        languages=("ja", "en"),
    )
    assert query == (
        '(kopi OR "cold brew" OR "flat white" OR #Kopi OR #抹茶 OR @Acme) -is:nullcast (lang:ja OR lang:en OR lang:und)'
        ' -"win a prize"'
    )


def test_a_japanese_word_is_asked_for_as_a_phrase_and_a_hashtag_in_both_widths():
    assert only(keywords=("ｺﾋﾟ",)) == '("ｺﾋﾟ" OR #ｺﾋﾟ OR "コピ" OR #コピ) -is:nullcast'


def test_words_that_are_operators_are_quoted():
    assert (
        only(keywords=("OR", "c++", "from:me", 'say "hi"')) == '("OR" OR "c++" OR "from:me" OR "say hi") -is:nullcast'
    )


@pytest.mark.parametrize(
    ("account", "handle"),
    [("x:acme", "acme"), ("X:@Acme", "Acme"), ("ann@mastodon.social", None), ("x:", None), ("x:a b", None)],
)
def test_handles(account, handle):
    assert handle_of(account) == handle


def test_a_topic_without_words_for_x_asks_nothing():
    assert queries(Topic(slug="t", accounts=("ann@mastodon.social",))) == []
    assert queries(Topic(slug="t", keywords=('"',))) == []


words = st.text(min_size=1, max_size=200).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(st.lists(words, min_size=1, max_size=40), st.lists(words, max_size=10), st.lists(words, max_size=10))
def test_no_query_is_too_long_and_no_word_is_lost(keywords, tags, excluded):
    topic = Topic(slug="t", keywords=tuple(keywords), hashtags=tuple(tags), exclude=tuple(excluded))
    found = queries(topic)
    assert all(len(query) <= MAX_QUERY and query.count('"') % 2 == 0 for query in found)
    asked = "".join(found)
    assert all(" ".join(w.replace('"', " ").replace("\\", " ").split()) in asked for w in topic.keywords)
